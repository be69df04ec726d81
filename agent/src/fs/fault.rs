//! A file system in memory that fails as devices and kernels do (W-18): the tool with which the wal,
//! the delivery and the file-system destination are proved.
//!
//! A write is in the page cache until its file is synced; an entry is in the page cache until its
//! directory is synced, and neither sync does the other's work. [`FaultFs::crash`] gives the machine
//! after a power cut: every sector (512 bytes, never mixed, W-15), every length and every change of
//! a directory that was not synced is there or not, independently, where one does not need the
//! other. [`FaultFs::kill`] gives the machine after the process ended: nothing is lost but locks.
//! The old value stays what it was, a machine that nobody can reach.
//!
//! Operations that change anything are numbered from 0, so that a scenario can be cut, or made to
//! fail, at each of them. The same calls and seeds give the same machine. Paths start at the root,
//! whether or not they say so; there are no symbolic links.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use rustix::io::Errno;

use crate::entropy::Entropy;
use crate::fs::{FileKind, Fs, FsType, OpenMode, Stat};

mod content;
mod file;
mod machine;
mod plan;

#[cfg(test)]
mod like_os_tests;
#[cfg(test)]
mod tests;

pub use file::FaultFile;
pub use plan::{FaultKind, Op};

use content::Content;
use machine::{Directory, Machine, Node};

/// What a power cut leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashMode {
    LoseAll,
    KeepAll,
    /// Each part by itself, as the seed has it.
    Random,
}

/// The file system. A clone is the same machine.
#[derive(Clone, Debug)]
pub struct FaultFs {
    machine: Arc<Mutex<Machine>>,
}

impl Default for FaultFs {
    fn default() -> Self {
        Self::new()
    }
}

impl FaultFs {
    /// An empty machine that does not fail.
    pub fn new() -> Self {
        Self::from_machine(Machine::new())
    }

    fn from_machine(machine: Machine) -> Self {
        Self {
            machine: Arc::new(Mutex::new(machine)),
        }
    }

    /// The machine after a power cut that kept and lost at random.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        self.crash_with(CrashMode::Random, seed)
    }

    /// The machine after a power cut. The seed matters to `Random` only.
    #[must_use]
    pub fn crash_with(&self, mode: CrashMode, seed: u64) -> Self {
        let entropy = Entropy::from_seed(seed);
        Self::from_machine(self.machine.lock().after_crash(mode, &entropy))
    }

    /// The machine after the process was killed: the page cache survives, locks don't.
    #[must_use]
    pub fn kill(&self) -> Self {
        Self::from_machine(self.machine.lock().after_kill())
    }

    /// From the operation of this number on nothing is done and every call is refused.
    pub fn crash_at(&self, operation: u64) {
        self.machine.lock().plan.crash_at(operation);
    }

    /// Whether `crash_at` has been reached.
    pub fn is_dead(&self) -> bool {
        self.machine.lock().plan.is_dead()
    }

    /// Makes the operation of this number fail.
    pub fn fail_at(&self, operation: u64, fault: FaultKind) {
        self.machine.lock().plan.fail_at(operation, fault);
    }

    /// Makes these calls (all, when none is named) fail at and below a path until `forgive`.
    pub fn refuse(&self, below: impl AsRef<Path>, ops: &[Op], errno: Errno) {
        self.machine.lock().plan.refuse(below.as_ref(), ops, errno);
    }

    /// Takes back what was said to `refuse` for exactly this path.
    pub fn forgive(&self, below: impl AsRef<Path>) {
        self.machine.lock().plan.forgive(below.as_ref());
    }

    /// Operations so far that changed something or were to.
    pub fn operations(&self) -> u64 {
        self.machine.lock().plan.operations()
    }

    /// The last operations, for messages.
    pub fn log(&self) -> Vec<String> {
        self.machine.lock().plan.log()
    }

    /// Limits the bytes that files may take; what has blocks already can be overwritten.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.machine.lock().capacity = bytes;
    }

    /// What `fs_type` answers.
    pub fn set_fs_type(&self, fs_type: FsType) {
        self.machine.lock().fs_type = fs_type;
    }

    /// Whether `stat` knows birth times.
    pub fn set_births(&self, known: bool) {
        self.machine.lock().births = known;
    }

    /// Takes a directory's file system away: an empty mount point is left. Open files stay.
    pub fn unmount(&self, directory: impl AsRef<Path>) -> io::Result<()> {
        self.machine.lock().unmount(directory.as_ref())
    }

    /// Brings back what `unmount` took.
    pub fn mount(&self, directory: impl AsRef<Path>) -> io::Result<()> {
        self.machine.lock().mount(directory.as_ref())
    }

    /// Flips the bits of `mask` in one byte of a file, on the device and in the cache.
    pub fn corrupt(&self, path: impl AsRef<Path>, offset: u64, mask: u8) -> io::Result<()> {
        let mut machine = self.machine.lock();
        let inode = machine.find(path.as_ref())?;
        machine.content(inode)?.corrupt(offset, mask);
        Ok(())
    }

    /// Copies a file or a directory as a backup tool or a cloned volume does: the same names and
    /// bytes, durable, with inodes and birth times of their own.
    pub fn copy_tree(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        let mut machine = self.machine.lock();
        let from = machine.find(from.as_ref())?;
        let (parent, name) = machine.parent(to.as_ref())?;
        if machine.entry(parent, &name)?.is_some() {
            return Err(Errno::EXIST.into());
        }
        let copy = machine.copy(from)?;
        machine.change(parent, vec![(name, Some(copy))])?;
        machine.directory(parent)?.sync();
        Ok(())
    }

    /// Begins a call: the machine, and whether the call is done but answers an error.
    fn call(&self, op: Op, paths: &[&Path]) -> io::Result<Call<'_>> {
        let mut machine = self.machine.lock();
        let then = match machine.plan.begin(op, paths)? {
            Some(FaultKind::Error(errno)) => return Err(errno.into()),
            Some(FaultKind::DoneThenError(errno)) => Err(errno),
            Some(FaultKind::ShortWrite(_)) | None => Ok(()),
        };
        Ok(Call { machine, then })
    }

    fn rename_with(&self, op: Op, from: &Path, to: &Path) -> io::Result<()> {
        let mut call = self.call(op, &[from, to])?;
        let machine = &mut call.machine;
        let (from_directory, from_name) = machine.parent(from)?;
        let (to_directory, to_name) = machine.parent(to)?;
        let inode = machine
            .entry(from_directory, &from_name)?
            .ok_or(Errno::NOENT)?;
        let taken = machine.entry(to_directory, &to_name)?;
        if taken.is_some() && op == Op::RenameNoReplace {
            return Err(Errno::EXIST.into());
        }
        if from != to && to.starts_with(from) {
            return Err(Errno::INVAL.into());
        }
        if from != to && from.starts_with(to) {
            return Err(Errno::NOTEMPTY.into());
        }
        if let Some(taken) = taken {
            if taken == inode {
                return call.end();
            }
            match (machine.is_directory(inode), machine.is_directory(taken)) {
                (false, true) => return Err(Errno::ISDIR.into()),
                (true, false) => return Err(Errno::NOTDIR.into()),
                (true, true) if !machine.directory(taken)?.entries.is_empty() => {
                    return Err(Errno::NOTEMPTY.into());
                }
                _ => {}
            }
        }
        let gone = (from_name, None);
        let come = (to_name, Some(inode));
        if from_directory == to_directory {
            machine.change(from_directory, vec![gone, come])?;
        } else {
            machine.change(to_directory, vec![come])?;
            machine.change(from_directory, vec![gone])?;
        }
        call.end()
    }
}

/// A call that goes on.
struct Call<'a> {
    machine: MutexGuard<'a, Machine>,
    then: Result<(), Errno>,
}

impl Call<'_> {
    fn end(self) -> io::Result<()> {
        Ok(self.then?)
    }
}

impl Fs for FaultFs {
    type File = FaultFile;

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<FaultFile> {
        let op = match mode {
            OpenMode::CreateNew => Op::Create,
            OpenMode::Read | OpenMode::ReadWrite => Op::Open,
        };
        let mut call = self.call(op, &[path])?;
        let machine = &mut call.machine;
        let inode = if mode == OpenMode::CreateNew {
            let (parent, name) = machine.parent(path)?;
            if machine.entry(parent, &name)?.is_some() {
                return Err(Errno::EXIST.into());
            }
            let inode = machine.add(Node::File(Content::default()));
            machine.change(parent, vec![(name, Some(inode))])?;
            inode
        } else {
            let inode = machine.find(path)?;
            machine.content(inode)?;
            inode
        };
        call.then?;
        let handle = call.machine.open(inode);
        let machine = Arc::clone(&self.machine);
        Ok(FaultFile::new(machine, inode, handle, path, mode))
    }

    fn mkdir(&self, path: &Path) -> io::Result<()> {
        let mut call = self.call(Op::Mkdir, &[path])?;
        let machine = &mut call.machine;
        let (parent, name) = machine.parent(path)?;
        if machine.entry(parent, &name)?.is_some() {
            return Err(Errno::EXIST.into());
        }
        let inode = machine.add(Node::Directory(Directory::default()));
        machine.change(parent, vec![(name, Some(inode))])?;
        call.end()
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let mut call = self.call(Op::List, &[directory])?;
        let inode = call.machine.find(directory)?;
        let directory = call.machine.directory(inode)?;
        Ok(directory.entries.keys().cloned().collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.rename_with(Op::Rename, from, to)
    }

    fn rename_noreplace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.rename_with(Op::RenameNoReplace, from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut call = self.call(Op::Link, &[from, to])?;
        let machine = &mut call.machine;
        let inode = machine.find(from)?;
        let (parent, name) = machine.parent(to)?;
        if machine.entry(parent, &name)?.is_some() {
            return Err(Errno::EXIST.into());
        }
        if machine.is_directory(inode) {
            return Err(Errno::PERM.into());
        }
        machine.change(parent, vec![(name, Some(inode))])?;
        call.end()
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut call = self.call(Op::RemoveFile, &[path])?;
        let machine = &mut call.machine;
        let inode = machine.find(path)?;
        machine.content(inode)?;
        let (parent, name) = machine.parent(path)?;
        machine.change(parent, vec![(name, None)])?;
        call.end()
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut call = self.call(Op::RemoveDir, &[path])?;
        let machine = &mut call.machine;
        let inode = machine.find(path)?;
        if !machine.directory(inode)?.entries.is_empty() {
            return Err(Errno::NOTEMPTY.into());
        }
        let (parent, name) = machine.parent(path)?;
        machine.change(parent, vec![(name, None)])?;
        call.end()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut call = self.call(Op::SyncDir, &[path])?;
        let inode = call.machine.find(path)?;
        call.machine.directory(inode)?.sync();
        call.end()
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let mut call = self.call(Op::Stat, &[path])?;
        let inode = call.machine.find(path)?;
        let (kind, length) = match call.machine.nodes.get(&inode) {
            Some(Node::File(content)) => (FileKind::File, content.length()),
            Some(Node::Directory(_)) => (FileKind::Directory, 4096),
            None => return Err(Errno::NOENT.into()),
        };
        Ok(Stat {
            kind,
            length,
            inode,
            birth: call.machine.births.then(|| Machine::birth(inode)),
        })
    }

    fn fs_type(&self, path: &Path) -> io::Result<FsType> {
        let mut call = self.call(Op::FsType, &[path])?;
        call.machine.find(path)?;
        Ok(call.machine.fs_type)
    }

    fn available(&self, path: &Path) -> io::Result<u64> {
        let mut call = self.call(Op::Available, &[path])?;
        call.machine.find(path)?;
        Ok(call.machine.available())
    }
}

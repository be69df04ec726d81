//! A file system in memory that knows page cache from device, for proofs (W-18). What a program did
//! not sync is at the mercy of [`FaultFs::crash`]:
//!
//! - a written sector (512 bytes) is on the device as it was, or as any later write left it; never
//!   mixed (W-15). The length is one of those it had;
//! - an entry of a directory (made, renamed, linked, removed) is there or not, each change by itself,
//!   but one that builds on a change that was lost is lost too;
//! - `sync_data` keeps a file's sectors and length, `sync_dir` a directory's entries, nothing else.
//!
//! Deterministic: the same calls and seeds give the same bytes. It compiles into tests only.

#[cfg(test)]
mod tests;
mod tree;

use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::io::Errno;

use super::{File, FileKind, Fs, FsType, OpenMode, Stat};
use tree::{Change, Inode, Tree};

pub use tree::CrashMode;

/// What goes wrong at one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does nothing and fails.
    Error(Errno),
    /// A write takes half of its bytes and says so.
    ShortWrite,
    /// A write takes half of its bytes and fails.
    TornWrite(Errno),
    /// A sync fails, what was to be synced is on the device no more than before, and the page cache
    /// counts it as clean: the next sync says OK.
    SyncLost,
}

/// The calls that can be denied by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Open,
    Create,
    Mkdir,
    Rename,
    RenameNoReplace,
    Link,
    Remove,
    Write,
    Sync,
    SyncDir,
    Allocate,
    Stat,
    Read,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct FaultFs(Arc<Mutex<Machine>>);

#[derive(Debug)]
struct Machine {
    tree: Tree,
    operations: u64,
    log: Vec<String>,
    crash_at: Option<u64>,
    dead: bool,
    faults: Vec<(u64, Fault)>,
    denied: Vec<(Call, PathBuf, Errno)>,
    hidden: Vec<PathBuf>,
    fs_type: FsType,
    capacity: Option<u64>,
    /// Locked inodes, by the file that holds them.
    locks: Vec<(u64, u64)>,
    next_handle: u64,
}

/// An open file of it.
#[derive(Debug)]
pub struct FaultFile {
    fs: FaultFs,
    inode: u64,
    handle: u64,
    path: PathBuf,
}

impl FaultFs {
    /// An empty file system. `seed` varies the inode numbers.
    pub fn new(seed: u64) -> Self {
        Self::with(Tree::new(seed))
    }

    fn with(tree: Tree) -> Self {
        Self(Arc::new(Mutex::new(Machine {
            tree,
            operations: 0,
            log: Vec::new(),
            crash_at: None,
            dead: false,
            faults: Vec::new(),
            denied: Vec::new(),
            hidden: Vec::new(),
            fs_type: FsType::Local,
            capacity: None,
            locks: Vec::new(),
            next_handle: 0,
        })))
    }

    /// The machine after a power cut: what was not synced is lost, kept, or anything between.
    #[must_use]
    pub fn crash(&self, mode: CrashMode, seed: u64) -> Self {
        let machine = self.0.lock();
        let back = Self::with(machine.tree.crash(mode, seed));
        back.0.lock().fs_type = machine.fs_type;
        back
    }

    /// The machine after the process was killed: the page cache is still there.
    #[must_use]
    pub fn kill(&self) -> Self {
        let machine = self.0.lock();
        let back = Self::with(machine.tree.clone());
        back.0.lock().fs_type = machine.fs_type;
        back
    }

    /// From operation `number` on (from 0) nothing is done and every call fails.
    pub fn crash_at(&self, number: u64) {
        self.0.lock().crash_at = Some(number);
    }

    pub fn is_dead(&self) -> bool {
        self.0.lock().dead
    }

    /// Lets operation `number` (from 0) go wrong, once.
    pub fn fail_at(&self, number: u64, fault: Fault) {
        self.0.lock().faults.push((number, fault));
    }

    /// Fails every such call at or below `path`, until [`allow`](Self::allow).
    pub fn deny(&self, call: Call, path: impl Into<PathBuf>, errno: Errno) {
        self.0.lock().denied.push((call, path.into(), errno));
    }

    pub fn allow(&self) {
        self.0.lock().denied.clear();
    }

    /// Makes what lies at and below `path` vanish, as when it is unmounted; the path itself is an
    /// empty directory then.
    pub fn hide(&self, path: impl Into<PathBuf>) {
        let path = path.into();
        let mut machine = self.0.lock();
        machine.tree.hide(&path);
        machine.hidden.push(path);
    }

    /// Brings back what was hidden.
    pub fn unhide(&self) {
        let mut machine = self.0.lock();
        for path in std::mem::take(&mut machine.hidden) {
            machine.tree.unhide(&path);
        }
    }

    pub fn set_fs_type(&self, fs_type: FsType) {
        self.0.lock().fs_type = fs_type;
    }

    /// Limits the bytes that all files together may have; longer ones get ENOSPC.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.lock().capacity = bytes;
    }

    /// Flips bits of a file, in cache and on the device.
    pub fn corrupt(&self, path: &Path, offset: u64, mask: u8) {
        self.0.lock().tree.corrupt(path, offset, mask);
    }

    /// Copies a directory and all below it, as `cp -r` does: other inodes, other birth times.
    pub fn copy_tree(&self, from: &Path, to: &Path) {
        self.0.lock().tree.copy(from, to);
    }

    /// Operations so far that change something or make it durable.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// These operations, for messages.
    pub fn log(&self) -> Vec<String> {
        self.0.lock().log.clone()
    }

    /// A file's bytes as a program sees them now.
    pub fn contents(&self, path: &Path) -> io::Result<Vec<u8>> {
        let machine = self.0.lock();
        let inode = machine.tree.find(path)?;
        Ok(machine.tree.file(inode)?.cache.clone())
    }

    /// Every file at or below `path`.
    pub fn files(&self, path: &Path) -> Vec<PathBuf> {
        self.0.lock().tree.files(path)
    }
}

impl Machine {
    fn alive(&self) -> io::Result<()> {
        if self.dead {
            Err(Errno::IO.into())
        } else {
            Ok(())
        }
    }

    fn denied(&self, call: Call, path: &Path) -> io::Result<()> {
        let denial = self
            .denied
            .iter()
            .find(|(c, at, _)| *c == call && path.starts_with(at));
        denial.map_or(Ok(()), |(_, _, errno)| Err((*errno).into()))
    }

    /// Counts an operation; an error if it must not happen, a fault if it must go wrong.
    fn operation(&mut self, call: Call, path: &Path) -> io::Result<Option<Fault>> {
        self.alive()?;
        let number = self.operations;
        if self.crash_at.is_some_and(|at| number >= at) {
            self.dead = true;
            return Err(Errno::IO.into());
        }
        self.operations += 1;
        self.log
            .push(format!("{number} {call:?} {}", path.display()));
        self.denied(call, path)?;
        let fault = self.faults.iter().position(|(at, _)| *at == number);
        match fault.map(|index| self.faults.swap_remove(index).1) {
            Some(Fault::Error(errno)) => Err(errno.into()),
            fault => Ok(fault),
        }
    }

    fn room_for(&self, inode: u64, length: u64) -> io::Result<()> {
        let Some(capacity) = self.capacity else {
            return Ok(());
        };
        let now = self.tree.file(inode)?.cache.len() as u64;
        let others = self.tree.bytes() - now;
        // what the file has already is never refused
        if length > now && others + length > capacity {
            Err(Errno::NOSPC.into())
        } else {
            Ok(())
        }
    }
}

impl Fs for FaultFs {
    type File = FaultFile;

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<FaultFile> {
        let mut machine = self.0.lock();
        machine.alive()?;
        let inode = if mode == OpenMode::CreateNew {
            machine.operation(Call::Create, path)?;
            machine.tree.create(path, Inode::file())?
        } else {
            machine.denied(Call::Open, path)?;
            let inode = machine.tree.find(path)?;
            machine.tree.file(inode)?;
            inode
        };
        machine.next_handle += 1;
        let handle = machine.next_handle;
        Ok(FaultFile {
            fs: self.clone(),
            inode,
            handle,
            path: path.to_owned(),
        })
    }

    fn mkdir(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.0.lock();
        machine.operation(Call::Mkdir, path)?;
        machine.tree.create(path, Inode::directory()).map(drop)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let machine = self.0.lock();
        machine.alive()?;
        machine.tree.list(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut machine = self.0.lock();
        machine.operation(Call::Rename, to)?;
        machine.tree.change(Change::Rename {
            from,
            to,
            replace: true,
        })
    }

    fn rename_noreplace(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut machine = self.0.lock();
        machine.operation(Call::RenameNoReplace, to)?;
        machine.tree.change(Change::Rename {
            from,
            to,
            replace: false,
        })
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut machine = self.0.lock();
        machine.operation(Call::Link, to)?;
        machine.tree.change(Change::Link { from, to })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.0.lock();
        machine.operation(Call::Remove, path)?;
        let inode = machine.tree.find(path)?;
        machine.tree.file(inode)?;
        machine.tree.change(Change::Remove { path })
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.0.lock();
        machine.operation(Call::Remove, path)?;
        if !machine.tree.list(path)?.is_empty() {
            return Err(Errno::NOTEMPTY.into());
        }
        machine.tree.change(Change::Remove { path })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.0.lock();
        match machine.operation(Call::SyncDir, path)? {
            Some(_) => Err(Errno::IO.into()),
            None => machine.tree.sync_dir(path),
        }
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let machine = self.0.lock();
        machine.alive()?;
        machine.denied(Call::Stat, path)?;
        let inode = machine.tree.find(path)?;
        let (kind, length) = match machine.tree.file(inode) {
            Ok(file) => (FileKind::File, file.cache.len() as u64),
            Err(_) => (FileKind::Directory, 0),
        };
        Ok(Stat {
            kind,
            length,
            inode,
            birth: Some(i128::from(inode) * 1_000),
        })
    }

    fn fs_type(&self, path: &Path) -> io::Result<FsType> {
        let machine = self.0.lock();
        machine.tree.find(path)?;
        Ok(machine.fs_type)
    }

    fn available(&self, _path: &Path) -> io::Result<u64> {
        let machine = self.0.lock();
        machine.alive()?;
        Ok(machine
            .capacity
            .map_or(u64::MAX, |bytes| bytes.saturating_sub(machine.tree.bytes())))
    }
}

impl File for FaultFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let machine = self.fs.0.lock();
        machine.alive()?;
        machine.denied(Call::Read, &self.path)?;
        let file = machine.tree.file(self.inode)?;
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(file.cache.len());
        let length = into.len().min(file.cache.len() - start);
        into[..length].copy_from_slice(&file.cache[start..start + length]);
        Ok(length)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let mut machine = self.fs.0.lock();
        let fault = machine.operation(Call::Write, &self.path)?;
        if matches!(fault, Some(Fault::ShortWrite | Fault::TornWrite(_))) {
            bytes.truncate(bytes.len().div_ceil(2));
        }
        machine.room_for(self.inode, offset + bytes.len() as u64)?;
        machine.tree.file_mut(self.inode)?.write(offset, &bytes);
        match fault {
            Some(Fault::TornWrite(errno)) => Err(errno.into()),
            _ => Ok(bytes.len()),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut machine = self.fs.0.lock();
        let fault = machine.operation(Call::Sync, &self.path)?;
        let file = machine.tree.file_mut(self.inode)?;
        if fault == Some(Fault::SyncLost) {
            file.forget_dirty();
            return Err(Errno::IO.into());
        }
        file.sync();
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let mut machine = self.fs.0.lock();
        machine.operation(Call::Allocate, &self.path)?;
        machine.room_for(self.inode, length)?;
        let file = machine.tree.file_mut(self.inode)?;
        if length > file.cache.len() as u64 {
            file.set_length(length);
        }
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut machine = self.fs.0.lock();
        machine.operation(Call::Allocate, &self.path)?;
        machine.room_for(self.inode, length)?;
        machine.tree.file_mut(self.inode)?.set_length(length);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        let machine = self.fs.0.lock();
        machine.alive()?;
        Ok(machine.tree.file(self.inode)?.cache.len() as u64)
    }

    fn drop_cache(&self) -> io::Result<()> {
        let mut machine = self.fs.0.lock();
        machine.alive()?;
        machine.tree.file_mut(self.inode)?.drop_cache();
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut machine = self.fs.0.lock();
        machine.alive()?;
        if machine
            .locks
            .iter()
            .any(|(inode, by)| *inode == self.inode && *by != self.handle)
        {
            return Ok(false);
        }
        machine.locks.push((self.inode, self.handle));
        Ok(true)
    }
}

impl Drop for FaultFile {
    fn drop(&mut self) {
        self.fs.0.lock().locks.retain(|(_, by)| *by != self.handle);
    }
}

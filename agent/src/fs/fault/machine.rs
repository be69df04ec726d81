//! The state of the double: inodes, directory entries, locks, space.
//!
//! A directory's changes are pending until the directory is synced. A rename inside one directory
//! is one change of two names; between two directories it is one change in each, and each waits for
//! its own directory.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path};

use rustix::io::Errno;

use super::CrashMode;
use super::content::Content;
use super::plan::Plan;
use crate::entropy::Entropy;
use crate::fs::FsType;

pub(super) type Inode = u64;

const ROOT: Inode = 2;
/// The first birth time, in nanoseconds since the epoch; each inode is a microsecond younger.
const FIRST_BIRTH: i128 = 1_700_000_000_000_000_000;
/// Removals between two collections of what nothing names any more.
const COLLECT_EVERY: u32 = 256;

/// What one step changes in one directory: names and what they are to be.
type Change = Vec<(OsString, Option<Inode>)>;

#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    pub(super) entries: BTreeMap<OsString, Inode>,
    device: BTreeMap<OsString, Inode>,
    /// Since the last sync, oldest first.
    pending: Vec<Change>,
}

impl Directory {
    fn apply(&mut self, change: Change) {
        apply(&mut self.entries, &change);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        self.device.clone_from(&self.entries);
        self.pending.clear();
    }

    /// Entries after the power was cut. A change of a name needs the earlier ones of that name.
    fn after_crash(&self, mode: CrashMode, entropy: &Entropy) -> BTreeMap<OsString, Inode> {
        let mut entries = self.device.clone();
        let mut lost: BTreeSet<&OsStr> = BTreeSet::new();
        for change in &self.pending {
            let possible = !change
                .iter()
                .any(|(name, _)| lost.contains(name.as_os_str()));
            let kept = possible
                && match mode {
                    CrashMode::LoseAll => false,
                    CrashMode::KeepAll => true,
                    CrashMode::Random => entropy.below(2) == 1,
                };
            if kept {
                apply(&mut entries, change);
            } else {
                lost.extend(change.iter().map(|(name, _)| name.as_os_str()));
            }
        }
        entries
    }

    fn mentions(&self) -> impl Iterator<Item = Inode> + '_ {
        let pending = self.pending.iter().flatten().filter_map(|(_, to)| *to);
        self.entries
            .values()
            .chain(self.device.values())
            .copied()
            .chain(pending)
    }
}

fn apply(entries: &mut BTreeMap<OsString, Inode>, change: &Change) {
    for (name, to) in change {
        match to {
            Some(inode) => entries.insert(name.clone(), *inode),
            None => entries.remove(name),
        };
    }
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    File(Content),
    Directory(Directory),
}

#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) nodes: BTreeMap<Inode, Node>,
    next_inode: Inode,
    /// Open files by inode.
    open: BTreeMap<Inode, u32>,
    /// Who holds a file's lock, by inode.
    pub(super) locks: BTreeMap<Inode, u64>,
    next_handle: u64,
    /// Subtrees that are unmounted: the directory that lies below, the one that is hidden.
    hidden: Vec<(Inode, Inode)>,
    removals: u32,
    pub(super) capacity: Option<u64>,
    pub(super) fs_type: FsType,
    pub(super) births: bool,
    pub(super) plan: Plan,
}

impl Machine {
    pub(super) fn new() -> Self {
        Self {
            nodes: BTreeMap::from([(ROOT, Node::Directory(Directory::default()))]),
            next_inode: ROOT + 1,
            open: BTreeMap::new(),
            locks: BTreeMap::new(),
            next_handle: 0,
            hidden: Vec::new(),
            removals: 0,
            capacity: None,
            fs_type: FsType::Local,
            births: true,
            plan: Plan::default(),
        }
    }

    pub(super) fn birth(inode: Inode) -> i128 {
        FIRST_BIRTH + i128::from(inode) * 1000
    }

    pub(super) fn directory(&mut self, inode: Inode) -> io::Result<&mut Directory> {
        match self.nodes.get_mut(&inode) {
            Some(Node::Directory(directory)) => Ok(directory),
            Some(Node::File(_)) => Err(Errno::NOTDIR.into()),
            None => Err(Errno::NOENT.into()),
        }
    }

    pub(super) fn content(&mut self, inode: Inode) -> io::Result<&mut Content> {
        match self.nodes.get_mut(&inode) {
            Some(Node::File(content)) => Ok(content),
            Some(Node::Directory(_)) => Err(Errno::ISDIR.into()),
            None => Err(Errno::NOENT.into()),
        }
    }

    pub(super) fn is_directory(&self, inode: Inode) -> bool {
        matches!(self.nodes.get(&inode), Some(Node::Directory(_)))
    }

    /// The directory that a path's last part lies in, and that part.
    pub(super) fn parent(&mut self, path: &Path) -> io::Result<(Inode, OsString)> {
        let mut names = names(path)?;
        let last = names.pop().ok_or(Errno::EXIST)?;
        let inode = self.walk(&names)?;
        self.directory(inode)?;
        Ok((inode, last.to_owned()))
    }

    pub(super) fn find(&mut self, path: &Path) -> io::Result<Inode> {
        let names = names(path)?;
        self.walk(&names)
    }

    fn walk(&mut self, names: &[&OsStr]) -> io::Result<Inode> {
        let mut inode = ROOT;
        for name in names {
            inode = *self
                .directory(inode)?
                .entries
                .get(*name)
                .ok_or(Errno::NOENT)?;
        }
        Ok(inode)
    }

    /// What a name is in a directory now.
    pub(super) fn entry(&mut self, directory: Inode, name: &OsStr) -> io::Result<Option<Inode>> {
        Ok(self.directory(directory)?.entries.get(name).copied())
    }

    pub(super) fn change(&mut self, directory: Inode, change: Change) -> io::Result<()> {
        if change.iter().any(|(_, to)| to.is_none()) {
            self.removals += 1;
        }
        self.directory(directory)?.apply(change);
        if self.removals >= COLLECT_EVERY {
            self.removals = 0;
            self.collect();
        }
        Ok(())
    }

    /// A new inode. It is on the device at once: only its entry and its content can be lost.
    pub(super) fn add(&mut self, node: Node) -> Inode {
        let inode = self.next_inode;
        self.next_inode += 1;
        self.nodes.insert(inode, node);
        inode
    }

    pub(super) fn open(&mut self, inode: Inode) -> u64 {
        *self.open.entry(inode).or_default() += 1;
        self.next_handle += 1;
        self.next_handle
    }

    pub(super) fn close(&mut self, inode: Inode, handle: u64) {
        if let Some(count) = self.open.get_mut(&inode) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&inode);
            }
        }
        if self.locks.get(&inode) == Some(&handle) {
            self.locks.remove(&inode);
        }
    }

    /// Bytes that could be taken yet; without a capacity, as many as anyone asks for.
    pub(super) fn available(&self) -> u64 {
        let Some(capacity) = self.capacity else {
            return 1 << 50;
        };
        let named: BTreeSet<Inode> = self
            .nodes
            .values()
            .filter_map(|node| match node {
                Node::Directory(directory) => Some(directory.entries.values().copied()),
                Node::File(_) => None,
            })
            .flatten()
            .chain(self.open.keys().copied())
            .collect();
        let used: u64 = named
            .iter()
            .filter_map(|inode| match self.nodes.get(inode) {
                Some(Node::File(content)) => Some(content.used()),
                _ => None,
            })
            .sum();
        capacity.saturating_sub(used)
    }

    /// Lets go of inodes that no name, no pending change and no open file knows.
    fn collect(&mut self) {
        let mut known: BTreeSet<Inode> = self
            .nodes
            .values()
            .filter_map(|node| match node {
                Node::Directory(directory) => Some(directory.mentions()),
                Node::File(_) => None,
            })
            .flatten()
            .chain(self.open.keys().copied())
            .chain(
                self.hidden
                    .iter()
                    .flat_map(|(below, hidden)| [*below, *hidden]),
            )
            .collect();
        known.insert(ROOT);
        self.nodes.retain(|inode, _| known.contains(inode));
    }

    /// The machine after the power was cut and came back.
    pub(super) fn after_crash(&self, mode: CrashMode, entropy: &Entropy) -> Self {
        let mut nodes = BTreeMap::new();
        let mut wanted = vec![ROOT];
        wanted.extend(
            self.hidden
                .iter()
                .flat_map(|(below, hidden)| [*below, *hidden]),
        );
        while let Some(inode) = wanted.pop() {
            if nodes.contains_key(&inode) {
                continue;
            }
            match self.nodes.get(&inode) {
                Some(Node::File(content)) => {
                    nodes.insert(inode, Node::File(content.after_crash(mode, entropy)));
                }
                Some(Node::Directory(directory)) => {
                    let entries = directory.after_crash(mode, entropy);
                    wanted.extend(entries.values());
                    let directory = Directory {
                        device: entries.clone(),
                        entries,
                        pending: Vec::new(),
                    };
                    nodes.insert(inode, Node::Directory(directory));
                }
                None => {}
            }
        }
        self.restarted(nodes)
    }

    /// The machine after the process was killed: what it wrote is in the page cache still.
    pub(super) fn after_kill(&self) -> Self {
        self.restarted(self.nodes.clone())
    }

    fn restarted(&self, nodes: BTreeMap<Inode, Node>) -> Self {
        Self {
            nodes,
            next_inode: self.next_inode,
            open: BTreeMap::new(),
            locks: BTreeMap::new(),
            next_handle: 0,
            hidden: self.hidden.clone(),
            removals: 0,
            capacity: self.capacity,
            fs_type: self.fs_type,
            births: self.births,
            plan: self.plan.after_restart(),
        }
    }

    /// Copies what lies at an inode, all of it durable, with inodes of its own.
    pub(super) fn copy(&mut self, inode: Inode) -> io::Result<Inode> {
        if !self.is_directory(inode) {
            let content = self.content(inode)?.copied();
            return Ok(self.add(Node::File(content)));
        }
        let mut copy = Directory::default();
        for (name, inode) in self.directory(inode)?.entries.clone() {
            copy.entries.insert(name, self.copy(inode)?);
        }
        copy.sync();
        Ok(self.add(Node::Directory(copy)))
    }

    /// Puts an empty directory in the place of one.
    pub(super) fn unmount(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let hidden = self.find(path)?;
        self.directory(hidden)?;
        let below = self.add(Node::Directory(Directory::default()));
        self.hidden.push((below, hidden));
        self.replace(parent, &name, below)
    }

    /// Takes back what `unmount` did; what was made in its place meanwhile is hidden for good.
    pub(super) fn mount(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let below = self.find(path)?;
        let at = self.hidden.iter().position(|(inode, _)| *inode == below);
        let (_, hidden) = self.hidden.swap_remove(at.ok_or(Errno::INVAL)?);
        self.replace(parent, &name, hidden)
    }

    /// Changes what a name leads to, on the device and in every pending change: a mount is no change
    /// of the directory that it hides.
    fn replace(&mut self, parent: Inode, name: &OsStr, by: Inode) -> io::Result<()> {
        let directory = self.directory(parent)?;
        let pending = directory.pending.iter_mut().flatten();
        for inode in pending
            .filter_map(|(changed, to)| (*changed == name).then_some(to).and_then(Option::as_mut))
        {
            *inode = by;
        }
        for entries in [&mut directory.entries, &mut directory.device] {
            if let Some(inode) = entries.get_mut(name) {
                *inode = by;
            }
        }
        Ok(())
    }
}

/// The parts of a path, from the root.
fn names(path: &Path) -> io::Result<Vec<&OsStr>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) if name.len() > 255 => return Err(Errno::NAMETOOLONG.into()),
            Component::Normal(name) => names.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return Err(Errno::INVAL.into()),
        }
    }
    Ok(names)
}

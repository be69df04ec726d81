//! The state behind [`super::FaultFs`]: inodes with a cached and a durable side, and what a crash
//! makes of them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

use crate::entropy::Entropy;

const SECTOR: usize = 512;
const ROOT: u64 = 1;

/// What a power cut does to what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashMode {
    LoseAll,
    KeepAll,
    /// Each sector and each entry by itself, drawn from the seed.
    Random,
}

#[derive(Clone, Debug)]
pub(super) enum Inode {
    File(FileData),
    Directory(DirData),
}

#[derive(Clone, Debug, Default)]
pub(super) struct FileData {
    /// What a program sees.
    pub(super) cache: Vec<u8>,
    /// What the device holds.
    disk: Vec<u8>,
    /// Images that unsynced writes left in each sector, oldest first.
    dirty: BTreeMap<usize, Vec<[u8; SECTOR]>>,
    /// Lengths that the file had since the last sync, oldest first.
    lengths: Vec<usize>,
    durable_length: usize,
}

#[derive(Clone, Debug, Default)]
pub(super) struct DirData {
    cache: BTreeMap<OsString, u64>,
    disk: BTreeMap<OsString, u64>,
    pending: Vec<u64>,
}

/// A change of directory entries, atomic by itself.
#[derive(Clone, Debug)]
struct Pending {
    id: u64,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    directory: u64,
    name: OsString,
    before: Option<u64>,
    after: Option<u64>,
}

/// A change that a call asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change<'a> {
    Rename {
        from: &'a Path,
        to: &'a Path,
        replace: bool,
    },
    Link {
        from: &'a Path,
        to: &'a Path,
    },
    Remove {
        path: &'a Path,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Tree {
    inodes: BTreeMap<u64, Inode>,
    pending: Vec<Pending>,
    next_inode: u64,
    next_change: u64,
    hidden: BTreeMap<PathBuf, BTreeMap<OsString, u64>>,
}

impl Inode {
    pub(super) fn file() -> Self {
        Self::File(FileData::default())
    }

    pub(super) fn directory() -> Self {
        Self::Directory(DirData::default())
    }
}

impl FileData {
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let start = usize::try_from(offset).expect("a test's file is small");
        let end = start + bytes.len();
        if end > self.cache.len() {
            self.set_length(end as u64);
        }
        self.cache[start..end].copy_from_slice(bytes);
        for sector in start / SECTOR..end.div_ceil(SECTOR) {
            self.dirty
                .entry(sector)
                .or_default()
                .push(image(&self.cache, sector));
        }
    }

    pub(super) fn set_length(&mut self, length: u64) {
        let length = usize::try_from(length).expect("a test's file is small");
        self.cache.resize(length, 0);
        self.lengths.push(length);
    }

    pub(super) fn sync(&mut self) {
        for (sector, images) in std::mem::take(&mut self.dirty) {
            if let Some(last) = images.last() {
                put_image(&mut self.disk, sector, last);
            }
        }
        self.lengths.clear();
        self.durable_length = self.cache.len();
        self.disk.resize(self.durable_length, 0);
    }

    /// After a failed sync: the pages count as clean, the device never got them.
    pub(super) fn forget_dirty(&mut self) {
        self.dirty.clear();
        self.lengths.clear();
        self.durable_length = self.cache.len();
        self.disk.resize(self.durable_length, 0);
    }

    pub(super) fn drop_cache(&mut self) {
        let mut fresh = self.disk.clone();
        fresh.resize(self.cache.len(), 0);
        for sector in self.dirty.keys() {
            put_image(&mut fresh, *sector, &image(&self.cache, *sector));
        }
        fresh.truncate(self.cache.len());
        self.cache = fresh;
    }

    fn crash(&mut self, mode: CrashMode, dice: &Entropy) {
        for (sector, images) in std::mem::take(&mut self.dirty) {
            let chosen = match mode {
                CrashMode::LoseAll => None,
                CrashMode::KeepAll => images.last(),
                CrashMode::Random => images.get(below(dice, images.len() + 1)),
            };
            if let Some(image) = chosen {
                put_image(&mut self.disk, sector, image);
            }
        }
        let lengths = std::mem::take(&mut self.lengths);
        let length = match mode {
            CrashMode::LoseAll => None,
            CrashMode::KeepAll => lengths.last(),
            CrashMode::Random => lengths.get(below(dice, lengths.len() + 1)),
        };
        self.durable_length = length.copied().unwrap_or(self.durable_length);
        self.disk.resize(self.durable_length, 0);
        self.cache.clone_from(&self.disk);
    }
}

fn below(dice: &Entropy, bound: usize) -> usize {
    usize::try_from(dice.below(bound as u64)).expect("below a usize")
}

fn image(bytes: &[u8], sector: usize) -> [u8; SECTOR] {
    let mut image = [0; SECTOR];
    let part = &bytes[(sector * SECTOR).min(bytes.len())..((sector + 1) * SECTOR).min(bytes.len())];
    image[..part.len()].copy_from_slice(part);
    image
}

fn put_image(bytes: &mut Vec<u8>, sector: usize, image: &[u8; SECTOR]) {
    let end = (sector + 1) * SECTOR;
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[sector * SECTOR..end].copy_from_slice(image);
}

impl Tree {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            inodes: [(ROOT, Inode::directory())].into(),
            pending: Vec::new(),
            next_inode: 100 + seed % 1_000_000,
            next_change: 0,
            hidden: BTreeMap::new(),
        }
    }

    pub(super) fn file(&self, inode: u64) -> io::Result<&FileData> {
        match self.inodes.get(&inode) {
            Some(Inode::File(file)) => Ok(file),
            Some(Inode::Directory(_)) => Err(Errno::ISDIR.into()),
            None => Err(Errno::NOENT.into()),
        }
    }

    pub(super) fn file_mut(&mut self, inode: u64) -> io::Result<&mut FileData> {
        match self.inodes.get_mut(&inode) {
            Some(Inode::File(file)) => Ok(file),
            Some(Inode::Directory(_)) => Err(Errno::ISDIR.into()),
            None => Err(Errno::NOENT.into()),
        }
    }

    fn dir(&self, inode: u64) -> io::Result<&DirData> {
        match self.inodes.get(&inode) {
            Some(Inode::Directory(dir)) => Ok(dir),
            Some(Inode::File(_)) => Err(Errno::NOTDIR.into()),
            None => Err(Errno::NOENT.into()),
        }
    }

    fn dir_mut(&mut self, inode: u64) -> Option<&mut DirData> {
        match self.inodes.get_mut(&inode) {
            Some(Inode::Directory(dir)) => Some(dir),
            _ => None,
        }
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<u64> {
        let mut at = ROOT;
        for component in path.components() {
            if let Component::Normal(name) = component {
                at = *self.dir(at)?.cache.get(name).ok_or(Errno::NOENT)?;
            }
        }
        Ok(at)
    }

    fn parent<'a>(&self, path: &'a Path) -> io::Result<(u64, &'a OsStr)> {
        let name = path.file_name().ok_or(Errno::INVAL)?;
        let parent = self.find(path.parent().unwrap_or(Path::new("/")))?;
        self.dir(parent)?;
        Ok((parent, name))
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        Ok(self.dir(self.find(path)?)?.cache.keys().cloned().collect())
    }

    pub(super) fn create(&mut self, path: &Path, inode: Inode) -> io::Result<u64> {
        let (directory, name) = self.parent(path)?;
        let name = name.to_owned();
        if self.dir(directory)?.cache.contains_key(&name) {
            return Err(Errno::EXIST.into());
        }
        let number = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(number, inode);
        self.apply(vec![Entry {
            directory,
            name,
            before: None,
            after: Some(number),
        }]);
        Ok(number)
    }

    pub(super) fn change(&mut self, change: Change<'_>) -> io::Result<()> {
        let entries = match change {
            Change::Rename { from, to, replace } => {
                let inode = self.find(from)?;
                let ((from, from_name), (to, to_name)) = (self.parent(from)?, self.parent(to)?);
                let before = self.dir(to)?.cache.get(to_name).copied();
                if before.is_some() && !replace {
                    return Err(Errno::EXIST.into());
                }
                vec![
                    Entry {
                        directory: from,
                        name: from_name.to_owned(),
                        before: Some(inode),
                        after: None,
                    },
                    Entry {
                        directory: to,
                        name: to_name.to_owned(),
                        before,
                        after: Some(inode),
                    },
                ]
            }
            Change::Link { from, to } => {
                let inode = self.find(from)?;
                self.file(inode)?;
                let (directory, name) = self.parent(to)?;
                if self.dir(directory)?.cache.contains_key(name) {
                    return Err(Errno::EXIST.into());
                }
                vec![Entry {
                    directory,
                    name: name.to_owned(),
                    before: None,
                    after: Some(inode),
                }]
            }
            Change::Remove { path } => {
                let inode = self.find(path)?;
                let (directory, name) = self.parent(path)?;
                vec![Entry {
                    directory,
                    name: name.to_owned(),
                    before: Some(inode),
                    after: None,
                }]
            }
        };
        self.apply(entries);
        Ok(())
    }

    fn apply(&mut self, entries: Vec<Entry>) {
        let id = self.next_change;
        self.next_change += 1;
        for entry in &entries {
            if let Some(dir) = self.dir_mut(entry.directory) {
                match entry.after {
                    Some(inode) => drop(dir.cache.insert(entry.name.clone(), inode)),
                    None => drop(dir.cache.remove(&entry.name)),
                }
                dir.pending.push(id);
            }
        }
        self.pending.push(Pending { id, entries });
    }

    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let inode = self.find(path)?;
        self.dir(inode)?;
        let ids = self
            .dir_mut(inode)
            .map(|dir| std::mem::take(&mut dir.pending));
        let ids = ids.unwrap_or_default();
        let (synced, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|change| ids.contains(&change.id));
        self.pending = left;
        for change in synced {
            // what other directories have of the same change is durable with it
            self.keep(&change, true);
        }
        Ok(())
    }

    /// Makes a change durable, if what it builds on is (or regardless).
    fn keep(&mut self, change: &Pending, regardless: bool) -> bool {
        let fits = |entry: &Entry| match self.inodes.get(&entry.directory) {
            Some(Inode::Directory(dir)) => dir.disk.get(&entry.name).copied() == entry.before,
            _ => false,
        };
        if !regardless && !change.entries.iter().all(fits) {
            return false;
        }
        for entry in &change.entries {
            if let Some(dir) = self.dir_mut(entry.directory) {
                match entry.after {
                    Some(inode) => drop(dir.disk.insert(entry.name.clone(), inode)),
                    None => drop(dir.disk.remove(&entry.name)),
                }
            }
        }
        true
    }

    pub(super) fn crash(&self, mode: CrashMode, seed: u64) -> Self {
        let mut tree = self.clone();
        let dice = Entropy::from_seed(seed);
        for change in std::mem::take(&mut tree.pending) {
            let kept = match mode {
                CrashMode::LoseAll => false,
                CrashMode::KeepAll => true,
                CrashMode::Random => dice.below(2) == 0,
            };
            if kept {
                tree.keep(&change, false);
            }
        }
        for inode in tree.inodes.values_mut() {
            match inode {
                Inode::File(file) => file.crash(mode, &dice),
                Inode::Directory(dir) => {
                    dir.pending.clear();
                    dir.cache.clone_from(&dir.disk);
                }
            }
        }
        tree.forget_unreachable();
        tree
    }

    fn forget_unreachable(&mut self) {
        let mut reached = vec![ROOT];
        let mut at = 0;
        while let Some(inode) = reached.get(at).copied() {
            if let Some(Inode::Directory(dir)) = self.inodes.get(&inode) {
                reached.extend(dir.cache.values());
            }
            at += 1;
        }
        reached.sort_unstable();
        self.inodes
            .retain(|inode, _| reached.binary_search(inode).is_ok());
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        let length = |inode: &Inode| match inode {
            Inode::File(file) => file.cache.len() as u64,
            Inode::Directory(_) => 0,
        };
        self.inodes.values().map(length).sum()
    }

    pub(super) fn files(&self, path: &Path) -> Vec<PathBuf> {
        let Ok(names) = self.list(path) else {
            return self
                .find(path)
                .map(|_| vec![path.to_owned()])
                .unwrap_or_default();
        };
        names
            .iter()
            .flat_map(|name| self.files(&path.join(name)))
            .collect()
    }

    pub(super) fn hide(&mut self, path: &Path) {
        let entries = self.find(path).ok().and_then(|inode| {
            self.dir_mut(inode)
                .map(|dir| std::mem::take(&mut dir.cache))
        });
        self.hidden
            .insert(path.to_owned(), entries.unwrap_or_default());
    }

    pub(super) fn unhide(&mut self, path: &Path) {
        let entries = self.hidden.remove(path).unwrap_or_default();
        if let Some(dir) = self.find(path).ok().and_then(|inode| self.dir_mut(inode)) {
            dir.cache = entries;
        }
    }

    pub(super) fn corrupt(&mut self, path: &Path, offset: u64, mask: u8) {
        let offset = usize::try_from(offset).expect("a test's file is small");
        let inode = self.find(path).expect("a file to corrupt");
        let file = self.file_mut(inode).expect("a file to corrupt");
        file.cache[offset] ^= mask;
        if let Some(byte) = file.disk.get_mut(offset) {
            *byte ^= mask;
        }
        if let Some(images) = file.dirty.get_mut(&(offset / SECTOR)) {
            images
                .iter_mut()
                .for_each(|image| image[offset % SECTOR] ^= mask);
        }
    }

    pub(super) fn copy(&mut self, from: &Path, to: &Path) {
        if let Ok(names) = self.list(from) {
            self.create(to, Inode::directory())
                .expect("a place to copy to");
            for name in names {
                self.copy(&from.join(&name), &to.join(&name));
            }
            return;
        }
        let inode = self.find(from).expect("something to copy");
        let mut file = FileData::default();
        file.write(0, &self.file(inode).expect("a file").cache.clone());
        self.create(to, Inode::File(file))
            .expect("a place to copy to");
    }
}

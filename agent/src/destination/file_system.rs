//! The file-system destination (D-15): an object is a file, its name the key below a directory.
//!
//! A body is written to `<directory>/.standpipe/<shard>/<batch>`, synced, and linked to its name,
//! which never replaces anything; then the name's directory is synced. The directory itself is never
//! made by us: a volume that is not mounted must not look like an empty one. For the same reason
//! every directory in which something may have been linked is noted beside the wal (see `notes`),
//! and one that has lost its `.standpipe/<shard>` since is neither written to nor believed.
//!
//! The directory comes with each object, because a re-sealed batch may lie in another one (D-11).

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::io::Errno;

use crate::destination::{Boxed, Destination, Upload};
use crate::executor::{Executor, WorkLost};
use crate::fs::{File as _, FileKind, Fs, OpenMode};
use crate::object::{BatchId, Failure, FailureClass, ObjectId, Presence, ShardId};

mod failure;
mod notes;
mod paths;
mod upload;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod rigs;
#[cfg(test)]
mod tests;

use failure::{configuration, destination, failed};
use notes::StagedRoots;
use paths::Paths;
use upload::{FileUpload, Open};

/// Where the files of one shard go. A clone is the same destination.
#[derive(Debug)]
pub struct FileSystem<F: Fs> {
    shared: Arc<Shared<F>>,
    /// The directory of the spec in force: what `check` looks at.
    directory: String,
}

impl<F: Fs> Clone for FileSystem<F> {
    fn clone(&self) -> Self {
        self.at(self.directory.clone())
    }
}

/// What the uploads of a shard have in common.
#[derive(Debug)]
struct Shared<F: Fs> {
    fs: F,
    executor: Executor,
    shard: ShardId,
    notes: StagedRoots<F>,
    /// Roots whose note is durable, as this process has seen; also the lock under which a root is
    /// prepared.
    prepared: Mutex<BTreeSet<String>>,
    /// Batches with an upload under way, in a closure whose caller went away included.
    busy: Arc<Mutex<BTreeSet<BatchId>>>,
    /// One `check` at a time, because its files have fixed names.
    checking: Mutex<()>,
}

/// The right to upload one batch; it ends with the upload's last work.
#[derive(Debug)]
struct Claim {
    busy: Arc<Mutex<BTreeSet<BatchId>>>,
    batch: BatchId,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.busy.lock().remove(&self.batch);
    }
}

impl<F: Fs> FileSystem<F> {
    /// `notes` is a directory of ours beside the wal, made when it is first needed (its parent must
    /// exist); `directory` is that of the spec.
    pub fn new(
        fs: F,
        executor: Executor,
        shard: ShardId,
        notes: PathBuf,
        directory: String,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                notes: StagedRoots::new(fs.clone(), notes),
                fs,
                executor,
                shard,
                prepared: Mutex::default(),
                busy: Arc::default(),
                checking: Mutex::default(),
            }),
            directory,
        }
    }

    /// The same destination under a spec with another directory. Uploads under way know of each
    /// other, which two destinations made by `new` for one shard don't.
    #[must_use]
    pub fn at(&self, directory: String) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            directory,
        }
    }

    /// Throws away the temporaries that an earlier process of this shard left, in every directory
    /// that it used. To be called once, at start, before the first `begin`. What could not be looked
    /// at is returned for the log; nothing else depends on it.
    pub async fn clean(&self) -> Vec<Failure> {
        let directory = self.directory.clone();
        self.run(move |shared| shared.clean(directory))
            .await
            .unwrap_or_else(|lost| vec![lost])
    }

    async fn run<T, W>(&self, work: W) -> Result<T, Failure>
    where
        T: Send + 'static,
        W: FnOnce(&Arc<Shared<F>>) -> T + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.shared
            .executor
            .blocking(move || work(&shared))
            .await
            .map_err(lost)
    }
}

fn lost(lost: WorkLost) -> Failure {
    destination(format!("{lost}; it is tried again"))
}

impl<F: Fs> Destination for FileSystem<F> {
    fn begin<'a>(&'a self, object: &'a ObjectId) -> Boxed<'a, Result<Box<dyn Upload>, Failure>> {
        let object = object.clone();
        Box::pin(async move {
            self.run(move |shared| {
                let open = shared.begin(&object)?;
                let upload = FileUpload::new(Arc::clone(shared), open);
                Ok(Box::new(upload) as Box<dyn Upload>)
            })
            .await?
        })
    }

    fn head<'a>(&'a self, object: &'a ObjectId, lengths: &'a [u64]) -> Boxed<'a, Presence> {
        let object = object.clone();
        let lengths = lengths.to_vec();
        Box::pin(async move {
            self.run(move |shared| shared.head(&object, &lengths))
                .await
                .unwrap_or_else(Presence::Unknown)
        })
    }

    fn check(&self) -> Boxed<'_, Result<(), Failure>> {
        let directory = self.directory.clone();
        Box::pin(async move { self.run(move |shared| shared.check(&directory)).await? })
    }
}

impl<F: Fs> Shared<F> {
    fn begin(&self, object: &ObjectId) -> Result<Open<F>, Failure> {
        let paths = Paths::of(object)?;
        if !self.busy.lock().insert(object.batch) {
            return Err(destination(format!(
                "an earlier attempt at {} has not ended yet; it is tried again",
                object.place
            )));
        }
        let claim = Claim {
            busy: Arc::clone(&self.busy),
            batch: object.batch,
        };
        self.prepare(&object.place.root, &paths)?;
        self.remove(&paths.temporary)
            .map_err(|error| failed("remove the leftover", &paths.temporary, &error))?;
        let file = self
            .fs
            .open(&paths.temporary, OpenMode::CreateNew)
            .map_err(|error| failed("make", &paths.temporary, &error))?;
        Ok(Open::new(file, paths, claim))
    }

    /// Makes sure that the root is there, that it has our folder, and that a note says so.
    fn prepare(&self, root: &str, paths: &Paths) -> Result<(), Failure> {
        let mut prepared = self.prepared.lock();
        let staged = self.look_at_root(root, paths)?;
        if prepared.contains(root) {
            return Ok(());
        }
        if !staged {
            for directory in [&paths.hidden, &paths.staging] {
                match self.fs.mkdir(directory) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(failed("make the directory", directory, &error));
                    }
                    _ => {}
                }
            }
        }
        self.sync_directories([&paths.hidden, &paths.root].into_iter())?;
        self.notes
            .record(root)
            .map_err(|error| failed("write a note in", self.notes.directory(), &error))?;
        prepared.insert(root.to_owned());
        Ok(())
    }

    /// Whether our folder is in the root. An error when the root is no directory, or when the folder
    /// was there before and is not any more.
    fn look_at_root(&self, root: &str, paths: &Paths) -> Result<bool, Failure> {
        let found = self
            .fs
            .stat(&paths.root)
            .map_err(|error| failed("find the directory", &paths.root, &error))?;
        if found.kind != FileKind::Directory {
            return Err(configuration(format!(
                "{} is not a directory: name one that is",
                paths.root.display()
            )));
        }
        let staged = self.is_staged(paths)?;
        if !staged && self.is_noted(root)? {
            return Err(paths.not_mounted());
        }
        Ok(staged)
    }

    fn is_staged(&self, paths: &Paths) -> Result<bool, Failure> {
        match self.fs.stat(&paths.staging) {
            Ok(found) => Ok(found.kind == FileKind::Directory),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(failed("look at", &paths.staging, &error)),
        }
    }

    fn is_noted(&self, root: &str) -> Result<bool, Failure> {
        self.notes
            .knows(root)
            .map_err(|error| failed("read a note in", self.notes.directory(), &error))
    }

    fn head(&self, object: &ObjectId, lengths: &[u64]) -> Presence {
        match self.presence(object, lengths) {
            Ok(presence) => presence,
            Err(failure) => Presence::Unknown(failure),
        }
    }

    fn presence(&self, object: &ObjectId, lengths: &[u64]) -> Result<Presence, Failure> {
        let paths = Paths::of(object)?;
        // Asked before the look, so that an attempt that ends in between is not missed.
        let busy = self.busy.lock().contains(&object.batch);
        match self.fs.stat(&paths.target) {
            Ok(found) if found.kind == FileKind::File && lengths.contains(&found.length) => {
                match self.fs.open(&paths.target, OpenMode::Read) {
                    Ok(file) => self.make_durable(&file, &paths),
                    // A reader took it just now.
                    Err(error) if is_absent(&error) => {
                        self.absence(&paths, &object.place.root, busy)
                    }
                    Err(error) if failure::errno(&error) == Some(Errno::LOOP) => {
                        Ok(Presence::Foreign("a symbolic link".to_owned()))
                    }
                    Err(error) => Err(failed("open", &paths.target, &error)),
                }
            }
            Ok(found) => Ok(Presence::Foreign(match found.kind {
                FileKind::File => format!(
                    "a file of {} bytes, where ours has {}",
                    found.length,
                    listed(lengths)
                ),
                FileKind::Directory => "a directory".to_owned(),
                FileKind::Other => "neither a file nor a directory".to_owned(),
            })),
            Err(error) if is_absent(&error) => self.absence(&paths, &object.place.root, busy),
            Err(error) => Err(failed("look at", &paths.target, &error)),
        }
    }

    /// What it means that nothing has the name.
    fn absence(&self, paths: &Paths, root: &str, busy: bool) -> Result<Presence, Failure> {
        // Before its note was durable nothing was ever linked below this root.
        if !self.is_staged(paths)? && self.is_noted(root)? {
            return Err(paths.not_mounted());
        }
        Ok(Presence::Absent { settled: !busy })
    }

    /// Syncs a visible object and all that leads to it: an earlier process may have ended before.
    fn make_durable(&self, file: &F::File, paths: &Paths) -> Result<Presence, Failure> {
        file.sync_all()
            .map_err(|error| failed("sync", &paths.target, &error))?;
        self.sync_directories(paths.upwards())?;
        Ok(Presence::Ours)
    }

    fn sync_directories<'a>(
        &self,
        directories: impl Iterator<Item = &'a PathBuf>,
    ) -> Result<(), Failure> {
        for directory in directories {
            self.fs
                .sync_dir(directory)
                .map_err(|error| failed("sync the directory", directory, &error))?;
        }
        Ok(())
    }

    /// Tries all that an upload needs, under names that no key has, and takes it away again.
    fn check(&self, root: &str) -> Result<(), Failure> {
        let paths = Paths::of_root(root, self.shard);
        let one_at_a_time = self.checking.lock();
        self.look_at_root(root, &paths)?;
        let [first, second] = paths.check_files(self.shard);
        let tried = self.try_out(&first, &second);
        let removed = [&first, &second].map(|path| {
            self.remove(path)
                .map_err(|error| failed("remove", path, &error))
        });
        drop(one_at_a_time);
        tried?;
        removed.into_iter().collect()
    }

    fn try_out(&self, first: &Path, second: &Path) -> Result<(), Failure> {
        for path in [first, second] {
            self.remove(path)
                .map_err(|error| failed("remove", path, &error))?;
        }
        let file = self
            .fs
            .open(first, OpenMode::CreateNew)
            .map_err(|error| failed("make", first, &error))?;
        file.write_all_at(&mut [io::IoSlice::new(b"check\n")], 0)
            .and_then(|()| file.sync_all())
            .map_err(|error| failed("write to", first, &error))?;
        upload::place(&self.fs, first, second).map_err(upload::NotPlaced::into_failure)
    }

    fn clean(&self, directory: String) -> Vec<Failure> {
        let mut failures = Vec::new();
        let mut roots = BTreeSet::from([directory]);
        match self.notes.all() {
            Ok(noted) => roots.extend(noted),
            Err(error) => {
                failures.push(failed("read the notes in", self.notes.directory(), &error));
            }
        }
        for root in roots {
            if let Err(failure) = self.clean_root(&root) {
                failures.push(failure);
            }
        }
        failures
    }

    fn clean_root(&self, root: &str) -> Result<(), Failure> {
        let paths = Paths::of_root(root, self.shard);
        if !self.is_staged(&paths)? {
            return if self.is_noted(root)? {
                Err(paths.not_mounted())
            } else {
                Ok(())
            };
        }
        let leftovers = self
            .fs
            .list(&paths.staging)
            .map_err(|error| failed("list", &paths.staging, &error))?;
        let leftovers = leftovers.iter().map(|name| paths.staging.join(name));
        for path in leftovers.chain(paths.check_files(self.shard)) {
            self.remove(&path)
                .map_err(|error| failed("remove", &path, &error))?;
        }
        Ok(())
    }

    /// Removes a file that may not be there.
    fn remove(&self, path: &Path) -> io::Result<()> {
        match self.fs.remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Whether the error says that there is nothing, and can be nothing, at the path.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    ) || failure::errno(error) == Some(Errno::NAMETOOLONG)
}

fn listed(lengths: &[u64]) -> String {
    let lengths: Vec<String> = lengths.iter().map(u64::to_string).collect();
    lengths.join(" or ")
}

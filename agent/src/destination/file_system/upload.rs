//! One object on its way: its temporary, and how that gets its name.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustix::io::Errno;

use super::failure::{configuration, destination, errno, failed};
use super::{Claim, Paths, Shared, lost};
use crate::destination::{Boxed, Upload};
use crate::fs::{File as _, Fs};
use crate::object::{Failure, Outcome, SealedBatch};

/// A temporary that is being written.
#[derive(Debug)]
pub(super) struct Open<F: Fs> {
    file: F::File,
    length: u64,
    paths: Paths,
    /// Held, not read: it ends with this.
    _claim: Claim,
}

impl<F: Fs> Open<F> {
    pub(super) fn new(file: F::File, paths: Paths, claim: Claim) -> Self {
        Self {
            file,
            length: 0,
            paths,
            _claim: claim,
        }
    }
}

#[derive(Debug)]
pub(super) struct FileUpload<F: Fs> {
    shared: Arc<Shared<F>>,
    /// None after an error, and after a call that was given up half-way.
    open: Option<Open<F>>,
}

impl<F: Fs> FileUpload<F> {
    pub(super) fn new(shared: Arc<Shared<F>>, open: Open<F>) -> Self {
        Self {
            shared,
            open: Some(open),
        }
    }
}

fn ended() -> Failure {
    destination("this upload ended with an earlier error; it is begun anew".to_owned())
}

impl<F: Fs> Upload for FileUpload<F> {
    fn part(&mut self, bytes: Bytes) -> Boxed<'_, Result<(), Failure>> {
        Box::pin(async move {
            let open = self.open.take().ok_or_else(ended)?;
            let shared = Arc::clone(&self.shared);
            let written = self
                .shared
                .executor
                .blocking(move || shared.write(open, &bytes))
                .await
                .map_err(lost)?;
            self.open = Some(written?);
            Ok(())
        })
    }

    fn create(mut self: Box<Self>, batch: &SealedBatch) -> Boxed<'_, Outcome> {
        let length = batch.length;
        Box::pin(async move {
            let Some(open) = self.open.take() else {
                return Outcome::NotSent(ended());
            };
            let shared = Arc::clone(&self.shared);
            self.shared
                .executor
                .blocking(move || shared.create(&open, length))
                .await
                .unwrap_or_else(|work| Outcome::MayHaveHappened(lost(work)))
        })
    }

    fn abort(mut self: Box<Self>) -> Boxed<'static, Result<(), Failure>> {
        Box::pin(async move {
            let Some(open) = self.open.take() else {
                return Ok(());
            };
            let shared = Arc::clone(&self.shared);
            self.shared
                .executor
                .blocking(move || {
                    let path = &open.paths.temporary;
                    shared
                        .remove(path)
                        .map_err(|error| failed("remove", path, &error))
                })
                .await
                .map_err(lost)?
        })
    }
}

impl<F: Fs> Shared<F> {
    fn write(&self, mut open: Open<F>, bytes: &[u8]) -> Result<Open<F>, Failure> {
        if bytes.is_empty() {
            return Ok(open);
        }
        let written = open
            .file
            .write_all_at(&mut [IoSlice::new(bytes)], open.length);
        if let Err(error) = written {
            let failure = failed("write to", &open.paths.temporary, &error);
            self.throw_away(&open.paths.temporary);
            return Err(failure);
        }
        open.length += bytes.len() as u64;
        Ok(open)
    }

    /// Whatever happens, the temporary is gone afterwards: one whose sync failed is never synced
    /// again, since a second sync would say that it worked.
    fn create(&self, open: &Open<F>, length: u64) -> Outcome {
        let outcome = match self.finish(open, length) {
            Ok(()) => self.make_visible(&open.paths),
            Err(failure) => Outcome::NotSent(failure),
        };
        self.throw_away(&open.paths.temporary);
        outcome
    }

    /// All that comes before the object can be seen.
    fn finish(&self, open: &Open<F>, length: u64) -> Result<(), Failure> {
        let paths = &open.paths;
        if open.length != length {
            return Err(destination(format!(
                "the body of {} has {} bytes where its seal says {length}; it is built again",
                paths.target.display(),
                open.length
            )));
        }
        open.file
            .sync_all()
            .map_err(|error| failed("sync", &paths.temporary, &error))?;
        // By its path: on a mount point without its volume nothing must be made.
        self.fs
            .stat(&paths.temporary)
            .map_err(|error| failed("find", &paths.temporary, &error))?;
        for directory in &paths.directories {
            match self.fs.mkdir(directory) {
                Err(error) if errno(&error) != Some(Errno::EXIST) => {
                    return Err(failed("make the directory", directory, &error));
                }
                _ => {}
            }
        }
        // Those that were there as well: whoever made them may not have synced them yet. The
        // object's own is synced with its entry.
        self.sync_directories(paths.upwards().skip(1))
    }

    fn make_visible(&self, paths: &Paths) -> Outcome {
        if let Err(not_placed) = place(&self.fs, &paths.temporary, &paths.target) {
            return not_placed.into_outcome();
        }
        match self.sync_directories(paths.upwards().take(1)) {
            Ok(()) => Outcome::Created,
            Err(failure) => Outcome::MayHaveHappened(failure),
        }
    }

    /// Removes a temporary; what stays is for the next attempt or the next start.
    fn throw_away(&self, temporary: &Path) {
        if let Err(error) = self.remove(temporary) {
            tracing::debug!(path = %temporary.display(), %error, "a temporary was left behind");
        }
    }
}

/// Why a file did not get its name.
#[derive(Debug)]
pub(super) enum NotPlaced {
    /// The name is taken.
    Taken(PathBuf),
    /// The kernel says no, so it was not done.
    Refused(Failure),
    /// The device failed: it may have been done.
    Unclear(Failure),
}

impl NotPlaced {
    fn into_outcome(self) -> Outcome {
        match self {
            Self::Taken(_) => Outcome::Exists,
            Self::Refused(failure) => Outcome::Refused(failure),
            Self::Unclear(failure) => Outcome::MayHaveHappened(failure),
        }
    }

    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::Taken(path) => destination(format!(
                "something else made {} at this moment; it is tried again",
                path.display()
            )),
            Self::Refused(failure) | Self::Unclear(failure) => failure,
        }
    }
}

/// Gives a file its name, replacing nothing: by a hard link, or by a rename where there are none.
pub(super) fn place<F: Fs>(fs: &F, from: &Path, to: &Path) -> Result<(), NotPlaced> {
    let Err(error) = fs.link(from, to) else {
        return Ok(());
    };
    match errno(&error) {
        Some(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {}
        _ => return Err(not_placed("link", from, to, &error)),
    }
    let Err(renaming) = fs.rename_noreplace(from, to) else {
        return Ok(());
    };
    match errno(&renaming) {
        Some(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => {
            Err(NotPlaced::Refused(configuration(format!(
                "the file system of {} has neither hard links ({error}) nor a rename that replaces \
                 nothing ({renaming}), so an object can't be created exactly once there: name a \
                 directory on another file system",
                to.display()
            ))))
        }
        _ => Err(not_placed("rename", from, to, &renaming)),
    }
}

fn not_placed(what: &str, from: &Path, to: &Path, error: &std::io::Error) -> NotPlaced {
    match errno(error) {
        Some(Errno::EXIST) => NotPlaced::Taken(to.to_owned()),
        Some(Errno::XDEV) => NotPlaced::Refused(configuration(format!(
            "{} and {} lie on different file systems ({error}): mount one over the whole of the \
             destination's directory",
            from.display(),
            to.display()
        ))),
        Some(Errno::IO) => NotPlaced::Unclear(failed(what, to, error)),
        _ => NotPlaced::Refused(failed(what, to, error)),
    }
}

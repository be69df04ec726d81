//! Files for segments to come, made ready off the ack path: a truncated segment is renamed to the
//! next spare ordinal (W-14), or a new file gets its blocks (W-7). Either ends with a directory
//! sync, so that taking a spare into use needs none.

use std::io;
use std::path::Path;

use crate::fs::{File as _, Fs, OpenMode};

use super::segment::file_name;

/// One piece of such work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    Create {
        ordinal: u64,
        bytes: u64,
    },
    Recycle {
        from: u64,
        to: u64,
    },
    Remove {
        ordinal: u64,
    },
    /// A segment in which damage was found is kept for a person to look at (I-7).
    Quarantine {
        ordinal: u64,
    },
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(super) job: Job,
    pub(super) result: io::Result<()>,
}

/// The directory for damaged segments, and how many of them are kept.
pub(super) const QUARANTINE: &str = "quarantine";
const QUARANTINED_MAX: usize = 2;

impl Job {
    /// Does it.
    pub(crate) fn run<F: Fs>(self, fs: &F, directory: &Path) -> Prepared {
        let result = self.attempt(fs, directory);
        Prepared { job: self, result }
    }

    fn attempt<F: Fs>(&self, fs: &F, directory: &Path) -> io::Result<()> {
        let path = |ordinal: u64| directory.join(file_name(ordinal));
        match *self {
            Self::Create { ordinal, bytes } => {
                let made = fs
                    .open(&path(ordinal), OpenMode::CreateNew)
                    .and_then(|file| file.allocate(bytes).and_then(|()| file.sync_all()));
                if let Err(error) = made {
                    // a half-made file must not be taken for a spare
                    fs.remove_file(&path(ordinal)).ok();
                    return Err(error);
                }
            }
            Self::Recycle { from, to } => fs.rename(&path(from), &path(to))?,
            Self::Remove { ordinal } => match fs.remove_file(&path(ordinal)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            },
            Self::Quarantine { ordinal } => {
                let quarantine = directory.join(QUARANTINE);
                match fs.mkdir(&quarantine) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    _ => {}
                }
                if fs.list(&quarantine)?.len() >= QUARANTINED_MAX {
                    fs.remove_file(&path(ordinal))?;
                } else {
                    fs.rename(&path(ordinal), &quarantine.join(file_name(ordinal)))?;
                    fs.sync_dir(&quarantine)?;
                }
            }
        }
        fs.sync_dir(directory)
    }
}

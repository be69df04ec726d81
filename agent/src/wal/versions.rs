//! What a version says, by digest (W-10), and the generation counter of a laptop: small files
//! beside the segments, each written whole, synced and renamed into place.

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::fs::{File as _, Fs, OpenMode};

use super::control::VersionDigest;

const DIRECTORY: &str = "versions";
const GENERATION: &str = "generation";

/// Keeps versions; hides which file system it is.
pub(super) trait VersionStore: Debug + Send + Sync {
    fn put(&self, canonical: &[u8]) -> io::Result<VersionDigest>;
    fn get(&self, digest: VersionDigest) -> io::Result<Vec<u8>>;
    /// The number of the last generation if it has this digest, else a new one.
    fn generation(&self, digest: VersionDigest) -> io::Result<u64>;
    /// Deletes all but these.
    fn retain(&self, keep: &[VersionDigest]) -> io::Result<()>;
}

#[derive(Debug)]
pub(super) struct VersionFiles<F: Fs> {
    fs: F,
    wal: PathBuf,
}

impl<F: Fs> VersionFiles<F> {
    pub(super) fn new(fs: F, wal: PathBuf) -> Self {
        Self { fs, wal }
    }

    fn path(&self, digest: VersionDigest) -> PathBuf {
        self.wal.join(DIRECTORY).join(format!("{digest}.json"))
    }
}

impl<F: Fs> VersionStore for VersionFiles<F> {
    fn put(&self, canonical: &[u8]) -> io::Result<VersionDigest> {
        let digest = VersionDigest(Sha256::digest(canonical).into());
        let directory = self.wal.join(DIRECTORY);
        match self.fs.mkdir(&directory) {
            Ok(()) => self.fs.sync_dir(&self.wal)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // made by a process that may have died before the sync
                self.fs.sync_dir(&self.wal)?;
            }
            Err(error) => return Err(error),
        }
        if self.get(digest).is_ok_and(|there| there == canonical) {
            self.fs
                .open(&self.path(digest), OpenMode::Read)?
                .sync_all()?;
            self.fs.sync_dir(&directory)?;
        } else {
            replace(&self.fs, &directory, &format!("{digest}.json"), canonical)?;
        }
        Ok(digest)
    }

    fn get(&self, digest: VersionDigest) -> io::Result<Vec<u8>> {
        let bytes = read_small(&self.fs, &self.path(digest))?;
        if Sha256::digest(&bytes).as_slice() == digest.0 {
            return Ok(bytes);
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "{} does not hold what its name says",
                self.path(digest).display()
            ),
        ))
    }

    fn generation(&self, digest: VersionDigest) -> io::Result<u64> {
        let path = self.wal.join(GENERATION);
        let last = match read_small(&self.fs, &path) {
            Ok(bytes) => parse_generation(&bytes).ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "{} holds no \"<number> <digest>\"; write the last number seen in object \
                         names there, or 0",
                        path.display()
                    ),
                )
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => (0, String::new()),
            Err(error) => return Err(error),
        };
        if last.1 == digest.to_string() {
            return Ok(last.0);
        }
        let next = last.0 + 1;
        replace(
            &self.fs,
            &self.wal,
            GENERATION,
            format!("{next} {digest}\n").as_bytes(),
        )?;
        Ok(next)
    }

    fn retain(&self, keep: &[VersionDigest]) -> io::Result<()> {
        let directory = self.wal.join(DIRECTORY);
        let names = match self.fs.list(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            names => names?,
        };
        for name in names {
            let kept = keep
                .iter()
                .any(|digest| name.as_os_str() == format!("{digest}.json").as_str());
            if !kept {
                self.fs.remove_file(&directory.join(name))?;
            }
        }
        Ok(())
    }
}

fn parse_generation(bytes: &[u8]) -> Option<(u64, String)> {
    let (number, digest) = std::str::from_utf8(bytes).ok()?.trim().split_once(' ')?;
    Some((number.parse().ok()?, digest.to_owned()))
}

/// Reads a whole small file.
pub(super) fn read_small<F: Fs>(fs: &F, path: &Path) -> io::Result<Vec<u8>> {
    const LIMIT: u64 = 16 * 1024 * 1024;
    let file = fs.open(path, OpenMode::Read)?;
    let length = file.length()?;
    if length > LIMIT {
        let message = format!(
            "{} has {length} bytes, more than it can have",
            path.display()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Puts a small file in place, whole or not at all, durably.
pub(super) fn replace<F: Fs>(fs: &F, directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = directory.join(format!("{name}.tmp"));
    match fs.remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = fs.open(&temporary, OpenMode::CreateNew)?;
    file.write_all_at(&mut [IoSlice::new(bytes)], 0)?;
    file.sync_all()?;
    fs.rename(&temporary, &directory.join(name))?;
    fs.sync_dir(directory)
}

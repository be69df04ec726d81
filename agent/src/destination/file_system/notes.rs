//! Notes beside the wal: which directories have had our folder.
//!
//! A note is durable before anything is linked below its root, and our folder there is durable
//! before the note. So a root without a note holds nothing of ours, and a root with a note whose
//! folder is missing is not what it was: most likely its volume is not mounted (D-15).
//!
//! A note is a file named by the SHA-256 of the root, in hexadecimal; it holds the root, without
//! what does not matter in it (`/out//` is `/out`), and a newline.

use std::fmt::Write as _;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::fs::{File as _, Fs, OpenMode};

/// Longer than any path.
const LONGEST: u64 = 64 * 1024;
/// What a note is called while it is written.
const UNFINISHED: &str = ".new";

#[derive(Debug)]
pub(super) struct StagedRoots<F> {
    fs: F,
    directory: PathBuf,
}

impl<F: Fs> StagedRoots<F> {
    pub(super) fn new(fs: F, directory: PathBuf) -> Self {
        Self { fs, directory }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether there is a note of this root.
    pub(super) fn knows(&self, root: &str) -> io::Result<bool> {
        match self.fs.stat(&self.note(root)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes the note of this root durable; one that is there already, too.
    pub(super) fn record(&self, root: &str) -> io::Result<()> {
        match self.fs.mkdir(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if let Some(parent) = self.directory.parent() {
            self.fs.sync_dir(parent)?;
        }
        let note = self.note(root);
        let root = normal(root);
        if !self.knows(&root)? {
            let unfinished = note.with_extension("new");
            match self.fs.remove_file(&unfinished) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let file = self.fs.open(&unfinished, OpenMode::CreateNew)?;
            let mut parts = [IoSlice::new(root.as_bytes()), IoSlice::new(b"\n")];
            file.write_all_at(&mut parts, 0)?;
            file.sync_all()?;
            self.fs.rename(&unfinished, &note)?;
        }
        self.fs.sync_dir(&self.directory)
    }

    /// Every root with a note.
    pub(super) fn all(&self) -> io::Result<Vec<String>> {
        let names = match self.fs.list(&self.directory) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut roots = Vec::new();
        for name in names {
            if name.to_string_lossy().ends_with(UNFINISHED) {
                continue;
            }
            let root = self.read(&self.directory.join(&name))?;
            // A file that is not what its name says is none of ours.
            if name == Self::name(&root).as_str() {
                roots.push(root);
            }
        }
        roots.sort();
        Ok(roots)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let file = self.fs.open(path, OpenMode::Read)?;
        let length = file.length()?.min(LONGEST);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        file.read_exact_at(&mut bytes, 0)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    fn note(&self, root: &str) -> PathBuf {
        self.directory.join(Self::name(root))
    }

    fn name(root: &str) -> String {
        let mut name = String::with_capacity(64);
        for byte in Sha256::digest(normal(root).as_bytes()) {
            // Writing to a string can't fail.
            write!(name, "{byte:02x}").unwrap_or_default();
        }
        name
    }
}

/// A path with one spelling.
fn normal(root: &str) -> String {
    let path: PathBuf = Path::new(root).components().collect();
    path.to_string_lossy().into_owned()
}

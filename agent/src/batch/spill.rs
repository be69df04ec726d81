//! Where encoded blocks wait when a batch would hold too much in memory (I-5).
//!
//! Spilling moves bytes, it does not change them. The files have no name once they are open, are
//! never synced and never outlive the process: what is in them is built again from the wal (D-12).

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::body::Part;
use crate::fs::{File, Fs, OpenMode};

/// Makes spill files.
pub trait Spill: Debug + Send + Sync {
    fn create(&self) -> io::Result<Arc<dyn SpillFile>>;
}

/// A file whose blocks are written and read at places of the caller's choice.
pub trait SpillFile: Debug + Send + Sync {
    fn put(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Fills `into` or fails.
    fn get(&self, into: &mut [u8], offset: u64) -> io::Result<()>;
}

impl<T: File> SpillFile for T {
    fn put(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(&mut [IoSlice::new(bytes)], offset)
    }

    fn get(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(into, offset)
    }
}

/// Spill files in a directory that belongs to one wal alone.
#[derive(Debug)]
pub struct SpillDirectory<F> {
    fs: F,
    path: PathBuf,
    next: AtomicU64,
}

impl<F: Fs> SpillDirectory<F> {
    /// Makes the directory where it is missing and removes what a process before left in it (one
    /// that ended between making a file and taking its name away). The caller holds the wal's lock.
    pub fn open(fs: F, path: PathBuf) -> io::Result<Self> {
        match fs.mkdir(&path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        for name in fs.list(&path)? {
            fs.remove_file(&path.join(name))?;
        }
        Ok(Self {
            fs,
            path,
            next: AtomicU64::new(0),
        })
    }
}

impl<F: Fs> Spill for SpillDirectory<F> {
    fn create(&self) -> io::Result<Arc<dyn SpillFile>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("{number}.spill"));
        let file = self.fs.open(&path, OpenMode::CreateNew)?;
        self.fs.remove_file(&path)?;
        Ok(Arc::new(file))
    }
}

/// The spill file of one batch, made when its first block comes. Workers share it.
#[derive(Debug)]
pub(super) struct BatchSpill {
    spill: Arc<dyn Spill>,
    file: Mutex<Option<Arc<dyn SpillFile>>>,
    end: AtomicU64,
}

impl BatchSpill {
    pub(super) fn new(spill: Arc<dyn Spill>) -> Self {
        Self {
            spill,
            file: Mutex::new(None),
            end: AtomicU64::new(0),
        }
    }

    /// Writes an encoded block at a place of its own. Blocks lie in no order; the body knows it.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<Part> {
        let file = {
            let mut file = self.file.lock();
            match &*file {
                Some(file) => Arc::clone(file),
                None => Arc::clone(file.insert(self.spill.create()?)),
            }
        };
        let offset = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        file.put(bytes, offset)?;
        Ok(Part::File {
            file,
            offset,
            length: bytes.len(),
        })
    }
}

//! The file-system seam (W-18): the wal and the file-system destination touch disks only through
//! it. Synchronous: a caller on an async thread goes through [`crate::executor`].
//!
//! `os` is the real one; `fault` keeps everything in memory, knows page cache from disk, and tears,
//! reorders, loses and refuses as devices do.

use std::ffi::OsString;
use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::path::Path;

pub mod fault;
pub mod os;

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// It must exist.
    Read,
    /// It must exist; reads and writes.
    ReadWrite,
    /// It must not exist (`O_EXCL`); mode 0600; reads and writes.
    CreateNew,
}

/// What lies at a path. A symbolic link is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub kind: FileKind,
    /// Length in bytes.
    pub length: u64,
    pub inode: u64,
    /// Birth time in nanoseconds since the epoch, where the kernel returns it (statx).
    pub birth: Option<i128>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    File,
    Directory,
    Other,
}

/// What kind of file system a path lies on (W-4, statfs type).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsType {
    /// A local one: its sync reaches a device.
    Local,
    /// `overlayfs`: local, but inode and birth time are not stable.
    Overlay,
    /// Its sync proves nothing, or another kernel can write to it: the name for the message.
    Refused(&'static str),
}

/// A file system. Every method is one system call or the like, and its error is the kernel's.
pub trait Fs: Clone + Debug + Send + Sync + 'static {
    type File: File;

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Self::File>;
    /// Makes one directory; its parent must exist. Its entry is durable after `sync_dir(parent)`.
    fn mkdir(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, in no order.
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>>;
    /// Moves a file, replacing what is there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Moves a file; `AlreadyExists` when `to` is taken (`RENAME_NOREPLACE`).
    fn rename_noreplace(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name; `AlreadyExists` when `to` is taken.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes a directory's entries durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    fn fs_type(&self, path: &Path) -> io::Result<FsType>;
    /// Bytes free to us on the file system of `path`.
    fn available(&self, path: &Path) -> io::Result<u64>;
}

/// An open file.
pub trait File: Debug + Send + Sync + 'static {
    /// Reads up to `into.len()` bytes; 0 at the end.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes a prefix of `parts`, returns its length.
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;
    /// Makes the data and the length durable (`fdatasync`).
    fn sync_data(&self) -> io::Result<()>;
    /// Makes data and metadata durable (`fsync`).
    fn sync_all(&self) -> io::Result<()>;
    /// Takes blocks for `length` bytes from the start and makes the file that long (`fallocate`).
    fn allocate(&self, length: u64) -> io::Result<()>;
    fn set_length(&self, length: u64) -> io::Result<()>;
    fn length(&self) -> io::Result<u64>;
    /// Drops the file's clean pages from the page cache, so that the next read sees the device.
    fn drop_cache(&self) -> io::Result<()>;
    /// Takes an exclusive advisory lock for as long as the file is open; `false` when another has it.
    fn try_lock(&self) -> io::Result<bool>;

    /// Fills `into` or fails with `UnexpectedEof`.
    fn read_exact_at(&self, mut into: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !into.is_empty() {
            match self.read_at(into, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    into = into.get_mut(read..).unwrap_or_default();
                    offset += read as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Writes all of `parts`; after an error an unknown prefix is written.
    fn write_all_at(&self, parts: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
        let mut rest = parts;
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match self.write_at(rest, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    IoSlice::advance_slices(&mut rest, written);
                    offset += written as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

//! The real file system, on rustix: no shell, no unsafe, errors as the kernel gives them.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs as sys;
use rustix::fs::{Advice, AtFlags, CWD, FallocateFlags, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::{File, FileKind, Fs, FsType, OpenMode, Stat};

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsFs;

/// An open file of it.
#[derive(Debug)]
pub struct OsFile(OwnedFd);

impl Fs for OsFs {
    type File = OsFile;

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<OsFile> {
        let how = match mode {
            OpenMode::Read => OFlags::RDONLY,
            OpenMode::ReadWrite => OFlags::RDWR,
            OpenMode::CreateNew => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
        };
        let opened = retry(|| sys::open(path, how | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR))?;
        Ok(OsFile(opened))
    }

    fn mkdir(&self, path: &Path) -> io::Result<()> {
        Ok(sys::mkdir(
            path,
            Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH,
        )?)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let opened = open_directory(directory)?;
        let mut names = Vec::new();
        for entry in sys::Dir::new(opened)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(sys::rename(from, to)?)
    }

    fn rename_noreplace(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(sys::renameat_with(
            CWD,
            from,
            CWD,
            to,
            RenameFlags::NOREPLACE,
        )?)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(sys::linkat(CWD, from, CWD, to, AtFlags::empty())?)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        Ok(sys::unlink(path)?)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        Ok(sys::rmdir(path)?)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let opened = open_directory(path)?;
        Ok(retry(|| sys::fsync(&opened))?)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let wanted = sys::StatxFlags::BASIC_STATS | sys::StatxFlags::BTIME;
        let stat = sys::statx(CWD, path, AtFlags::empty(), wanted)?;
        let has_birth = stat.stx_mask & sys::StatxFlags::BTIME.bits() != 0;
        let birth =
            i128::from(stat.stx_btime.tv_sec) * 1_000_000_000 + i128::from(stat.stx_btime.tv_nsec);
        let kind = match sys::FileType::from_raw_mode(u32::from(stat.stx_mode)) {
            sys::FileType::RegularFile => FileKind::File,
            sys::FileType::Directory => FileKind::Directory,
            _ => FileKind::Other,
        };
        Ok(Stat {
            kind,
            length: stat.stx_size,
            inode: stat.stx_ino,
            birth: has_birth.then_some(birth),
        })
    }

    fn fs_type(&self, path: &Path) -> io::Result<FsType> {
        Ok(fs_type(sys::statfs(path)?.f_type))
    }

    fn available(&self, path: &Path) -> io::Result<u64> {
        let stat = sys::statvfs(path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

impl File for OsFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pread(&self.0, into, offset)?)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pwritev(&self.0, parts, offset)?)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(retry(|| sys::fdatasync(&self.0))?)
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(retry(|| sys::fsync(&self.0))?)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let before = self.length()?;
        let taken = retry(|| sys::fallocate(&self.0, FallocateFlags::empty(), 0, length));
        if let Err(errno) = taken {
            // a failed fallocate leaves the file longer and the blocks taken; its own error counts
            sys::ftruncate(&self.0, before).ok();
            if errno == Errno::OPNOTSUPP {
                return self.set_length(length);
            }
            return Err(errno.into());
        }
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        Ok(retry(|| sys::ftruncate(&self.0, length))?)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(u64::try_from(sys::fstat(&self.0)?.st_size).unwrap_or(0))
    }

    fn drop_cache(&self) -> io::Result<()> {
        Ok(sys::fadvise(&self.0, 0, None, Advice::DontNeed)?)
    }

    fn try_lock(&self) -> io::Result<bool> {
        match sys::flock(&self.0, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(retry(|| sys::open(path, flags, Mode::empty()))?)
}

/// Repeats a call that a signal interrupted before it did anything.
fn retry<T>(call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    rustix::io::retry_on_intr(call)
}

/// By the magic numbers of linux/magic.h, and those of file systems outside the kernel tree.
fn fs_type(magic: sys::FsWord) -> FsType {
    match magic {
        0x6969 => FsType::Refused("NFS"),
        0x517B | 0xFE53_4D42 | 0xFF53_4D42 => FsType::Refused("SMB"),
        0x0102_1997 => FsType::Refused("9p"),
        0x00C3_6400 => FsType::Refused("Ceph"),
        0x0BD0_0BD0 => FsType::Refused("Lustre"),
        0x4750_4653 => FsType::Refused("GPFS"),
        0x6573_5546 => FsType::Refused("FUSE"),
        0x0102_1994 => FsType::Refused("tmpfs"),
        0x8584_58F6 => FsType::Refused("ramfs"),
        0x794C_7630 => FsType::Overlay,
        _ => FsType::Local,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_taken_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let (a, b) = (directory.path().join("a"), directory.path().join("b"));
        OsFs.open(&a, OpenMode::CreateNew).expect("made");
        OsFs.open(&b, OpenMode::CreateNew).expect("made");
        for result in [
            OsFs.open(&a, OpenMode::CreateNew).map(drop),
            OsFs.link(&a, &b),
            OsFs.rename_noreplace(&a, &b),
            OsFs.mkdir(&a),
        ] {
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        }
        OsFs.rename(&a, &b).expect("replaced");
        assert_eq!(OsFs.list(directory.path()).expect("listed"), ["b"]);
    }

    #[test]
    fn what_is_written_is_read_and_has_a_length() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("f");
        let file = OsFs.open(&path, OpenMode::CreateNew).expect("made");
        file.allocate(4096).expect("allocated");
        file.write_all_at(&mut [IoSlice::new(b"ab"), IoSlice::new(b"cd")], 10)
            .expect("written");
        file.sync_data().expect("synced");
        file.drop_cache().expect("dropped");
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, 10).expect("read");
        assert_eq!(&bytes, b"abcd");
        let stat = OsFs.stat(&path).expect("there");
        assert_eq!((stat.kind, stat.length), (FileKind::File, 4096));
        OsFs.sync_dir(directory.path()).expect("synced");
    }

    #[test]
    fn a_lock_is_taken_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("lock");
        let first = OsFs.open(&path, OpenMode::CreateNew).expect("made");
        let second = OsFs.open(&path, OpenMode::ReadWrite).expect("opened");
        assert!(first.try_lock().expect("locked"));
        assert!(!second.try_lock().expect("asked"));
        drop(first);
        assert!(second.try_lock().expect("locked"));
    }

    #[test]
    fn network_and_memory_file_systems_are_told() {
        assert_eq!(fs_type(0x6969), FsType::Refused("NFS"));
        assert_eq!(fs_type(0x0102_1994), FsType::Refused("tmpfs"));
        assert_eq!(fs_type(0xEF53), FsType::Local);
    }
}

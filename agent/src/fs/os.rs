//! The operating system's file system, by plain system calls.
//!
//! What the types don't say: new files are 0600 and new directories 0700; a symbolic link in the
//! last place of a path is never opened as a file; no descriptor reaches a child process; calls that
//! a signal interrupted are made again, except syncs, whose second answer proves nothing (W-2).

use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{
    Advice, AtFlags, CWD, FallocateFlags, FileType, FlockOperation, FsWord, Mode, OFlags,
    RenameFlags, StatxFlags,
};
use rustix::io::{Errno, retry_on_intr};

use super::{File, FileKind, Fs, FsType, OpenMode, Stat};

#[cfg(test)]
mod tests;

/// `IOV_MAX` of Linux: more parts in one call are refused, so the rest is a second call's.
const PARTS: usize = 1024;

/// File systems that may not hold a wal (W-4), by the magic number of `statfs`.
const REFUSED: &[(FsWord, &str)] = &[
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFE53_4D42, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0x0102_1997, "9p"),
    (0x00C3_6400, "Ceph"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x6573_5546, "FUSE"),
    (0x0102_1994, "tmpfs"),
    (0x8584_58F6, "ramfs"),
];

const OVERLAY: FsWord = 0x794C_7630;

/// The machine's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsFs;

/// An open file of the machine.
#[derive(Debug)]
pub struct OsFile(OwnedFd);

impl Fs for OsFs {
    type File = OsFile;

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<OsFile> {
        let flags = match mode {
            OpenMode::Read => OFlags::RDONLY,
            OpenMode::ReadWrite => OFlags::RDWR,
            OpenMode::CreateNew => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
        };
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = retry_on_intr(|| rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR))?;
        Ok(OsFile(fd))
    }

    fn mkdir(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::mkdir(path, Mode::RWXU)?)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        std::fs::read_dir(directory)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(rustix::fs::rename(from, to)?)
    }

    fn rename_noreplace(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(rustix::fs::renameat_with(
            CWD,
            from,
            CWD,
            to,
            RenameFlags::NOREPLACE,
        )?)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty())?)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::unlink(path)?)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::rmdir(path)?)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?;
        Ok(rustix::fs::fsync(&fd)?)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
        let found = rustix::fs::statx(CWD, path, AtFlags::empty(), wanted)?;
        let kind = match FileType::from_raw_mode(found.stx_mode.into()) {
            FileType::RegularFile => FileKind::File,
            FileType::Directory => FileKind::Directory,
            _ => FileKind::Other,
        };
        let has_birth = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
        let birth = has_birth.then(|| {
            i128::from(found.stx_btime.tv_sec) * 1_000_000_000 + i128::from(found.stx_btime.tv_nsec)
        });
        Ok(Stat {
            kind,
            length: found.stx_size,
            inode: found.stx_ino,
            birth,
        })
    }

    fn fs_type(&self, path: &Path) -> io::Result<FsType> {
        let found = retry_on_intr(|| rustix::fs::statfs(path))?;
        Ok(fs_type_of(found.f_type))
    }

    fn available(&self, path: &Path) -> io::Result<u64> {
        let found = retry_on_intr(|| rustix::fs::statvfs(path))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

fn fs_type_of(magic: FsWord) -> FsType {
    if magic == OVERLAY {
        return FsType::Overlay;
    }
    REFUSED
        .iter()
        .find(|(refused, _)| *refused == magic)
        .map_or(FsType::Local, |(_, name)| FsType::Refused(name))
}

impl File for OsFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(retry_on_intr(|| {
            rustix::io::pread(&self.0, &mut *into, offset)
        })?)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let parts = parts.get(..PARTS).unwrap_or(parts);
        Ok(retry_on_intr(|| {
            rustix::io::pwritev(&self.0, parts, offset)
        })?)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.0)?)
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        if length == 0 {
            return Ok(());
        }
        let before = self.length()?;
        let taken =
            retry_on_intr(|| rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, length));
        if let Err(refused) = taken {
            // What fits may have been taken and the file made longer: give that back (ST8).
            retry_on_intr(|| rustix::fs::ftruncate(&self.0, before))?;
            return Err(refused.into());
        }
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::ftruncate(&self.0, length))?)
    }

    fn length(&self) -> io::Result<u64> {
        let found = rustix::fs::statx(&self.0, "", AtFlags::EMPTY_PATH, StatxFlags::SIZE)?;
        Ok(found.stx_size)
    }

    fn drop_cache(&self) -> io::Result<()> {
        Ok(rustix::fs::fadvise(&self.0, 0, None, Advice::DontNeed)?)
    }

    fn try_lock(&self) -> io::Result<bool> {
        match retry_on_intr(|| rustix::fs::flock(&self.0, FlockOperation::NonBlockingLockExclusive))
        {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(refused) => Err(refused.into()),
        }
    }
}

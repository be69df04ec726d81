//! An open file of the double.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use rustix::io::Errno;

use super::content::{Content, SECTOR};
use super::machine::{Inode, Machine};
use super::plan::{FaultKind, Op};
use crate::fs::{File, OpenMode};

/// An open file.
#[derive(Debug)]
pub struct FaultFile {
    machine: Arc<Mutex<Machine>>,
    inode: Inode,
    handle: u64,
    path: PathBuf,
    writable: bool,
}

impl FaultFile {
    pub(super) fn new(
        machine: Arc<Mutex<Machine>>,
        inode: Inode,
        handle: u64,
        path: &Path,
        mode: OpenMode,
    ) -> Self {
        Self {
            machine,
            inode,
            handle,
            path: path.to_owned(),
            writable: mode != OpenMode::Read,
        }
    }

    fn begin(&self, op: Op) -> io::Result<(MutexGuard<'_, Machine>, Option<FaultKind>)> {
        let mut machine = self.machine.lock();
        let fault = machine.plan.begin(op, &[&self.path])?;
        Ok((machine, fault))
    }

    fn begin_write(&self, op: Op) -> io::Result<(MutexGuard<'_, Machine>, Option<FaultKind>)> {
        let begun = self.begin(op)?;
        if !self.writable {
            return Err(Errno::BADF.into());
        }
        Ok(begun)
    }

    fn sync(&self, op: Op) -> io::Result<()> {
        let (mut machine, fault) = self.begin(op)?;
        let content = machine.content(self.inode)?;
        match fault {
            Some(FaultKind::Error(errno)) => {
                content.fail_sync();
                Err(errno.into())
            }
            Some(FaultKind::DoneThenError(errno)) => {
                content.sync();
                Err(errno.into())
            }
            Some(FaultKind::ShortWrite(_)) | None => {
                content.sync();
                Ok(())
            }
        }
    }

    /// Changes the content as a whole.
    fn change(
        &self,
        op: Op,
        needed: impl FnOnce(&Content) -> u64,
        change: impl FnOnce(&mut Content),
    ) -> io::Result<()> {
        let (mut machine, fault) = self.begin_write(op)?;
        if let Some(FaultKind::Error(errno)) = fault {
            return Err(errno.into());
        }
        let available = machine.available();
        let content = machine.content(self.inode)?;
        if needed(content) > available {
            return Err(Errno::NOSPC.into());
        }
        change(content);
        match fault {
            Some(FaultKind::DoneThenError(errno)) => Err(errno.into()),
            _ => Ok(()),
        }
    }
}

impl File for FaultFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let (mut machine, _) = self.begin(Op::Read)?;
        Ok(machine.content(self.inode)?.read(into, offset))
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let (mut machine, fault) = self.begin_write(Op::Write)?;
        let mut length: usize = parts.iter().map(|part| part.len()).sum();
        match fault {
            Some(FaultKind::Error(errno)) => return Err(errno.into()),
            Some(FaultKind::ShortWrite(limit)) => length = length.min(limit),
            Some(FaultKind::DoneThenError(_)) | None => {}
        }
        if machine.capacity.is_some() {
            let available = machine.available();
            let content = machine.content(self.inode)?;
            let fitting = fitting(content, offset, length, available);
            if fitting == 0 && length > 0 {
                return Err(Errno::NOSPC.into());
            }
            length = fitting;
        }
        machine.content(self.inode)?.write(parts, length, offset);
        match fault {
            Some(FaultKind::DoneThenError(errno)) => Err(errno.into()),
            _ => Ok(length),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync(Op::SyncData)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync(Op::SyncAll)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.change(
            Op::Allocate,
            |content| content.needed_to_allocate(length),
            |content| content.allocate(length),
        )
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.change(Op::SetLength, |_| 0, |content| content.set_length(length))
    }

    fn length(&self) -> io::Result<u64> {
        let (mut machine, _) = self.begin(Op::Length)?;
        Ok(machine.content(self.inode)?.length())
    }

    fn drop_cache(&self) -> io::Result<()> {
        let (mut machine, _) = self.begin(Op::DropCache)?;
        machine.content(self.inode)?.drop_cache();
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        let (mut machine, _) = self.begin(Op::Lock)?;
        Ok(*machine.locks.entry(self.inode).or_insert(self.handle) == self.handle)
    }
}

/// The prefix of a write for which there is space.
fn fitting(content: &Content, offset: u64, length: usize, available: u64) -> usize {
    let sector = SECTOR as u64;
    let end = offset + length as u64;
    let mut fits = offset;
    let mut left = available;
    while fits < end {
        let next = ((fits / sector + 1) * sector).min(end);
        let needed = content.needed(fits, next - fits);
        if needed > left {
            break;
        }
        left -= needed;
        fits = next;
    }
    usize::try_from(fits - offset).unwrap_or(length)
}

impl Drop for FaultFile {
    fn drop(&mut self) {
        self.machine.lock().close(self.inode, self.handle);
    }
}

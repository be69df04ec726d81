//! Which calls go wrong, and how.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// A call of the seam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Open,
    Create,
    Mkdir,
    List,
    Rename,
    RenameNoReplace,
    Link,
    RemoveFile,
    RemoveDir,
    SyncDir,
    Stat,
    FsType,
    Available,
    Read,
    Write,
    SyncData,
    SyncAll,
    Allocate,
    SetLength,
    Length,
    DropCache,
    Lock,
}

impl Op {
    /// Whether it can change what a crash leaves: these are numbered.
    pub fn mutates(self) -> bool {
        matches!(
            self,
            Self::Create
                | Self::Mkdir
                | Self::Rename
                | Self::RenameNoReplace
                | Self::Link
                | Self::RemoveFile
                | Self::RemoveDir
                | Self::SyncDir
                | Self::Write
                | Self::SyncData
                | Self::SyncAll
                | Self::Allocate
                | Self::SetLength
        )
    }
}

/// How one numbered operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It answers this error and does nothing. A sync of a file that fails also marks the pages
    /// clean: the cache shows the new bytes, the device holds the old ones, and the next sync
    /// answers OK without having written them. A directory's changes stay to be synced.
    Error(Errno),
    /// It is done, and answers this error all the same.
    DoneThenError(Errno),
    /// A write takes only so many bytes. No other operation is changed by it.
    ShortWrite(usize),
}

/// Operations that the log keeps; the oldest go first.
const LOGGED: usize = 4096;

/// What is to go wrong, and what has been done.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    operations: u64,
    faults: BTreeMap<u64, FaultKind>,
    crash_at: Option<u64>,
    dead: bool,
    refusals: Vec<Refusal>,
    log: VecDeque<(u64, Op, PathBuf)>,
}

#[derive(Clone, Debug)]
struct Refusal {
    below: PathBuf,
    ops: Vec<Op>,
    errno: Errno,
}

/// The answer of every call of a process that is dead.
fn dead() -> io::Error {
    io::Error::other("the machine or the process is gone: this scenario was cut here")
}

impl Plan {
    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead
    }

    pub(super) fn fail_at(&mut self, operation: u64, fault: FaultKind) {
        self.faults.insert(operation, fault);
    }

    pub(super) fn crash_at(&mut self, operation: u64) {
        self.crash_at = Some(operation);
    }

    pub(super) fn refuse(&mut self, below: &Path, ops: &[Op], errno: Errno) {
        self.refusals.push(Refusal {
            below: below.to_owned(),
            ops: ops.to_vec(),
            errno,
        });
    }

    pub(super) fn forgive(&mut self, below: &Path) {
        self.refusals.retain(|refusal| refusal.below != below);
    }

    pub(super) fn log(&self) -> Vec<String> {
        self.log
            .iter()
            .map(|(number, op, path)| format!("{number} {op:?} {}", path.display()))
            .collect()
    }

    /// The plan of the machine after a restart: refusals are of the place, the rest was of the
    /// process that is gone.
    pub(super) fn after_restart(&self) -> Self {
        Self {
            refusals: self.refusals.clone(),
            ..Self::default()
        }
    }

    /// Numbers and logs a call, and says how it is to fail. The paths are those that it names.
    pub(super) fn begin(&mut self, op: Op, paths: &[&Path]) -> io::Result<Option<FaultKind>> {
        if self.dead {
            return Err(dead());
        }
        let mut fault = None;
        if op.mutates() {
            if self.crash_at.is_some_and(|at| at <= self.operations) {
                self.dead = true;
                return Err(dead());
            }
            fault = self.faults.remove(&self.operations);
            if self.log.len() == LOGGED {
                self.log.pop_front();
            }
            let path = paths.last().map(|path| path.to_path_buf());
            self.log
                .push_back((self.operations, op, path.unwrap_or_default()));
            self.operations += 1;
        }
        let refused = self.refusals.iter().find(|refusal| {
            (refusal.ops.is_empty() || refusal.ops.contains(&op))
                && paths.iter().any(|path| path.starts_with(&refusal.below))
        });
        match refused {
            // A sync that is refused does the harm of one that fails.
            Some(refusal) if matches!(op, Op::SyncData | Op::SyncAll) => {
                Ok(Some(FaultKind::Error(refusal.errno)))
            }
            Some(refusal) => Err(refusal.errno.into()),
            None => Ok(fault),
        }
    }
}

//! The write-ahead log of one stream in one directory: what was acknowledged is on disk (I-1), and
//! stays until every cursor has delivered it.
//!
//! ```text
//! <wal directory>/log/            ours; one process at a time (`lock`)
//!   shard                         whose wal this is, under which id (W-3)
//!   generation  versions/*.json   what the spec said, by digest (W-10)
//!   00000000000000000001.wal …    segments of one size: the log, oldest first, then spares (W-14)
//!   quarantine/                   damaged segments, for a person to look at
//! ```
//! A segment is a header and frames ([`segment`], [`frame`]); a frame is a producer batch
//! ([`payload`]), a control frame ([`control`]) or a checkpoint ([`checkpoint`]).
//!
//! **Guarantees.** An append is answered after the `fdatasync` of its own group (W-1). A failed write
//! or sync is never retried on the same bytes, its sequences are never used again (W-2). Cursors see
//! durable frames only (W-8). A segment goes once a durable checkpoint needs nothing of it (W-12).
//! Damage is found by checksums, counted and told apart from a torn tail (W-15).
//!
//! **Flow.** [`Appender`] and [`Journal`] put commands into the inbox; [`writer`] makes them groups;
//! [`drive`] gives it a thread. [`recovery`] turns a directory back into a [`state`]; [`reader`] turns
//! bytes into what a [`Cursor`] gives.

use std::path::Path;

use crate::entropy::Entropy;
use crate::executor::Executor;
use crate::fs::Fs;

mod capacity;
mod checkpoint;
mod codec;
pub mod control;
mod control_codec;
mod drive;
mod files;
mod frame;
mod group;
pub mod handle;
mod open;
pub mod payload;
mod prepare;
mod reader;
mod recovery;
mod scan;
mod segment;
mod shard;
mod shared;
mod state;
mod versions;
mod writer;

#[cfg(test)]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;

pub use control::{Control, FrameAt, OutputId, Removed, VersionDigest};
pub use handle::{
    AppendError, Appender, Counts, Cursor, CursorState, Journal, LogError, Progress, Read,
    ReadError, Reservation, VersionEntry, Wal, WalStatus,
};
pub use open::{OpenError, Options, TAIL_BYTES};
pub use payload::{FrameBuf, Payload, RecordBatch};

/// Opens the wal below `directory` and starts its threads. Blocks for as long as recovery takes.
pub fn open<F: Fs>(
    fs: F,
    directory: &Path,
    options: &Options,
    executor: Executor,
    entropy: Entropy,
) -> Result<Wal, OpenError> {
    let opened = open::open(&fs, directory, options, executor, entropy)?;
    let wal = opened.wal.clone();
    let log = opened.writer.files.directory.clone();
    drive::spawn(opened, fs, log)
        .map_err(|e| OpenError::io("start a thread for", directory, &e))?;
    Ok(wal)
}

//! What the rest of the agent holds of a wal. (Bodies follow with the writer.)

use std::ops::Range;

use crate::object::{CursorId, Incarnation, ShardId};
use crate::record::{Sequence, UnixMillis};
use crate::runs::Runs;

use super::control::{Control, FrameAt, VersionDigest};
use super::payload::{Payload, RecordBatch};

/// The open wal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Wal {}

/// What `/report` and metrics say of the wal; one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalStatus {
    pub shard: ShardId,
    pub incarnation: Incarnation,
    /// Bytes in use of `capacity`, reservations included.
    pub used_bytes: u64,
    pub capacity_bytes: u64,
    pub segments: u64,
    /// One past the last durable record.
    pub durable_end: Sequence,
    /// Records ever made durable in this shard.
    pub accepted_records: u64,
    /// Records of the last group before the last crash that may or may not have been accepted.
    pub in_doubt_records: u64,
    /// Records that were accepted and can't be read.
    pub lost_records: u64,
    /// Above 70 % of capacity (D-2.4).
    pub pressure: bool,
    /// Below half of the reserve: nothing new is sealed (W-7).
    pub reserve_low: bool,
    /// What a person should know, most important first.
    pub problems: Vec<String>,
    /// The last failed write or sync, until a later one worked.
    pub failing: Option<String>,
}

impl Wal {
    pub fn appender(&self) -> Appender {
        todo!()
    }

    /// The snapshot of now.
    pub fn status(&self) -> WalStatus {
        todo!()
    }

    /// Resolves when the status may have changed since the last call (cancel safe).
    pub async fn changed(&self) {
        todo!()
    }

    /// The cursor of a destination's name; made, durably, where there is none (W-9).
    /// Errors when the name is attached already.
    pub async fn attach(&self, _name: &str) -> Result<(Cursor, Journal, CursorState), LogError> {
        todo!()
    }

    /// Sets the capacity; below what is in use, intake refuses until it fits.
    pub fn set_capacity(&self, _bytes: u64) {
        todo!()
    }

    /// Keeps a version's canonical JSON under its digest, durably.
    pub async fn put_version(&self, _canonical: Vec<u8>) -> Result<VersionDigest, LogError> {
        todo!()
    }

    /// Reads a version back.
    pub async fn version(&self, _digest: VersionDigest) -> Result<Vec<u8>, ReadError> {
        todo!()
    }

    /// The generation counter that a laptop counts in the wal directory: the number of the given
    /// digest, a new one if it is not the last one used.
    pub async fn generation(&self, _digest: VersionDigest) -> Result<u64, LogError> {
        todo!()
    }

    /// Writes a last checkpoint and closes: nothing is in doubt afterwards (W-15).
    pub async fn close(&self) -> Result<(), LogError> {
        todo!()
    }
}

/// Appends producer batches. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Appender {}

/// Room in the wal for one batch; given back when dropped.
#[derive(Debug)]
pub struct Reservation {}

/// Why a batch was not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Try again later: no room until something is delivered.
    #[error("the wal is full: {used_bytes} of {capacity_bytes} bytes wait for delivery")]
    Full {
        used_bytes: u64,
        capacity_bytes: u64,
    },
    /// Try again: the group's write or sync failed (W-2); whether it is durable is not known.
    #[error("the wal could not be written: {0}")]
    Failed(String),
    /// Larger than one frame may be.
    #[error("a batch of {bytes} bytes is over the wal's limit of {limit}")]
    TooLarge { bytes: u64, limit: u64 },
    /// The agent is stopping or the wal failed for good.
    #[error("the wal is closed: {0}")]
    Closed(String),
}

impl Appender {
    /// Takes room for a payload of about `bytes`, before it is received.
    pub fn reserve(&self, _bytes: u64) -> Result<Reservation, AppendError> {
        todo!()
    }

    /// Appends; resolves only after the sync of its own group (I-1). Dropping the future does not
    /// take the batch back.
    pub async fn append(
        &self,
        _payload: Payload,
        _room: Reservation,
    ) -> Result<Range<Sequence>, AppendError> {
        todo!()
    }
}

/// The durable half of a cursor, as it was when it was attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CursorState {
    pub id: CursorId,
    pub name: String,
    /// The cursor's first record.
    pub first: Sequence,
    /// Records that are complete, with the counts of exactly these. Below `low_water` all are.
    pub complete: Runs,
    pub counts: Counts,
    /// The first record that is not complete.
    pub low_water: Sequence,
    /// How many accepted records the cursor has from `first` to `low_water` exclusive.
    pub records_below_low_water: u64,
    /// Versions in force, by first sequence.
    pub versions: Vec<VersionEntry>,
    /// Its live control frames (UPLOAD, SEAL, RESEAL, DONE, GIVEUP), in log order: those of batches
    /// that were not complete in the last checkpoint.
    pub live: Vec<FrameAt>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionEntry {
    pub first: Sequence,
    pub generation: u64,
    pub digest: VersionDigest,
}

/// How records of one cursor ended (I-2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub delivered: u64,
    pub error_output: u64,
    pub given_up: u64,
    pub filtered: u64,
    pub lost: u64,
}

/// Records that are complete now, and their counts: posted after the DONE is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub complete: Runs,
    pub counts: Counts,
}

/// Writes one delivery's control frames. One a delivery.
#[derive(Debug)]
pub struct Journal {}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// SEAL, RESEAL and VERSION wait: the reserve is below half (W-7). Try again after `changed`.
    #[error("the wal's reserve is low")]
    ReserveLow,
    /// The write or sync failed; the frame may or may not come back after a crash. Nothing that
    /// depends on it may be shown. Try again.
    #[error("the wal could not be written: {0}")]
    Failed(String),
    #[error("the wal is closed: {0}")]
    Closed(String),
    #[error("the cursor {0:?} is attached already")]
    Attached(String),
}

impl Journal {
    /// Resolves when the frame is durable.
    pub async fn log(&self, _control: Control) -> Result<FrameAt, LogError> {
        todo!()
    }

    /// For the next checkpoint; does not wait.
    pub fn progress(&self, _progress: Progress) {
        todo!()
    }

    /// Reads a control frame back.
    pub async fn read(&self, _at: FrameAt) -> Result<Control, ReadError> {
        todo!()
    }
}

/// Reads the log for one delivery, never past the durable end (W-8). One a delivery.
#[derive(Debug)]
pub struct Cursor {}

/// What lies next in the log.
#[derive(Clone, Debug)]
pub enum Read {
    Batch(RecordBatch),
    /// Records that were accepted and can't be read (I-7): `records` of them in `sequences`.
    Lost {
        sequences: Range<Sequence>,
        records: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The device failed; the same read may work later.
    #[error("the wal could not be read: {0}")]
    Io(String),
    #[error("the wal is closed: {0}")]
    Closed(String),
    /// A file of ours that holds something else, by name.
    #[error("{0}")]
    Damaged(String),
}

impl Cursor {
    /// The next batch or loss whose sequences end after the position; waits at the durable end.
    /// Cancel safe. Within the batch the first records may lie before the position after a `seek`
    /// into its middle: the caller passes over them.
    pub async fn next(&mut self) -> Result<Read, ReadError> {
        todo!()
    }

    /// The sequence that `next` will give.
    pub fn position(&self) -> Sequence {
        todo!()
    }

    /// Goes back (or on) to `sequence`, not below the low-water mark.
    pub fn seek(&mut self, _sequence: Sequence) {
        todo!()
    }

    /// Whether `next` would wait.
    pub fn at_durable_end(&self) -> bool {
        todo!()
    }

    /// Arrival of the batch that `next` will give, where it is known without reading.
    pub fn next_arrival(&self) -> Option<UnixMillis> {
        todo!()
    }
}

//! What the rest of the agent holds of a wal: [`Wal`], [`Appender`], [`Journal`], [`Cursor`].

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{oneshot, watch};

use crate::object::{CursorId, Incarnation, ShardId};
use crate::record::{Sequence, UnixMillis};
use crate::runs::Runs;

use super::control::{Control, FrameAt, VersionDigest};
use super::files::SegmentInfo;
use super::frame::PAYLOAD_MAX;
use super::payload::{Payload, RecordBatch};
use super::reader::{Place, read_chunk, read_control};
use super::segment::SEGMENT_HEADER_LEN;
use super::shared::{Command, Shared, TailBatch};

/// The open wal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Wal {
    pub(super) shared: Arc<Shared>,
}

/// What `/report` and metrics say of the wal; one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalStatus {
    pub shard: ShardId,
    pub incarnation: Incarnation,
    /// Bytes of log in use; records may use `capacity_bytes` of them, control frames a little more.
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
    /// Bytes written to segments since the start, checkpoints and headers included.
    pub written_bytes: u64,
    /// Failed writes and syncs since the start.
    pub failures: u64,
    /// Above 70 % of capacity (D-2.4).
    pub pressure: bool,
    /// Below half of the reserve: nothing new is sealed (W-7).
    pub reserve_low: bool,
    /// What recovery found that a person should know, most important first.
    pub problems: Vec<String>,
    /// The last failed write or sync, until a later one worked.
    pub failing: Option<String>,
    /// Why the wal is closed.
    pub closed: Option<String>,
}

impl Wal {
    pub fn appender(&self) -> Appender {
        Appender {
            shared: Arc::clone(&self.shared),
        }
    }

    /// The snapshot of now.
    pub fn status(&self) -> Arc<WalStatus> {
        self.shared.status.borrow().clone()
    }

    /// Tells when the status changes.
    pub fn watch(&self) -> watch::Receiver<Arc<WalStatus>> {
        self.shared.status.subscribe()
    }

    /// The cursor of a destination's name; made, durably, where there is none (W-9). The first one
    /// of a shard begins with the first record, a later one with the next.
    pub async fn attach(&self, name: &str) -> Result<(Cursor, Journal, CursorState), LogError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Attach {
            name: name.to_owned(),
            reply,
        })?;
        let state = answer.await.map_err(|_| self.gone())??;
        let position = state.low_water;
        let cursor = Cursor {
            shared: Arc::clone(&self.shared),
            durable: self.shared.durable.subscribe(),
            position,
            place: None,
            ahead: VecDeque::new(),
        };
        let journal = Journal {
            shared: Arc::clone(&self.shared),
            cursor: state.id,
        };
        Ok((cursor, journal, state))
    }

    /// Sets the capacity; below what is in use, intake refuses until it fits.
    pub fn set_capacity(&self, bytes: u64) {
        // a closed wal takes no records anyway
        self.shared.inbox.send(Command::Capacity(bytes)).ok();
    }

    /// Keeps a version's canonical JSON under its digest, durably.
    pub async fn put_version(&self, canonical: Vec<u8>) -> Result<VersionDigest, LogError> {
        self.store(move |store| store.put(&canonical)).await
    }

    /// Reads a version back.
    pub async fn version(&self, digest: VersionDigest) -> Result<Vec<u8>, ReadError> {
        let versions = Arc::clone(&self.shared.versions);
        match self
            .shared
            .executor
            .blocking(move || versions.get(digest))
            .await
        {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Err(ReadError::Damaged(error.to_string()))
            }
            Ok(Err(error)) => Err(ReadError::Io(format!("version {digest}: {error}"))),
            Err(lost) => Err(ReadError::Closed(lost.to_string())),
        }
    }

    /// The generation counter that a laptop counts in the wal directory: the last number if it was
    /// given for this digest, else the next one.
    pub async fn generation(&self, digest: VersionDigest) -> Result<u64, LogError> {
        self.store(move |store| store.generation(digest)).await
    }

    /// Writes a last checkpoint and closes: nothing is in doubt afterwards (W-15).
    pub async fn close(&self) -> Result<(), LogError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Close { reply })?;
        answer.await.map_err(|_| self.gone())?
    }

    async fn store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn super::versions::VersionStore) -> io::Result<T> + Send + 'static,
    ) -> Result<T, LogError> {
        let versions = Arc::clone(&self.shared.versions);
        match self
            .shared
            .executor
            .blocking(move || work(&*versions))
            .await
        {
            Ok(result) => result.map_err(|error| LogError::Failed(error.to_string())),
            Err(lost) => Err(LogError::Closed(lost.to_string())),
        }
    }

    fn send(&self, command: Command) -> Result<(), LogError> {
        self.shared.inbox.send(command).map_err(LogError::Closed)
    }

    fn gone(&self) -> LogError {
        LogError::Closed(closed_because(&self.shared))
    }
}

fn closed_because(shared: &Shared) -> String {
    shared
        .inbox
        .closed()
        .unwrap_or_else(|| "the writer ended".to_owned())
}

/// Appends producer batches. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Appender {
    shared: Arc<Shared>,
}

/// Room in the wal for one batch; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    shared: Arc<Shared>,
    bytes: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.room.release(self.bytes);
    }
}

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
    pub fn reserve(&self, bytes: u64) -> Result<Reservation, AppendError> {
        if bytes > u64::from(PAYLOAD_MAX) {
            return Err(AppendError::TooLarge {
                bytes,
                limit: u64::from(PAYLOAD_MAX),
            });
        }
        if let Some(why) = self.shared.inbox.closed() {
            return Err(AppendError::Closed(why));
        }
        self.shared
            .room
            .reserve(bytes)
            .map_err(|(used_bytes, capacity_bytes)| AppendError::Full {
                used_bytes,
                capacity_bytes,
            })?;
        Ok(Reservation {
            shared: Arc::clone(&self.shared),
            bytes,
        })
    }

    /// Appends; resolves only after the sync of its own group (I-1). Dropping the future does not
    /// take the batch back.
    pub async fn append(
        &self,
        payload: Payload,
        room: Reservation,
    ) -> Result<Range<Sequence>, AppendError> {
        let bytes = payload.byte_len() as u64;
        if bytes > u64::from(PAYLOAD_MAX) {
            return Err(AppendError::TooLarge {
                bytes,
                limit: u64::from(PAYLOAD_MAX),
            });
        }
        let (reply, answer) = oneshot::channel();
        self.shared
            .inbox
            .send(Command::Append { payload, reply })
            .map_err(AppendError::Closed)?;
        let result = answer.await;
        drop(room);
        result.map_err(|_| AppendError::Closed(closed_because(&self.shared)))?
    }
}

/// The durable half of a cursor, as it was when it was attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CursorState {
    pub id: CursorId,
    pub name: String,
    /// The cursor's first record.
    pub first: Sequence,
    /// Complete records at and above `low_water`; below it all are.
    pub complete: Runs,
    /// Of all complete records, those below `low_water` included.
    pub counts: Counts,
    /// The first record that is not complete.
    pub low_water: Sequence,
    /// The highest sequence that a SEAL of this cursor ever named (W-10).
    pub highest_sealed: Sequence,
    /// How many records there are from `first` to `low_water`, exclusive.
    pub records_below_low_water: u64,
    /// How many there are from `low_water` to the durable end.
    pub records_from_low_water: u64,
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

/// Writes one delivery's control frames. One a delivery; the name is free again when it is dropped.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    cursor: CursorId,
}

impl Drop for Journal {
    fn drop(&mut self) {
        // a closed wal has no attached cursors
        self.shared
            .inbox
            .send(Command::Detach {
                cursor: self.cursor,
            })
            .ok();
    }
}

/// Why a control frame was not written, or something else of the wal was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// SEAL, RESEAL and VERSION wait: the reserve is below half (W-7). Try again after a change of
    /// the status.
    #[error("the wal's reserve is low; records wait for room")]
    ReserveLow,
    /// The write or sync failed; the frame may or may not come back after a crash. Nothing that
    /// depends on it may be shown. Try again.
    #[error("the wal could not be written: {0}")]
    Failed(String),
    #[error("the wal is closed: {0}")]
    Closed(String),
    #[error("the cursor {0:?} is attached already")]
    Attached(String),
    /// Another name's records wait here, and this release reads for one destination (W-9).
    #[error(
        "{records} records in the wal wait for destination {other:?}, which the manifest no longer \
         names; give the destination its old name until they are delivered"
    )]
    OtherCursor { other: String, records: u64 },
}

impl Journal {
    /// Whose frames they are.
    pub fn cursor(&self) -> CursorId {
        self.cursor
    }

    /// Resolves when the frame is durable.
    pub async fn log(&self, control: Control) -> Result<FrameAt, LogError> {
        let (reply, answer) = oneshot::channel();
        self.shared
            .inbox
            .send(Command::Log { control, reply })
            .map_err(LogError::Closed)?;
        answer
            .await
            .map_err(|_| LogError::Closed(closed_because(&self.shared)))?
    }

    /// For the next checkpoint; does not wait.
    pub fn progress(&self, progress: Progress) {
        // closed: the records are delivered again by the next process, which finds their SEALs
        self.shared
            .inbox
            .send(Command::Progress {
                cursor: self.cursor,
                progress,
            })
            .ok();
    }

    /// Reads a control frame back.
    pub async fn read(&self, at: FrameAt) -> Result<Control, ReadError> {
        let shared = Arc::clone(&self.shared);
        let segment = shared.segments.get(at.segment).ok_or_else(|| {
            ReadError::Damaged(format!("segment {} is not part of the log", at.segment))
        })?;
        self.shared
            .executor
            .blocking(move || read_control(&*shared.files, &segment, at))
            .await
            .map_err(|lost| ReadError::Closed(lost.to_string()))?
    }
}

/// Reads the log for one delivery, never past the durable end (W-8). One a delivery.
#[derive(Debug)]
pub struct Cursor {
    shared: Arc<Shared>,
    durable: watch::Receiver<Sequence>,
    position: Sequence,
    /// Where to read on, if that is known.
    place: Option<Place>,
    /// Read ahead: about a megabyte, or one batch.
    ahead: VecDeque<Read>,
}

/// What lies next in the log.
#[derive(Clone, Debug)]
pub enum Read {
    Batch(RecordBatch),
    /// Records that were accepted and can't be read (I-7): `records` of them in `sequences`. A LOSS
    /// frame says so durably.
    Lost {
        sequences: Range<Sequence>,
        records: u64,
    },
}

impl Read {
    /// The sequences that it stands for.
    pub fn sequences(&self) -> Range<Sequence> {
        match self {
            Self::Batch(batch) => batch.sequences(),
            Self::Lost { sequences, .. } => sequences.clone(),
        }
    }
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
    /// Cancel safe. After a `seek` into the middle of a batch its first records lie before the
    /// position: the caller passes over them.
    pub async fn next(&mut self) -> Result<Read, ReadError> {
        loop {
            if let Some(read) = self.ahead.front() {
                if let Read::Lost { sequences, records } = read {
                    let (sequences, records) = (sequences.clone(), *records);
                    self.report_loss(sequences, records).await?;
                }
                let Some(read) = self.ahead.pop_front() else {
                    continue;
                };
                self.position = self.position.max(read.sequences().end);
                return Ok(read);
            }
            if self.at_durable_end() {
                // the writer's end shows as an error, not as silence
                if self.durable.changed().await.is_err() || self.shared.inbox.closed().is_some() {
                    return Err(ReadError::Closed(closed_because(&self.shared)));
                }
                continue;
            }
            let tail = self.shared.tail.lock().after(self.position);
            if let Some(TailBatch { batch, next }) = tail {
                let end = batch.sequences().end;
                self.place = Some(Place {
                    at: next,
                    expected: end.0,
                });
                self.position = end;
                return Ok(Read::Batch(batch));
            }
            self.read_ahead().await?;
        }
    }

    async fn read_ahead(&mut self) -> Result<(), ReadError> {
        let position = self.position;
        let Some(segment) = self.shared.segments.holding(position) else {
            // between the last record and the durable end lies a gap only
            self.position = self.position.max(*self.durable.borrow());
            return Ok(());
        };
        if position.0 < segment.begin_sequence {
            let let_go = Sequence(self.shared.let_go.load(Ordering::Acquire));
            if position < let_go {
                // complete, and truncated meanwhile
                self.position = let_go.min(Sequence(segment.begin_sequence));
                return Ok(());
            }
            // the segment that held them is missing
            let sequences = position..Sequence(segment.begin_sequence);
            let records = sequences.end.0 - sequences.start.0;
            self.ahead.push_back(Read::Lost { sequences, records });
            return Ok(());
        }
        let start = Place {
            at: FrameAt {
                segment: segment.ordinal,
                offset: SEGMENT_HEADER_LEN,
            },
            expected: segment.first_sequence,
        };
        let place = self
            .place
            .filter(|place| place.at.segment == segment.ordinal)
            .unwrap_or(start);
        if place.at.offset >= segment.end {
            // a place behind the records that are looked for: begin with the segment again
            self.place = None;
            if place == start {
                self.ahead.push_back(unreadable(position, &segment));
            }
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        let (asked, ordinal) = (segment.clone(), segment.ordinal);
        let read = move || read_chunk(&*shared.files, &asked, place, position);
        let chunk = match self.shared.executor.blocking(read).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                self.ahead.push_back(unreadable(position, &segment));
                return Ok(());
            }
            Ok(Err(error)) => return Err(ReadError::Io(format!("segment {ordinal}: {error}"))),
            Err(lost) => return Err(ReadError::Closed(lost.to_string())),
        };
        self.place = Some(Place {
            at: FrameAt {
                segment: ordinal,
                offset: chunk.offset,
            },
            expected: chunk.expected,
        });
        if chunk.reads.is_empty() && chunk.offset >= segment.end {
            self.ahead.push_back(unreadable(position, &segment));
        }
        self.ahead.extend(chunk.reads);
        Ok(())
    }

    async fn report_loss(&self, sequences: Range<Sequence>, records: u64) -> Result<(), ReadError> {
        let (reply, answer) = oneshot::channel();
        let control = Control::Loss {
            sequences,
            records,
            reason: "damaged on disk".to_owned(),
        };
        self.shared
            .inbox
            .send(Command::Log { control, reply })
            .map_err(ReadError::Closed)?;
        match answer.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(ReadError::Io(error.to_string())),
            Err(_) => Err(ReadError::Closed(closed_because(&self.shared))),
        }
    }

    /// The sequence from which on `next` reads.
    pub fn position(&self) -> Sequence {
        self.position
    }

    /// Goes back (or on) to `sequence`, not below the low-water mark.
    pub fn seek(&mut self, sequence: Sequence) {
        self.ahead.clear();
        self.place = None;
        self.position = sequence;
    }

    /// Whether `next` would wait.
    pub fn at_durable_end(&self) -> bool {
        self.ahead.is_empty() && self.position >= *self.durable.borrow()
    }

    /// Arrival of the batch that `next` will give, where it is known without reading.
    pub fn next_arrival(&self) -> Option<UnixMillis> {
        match self.ahead.front() {
            Some(Read::Batch(batch)) => Some(batch.arrival()),
            Some(Read::Lost { .. }) => None,
            None => self
                .shared
                .tail
                .lock()
                .after(self.position)
                .map(|TailBatch { batch, .. }| batch.arrival()),
        }
    }
}

/// All that is left of a segment in which nothing can be read.
fn unreadable(position: Sequence, segment: &SegmentInfo) -> Read {
    let sequences = position.max(Sequence(segment.first_sequence))..Sequence(segment.end_sequence);
    Read::Lost {
        records: sequences.end.0.saturating_sub(sequences.start.0),
        sequences,
    }
}

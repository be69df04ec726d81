//! The one writer of a wal: a state machine without a thread, channel or clock of its own. A thread
//! drives it in production, a task in simulation: both call [`Writer::turn`].
//!
//! A turn takes what has arrived, writes it as one group, syncs, and answers (W-1). What arrives
//! while it syncs is the next group. Rotation, checkpoints and truncation happen between groups;
//! their directory work is handed out as [`Job`]s (W-14).

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::entropy::Entropy;
use crate::fs::{Fs, OpenMode};
use crate::object::CursorId;
use crate::record::Sequence;

use super::capacity::Capacity;
use super::checkpoint::Checkpoint;
use super::control::{Control, FrameAt};
use super::files::{SegmentFiles, SegmentInfo};
use super::frame::{Salt, frame_len};
use super::group::{Group, Member};
use super::handle::{AppendError, CursorState, LogError, WalStatus};
use super::payload::Payload;
use super::prepare::{Job, Prepared};
use super::segment::{Predecessor, SEGMENT_HEADER_LEN, SegmentHeader};
use super::shared::{Command, Shared};
use super::state::LogState;

/// A group is closed once it has this many bytes; what fits no more is the next one.
const GROUP_BYTES: u32 = 2 * 1024 * 1024;
/// A checkpoint is written at least this often (W-11).
const CHECKPOINT_EVERY: u64 = 32 * 1024 * 1024;
/// Segments that are ready before they are needed: the reserve of W-7.
pub(super) const SPARES: usize = 2;
/// After a failed write the next try waits, twice as long each time, up to `RETRY_MAX`.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// After a spare could not be made, the next try waits this long.
const PREPARE_RETRY: Duration = Duration::from_secs(1);
/// This many failures in a row end the wal: about eight minutes of a device that takes nothing.
const FAILURES_MAX: u32 = 100;

/// The segment that is being written.
#[derive(Debug)]
pub(super) struct Current<F: Fs> {
    pub(super) file: F::File,
    pub(super) ordinal: u64,
    pub(super) salt: Salt,
    /// Durable bytes. 0 until the header's group is durable.
    pub(super) end: u32,
    /// To be written with the first group.
    pub(super) header: Option<SegmentHeader>,
}

/// What the driver has to do after a turn.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// To be run off the ack path; each result goes back as a command.
    pub(crate) jobs: Vec<Job>,
    /// Call again, without waiting for a command.
    pub(crate) again: bool,
    /// Call again after this long at the latest.
    pub(crate) at_most: Option<Duration>,
    /// The wal is closed: there is no further turn.
    pub(crate) closed: bool,
}

#[derive(Debug)]
pub(crate) struct Writer<F: Fs> {
    pub(super) files: Arc<SegmentFiles<F>>,
    pub(super) shared: Arc<Shared>,
    pub(super) entropy: Entropy,
    pub(super) status: WalStatus,
    pub(super) state: LogState,
    pub(super) capacity: Capacity,
    pub(super) life: u32,
    pub(super) current: Option<Current<F>>,
    /// The sequence that the next record gets: past those of failed groups.
    pub(super) next_sequence: u64,
    /// The low-water mark of the last durable checkpoint: what it lets go may be truncated.
    pub(super) checkpointed: Sequence,
    pub(super) since_checkpoint: u64,
    pub(super) spares: BTreeSet<u64>,
    pub(super) preparing: BTreeSet<u64>,
    /// Truncated segments that wait to be recycled.
    pub(super) free: VecDeque<u64>,
    pub(super) attached: BTreeSet<CursorId>,
    pub(super) damaged: BTreeSet<u64>,
    pub(super) waiting: VecDeque<Command>,
    pub(super) failures: u32,
    pub(super) retry_at: Option<Duration>,
    /// After a spare could not be made: when to try again.
    pub(super) prepare_at: Option<Duration>,
}

impl<F: Fs> Writer<F> {
    /// Takes what has arrived and makes it durable. `now` is monotonic.
    pub(crate) fn turn(&mut self, now: Duration) -> Turn {
        self.shared.inbox.take(&mut self.waiting);
        if let Some(at) = self.retry_at {
            if now < at
                && self
                    .waiting
                    .iter()
                    .all(|c| !matches!(c, Command::Close { .. }))
            {
                self.refuse_while_failing();
                return Turn {
                    at_most: Some(at.saturating_sub(now)),
                    ..Turn::default()
                };
            }
            self.retry_at = None;
        }
        let outcome = self.write_group(now);
        let mut turn = Turn::default();
        match outcome {
            Ok(Written::Nothing) => {}
            Ok(Written::Group) => turn.again = !self.waiting.is_empty(),
            Ok(Written::NeedsSpare) => turn.at_most = Some(RETRY_MAX),
            Ok(Written::Closed(reply)) => {
                self.shut("the agent has stopped");
                reply.send(Ok(())).ok();
                turn.closed = true;
            }
            Err(error) => {
                self.failed(&error, now);
                turn.at_most = self.retry_at.map(|at| at.saturating_sub(now));
                turn.closed = self.status.closed.is_some();
            }
        }
        if self.prepare_at.is_none_or(|at| now >= at) {
            self.prepare_at = None;
            turn.jobs = self.jobs();
        } else {
            turn.at_most = Some(turn.at_most.unwrap_or(PREPARE_RETRY).min(PREPARE_RETRY));
        }
        self.publish();
        turn
    }

    fn write_group(&mut self, now: Duration) -> io::Result<Written> {
        let mut group: Option<Group> = None;
        let mut close = None;
        while let Some(command) = self.waiting.pop_front() {
            let stays = match command {
                Command::Append { payload, reply } => self.add_data(&mut group, payload, reply)?,
                Command::Log { control, reply } => self.add_control(&mut group, control, reply)?,
                Command::Attach { name, reply } => self.add_attach(&mut group, name, reply)?,
                Command::Progress { cursor, progress } => {
                    self.state.progress(cursor, &progress);
                    None
                }
                Command::Detach { cursor } => {
                    self.attached.remove(&cursor);
                    None
                }
                Command::Capacity(bytes) => {
                    self.capacity.set(bytes);
                    None
                }
                Command::Prepared(prepared) => {
                    self.prepared(prepared, now);
                    None
                }
                Command::Close { reply } => {
                    close = Some(reply);
                    break;
                }
            };
            if let Some(command) = stays {
                self.waiting.push_front(command);
                break;
            }
            if group
                .as_ref()
                .is_some_and(|group| group.byte_len() >= GROUP_BYTES)
            {
                break;
            }
        }
        if let Some(reply) = close {
            return self.write_last(group, reply);
        }
        if self.checkpoint_is_due() {
            self.add_checkpoint(&mut group, false)?;
        }
        let Some(group) = group.filter(|group| !group.is_empty()) else {
            let starved = !self.waiting.is_empty();
            return Ok(if starved {
                Written::NeedsSpare
            } else {
                Written::Nothing
            });
        };
        self.commit(group)?;
        Ok(Written::Group)
    }

    /// The last group of a clean stop ends with a checkpoint, so that nothing is in doubt (W-15).
    fn write_last(
        &mut self,
        mut group: Option<Group>,
        reply: oneshot::Sender<Result<(), LogError>>,
    ) -> io::Result<Written> {
        let added = self.add_checkpoint(&mut group, true);
        let done = added.and_then(|()| group.map_or(Ok(()), |group| self.commit(group)));
        if let Err(error) = done {
            self.shut("the agent has stopped");
            reply.send(Err(LogError::Failed(error.to_string()))).ok();
            return Err(error);
        }
        Ok(Written::Closed(reply))
    }

    /// A new segment is wanted when a checkpoint would let one go, and after every 32 MiB.
    fn checkpoint_is_due(&self) -> bool {
        let low_water = self.state.low_water();
        self.since_checkpoint >= CHECKPOINT_EVERY
            || (low_water > self.checkpointed
                && self.shared.segments.len() > 1
                && self
                    .shared
                    .segments
                    .oldest()
                    .is_some_and(|oldest| oldest.end_sequence <= low_water.0))
    }

    fn add_data(
        &mut self,
        group: &mut Option<Group>,
        payload: Payload,
        reply: oneshot::Sender<Result<std::ops::Range<Sequence>, AppendError>>,
    ) -> io::Result<Option<Command>> {
        let bytes = frame_len(payload.byte_len());
        if !self.fits(group.as_ref(), bytes) {
            if group.is_some() {
                return Ok(Some(Command::Append { payload, reply }));
            }
            let segments = self.shared.segments.len() as u64;
            if !self.capacity.another_for_records(segments) {
                let (used_bytes, capacity_bytes) = (self.used(), self.capacity.bytes());
                reply
                    .send(Err(AppendError::Full {
                        used_bytes,
                        capacity_bytes,
                    }))
                    .ok();
                return Ok(None);
            }
            match self.rotate() {
                Ok(true) => {}
                Ok(false) => return Ok(Some(Command::Append { payload, reply })),
                Err(error) => {
                    reply.send(Err(AppendError::Failed(error.to_string()))).ok();
                    return Err(error);
                }
            }
        }
        let first = Sequence(self.next_sequence);
        self.group(group)?.data(&payload, first, reply);
        self.next_sequence += u64::from(payload.count());
        Ok(None)
    }

    fn add_control(
        &mut self,
        group: &mut Option<Group>,
        control: Control,
        reply: oneshot::Sender<Result<FrameAt, LogError>>,
    ) -> io::Result<Option<Command>> {
        let may_wait = matches!(
            control,
            Control::Seal(_) | Control::Reseal { .. } | Control::Version { .. }
        );
        if may_wait && self.reserve_is_low() {
            reply.send(Err(LogError::ReserveLow)).ok();
            return Ok(None);
        }
        let encoded = control.encode();
        if !self.fits(group.as_ref(), frame_len(encoded.len())) {
            if group.is_some() {
                return Ok(Some(Command::Log { control, reply }));
            }
            match self.rotate() {
                Ok(true) => {}
                Ok(false) => return Ok(Some(Command::Log { control, reply })),
                Err(error) => {
                    reply.send(Err(LogError::Failed(error.to_string()))).ok();
                    return Err(error);
                }
            }
        }
        let next_sequence = self.next_sequence;
        self.group(group)?
            .control(control, &encoded, next_sequence, Some(reply));
        Ok(None)
    }

    fn add_attach(
        &mut self,
        group: &mut Option<Group>,
        name: String,
        reply: oneshot::Sender<Result<CursorState, LogError>>,
    ) -> io::Result<Option<Command>> {
        let known = self
            .state
            .cursors
            .iter()
            .find(|(_, entry)| entry.name == name);
        if let Some(id) = known.map(|(id, _)| *id) {
            let answer = if self.attached.insert(id) {
                self.state.cursor_state(id).ok_or(LogError::Attached(name))
            } else {
                Err(LogError::Attached(name))
            };
            reply.send(answer).ok();
            return Ok(None);
        }
        let next = self.state.next_sequence;
        let left = |low_water: Sequence| next.saturating_sub(low_water.0);
        if let Some(other) = self.state.cursors.values().find(|e| left(e.low_water) > 0) {
            let (other, records) = (other.name.clone(), left(other.low_water));
            reply
                .send(Err(LogError::OtherCursor { other, records }))
                .ok();
            return Ok(None);
        }
        // cursors that have nothing left end here; a name that returns is a new cursor (W-9)
        let first = if self.state.cursors.is_empty() {
            Sequence::FIRST
        } else {
            Sequence(next)
        };
        let cursor = CursorId(self.entropy.next_u64());
        let control = Control::Cursor {
            cursor,
            name: name.clone(),
            first,
        };
        let encoded = control.encode();
        if !self.fits(group.as_ref(), frame_len(encoded.len())) {
            if group.is_some() {
                return Ok(Some(Command::Attach { name, reply }));
            }
            match self.rotate() {
                Ok(true) => {}
                Ok(false) => return Ok(Some(Command::Attach { name, reply })),
                Err(error) => {
                    reply.send(Err(LogError::Failed(error.to_string()))).ok();
                    return Err(error);
                }
            }
        }
        let next_sequence = self.next_sequence;
        self.group(group)?
            .control(control, &encoded, next_sequence, None);
        // once its frame is durable, the same name is known
        self.waiting.push_front(Command::Attach { name, reply });
        self.commit_now(group)?;
        Ok(None)
    }

    fn commit_now(&mut self, group: &mut Option<Group>) -> io::Result<()> {
        match group.take() {
            Some(group) => self.commit(group),
            None => Ok(()),
        }
    }

    /// A checkpoint tells the state before its group, so it begins one of its own.
    fn add_checkpoint(&mut self, group: &mut Option<Group>, clean: bool) -> io::Result<()> {
        self.commit_now(group)?;
        self.state.trim();
        let encoded = Checkpoint {
            clean,
            state: self.state.clone(),
        }
        .encode();
        if !self.fits(None, frame_len(encoded.len())) && !self.rotate()? {
            return Ok(());
        }
        let (next_sequence, low_water) = (self.next_sequence, self.state.low_water());
        let begun = self.group(group)?;
        // a new segment begins with one anyway
        if clean || begun.is_empty() {
            begun.checkpoint(&encoded, next_sequence, low_water);
        }
        Ok(())
    }

    fn fits(&self, group: Option<&Group>, bytes: u32) -> bool {
        let Some(current) = &self.current else {
            return false;
        };
        let end = group.map_or(current.end, Group::end);
        u64::from(end) + u64::from(bytes) <= self.capacity.segment_bytes()
    }

    /// The group to add to; a new one begins where the segment is durable, in a new segment with
    /// its header and a checkpoint.
    fn group<'a>(&mut self, group: &'a mut Option<Group>) -> io::Result<&'a mut Group> {
        let begun = match group.take() {
            Some(begun) => begun,
            None => self.begin_group()?,
        };
        Ok(group.insert(begun))
    }

    fn begin_group(&mut self) -> io::Result<Group> {
        let current = self
            .current
            .as_ref()
            .ok_or_else(|| io::Error::other("no segment is open"))?;
        let mut group = Group::new(current.ordinal, current.salt, self.life, current.end);
        if let Some(header) = &current.header {
            group.segment_header(&header.encode());
            self.state.trim();
            let checkpoint = Checkpoint {
                clean: false,
                state: self.state.clone(),
            };
            group.checkpoint(
                &checkpoint.encode(),
                self.next_sequence,
                self.state.low_water(),
            );
        }
        Ok(group)
    }

    /// Takes the next spare into use. `false`: it is still being made ready.
    fn rotate(&mut self) -> io::Result<bool> {
        let newest = self.shared.segments.newest();
        let ordinal = newest.as_ref().map_or(1, |newest| newest.ordinal + 1);
        if self.preparing.contains(&ordinal) {
            return Ok(false);
        }
        let segments = self.shared.segments.len() as u64;
        if !self.capacity.another_for_control(segments) {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "the wal's reserve is used up; records must be delivered first",
            ));
        }
        if !self.spares.remove(&ordinal) {
            let bytes = self.capacity.segment_bytes();
            let directory = self.files.directory.clone();
            Job::Create { ordinal, bytes }
                .run(&self.files.fs, &directory)
                .result?;
        }
        let file = self
            .files
            .fs
            .open(&self.files.path(ordinal), OpenMode::ReadWrite)?;
        let salt = self.entropy.bytes16();
        let predecessor = newest.map(|newest| Predecessor {
            salt: newest.salt,
            end: newest.end,
            end_sequence: newest.end_sequence,
        });
        let header = SegmentHeader {
            shard: self.status.shard,
            ordinal,
            salt,
            first_sequence: self.next_sequence,
            predecessor,
        };
        self.current = Some(Current {
            file,
            ordinal,
            salt,
            end: 0,
            header: Some(header),
        });
        Ok(true)
    }

    /// Writes, syncs, and only then lets it count (I-1, W-2).
    fn commit(&mut self, group: Group) -> io::Result<()> {
        let Some(current) = &mut self.current else {
            group.fail("no segment is open");
            return Err(io::Error::other("no segment is open"));
        };
        if let Err(error) = group.commit(&current.file) {
            group.fail(&error.to_string());
            return Err(error);
        }
        let bytes = u64::from(group.byte_len());
        current.end = group.end();
        self.status.written_bytes += bytes;
        self.since_checkpoint += bytes;
        self.failures = 0;
        self.status.failing = None;
        if let Some(header) = current.header.take() {
            self.shared.segments.push(SegmentInfo {
                ordinal: header.ordinal,
                salt: header.salt,
                begin_sequence: header.predecessor.map_or(0, |before| before.end_sequence),
                first_sequence: header.first_sequence,
                end: SEGMENT_HEADER_LEN,
                end_sequence: header.first_sequence,
            });
        }
        self.take_in(group);
        Ok(())
    }

    fn take_in(&mut self, group: Group) {
        let end = group.end();
        let mut answers = Vec::with_capacity(group.members.len());
        let mut tail = self.shared.tail.lock();
        for member in group.members {
            match member {
                Member::Data {
                    batch,
                    sequences,
                    next,
                    reply,
                } => {
                    self.state.data(sequences.clone());
                    if let Some(batch) = batch {
                        tail.push(batch, next);
                    }
                    answers.push(Answer::Data(reply, sequences));
                }
                Member::Control { control, at, reply } => {
                    if let Control::Loss { sequences, .. } = &control {
                        let holding = self.shared.segments.holding(sequences.start);
                        self.damaged.extend(holding.map(|segment| segment.ordinal));
                    }
                    if let Control::Cursor { .. } = &control {
                        // the cursors before it have nothing left
                        self.state.cursors.clear();
                    }
                    self.state.control(&control, at);
                    answers.extend(reply.map(|reply| Answer::Control(reply, at)));
                }
                Member::Checkpoint { low_water } => {
                    self.checkpointed = low_water;
                    self.since_checkpoint = 0;
                }
            }
        }
        drop(tail);
        self.shared.segments.set_end(end, self.state.next_sequence);
        self.truncate();
        // the status first: who hears of a record finds it counted
        self.publish();
        self.shared
            .durable
            .send_replace(Sequence(self.state.next_sequence));
        for answer in answers {
            // whoever no longer waits needs no answer
            match answer {
                Answer::Data(reply, sequences) => drop(reply.send(Ok(sequences))),
                Answer::Control(reply, at) => drop(reply.send(Ok(at))),
            }
        }
    }

    /// Lets go of the oldest segments that a durable checkpoint no longer needs (W-12).
    fn truncate(&mut self) {
        self.shared
            .let_go
            .store(self.checkpointed.0, Ordering::Release);
        for segment in self.shared.segments.truncate(self.checkpointed) {
            self.files.forget(segment.ordinal);
            self.free.push_back(segment.ordinal);
        }
    }

    /// Directory work that is due: spares for the reserve, truncated segments to be used again.
    pub(super) fn jobs(&mut self) -> Vec<Job> {
        let mut jobs = Vec::new();
        let newest = self.current.as_ref().map_or_else(
            || {
                self.shared
                    .segments
                    .newest()
                    .map_or(0, |newest| newest.ordinal)
            },
            |current| current.ordinal,
        );
        let mut next = newest + 1;
        let mut take = |spares: &BTreeSet<u64>, preparing: &BTreeSet<u64>| {
            while spares.contains(&next) || preparing.contains(&next) {
                next += 1;
            }
            next
        };
        while let Some(from) = self.free.pop_front() {
            if self.damaged.remove(&from) {
                jobs.push(Job::Quarantine { ordinal: from });
                continue;
            }
            let held = self.shared.segments.len() + self.spares.len() + self.preparing.len();
            if held as u64 >= self.capacity.segments() + SPARES as u64 {
                jobs.push(Job::Remove { ordinal: from });
                continue;
            }
            let to = take(&self.spares, &self.preparing);
            self.preparing.insert(to);
            jobs.push(Job::Recycle { from, to });
        }
        while self.status.failing.is_none() && self.spares.len() + self.preparing.len() < SPARES {
            let ordinal = take(&self.spares, &self.preparing);
            self.preparing.insert(ordinal);
            jobs.push(Job::Create {
                ordinal,
                bytes: self.capacity.segment_bytes(),
            });
        }
        jobs
    }

    fn prepared(&mut self, prepared: Prepared, now: Duration) {
        let (ordinal, recycled) = match prepared.job {
            Job::Create { ordinal, .. } => (Some(ordinal), None),
            Job::Recycle { from, to } => (Some(to), Some(from)),
            Job::Remove { .. } | Job::Quarantine { .. } => (None, None),
        };
        if let Some(ordinal) = ordinal {
            self.preparing.remove(&ordinal);
        }
        match (prepared.result, ordinal) {
            (Ok(()), Some(ordinal)) => {
                self.spares.insert(ordinal);
            }
            (Ok(()), None) => {}
            (Err(error), _) => {
                // the writer makes the file itself when it needs it, and says then what is wrong
                tracing::warn!(job = ?prepared.job, %error, "a wal segment could not be prepared");
                self.prepare_at = Some(now + PREPARE_RETRY);
                if let Some(from) = recycled {
                    let remove = Job::Remove { ordinal: from };
                    drop(remove.run(&self.files.fs, &self.files.directory.clone()));
                }
            }
        }
    }

    /// A failed write or sync poisons the segment (W-2): nothing more is written to it, the next
    /// group goes to a new one, whose header says where this one ends.
    fn failed(&mut self, error: &io::Error, now: Duration) {
        self.failures += 1;
        self.status.failures += 1;
        self.status.failing = Some(error.to_string());
        if let Some(current) = self.current.take()
            && current.header.is_some()
        {
            // it never was part of the log: the next try begins with a file that no failed sync saw
            self.files.forget(current.ordinal);
            let remove = Job::Remove {
                ordinal: current.ordinal,
            };
            drop(remove.run(&self.files.fs, &self.files.directory.clone()));
        }
        tracing::warn!(%error, failures = self.failures, "the wal could not be written");
        if self.failures >= FAILURES_MAX {
            self.shut(&format!("the wal directory takes no writes: {error}"));
            return;
        }
        let wait = RETRY_MIN
            .saturating_mul(1 << (self.failures - 1).min(10))
            .min(RETRY_MAX);
        self.retry_at = Some(now + wait);
        self.refuse_while_failing();
    }

    /// While the device is failing, whoever waits is told at once.
    fn refuse_while_failing(&mut self) {
        let why = self.status.failing.clone().unwrap_or_default();
        let mut keep = VecDeque::new();
        for command in mem::take(&mut self.waiting) {
            match command {
                Command::Append { reply, .. } => {
                    reply.send(Err(AppendError::Failed(why.clone()))).ok();
                }
                Command::Log { reply, .. } => {
                    reply.send(Err(LogError::Failed(why.clone()))).ok();
                }
                Command::Attach { reply, .. } => {
                    reply.send(Err(LogError::Failed(why.clone()))).ok();
                }
                other => keep.push_back(other),
            }
        }
        self.waiting = keep;
    }

    fn shut(&mut self, why: &str) {
        self.shared.inbox.close(why);
        self.waiting.clear();
        self.status.closed = Some(why.to_owned());
        // wakes the cursors that wait for records
        self.shared.durable.send_modify(|_| {});
        self.publish();
    }

    fn used(&self) -> u64 {
        let end = self
            .current
            .as_ref()
            .map_or(0, |current| u64::from(current.end));
        let full = self.shared.segments.len() as u64;
        let full = if self.current.as_ref().is_some_and(|c| c.header.is_none()) {
            full.saturating_sub(1)
        } else {
            full
        };
        full * self.capacity.segment_bytes() + end
    }

    fn reserve_is_low(&self) -> bool {
        self.capacity
            .reserve_is_low(self.used(), self.state.live_batches() as u64)
    }

    /// For the opening, where jobs run inline.
    pub(super) fn take_prepared(&mut self, prepared: Prepared) {
        self.prepared(prepared, Duration::ZERO);
    }

    /// Writes the first checkpoint of a life (W-7): durable before anything is taken in.
    pub(super) fn begin_life(&mut self) -> io::Result<()> {
        let mut group = None;
        self.add_checkpoint(&mut group, false)?;
        self.commit_now(&mut group)
    }

    pub(super) fn publish(&mut self) {
        let used = self.used();
        let status = &mut self.status;
        status.used_bytes = used;
        status.capacity_bytes = self.capacity.bytes();
        status.segments = self.shared.segments.len() as u64;
        status.durable_end = Sequence(self.state.next_sequence);
        status.accepted_records = self.state.accepted;
        status.lost_records = self.state.lost;
        status.pressure = used.saturating_mul(10) > status.capacity_bytes.saturating_mul(7);
        status.reserve_low = self
            .capacity
            .reserve_is_low(used, self.state.live_batches() as u64);
        let room = &self.shared.room;
        room.used.store(used, Ordering::Relaxed);
        room.capacity
            .store(status.capacity_bytes, Ordering::Relaxed);
        let changed = *self.status_seen() != self.status;
        if changed {
            self.shared
                .status
                .send_replace(Arc::new(self.status.clone()));
        }
    }

    fn status_seen(&self) -> Arc<WalStatus> {
        self.shared.status.borrow().clone()
    }
}

/// How a turn's writing went.
#[derive(Debug)]
enum Written {
    Nothing,
    Group,
    /// What waits needs a segment that is still being made ready.
    NeedsSpare,
    Closed(oneshot::Sender<Result<(), LogError>>),
}

#[derive(Debug)]
enum Answer {
    Data(
        oneshot::Sender<Result<std::ops::Range<Sequence>, AppendError>>,
        std::ops::Range<Sequence>,
    ),
    Control(oneshot::Sender<Result<FrameAt, LogError>>, FrameAt),
}

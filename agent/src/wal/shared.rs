//! What the handles and the writer share: the inbox, the tail, the counters, the table of segments.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, oneshot, watch};

use crate::executor::Executor;
use crate::object::CursorId;
use crate::record::Sequence;

use super::control::{Control, FrameAt};
use super::files::{ReadSegment, SegmentTable};
use super::handle::{AppendError, CursorState, LogError, Progress, WalStatus};
use super::payload::{Payload, RecordBatch};
use super::prepare::Prepared;
use super::versions::VersionStore;

/// What the handles ask of the writer.
#[derive(Debug)]
pub(super) enum Command {
    Append {
        payload: Payload,
        reply: oneshot::Sender<Result<Range<Sequence>, AppendError>>,
    },
    Log {
        control: Control,
        reply: oneshot::Sender<Result<FrameAt, LogError>>,
    },
    Progress {
        cursor: CursorId,
        progress: Progress,
    },
    Attach {
        name: String,
        reply: oneshot::Sender<Result<CursorState, LogError>>,
    },
    Detach {
        cursor: CursorId,
    },
    Capacity(u64),
    Prepared(Prepared),
    Close {
        reply: oneshot::Sender<Result<(), LogError>>,
    },
}

/// Commands on their way to the writer. Appends are bounded by the bytes that reservations allow,
/// control frames by the number of sealed batches.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    ready: Condvar,
    notify: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    commands: VecDeque<Command>,
    /// Why nothing is taken any more.
    closed: Option<String>,
}

impl Inbox {
    /// Hands over a command, or gives back why the wal is closed.
    pub(super) fn send(&self, command: Command) -> Result<(), String> {
        let mut queue = self.queue.lock();
        if let Some(why) = &queue.closed {
            return Err(why.clone());
        }
        queue.commands.push_back(command);
        drop(queue);
        self.ready.notify_one();
        self.notify.notify_one();
        Ok(())
    }

    pub(super) fn take(&self, into: &mut VecDeque<Command>) {
        into.append(&mut self.queue.lock().commands);
    }

    /// Refuses whatever comes from now on; what waits is dropped, which its senders notice.
    pub(super) fn close(&self, why: &str) {
        let mut queue = self.queue.lock();
        queue.closed = Some(why.to_owned());
        queue.commands.clear();
    }

    pub(super) fn closed(&self) -> Option<String> {
        self.queue.lock().closed.clone()
    }

    /// Waits for a command: for the writer's thread.
    pub(super) fn wait(&self, at_most: Duration) {
        let mut queue = self.queue.lock();
        if queue.commands.is_empty() && queue.closed.is_none() {
            self.ready.wait_for(&mut queue, at_most);
        }
    }

    /// Waits for a command: for a simulation's task.
    #[cfg(test)]
    pub(super) async fn notified(&self) {
        self.notify.notified().await;
    }
}

/// All that is shared.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) inbox: Inbox,
    pub(super) executor: Executor,
    pub(super) segments: SegmentTable,
    pub(super) files: Arc<dyn ReadSegment>,
    pub(super) versions: Arc<dyn VersionStore>,
    pub(super) tail: Mutex<Tail>,
    /// The sequence after the last durable record.
    pub(super) durable: watch::Sender<Sequence>,
    pub(super) status: watch::Sender<Arc<WalStatus>>,
    pub(super) room: Room,
    /// Records below this sequence are complete for every cursor: their segments may be gone.
    pub(super) let_go: AtomicU64,
}

/// The room for records, in bytes of log.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) used: AtomicU64,
    pub(super) reserved: AtomicU64,
    pub(super) capacity: AtomicU64,
}

impl Room {
    /// Takes `bytes`, or says what is used and how much there is.
    pub(super) fn reserve(&self, bytes: u64) -> Result<(), (u64, u64)> {
        let reserved = self.reserved.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let used = self.used.load(Ordering::Relaxed);
        let capacity = self.capacity.load(Ordering::Relaxed);
        if used.saturating_add(reserved) > capacity {
            self.release(bytes);
            return Err((used, capacity));
        }
        Ok(())
    }

    pub(super) fn release(&self, bytes: u64) {
        self.reserved.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The newest durable batches, by reference: cursors that keep up read no disk (W-8). Bounded in
/// bytes; the oldest goes first, whoever lags.
#[derive(Debug)]
pub(super) struct Tail {
    batches: VecDeque<TailBatch>,
    bytes: usize,
    bytes_max: usize,
    /// Every batch from this sequence to the durable end is here.
    from: Sequence,
}

#[derive(Clone, Debug)]
pub(super) struct TailBatch {
    pub(super) batch: RecordBatch,
    /// Where the frame after it begins.
    pub(super) next: FrameAt,
}

impl Tail {
    pub(super) fn new(from: Sequence, bytes_max: usize) -> Self {
        Self {
            batches: VecDeque::new(),
            bytes: 0,
            bytes_max,
            from,
        }
    }

    pub(super) fn push(&mut self, batch: RecordBatch, next: FrameAt) {
        self.bytes += batch.byte_len();
        self.batches.push_back(TailBatch { batch, next });
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.batches.pop_front() else {
                break;
            };
            self.bytes -= oldest.batch.byte_len();
            self.from = oldest.batch.sequences().end;
        }
    }

    /// The first batch that ends after `position`; none if it is not, or no longer, here.
    pub(super) fn after(&self, position: Sequence) -> Option<TailBatch> {
        if position < self.from {
            return None;
        }
        let at = self
            .batches
            .partition_point(|entry| entry.batch.sequences().end <= position);
        self.batches.get(at).cloned()
    }
}

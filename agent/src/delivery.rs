//! One destination's loop: the only place where cursor, batches, ledger, journal and destination
//! meet (D-1 to D-12).
//!
//! ```text
//! cursor ─▶ shape ─▶ ledger: free ─▶ open batch ─▶ SEAL ─▶ create ─▶ DONE ─▶ progress
//!                        sealed ─▶ built again ──────────────┘
//!                        complete ─▶ nothing
//! ```
//! One task; it owns all state. Encoding and creates run beside it and answer through join sets.
//! Each arrow is durable before the next (reliability: seal, create, DONE).

pub mod ledger;
pub mod presence;
mod ship;
pub mod snapshot;
pub mod version;

mod building;
mod run;
mod shipping;
pub mod start;

#[cfg(test)]
mod sim;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::batch::policy::Hints;
use crate::batch::{Body, EncodedBlock, OpenBatch, Ratio, SealingBatch, Spill, Unencoded};
use crate::clock::WallClock;
use crate::destination::Destination;
use crate::destination::retrying::Backoff;
use crate::entropy::Entropy;
use crate::executor::Executor;
use crate::format::ErrorType;
use crate::object::{BatchId, Partition};
use crate::record::{Sequence, UnixMillis};
use crate::wal::{Cursor, Journal, LogError, ReadError, Wal};

use ledger::Ledger;
use presence::Knowledge;
use snapshot::{Accepted, Snapshot};
use version::{Version, Versions};

/// Held sealed batches at most; then the cursor stops reading (D-3).
pub const HELD_MAX: usize = 100;

/// What the loop takes from outside, so that a simulation can give it others.
#[derive(Clone, Debug)]
pub struct Seams {
    pub clock: Arc<dyn WallClock>,
    pub entropy: Entropy,
    pub executor: Executor,
}

/// What of the spec changes while the loop runs (I-6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orders {
    /// Counted where the operator counts it; on a laptop the wal directory counts.
    pub generation: Option<u64>,
    pub data_path: crds::validate::DataPath,
    pub hints: Hints,
    pub concurrency: usize,
    /// The annotation that asks for a re-seal: a new value is an order (I-6).
    pub reseal_requested: Option<String>,
    /// Seal everything, deliver it, and go on only with what comes meanwhile.
    pub drain: bool,
}

/// Why a delivery ended.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("a version in the wal can't be used: {0}")]
    Version(#[from] crds::validate::DataPathError),
    /// Background work was lost: the runtime is going away.
    #[error(transparent)]
    Lost(#[from] crate::executor::WorkLost),
    /// A fault of ours: the message says what does not fit.
    #[error("the delivery's books don't fit: {0}")]
    Fault(String),
}

/// One destination's delivery.
#[derive(Debug)]
pub struct Delivery {
    name: String,
    seams: Seams,
    wal: Wal,
    destination: Arc<dyn Destination>,
    spill: Option<Arc<dyn Spill>>,
    orders: watch::Receiver<Orders>,
    current: Orders,
    snapshots: watch::Sender<Snapshot>,

    cursor: Cursor,
    journal: Journal,
    ledger: Ledger,
    versions: Versions,
    accepted: Accepted,
    /// Every record below this was taken in once; the cursor goes back only to build again.
    passed: Sequence,
    passed_records: u64,
    /// The durable end when the process started: older records have aged by the wall clock.
    started_at: Sequence,

    open: BTreeMap<Partition, Open>,
    sealing: BTreeMap<BatchId, Sealing>,
    /// Sealed and not done, in log order.
    shipping: BTreeMap<(Sequence, BatchId), Shipment>,
    building: BTreeMap<BatchId, OpenBatch>,
    ratios: BTreeMap<Partition, Ratio>,

    encoding: JoinSet<(BatchId, Result<EncodedBlock, Box<Unencoded>>)>,
    steps: JoinSet<(BatchId, ship::Answer)>,
    backoff: Backoff,
    /// A SEAL that the wal did not take: when to try again.
    seal_again: Option<Instant>,
    told: Told,
}

/// A batch that takes outputs.
#[derive(Debug)]
struct Open {
    batch: OpenBatch,
    version: Arc<Version>,
    error: Option<ErrorType>,
    since: Instant,
    age: Duration,
}

/// A batch that is closed and not sealed yet.
#[derive(Debug)]
struct Sealing {
    batch: SealingBatch,
    version: Arc<Version>,
    error: Option<ErrorType>,
    /// It is sealed already: these are its bytes once more (D-12).
    again: bool,
}

/// A sealed batch on its way.
#[derive(Debug)]
struct Shipment {
    id: BatchId,
    knowledge: Knowledge,
    body: Option<Body>,
    version: Option<Arc<Version>>,
    error: Option<ErrorType>,
    arrival: UnixMillis,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// May take its next step.
    Ready,
    /// A step is under way.
    Busy,
    /// Until then.
    Waiting(Instant),
}

/// Counters for snapshots.
#[derive(Debug, Default)]
struct Told {
    recovering: bool,
    objects: u64,
    bytes: u64,
    complete_bytes: u64,
    failures: u64,
    taken: u64,
    busy: Duration,
    problems: BTreeMap<&'static str, (String, UnixMillis)>,
    last_failure: Option<(UnixMillis, String)>,
}

//! One stream: its wal and its deliveries. The only room that sees the whole validated spec.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crds::validate::{ValidatedDelivery, ValidatedStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::batch::policy::Hints;
use crate::batch::{Spill, SpillDirectory};
use crate::delivery::snapshot::Snapshot;
use crate::delivery::start::Parts;
use crate::delivery::{Delivery, DeliveryError, Orders, Seams};
use crate::destination::Destination;
use crate::destination::file_system::FileSystem;
use crate::fs::Fs;
use crate::wal::Wal;

/// Below the wal directory: what does not fit into memory while it waits.
const SPILL: &str = "spill";
/// Below the wal directory: which directories files were ever linked into (D-15).
const STAGED_ROOTS: &str = "staged-roots";

/// What comes with a spec besides its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Where the operator counts the changes of the data path; a laptop counts in the wal directory.
    pub generation: Option<u64>,
    /// The annotation `standpipe.dev/reseal-requested-at`.
    pub reseal_requested: Option<String>,
}

/// The deliveries of one stream, as the rest of the agent holds them.
#[derive(Debug)]
pub struct Pipeline {
    wal: Wal,
    orders: watch::Sender<Orders>,
    snapshots: watch::Receiver<Snapshot>,
}

/// Why a stream can't be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the manifest has no destination")]
    NoDestination,
    #[error("the spill directory {path}: {error}")]
    Spill { path: String, error: io::Error },
}

impl Pipeline {
    /// Makes the deliveries of a stream; nothing runs until the second value does. It ends when the
    /// wal closes or when its delivery can't go on. `wal_directory` is the one given to the wal.
    pub async fn start<F: Fs>(
        fs: F,
        seams: Seams,
        wal: Wal,
        wal_directory: &Path,
        stream: &ValidatedStream,
        origin: Origin,
    ) -> Result<
        (
            Self,
            impl Future<Output = Result<(), DeliveryError>> + use<F>,
        ),
        StartError,
    > {
        let delivery = stream.deliveries.first().ok_or(StartError::NoDestination)?;
        let path = wal_directory.join(SPILL);
        let spill =
            SpillDirectory::open(fs.clone(), path.clone()).map_err(|error| StartError::Spill {
                path: path.display().to_string(),
                error,
            })?;
        let destination = FileSystem::new(
            fs,
            seams.executor.clone(),
            wal.status().shard,
            wal_directory.join(STAGED_ROOTS),
            delivery.data_path.destination.root.clone(),
        );
        for failure in destination.clean().await {
            tracing::warn!(%failure, "temporaries of an earlier process could not be looked at");
        }
        let spill: Arc<dyn Spill> = Arc::new(spill);
        Ok(Self::with(
            seams,
            wal,
            delivery,
            Arc::new(destination),
            Some(spill),
            origin,
        ))
    }

    /// As `start`, with a destination of the caller's.
    pub fn with(
        seams: Seams,
        wal: Wal,
        delivery: &ValidatedDelivery,
        destination: Arc<dyn Destination>,
        spill: Option<Arc<dyn Spill>>,
        origin: Origin,
    ) -> (
        Self,
        impl Future<Output = Result<(), DeliveryError>> + use<>,
    ) {
        let (orders, taken) = watch::channel(orders(delivery, origin));
        let recovering = Snapshot {
            name: delivery.name.clone(),
            recovering: true,
            ..Snapshot::default()
        };
        let (told, snapshots) = watch::channel(recovering);
        let parts = Parts {
            name: delivery.name.clone(),
            seams,
            wal: wal.clone(),
            destination,
            spill,
            orders: taken,
            snapshots: told,
        };
        let pipeline = Self {
            wal,
            orders,
            snapshots,
        };
        (pipeline, async {
            Delivery::attach(parts).await?.run().await
        })
    }

    /// Puts a changed spec in force between two batches (I-6). What needs a restart was refused
    /// before.
    pub fn apply(&self, stream: &ValidatedStream, origin: Origin) {
        self.wal.set_capacity(stream.wal.capacity_bytes);
        let Some(delivery) = stream.deliveries.first() else {
            return;
        };
        let next = orders(delivery, origin);
        self.orders.send_if_modified(|current| {
            let next = Orders {
                drain: current.drain,
                ..next
            };
            let changed = *current != next;
            *current = next;
            changed
        });
    }

    /// What the deliveries tell, all of one moment each.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshots.borrow().clone()
    }

    /// Seals and delivers all that was accepted; whether nothing was left at the deadline. Intake
    /// must have ended.
    pub async fn drain(&self, deadline: Instant) -> bool {
        self.orders.send_modify(|orders| orders.drain = true);
        let mut snapshots = self.snapshots.clone();
        let wal = self.wal.clone();
        let empty = async move {
            loop {
                let told = snapshots.borrow_and_update().clone();
                let accepted = wal.status().accepted_records;
                if told.empty && !told.recovering && told.wal_accepted == accepted {
                    return true;
                }
                // a delivery that ended tells nothing more
                let wait = tokio::time::timeout(Duration::from_secs(1), snapshots.changed());
                if matches!(wait.await, Ok(Err(_))) {
                    return false;
                }
            }
        };
        timeout_at(deadline, empty).await.unwrap_or(false)
    }
}

fn orders(delivery: &ValidatedDelivery, origin: Origin) -> Orders {
    Orders {
        generation: origin.generation,
        data_path: delivery.data_path.clone(),
        hints: Hints {
            size_bytes: delivery.buffering.size_bytes,
            interval_seconds: delivery.buffering.interval_seconds,
        },
        concurrency: delivery.concurrency as usize,
        reseal_requested: origin.reseal_requested,
        drain: false,
    }
}

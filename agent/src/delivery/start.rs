//! Attaching a delivery: versions, live frames, the newest version's VERSION (W-10, W-13).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crds::validate::DataPath;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::batch::Spill;
use crate::destination::Destination;
use crate::destination::retrying::Backoff;
use crate::object::BatchId;
use crate::record::Sequence;
use crate::wal::{Control, LogError, ReadError, Wal};

use super::ledger::Ledger;
use super::presence::Knowledge;
use super::snapshot::{Accepted, Snapshot};
use super::version::{Version, Versions};
use super::{Delivery, DeliveryError, Orders, Seams, Shipment, Stage, Told};

/// How long to wait before the wal is asked again.
pub(super) const LOG_RETRY: Duration = Duration::from_millis(500);

/// What a delivery is made of.
#[derive(Debug)]
pub struct Parts {
    pub name: String,
    pub seams: Seams,
    pub wal: Wal,
    pub destination: Arc<dyn Destination>,
    pub spill: Option<Arc<dyn Spill>>,
    pub orders: watch::Receiver<Orders>,
    pub snapshots: watch::Sender<Snapshot>,
}

impl Delivery {
    /// Attaches to the wal and reads what an earlier process left. The name can be taken, or another
    /// name's records wait: then there is no delivery.
    pub async fn attach(mut parts: Parts) -> Result<Self, DeliveryError> {
        let (cursor, journal, state) = loop {
            match parts.wal.attach(&parts.name).await {
                Err(LogError::Failed(_)) => tokio::time::sleep(LOG_RETRY).await,
                attached => break attached?,
            }
        };
        let status = parts.wal.status();
        let mut versions = Versions::default();
        for entry in &state.versions {
            let json = retry_read(|| parts.wal.version(entry.digest)).await?;
            let path = DataPath::from_canonical_json(&json)?;
            let version = Version::new(entry.digest, entry.generation, path, &parts.name)?;
            versions.set(entry.first, Arc::new(version));
        }
        let mut ledger = Ledger::new(&state);
        for at in &state.live {
            let control = match retry_read(|| journal.read(*at)).await {
                Ok(control) => control,
                Err(ReadError::Damaged(why)) => {
                    tracing::error!(delivery = parts.name, why, "a control frame is damaged");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if let Some(progress) = ledger.apply(&control) {
                journal.progress(progress);
            }
        }
        let records = state.records_below_low_water + state.records_from_low_water;
        let current = parts.orders.borrow_and_update().clone();
        let mut delivery = Self {
            name: parts.name,
            seams: parts.seams,
            wal: parts.wal,
            destination: parts.destination,
            spill: parts.spill,
            orders: parts.orders,
            current,
            snapshots: parts.snapshots,
            accepted: Accepted {
                at_attach: records,
                wal_at_attach: status.accepted_records,
            },
            passed: state.low_water,
            passed_records: state.records_below_low_water,
            started_at: status.durable_end,
            cursor,
            journal,
            shipping: inherited(&ledger, &versions),
            ledger,
            versions,
            open: BTreeMap::new(),
            sealing: BTreeMap::new(),
            building: BTreeMap::new(),
            ratios: BTreeMap::new(),
            encoding: JoinSet::new(),
            steps: JoinSet::new(),
            backoff: Backoff::default(),
            seal_again: None,
            told: Told {
                recovering: true,
                ..Told::default()
            },
        };
        delivery.adopt_version().await?;
        delivery.told.recovering = false;
        delivery.publish();
        Ok(delivery)
    }

    /// Makes the newest data path the version in force for what is not sealed yet (W-10): its text is
    /// durable, then the VERSION, and only then a SEAL under it.
    pub(super) async fn adopt_version(&mut self) -> Result<(), DeliveryError> {
        let path = self.current.data_path.clone();
        if self
            .versions
            .newest()
            .is_some_and(|newest| newest.data_path == path)
        {
            return Ok(());
        }
        let json = path
            .canonical_json()
            .map_err(|error| DeliveryError::Fault(error.to_string()))?;
        let digest = self
            .log_until(|wal| {
                let json = json.clone();
                async move { wal.put_version(json).await }
            })
            .await?;
        let generation = match self.current.generation {
            Some(generation) => generation,
            None => {
                self.log_until(|wal| async move { wal.generation(digest).await })
                    .await?
            }
        };
        let first = self.passed.max(self.ledger.after_sealed());
        let version = Version::new(digest, generation, path, &self.name)?;
        self.log(Control::Version {
            cursor: self.journal.cursor(),
            first,
            generation,
            digest,
        })
        .await?;
        tracing::info!(delivery = self.name, generation, %first, "a new version of the data path");
        self.versions.set(first, Arc::new(version));
        Ok(())
    }

    /// Logs a control frame, however long the wal needs; an error only when it is closed.
    pub(super) async fn log(&mut self, control: Control) -> Result<(), DeliveryError> {
        loop {
            match self.journal.log(control.clone()).await {
                Ok(_) => break,
                Err(LogError::Failed(_) | LogError::ReserveLow) => {
                    tokio::time::sleep(LOG_RETRY).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(progress) = self.ledger.apply(&control) {
            self.journal.progress(progress);
        }
        Ok(())
    }

    async fn log_until<T, W>(&self, work: impl Fn(Wal) -> W) -> Result<T, DeliveryError>
    where
        W: Future<Output = Result<T, LogError>>,
    {
        loop {
            match work(self.wal.clone()).await {
                Err(LogError::Failed(why)) => {
                    tracing::warn!(delivery = self.name, why, "a version could not be kept");
                    tokio::time::sleep(LOG_RETRY).await;
                }
                result => return Ok(result?),
            }
        }
    }
}

/// What an earlier process sealed: looked for before anything else (D-12).
fn inherited(ledger: &Ledger, versions: &Versions) -> BTreeMap<(Sequence, BatchId), Shipment> {
    let shipment = |(id, sealed): (BatchId, &super::ledger::Sealed)| {
        let batch = &sealed.batch;
        let first = batch.identity.first_sequence;
        let shipment = Shipment {
            id,
            knowledge: Knowledge::inherited(),
            body: None,
            version: versions.of(first).cloned(),
            error: (batch.identity.partition == crate::object::Partition::Error)
                .then_some(crate::format::ErrorType::FormatConversionFailed),
            arrival: batch.arrival,
            stage: Stage::Ready,
        };
        ((first, id), shipment)
    };
    ledger.sealed().map(shipment).collect()
}

/// Reads until the device answers; what is damaged stays damaged.
async fn retry_read<T, R>(read: impl Fn() -> R) -> Result<T, ReadError>
where
    R: Future<Output = Result<T, ReadError>>,
{
    loop {
        match read().await {
            Err(ReadError::Io(why)) => {
                tracing::warn!(why, "the wal could not be read");
                tokio::time::sleep(LOG_RETRY).await;
            }
            result => return result,
        }
    }
}

//! Sealed batches on their way: which may take its next step, what follows from the answer, what is
//! held, and where a held one goes instead (D-3, D-9 to D-12).

use std::sync::Arc;

use tokio::time::Instant;

use crate::batch::OpenBatch;
use crate::object::{BatchId, Outcome, Presence};
use crate::record::Sequence;
use crate::wal::Control;

use super::presence::{Held, Knowledge, Next};
use super::ship::{Answer, Parcel};
use super::version::Named;
use super::{Delivery, DeliveryError, Shipment, Stage};

type Key = (Sequence, BatchId);

impl Delivery {
    /// Begins steps, oldest batch first, at most `concurrency` at once; asks for bytes that are
    /// missing.
    pub(super) fn ship(&mut self) {
        let now = Instant::now();
        let due: Vec<Key> = self
            .shipping
            .iter()
            .filter(|(_, shipment)| match shipment.stage {
                Stage::Ready => true,
                Stage::Waiting(until) => until <= now,
                Stage::Busy => false,
            })
            .map(|(key, _)| *key)
            .collect();
        for key in due {
            if self.steps.len() >= self.current.concurrency {
                return;
            }
            self.step(key);
        }
    }

    fn step(&mut self, key: Key) {
        let Some(shipment) = self.shipping.get_mut(&key) else {
            return;
        };
        let Some(sealed) = self.ledger.get(shipment.id) else {
            return;
        };
        let parcel = Parcel {
            id: shipment.id,
            batch: sealed.batch.clone(),
            lengths: sealed.lengths.iter().copied().collect(),
            destination: Arc::clone(&self.destination),
            executor: self.seams.executor.clone(),
        };
        match (shipment.knowledge.first(), &shipment.body) {
            (Next::Create, Some(body)) => {
                let body = body.clone();
                shipment.stage = Stage::Busy;
                self.steps.spawn(parcel.create(body));
            }
            (Next::Create, None) => {
                // nothing to wait for but its bytes: looked at again whenever something happens
                shipment.stage = Stage::Ready;
                self.want_body(key);
            }
            _ => {
                shipment.stage = Stage::Busy;
                self.steps.spawn(parcel.look());
            }
        }
    }

    /// Begins to build a sealed batch again, if there is room: the cursor goes back to its first
    /// record.
    fn want_body(&mut self, key: Key) {
        let again = self
            .sealing
            .values()
            .filter(|sealing| sealing.again)
            .count();
        let bodies = self
            .shipping
            .values()
            .filter(|shipment| shipment.body.is_some())
            .count();
        let building = self.building.len() + again;
        let under_way = self.building.contains_key(&key.1) || self.sealing.contains_key(&key.1);
        // the first one always may, or held bodies would keep it out for ever
        if under_way || (building > 0 && building + bodies >= self.current.concurrency) {
            return;
        }
        let version = self.shipping.get(&key).and_then(|s| s.version.clone());
        let (Some(sealed), Some(version)) = (self.ledger.get(key.1), version) else {
            return;
        };
        let batch = OpenBatch::rebuild(
            sealed.batch.clone(),
            version.digest,
            version.compression,
            self.spill.clone(),
        );
        self.building.insert(key.1, batch);
        if key.0 < self.cursor.position() {
            self.cursor.seek(key.0);
        }
    }

    /// Takes in how a step ended.
    pub(super) async fn stepped(
        &mut self,
        id: BatchId,
        answer: Answer,
    ) -> Result<(), DeliveryError> {
        let Some(key) = self.shipping.keys().find(|(_, of)| *of == id).copied() else {
            return Ok(());
        };
        let Some(shipment) = self.shipping.get_mut(&key) else {
            return Ok(());
        };
        let created = matches!(answer, Answer::Created(Outcome::Created));
        let absent = matches!(answer, Answer::Looked(Presence::Absent { .. }));
        if let Answer::Created(Outcome::MayHaveHappened(failure)) = &answer {
            self.told.failures += 1;
            self.told.last_failure = Some((self.seams.clock.now(), failure.message.clone()));
            tracing::warn!(delivery = self.name, batch = %id, why = failure.message, "no answer");
        }
        let next = match answer {
            Answer::Looked(presence) => shipment.knowledge.looked(presence),
            Answer::Created(outcome) => shipment.knowledge.created(outcome),
        };
        match next {
            Next::Done { taken } => self.delivered(key, created, taken).await?,
            Next::Look => shipment.stage = Stage::Ready,
            Next::Create => {
                // after a try that said nothing the next one waits too
                let attempts = shipment.knowledge.attempts;
                shipment.stage = match attempts.checked_sub(1) {
                    None => Stage::Ready,
                    Some(attempt) => {
                        let wait = self.backoff.delay(attempt, &self.seams.entropy);
                        Stage::Waiting(Instant::now() + wait)
                    }
                };
                if absent {
                    self.reseal_if_moved(key).await?;
                }
            }
            Next::Wait(failure) => {
                let attempt = shipment.knowledge.attempts.saturating_sub(1);
                let wait = self.backoff.delay(attempt, &self.seams.entropy);
                shipment.stage = Stage::Waiting(Instant::now() + wait);
                self.told.failures += 1;
                self.told.last_failure = Some((self.seams.clock.now(), failure.message.clone()));
                tracing::warn!(delivery = self.name, batch = %id, attempt, why = failure.message, "not delivered");
                self.spare_memory(key);
                self.reseal_if_moved(key).await?;
            }
        }
        Ok(())
    }

    /// The object is at its place: DONE, and the records are complete.
    async fn delivered(
        &mut self,
        key: Key,
        created: bool,
        taken: bool,
    ) -> Result<(), DeliveryError> {
        self.shipping.remove(&key);
        self.building.remove(&key.1);
        self.sealing.remove(&key.1);
        let length = self
            .ledger
            .get(key.1)
            .map_or(0, |sealed| sealed.batch.length);
        let done = self.done_frame(key.1);
        self.log(done).await?;
        self.told.objects += u64::from(created);
        self.told.bytes += length;
        self.told.taken += u64::from(taken);
        Ok(())
    }

    /// Bodies of batches that wait are kept up to `concurrency`; beyond that they are read again
    /// when they can go on (D-12).
    fn spare_memory(&mut self, key: Key) {
        let bodies = self
            .shipping
            .values()
            .filter(|shipment| shipment.body.is_some())
            .count();
        if bodies > self.current.concurrency
            && let Some(shipment) = self.shipping.get_mut(&key)
        {
            shipment.body = None;
        }
    }

    /// The configuration may be mended now: every held batch tries again at once, and goes to the
    /// newest place if that is another one.
    pub(super) async fn mended(&mut self) -> Result<(), DeliveryError> {
        let held: Vec<Key> = self
            .shipping
            .iter()
            .filter(|(_, shipment)| matches!(shipment.stage, Stage::Waiting(_)))
            .map(|(key, _)| *key)
            .collect();
        for key in held {
            if let Some(shipment) = self.shipping.get_mut(&key) {
                shipment.stage = Stage::Ready;
                shipment.knowledge.attempts = 0;
            }
            self.reseal_if_moved(key).await?;
        }
        Ok(())
    }

    /// The annotation was set: held batches go to the newest place under a new key, proved absent or
    /// not. Records may appear twice, which whoever set it was told.
    pub(super) async fn reseal_all_held(&mut self) -> Result<(), DeliveryError> {
        let held: Vec<Key> = self
            .shipping
            .iter()
            .filter(|(_, s)| s.stage != Stage::Busy && s.knowledge.held.is_some())
            .map(|(key, _)| *key)
            .collect();
        for key in held {
            tracing::warn!(delivery = self.name, batch = %key.1, "re-sealed on request: duplicates are possible");
            self.reseal(key).await?;
        }
        Ok(())
    }

    /// A batch that is held for its configuration goes to the newest place, once its old key is
    /// proved absent (I-6, D-11).
    async fn reseal_if_moved(&mut self, key: Key) -> Result<(), DeliveryError> {
        let Some(shipment) = self.shipping.get(&key) else {
            return Ok(());
        };
        let held = matches!(shipment.knowledge.held, Some(Held::Configuration(_)));
        let partition = self
            .ledger
            .get(key.1)
            .map(|sealed| sealed.batch.identity.partition.clone());
        let (Some(newest), Some(partition)) = (self.versions.newest(), partition) else {
            return Ok(());
        };
        let moved = shipment
            .version
            .as_ref()
            .is_some_and(|version| newest.is_elsewhere(version, &partition));
        let at_newest = self.ledger.get(key.1).is_some_and(|sealed| {
            let root = match partition {
                crate::object::Partition::Data => &newest.data_path.destination.root,
                crate::object::Partition::Error => &newest.data_path.error_output.root,
            };
            sealed.batch.reseal > 0 && sealed.batch.place.root == *root
        });
        if !held || !moved || at_newest {
            return Ok(());
        }
        if !shipment.knowledge.is_proved_absent() {
            return Ok(());
        }
        self.reseal(key).await
    }

    async fn reseal(&mut self, key: Key) -> Result<(), DeliveryError> {
        let (Some(newest), Some(sealed)) = (
            self.versions.newest().cloned(),
            self.ledger.get(key.1).cloned(),
        ) else {
            return Ok(());
        };
        let batch = &sealed.batch;
        let reseal = batch.reseal + 1;
        let error = self.shipping.get(&key).and_then(|shipment| shipment.error);
        let named = Named {
            id: batch.identity.id(reseal),
            partition: &batch.identity.partition,
            arrival: batch.arrival,
            generation: batch.generation,
            error,
        };
        let place = newest.place(&named).map_err(DeliveryError::Fault)?;
        tracing::info!(delivery = self.name, batch = %key.1, from = %batch.place, to = %place, "re-sealed");
        // durable before the new create (D-11)
        self.log(Control::Reseal {
            cursor: self.journal.cursor(),
            batch: key.1,
            reseal,
            place,
        })
        .await?;
        if let Some(shipment) = self.shipping.get_mut(&key) {
            shipment.knowledge = Knowledge::resealed();
            shipment.stage = Stage::Ready;
        }
        // a batch being built goes where the ledger says when it is sent; its bytes are the same
        if let Some(batch) = self.building.remove(&key.1) {
            drop(batch);
        }
        Ok(())
    }

    /// Sealed batches that wait for the configuration, or for a person.
    pub(super) fn held(&self) -> impl Iterator<Item = (&Shipment, &Held)> {
        self.shipping
            .values()
            .filter_map(|shipment| Some((shipment, shipment.knowledge.held.as_ref()?)))
    }

    /// Whether the cursor may read on (D-3): it stops while more than `concurrency` sealed batches
    /// wait, held ones apart.
    pub(super) fn may_read(&self) -> bool {
        if !self.building.is_empty() {
            return true;
        }
        let held = self.held().count();
        let waiting = self.shipping.len().saturating_sub(held) + self.sealing.len();
        waiting <= self.current.concurrency && held < super::HELD_MAX && self.seal_again.is_none()
    }
}

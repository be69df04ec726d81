//! The loop itself: waits for whatever comes first, and tells what is.

use tokio::time::Instant;

use crate::batch::policy::{self, SealReason};
use crate::object::Partition;
use crate::record::{Sequence, UnixMillis};

use super::presence::Held;
use super::snapshot::{Problem, Snapshot, Whereabouts, older};
use super::start::LOG_RETRY;
use super::{Delivery, DeliveryError, Stage};

/// What is told is never older than this.
const TELL_EVERY: std::time::Duration = std::time::Duration::from_secs(2);

impl Delivery {
    /// Delivers until the wal closes or something can't go on. Dropping the future at any point
    /// loses nothing: what is durable says where to go on.
    pub async fn run(mut self) -> Result<(), DeliveryError> {
        loop {
            let begun = Instant::now();
            self.relieve_pressure();
            self.seal_ready().await?;
            self.ship();
            self.told.busy += begun.elapsed();
            self.publish();
            let wake = self.wake_at();
            let may_read = self.may_read();
            tokio::select! {
                biased;
                changed = self.orders.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    self.obey().await?;
                }
                Some(encoded) = self.encoding.join_next(), if !self.encoding.is_empty() => {
                    let encoded =
                        encoded.map_err(|error| DeliveryError::Fault(error.to_string()))?;
                    self.encoded(encoded)?;
                }
                Some(step) = self.steps.join_next(), if !self.steps.is_empty() => {
                    let (id, answer) =
                        step.map_err(|error| DeliveryError::Fault(error.to_string()))?;
                    self.stepped(id, answer).await?;
                }
                () = sleep_until(wake) => self.tick(),
                read = self.cursor.next(), if may_read => {
                    let begun = Instant::now();
                    match read {
                        Ok(read) => self.take_in(read).await?,
                        Err(crate::wal::ReadError::Io(why)) => {
                            self.problem("WalUnreadable", why);
                            tokio::time::sleep(LOG_RETRY).await;
                        }
                        Err(error) => return Err(error.into()),
                    }
                    self.told.busy += begun.elapsed();
                }
            }
        }
    }

    /// Takes in a changed spec, between two batches (I-6).
    async fn obey(&mut self) -> Result<(), DeliveryError> {
        let orders = self.orders.borrow_and_update().clone();
        let before = std::mem::replace(&mut self.current, orders);
        if self.current.data_path != before.data_path {
            self.close_all(SealReason::Version);
            while !self
                .sealing
                .values()
                .all(|sealing| sealing.batch.is_complete())
            {
                let Some(encoded) = self.encoding.join_next().await else {
                    break;
                };
                let encoded = encoded.map_err(|error| DeliveryError::Fault(error.to_string()))?;
                self.encoded(encoded)?;
            }
            self.seal_ready().await?;
            self.adopt_version().await?;
        }
        if self.current.reseal_requested.is_some()
            && self.current.reseal_requested != before.reseal_requested
        {
            self.reseal_all_held().await?;
        }
        // whatever changed may have mended what holds
        self.mended().await
    }

    /// Above 70 % of the wal the oldest open batch is sealed before anyone is refused (D-2.4).
    fn relieve_pressure(&mut self) {
        if self.current.drain && self.cursor.at_durable_end() {
            self.close_all(SealReason::Drain);
        }
        let pressure = self.wal.status().pressure;
        let first = |open: &super::Open| open.batch.opening().identity.first_sequence;
        let Some(oldest) = policy::relieve(pressure, self.open.values().map(first)) else {
            return;
        };
        let partition = self
            .open
            .iter()
            .find(|(_, open)| first(open) == oldest)
            .map(|(partition, _)| partition.clone());
        if let Some(partition) = partition {
            self.close(&partition, SealReason::WalPressure);
        }
    }

    /// At the durable end the clock closes batches (D-2.2).
    fn tick(&mut self) {
        if !self.cursor.at_durable_end() {
            return;
        }
        let due: Vec<Partition> = self
            .open
            .iter()
            .filter(|(_, open)| self.remaining(open).is_zero())
            .map(|(partition, _)| partition.clone())
            .collect();
        for partition in due {
            self.close(&partition, SealReason::Age);
        }
    }

    fn remaining(&self, open: &super::Open) -> std::time::Duration {
        policy::remaining(&self.current.hints, open.age, open.since.elapsed())
    }

    /// When something is due without anything coming.
    fn wake_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let aged = self.open.values().map(|open| now + self.remaining(open));
        let aged = aged.min().filter(|_| self.cursor.at_durable_end());
        let free = self.steps.len() < self.current.concurrency;
        let retried = self
            .shipping
            .values()
            .filter_map(|shipment| match shipment.stage {
                Stage::Waiting(until) => Some(until),
                Stage::Ready | Stage::Busy => None,
            });
        let retried = retried.min().filter(|_| free);
        // at the latest soon enough for what is told to be true (I-12)
        let told = Some(now + TELL_EVERY);
        [aged, retried, self.seal_again, told]
            .into_iter()
            .flatten()
            .min()
    }

    fn problem(&mut self, reason: &'static str, message: String) {
        let now = self.seams.clock.now();
        let known = self
            .told
            .problems
            .entry(reason)
            .or_insert((String::new(), now));
        known.0 = message;
    }

    /// Tells what is, all of one moment.
    pub(super) fn publish(&mut self) {
        self.tell_held();
        let status = self.wal.status();
        let open: u64 = self.open.values().map(|open| open.batch.count()).sum();
        let closed = self.sealing.values().filter(|sealing| !sealing.again);
        let closed: u64 = closed.map(|sealing| sealing.batch.runs().len()).sum();
        let whereabouts = Whereabouts {
            accepted: self.accepted.now(status.accepted_records),
            passed: self.passed_records,
            counts: self.ledger.counts(),
            open: open + closed,
            sealed: self.ledger.sealed_records(),
            ahead: self.ledger.ahead_of(self.passed),
        };
        let accounting = whereabouts.accounting();
        let snapshot = Snapshot {
            name: self.name.clone(),
            recovering: self.told.recovering,
            generation: self
                .versions
                .newest()
                .map_or(0, |version| version.generation),
            accounting,
            wal_accepted: status.accepted_records,
            oldest_undelivered: self.oldest(),
            open_batches: self.open.len() as u64,
            sealed_batches: self.ledger.sealed_len() as u64,
            held_batches: self.held().count() as u64,
            delivered_objects: self.told.objects,
            delivered_bytes: self.told.bytes,
            complete_bytes: self.told.complete_bytes,
            failures: self.told.failures,
            taken: self.told.taken,
            busy_seconds: self.told.busy.as_secs_f64(),
            problems: self
                .told
                .problems
                .iter()
                .map(|(reason, (message, since))| Problem {
                    reason,
                    message: message.clone(),
                    since: *since,
                })
                .collect(),
            last_failure: self.told.last_failure.clone(),
            empty: accounting.in_wal == 0 && self.open.is_empty() && self.shipping.is_empty(),
        };
        self.snapshots.send_replace(snapshot);
    }

    /// The oldest record that waits: in an open or sealed batch, or next in the log (I-12).
    fn oldest(&self) -> Option<UnixMillis> {
        let open = self.open.values().map(|open| open.batch.opening().arrival);
        let closed = self
            .sealing
            .values()
            .map(|sealing| sealing.batch.opening().arrival);
        let shipped = self.shipping.values().map(|shipment| shipment.arrival);
        let held = open.chain(closed).chain(shipped).min();
        older(held, self.cursor.next_arrival())
    }

    /// What holds batches is a problem for a person, as long as it does.
    fn tell_held(&mut self) {
        let now = self.seams.clock.now();
        let mut found: Vec<(&'static str, String)> = Vec::new();
        for (shipment, held) in self.held() {
            let place = self
                .ledger
                .get(shipment.id)
                .map(|sealed| sealed.batch.place.to_string());
            let place = place.unwrap_or_default();
            let (reason, message) = match held {
                Held::Configuration(why) => ("DestinationMisconfigured", why.clone()),
                Held::KeyConflict(what) => (
                    "KeyConflict",
                    format!(
                        "the name {place} is taken by something that is not ours: {what}; move it \
                     away, or set the annotation standpipe.dev/reseal-requested-at to deliver under \
                     another name"
                    ),
                ),
            };
            if !found.iter().any(|(known, _)| *known == reason) {
                found.push((reason, message));
            }
        }
        let retrying = self
            .shipping
            .values()
            .any(|s| s.knowledge.held.is_none() && s.knowledge.attempts >= 3);
        if retrying && let Some((_, why)) = &self.told.last_failure {
            found.push(("DestinationUnreachable", why.clone()));
        }
        let lost = self.ledger.counts().lost;
        if lost > 0 {
            let message = format!("{lost} accepted records could not be read back and are lost");
            found.push(("DataLoss", message));
        }
        if self.seal_again.is_some() {
            let message = "nothing new is sealed until there is room".to_owned();
            found.push(("WalReserveLow", message));
        }
        self.told
            .problems
            .retain(|reason, _| found.iter().any(|(found, _)| found == reason));
        for (reason, message) in found {
            let known = self
                .told
                .problems
                .entry(reason)
                .or_insert((String::new(), now));
            known.0 = message;
        }
    }

    /// The first record that is not taken in yet.
    pub fn position(&self) -> Sequence {
        self.passed
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

//! From what the cursor reads to sealed batches: shape, ledger, open batches, SEAL (D-1 to D-7,
//! D-12).

use std::ops::Range;
use std::sync::Arc;

use tokio::time::Instant;

use crate::batch::policy::{self, SealReason};
use crate::batch::{
    Against, EncodedBlock, Finished, OpenBatch, Opening, PushError, Unencoded, Work,
};
use crate::format::ErrorType;
use crate::object::{BatchId, BatchIdentity, Partition};
use crate::partition::Produced;
use crate::record::{Sequence, UnixMillis};
use crate::wal::{Control, Read, RecordBatch};

use super::ledger::Standing;
use super::presence::Knowledge;
use super::start::LOG_RETRY;
use super::version::{Named, Version};
use super::{Delivery, DeliveryError, Open, Sealing, Shipment, Stage};

/// The outputs of one producer batch.
#[derive(Debug, Default)]
struct Shaped {
    bytes: Vec<u8>,
    outputs: Vec<Output>,
}

#[derive(Debug)]
struct Output {
    sequence: Sequence,
    range: Range<usize>,
    produced: Produced,
    version: Arc<Version>,
}

impl Delivery {
    /// Takes in what the cursor read.
    pub(super) async fn take_in(&mut self, read: Read) -> Result<(), DeliveryError> {
        match read {
            Read::Batch(batch) => self.take_batch(batch).await,
            Read::Lost { sequences, records } => {
                self.take_loss(sequences, records);
                Ok(())
            }
        }
    }

    async fn take_batch(&mut self, batch: RecordBatch) -> Result<(), DeliveryError> {
        let arrival = batch.arrival();
        let aged: Vec<Partition> = self
            .open
            .iter()
            .filter(|(_, open)| {
                batch.sequences().end > self.passed
                    && policy::passes_age(
                        &self.current.hints,
                        open.batch.opening().arrival,
                        arrival,
                    )
            })
            .map(|(partition, _)| partition.clone())
            .collect();
        for partition in aged {
            self.close(&partition, SealReason::Age);
        }
        let shaped = self.shape(batch).await?;
        for output in &shaped.outputs {
            let bytes = shaped.bytes.get(output.range.clone()).unwrap_or_default();
            self.take_output(output, bytes, arrival).await?;
        }
        self.finish_building();
        Ok(())
    }

    fn take_loss(&mut self, sequences: Range<Sequence>, records: u64) {
        tracing::error!(
            delivery = self.name, first = %sequences.start, end = %sequences.end, records,
            "accepted records are damaged on disk and are lost"
        );
        if sequences.end > self.passed {
            self.passed = sequences.end;
            self.passed_records += records;
        }
        // a batch that is built again goes without them (W-15); its SEAL is written anew
        if let Some(progress) = self.ledger.lost(sequences, records) {
            self.journal.progress(progress);
        }
        self.finish_building();
    }

    /// Turns records into outputs, each under the version that it goes by.
    async fn shape(&self, batch: RecordBatch) -> Result<Shaped, DeliveryError> {
        let Range { start, end } = batch.sequences();
        let mut versions = Vec::new();
        for sequence in (start.0..end.0).map(Sequence) {
            let version = self.versions.of(sequence).ok_or_else(|| {
                DeliveryError::Fault(format!("no version is in force at record {sequence}"))
            })?;
            versions.push(Arc::clone(version));
        }
        let work = move || {
            let mut shaped = Shaped {
                bytes: Vec::with_capacity(batch.byte_len() + batch.count() as usize),
                outputs: Vec::with_capacity(batch.count() as usize),
            };
            for (record, version) in batch.records().zip(versions) {
                let from = shaped.bytes.len();
                let produced = version.stages.run(&record, &mut shaped.bytes);
                shaped.outputs.push(Output {
                    sequence: record.sequence,
                    range: from..shaped.bytes.len(),
                    produced,
                    version,
                });
            }
            shaped
        };
        Ok(self.seams.executor.cpu(work).await?)
    }

    /// Sends one output to where it belongs (D-7, D-12).
    async fn take_output(
        &mut self,
        output: &Output,
        bytes: &[u8],
        arrival: UnixMillis,
    ) -> Result<(), DeliveryError> {
        let sequence = output.sequence;
        let again = sequence < self.passed;
        if !again {
            if sequence > self.passed {
                // what was complete and truncated meanwhile, the cursor jumped over
                let ahead = |from| self.ledger.ahead_of(from);
                self.passed_records += ahead(self.passed) - ahead(sequence);
            }
            self.passed = sequence.plus(1);
            self.passed_records += 1;
        }
        let (partition, error) = match &output.produced {
            Produced::Output { partition, error } => (partition.clone(), *error),
            Produced::Filtered { .. } => {
                if let Some(progress) = self.ledger.filtered(sequence) {
                    self.journal.progress(progress);
                }
                return Ok(());
            }
        };
        match self.ledger.place(&partition, sequence) {
            Standing::Complete => {}
            Standing::Sealed(id) => self.build_again(id, sequence, bytes).await?,
            // the open batches have it already
            Standing::Free if again => {}
            Standing::Free => {
                self.add(&partition, error, output, bytes, arrival).await?;
            }
        }
        Ok(())
    }

    async fn add(
        &mut self,
        partition: &Partition,
        error: Option<ErrorType>,
        output: &Output,
        bytes: &[u8],
        arrival: UnixMillis,
    ) -> Result<(), DeliveryError> {
        let other_version = self
            .open
            .get(partition)
            .is_some_and(|open| !Arc::ptr_eq(&open.version, &output.version));
        if other_version {
            self.close(partition, SealReason::Version);
        }
        let mut open = match self.open.remove(partition) {
            Some(open) => open,
            None => self.open_batch(partition, error, output, arrival)?,
        };
        let id = open.batch.opening().identity.id(0);
        loop {
            match open.batch.push(output.sequence, bytes) {
                Ok(work) => {
                    if let Some(work) = work {
                        self.encode(id, work);
                    }
                    break;
                }
                Err(PushError::Busy) => {
                    // of all blocks under way, its own come back in the end
                    let block = self.next_encoded().await?;
                    if let Some(block) = self.take_encoded(id, block, |b| open.batch.encoded(b)) {
                        return Err(DeliveryError::Fault(block));
                    }
                }
                Err(fault) => return Err(DeliveryError::Fault(fault.to_string())),
            }
        }
        let runs = open.batch.run_list_bytes();
        let full = policy::after_adding(&self.current.hints, open.batch.size(), runs);
        self.open.insert(partition.clone(), open);
        if let Some(reason) = full {
            self.close(partition, reason);
        }
        Ok(())
    }

    fn open_batch(
        &self,
        partition: &Partition,
        error: Option<ErrorType>,
        output: &Output,
        arrival: UnixMillis,
    ) -> Result<Open, DeliveryError> {
        let status = self.wal.status();
        let identity = BatchIdentity {
            shard: status.shard,
            incarnation: status.incarnation,
            cursor: self.journal.cursor(),
            partition: partition.clone(),
            first_sequence: output.sequence,
        };
        let version = Arc::clone(&output.version);
        let named = Named {
            id: identity.id(0),
            partition,
            arrival,
            generation: version.generation,
            error,
        };
        let place = version.place(&named).map_err(DeliveryError::Fault)?;
        let opening = Opening {
            identity,
            place,
            generation: version.generation,
            version: version.digest,
            arrival,
            compression: version.compression,
        };
        let ratio = self.ratios.get(partition).copied().unwrap_or_default();
        let before_start = output.sequence < self.started_at;
        Ok(Open {
            batch: OpenBatch::open(opening, ratio, self.spill.clone()),
            version,
            error,
            since: Instant::now(),
            age: policy::age_at_open(before_start, arrival, self.seams.clock.now()),
        })
    }

    /// Adds an output to a sealed batch that is being built again; to others nothing.
    async fn build_again(
        &mut self,
        id: BatchId,
        sequence: Sequence,
        bytes: &[u8],
    ) -> Result<(), DeliveryError> {
        let Some(mut batch) = self.building.remove(&id) else {
            return Ok(());
        };
        loop {
            match batch.push(sequence, bytes) {
                Ok(work) => {
                    if let Some(work) = work {
                        self.encode(id, work);
                    }
                    break;
                }
                Err(PushError::Busy) => {
                    let block = self.next_encoded().await?;
                    if let Some(block) = self.take_encoded(id, block, |b| batch.encoded(b)) {
                        return Err(DeliveryError::Fault(block));
                    }
                }
                // it has this one: the cursor went back for another batch meanwhile
                Err(PushError::Order(_)) => break,
                Err(fault) => return Err(DeliveryError::Fault(fault.to_string())),
            }
        }
        self.building.insert(id, batch);
        Ok(())
    }

    /// Ends what the cursor has gone by: batches built again whose last record lies behind it.
    fn finish_building(&mut self) {
        let position = self.cursor.position();
        let complete = |batch: &OpenBatch| {
            let last = batch.rebuilds().and_then(|sealed| sealed.runs.last());
            last.is_none_or(|last| last < position)
        };
        let done: Vec<BatchId> = self
            .building
            .iter()
            .filter(|(_, batch)| complete(batch))
            .map(|(id, _)| *id)
            .collect();
        for id in done {
            let Some(batch) = self.building.remove(&id) else {
                continue;
            };
            let first = batch.opening().identity.first_sequence;
            let shipment = self.shipping.get(&(first, id));
            let version = shipment.and_then(|shipment| shipment.version.clone());
            let error = shipment.and_then(|shipment| shipment.error);
            let Some(version) = version else { continue };
            let (batch, work) = batch.seal();
            if let Some(work) = work {
                self.encode(id, work);
            }
            let sealing = Sealing {
                batch,
                version,
                error,
                again: true,
            };
            self.sealing.insert(id, sealing);
        }
        // nothing is left to build again: go on where we were
        if self.building.is_empty() && self.cursor.position() < self.passed {
            self.cursor.seek(self.passed);
        }
    }

    /// Closes the open batch of a partition.
    pub(super) fn close(&mut self, partition: &Partition, reason: SealReason) {
        let Some(open) = self.open.remove(partition) else {
            return;
        };
        let id = open.batch.opening().identity.id(0);
        tracing::debug!(delivery = self.name, batch = %id, reason = reason.name(), "batch closed");
        let (batch, work) = open.batch.seal();
        if let Some(work) = work {
            self.encode(id, work);
        }
        let sealing = Sealing {
            batch,
            version: open.version,
            error: open.error,
            again: false,
        };
        self.sealing.insert(id, sealing);
    }

    pub(super) fn close_all(&mut self, reason: SealReason) {
        let partitions: Vec<Partition> = self.open.keys().cloned().collect();
        for partition in partitions {
            self.close(&partition, reason);
        }
    }

    fn encode(&mut self, id: BatchId, work: Work) {
        let executor = self.seams.executor.clone();
        self.encoding.spawn(async move {
            let mut next = work;
            loop {
                let work = next;
                match executor.cpu(move || work.encode()).await {
                    Ok(Err(failed)) => {
                        // a full spill directory: its room comes back when batches are delivered
                        tracing::warn!(error = %failed.error, "a block could not be encoded");
                        tokio::time::sleep(LOG_RETRY).await;
                        next = failed.work;
                    }
                    Ok(Ok(block)) => return (id, Ok(block)),
                    Err(_) => return std::future::pending().await,
                }
            }
        });
    }

    async fn next_encoded(&mut self) -> Result<Encoded, DeliveryError> {
        match self.encoding.join_next().await {
            Some(Ok(encoded)) => Ok(encoded),
            Some(Err(error)) => Err(DeliveryError::Fault(error.to_string())),
            None => Err(DeliveryError::Fault("no block is being encoded".to_owned())),
        }
    }

    /// Gives a block to `own` if it is that batch's, else to whose it is.
    fn take_encoded<E: std::fmt::Display>(
        &mut self,
        own: BatchId,
        (id, block): Encoded,
        give: impl FnOnce(EncodedBlock) -> Result<(), E>,
    ) -> Option<String> {
        let block = match block {
            Ok(block) => block,
            Err(failed) => return Some(failed.to_string()),
        };
        if id == own {
            return give(block).err().map(|error| error.to_string());
        }
        self.hand_out(id, block).err()
    }

    /// Gives an encoded block to the batch that waits for it.
    pub(super) fn encoded(&mut self, (id, block): Encoded) -> Result<(), DeliveryError> {
        let block = block.map_err(|failed| DeliveryError::Fault(failed.to_string()))?;
        self.hand_out(id, block).map_err(DeliveryError::Fault)
    }

    fn hand_out(&mut self, id: BatchId, block: EncodedBlock) -> Result<(), String> {
        let open = self
            .open
            .values_mut()
            .find(|open| open.batch.opening().identity.id(0) == id);
        let taken = if let Some(open) = open {
            open.batch.encoded(block)
        } else if let Some(sealing) = self.sealing.get_mut(&id) {
            sealing.batch.encoded(block)
        } else if let Some(batch) = self.building.get_mut(&id) {
            batch.encoded(block)
        } else {
            // its batch was given up: it is built again when it is needed
            return Ok(());
        };
        taken.map_err(|error| error.to_string())
    }

    /// Writes the SEAL of every batch whose bytes are there (D-6). One that the wal does not take
    /// now waits.
    pub(super) async fn seal_ready(&mut self) -> Result<(), DeliveryError> {
        if self.seal_again.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        self.seal_again = None;
        let ready: Vec<BatchId> = self
            .sealing
            .iter()
            .filter(|(_, sealing)| sealing.batch.is_complete())
            .map(|(id, _)| *id)
            .collect();
        // in log order, so that the oldest records leave the wal first
        let mut ready: Vec<(Sequence, BatchId)> = ready
            .into_iter()
            .filter_map(|id| {
                let sealing = self.sealing.get(&id)?;
                Some((sealing.batch.opening().identity.first_sequence, id))
            })
            .collect();
        ready.sort_unstable();
        if self.wal.status().reserve_low && ready.iter().any(|(_, id)| self.is_new(*id)) {
            self.seal_again = Some(Instant::now() + LOG_RETRY);
            ready.retain(|(_, id)| !self.is_new(*id));
        }
        for (_, id) in ready {
            let Some(sealing) = self.sealing.remove(&id) else {
                continue;
            };
            let Sealing {
                batch,
                version,
                error,
                again,
            } = sealing;
            let partition = batch.opening().identity.partition.clone();
            let finished = batch
                .finish()
                .map_err(|unfinished| DeliveryError::Fault(unfinished.to_string()))?;
            if again {
                self.built_again(id, finished).await?;
            } else {
                self.ratios.insert(partition, finished.ratio);
                self.seal_new(id, finished, version, error).await?;
            }
        }
        Ok(())
    }

    fn is_new(&self, id: BatchId) -> bool {
        self.sealing.get(&id).is_some_and(|sealing| !sealing.again)
    }

    async fn seal_new(
        &mut self,
        id: BatchId,
        finished: Finished,
        version: Arc<Version>,
        error: Option<ErrorType>,
    ) -> Result<(), DeliveryError> {
        let Finished { sealed, body, .. } = finished;
        let first = sealed.identity.first_sequence;
        let arrival = sealed.arrival;
        self.log(Control::Seal(sealed)).await?;
        let shipment = Shipment {
            id,
            knowledge: Knowledge::fresh(),
            body: Some(body),
            version: Some(version),
            error,
            arrival,
            stage: Stage::Ready,
        };
        self.shipping.insert((first, id), shipment);
        Ok(())
    }

    /// The bytes of a sealed batch are there again (D-12). Other bytes than the SEAL says are sealed
    /// again first, and so is what goes without lost records (W-15).
    async fn built_again(&mut self, id: BatchId, finished: Finished) -> Result<(), DeliveryError> {
        let Finished {
            sealed,
            body,
            against,
            ..
        } = finished;
        let key = (sealed.identity.first_sequence, id);
        match against {
            Against::New | Against::Same => {}
            Against::OtherLength { was } => {
                tracing::info!(batch = %id, was, now = sealed.length, "other bytes, sealed again");
                self.log(Control::Seal(sealed.clone())).await?;
            }
            Against::OtherOutputs { missing } if missing.is_empty() => {
                return Err(DeliveryError::Fault(format!(
                    "batch {id} was built again with other outputs than its SEAL says"
                )));
            }
            Against::OtherOutputs { missing } => {
                tracing::error!(batch = %id, records = missing.len(), "sealed again without what is lost");
                self.log(Control::Seal(sealed.clone())).await?;
            }
        }
        if sealed.count == 0 {
            // all of it is lost: there is nothing to create
            self.shipping.remove(&key);
            let done = self.done_frame(id);
            return self.log(done).await;
        }
        if let Some(shipment) = self.shipping.get_mut(&key) {
            shipment.body = Some(body);
            shipment.stage = Stage::Ready;
        }
        Ok(())
    }

    pub(super) fn done_frame(&self, batch: BatchId) -> Control {
        Control::Done {
            cursor: self.journal.cursor(),
            batch,
            rejects: Vec::new(),
        }
    }
}

/// A block that came back.
pub(super) type Encoded = (BatchId, Result<EncodedBlock, Box<Unencoded>>);

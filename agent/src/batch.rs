//! A batch on its way from its first record to the bytes of its object.
//!
//! [`OpenBatch`] takes outputs in sequence order (I-4) and cuts them into blocks of at most 1 MiB,
//! between outputs; an output larger than that is a block of its own. Where a block ends depends on
//! the batch's own outputs only, never on time, memory or the order in which blocks are encoded, so
//! the same records make the same bytes (D-4). Each full block leaves as [`Work`] that any thread
//! may do, and comes back as an [`EncodedBlock`]; then [`OpenBatch::seal`] gives the rest,
//! and [`SealingBatch::finish`] the [`SealedBatch`] and its [`Body`].
//!
//! Nothing here waits, reads a clock or decides when to seal: that is [`policy`]. A batch that is
//! sealed already is built again by [`OpenBatch::rebuild`] through the same steps (D-12).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::format::compression::{Compression, Joiner};
use crate::object::{BatchId, BatchIdentity, Place, SealedBatch};
use crate::record::{Sequence, UnixMillis};
use crate::runs::Runs;
use crate::wal::control::VersionDigest;

pub mod body;
pub mod key;
pub mod policy;
pub mod spill;
pub mod work;

pub use body::{Body, Part};
pub use spill::{Spill, SpillDirectory};
pub use work::{EncodedBlock, Unencoded, Work};

/// The most shaped bytes in a block, unless one output alone is larger (D-4).
pub const BLOCK_BYTES: usize = 1 << 20;
/// The most blocks of a batch that may be with workers; then `push` answers [`PushError::Busy`].
pub const MAX_OUTSTANDING: usize = 8;
/// From this many bytes in memory on, further encoded blocks go to the spill directory (I-5).
pub const SPILL_AFTER_BYTES: u64 = 8 << 20;
/// The most that one run takes in an encoded run list: two varints.
const RUN_BYTES: usize = 20;

/// What is fixed when a batch opens (D-1, I-6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    pub identity: BatchIdentity,
    pub place: Place,
    /// The generation that the object's name carries.
    pub generation: u64,
    /// The version that its records go by.
    pub version: VersionDigest,
    /// Arrival of the first record.
    pub arrival: UnixMillis,
    pub compression: Compression,
}

/// Encoded bytes for shaped bytes, to estimate the size of what is not encoded yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ratio {
    pub shaped: u64,
    pub encoded: u64,
}

impl Ratio {
    /// What `shaped` bytes will take; without experience, as many.
    pub fn estimate(self, shaped: u64) -> u64 {
        if self.shaped == 0 {
            return shaped;
        }
        let bytes = u128::from(shaped) * u128::from(self.encoded) / u128::from(self.shaped);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// Why an output was not added. The batch is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// Hand an encoded block back first.
    #[error("{MAX_OUTSTANDING} blocks of the batch wait to be encoded")]
    Busy,
    /// Outputs come in sequence order, from the batch's first sequence on (I-4).
    #[error("the output of record {0} is out of order")]
    Order(Sequence),
    /// The SEAL that is built again does not list it (D-7).
    #[error("record {0} is not in the sealed batch")]
    NotListed(Sequence),
}

/// An encoded block that this batch does not wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {index} of batch {batch} is not one that batch {here} waits for")]
pub struct UnexpectedBlock {
    pub here: BatchId,
    pub batch: BatchId,
    pub index: u64,
}

/// A batch that takes outputs.
#[derive(Debug)]
pub struct OpenBatch {
    opening: Opening,
    /// Of the batch at its first place: names its blocks.
    id: BatchId,
    /// The SEAL that is built again.
    rebuilds: Option<SealedBatch>,
    runs: Runs,
    last: Option<Sequence>,
    count: u64,
    digest: Sha256,
    /// The block that is being filled.
    block: Vec<u8>,
    blocks: Blocks,
    /// Length of the encoded run list when it was last measured, and the run count at which it is
    /// measured next: measuring costs a walk, so it is done only when it could have become too long.
    run_list_bytes: usize,
    measure_runs_at: usize,
}

/// The blocks of a batch, from cut to joined.
#[derive(Debug)]
struct Blocks {
    joiner: Joiner,
    spill: Option<Arc<spill::BatchSpill>>,
    cut: u64,
    /// Shaped bytes by block that is with a worker.
    outstanding: BTreeMap<u64, u64>,
    /// Encoded ahead of an earlier block.
    early: BTreeMap<u64, EncodedBlock>,
    joined: u64,
    parts: Vec<Part>,
    seen: Ratio,
    expected: Ratio,
    memory: u64,
}

impl OpenBatch {
    /// Opens a new batch. `expected` is what the last batch of the partition came to; it only helps
    /// [`size`](Self::size) until the first block is encoded. Without `spill` all stays in memory.
    pub fn open(opening: Opening, expected: Ratio, spill: Option<Arc<dyn Spill>>) -> Self {
        let joiner = Joiner::new(opening.compression);
        Self {
            id: opening.identity.id(0),
            rebuilds: None,
            runs: Runs::new(),
            last: None,
            count: 0,
            digest: Sha256::new(),
            block: Vec::new(),
            blocks: Blocks {
                parts: Part::memory(joiner.head()).into_iter().collect(),
                joiner,
                spill: spill.map(|spill| Arc::new(spill::BatchSpill::new(spill))),
                cut: 0,
                outstanding: BTreeMap::new(),
                early: BTreeMap::new(),
                joined: 0,
                seen: Ratio::default(),
                expected,
                memory: 0,
            },
            run_list_bytes: 0,
            measure_runs_at: policy::MAX_RUN_LIST_BYTES / RUN_BYTES,
            opening,
        }
    }

    /// Opens a batch that is sealed already, to make its bytes again (D-12). It takes exactly the
    /// records that the SEAL lists, goes to the SEAL's place, and
    /// [`finish`](SealingBatch::finish) says how it compares.
    pub fn rebuild(
        sealed: SealedBatch,
        version: VersionDigest,
        compression: Compression,
        spill: Option<Arc<dyn Spill>>,
    ) -> Self {
        let opening = Opening {
            identity: sealed.identity.clone(),
            place: sealed.place.clone(),
            generation: sealed.generation,
            version,
            arrival: sealed.arrival,
            compression,
        };
        let mut batch = Self::open(opening, Ratio::default(), spill);
        batch.rebuilds = Some(sealed);
        batch
    }

    /// Adds the output of a record. A block that became full leaves as [`Work`].
    pub fn push(&mut self, sequence: Sequence, output: &[u8]) -> Result<Option<Work>, PushError> {
        if self.is_busy() {
            return Err(PushError::Busy);
        }
        if sequence < self.opening.identity.first_sequence
            || self.last.is_some_and(|last| sequence <= last)
        {
            return Err(PushError::Order(sequence));
        }
        if let Some(sealed) = &self.rebuilds
            && !sealed.runs.contains(sequence)
        {
            return Err(PushError::NotListed(sequence));
        }
        let full = !self.block.is_empty() && self.block.len() + output.len() > BLOCK_BYTES;
        let work = full.then(|| self.cut());
        self.block.extend_from_slice(output);
        self.digest.update((output.len() as u64).to_le_bytes());
        self.digest.update(output);
        self.count += 1;
        self.last = Some(sequence);
        self.runs.insert_one(sequence);
        if self.runs.run_count() >= self.measure_runs_at {
            self.run_list_bytes = self.runs.encoded_len();
            let room = policy::MAX_RUN_LIST_BYTES.saturating_sub(self.run_list_bytes);
            self.measure_runs_at = self.runs.run_count() + (room / RUN_BYTES).max(1);
        }
        Ok(work)
    }

    fn cut(&mut self) -> Work {
        let shaped = std::mem::take(&mut self.block);
        self.blocks
            .work(self.id, shaped.into(), self.opening.compression)
    }

    /// Takes an encoded block back, in any order. Taking the same one twice changes nothing.
    pub fn encoded(&mut self, block: EncodedBlock) -> Result<(), UnexpectedBlock> {
        self.blocks.encoded(self.id, block)
    }

    /// Whether an encoded block must come back before the next output is added.
    pub fn is_busy(&self) -> bool {
        self.blocks.outstanding.len() >= MAX_OUTSTANDING
    }

    /// Length of the object if it were sealed now: exact for what is encoded, estimated for the
    /// rest (D-2.1).
    pub fn size(&self) -> u64 {
        let waiting: u64 = self.blocks.outstanding.values().sum();
        let ratio = match self.blocks.seen.shaped {
            0 => self.blocks.expected,
            _ => self.blocks.seen,
        };
        self.blocks.seen.encoded + ratio.estimate(waiting + self.block.len() as u64)
    }

    /// Bytes of records and blocks that it holds in memory, those with workers included (I-5).
    pub fn memory_bytes(&self) -> u64 {
        self.blocks.memory
            + self.blocks.outstanding.values().sum::<u64>()
            + self.block.capacity() as u64
    }

    /// Length of the run list that its SEAL will hold, for [`policy::after_adding`]: measured only
    /// when it could have come near the limit, else the last measure.
    pub fn run_list_bytes(&self) -> usize {
        self.run_list_bytes
    }

    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// The SEAL that it builds again, if it does.
    pub fn rebuilds(&self) -> Option<&SealedBatch> {
        self.rebuilds.as_ref()
    }

    /// Outputs so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The records so far.
    pub fn runs(&self) -> &Runs {
        &self.runs
    }

    /// Closes the batch; the last block leaves as [`Work`].
    pub fn seal(mut self) -> (SealingBatch, Option<Work>) {
        let work = (!self.block.is_empty()).then(|| self.cut());
        (SealingBatch { batch: self }, work)
    }
}

impl Blocks {
    fn work(&mut self, batch: BatchId, shaped: Bytes, compression: Compression) -> Work {
        let waiting: u64 = self.outstanding.values().sum();
        let spill = (self.memory + waiting >= SPILL_AFTER_BYTES)
            .then(|| self.spill.clone())
            .flatten();
        let index = self.cut;
        self.cut += 1;
        self.outstanding.insert(index, shaped.len() as u64);
        Work::new(batch, index, shaped, compression, spill)
    }

    fn encoded(&mut self, here: BatchId, block: EncodedBlock) -> Result<(), UnexpectedBlock> {
        let (batch, index) = (block.batch(), block.index());
        if batch != here || index >= self.cut {
            return Err(UnexpectedBlock { here, batch, index });
        }
        let Some(shaped) = self.outstanding.remove(&index) else {
            return Ok(());
        };
        self.seen.shaped += shaped;
        self.seen.encoded += block.part().length();
        self.memory += block.part().memory_bytes();
        self.early.insert(index, block);
        while let Some(block) = self.early.remove(&self.joined) {
            self.joiner.add(block.summary());
            self.parts.extend(block.into_part());
            self.joined += 1;
        }
        Ok(())
    }
}

/// A batch that takes no more outputs and waits for its last blocks.
#[derive(Debug)]
pub struct SealingBatch {
    batch: OpenBatch,
}

/// How a finished batch compares with the SEAL that it builds again (D-12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against {
    /// It was not sealed before.
    New,
    /// All as the SEAL says.
    Same,
    /// The same records and outputs, but another build made other bytes: the SEAL is written again
    /// with the new length before the create.
    OtherLength { was: u64 },
    /// Records that the SEAL lists did not come (their data is lost, W-15, or they have no output
    /// any more), or their outputs differ: `missing` may be empty then.
    OtherOutputs { missing: Runs },
}

/// A batch that is ready to be sealed in the log and created.
#[derive(Debug)]
pub struct Finished {
    pub sealed: SealedBatch,
    pub body: Body,
    pub against: Against,
    /// For the next batch of the partition.
    pub ratio: Ratio,
}

/// Blocks are still with workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} blocks of the batch are not encoded yet")]
pub struct Unfinished(pub usize);

impl SealingBatch {
    /// Takes an encoded block back, in any order.
    pub fn encoded(&mut self, block: EncodedBlock) -> Result<(), UnexpectedBlock> {
        self.batch.encoded(block)
    }

    /// Whether all blocks are back, so that `finish` works.
    pub fn is_complete(&self) -> bool {
        self.batch.blocks.outstanding.is_empty()
    }

    pub fn opening(&self) -> &Opening {
        self.batch.opening()
    }

    /// Its records.
    pub fn runs(&self) -> &Runs {
        self.batch.runs()
    }

    /// As [`OpenBatch::memory_bytes`].
    pub fn memory_bytes(&self) -> u64 {
        self.batch.memory_bytes()
    }

    /// What the SEAL says, and the bytes of the object.
    pub fn finish(self) -> Result<Finished, Unfinished> {
        let OpenBatch {
            opening,
            rebuilds,
            runs,
            count,
            digest,
            blocks,
            ..
        } = self.batch;
        if !blocks.outstanding.is_empty() {
            return Err(Unfinished(blocks.outstanding.len()));
        }
        let mut parts = blocks.parts;
        parts.extend(Part::memory(blocks.joiner.tail()));
        let body = Body::new(parts);
        let sealed = SealedBatch {
            identity: opening.identity,
            reseal: rebuilds.as_ref().map_or(0, |sealed| sealed.reseal),
            place: opening.place,
            generation: opening.generation,
            arrival: opening.arrival,
            count,
            length: body.length(),
            digest: digest.finalize().into(),
            runs,
        };
        Ok(Finished {
            against: compare(rebuilds.as_ref(), &sealed),
            sealed,
            body,
            ratio: blocks.seen,
        })
    }
}

fn compare(before: Option<&SealedBatch>, now: &SealedBatch) -> Against {
    let Some(before) = before else {
        return Against::New;
    };
    if (before.count, before.digest, &before.runs) != (now.count, now.digest, &now.runs) {
        let mut missing = before.runs.clone();
        missing.subtract(&now.runs);
        return Against::OtherOutputs { missing };
    }
    if before.length != now.length {
        return Against::OtherLength { was: before.length };
    }
    Against::Same
}

#[cfg(test)]
mod tests;

//! The encoding of one block: work that owns its input, for [`crate::executor`].

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::body::Part;
use super::spill::BatchSpill;
use crate::format::compression::{Compression, CompressionFailed, Summary};
use crate::object::BatchId;

/// A block to be encoded. Its result goes back to the batch that it came from.
#[derive(Debug)]
pub struct Work {
    batch: BatchId,
    index: u64,
    shaped: Bytes,
    compression: Compression,
    /// Where the encoded bytes go; memory without it.
    spill: Option<Arc<BatchSpill>>,
}

/// An encoded block.
#[derive(Debug)]
pub struct EncodedBlock {
    batch: BatchId,
    index: u64,
    part: Part,
    summary: Summary,
}

/// A block that could not be encoded, with the work, to be tried again.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unencoded {
    pub work: Work,
    #[source]
    pub error: EncodeError,
}

/// Why a block was not encoded. No record is at fault, and none is lost: it is in the wal.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    #[error(transparent)]
    Compression(#[from] CompressionFailed),
    #[error("an encoded block could not be written to the spill directory: {0}")]
    Spill(#[from] io::Error),
}

impl Work {
    pub(super) fn new(
        batch: BatchId,
        index: u64,
        shaped: Bytes,
        compression: Compression,
        spill: Option<Arc<BatchSpill>>,
    ) -> Self {
        Self {
            batch,
            index,
            shaped,
            compression,
            spill,
        }
    }

    /// Encodes the block, and writes it to the spill directory if the batch holds much in memory.
    /// For [`Executor::cpu`](crate::executor::Executor::cpu).
    pub fn encode(self) -> Result<EncodedBlock, Box<Unencoded>> {
        match self.try_encode() {
            Ok((part, summary)) => Ok(EncodedBlock {
                batch: self.batch,
                index: self.index,
                part,
                summary,
            }),
            Err(error) => Err(Box::new(Unencoded { work: self, error })),
        }
    }

    fn try_encode(&self) -> Result<(Part, Summary), EncodeError> {
        let (bytes, summary) = self.compression.block(self.shaped.clone())?;
        let part = match &self.spill {
            Some(spill) => spill.write(&bytes)?,
            None => Part::Memory(bytes),
        };
        Ok((part, summary))
    }
}

impl EncodedBlock {
    pub(super) fn batch(&self) -> BatchId {
        self.batch
    }

    pub(super) fn index(&self) -> u64 {
        self.index
    }

    pub(super) fn part(&self) -> &Part {
        &self.part
    }

    pub(super) fn summary(&self) -> &Summary {
        &self.summary
    }

    pub(super) fn into_part(self) -> Option<Part> {
        (self.part.length() > 0).then_some(self.part)
    }
}

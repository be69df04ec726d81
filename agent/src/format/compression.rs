//! Compression of an object, block by block (D-4).
//!
//! [`Compression::block`] is a pure function of at most about 1 MiB of shaped bytes, so the blocks
//! of one object can be made on many cores; [`Joiner`] puts them together in order. Gzip is one
//! member: raw deflate streams, each ended by a sync flush (so it ends on a byte and refers to
//! nothing before it), one after the other, then an empty final block. The CRC-32 of the whole is
//! combined from the blocks'. The header holds no time and no operating system, so the same records
//! make the same bytes everywhere.

use bytes::Bytes;
use flate2::{Compress, Crc, FlushCompress};

/// Magic, deflate, no flags, no time, no extra flags, unknown operating system.
const GZIP_HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// An empty deflate block with fixed codes, marked as the last.
const FINAL_BLOCK: [u8; 2] = [3, 0];

/// How objects of a delivery are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    /// `level` from 1 (fast) to 9 (small).
    Gzip {
        level: u32,
    },
}

/// A compressor refused: a fault of ours, never of the records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a block of {bytes} bytes could not be compressed: {reason}")]
pub struct CompressionFailed {
    pub bytes: usize,
    pub reason: String,
}

/// What the join must know of a block besides its encoded bytes.
#[derive(Debug)]
pub struct Summary(Crc);

impl Compression {
    /// Encodes one block.
    pub fn block(self, shaped: Bytes) -> Result<(Bytes, Summary), CompressionFailed> {
        match self {
            Self::None => Ok((shaped, Summary(Crc::new()))),
            Self::Gzip { level } => {
                let mut crc = Crc::new();
                crc.update(&shaped);
                Ok((deflate(&shaped, level)?.into(), Summary(crc)))
            }
        }
    }
}

fn deflate(shaped: &[u8], level: u32) -> Result<Vec<u8>, CompressionFailed> {
    let failed = |reason: String| CompressionFailed {
        bytes: shaped.len(),
        reason,
    };
    let mut compress = Compress::new(flate2::Compression::new(level.clamp(1, 9)), false);
    let mut out = Vec::with_capacity(shaped.len() / 4 + 1024);
    loop {
        let taken = usize::try_from(compress.total_in()).map_err(|e| failed(e.to_string()))?;
        let rest = shaped.get(taken..).unwrap_or_default();
        compress
            .compress_vec(rest, &mut out, FlushCompress::Sync)
            .map_err(|e| failed(e.to_string()))?;
        let done = compress.total_in() == shaped.len() as u64;
        // room left over means that the flush is complete; else it goes on with more
        if done && out.len() < out.capacity() {
            // an encoded block may live until its batch is delivered
            out.shrink_to_fit();
            return Ok(out);
        }
        out.reserve(out.len() / 2 + 1024);
    }
}

/// Joins blocks, in order, to one object.
#[derive(Debug)]
pub struct Joiner {
    compression: Compression,
    crc: Crc,
}

impl Joiner {
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            crc: Crc::new(),
        }
    }

    /// What stands before the first block.
    pub fn head(&self) -> Bytes {
        match self.compression {
            Compression::None => Bytes::new(),
            Compression::Gzip { .. } => Bytes::from_static(GZIP_HEADER),
        }
    }

    /// Takes note of the next block; its bytes stand in the object as they are.
    pub fn add(&mut self, summary: &Summary) {
        self.crc.combine(&summary.0);
    }

    /// What stands after the last block.
    pub fn tail(&self) -> Bytes {
        match self.compression {
            Compression::None => Bytes::new(),
            Compression::Gzip { .. } => {
                let mut tail = Vec::with_capacity(10);
                tail.extend_from_slice(&FINAL_BLOCK);
                tail.extend_from_slice(&self.crc.sum().to_le_bytes());
                tail.extend_from_slice(&self.crc.amount().to_le_bytes());
                tail.into()
            }
        }
    }
}

#[cfg(test)]
mod tests;

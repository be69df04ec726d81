//! The bytes of an object, as parts in memory and in a spill file.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::spill::SpillFile;

/// The bytes of one object, in order. A clone shares them.
#[derive(Clone, Debug)]
pub struct Body {
    parts: Vec<Part>,
    length: u64,
}

/// Some bytes of an object, at most about 1 MiB.
#[derive(Clone, Debug)]
pub enum Part {
    Memory(Bytes),
    File {
        file: Arc<dyn SpillFile>,
        offset: u64,
        length: usize,
    },
}

impl Body {
    pub(super) fn new(parts: Vec<Part>) -> Self {
        Self {
            length: parts.iter().map(Part::length).sum(),
            parts,
        }
    }

    /// The parts in order; none is empty.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Length of the object in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of it that are held in memory (I-5).
    pub fn memory_bytes(&self) -> u64 {
        self.parts.iter().map(Part::memory_bytes).sum()
    }
}

impl Part {
    /// A part in memory, unless there is nothing in it.
    pub(super) fn memory(bytes: Bytes) -> Option<Self> {
        (!bytes.is_empty()).then_some(Self::Memory(bytes))
    }

    pub fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length as u64,
        }
    }

    pub fn memory_bytes(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { .. } => 0,
        }
    }

    /// The bytes. A part in a file is read from the disk: for
    /// [`Executor::blocking`](crate::executor::Executor::blocking). After an error the batch is
    /// built again from the wal.
    pub fn read(&self) -> io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes.clone()),
            Self::File {
                file,
                offset,
                length,
            } => {
                let mut bytes = vec![0; *length];
                file.get(&mut bytes, *offset)?;
                Ok(bytes.into())
            }
        }
    }
}

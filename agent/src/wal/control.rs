//! Control frames (W-5): what is not a record. Their payloads are encoded by [`super::control_codec`].

use std::ops::Range;

use crate::object::{BatchId, CursorId, Place, SealedBatch};
use crate::record::Sequence;

/// SHA-256 of a version's canonical JSON (W-10).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionDigest(pub [u8; 32]);

impl std::fmt::Debug for VersionDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Display for VersionDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One output of one record: `index` is 0 until processors can make several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputId {
    pub sequence: Sequence,
    pub index: u32,
}

/// An output that left its batch, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    pub output: OutputId,
    pub reason: String,
}

/// A control frame. `batch` is always the id of the batch at its first place (re-seal 0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// A cursor begins: everything from `first` on is its to deliver (W-9).
    Cursor {
        cursor: CursorId,
        name: String,
        first: Sequence,
    },
    /// From `first` on, records of the cursor follow this version (W-10).
    Version {
        cursor: CursorId,
        first: Sequence,
        generation: u64,
        digest: VersionDigest,
    },
    /// A multipart upload was begun (D-5).
    Upload {
        cursor: CursorId,
        batch: BatchId,
        place: Place,
        upload: String,
    },
    /// A batch is closed and may now become visible (D-6). A second SEAL of the same batch replaces
    /// the first one's length (D-12).
    Seal(SealedBatch),
    /// A sealed batch goes to another place (D-11).
    Reseal {
        cursor: CursorId,
        batch: BatchId,
        reseal: u32,
        place: Place,
    },
    /// A batch is at its destination, but for `rejects` (D-8).
    Done {
        cursor: CursorId,
        batch: BatchId,
        rejects: Vec<Removed>,
    },
    /// A batch will not be delivered; its outputs go to `error` (D-8).
    GiveUp {
        cursor: CursorId,
        batch: BatchId,
        verified: bool,
        reason: String,
    },
    /// Acknowledged records that can't be read (I-7).
    Loss {
        sequences: Range<Sequence>,
        records: u64,
        reason: String,
    },
}

impl Control {
    /// Whose frame it is; none for LOSS, which concerns all.
    pub fn cursor(&self) -> Option<CursorId> {
        match self {
            Self::Cursor { cursor, .. }
            | Self::Version { cursor, .. }
            | Self::Upload { cursor, .. }
            | Self::Reseal { cursor, .. }
            | Self::Done { cursor, .. }
            | Self::GiveUp { cursor, .. } => Some(*cursor),
            Self::Seal(batch) => Some(batch.identity.cursor),
            Self::Loss { .. } => None,
        }
    }
}

/// Where a frame lies. Ordered as the log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameAt {
    /// The segment's ordinal.
    pub segment: u64,
    /// Bytes from the start of the segment.
    pub offset: u32,
}

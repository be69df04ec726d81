//! What a sealed batch is called and where it goes: the leaf that batch, ledger, wal frames and
//! destinations share. No bytes of records here.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::record::{Sequence, UnixMillis};
use crate::runs::Runs;

/// The life of one wal directory (W-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub Uuid);

/// One opening of a wal, drawn at random (W-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

/// One destination's reading of a wal (W-9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CursorId(pub u64);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_simple().fmt(f)
    }
}

/// What an output belongs to inside one cursor. Dynamic partitions will be further variants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// The records that were kept.
    Data,
    /// Rejects, for the error output (D-8).
    Error,
}

impl Partition {
    /// The bytes that stand for the partition in frames and in a batch's UUID.
    pub fn tag(&self) -> &'static [u8] {
        match self {
            Self::Data => b"data",
            Self::Error => b"error",
        }
    }

    pub fn from_tag(tag: &[u8]) -> Option<Self> {
        match tag {
            b"data" => Some(Self::Data),
            b"error" => Some(Self::Error),
            _ => None,
        }
    }
}

/// All that makes a batch itself (D-1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchIdentity {
    pub shard: ShardId,
    pub incarnation: Incarnation,
    pub cursor: CursorId,
    pub partition: Partition,
    pub first_sequence: Sequence,
}

impl BatchIdentity {
    /// The unique part of the object's name. `reseal` is 0 for the first place and the number of the
    /// RESEAL for later ones, so a re-sealed batch has a new key (D-9.5, D-11).
    ///
    /// A version 8 UUID: the first 16 bytes of SHA-256 over `standpipe batch 1`, shard (16),
    /// incarnation, cursor, first sequence (8 each, little endian), reseal (4), partition tag.
    pub fn id(&self, reseal: u32) -> BatchId {
        let mut hash = Sha256::new();
        hash.update(b"standpipe batch 1");
        hash.update(self.shard.0.as_bytes());
        hash.update(self.incarnation.0.to_le_bytes());
        hash.update(self.cursor.0.to_le_bytes());
        hash.update(self.first_sequence.0.to_le_bytes());
        hash.update(reseal.to_le_bytes());
        hash.update(self.partition.tag());
        let digest: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(digest) {
            *to = from;
        }
        BatchId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

/// The UUID of one batch at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub Uuid);

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// Where an object lies: `root` is the bucket of a store or the directory of a file system, `key`
/// the name below it, with `/` between its parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub root: String,
    pub key: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.root.trim_end_matches('/'), self.key)
    }
}

/// One object to be created, for ever the same set of records (I-3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    pub shard: ShardId,
    pub batch: BatchId,
    pub place: Place,
}

/// What a SEAL frame says, and nothing else (D-6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedBatch {
    pub identity: BatchIdentity,
    /// 0, or the number of the last RESEAL.
    pub reseal: u32,
    pub place: Place,
    /// The generation that the object's name carries.
    pub generation: u64,
    /// Arrival of the first record: the time stamp of prefix and name.
    pub arrival: UnixMillis,
    /// Outputs in the object.
    pub count: u64,
    /// Length of the encoded object in bytes.
    pub length: u64,
    /// SHA-256 of the shaped outputs before encoding.
    pub digest: [u8; 32],
    /// Exactly the records that it holds.
    pub runs: Runs,
}

impl SealedBatch {
    pub fn id(&self) -> BatchId {
        self.identity.id(self.reseal)
    }

    pub fn object(&self) -> ObjectId {
        ObjectId {
            shard: self.identity.shard,
            batch: self.id(),
            place: self.place.clone(),
        }
    }
}

/// Whom a failure concerns (design §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// This record only: it goes to the error output.
    Record,
    /// The destination: hold, back off, try again.
    Destination,
    /// What was configured: hold, say what to mend, resume when mended.
    Configuration,
}

/// Why something did not work, for people: what was tried, what came back, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub class: FailureClass,
    pub message: String,
}

/// How one attempt to create an object ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Created,
    /// Something has the name already; a look at it says whose it is (D-9).
    Exists,
    /// It failed before anything could reach the destination.
    NotSent(Failure),
    /// A definite answer that it was not done, and never will be from this attempt (D-10.1).
    Refused(Failure),
    /// It may be done now, or later.
    MayHaveHappened(Failure),
}

/// Whether an object is there (D-9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Ours, and durable.
    Ours,
    /// The name is taken by something that is not ours: what it looks like.
    Foreign(String),
    /// Not there. `settled`: no attempt of an earlier process can still make it appear (D-10, D-15).
    Absent { settled: bool },
    /// The question could not be answered.
    Unknown(Failure),
}

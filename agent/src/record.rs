//! The words every stage shares: a record, its sequence, its arrival.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The position of a record in the log of one shard. The first record has 1; sequences grow, and a
/// failed group leaves a gap (W-2).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The first sequence of a new shard.
    pub const FIRST: Self = Self(1);

    /// The sequence `count` places further on.
    #[must_use]
    pub fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, by the wall clock.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

/// One record as every stage after the wal reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub sequence: Sequence,
    pub arrival: UnixMillis,
    /// The bytes as the producer sent them (base64 decoded).
    pub bytes: &'a [u8],
}

//! What all rooms say of themselves at one moment. `/report` and `/metrics` are made from nothing
//! else, so that they agree.

use crds::report::Accounting;

use crate::record::UnixMillis;
use crate::wal::{Counts, WalStatus};

/// One look at the whole process.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    pub at: UnixMillis,
    pub wal: WalStatus,
    pub intake: Intake,
    /// One a destination.
    pub deliveries: Vec<Delivery>,
    /// What a person should know of the manifest as it is now.
    pub spec_problems: Vec<Problem>,
    /// What a person should know of the wal as it is now.
    pub wal_problems: Vec<Problem>,
}

/// What the intake counted since the process started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Intake {
    pub paused: bool,
    /// Records and bytes of records that were acknowledged.
    pub records: u64,
    pub bytes: u64,
    /// Requests that were answered with success.
    pub succeeded: u64,
    /// Requests that were answered with an error, by its reason. The reasons are a fixed list.
    pub refused: Vec<(&'static str, u64)>,
    pub connections: u64,
    /// Time spent on requests by the CPU.
    pub busy_seconds: f64,
    /// Producers with the most records, most first.
    pub producers: Vec<Producer>,
    pub problems: Vec<Problem>,
}

/// What one producer sent. Its name is what it calls itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Producer {
    pub name: String,
    pub records: u64,
}

/// One destination.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivery {
    pub name: String,
    pub recovering: bool,
    /// How often the data path changed.
    pub generation: u64,
    /// The manifest's objective for its freshness.
    pub objective_seconds: Option<u32>,
    pub accepted: u64,
    pub counts: Counts,
    pub in_wal: u64,
    pub oldest_undelivered: Option<UnixMillis>,
    pub open_batches: u64,
    pub sealed_batches: u64,
    pub held_batches: u64,
    /// Since the process started.
    pub objects: u64,
    pub bytes: u64,
    /// Tries that failed.
    pub failures: u64,
    /// Objects that a reader had moved or deleted before we could look after a lost reply (D-9.2).
    pub taken: u64,
    pub busy_seconds: f64,
    pub last_error: Option<LastError>,
    pub problems: Vec<Problem>,
}

impl Delivery {
    /// Whether the identity I-2 holds; none while it recovers, where it is not asserted (W-13).
    pub fn balanced(&self) -> Option<bool> {
        (!self.recovering).then(|| self.accounting().adds_up())
    }

    /// The identity's terms.
    pub fn accounting(&self) -> Accounting {
        Accounting {
            accepted: self.accepted,
            delivered: self.counts.delivered,
            error_output: self.counts.error_output,
            given_up: self.counts.given_up,
            filtered: self.counts.filtered,
            lost: self.counts.lost,
            in_wal: self.in_wal,
            balanced: None,
        }
    }
}

/// Something that a person should know or do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// CamelCase, of a fixed list.
    pub reason: String,
    /// The field of the manifest that it is about.
    pub field: Option<String>,
    pub message: String,
    pub since: UnixMillis,
}

/// The last failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    pub at: UnixMillis,
    pub message: String,
    /// Failed attempts since the process started.
    pub count: u64,
}

#[cfg(test)]
pub(crate) mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::object::{Incarnation, ShardId};
    use crate::record::Sequence;

    /// A snapshot with something of everything; its accounting balances.
    pub(crate) fn example() -> Observed {
        Observed {
            at: UnixMillis(1_700_000_010_500),
            wal: WalStatus {
                shard: ShardId(Uuid::from_u128(0x5d)),
                incarnation: Incarnation(7),
                used_bytes: 4096,
                capacity_bytes: 1 << 30,
                segments: 2,
                durable_end: Sequence(105),
                accepted_records: 100,
                in_doubt_records: 3,
                lost_records: 1,
                written_bytes: 8_192,
                failures: 2,
                pressure: false,
                reserve_low: false,
                problems: vec!["segment 3 is damaged at byte 512".to_owned()],
                failing: None,
                closed: None,
            },
            intake: Intake {
                paused: false,
                records: 60,
                bytes: 6_000,
                succeeded: 6,
                refused: vec![("ServiceUnavailable", 2), ("ValidationException", 1)],
                connections: 4,
                busy_seconds: 0.25,
                producers: vec![Producer {
                    name: "AKIDEXAMPLE".to_owned(),
                    records: 50,
                }],
                problems: Vec::new(),
            },
            deliveries: vec![Delivery {
                name: "files".to_owned(),
                recovering: false,
                generation: 2,
                objective_seconds: Some(60),
                accepted: 100,
                counts: Counts {
                    delivered: 80,
                    error_output: 4,
                    given_up: 0,
                    filtered: 0,
                    lost: 1,
                },
                in_wal: 15,
                oldest_undelivered: Some(UnixMillis(1_700_000_000_000)),
                open_batches: 1,
                sealed_batches: 2,
                held_batches: 1,
                objects: 9,
                bytes: 2_048,
                failures: 5,
                taken: 1,
                busy_seconds: 1.5,
                last_error: Some(LastError {
                    at: UnixMillis(1_700_000_009_000),
                    message: "could not write /out".to_owned(),
                    count: 5,
                }),
                problems: vec![Problem {
                    reason: "DestinationNotWritable".to_owned(),
                    field: Some("spec.destinations[0].fileSystem.directory".to_owned()),
                    message: "could not write /out".to_owned(),
                    since: UnixMillis(1_700_000_001_000),
                }],
            }],
            spec_problems: Vec::new(),
            wal_problems: Vec::new(),
        }
    }
}

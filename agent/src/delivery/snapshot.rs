//! What a delivery tells of itself, all of one moment (I-2, I-12).

use crate::record::UnixMillis;
use crate::wal::Counts;

/// One look at one delivery.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub name: String,
    /// Its live frames are being read; the accounting is not asserted yet (W-13).
    pub recovering: bool,
    pub generation: u64,
    pub accounting: Accounting,
    /// Records that the wal had accepted at this moment, of all cursors.
    pub wal_accepted: u64,
    /// Arrival of the oldest accepted record that is not complete, as far as it is known.
    pub oldest_undelivered: Option<UnixMillis>,
    pub open_batches: u64,
    pub sealed_batches: u64,
    pub held_batches: u64,
    /// Objects created, and their bytes, since the start.
    pub delivered_objects: u64,
    pub delivered_bytes: u64,
    /// Bytes of records that became complete since the start.
    pub complete_bytes: u64,
    /// Tries that failed since the start.
    pub failures: u64,
    /// Objects that were gone when we looked after their create: a reader took them (D-9.2).
    pub taken: u64,
    /// Seconds spent on work, not on waiting, since the start.
    pub busy_seconds: f64,
    pub problems: Vec<Problem>,
    pub last_failure: Option<(UnixMillis, String)>,
    /// Nothing waits: every accepted record is complete.
    pub empty: bool,
}

/// Something that a person should know or do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `CamelCase`, of a fixed list.
    pub reason: &'static str,
    pub message: String,
    pub since: UnixMillis,
}

/// The parts of I-2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    pub accepted: u64,
    pub counts: Counts,
    pub in_wal: u64,
}

impl Accounting {
    /// Whether the identity holds.
    pub fn is_balanced(&self) -> bool {
        let Counts {
            delivered,
            error_output,
            given_up,
            filtered,
            lost,
        } = self.counts;
        delivered + error_output + given_up + filtered + lost + self.in_wal == self.accepted
    }
}

/// Where the records of a cursor are, each counted where it is found: what `in_wal` is made of. A
/// record that the loop forgot, or has twice, makes the identity fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// Accepted by the wal for this cursor.
    pub accepted: u64,
    /// Gone by the loop.
    pub passed: u64,
    pub counts: Counts,
    /// In open batches and such as wait for their SEAL.
    pub open: u64,
    /// In sealed batches.
    pub sealed: u64,
    /// Sealed or complete already though the loop has not gone by them again since the start.
    pub ahead: u64,
}

impl Whereabouts {
    pub fn accounting(&self) -> Accounting {
        let unread = self.accepted.saturating_sub(self.passed + self.ahead);
        Accounting {
            accepted: self.accepted,
            counts: self.counts,
            in_wal: unread + self.open + self.sealed,
        }
    }
}

/// The accepted records of one cursor: known when it attached, growing with the wal's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Accepted {
    pub at_attach: u64,
    pub wal_at_attach: u64,
}

impl Accepted {
    pub fn now(&self, wal: u64) -> u64 {
        self.at_attach + wal.saturating_sub(self.wal_at_attach)
    }
}

/// The older of two arrivals.
pub fn older(a: Option<UnixMillis>, b: Option<UnixMillis>) -> Option<UnixMillis> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_holds_while_every_record_is_somewhere_and_fails_when_one_is_not() {
        let right = Whereabouts {
            accepted: 100,
            passed: 60,
            counts: Counts {
                delivered: 30,
                error_output: 5,
                ..Counts::default()
            },
            open: 20,
            sealed: 5,
            ahead: 0,
        };
        assert!(right.accounting().is_balanced());
        assert_eq!(right.accounting().in_wal, 65);
        for wrong in [
            Whereabouts { open: 19, ..right },
            Whereabouts { sealed: 6, ..right },
            Whereabouts {
                passed: 61,
                ..right
            },
        ] {
            assert!(!wrong.accounting().is_balanced(), "{wrong:?}");
        }
    }
}

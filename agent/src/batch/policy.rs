//! When an open batch is sealed (D-2): pure functions over sizes, times and counts.
//!
//! Two clocks, never mixed. While records go by, arrivals alone decide ([`passes_age`]), so catching
//! up after an outage cuts the objects that live traffic would have been cut into. At the durable
//! end, where no arrival comes any more, the monotonic clock decides ([`remaining`]).

use std::time::Duration;

use crate::record::{Sequence, UnixMillis};

/// A SEAL lists its records exactly; this bounds the encoded list, in bytes (D-2.3).
pub const MAX_RUN_LIST_BYTES: usize = 1 << 20;

/// The spec's `buffering`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints {
    /// Encoded, compressed bytes.
    pub size_bytes: u64,
    /// Whole seconds, as in the spec.
    pub interval_seconds: u32,
}

impl Hints {
    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_seconds.into())
    }
}

/// Why a batch is sealed: for logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SealReason {
    Size,
    Age,
    RunList,
    /// Its version ends (I-6): a batch never spans two (W-10).
    Version,
    Drain,
    /// The wal is above 70 % of its capacity.
    WalPressure,
}

impl SealReason {
    /// The label value of metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Age => "age",
            Self::RunList => "run-list",
            Self::Version => "version",
            Self::Drain => "drain",
            Self::WalPressure => "wal-pressure",
        }
    }
}

/// Whether a batch must be sealed after an output was added to it: its size as far as it is known,
/// and the bytes of its run list (D-2.1, D-2.3).
pub fn after_adding(hints: &Hints, size: u64, run_list_bytes: usize) -> Option<SealReason> {
    if size >= hints.size_bytes {
        Some(SealReason::Size)
    } else if run_list_bytes >= MAX_RUN_LIST_BYTES {
        Some(SealReason::RunList)
    } else {
        None
    }
}

/// Whether a record that the cursor passes, kept or not, seals a batch before anything is added to
/// it: its arrival differs from that of the batch's first record by more than the interval, either
/// way (D-2.2; a wall clock that was set back must not keep a batch open).
pub fn passes_age(hints: &Hints, first_arrival: UnixMillis, passing: UnixMillis) -> bool {
    let apart = first_arrival.0.abs_diff(passing.0);
    apart > u64::from(hints.interval_seconds) * 1000
}

/// How old a batch is when it opens. Of a record that was in the log when this process started, the
/// wall clock says it, at least 0; a record that was appended since is new.
pub fn age_at_open(
    before_start: bool,
    first_arrival: UnixMillis,
    wall_now: UnixMillis,
) -> Duration {
    if !before_start {
        return Duration::ZERO;
    }
    let millis = wall_now.0.saturating_sub(first_arrival.0).max(0);
    Duration::from_millis(millis.unsigned_abs())
}

/// How long a batch may still stay open at the durable end: `since_open` is monotonic time. Zero
/// means now. While the cursor is behind the durable end this is not asked (D-2.2).
pub fn remaining(hints: &Hints, age_at_open: Duration, since_open: Duration) -> Duration {
    hints
        .interval()
        .saturating_sub(age_at_open.saturating_add(since_open))
}

/// Which of the open batches, given by their first records, is sealed under [`SealReason::WalPressure`]:
/// the oldest in the log, since truncation waits for it (D-2.4, W-12). `None` without pressure.
pub fn relieve(pressure: bool, open: impl IntoIterator<Item = Sequence>) -> Option<Sequence> {
    if pressure {
        open.into_iter().min()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HINTS: Hints = Hints {
        size_bytes: 1000,
        interval_seconds: 60,
    };

    #[test]
    fn size_and_run_list() {
        for (size, runs, expected) in [
            (0, 0, None),
            (999, MAX_RUN_LIST_BYTES - 1, None),
            (1000, 0, Some(SealReason::Size)),
            (0, MAX_RUN_LIST_BYTES, Some(SealReason::RunList)),
            (1001, MAX_RUN_LIST_BYTES, Some(SealReason::Size)),
        ] {
            assert_eq!(after_adding(&HINTS, size, runs), expected, "{size} {runs}");
        }
    }

    #[test]
    fn a_passing_record_seals_beyond_the_interval_either_way() {
        let first = UnixMillis(1_000_000);
        for (passing, seals) in [
            (1_000_000, false),
            (1_060_000, false),
            (1_060_001, true),
            (940_000, false),
            (939_999, true),
            (i64::MAX, true),
            (i64::MIN, true),
        ] {
            assert_eq!(
                passes_age(&HINTS, first, UnixMillis(passing)),
                seals,
                "{passing}"
            );
        }
        let zero = Hints {
            interval_seconds: 0,
            ..HINTS
        };
        assert!(!passes_age(&zero, first, first));
        assert!(passes_age(&zero, first, UnixMillis(first.0 + 1)));
    }

    #[test]
    fn at_the_durable_end_the_monotonic_clock_decides() {
        let secs = Duration::from_secs;
        let at = UnixMillis(1_000_000);
        let later = |millis: i64| UnixMillis(at.0 + millis);
        for (before_start, now, age) in [
            (false, later(40_000), 0),
            (true, later(40_000), 40),
            (true, later(-40_000), 0),
        ] {
            assert_eq!(age_at_open(before_start, at, now), secs(age));
        }
        for (age, open, left) in [
            (0, 0, 60),
            (0, 59, 1),
            (0, 60, 0),
            (40, 0, 20),
            (40, 30, 0),
            (9999, 0, 0),
        ] {
            assert_eq!(remaining(&HINTS, secs(age), secs(open)), secs(left));
        }
        assert_eq!(
            remaining(&HINTS, Duration::MAX, Duration::MAX),
            Duration::ZERO
        );
    }

    #[test]
    fn pressure_seals_the_oldest_first() {
        let open = [Sequence(9), Sequence(3), Sequence(5)];
        assert_eq!(relieve(true, open), Some(Sequence(3)));
        assert_eq!(relieve(false, open), None);
        assert_eq!(relieve(true, []), None);
    }

    proptest! {
        /// Cutting by arrival is the same however fast the log is read, and no batch spans more
        /// than the interval either way.
        #[test]
        fn no_batch_spans_more_than_the_interval(
            arrivals in prop::collection::vec(-200_000_i64..200_000, 1..200),
        ) {
            let mut first = None;
            for arrival in arrivals.into_iter().map(UnixMillis) {
                let opened = match first {
                    Some(opened) if !passes_age(&HINTS, opened, arrival) => opened,
                    _ => arrival,
                };
                prop_assert!((arrival.0 - opened.0).abs() <= 60_000);
                first = Some(opened);
            }
        }

        #[test]
        fn waiting_what_remains_leaves_nothing(age in 0_u64..200, open in 0_u64..200) {
            let (age, open) = (Duration::from_secs(age), Duration::from_secs(open));
            let left = remaining(&HINTS, age, open);
            prop_assert!(left <= HINTS.interval());
            prop_assert_eq!(remaining(&HINTS, age, open + left), Duration::ZERO);
        }
    }
}

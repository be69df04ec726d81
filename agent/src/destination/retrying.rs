//! Back-off with full jitter, as a value. There is no ceiling on the number of attempts (I-8).

use std::time::Duration;

use crate::entropy::Entropy;

/// How long to wait between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The most that the first wait can be.
    pub base: Duration,
    /// The most that any wait can be.
    pub cap: Duration,
}

impl Default for Backoff {
    /// 100 ms, doubled up to 30 s.
    fn default() -> Self {
        Self {
            base: Duration::from_millis(100),
            cap: Duration::from_secs(30),
        }
    }
}

impl Backoff {
    /// The most that the wait after failed attempt number `attempt` (from 0) can be.
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }

    /// The wait after failed attempt number `attempt` (from 0): anything from nothing to the
    /// ceiling, both included, so that many who failed together don't come back together.
    pub fn delay(&self, attempt: u32, entropy: &Entropy) -> Duration {
        let ceiling = u64::try_from(self.ceiling(attempt).as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(entropy.below(ceiling.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let backoff = Backoff::default();
        let millis = |attempt| backoff.ceiling(attempt).as_millis();
        assert_eq!([0, 1, 2, 8].map(millis), [100, 200, 400, 25_600]);
        for attempt in [9, 31, 32, 33, u32::MAX] {
            assert_eq!(millis(attempt), 30_000, "attempt {attempt}");
        }
    }

    #[test]
    fn a_delay_lies_anywhere_up_to_the_ceiling() {
        let backoff = Backoff::default();
        let entropy = Entropy::from_seed(7);
        let delays: Vec<Duration> = (0..1000).map(|_| backoff.delay(3, &entropy)).collect();
        let ceiling = backoff.ceiling(3);
        assert!(delays.iter().all(|delay| *delay <= ceiling));
        assert!(delays.iter().any(|delay| *delay < ceiling / 10));
        assert!(delays.iter().any(|delay| *delay > ceiling / 10 * 9));
        let again = Entropy::from_seed(7);
        assert_eq!(backoff.delay(3, &again), delays[0]);
    }
}

//! Rates over sliding windows, from counters that are looked at once a second.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The longest window.
const KEEP: Duration = Duration::from_mins(1);
/// More samples than one a second are not kept, whoever asks.
const SAMPLES: usize = 64;

/// Counters at one moment; they only grow while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    pub at: Instant,
    pub records_in: u64,
    pub bytes_in: u64,
    pub records_out: u64,
    pub bytes_out: u64,
}

/// Growth a second, on average over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PerSecond {
    pub records_in: f64,
    pub bytes_in: f64,
    pub records_out: f64,
    pub bytes_out: f64,
}

/// The samples of the last minute.
#[derive(Clone, Debug, Default)]
pub struct Sampler {
    samples: VecDeque<Sample>,
}

impl Sampler {
    pub fn push(&mut self, sample: Sample) {
        self.samples.push_back(sample);
        // one sample at or before the start of the window is needed
        while self.samples.len() > SAMPLES
            || (self.samples.get(1)).is_some_and(|second| sample.at - second.at >= KEEP)
        {
            self.samples.pop_front();
        }
    }

    /// Over the last `window`, or since the first sample where that is shorter.
    pub fn per_second(&self, window: Duration) -> PerSecond {
        let Some(last) = self.samples.back() else {
            return PerSecond::default();
        };
        let from = self.samples.iter().rev().find(|s| last.at - s.at >= window);
        let Some(from) = from.or_else(|| self.samples.front()) else {
            return PerSecond::default();
        };
        let seconds = (last.at - from.at).as_secs_f64();
        if seconds == 0.0 {
            return PerSecond::default();
        }
        let rate = |count: fn(&Sample) -> u64| per_second(count(from), count(last), seconds);
        PerSecond {
            records_in: rate(|s| s.records_in),
            bytes_in: rate(|s| s.bytes_in),
            records_out: rate(|s| s.records_out),
            bytes_out: rate(|s| s.bytes_out),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate is not exact to begin with"
)]
fn per_second(from: u64, to: u64, seconds: f64) -> f64 {
    to.saturating_sub(from) as f64 / seconds
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "small whole numbers are exact")]
mod tests {
    use super::*;

    fn sample(start: Instant, second: u64, count: u64) -> Sample {
        Sample {
            at: start + Duration::from_secs(second),
            records_in: count,
            bytes_in: 10 * count,
            records_out: count / 2,
            bytes_out: count,
        }
    }

    fn records_in(sampler: &Sampler, seconds: u64) -> f64 {
        sampler.per_second(Duration::from_secs(seconds)).records_in
    }

    #[test]
    fn no_sample_and_one_sample_are_no_rate() {
        let mut sampler = Sampler::default();
        assert_eq!(sampler.per_second(KEEP), PerSecond::default());
        sampler.push(sample(Instant::now(), 0, 7));
        assert_eq!(sampler.per_second(KEEP), PerSecond::default());
    }

    #[test]
    fn a_rate_is_the_growth_over_its_window() {
        let (mut sampler, start) = (Sampler::default(), Instant::now());
        // 100 a second for 90 s, then nothing for 10 s
        for second in 0..=100 {
            sampler.push(sample(start, second, 100 * second.min(90)));
        }
        assert_eq!(records_in(&sampler, 10), 0.0);
        assert_eq!(records_in(&sampler, 20), 50.0);
        assert_eq!(records_in(&sampler, 60), 100.0 * 50.0 / 60.0);
        assert_eq!(sampler.samples.len(), 61);
        let rates = sampler.per_second(Duration::from_secs(20));
        assert_eq!((rates.bytes_in, rates.records_out), (500.0, 25.0));
    }

    #[test]
    fn a_young_process_averages_over_its_life() {
        let (mut sampler, start) = (Sampler::default(), Instant::now());
        sampler.push(sample(start, 0, 0));
        sampler.push(sample(start, 4, 400));
        assert_eq!(records_in(&sampler, 60), 100.0);
    }

    #[test]
    fn samples_are_bounded_however_often_they_come() {
        let (mut sampler, start) = (Sampler::default(), Instant::now());
        for count in 0..10_000 {
            sampler.push(sample(start, 0, count));
        }
        assert!(sampler.samples.len() <= SAMPLES);
    }
}

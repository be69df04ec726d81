//! The status line of `run`: how fast, how fresh, how much is in the wal, and what is wrong.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::Instant;

use crate::app::logging::escape;
use crate::record::UnixMillis;
use crate::report::observed::{Observed, Problem};
use crate::report::sampler::PerSecond;

/// Without a terminal a line comes at most this often while only the numbers change.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// One line, without its end.
pub(super) fn line(state: &str, seen: &Observed, rate: &PerSecond) -> String {
    let sum = |count: fn(&crate::report::observed::Delivery) -> u64| -> u64 {
        seen.deliveries.iter().map(count).sum()
    };
    let mut line = format!(
        "{state} | {} records/s, {}B/s | {} | in the wal {} ({} %) | delivered {}",
        scaled(rate.records_in, ""),
        scaled(rate.bytes_in, " "),
        freshness(seen),
        sum(|d| d.in_wal),
        percent(seen.wal.used_bytes, seen.wal.capacity_bytes),
        sum(|d| d.counts.delivered),
    );
    for (count, what) in [
        (sum(|d| d.counts.error_output), "error output"),
        (sum(|d| d.counts.lost), "LOST"),
        (sum(|d| d.held_batches), "held batches"),
    ] {
        if count > 0 {
            let _infallible = write!(line, " | {what} {count}");
        }
    }
    if let Some(problem) = problems(seen).next() {
        let _infallible = write!(line, " | {}: {}", problem.reason, escape(&problem.message));
    }
    line
}

fn problems(seen: &Observed) -> impl Iterator<Item = &Problem> {
    let deliveries = seen.deliveries.iter().flat_map(|d| &d.problems);
    seen.spec_problems
        .iter()
        .chain(deliveries)
        .chain(&seen.intake.problems)
}

fn freshness(seen: &Observed) -> String {
    let oldest: Option<UnixMillis> = seen
        .deliveries
        .iter()
        .filter_map(|d| d.oldest_undelivered)
        .min();
    match oldest {
        None => "all delivered".to_owned(),
        Some(oldest) => {
            let tenths = seen.at.0.saturating_sub(oldest.0).max(0) / 100;
            format!("oldest {}.{} s", tenths / 10, tenths % 10)
        }
    }
}

/// Such as `7`, `1.2k`, `34.5M`, with `space` before the letter.
fn scaled(value: f64, space: &str) -> String {
    match value {
        v if v < 1_000.0 => format!("{v:.0}{space}"),
        v if v < 1_000_000.0 => format!("{:.1}{space}k", v / 1_000.0),
        v if v < 1_000_000_000.0 => format!("{:.1}{space}M", v / 1_000_000.0),
        v => format!("{:.1}{space}G", v / 1_000_000_000.0),
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    (u128::from(part) * 100)
        .checked_div(u128::from(whole))
        .and_then(|percent| u64::try_from(percent).ok())
        .unwrap_or(0)
}

/// What makes a line worth printing at once, and what makes it worth printing at all.
#[derive(Clone, Debug, PartialEq)]
struct Shown {
    state: String,
    problems: Vec<(String, String)>,
    accepted: u64,
    ended: u64,
}

/// Chooses when a line is printed where there is no terminal.
#[derive(Debug, Default)]
pub(super) struct Plain {
    last: Option<(Instant, Shown)>,
}

impl Plain {
    /// Whether to print now: at once when the state or the problems changed, every ten seconds
    /// while the counts do.
    pub(super) fn due(&mut self, now: Instant, state: &str, seen: &Observed) -> bool {
        let shown = Shown {
            state: state.to_owned(),
            problems: problems(seen)
                .map(|p| (p.reason.clone(), p.message.clone()))
                .collect(),
            accepted: seen.deliveries.iter().map(|d| d.accepted).sum(),
            ended: seen
                .deliveries
                .iter()
                .map(|d| d.accepted - d.in_wal.min(d.accepted))
                .sum(),
        };
        let due = self.last.as_ref().is_none_or(|(at, last)| {
            last.state != shown.state
                || last.problems != shown.problems
                || (*last != shown && now - *at >= PLAIN_EVERY)
        });
        if due {
            self.last = Some((now, shown));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::observed::tests::example;

    #[test]
    fn the_line_says_rate_freshness_backlog_and_trouble() {
        let rate = PerSecond {
            records_in: 12_345.6,
            bytes_in: 2_500_000.0,
            ..PerSecond::default()
        };
        assert_eq!(
            line("running", &example(), &rate),
            "running | 12.3k records/s, 2.5 MB/s | oldest 10.5 s | in the wal 15 (0 %) | delivered 80 | \
             error output 4 | LOST 1 | held batches 1 | DestinationNotWritable: could not write /out"
        );
    }

    #[test]
    fn an_idle_stream_has_a_quiet_line() {
        let mut seen = example();
        seen.deliveries[0] = crate::report::observed::Delivery {
            name: "files".to_owned(),
            ..crate::report::observed::Delivery::default()
        };
        assert_eq!(
            line("running", &seen, &PerSecond::default()),
            "running | 0 records/s, 0 B/s | all delivered | in the wal 0 (0 %) | delivered 0"
        );
    }

    #[test]
    fn a_line_stays_one_line() {
        let mut seen = example();
        seen.deliveries[0].problems[0].message = "a\nb\u{1b}[2K".to_owned();
        let line = line("running", &seen, &PerSecond::default());
        assert!(!line.contains(char::is_control), "{line}");
    }

    #[test]
    fn plain_lines_come_on_change_at_once_and_on_numbers_every_ten_seconds() {
        let (mut plain, start, mut seen) = (Plain::default(), Instant::now(), example());
        let mut due = |second, state, seen: &Observed| {
            plain.due(start + Duration::from_secs(second), state, seen)
        };
        assert!(due(0, "running", &seen));
        assert!(!due(60, "running", &seen), "nothing changed");
        seen.deliveries[0].accepted += 1;
        assert!(due(61, "running", &seen));
        seen.deliveries[0].accepted += 1;
        assert!(!due(70, "running", &seen), "only numbers, too soon");
        assert!(due(71, "running", &seen));
        seen.deliveries[0].problems.clear();
        assert!(due(72, "running", &seen));
        assert!(due(73, "draining", &seen));
        assert!(!due(74, "draining", &seen));
    }
}

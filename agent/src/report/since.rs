//! Since when a problem is there, for rooms that say only that it is.

use crate::record::UnixMillis;
use crate::wal::WalStatus;

use super::observed::Problem;

/// The largest record batch of the Firehose API in bytes: with less room than this producers are
/// refused, if not all of them.
const LARGEST_BATCH: u64 = 4 * 1024 * 1024;

/// What a wal's status says that a person should know, by reason.
pub fn wal_problems(status: &WalStatus) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    if let Some(failing) = &status.failing {
        problems.push(("WalFailing", failing.clone()));
    }
    if status.reserve_low {
        problems.push((
            "WalReserveLow",
            "the space that is kept for finishing batches runs out: nothing new is sealed until \
             something is delivered (W-7)"
                .to_owned(),
        ));
    }
    if status.capacity_bytes.saturating_sub(status.used_bytes) < LARGEST_BATCH {
        problems.push((
            "WalFull",
            format!(
                "{} of {} bytes wait for delivery: producers are told to try again; deliver, or \
                 raise spec.wal.capacity",
                status.used_bytes, status.capacity_bytes
            ),
        ));
    } else if status.pressure {
        problems.push((
            "WalPressure",
            "the wal is filled above 70 %: the oldest batches are sealed early (D-2.4)".to_owned(),
        ));
    }
    problems
}

/// Remembers when each problem was first seen. A problem is the same as long as its reason is.
#[derive(Debug, Default)]
pub struct Since(Vec<(&'static str, UnixMillis)>);

impl Since {
    /// Takes all problems of now; what is not among them is forgotten.
    pub fn update(&mut self, now: UnixMillis, seen: Vec<(&'static str, String)>) -> Vec<Problem> {
        let known = std::mem::take(&mut self.0);
        seen.into_iter()
            .map(|(reason, message)| {
                let since = known
                    .iter()
                    .find(|(r, _)| *r == reason)
                    .map_or(now, |(_, at)| *at);
                self.0.push((reason, since));
                Problem {
                    reason: reason.to_owned(),
                    field: None,
                    message,
                    since,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::observed::tests::example;

    fn reasons(status: &WalStatus) -> Vec<&'static str> {
        wal_problems(status)
            .into_iter()
            .map(|(reason, _)| reason)
            .collect()
    }

    #[test]
    fn a_wal_says_what_is_wrong_with_it() {
        let mut status = example().wal;
        assert_eq!(reasons(&status), Vec::<&str>::new());
        status.pressure = true;
        assert_eq!(reasons(&status), ["WalPressure"]);
        status.used_bytes = status.capacity_bytes - LARGEST_BATCH;
        assert_eq!(reasons(&status), ["WalPressure"]);
        status.used_bytes += 1;
        status.reserve_low = true;
        status.failing = Some("sync: EIO".to_owned());
        assert_eq!(reasons(&status), ["WalFailing", "WalReserveLow", "WalFull"]);
    }

    #[test]
    fn a_problem_keeps_its_time_until_it_is_gone() {
        let mut since = Since::default();
        let mut at = |now, reasons: &[&'static str]| -> Vec<i64> {
            let seen = reasons.iter().map(|r| (*r, format!("at {now}"))).collect();
            since
                .update(UnixMillis(now), seen)
                .iter()
                .map(|p| p.since.0)
                .collect()
        };
        assert_eq!(at(1, &["A"]), [1]);
        assert_eq!(at(2, &["B", "A"]), [2, 1]);
        assert_eq!(at(3, &["A"]), [1]);
        assert_eq!(at(4, &["B", "A"]), [4, 1]);
    }
}

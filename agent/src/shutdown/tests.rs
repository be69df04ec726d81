use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use super::*;

/// Writes down when each step began, in milliseconds since the signal.
#[derive(Clone)]
struct Diary {
    start: Instant,
    lines: Arc<Mutex<Vec<(&'static str, u128)>>>,
    refuse_takes: Duration,
    drain_takes: Duration,
}

impl Diary {
    fn new(refuse_takes: Duration, drain_takes: Duration) -> Self {
        Self {
            start: Instant::now(),
            lines: Arc::default(),
            refuse_takes,
            drain_takes,
        }
    }

    fn note(&self, step: &'static str) {
        let at = self.start.elapsed().as_millis();
        self.lines.lock().push((step, at));
    }

    fn lines(&self) -> Vec<(&'static str, u128)> {
        self.lines.lock().clone()
    }
}

impl Steps for Diary {
    fn unready(&mut self) {
        self.note("unready");
    }

    async fn refuse(&mut self) {
        self.note("refuse");
        sleep(self.refuse_takes).await;
    }

    async fn drain(&mut self, deadline: Instant) {
        self.note("drain");
        sleep_until((Instant::now() + self.drain_takes).min(deadline)).await;
    }

    async fn close(&mut self) {
        self.note("close");
    }
}

const SECOND: Duration = Duration::from_secs(1);
const NEVER: Duration = Duration::from_hours(1);

#[tokio::test(start_paused = true)]
async fn sigterm_settles_refuses_drains_and_closes() {
    let mut diary = Diary::new(SECOND, 2 * SECOND);
    let plan = Plan::new(Signal::Terminate, None);
    let stopped = stop(plan, &mut diary, std::future::pending()).await;
    assert_eq!(stopped, Stopped::Orderly);
    assert_eq!(
        diary.lines(),
        [
            ("unready", 0),
            ("refuse", 5_000),
            ("drain", 6_000),
            ("close", 8_000)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn sigint_does_not_settle_and_gives_up_after_ten_seconds() {
    let mut diary = Diary::new(Duration::ZERO, NEVER);
    let plan = Plan::new(Signal::Interrupt, None);
    let stopped = stop(plan, &mut diary, std::future::pending()).await;
    assert_eq!(stopped, Stopped::Orderly);
    assert_eq!(
        diary.lines(),
        [
            ("unready", 0),
            ("refuse", 0),
            ("drain", 0),
            ("close", 10_000)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_does_not_hold_the_process() {
    let mut diary = Diary::new(NEVER, NEVER);
    let plan = Plan::new(Signal::Terminate, Some(30 * SECOND));
    stop(plan, &mut diary, std::future::pending()).await;
    assert_eq!(
        diary.lines(),
        [
            ("unready", 0),
            ("refuse", 5_000),
            ("drain", 30_000),
            ("close", 30_000)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_it_at_once() {
    let mut diary = Diary::new(Duration::ZERO, NEVER);
    let plan = Plan::new(Signal::Terminate, None);
    let stopped = stop(plan, &mut diary, sleep(7 * SECOND)).await;
    assert_eq!(stopped, Stopped::Cut);
    assert_eq!(diary.start.elapsed(), 7 * SECOND);
    assert_eq!(
        diary.lines(),
        [("unready", 0), ("refuse", 5_000), ("drain", 5_000)]
    );
}

#[test]
fn the_flag_covers_settling_and_draining() {
    let plan = Plan::new(Signal::Terminate, Some(4 * SECOND));
    assert_eq!((plan.settle, plan.total), (2 * SECOND, 4 * SECOND));
    let plan = Plan::new(Signal::Terminate, None);
    assert_eq!((plan.settle, plan.total), (5 * SECOND, 300 * SECOND));
    let plan = Plan::new(Signal::Interrupt, Some(SECOND));
    assert_eq!((plan.settle, plan.total), (Duration::ZERO, SECOND));
}

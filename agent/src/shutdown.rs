//! The order in which a process stops (design §11), apart from what the steps do.
//!
//! ```text
//! signal ─▶ unready ─(settle: SIGTERM only)─▶ refuse ─▶ drain ─▶ close
//!    └──────────────────── the drain timeout counts from here ───────┘
//! ```
//! A second signal ends the process wherever it is: nothing is lost by that, the wal has it all.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

#[cfg(test)]
mod tests;

/// How long a process that got SIGTERM keeps accepting, while endpoints learn of it.
const SETTLE: Duration = Duration::from_secs(5);

/// How long the last checkpoint may take after the drain timeout, so that a disk which hangs
/// doesn't hold the process.
const CLOSE: Duration = Duration::from_secs(5);

/// What asks for an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, a supervisor's.
    Terminate,
    /// SIGINT, a person's Ctrl-C.
    Interrupt,
}

/// How long each step may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub settle: Duration,
    /// From the signal to the end of the drain.
    pub total: Duration,
}

impl Plan {
    /// `drain_timeout` is the flag's; without it 300 s after SIGTERM (the grace period that pods
    /// get) and 10 s after SIGINT. Settling takes at most half of it.
    pub fn new(signal: Signal, drain_timeout: Option<Duration>) -> Self {
        match signal {
            Signal::Terminate => {
                let total = drain_timeout.unwrap_or(Duration::from_mins(5));
                Self {
                    settle: SETTLE.min(total / 2),
                    total,
                }
            }
            Signal::Interrupt => Self {
                settle: Duration::ZERO,
                total: drain_timeout.unwrap_or(Duration::from_secs(10)),
            },
        }
    }
}

/// What the steps do. Each future may be dropped.
pub trait Steps {
    /// `/readyz` fails from now on.
    fn unready(&mut self);
    /// New requests are refused with `Connection: close`; resolves when the running ones are answered.
    fn refuse(&mut self) -> impl Future<Output = ()> + Send;
    /// Seals and delivers; resolves when nothing is left, at the deadline at the latest.
    fn drain(&mut self, deadline: Instant) -> impl Future<Output = ()> + Send;
    /// Ends the wal with a checkpoint.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// Whether the steps were gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All of them, though the drain may have run out of time.
    Orderly,
    /// `cut` resolved first.
    Cut,
}

/// Goes through the steps. `cut` resolves when there is no more waiting: a second signal, or a
/// task without which nothing can go on has ended.
pub async fn stop(
    plan: Plan,
    steps: &mut (impl Steps + Send),
    cut: impl Future<Output = ()>,
) -> Stopped {
    tokio::select! {
        biased;
        () = cut => Stopped::Cut,
        () = orderly(plan, steps) => Stopped::Orderly,
    }
}

async fn orderly(plan: Plan, steps: &mut (impl Steps + Send)) {
    let signalled = Instant::now();
    let deadline = signalled + plan.total;
    steps.unready();
    tokio::time::sleep_until(signalled + plan.settle).await;
    // a request that outlives the deadline gets no reply: its producer sends it again
    let _late = timeout_at(deadline, steps.refuse()).await;
    let _late = timeout_at(deadline, steps.drain(deadline)).await;
    let _late = tokio::time::timeout(CLOSE, steps.close()).await;
}

//! From "producers are served" to the exit code: what ends the process, and what is done then.

use std::future::Future;
use std::time::Duration;

use super::ending::Ending;
use crate::shutdown::{Plan, Signal, Steps, Stopped, stop};
use crate::supervise::{Ended, Fault, Supervisor};

#[cfg(test)]
mod tests;

/// Where signals come from.
pub trait Signalled: Send {
    /// The next signal. Cancel safe.
    fn next(&mut self) -> impl Future<Output = Signal> + Send;
}

/// Runs until a signal, then stops in order; or until a task ends that must not. `left` tells how
/// many accepted records are not delivered.
pub async fn until_end(
    drain_timeout: Option<Duration>,
    signals: &mut impl Signalled,
    supervisor: &mut Supervisor,
    steps: &mut (impl Steps + Send),
    left: impl Fn() -> u64,
) -> Ending {
    let signal = tokio::select! {
        biased;
        ended = supervisor.ended() => return failed(&ended),
        signal = signals.next() => signal,
    };
    let plan = Plan::new(signal, drain_timeout);
    tracing::info!(
        ?signal,
        drain_timeout_seconds = plan.total.as_secs_f64(),
        "stopping: intake ends, what is in the wal is delivered"
    );
    let mut fault = None;
    let cut = async {
        tokio::select! {
            biased;
            ended = supervisor.ended() => fault = Some(ended),
            _ = signals.next() => {}
        }
    };
    let stopped = stop(plan, steps, cut).await;
    if let Some(ended) = fault {
        return failed(&ended);
    }
    stopped_with(stopped, left())
}

fn stopped_with(stopped: Stopped, left: u64) -> Ending {
    let ending = Ending::after_drain(left);
    match (stopped, ending) {
        (_, Ending::Done) => tracing::info!("stopped: all accepted records are delivered"),
        (Stopped::Orderly, _) => tracing::warn!(
            records = left,
            "stopped at the end of the drain timeout: records are left in the wal, nothing is lost; \
             the next start goes on with them"
        ),
        (Stopped::Cut, _) => tracing::warn!(
            records = left,
            "stopped at once by a second signal: records are left in the wal, nothing is lost; the \
             next start goes on with them"
        ),
    }
    ending
}

fn failed(ended: &Ended) -> Ending {
    match &ended.fault {
        Fault::Wal(reason) => {
            tracing::error!(task = ended.task, "the wal failed: {reason}");
            Ending::WalFailed
        }
        Fault::Bug(reason) => {
            tracing::error!(task = ended.task, "a bug ended the process: {reason}");
            Ending::Bug
        }
    }
}

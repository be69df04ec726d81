use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Signals that a test sends.
struct Sent(mpsc::Receiver<Signal>);

impl Signalled for Sent {
    async fn next(&mut self) -> Signal {
        match self.0.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}

/// A data path that needs some time to drain.
struct Drains(Duration);

impl Steps for Drains {
    fn unready(&mut self) {}

    async fn refuse(&mut self) {}

    async fn drain(&mut self, deadline: Instant) {
        tokio::time::sleep_until((Instant::now() + self.0).min(deadline)).await;
    }

    async fn close(&mut self) {}
}

/// One run: `signals` by the second at which they come, a fault perhaps, and what is left in the
/// end. Gives the ending and the seconds it took.
async fn run(
    signals: &[(u64, Signal)],
    fault: Option<(u64, Fault)>,
    drain: Duration,
    left: u64,
) -> (Ending, u64) {
    let start = Instant::now();
    let (sender, receiver) = mpsc::channel(2);
    let mut supervisor = Supervisor::new();
    let signals = signals.to_vec();
    supervisor.spawn("signals", CancellationToken::new(), async move {
        for (second, signal) in signals {
            tokio::time::sleep_until(start + Duration::from_secs(second)).await;
            sender.send(signal).await.unwrap();
        }
        std::future::pending().await
    });
    if let Some((second, fault)) = fault {
        supervisor.spawn("wal", CancellationToken::new(), async move {
            sleep(Duration::from_secs(second)).await;
            Err(fault)
        });
    }
    let ending = until_end(
        None,
        &mut Sent(receiver),
        &mut supervisor,
        &mut Drains(drain),
        || left,
    )
    .await;
    (ending, start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_drained_process_ends_with_0() {
    let ended = run(&[(1, Signal::Interrupt)], None, 2 * SECOND, 0).await;
    assert_eq!(ended, (Ending::Done, 3));
    let ended = run(&[(1, Signal::Terminate)], None, 2 * SECOND, 0).await;
    assert_eq!(ended, (Ending::Done, 8));
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_runs_out_of_time_ends_with_5() {
    let ended = run(&[(0, Signal::Interrupt)], None, 1_000 * SECOND, 7).await;
    assert_eq!(ended, (Ending::RecordsLeft, 10));
    let ended = run(&[(0, Signal::Terminate)], None, 1_000 * SECOND, 7).await;
    assert_eq!(ended, (Ending::RecordsLeft, 300));
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_at_once_with_what_is_left() {
    let two = [(0, Signal::Terminate), (2, Signal::Interrupt)];
    assert_eq!(
        run(&two, None, 1_000 * SECOND, 7).await,
        (Ending::RecordsLeft, 2)
    );
    assert_eq!(run(&two, None, 1_000 * SECOND, 0).await, (Ending::Done, 2));
}

#[tokio::test(start_paused = true)]
async fn a_failed_wal_ends_with_4_and_a_bug_with_1_whenever_it_comes() {
    let wal = |second| Some((second, Fault::Wal("no space".to_owned())));
    let bug = |second| Some((second, Fault::Bug("oh".to_owned())));
    let signal = [(1, Signal::Interrupt)];
    assert_eq!(run(&[], wal(5), SECOND, 9).await, (Ending::WalFailed, 5));
    assert_eq!(run(&[], bug(5), SECOND, 9).await, (Ending::Bug, 5));
    assert_eq!(
        run(&signal, wal(4), 9 * SECOND, 9).await,
        (Ending::WalFailed, 4)
    );
    assert_eq!(run(&signal, bug(4), 9 * SECOND, 9).await, (Ending::Bug, 4));
}

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::*;

#[tokio::test(start_paused = true)]
async fn an_end_that_was_asked_for_is_no_news() {
    let (mut supervisor, stop) = (Supervisor::new(), CancellationToken::new());
    let asked = stop.clone();
    supervisor.spawn("intake", stop.clone(), async move {
        asked.cancelled().await;
        Ok(())
    });
    assert!(
        timeout(Duration::from_millis(10), supervisor.ended())
            .await
            .is_err()
    );
    stop.cancel();
    assert!(
        timeout(Duration::from_millis(10), supervisor.ended())
            .await
            .is_err()
    );
    assert_eq!(supervisor.health().check(), Ok(()));
}

#[tokio::test]
async fn any_other_end_is_a_fault_and_unhealthy() {
    let mut supervisor = Supervisor::new();
    supervisor.spawn("reload", CancellationToken::new(), async { Ok(()) });
    let ended = supervisor.ended().await;
    assert_eq!(ended.task, "reload");
    assert!(matches!(ended.fault, Fault::Bug(_)));

    let fault = Fault::Wal("no space".to_owned());
    let said = fault.clone();
    supervisor.spawn("wal", CancellationToken::new(), async move { Err(said) });
    assert_eq!(supervisor.ended().await, Ended { task: "wal", fault });
    assert_eq!(
        supervisor.health().check(),
        Err("ended: reload, wal".to_owned())
    );
}

#[tokio::test]
async fn a_panic_is_a_bug() {
    let mut supervisor = Supervisor::new();
    supervisor.spawn("delivery", CancellationToken::new(), async {
        panic!("a test's")
    });
    assert!(matches!(supervisor.ended().await.fault, Fault::Bug(_)));
    assert!(supervisor.health().check().is_err());
}

#[tokio::test(start_paused = true)]
async fn children_wait_for_room() {
    let mut children = Children::new(2);
    let start = Instant::now();
    for seconds in [3, 1, 1] {
        children.room().await;
        children.spawn(sleep(Duration::from_secs(seconds)));
    }
    // the third began when the second ended
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    children.finished().await;
    assert_eq!(start.elapsed(), Duration::from_secs(3));
}

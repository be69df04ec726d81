//! Capacity (W-7, W-14): refusals are exact, control frames have room, space comes back.

use std::path::Path;
use std::time::Duration;

use crate::entropy::Entropy;
use crate::fs::fault::{CrashMode, FaultFs};
use crate::runs::Runs;
use crate::wal::{AppendError, CursorState};

use super::scenario::{DIRECTORY, Oracle, SEGMENT_BYTES, files, open, options, simulate};

async fn fill(oracle: &mut Oracle, wal: &crate::wal::Wal) -> u64 {
    let mut appends = 0;
    loop {
        match oracle.append(wal, 1, 1_000).await {
            Ok(()) => appends += 1,
            Err(AppendError::Full { .. }) => return appends,
            Err(error) => panic!("{error}"),
        }
        assert!(appends < 10_000, "it never fills");
    }
}

async fn deliver_all(
    oracle: &mut Oracle,
    wal: &crate::wal::Wal,
    parts: (&mut crate::wal::Cursor, &crate::wal::Journal, &CursorState),
) {
    let (cursor, journal, state) = parts;
    while !cursor.at_durable_end() {
        let taken = (state, &Runs::new());
        oracle
            .deliver(wal, cursor, journal, taken, true)
            .await
            .expect("there is room for control");
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
}

#[test]
fn a_full_wal_refuses_delivers_and_takes_records_again() {
    let fs = FaultFs::new();
    let mut oracle = Oracle::default();
    simulate(async {
        let (wal, _task) = open(&fs, &Entropy::from_seed(1)).expect("opened");
        let (mut cursor, journal, state) = wal.attach("lake").await.expect("attached");
        for round in 0..4 {
            let appends = fill(&mut oracle, &wal).await;
            let status = wal.status();
            assert!(appends > 40, "round {round}: only {appends} appends fit");
            assert!(status.used_bytes <= status.capacity_bytes);
            assert!(status.pressure && !status.reserve_low);
            deliver_all(&mut oracle, &wal, (&mut cursor, &journal, &state)).await;
            assert!(!wal.status().pressure, "round {round}: {:?}", wal.status());
        }
        let files = files(&fs, Path::new(DIRECTORY)).len() as u64;
        let most = options().capacity_bytes / SEGMENT_BYTES + 2 + 3;
        assert!(files <= most, "{files} files");
    });
    oracle.check(&fs.crash_with(CrashMode::LoseAll, 1), 1);
}

#[test]
fn a_smaller_capacity_refuses_until_it_fits() {
    let fs = FaultFs::new();
    let mut oracle = Oracle::default();
    simulate(async {
        let (wal, _task) = open(&fs, &Entropy::from_seed(1)).expect("opened");
        let (mut cursor, journal, state) = wal.attach("lake").await.expect("attached");
        for _ in 0..40 {
            oracle.append(&wal, 1, 1_000).await.expect("fits");
        }
        wal.set_capacity(2 * SEGMENT_BYTES);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let full = oracle.append(&wal, 1, 1_000).await;
        assert!(matches!(full, Err(AppendError::Full { .. })), "{full:?}");
        deliver_all(&mut oracle, &wal, (&mut cursor, &journal, &state)).await;
        oracle.append(&wal, 1, 1_000).await.expect("fits again");
    });
    oracle.check(&fs.crash_with(CrashMode::LoseAll, 1), 1);
}

/// W-7: a process that dies and comes back again and again uses up nothing.
#[test]
fn openings_that_accept_nothing_write_nothing() {
    let fs = FaultFs::new();
    let mut oracle = Oracle::default();
    let mut used = Vec::new();
    for opening in 0..20 {
        simulate(async {
            let (wal, task) = open(&fs, &Entropy::from_seed(opening)).expect("opened");
            if opening == 0 {
                oracle.append(&wal, 3, 100).await.expect("works");
            }
            used.push((wal.status().used_bytes, wal.status().written_bytes));
            task.abort();
            task.await.ok();
        });
    }
    let (first, rest) = used.split_at(2);
    assert!(first[1].0 > first[0].0 - 1, "{used:?}");
    assert!(rest.iter().all(|at| *at == (first[1].0, 0)), "{used:?}");
    oracle.check(&fs.crash_with(CrashMode::LoseAll, 1), 1);
}

/// W-14: in the steady state segments are used again: no file is made, none removed.
#[test]
fn segments_are_recycled() {
    let fs = FaultFs::new();
    let mut oracle = Oracle::default();
    simulate(async {
        let (wal, _task) = open(&fs, &Entropy::from_seed(1)).expect("opened");
        let (mut cursor, journal, state) = wal.attach("lake").await.expect("attached");
        let mut created = Vec::new();
        for _ in 0..8 {
            for _ in 0..40 {
                oracle.append(&wal, 1, 1_000).await.expect("fits");
                let taken = (&state, &Runs::new());
                oracle
                    .deliver(&wal, &mut cursor, &journal, taken, true)
                    .await
                    .expect("done");
            }
            let files = fs
                .log()
                .iter()
                .filter(|line| line.contains("Create"))
                .count();
            created.push(files);
        }
        assert_eq!(
            created[2], created[7],
            "files are still being made: {created:?}"
        );
        let status = wal.status();
        assert!(
            status.segments <= 3 && status.accepted_records == 320,
            "{status:?}"
        );
    });
}

//! Devices that fail: at every operation once, in every way; and for good.

use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use crate::entropy::Entropy;
use crate::fs::fault::{CrashMode, FaultFs, FaultKind, Op};
use crate::wal::{AppendError, LogError};

use super::scenario::{DIRECTORY, Oracle, files, open, simulate};

/// Appends and delivers; a refusal is an answer like any other.
async fn live(fs: &FaultFs, seed: u64, oracle: &mut Oracle) {
    let dice = Entropy::from_seed(seed);
    for opening in 0..2_u64 {
        let entropy = Entropy::from_seed(seed ^ (opening + 1) << 32);
        // a failed opening changes nothing: the next one works
        let (wal, task) = match open(fs, &entropy) {
            Ok(opened) => opened,
            Err(_) => open(fs, &entropy).expect("the fault was for once"),
        };
        let attached = loop {
            match wal.attach("lake").await {
                Err(LogError::Failed(_)) => tokio::time::sleep(Duration::from_secs(1)).await,
                attached => break attached,
            }
        };
        let (mut cursor, journal, state) = attached.expect("attached");
        let mut taken = oracle.resume(&journal, &state).await;
        while taken.is_err() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            taken = oracle.resume(&journal, &state).await;
        }
        let taken = taken.expect("resumed");
        for _ in 0..12 {
            let (records, length) = (1 + dice.below(3), dice.below(900) as usize);
            if oracle.append(&wal, records, length).await.is_err() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            if dice.below(3) == 0 {
                let delivery = (&state, &taken);
                // a SEAL whose sync failed may be there or not: this delivery ends with it
                if oracle
                    .deliver(&wal, &mut cursor, &journal, delivery, true)
                    .await
                    .is_err()
                {
                    break;
                }
            }
        }
        task.abort();
        task.await.ok();
    }
}

/// W-2 and W-8: after a failed sync the page cache shows what the device never got, and the next
/// sync says OK. Whatever was acknowledged is on the device all the same, and nothing that was
/// refused and lies only in the cache is promised to anyone.
#[test]
fn a_device_that_fails_once_costs_nothing_that_was_promised() {
    let faults = [
        FaultKind::Error(Errno::IO),
        FaultKind::Error(Errno::NOSPC),
        FaultKind::DoneThenError(Errno::IO),
        FaultKind::ShortWrite(7),
    ];
    let mut points = 0;
    for seed in 1..=2 {
        let whole = FaultFs::new();
        simulate(live(&whole, seed, &mut Oracle::default()));
        for at in 0..whole.operations() {
            for fault in faults {
                let fs = FaultFs::new();
                fs.fail_at(at, fault);
                let mut oracle = Oracle::default();
                simulate(live(&fs, seed, &mut oracle));
                for machine in [fs.kill(), fs.crash_with(CrashMode::LoseAll, at)] {
                    let mut oracle = oracle.clone();
                    oracle.check(&machine, at);
                    // what the check appended lies behind nothing that only the cache holds
                    oracle.check(&machine.crash_with(CrashMode::LoseAll, at), at);
                }
                points += 1;
            }
        }
    }
    println!("wal fault enumeration: {points} points");
    assert!(points >= 1_000, "only {points} points were visited");
}

#[test]
fn a_wal_that_takes_no_writes_refuses_and_comes_back_by_itself() {
    let fs = FaultFs::new();
    let mut oracle = Oracle::default();
    simulate(async {
        let (wal, _task) = open(&fs, &Entropy::from_seed(1)).expect("opened");
        oracle.append(&wal, 2, 10).await.expect("works");
        for op in [Op::Write, Op::Create, Op::SyncData] {
            fs.refuse(DIRECTORY, &[op], Errno::ROFS);
            for _ in 0..3 {
                let refused = oracle.append(&wal, 1, 10).await;
                if op != Op::Create {
                    assert!(
                        matches!(refused, Err(AppendError::Failed(_))),
                        "{refused:?}"
                    );
                    assert!(wal.status().failing.is_some());
                }
            }
            fs.forgive(DIRECTORY);
            tokio::time::sleep(Duration::from_secs(6)).await;
            oracle.append(&wal, 1, 10).await.expect("works again");
            assert_eq!(wal.status().failing, None);
        }
        let files = files(&fs, Path::new(DIRECTORY)).len();
        assert!(
            files < 14,
            "{files} files: a failing device must not use up segments"
        );
    });
    oracle.check(&fs.crash_with(CrashMode::LoseAll, 1), 1);
}

#[test]
fn a_device_that_stays_broken_closes_the_wal_in_the_end() {
    let fs = FaultFs::new();
    simulate(async {
        let (wal, _task) = open(&fs, &Entropy::from_seed(1)).expect("opened");
        fs.refuse(DIRECTORY, &[Op::SyncData], Errno::IO);
        let mut oracle = Oracle::default();
        let mut refusals = 0;
        while wal.status().closed.is_none() {
            oracle
                .append(&wal, 1, 10)
                .await
                .expect_err("nothing is taken");
            refusals += 1;
            assert!(refusals < 2_000, "the wal never gives up");
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        let closed = oracle.append(&wal, 1, 10).await;
        assert!(matches!(closed, Err(AppendError::Closed(_))), "{closed:?}");
    });
}

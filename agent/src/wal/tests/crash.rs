//! Crash enumeration: a scenario is cut at every operation that it makes on the file system, the
//! machine comes back with nothing, everything or anything of what was not synced, and all that was
//! promised must be there. `STANDPIPE_CRASH_SEEDS` runs more scenarios.

use crate::entropy::Entropy;
use crate::fs::fault::{CrashMode, FaultFs};

use super::scenario::{Oracle, open, simulate};

/// The points that a normal run visits at least.
const FLOOR: u64 = 2_000;

/// Lives for a while: three openings, appends alone and together, seals, completions, a clean stop.
/// Ends early when the file system is dead.
async fn live(fs: &FaultFs, seed: u64, oracle: &mut Oracle) {
    let dice = Entropy::from_seed(seed);
    for opening in 0..3_u64 {
        let Ok((wal, task)) = open(fs, &Entropy::from_seed(seed ^ (opening + 1) << 32)) else {
            return;
        };
        let Ok((mut cursor, journal, state)) = wal.attach("lake").await else {
            return;
        };
        let Ok(taken) = oracle.resume(&journal, &state).await else {
            return;
        };
        for _ in 0..14 {
            let (records, length) = (1 + dice.below(4), dice.below(900) as usize);
            let mut dead = oracle.append(&wal, records, length).await.is_err();
            if dice.below(3) == 0 {
                let complete = dice.below(4) > 0;
                let delivered = oracle
                    .deliver(&wal, &mut cursor, &journal, (&state, &taken), complete)
                    .await;
                dead = dead || delivered.is_err();
            }
            if dead && fs.is_dead() {
                task.abort();
                return;
            }
        }
        if opening == 1 {
            wal.close().await.ok();
        }
        task.abort();
        task.await.ok();
    }
}

fn enumerate(seed: u64) -> u64 {
    let whole = FaultFs::new();
    let mut oracle = Oracle::default();
    simulate(live(&whole, seed, &mut oracle));
    oracle.check(&whole.crash_with(CrashMode::LoseAll, seed), seed);
    let operations = whole.operations();
    let mut points = 0;
    for at in 0..operations {
        let fs = FaultFs::new();
        fs.crash_at(at);
        let mut oracle = Oracle::default();
        simulate(live(&fs, seed, &mut oracle));
        for (mode, back) in [
            (CrashMode::LoseAll, 0),
            (CrashMode::KeepAll, 0),
            (CrashMode::Random, 1),
            (CrashMode::Random, 2),
        ] {
            let machine = fs.crash_with(mode, seed ^ at << 8 ^ back);
            let mut oracle = oracle.clone();
            oracle.check(&machine, at);
            // a second crash right after recovery loses nothing either
            oracle.check(&machine.crash_with(CrashMode::LoseAll, at), at);
            points += 1;
        }
    }
    points
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_promised() {
    let seeds = std::env::var("STANDPIPE_CRASH_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok());
    let points: u64 = (1..=seeds.unwrap_or(4)).map(enumerate).sum();
    println!("wal crash enumeration: {points} points");
    assert!(points >= FLOOR, "only {points} points were visited");
}

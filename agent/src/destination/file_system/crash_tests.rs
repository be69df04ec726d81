//! The destination on the faulty file system, cut and failed at every one of its operations (W-18).

use super::rigs::visible;
use super::*;
use crate::destination::conformance::{attempt, sealed, shard};
use crate::entropy::Entropy;
use crate::fs::fault::{CrashMode, FaultFs, FaultKind, Op};
use crate::object::{Outcome, SealedBatch};

const ROOT: &str = "/out";
/// Two of one hour, one of the next: directories are made for the first and the last.
const KEYS: [&str; 3] = ["2026/05/a", "2026/05/b", "2026/06/c"];

fn body(n: usize) -> Vec<u8> {
    vec![b'a' + u8::try_from(n).unwrap(); 700 + n * 600]
}

fn batches() -> Vec<SealedBatch> {
    KEYS.iter()
        .zip(0..)
        .map(|(key, n)| {
            let length = body(usize::try_from(n).unwrap()).len();
            sealed(shard(), n, ROOT, key, length)
        })
        .collect()
}

fn everything() -> Vec<(String, Vec<u8>)> {
    KEYS.iter()
        .enumerate()
        .map(|(n, key)| ((*key).to_owned(), body(n)))
        .collect()
}

/// A machine with the two directories that must be there.
fn machine() -> FaultFs {
    let fs = FaultFs::new();
    for directory in ["/wal", ROOT] {
        fs.mkdir(Path::new(directory)).unwrap();
    }
    fs.sync_dir(Path::new("/")).unwrap();
    // Operations are numbered from here.
    fs.kill()
}

async fn start(fs: &FaultFs) -> FileSystem<FaultFs> {
    let destination = FileSystem::new(
        fs.clone(),
        Executor::inline(Entropy::from_seed(3)),
        shard(),
        PathBuf::from("/wal/staged-roots"),
        ROOT.to_owned(),
    );
    destination.clean().await;
    destination
}

/// Delivers one batch as the delivery loop does: look first, create when it is absent, look again
/// when that is open. True when it is known to be there, false when the machine is gone.
async fn deliver(destination: &FileSystem<FaultFs>, batch: &SealedBatch, bytes: &[u8]) -> bool {
    for _ in 0..20 {
        match destination.head(&batch.object(), &[batch.length]).await {
            Presence::Ours => return true,
            Presence::Foreign(what) => panic!("{}: {what}", batch.place),
            Presence::Unknown(_) | Presence::Absent { settled: false } => {}
            Presence::Absent { settled: true } => {
                if attempt(destination, batch, bytes, 512).await == Outcome::Created {
                    return true;
                }
            }
        }
        if destination.shared.fs.is_dead() {
            return false;
        }
    }
    panic!("no end: {:#?}", destination.shared.fs.log());
}

/// Everything from the start on; which batches were told to be there.
async fn scenario(fs: &FaultFs) -> Vec<bool> {
    let destination = start(fs).await;
    let mut done = Vec::new();
    for (n, batch) in batches().iter().enumerate() {
        done.push(deliver(&destination, batch, &body(n)).await);
    }
    done
}

/// No object that can be seen is partial or another's, and those that were told are there.
fn assert_sound(fs: &FaultFs, done: &[bool], point: &str) {
    let visible = visible(fs, Path::new(ROOT));
    for object in &visible {
        assert!(
            everything().contains(object),
            "{point}: {} has {} bytes",
            object.0,
            object.1.len()
        );
    }
    for (object, done) in everything().iter().zip(done) {
        assert!(!done || visible.contains(object), "{point}: {}", object.0);
    }
}

/// What is left by a cut, as the next process may find it.
fn machines(fs: &FaultFs, seeds: u64) -> Vec<(String, FaultFs)> {
    let mut machines = vec![
        ("killed".to_owned(), fs.kill()),
        ("all lost".to_owned(), fs.crash_with(CrashMode::LoseAll, 0)),
        ("all kept".to_owned(), fs.crash_with(CrashMode::KeepAll, 0)),
    ];
    machines.extend((0..seeds).map(|seed| (format!("seed {seed}"), fs.crash(seed))));
    machines
}

/// Answers of `head` on a machine that came back, held against what can be seen there.
async fn assert_truthful(fs: &FaultFs, point: &str) {
    let destination = start(fs).await;
    for (batch, object) in batches().iter().zip(everything()) {
        let there = visible(fs, Path::new(ROOT)).contains(&object);
        let expected = if there {
            Presence::Ours
        } else {
            Presence::Absent { settled: true }
        };
        let answer = destination.head(&batch.object(), &[batch.length]).await;
        assert_eq!(answer, expected, "{point}: {}", object.0);
        if there {
            let after = fs.crash_with(CrashMode::LoseAll, 0);
            let still = visible(&after, Path::new(ROOT)).contains(&object);
            assert!(still, "{point}: {} was said to be there", object.0);
        }
    }
}

/// With the volume away, an object that is there is never called absent (D-15).
async fn assert_unmounted_is_known(fs: &FaultFs, point: &str) {
    let there = visible(fs, Path::new(ROOT));
    fs.unmount(ROOT).unwrap();
    let destination = start(fs).await;
    let notes = &destination.shared.notes;
    let known = notes.knows(ROOT).unwrap();
    // A note that is there says of which root it is.
    assert_eq!(notes.all().unwrap().len(), usize::from(known), "{point}");
    for (batch, object) in batches().iter().zip(everything()) {
        let answer = destination.head(&batch.object(), &[batch.length]).await;
        if there.contains(&object) {
            let unknown = matches!(answer, Presence::Unknown(_));
            assert!(unknown, "{point}: {} is {answer:?}", object.0);
        }
    }
}

/// The last process of a history: afterwards everything is there once, on the device, and nothing
/// else.
async fn assert_recovers(fs: &FaultFs, point: &str) {
    assert_eq!(scenario(fs).await, [true; 3], "{point}");
    let after = fs.crash_with(CrashMode::LoseAll, 0);
    assert_eq!(visible(&after, Path::new(ROOT)), everything(), "{point}");
    let staging = Paths::of_root(ROOT, shard()).staging;
    assert_eq!(fs.list(&staging).unwrap().len(), 0, "{point}");
}

#[tokio::test]
async fn cut_at_every_operation_nothing_is_lost_doubled_or_partial() {
    let mut points = 0;
    // With hard links and without.
    for refused in [&[][..], &[Op::Link]] {
        points += cut_everywhere(refused).await;
    }
    println!("file system: {points} cuts");
    assert!(points >= 1500, "{points} points");
}

async fn cut_everywhere(refused: &[Op]) -> u64 {
    let machine = || {
        let fs = machine();
        if !refused.is_empty() {
            fs.refuse(ROOT, refused, Errno::PERM);
        }
        fs
    };
    let whole = machine();
    assert_eq!(scenario(&whole).await, [true; 3]);
    let mut points = 0;
    for cut in 0..=whole.operations() {
        let fs = machine();
        fs.crash_at(cut);
        let done = scenario(&fs).await;
        for (how, fs) in machines(&fs, 12) {
            let point = format!("cut at {cut}, {how}, {refused:?} refused");
            assert_sound(&fs, &done, &point);
            assert_truthful(&fs.kill(), &point).await;
            assert_unmounted_is_known(&fs.kill(), &point).await;
            assert_recovers(&fs, &point).await;
            points += 1;
        }
    }
    points
}

#[tokio::test]
async fn cut_again_while_it_recovers() {
    let whole = machine();
    scenario(&whole).await;
    let mut points = 0;
    for cut in (0..whole.operations()).step_by(3) {
        let first = machine();
        first.crash_at(cut);
        let before = scenario(&first).await;
        for (how, second) in machines(&first, 1) {
            for again in (0..).step_by(3) {
                let fs = second.kill();
                fs.crash_at(again);
                let mut done = scenario(&fs).await;
                if !fs.is_dead() {
                    break;
                }
                // What the first process told is still told, if it was not a dead one's guess.
                for (done, before) in done.iter_mut().zip(&before) {
                    *done |= before;
                }
                for (then, fs) in machines(&fs, 1) {
                    let point = format!("cut at {cut}, {how}, again at {again}, {then}");
                    assert_sound(&fs, &done, &point);
                    assert_recovers(&fs, &point).await;
                    points += 1;
                }
            }
        }
    }
    println!("file system: {points} double cuts");
    assert!(points >= 3000, "{points} points");
}

#[tokio::test]
async fn every_operation_may_fail_once() {
    let whole = machine();
    scenario(&whole).await;
    let faults = [
        FaultKind::Error(Errno::IO),
        FaultKind::Error(Errno::NOSPC),
        FaultKind::Error(Errno::INTR),
        FaultKind::DoneThenError(Errno::IO),
        FaultKind::ShortWrite(1),
    ];
    let mut points = 0;
    for operation in 0..whole.operations() {
        for fault in faults {
            let fs = machine();
            fs.fail_at(operation, fault);
            let point = format!("{fault:?} at {operation}");
            assert_eq!(scenario(&fs).await, [true; 3], "{point}");
            for (how, after) in machines(&fs, 4) {
                assert_sound(&after, &[true; 3], &format!("{point}, {how}"));
            }
            assert_recovers(&fs.kill(), &point).await;
            points += 1;
        }
    }
    println!("file system: {points} single faults");
    assert!(points >= 250, "{points} points");
}

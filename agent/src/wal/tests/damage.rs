//! Damage on disk (I-7, W-15): found, counted exactly, and nothing else is lost for it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::entropy::Entropy;
use crate::fs::fault::{CrashMode, FaultFs};
use crate::fs::{File as _, Fs as _, OpenMode};
use crate::record::Sequence;
use crate::wal::{OpenError, Read};

use super::scenario::{DIRECTORY, Oracle, files, open, options, simulate};
use crate::wal::simulated::open_simulated;

/// A log of several segments, cleanly closed, nothing delivered.
fn written() -> (FaultFs, u64) {
    let fs = FaultFs::new();
    let mut records = 0;
    simulate(async {
        let mut oracle = Oracle::default();
        let (wal, task) = open(&fs, &Entropy::from_seed(1)).expect("opened");
        wal.attach("lake").await.expect("attached");
        for append in 0..40 {
            oracle
                .append(&wal, 1 + append % 3, 400)
                .await
                .expect("works");
            records += 1 + append % 3;
        }
        wal.close().await.expect("closed");
        task.await.expect("ended");
    });
    (fs, records)
}

fn segments(fs: &FaultFs) -> Vec<PathBuf> {
    let mut files = files(fs, Path::new(DIRECTORY));
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wal"));
    files
}

/// Reads everything: which sequences came, which were said to be lost.
fn read_all(fs: &FaultFs) -> (BTreeSet<u64>, BTreeSet<u64>, u64) {
    simulate(async {
        let (wal, task) = open(fs, &Entropy::from_seed(2)).expect("opened");
        let (mut cursor, _journal, _state) = wal.attach("lake").await.expect("attached");
        let (mut read, mut lost) = (BTreeSet::new(), BTreeSet::new());
        let mut records_lost = 0;
        while !cursor.at_durable_end() {
            match cursor.next().await.expect("readable") {
                Read::Batch(batch) => {
                    for record in batch.records() {
                        assert!(read.insert(record.sequence.0), "{} twice", record.sequence);
                    }
                }
                Read::Lost { sequences, records } => {
                    lost.extend(sequences.start.0..sequences.end.0);
                    records_lost += records;
                }
            }
        }
        assert_eq!(
            wal.status().lost_records,
            records_lost,
            "a loss is counted once"
        );
        task.abort();
        task.await.ok();
        (read, lost, records_lost)
    })
}

#[test]
fn one_flipped_bit_loses_one_batch_at_most_and_says_so() {
    let (fs, records) = written();
    let dice = Entropy::from_seed(5);
    let all: BTreeSet<u64> = (1..=records).collect();
    let mut damaged = 0;
    for path in segments(&fs).into_iter().take(3) {
        let length = fs.stat(&path).expect("there").length;
        for _ in 0..150 {
            let machine = fs.kill();
            machine
                .corrupt(&path, dice.below(length), 1 << dice.below(8))
                .expect("there");
            let (read, lost, count) = read_all(&machine);
            let together: BTreeSet<u64> = read.union(&lost).copied().collect();
            assert_eq!(together, all, "every record is there or said to be lost");
            assert!(read.is_disjoint(&lost), "nothing is both");
            assert!(count <= 3, "one bit cost {count} records");
            damaged += u64::from(count > 0);
            // what is known stays known, and is not counted again
            let (again, lost_again, _) = read_all(&machine.crash_with(CrashMode::LoseAll, 0));
            assert_eq!((again, lost_again), (read, lost));
        }
    }
    assert!(damaged > 100, "only {damaged} flips hit a record");
}

#[test]
fn a_missing_segment_is_a_counted_loss() {
    let (fs, records) = written();
    let second = &segments(&fs)[1];
    fs.remove_file(second).expect("removed");
    let (read, lost, count) = read_all(&fs);
    assert_eq!(count, lost.len() as u64);
    assert!(
        count > 10 && read.len() as u64 + count == records,
        "{count} of {records}"
    );
}

/// ST11: an old segment copied over a newer one has the wrong name inside.
#[test]
fn a_segment_copied_over_another_is_not_read() {
    let (fs, records) = written();
    let segments = segments(&fs);
    fs.remove_file(&segments[1]).expect("removed");
    fs.link(&segments[0], &segments[1]).expect("linked");
    let (read, lost, _) = read_all(&fs);
    assert_eq!(read.len() as u64 + lost.len() as u64, records);
    assert!(read.iter().all(|sequence| *sequence <= records));
}

#[test]
fn a_copied_directory_is_told_and_can_be_adopted() {
    let (fs, records) = written();
    fs.copy_tree(DIRECTORY, "/copy").expect("copied");
    simulate(async {
        let entropy = Entropy::from_seed(3);
        let refused = open_simulated(&fs, Path::new("/copy"), &options(), &entropy);
        assert!(matches!(refused.map(drop), Err(OpenError::Copied { .. })));
        let mut adopting = options();
        adopting.adopt_copy = true;
        let (wal, task) =
            open_simulated(&fs, Path::new("/copy"), &adopting, &entropy).expect("adopted");
        assert_eq!(wal.status().durable_end, Sequence(records + 1));
        assert!(wal.status().problems.iter().any(|p| p.contains("twice")));
        task.abort();
        task.await.ok();
        open_simulated(&fs, Path::new("/copy"), &options(), &entropy)
            .map(drop)
            .expect("known now");
    });
}

#[test]
fn other_streams_locked_and_refused_directories_are_told() {
    let (fs, _) = written();
    simulate(async {
        let entropy = Entropy::from_seed(3);
        let mut other = options();
        other.stream = "default/clicks".to_owned();
        let refused = open_simulated(&fs, Path::new(DIRECTORY), &other, &entropy).map(drop);
        assert!(matches!(refused, Err(OpenError::OtherStream { .. })));
        let first = open(&fs, &entropy).expect("opened");
        assert!(matches!(
            open(&fs, &entropy).map(drop),
            Err(OpenError::Locked { .. })
        ));
        first.1.abort();
        first.1.await.ok();
        fs.set_fs_type(crate::fs::FsType::Refused("NFS"));
        assert!(matches!(
            open(&fs, &entropy).map(drop),
            Err(OpenError::FileSystem { .. })
        ));
    });
}

#[test]
fn a_newer_format_is_refused_not_truncated() {
    let (fs, _) = written();
    let path = segments(&fs).remove(0);
    let mut header = vec![0; 508];
    let file = fs.open(&path, OpenMode::Read).expect("opened");
    file.read_exact_at(&mut header, 0).expect("read");
    header[8] = 2;
    let crc = crate::wal::frame::crc32c(&[&header]);
    header.extend(crc.to_le_bytes());
    header.extend_from_within(..);
    let file = fs.open(&path, OpenMode::ReadWrite).expect("opened");
    file.write_all_at(&mut [std::io::IoSlice::new(&header)], 0)
        .expect("written");
    file.sync_all().expect("synced");
    drop(file);
    simulate(async {
        let refused = open(&fs, &Entropy::from_seed(1)).map(drop);
        assert!(
            matches!(refused, Err(OpenError::NewerFormat { found: 2, .. })),
            "{refused:?}"
        );
    });
}

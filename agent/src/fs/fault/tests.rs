use std::collections::{BTreeMap, BTreeSet};
use std::io::IoSlice;

use proptest::prelude::*;

use super::*;
use crate::fs::File as _;

fn write(file: &FaultFile, bytes: &[u8], offset: u64) {
    file.write_all_at(&mut [IoSlice::new(bytes)], offset)
        .unwrap();
}

fn create(fs: &FaultFs, path: &str) -> FaultFile {
    fs.open(Path::new(path), OpenMode::CreateNew).unwrap()
}

fn contents(fs: &FaultFs, path: &str) -> Option<Vec<u8>> {
    let file = fs.open(Path::new(path), OpenMode::Read).ok()?;
    let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    Some(bytes)
}

fn names(fs: &FaultFs, path: &str) -> Vec<String> {
    let mut names = fs.list(Path::new(path)).unwrap();
    names.sort();
    names
        .into_iter()
        .map(|name| name.into_string().unwrap())
        .collect()
}

fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

/// A file `/a` that is durable with these bytes.
fn durable(bytes: &[u8]) -> (FaultFs, FaultFile) {
    let fs = FaultFs::new();
    let file = create(&fs, "/a");
    write(&file, bytes, 0);
    file.sync_all().unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    (fs, file)
}

#[test]
fn content_and_entry_become_durable_by_different_syncs() {
    let fs = FaultFs::new();
    let file = create(&fs, "/a");
    write(&file, b"abc", 0);
    file.sync_all().unwrap();
    assert_eq!(contents(&fs.crash_with(CrashMode::LoseAll, 0), "/a"), None);
    fs.sync_dir(Path::new("/")).unwrap();
    let after = fs.crash_with(CrashMode::LoseAll, 0);
    assert_eq!(contents(&after, "/a").unwrap(), b"abc");

    let other = FaultFs::new();
    write(&create(&other, "/a"), b"abc", 0);
    other.sync_dir(Path::new("/")).unwrap();
    let after = other.crash_with(CrashMode::LoseAll, 0);
    assert_eq!(contents(&after, "/a").unwrap(), b"");
}

#[test]
fn sectors_are_lost_each_by_itself_and_never_torn() {
    let (fs, file) = durable(&[1; 2048]);
    write(&file, &[2; 2048], 0);
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let bytes = contents(&fs.crash(seed), "/a").unwrap();
        let sectors: Vec<u8> = bytes
            .chunks(512)
            .map(|sector| {
                assert!(sector.iter().all(|byte| *byte == sector[0]), "torn");
                sector[0]
            })
            .collect();
        seen.insert(sectors);
    }
    assert_eq!(seen.len(), 16, "every subset of four sectors");
}

#[test]
fn an_append_may_leave_its_length_without_its_bytes() {
    let (fs, file) = durable(b"old");
    write(&file, &[7; 600], 3);
    let seen: BTreeSet<(usize, usize)> = (0..100)
        .map(|seed| {
            let after = fs.crash(seed);
            let bytes = contents(&after, "/a").unwrap();
            assert_eq!(&bytes[..3], b"old");
            let end = bytes.len();
            let again = after.open(Path::new("/a"), OpenMode::ReadWrite).unwrap();
            again.set_length(2000).unwrap();
            let longer = contents(&after, "/a").unwrap();
            assert!(
                longer[end..].iter().all(|byte| *byte == 0),
                "bytes beyond the end came back"
            );
            (
                bytes.len(),
                bytes.iter().map(|byte| usize::from(*byte == 7)).sum(),
            )
        })
        .collect();
    let all = [(3, 0), (603, 0), (603, 91), (603, 509), (603, 600)];
    assert_eq!(seen, BTreeSet::from(all));
}

#[test]
fn a_truncation_takes_length_and_bytes_in_one_step() {
    let (fs, file) = durable(&[1; 1536]);
    file.set_length(100).unwrap();
    let lengths: BTreeSet<usize> = (0..50)
        .map(|seed| {
            let bytes = contents(&fs.crash(seed), "/a").unwrap();
            assert!(bytes.iter().all(|byte| *byte == 1));
            bytes.len()
        })
        .collect();
    assert_eq!(lengths, BTreeSet::from([100, 1536]));
    file.set_length(1536).unwrap();
    let bytes = contents(&fs, "/a").unwrap();
    assert!(bytes[100..].iter().all(|byte| *byte == 0));
}

#[test]
fn what_a_kept_truncation_took_does_not_come_back() {
    let (fs, file) = durable(&[1; 1536]);
    file.set_length(0).unwrap();
    file.set_length(1536).unwrap();
    let seen: BTreeSet<Vec<u8>> = (0..100)
        .map(|seed| contents(&fs.crash(seed), "/a").unwrap())
        .collect();
    let all = [vec![], vec![0; 1536], vec![1; 1536]];
    assert_eq!(seen, BTreeSet::from(all));
}

#[test]
fn a_failed_sync_leaves_clean_pages_that_the_device_never_gets() {
    let (fs, file) = durable(&[1; 512]);
    write(&file, &[2; 512], 0);
    fs.fail_at(fs.operations(), FaultKind::Error(Errno::IO));
    assert_eq!(errno(file.sync_data()), Errno::IO.raw_os_error());
    file.sync_data().unwrap();
    assert_eq!(contents(&fs, "/a").unwrap(), [2; 512]);
    let after = fs.crash_with(CrashMode::KeepAll, 0);
    assert_eq!(contents(&after, "/a").unwrap(), [1; 512]);
    file.drop_cache().unwrap();
    assert_eq!(contents(&fs, "/a").unwrap(), [1; 512]);

    write(&file, &[3; 512], 0);
    fs.refuse("/a", &[Op::SyncData], Errno::IO);
    file.sync_data().unwrap_err();
    fs.forgive("/a");
    file.sync_data().unwrap();
    file.drop_cache().unwrap();
    assert_eq!(
        contents(&fs, "/a").unwrap(),
        [1; 512],
        "refused by its path"
    );
}

#[test]
fn a_killed_process_loses_only_its_locks() {
    let fs = FaultFs::new();
    let file = create(&fs, "/a");
    write(&file, b"abc", 0);
    assert!(file.try_lock().unwrap());
    let other = fs.open(Path::new("/a"), OpenMode::Read).unwrap();
    assert!(!other.try_lock().unwrap());
    let after = fs.kill();
    assert_eq!(contents(&after, "/a").unwrap(), b"abc");
    let third = after.open(Path::new("/a"), OpenMode::Read).unwrap();
    assert!(third.try_lock().unwrap());
    assert_eq!(
        contents(&after.crash_with(CrashMode::LoseAll, 0), "/a"),
        None,
        "what was killed is not synced by it"
    );
    drop(file);
    assert!(other.try_lock().unwrap());
}

#[test]
fn a_rename_in_one_directory_is_never_half_done() {
    let (fs, file) = durable(b"abc");
    fs.rename(Path::new("/a"), Path::new("/b")).unwrap();
    let seen: BTreeSet<Vec<String>> = (0..50).map(|seed| names(&fs.crash(seed), "/")).collect();
    let all = [vec!["a".to_owned()], vec!["b".to_owned()]];
    assert_eq!(seen, BTreeSet::from(all));
    drop(file);
}

#[test]
fn a_rename_needs_the_one_before_it() {
    let (fs, _file) = durable(b"abc");
    fs.rename(Path::new("/a"), Path::new("/b")).unwrap();
    fs.rename(Path::new("/b"), Path::new("/c")).unwrap();
    let seen: BTreeSet<Vec<String>> = (0..50).map(|seed| names(&fs.crash(seed), "/")).collect();
    let all = ["a", "b", "c"].map(|name| vec![name.to_owned()]);
    assert_eq!(seen, BTreeSet::from(all));
}

#[test]
fn a_rename_between_directories_waits_for_both() {
    let (fs, _file) = durable(b"abc");
    fs.mkdir(Path::new("/d")).unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    fs.rename(Path::new("/a"), Path::new("/d/a")).unwrap();
    fs.sync_dir(Path::new("/d")).unwrap();
    let after = fs.crash_with(CrashMode::LoseAll, 0);
    assert_eq!(names(&after, "/"), ["a", "d"]);
    assert_eq!(names(&after, "/d"), ["a"]);
    fs.sync_dir(Path::new("/")).unwrap();
    assert_eq!(names(&fs.crash_with(CrashMode::LoseAll, 0), "/"), ["d"]);
}

#[test]
fn what_lies_in_a_directory_that_was_lost_is_lost() {
    let fs = FaultFs::new();
    fs.mkdir(Path::new("/d")).unwrap();
    let file = create(&fs, "/d/a");
    file.sync_all().unwrap();
    fs.sync_dir(Path::new("/d")).unwrap();
    assert_eq!(names(&fs.crash_with(CrashMode::LoseAll, 0), "/").len(), 0);
    fs.sync_dir(Path::new("/")).unwrap();
    assert_eq!(names(&fs.crash_with(CrashMode::LoseAll, 0), "/d"), ["a"]);
}

#[test]
fn a_change_of_a_name_needs_the_earlier_ones() {
    let fs = FaultFs::new();
    write(&create(&fs, "/a"), b"1", 0);
    fs.remove_file(Path::new("/a")).unwrap();
    create(&fs, "/a").set_length(2).unwrap();
    let lengths: BTreeSet<Option<usize>> = (0..200)
        .map(|seed| contents(&fs.crash(seed), "/a").map(|bytes| bytes.len()))
        .collect();
    // Nothing; the first file with or without its byte; the second with or without its length.
    assert_eq!(lengths, BTreeSet::from([None, Some(0), Some(1), Some(2)]));
}

#[test]
fn from_the_operation_of_the_cut_on_nothing_is_done() {
    let (fs, file) = durable(b"abc");
    fs.crash_at(fs.operations() + 1);
    write(&file, b"A", 0);
    assert!(!fs.is_dead());
    assert!(file.sync_data().is_err());
    assert!(fs.is_dead());
    assert!(fs.stat(Path::new("/a")).is_err(), "reads are refused too");
    let after = fs.crash_with(CrashMode::KeepAll, 0);
    assert_eq!(contents(&after, "/a").unwrap(), b"Abc");
    assert!(fs.log().last().unwrap().ends_with("Write /a"));
}

#[test]
fn numbered_faults_and_refused_paths() {
    let (fs, file) = durable(b"abc");
    fs.fail_at(fs.operations(), FaultKind::ShortWrite(2));
    let written = file.write_at(&[IoSlice::new(b"1234")], 0).unwrap();
    assert_eq!(written, 2);
    fs.fail_at(fs.operations(), FaultKind::DoneThenError(Errno::IO));
    let linked = fs.link(Path::new("/a"), Path::new("/b"));
    assert_eq!(errno(linked), Errno::IO.raw_os_error());
    assert_eq!(contents(&fs, "/b").unwrap(), b"12c");
    fs.mkdir(Path::new("/d")).unwrap();
    fs.refuse("/d", &[Op::Link], Errno::PERM);
    let linked = fs.link(Path::new("/a"), Path::new("/d/a"));
    assert_eq!(errno(linked), Errno::PERM.raw_os_error());
    fs.rename_noreplace(Path::new("/b"), Path::new("/d/b"))
        .unwrap();
    fs.forgive("/d");
    fs.link(Path::new("/a"), Path::new("/d/a")).unwrap();
    let taken = fs.rename_noreplace(Path::new("/a"), Path::new("/d/b"));
    assert_eq!(errno(taken), Errno::EXIST.raw_os_error());
}

#[test]
fn a_full_disk_refuses_new_blocks_and_takes_allocated_ones() {
    let (fs, file) = durable(&[1; 512]);
    fs.set_capacity(Some(2048));
    assert_eq!(fs.available(Path::new("/")).unwrap(), 1536);
    assert_eq!(errno(file.allocate(4096)), Errno::NOSPC.raw_os_error());
    assert_eq!(file.length().unwrap(), 512);
    file.allocate(1024).unwrap();
    let written = file.write_at(&[IoSlice::new(&[2; 4096])], 0).unwrap();
    assert_eq!(written, 2048);
    let full = file.write_at(&[IoSlice::new(&[2; 10])], 2048);
    assert_eq!(errno(full), Errno::NOSPC.raw_os_error());
    write(&file, &[3; 2048], 0);
    fs.remove_file(Path::new("/a")).unwrap();
    assert_eq!(fs.available(Path::new("/")).unwrap(), 0, "it is open yet");
    drop(file);
    assert_eq!(fs.available(Path::new("/")).unwrap(), 2048);
}

#[test]
fn an_allocation_that_was_not_synced_may_be_lost() {
    let (fs, file) = durable(b"abc");
    file.allocate(8192).unwrap();
    let lengths: BTreeSet<usize> = (0..50)
        .map(|seed| contents(&fs.crash(seed), "/a").unwrap().len())
        .collect();
    assert_eq!(lengths, BTreeSet::from([3, 8192]));
}

#[test]
fn an_unmounted_directory_is_empty_until_it_is_mounted() {
    let fs = FaultFs::new();
    fs.mkdir(Path::new("/m")).unwrap();
    create(&fs, "/m/a");
    fs.unmount("/m").unwrap();
    assert_eq!(names(&fs, "/m").len(), 0);
    create(&fs, "/m/below");
    fs.mount("/m").unwrap();
    assert_eq!(names(&fs, "/m"), ["a"]);
    assert!(fs.mount("/m").is_err());
}

#[test]
fn a_copy_has_its_own_inodes_and_a_flipped_bit_stays() {
    let (fs, file) = durable(b"abc");
    write(&file, b"A", 0);
    fs.copy_tree("/a", "/b").unwrap();
    let [a, b] = ["/a", "/b"].map(|path| fs.stat(Path::new(path)).unwrap());
    assert_ne!((a.inode, a.birth), (b.inode, b.birth));
    fs.corrupt("/b", 1, 0x20).unwrap();
    let after = fs.crash_with(CrashMode::LoseAll, 0);
    assert_eq!(contents(&after, "/b").unwrap(), b"ABc");
    assert_eq!(contents(&after, "/a").unwrap(), b"abc");
    fs.set_births(false);
    assert_eq!(fs.stat(Path::new("/a")).unwrap().birth, None);
}

#[test]
fn what_nothing_names_is_let_go() {
    let fs = FaultFs::new();
    for _ in 0..2000 {
        create(&fs, "/a");
        fs.sync_dir(Path::new("/")).unwrap();
        fs.remove_file(Path::new("/a")).unwrap();
    }
    let kept = fs.machine.lock().nodes.len();
    assert!(kept < 600, "{kept} inodes");
}

#[derive(Clone, Debug)]
enum Step {
    Write(u16, u16, u8),
    Length(u16),
    Allocate(u16),
    Sync,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3000_u16, 1..1500_u16, 1..255_u8).prop_map(|(a, b, c)| Step::Write(a, b, c)),
        2 => (0..4000_u16).prop_map(Step::Length),
        1 => (0..4000_u16).prop_map(Step::Allocate),
        1 => Just(Step::Sync),
    ]
}

/// One sector of a state, as a file of `length` bytes shows it.
fn sector(state: &[u8], number: usize, length: usize) -> Vec<u8> {
    let start = number * 512;
    let end = length.min(start + 512);
    (start..end)
        .map(|at| state.get(at).copied().unwrap_or(0))
        .collect()
}

proptest! {
    /// The naive model is the list of all states since the last sync.
    #[test]
    fn a_file_after_a_crash_is_made_of_its_states(
        steps in proptest::collection::vec(step(), 1..25),
        seed in any::<u64>(),
    ) {
        let (fs, file) = durable(b"");
        let mut states: Vec<Vec<u8>> = vec![Vec::new()];
        for step in steps {
            let mut state = states.last().unwrap().clone();
            match step {
                Step::Write(offset, length, byte) => {
                    let (offset, length) = (usize::from(offset), usize::from(length));
                    write(&file, &vec![byte; length], offset as u64);
                    state.resize(state.len().max(offset + length), 0);
                    state[offset..offset + length].fill(byte);
                }
                Step::Length(length) => {
                    file.set_length(u64::from(length)).unwrap();
                    state.resize(usize::from(length), 0);
                }
                Step::Allocate(length) => {
                    file.allocate(u64::from(length)).unwrap();
                    state.resize(state.len().max(usize::from(length)), 0);
                }
                Step::Sync => {
                    file.sync_data().unwrap();
                    states.clear();
                }
            }
            states.push(state);
            prop_assert_eq!(&contents(&fs, "/a").unwrap(), states.last().unwrap());
        }
        let lost = contents(&fs.crash_with(CrashMode::LoseAll, 0), "/a").unwrap();
        prop_assert_eq!(&lost, &states[0]);
        let kept = contents(&fs.crash_with(CrashMode::KeepAll, 0), "/a").unwrap();
        prop_assert_eq!(&kept, states.last().unwrap());
        let random = contents(&fs.crash(seed), "/a").unwrap();
        prop_assert!(states.iter().any(|state| state.len() == random.len()));
        for number in 0..random.len().div_ceil(512) {
            let found = sector(&random, number, random.len());
            prop_assert!(states.iter().any(|state| sector(state, number, random.len()) == found));
        }
        let again = fs.crash(seed);
        prop_assert_eq!(contents(&again, "/a").unwrap(), random, "one seed, one machine");
        prop_assert_eq!(
            contents(&again.crash_with(CrashMode::LoseAll, 0), "/a"),
            contents(&again, "/a"),
            "what came back is on the device"
        );
    }

    /// The naive model is, for each name, every file that it has led to since the last sync.
    #[test]
    fn a_directory_after_a_crash_is_made_of_its_states(
        steps in proptest::collection::vec((0..5_u8, 0..4_u8, 0..4_u8), 1..40),
        seed in any::<u64>(),
    ) {
        type Entries = BTreeMap<String, u64>;
        fn entries(fs: &FaultFs) -> Entries {
            names(fs, "/")
                .into_iter()
                .map(|name| {
                    let inode = fs.stat(Path::new(&name)).unwrap().inode;
                    (name, inode)
                })
                .collect()
        }
        let fs = FaultFs::new();
        let mut states: Vec<Entries> = vec![Entries::new()];
        for (what, from, to) in steps {
            let [from, to] = [from, to].map(|name| name.to_string());
            let [from_path, to_path] = [Path::new(&from), Path::new(&to)];
            let mut model = states.last().unwrap().clone();
            match what {
                0 => {
                    let made = fs.open(from_path, OpenMode::CreateNew).is_ok();
                    prop_assert_eq!(made, !model.contains_key(&from));
                    if made {
                        model.insert(from.clone(), fs.stat(from_path).unwrap().inode);
                    }
                }
                1 => {
                    let done = fs.remove_file(from_path).is_ok();
                    prop_assert_eq!(done, model.remove(&from).is_some());
                }
                2 => {
                    let done = fs.rename(from_path, to_path).is_ok();
                    prop_assert_eq!(done, model.contains_key(&from));
                    let same = model.get(&from) == model.get(&to);
                    if done && !same {
                        let inode = model.remove(&from).unwrap();
                        model.insert(to.clone(), inode);
                    }
                }
                3 => {
                    let done = fs.link(from_path, to_path).is_ok();
                    let possible = model.contains_key(&from) && !model.contains_key(&to);
                    prop_assert_eq!(done, possible);
                    if done {
                        model.insert(to.clone(), model[&from]);
                    }
                }
                _ => {
                    fs.sync_dir(Path::new("/")).unwrap();
                    states.clear();
                }
            }
            states.push(model);
            prop_assert_eq!(&entries(&fs), states.last().unwrap());
        }
        prop_assert_eq!(&entries(&fs.crash_with(CrashMode::LoseAll, 0)), &states[0]);
        prop_assert_eq!(
            &entries(&fs.crash_with(CrashMode::KeepAll, 0)),
            states.last().unwrap()
        );
        let random = entries(&fs.crash(seed));
        for name in ["0", "1", "2", "3"] {
            prop_assert!(states.iter().any(|state| state.get(name) == random.get(name)));
        }
    }
}

use std::io::IoSlice;

use proptest::prelude::*;

use super::*;

fn write(file: &FaultFile, offset: u64, bytes: &[u8]) {
    file.write_all_at(&mut [IoSlice::new(bytes)], offset)
        .expect("written");
}

fn made(fs: &FaultFs, path: &str) -> FaultFile {
    fs.open(Path::new(path), OpenMode::CreateNew).expect("made")
}

#[test]
fn what_was_synced_survives_and_what_was_not_may_go() {
    let fs = FaultFs::new(1);
    let file = made(&fs, "/f");
    write(&file, 0, b"old");
    file.sync_data().unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    write(&file, 0, b"new");
    let back = |mode| fs.crash(mode, 0).contents(Path::new("/f")).unwrap();
    assert_eq!(back(CrashMode::LoseAll), b"old");
    assert_eq!(back(CrashMode::KeepAll), b"new");
    assert_eq!(fs.kill().contents(Path::new("/f")).unwrap(), b"new");
}

#[test]
fn an_entry_needs_its_directory_synced() {
    let fs = FaultFs::new(1);
    let file = made(&fs, "/f");
    write(&file, 0, b"x");
    file.sync_all().unwrap();
    assert!(
        fs.crash(CrashMode::LoseAll, 0)
            .files(Path::new("/"))
            .is_empty()
    );
    fs.sync_dir(Path::new("/")).unwrap();
    assert_eq!(
        fs.crash(CrashMode::LoseAll, 0).files(Path::new("/")),
        [PathBuf::from("/f")]
    );
}

#[test]
fn a_rename_is_whole_or_not_at_all() {
    let fs = FaultFs::new(1);
    drop(made(&fs, "/a"));
    fs.sync_dir(Path::new("/")).unwrap();
    fs.rename(Path::new("/a"), Path::new("/b")).unwrap();
    for seed in 0..20 {
        assert_eq!(
            fs.crash(CrashMode::Random, seed)
                .files(Path::new("/"))
                .len(),
            1
        );
    }
}

#[test]
fn a_change_that_builds_on_a_lost_one_is_lost() {
    let fs = FaultFs::new(1);
    drop(made(&fs, "/a"));
    fs.rename(Path::new("/a"), Path::new("/b")).unwrap();
    let mut seen = [false; 3];
    for seed in 0..40 {
        match fs
            .crash(CrashMode::Random, seed)
            .files(Path::new("/"))
            .as_slice()
        {
            [] => seen[0] = true,
            [one] if one == Path::new("/a") => seen[1] = true,
            [one] if one == Path::new("/b") => seen[2] = true,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, [true; 3]);
}

#[test]
fn after_a_lost_sync_the_cache_lies_and_dropping_it_tells() {
    let fs = FaultFs::new(1);
    let file = made(&fs, "/f");
    write(&file, 0, b"old");
    file.sync_data().unwrap();
    write(&file, 0, b"new");
    fs.fail_at(fs.operations(), Fault::SyncLost);
    assert!(file.sync_data().is_err());
    file.sync_data().expect("the second sync says OK");
    assert_eq!(fs.contents(Path::new("/f")).unwrap(), b"new");
    file.drop_cache().unwrap();
    assert_eq!(fs.contents(Path::new("/f")).unwrap(), b"old");
}

#[test]
fn a_crash_point_ends_everything_and_locks_go_with_the_process() {
    let fs = FaultFs::new(1);
    let file = made(&fs, "/f");
    assert!(file.try_lock().unwrap());
    let other = fs.open(Path::new("/f"), OpenMode::Read).unwrap();
    assert!(!other.try_lock().unwrap());
    fs.crash_at(fs.operations());
    assert!(fs.mkdir(Path::new("/d")).is_err());
    assert!(fs.is_dead() && fs.list(Path::new("/")).is_err());
    let back = fs.kill();
    assert!(
        back.open(Path::new("/f"), OpenMode::Read)
            .unwrap()
            .try_lock()
            .unwrap()
    );
}

#[test]
fn a_full_disk_refuses_what_is_longer_only() {
    let fs = FaultFs::new(1);
    let file = made(&fs, "/f");
    file.allocate(1024).unwrap();
    fs.set_capacity(Some(1024));
    write(&file, 1000, &[1; 24]);
    let error = file.write_at(&[IoSlice::new(&[1; 25])], 1000).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn hidden_directories_come_back() {
    let fs = FaultFs::new(1);
    fs.mkdir(Path::new("/m")).unwrap();
    drop(made(&fs, "/m/f"));
    fs.hide("/m");
    assert!(fs.stat(Path::new("/m/f")).is_err() && fs.stat(Path::new("/m")).is_ok());
    fs.unhide();
    assert!(fs.stat(Path::new("/m/f")).is_ok());
}

proptest! {
    /// Each sector of a crashed file is one that it had, from the last sync on.
    #[test]
    fn sectors_are_old_or_new(writes in prop::collection::vec((0_usize..4, 1_u8..255, any::<bool>()), 1..12), seed in any::<u64>()) {
        let fs = FaultFs::new(1);
        let file = made(&fs, "/f");
        file.allocate(2048).unwrap();
        file.sync_all().unwrap();
        fs.sync_dir(Path::new("/")).unwrap();
        let mut possible = vec![vec![0_u8]; 4];
        for (sector, byte, sync) in writes {
            write(&file, (sector * 512) as u64, &[byte; 512]);
            possible[sector].push(byte);
            if sync {
                file.sync_data().unwrap();
                for bytes in &mut possible {
                    *bytes = vec![*bytes.last().unwrap()];
                }
            }
        }
        let bytes = fs.crash(CrashMode::Random, seed).contents(Path::new("/f")).unwrap();
        for (sector, possible) in bytes.chunks(512).zip(possible) {
            prop_assert!(sector.iter().all(|byte| *byte == sector[0]));
            prop_assert!(possible.contains(&sector[0]));
        }
    }
}

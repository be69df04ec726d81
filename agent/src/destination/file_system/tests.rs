use super::rigs::{Disk, Double, ROOT, put, started, visible};
use super::*;
use crate::destination::conformance::{self, Rig as _, attempt, sealed, shard};
use crate::fs::fault::{CrashMode, FaultFs, Op};
use crate::fs::os::OsFs;
use crate::object::{Outcome, SealedBatch};

const BODY: &[u8] = b"one\ntwo\n";

fn batch(n: u64, key: &str) -> SealedBatch {
    sealed(shard(), n, ROOT, key, BODY.len())
}

fn temporaries(fs: &FaultFs) -> Vec<std::ffi::OsString> {
    let staging = Paths::of_root(ROOT, shard()).staging;
    fs.list(&staging).unwrap()
}

#[tokio::test]
async fn conforms_on_the_operating_system() {
    conformance::run(Disk::new).await;
}

#[tokio::test]
async fn conforms_on_the_double() {
    conformance::run(Double::new).await;
}

#[tokio::test]
async fn where_links_are_refused_a_rename_replaces_nothing_d_15() {
    for errno in [Errno::PERM, Errno::OPNOTSUPP, Errno::MLINK, Errno::NOSYS] {
        let mut rig = Double::new();
        let destination = rig.start();
        rig.0.refuse(ROOT, &[Op::Link], errno);
        destination.check().await.unwrap();
        let batch = batch(1, "2026/a");
        for expected in [Outcome::Created, Outcome::Exists] {
            assert_eq!(attempt(&*destination, &batch, BODY, 3).await, expected);
            assert_eq!(temporaries(&rig.0).len(), 0);
        }
        assert_eq!(rig.visible(), [("2026/a".to_owned(), BODY.to_vec())]);
        let presence = destination.head(&batch.object(), &[batch.length]).await;
        assert_eq!(presence, Presence::Ours);
    }
}

#[tokio::test]
async fn messages_name_the_place_the_cause_and_the_way_out() {
    let cases: [(&str, &[&str]); 5] = [
        (
            "EXDEV",
            &["/out/.standpipe/", "/out/a", "different file systems"],
        ),
        ("neither", &["hard links", "another file system"]),
        ("EROFS", &["/out", "read-only"]),
        ("ENOSPC", &["/out", "make space"]),
        ("unmounted", &["/out/.standpipe/", "mounted?", "mkdir -p"]),
    ];
    for (breakage, expected) in cases {
        let mut rig = Double::new();
        let destination = rig.start();
        attempt(&*destination, &batch(1, "first"), BODY, 3).await;
        rig.break_it(breakage);
        let outcome = attempt(&*destination, &batch(2, "a"), BODY, 3).await;
        let (Outcome::NotSent(failure) | Outcome::Refused(failure)) = outcome else {
            panic!("{breakage}: {outcome:?}");
        };
        for part in expected {
            assert!(failure.message.contains(part), "{part} in: {failure}");
        }
    }
}

#[tokio::test]
async fn only_an_io_error_of_link_leaves_it_open_d_15() {
    for (breakage, definite) in [("EIO on link", false), ("EACCES", true), ("EXDEV", true)] {
        let mut rig = Double::new();
        let destination = rig.start();
        let batch = batch(1, "a");
        let mut upload = destination.begin(&batch.object()).await.unwrap();
        upload.part(BODY.into()).await.unwrap();
        rig.break_it(breakage);
        let outcome = upload.create(&batch).await;
        assert_eq!(
            matches!(outcome, Outcome::Refused(_)),
            definite,
            "{outcome:?}"
        );
        assert_eq!(matches!(outcome, Outcome::MayHaveHappened(_)), !definite);
    }
}

#[tokio::test]
async fn a_temporary_whose_sync_failed_is_thrown_away_d_15() {
    let mut rig = Double::new();
    let destination = rig.start();
    let batch = batch(1, "a");
    let mut upload = destination.begin(&batch.object()).await.unwrap();
    upload.part(BODY.into()).await.unwrap();
    rig.break_it("EIO on sync");
    assert!(matches!(upload.create(&batch).await, Outcome::NotSent(_)));
    assert_eq!(temporaries(&rig.0).len(), 0);
    rig.mend_it("EIO on sync");
    attempt(&*destination, &batch, BODY, 3).await;
    let after = rig.0.crash_with(CrashMode::LoseAll, 0);
    assert_eq!(
        visible(&after, Path::new(ROOT)),
        [("a".to_owned(), BODY.to_vec())]
    );
}

#[tokio::test]
async fn after_a_failed_write_the_upload_has_ended() {
    let mut rig = Double::new();
    let destination = rig.start();
    let batch = batch(1, "a");
    let mut upload = destination.begin(&batch.object()).await.unwrap();
    rig.break_it("EIO on write");
    upload.part(BODY.into()).await.unwrap_err();
    rig.mend_it("EIO on write");
    upload.part(BODY.into()).await.unwrap_err();
    assert!(matches!(upload.create(&batch).await, Outcome::NotSent(_)));
    assert_eq!(rig.visible(), []);
    assert_eq!(temporaries(&rig.0).len(), 0);
}

#[tokio::test]
async fn one_attempt_at_a_time_and_absence_waits_for_it() {
    let mut rig = Double::new();
    let first = Arc::new(started(&rig.0, Path::new("/")));
    let batch = batch(1, "a");
    let upload = first.begin(&batch.object()).await.unwrap();
    // The same uploads are known under a spec with another directory.
    let second = first.at("/elsewhere".to_owned());
    let refused = second.begin(&batch.object()).await.unwrap_err();
    assert_eq!(refused.class, FailureClass::Destination);
    let presence = second.head(&batch.object(), &[batch.length]).await;
    assert_eq!(presence, Presence::Absent { settled: false });
    upload.abort().await.unwrap();
    let presence = second.head(&batch.object(), &[batch.length]).await;
    assert_eq!(presence, Presence::Absent { settled: true });
    drop(second.begin(&batch.object()).await.unwrap());
    rig.start();
}

#[tokio::test]
async fn an_unmounted_root_is_known_across_processes_d_15() {
    let mut rig = Double::new();
    let batch = batch(1, "a");
    attempt(&*rig.start(), &batch, BODY, 3).await;
    rig.0.unmount(ROOT).unwrap();
    let destination = rig.start();
    let presence = destination.head(&batch.object(), &[batch.length]).await;
    let Presence::Unknown(failure) = presence else {
        panic!("{presence:?}");
    };
    assert_eq!(failure.class, FailureClass::Configuration);
    assert!(failure.message.contains("mounted?"), "{failure}");
    assert!(destination.begin(&batch.object()).await.is_err());
    assert!(destination.check().await.is_err());
    assert_eq!(started(&rig.0, Path::new("/")).clean().await.len(), 1);
    rig.0.mount(ROOT).unwrap();
    let presence = destination.head(&batch.object(), &[batch.length]).await;
    assert_eq!(presence, Presence::Ours);
}

#[tokio::test]
async fn a_directory_that_was_never_used_proves_absence_d_10() {
    let mut rig = Double::new();
    let destination = rig.start();
    for root in ["/missing", "/wal"] {
        let batch = sealed(shard(), 1, root, "a", BODY.len());
        let presence = destination.head(&batch.object(), &[batch.length]).await;
        assert_eq!(presence, Presence::Absent { settled: true }, "{root}");
    }
    let missing = sealed(shard(), 1, "/missing", "a", BODY.len());
    let refused = destination.begin(&missing.object()).await.unwrap_err();
    assert_eq!(refused.class, FailureClass::Configuration);
    assert!(
        rig.0.stat(Path::new("/missing")).is_err(),
        "never made by us"
    );
}

#[tokio::test]
async fn a_start_cleans_its_own_shards_folder_in_every_root_d_15() {
    let mut rig = Double::new();
    rig.0.mkdir(Path::new("/other")).unwrap();
    let destination = rig.start();
    let there = sealed(shard(), 1, "/other", "a", BODY.len());
    for batch in [&batch(2, "b"), &there] {
        drop(destination.begin(&batch.object()).await.unwrap());
    }
    let neighbour = Path::new("/out/.standpipe/neighbour");
    rig.0.mkdir(neighbour).unwrap();
    put(&rig.0, neighbour, "theirs", b"x");
    put(&rig.0, Path::new(ROOT), ".standpipe-not-ours", b"x");
    assert_eq!(temporaries(&rig.0).len(), 1);
    let started = started(&rig.0.kill(), Path::new("/"));
    assert_eq!(started.clean().await, []);
    let fs = &started.shared.fs;
    assert_eq!(temporaries(fs).len(), 0);
    let there = Paths::of_root("/other", shard()).staging;
    assert_eq!(fs.list(&there).unwrap().len(), 0);
    assert!(fs.stat(&neighbour.join("theirs")).is_ok());
    assert_eq!(visible(fs, Path::new(ROOT)).len(), 1);
}

#[tokio::test]
async fn a_check_finds_what_an_upload_would_and_leaves_nothing() {
    for breakage in [
        "EACCES",
        "EROFS",
        "EXDEV",
        "neither",
        "ENOSPC",
        "EIO on sync",
    ] {
        let mut rig = Double::new();
        let destination = rig.start();
        rig.break_it(breakage);
        destination.check().await.unwrap_err();
        rig.mend_it(breakage);
        destination.check().await.unwrap();
        let names = rig.0.list(Path::new(ROOT)).unwrap();
        assert!(names.is_empty(), "{breakage}: {names:?}");
    }
}

#[tokio::test]
async fn what_head_answers_is_durable_whoever_wrote_it_d_15() {
    let mut rig = Double::new();
    let destination = rig.start();
    put(&rig.0, Path::new(ROOT), "2026/a", BODY);
    let batch = batch(1, "2026/a");
    let presence = destination.head(&batch.object(), &[batch.length]).await;
    assert_eq!(presence, Presence::Ours);
    let after = rig.0.crash_with(CrashMode::LoseAll, 0);
    assert_eq!(
        visible(&after, Path::new(ROOT)),
        [("2026/a".to_owned(), BODY.to_vec())]
    );
}

#[tokio::test]
async fn unmounted_during_an_upload_nothing_is_made_on_the_mount_point() {
    let mut rig = Double::new();
    let destination = rig.start();
    let batch = batch(1, "2026/a");
    let mut upload = destination.begin(&batch.object()).await.unwrap();
    upload.part(BODY.into()).await.unwrap();
    rig.0.unmount(ROOT).unwrap();
    let Outcome::NotSent(failure) = upload.create(&batch).await else {
        panic!("nothing can be created");
    };
    assert_eq!(failure.class, FailureClass::Configuration);
    assert!(rig.0.list(Path::new(ROOT)).unwrap().is_empty());
}

#[tokio::test]
async fn a_root_is_the_same_however_it_is_written() {
    let mut rig = Double::new();
    attempt(&*rig.start(), &batch(1, "a"), BODY, 3).await;
    rig.0.unmount(ROOT).unwrap();
    for root in ["/out/", "//out", "/out/."] {
        let batch = sealed(shard(), 2, root, "b", BODY.len());
        rig.start().begin(&batch.object()).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_root_is_noted_once_a_process() {
    let mut rig = Double::new();
    let destination = rig.start();
    let at_the_wal = |fs: &FaultFs| fs.log().iter().filter(|op| op.contains("/wal")).count();
    attempt(&*destination, &batch(1, "a"), BODY, 3).await;
    let first = at_the_wal(&rig.0);
    assert!(first > 0);
    attempt(&*destination, &batch(2, "b"), BODY, 3).await;
    assert_eq!(at_the_wal(&rig.0), first);
}

#[tokio::test]
async fn a_symbolic_link_at_our_name_is_foreign() {
    let mut rig = Disk::new();
    let target = rig.0.path().join("elsewhere");
    put(&OsFs, rig.0.path(), "elsewhere", BODY);
    std::os::unix::fs::symlink(target, rig.out().join("a")).unwrap();
    let batch = sealed(shard(), 1, &rig.root(), "a", BODY.len());
    let destination = rig.start();
    let presence = destination.head(&batch.object(), &[batch.length]).await;
    assert_eq!(presence, Presence::Foreign("a symbolic link".to_owned()));
    let outcome = attempt(&*destination, &batch, BODY, 3).await;
    assert_eq!(outcome, Outcome::Exists);
}

#[tokio::test]
async fn on_threads_as_in_production() {
    let disk = Disk::new();
    let destination = FileSystem::new(
        OsFs,
        Executor::threads(2),
        shard(),
        disk.0.path().join("wal/staged-roots"),
        disk.root(),
    );
    let mut uploads = tokio::task::JoinSet::new();
    for n in 0..16 {
        let destination = destination.clone();
        let root = disk.root();
        uploads.spawn(async move {
            let batch = sealed(shard(), n, &root, &format!("h{}/{n}", n % 3), BODY.len());
            attempt(&destination, &batch, BODY, 3).await
        });
    }
    let outcomes = uploads.join_all().await;
    assert!(
        outcomes.iter().all(|outcome| *outcome == Outcome::Created),
        "{outcomes:?}"
    );
    assert_eq!(disk.visible().len(), 16);
}

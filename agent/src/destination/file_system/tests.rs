use rustix::io::Errno;

use super::*;
use crate::destination::conformance::{self, Rig, attempt, sealed, shard};
use crate::entropy::Entropy;
use crate::fs::fault::{FaultFs, Op};
use crate::fs::os::OsFs;
use crate::object::{Outcome, SealedBatch};

const BODY: &[u8] = b"one\ntwo\n";

/// Every file below a directory, but those in our folder.
pub(super) fn visible<F: Fs>(fs: &F, root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for name in fs.list(&directory).unwrap() {
            let path = directory.join(name);
            let stat = fs.stat(&path).unwrap();
            if stat.kind == FileKind::Directory {
                if !path.ends_with(".standpipe") {
                    directories.push(path);
                }
                continue;
            }
            let mut bytes = vec![0; usize::try_from(stat.length).unwrap()];
            let file = fs.open(&path, OpenMode::Read).unwrap();
            file.read_exact_at(&mut bytes, 0).unwrap();
            let key = path.strip_prefix(root).unwrap();
            found.push((key.to_str().unwrap().to_owned(), bytes));
        }
    }
    found.sort();
    found
}

fn put<F: Fs>(fs: &F, root: &Path, key: &str, bytes: &[u8]) {
    let mut path = root.to_owned();
    for part in key.split('/') {
        if path != root {
            fs.mkdir(&path).unwrap();
        }
        path.push(part);
    }
    let file = fs.open(&path, OpenMode::CreateNew).unwrap();
    file.write_all_at(&mut [io::IoSlice::new(bytes)], 0)
        .unwrap();
}

fn started<F: Fs>(fs: &F, directory: &Path) -> FileSystem<F> {
    FileSystem::new(
        fs.clone(),
        Executor::inline(Entropy::from_seed(1)),
        shard(),
        directory.join("wal/staged-roots"),
        directory.join("out").to_str().unwrap().to_owned(),
    )
}

/// A directory with `wal` and `out` in it, on the machine's own file system.
#[derive(Debug)]
struct Disk(tempfile::TempDir);

impl Disk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        OsFs.mkdir(&directory.path().join("wal")).unwrap();
        OsFs.mkdir(&directory.path().join("out")).unwrap();
        Self(directory)
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }
}

impl Rig for Disk {
    fn start(&mut self) -> Arc<dyn Destination> {
        Arc::new(started(&OsFs, self.0.path()))
    }

    fn root(&self) -> String {
        self.out().to_str().unwrap().to_owned()
    }

    fn visible(&self) -> Vec<(String, Vec<u8>)> {
        visible(&OsFs, &self.out())
    }

    fn put_foreign(&self, key: &str, bytes: &[u8]) {
        put(&OsFs, &self.out(), key, bytes);
    }

    fn breakages(&self) -> Vec<(&'static str, FailureClass)> {
        vec![
            ("missing", FailureClass::Configuration),
            ("a file", FailureClass::Configuration),
            ("empty", FailureClass::Configuration),
        ]
    }

    fn break_it(&self, breakage: &str) {
        OsFs.rename(&self.out(), &self.0.path().join("away"))
            .unwrap();
        match breakage {
            "a file" => drop(OsFs.open(&self.out(), OpenMode::CreateNew).unwrap()),
            "empty" => OsFs.mkdir(&self.out()).unwrap(),
            _ => {}
        }
    }

    fn mend_it(&self, breakage: &str) {
        match breakage {
            "a file" => OsFs.remove_file(&self.out()).unwrap(),
            // Fails when anything was made on what is a mount point without its volume.
            "empty" => OsFs.remove_dir(&self.out()).unwrap(),
            _ => {}
        }
        OsFs.rename(&self.0.path().join("away"), &self.out())
            .unwrap();
    }
}

/// The same on the double.
#[derive(Debug)]
struct Double(FaultFs);

const ROOT: &str = "/out";

impl Double {
    fn new() -> Self {
        let fs = FaultFs::new();
        for directory in ["/wal", ROOT] {
            fs.mkdir(Path::new(directory)).unwrap();
        }
        fs.sync_dir(Path::new("/")).unwrap();
        Self(fs)
    }
}

/// Calls that fail below the root, and how.
fn refusal(breakage: &str) -> (&'static [Op], Errno) {
    match breakage {
        "EACCES" => (&[Op::Create, Op::Mkdir, Op::Link], Errno::ACCESS),
        "EROFS" => (
            &[Op::Create, Op::Mkdir, Op::Link, Op::RemoveFile],
            Errno::ROFS,
        ),
        "EXDEV" => (&[Op::Link, Op::RenameNoReplace], Errno::XDEV),
        "ENAMETOOLONG" => (&[Op::Link], Errno::NAMETOOLONG),
        "EPERM" => (&[Op::Link, Op::RenameNoReplace], Errno::PERM),
        "ENOSPC" => (&[Op::Write, Op::Mkdir], Errno::NOSPC),
        "EDQUOT" => (&[Op::Create], Errno::DQUOT),
        "EIO on write" => (&[Op::Write], Errno::IO),
        "EIO on sync" => (&[Op::SyncAll], Errno::IO),
        "EIO on link" => (&[Op::Link], Errno::IO),
        "ESTALE" => (&[], Errno::STALE),
        "neither" => (&[Op::Link, Op::RenameNoReplace], Errno::OPNOTSUPP),
        _ => panic!("{breakage}"),
    }
}

impl Rig for Double {
    fn start(&mut self) -> Arc<dyn Destination> {
        self.0 = self.0.kill();
        Arc::new(started(&self.0, Path::new("/")))
    }

    fn root(&self) -> String {
        ROOT.to_owned()
    }

    fn visible(&self) -> Vec<(String, Vec<u8>)> {
        visible(&self.0, Path::new(ROOT))
    }

    fn put_foreign(&self, key: &str, bytes: &[u8]) {
        put(&self.0, Path::new(ROOT), key, bytes);
    }

    fn breakages(&self) -> Vec<(&'static str, FailureClass)> {
        use FailureClass::{Configuration, Destination};
        vec![
            ("EACCES", Configuration),
            ("EROFS", Configuration),
            ("EXDEV", Configuration),
            ("ENAMETOOLONG", Configuration),
            ("EPERM", Configuration),
            ("neither", Configuration),
            ("unmounted", Configuration),
            ("full", Destination),
            ("ENOSPC", Destination),
            ("EDQUOT", Destination),
            ("EIO on write", Destination),
            ("EIO on sync", Destination),
            ("EIO on link", Destination),
            ("ESTALE", Destination),
        ]
    }

    fn break_it(&self, breakage: &str) {
        match breakage {
            "unmounted" => self.0.unmount(ROOT).unwrap(),
            "full" => self.0.set_capacity(Some(1)),
            _ => {
                let (ops, errno) = refusal(breakage);
                self.0.refuse(ROOT, ops, errno);
            }
        }
    }

    fn mend_it(&self, breakage: &str) {
        match breakage {
            "unmounted" => {
                let below = self.0.list(Path::new(ROOT)).unwrap();
                assert!(below.is_empty(), "made on the mount point: {below:?}");
                self.0.mount(ROOT).unwrap();
            }
            "full" => self.0.set_capacity(None),
            _ => self.0.forgive(ROOT),
        }
    }
}

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
    let after = rig.0.crash_with(crate::fs::fault::CrashMode::LoseAll, 0);
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

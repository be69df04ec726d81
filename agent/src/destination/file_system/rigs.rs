//! The two worlds in which the destination is tested: a real directory and the double.

use super::*;
use crate::destination::conformance::{Rig, shard};
use crate::entropy::Entropy;
use crate::fs::fault::{FaultFs, Op};
use crate::fs::os::OsFs;

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

pub(super) fn put<F: Fs>(fs: &F, root: &Path, key: &str, bytes: &[u8]) {
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

pub(super) fn started<F: Fs>(fs: &F, directory: &Path) -> FileSystem<F> {
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
pub(super) struct Disk(pub(super) tempfile::TempDir);

impl Disk {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        OsFs.mkdir(&directory.path().join("wal")).unwrap();
        OsFs.mkdir(&directory.path().join("out")).unwrap();
        Self(directory)
    }

    pub(super) fn out(&self) -> PathBuf {
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
pub(super) struct Double(pub(super) FaultFs);

pub(super) const ROOT: &str = "/out";

impl Double {
    pub(super) fn new() -> Self {
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

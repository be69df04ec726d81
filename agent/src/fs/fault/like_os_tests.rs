//! The double, as long as nothing fails, answers like the operating system: same results, same
//! errors, same content.

use std::io::IoSlice;
use std::path::Path;

use proptest::prelude::*;

use super::FaultFs;
use crate::fs::os::OsFs;
use crate::fs::{File as _, FileKind, Fs, OpenMode};

const PATHS: [&str; 6] = ["a", "b", "d", "d/a", "e", "e/b"];

#[derive(Clone, Debug)]
enum Step {
    Create(usize),
    Mkdir(usize),
    Write(usize, u16, u16, u8),
    SetLength(usize, u16),
    Allocate(usize, u16),
    Rename(usize, usize),
    RenameNoReplace(usize, usize),
    Link(usize, usize),
    RemoveFile(usize),
    RemoveDir(usize),
    SyncDir(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let path = || 0..PATHS.len();
    prop_oneof![
        path().prop_map(Step::Create),
        path().prop_map(Step::Mkdir),
        (path(), 0..3000_u16, 0..2000_u16, any::<u8>())
            .prop_map(|(a, b, c, d)| { Step::Write(a, b, c, d) }),
        (path(), 0..4000_u16).prop_map(|(a, b)| Step::SetLength(a, b)),
        (path(), 0..4000_u16).prop_map(|(a, b)| Step::Allocate(a, b)),
        (path(), path()).prop_map(|(a, b)| Step::Rename(a, b)),
        (path(), path()).prop_map(|(a, b)| Step::RenameNoReplace(a, b)),
        (path(), path()).prop_map(|(a, b)| Step::Link(a, b)),
        path().prop_map(Step::RemoveFile),
        path().prop_map(Step::RemoveDir),
        path().prop_map(Step::SyncDir),
    ]
}

/// What a step answers: a number where it has one, else the error's.
fn run<F: Fs>(fs: &F, root: &Path, step: &Step) -> Result<usize, Option<i32>> {
    let at = |path: &usize| root.join(PATHS[*path]);
    let done = match step {
        Step::Create(path) => fs.open(&at(path), OpenMode::CreateNew).map(|_| 0),
        Step::Mkdir(path) => fs.mkdir(&at(path)).map(|()| 0),
        Step::Write(path, offset, length, byte) => {
            let bytes = vec![*byte; usize::from(*length)];
            fs.open(&at(path), OpenMode::ReadWrite)
                .and_then(|file| file.write_at(&[IoSlice::new(&bytes)], u64::from(*offset)))
        }
        Step::SetLength(path, length) => fs
            .open(&at(path), OpenMode::ReadWrite)
            .and_then(|file| file.set_length(u64::from(*length)))
            .map(|()| 0),
        Step::Allocate(path, length) => fs
            .open(&at(path), OpenMode::ReadWrite)
            .and_then(|file| file.allocate(u64::from(*length)))
            .map(|()| 0),
        Step::Rename(from, to) => fs.rename(&at(from), &at(to)).map(|()| 0),
        Step::RenameNoReplace(from, to) => fs.rename_noreplace(&at(from), &at(to)).map(|()| 0),
        Step::Link(from, to) => fs.link(&at(from), &at(to)).map(|()| 0),
        Step::RemoveFile(path) => fs.remove_file(&at(path)).map(|()| 0),
        Step::RemoveDir(path) => fs.remove_dir(&at(path)).map(|()| 0),
        Step::SyncDir(path) => fs.sync_dir(&at(path)).map(|()| 0),
    };
    done.map_err(|error| error.raw_os_error())
}

type Seen = Result<(FileKind, Vec<u8>), Option<i32>>;

/// Kind and content of each path, or the error of looking at it.
fn look<F: Fs>(fs: &F, root: &Path) -> Vec<Seen> {
    PATHS
        .iter()
        .map(|path| {
            let path = root.join(path);
            let stat = fs.stat(&path).map_err(|error| error.raw_os_error())?;
            let mut bytes = Vec::new();
            if stat.kind == FileKind::File {
                let file = fs.open(&path, OpenMode::Read).unwrap();
                assert_eq!(file.length().unwrap(), stat.length);
                bytes.resize(usize::try_from(stat.length).unwrap(), 0);
                file.read_exact_at(&mut bytes, 0).unwrap();
            } else {
                let mut names = fs.list(&path).unwrap();
                names.sort();
                bytes.extend(names.join(",".as_ref()).into_encoded_bytes());
            }
            Ok((stat.kind, bytes))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn without_faults_it_answers_like_the_operating_system(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let double = FaultFs::new();
        for (n, step) in steps.iter().enumerate() {
            let expected = run(&OsFs, directory.path(), step);
            let found = run(&double, Path::new("/"), step);
            prop_assert_eq!(found, expected, "{:?} at {}", step, n);
        }
        prop_assert_eq!(look(&double, Path::new("/")), look(&OsFs, directory.path()));
    }
}

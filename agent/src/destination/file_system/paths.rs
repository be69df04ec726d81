//! Where everything of one object lies: pure.

use std::path::{Path, PathBuf};

use super::configuration;
use crate::object::{Failure, ObjectId, ShardId};

/// Our folder in a root; no key may lie in it.
const HIDDEN: &str = ".standpipe";

/// The paths of one object, or of a root alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paths {
    pub(super) root: PathBuf,
    /// `<root>/.standpipe`
    pub(super) hidden: PathBuf,
    /// `<root>/.standpipe/<shard>`
    pub(super) staging: PathBuf,
    /// `<root>/.standpipe/<shard>/<batch>`
    pub(super) temporary: PathBuf,
    /// `<root>/<key>`
    pub(super) target: PathBuf,
    /// Those between the root and the target, outermost first.
    pub(super) directories: Vec<PathBuf>,
}

impl Paths {
    /// Fails when the key does not name a file below the root, outside of our folder.
    pub(super) fn of(object: &ObjectId) -> Result<Self, Failure> {
        let key = &object.place.key;
        let parts: Vec<&str> = key.split('/').collect();
        let problem = if parts.iter().any(|part| part.is_empty()) {
            "has an empty part"
        } else if parts.iter().any(|part| matches!(*part, "." | "..")) {
            "leaves its directory"
        } else if key.contains('\0') {
            "contains a NUL"
        } else if parts.first() == Some(&HIDDEN) {
            "lies in the folder of the agent's own files"
        } else {
            let mut paths = Self::of_root(&object.place.root, object.shard);
            paths.temporary = paths.staging.join(object.batch.to_string());
            for part in parts {
                let inner = paths.target.join(part);
                let outer = std::mem::replace(&mut paths.target, inner);
                paths.directories.push(outer);
            }
            paths.directories.remove(0);
            return Ok(paths);
        };
        Err(configuration(format!(
            "the key {key:?} {problem}: change the destination's prefix"
        )))
    }

    /// Without an object: `temporary` is the folder and `target` the root.
    pub(super) fn of_root(root: &str, shard: ShardId) -> Self {
        let root = Path::new(root);
        let hidden = root.join(HIDDEN);
        let staging = hidden.join(shard.to_string());
        Self {
            root: root.to_owned(),
            temporary: staging.clone(),
            hidden,
            staging,
            target: root.to_owned(),
            directories: Vec::new(),
        }
    }

    /// The directories whose entries lead to the object, from its own up to the root.
    pub(super) fn upwards(&self) -> impl Iterator<Item = &PathBuf> {
        self.directories.iter().rev().chain([&self.root])
    }

    /// The two names that `check` uses.
    pub(super) fn check_files(&self, shard: ShardId) -> [PathBuf; 2] {
        ["a", "b"].map(|which| self.root.join(format!("{HIDDEN}-check-{shard}-{which}")))
    }

    pub(super) fn not_mounted(&self) -> Failure {
        configuration(format!(
            "{} was made before and is not there now: is the volume of {} mounted? Nothing is written \
             there until it is. If the folder was removed on purpose: mkdir -p {}",
            self.staging.display(),
            self.root.display(),
            self.staging.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{BatchId, FailureClass, Place};

    fn object(key: &str) -> ObjectId {
        ObjectId {
            shard: ShardId(uuid::Uuid::from_u128(1)),
            batch: BatchId(uuid::Uuid::from_u128(2)),
            place: Place {
                root: "/out/".to_owned(),
                key: key.to_owned(),
            },
        }
    }

    #[test]
    fn an_object_lies_at_its_key_and_its_temporary_in_the_shards_folder_d_15() {
        let paths = Paths::of(&object("2026/11/a.gz")).unwrap();
        assert_eq!(paths.target, Path::new("/out/2026/11/a.gz"));
        assert_eq!(
            paths.temporary,
            Path::new(
                "/out/.standpipe/00000000000000000000000000000001/\
                 00000000-0000-0000-0000-000000000002"
            )
        );
        assert_eq!(
            paths.directories,
            [Path::new("/out/2026"), Path::new("/out/2026/11")]
        );
        let flat = Paths::of(&object("a")).unwrap();
        assert_eq!(flat.directories, Vec::<PathBuf>::new());
    }

    #[test]
    fn a_key_never_leaves_its_root() {
        for key in [
            "",
            "/a",
            "a/",
            "a//b",
            "../a",
            "a/../b",
            "./a",
            "a\0",
            ".standpipe/x",
        ] {
            let refused = Paths::of(&object(key)).unwrap_err();
            assert_eq!(refused.class, FailureClass::Configuration, "{key}");
        }
        assert!(Paths::of(&object("a/.standpipe/..x")).is_ok());
    }
}

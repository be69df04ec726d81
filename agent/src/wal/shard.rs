//! The shard file: whose wal this is (W-3), and that it lies where it was made.
//!
//! `shard` in the wal directory: one line of JSON, one line with the CRC32C of the first in hex. It is
//! written once, whole, and durable before the first segment.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entropy::Entropy;
use crate::fs::{File as _, Fs, FsType, OpenMode};
use crate::object::ShardId;

use super::capacity;
use super::frame::crc32c;
use super::open::{OpenError, Options};
use super::segment::FORMAT;
use super::versions::{read_small, replace};

/// The wal's own directory below the given one.
const SUBDIRECTORY: &str = "log";
const SHARD: &str = "shard";
const LOCK: &str = "lock";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ShardFile {
    format: u16,
    pub(super) shard: Uuid,
    /// `namespace/name` of the stream.
    pub(super) stream: String,
    pub(super) segment_bytes: u64,
    /// Of the wal's directory, once a file of ours was in it.
    inode: u64,
    birth: Option<i128>,
}

/// A wal directory that is ours alone while this lives.
#[derive(Debug)]
pub(super) struct Held<F: Fs> {
    pub(super) directory: PathBuf,
    pub(super) shard: ShardFile,
    /// Nothing has been written yet.
    pub(super) fresh: bool,
    pub(super) lock: F::File,
    pub(super) problems: Vec<String>,
}

impl ShardFile {
    pub(super) fn id(&self) -> ShardId {
        ShardId(self.shard)
    }
}

/// Makes or finds the wal's directory, takes its lock and reads whose it is.
pub(super) fn hold<F: Fs>(
    fs: &F,
    given: &Path,
    options: &Options,
    entropy: &Entropy,
) -> Result<Held<F>, OpenError> {
    make_directories(fs, given).map_err(|e| OpenError::io("make the wal directory", given, &e))?;
    let fs_type = fs
        .fs_type(given)
        .map_err(|e| OpenError::io("look at the file system of", given, &e))?;
    let mut problems = Vec::new();
    if let FsType::Refused(name) = fs_type {
        if !options.force_filesystem {
            return Err(OpenError::FileSystem {
                path: given.to_owned(),
                name,
            });
        }
        problems.push(format!(
            "the wal lies on {name}: --force-filesystem was given"
        ));
    }
    let directory = given.join(SUBDIRECTORY);
    make_directories(fs, &directory)
        .map_err(|e| OpenError::io("make the wal directory", &directory, &e))?;
    let lock = lock(fs, &directory)?;
    let path = directory.join(SHARD);
    let (shard, fresh) = match read_small(fs, &path) {
        Ok(bytes) => (parse(&bytes, &path)?, false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            (create(fs, &directory, options, entropy)?, true)
        }
        Err(error) => return Err(OpenError::io("read", &path, &error)),
    };
    if shard.stream != options.stream {
        let (path, found) = (given.to_owned(), shard.stream);
        return Err(OpenError::OtherStream {
            path,
            found,
            wanted: options.stream.clone(),
        });
    }
    let compared = matches!(fs_type, FsType::Local);
    if !compared {
        problems.push("copies of this wal directory can't be told here".to_owned());
    }
    let shard = if compared && !fresh {
        same_place(fs, &directory, shard, options, &mut problems)?
    } else {
        shard
    };
    Ok(Held {
        directory,
        shard,
        fresh,
        lock,
        problems,
    })
}

/// A directory that was copied has another inode or birth time. What one kernel doesn't return is
/// not compared.
fn same_place<F: Fs>(
    fs: &F,
    directory: &Path,
    mut shard: ShardFile,
    options: &Options,
    problems: &mut Vec<String>,
) -> Result<ShardFile, OpenError> {
    let stat = fs
        .stat(directory)
        .map_err(|e| OpenError::io("look at", directory, &e))?;
    let other_birth = matches!((stat.birth, shard.birth), (Some(a), Some(b)) if a != b);
    if stat.inode == shard.inode && !other_birth {
        return Ok(shard);
    }
    if !options.adopt_copy {
        return Err(OpenError::Copied {
            path: directory.to_owned(),
        });
    }
    problems.push(
        "the wal directory is a copy and was adopted: records that the original delivers as well \
         appear twice"
            .to_owned(),
    );
    shard.inode = stat.inode;
    shard.birth = stat.birth;
    write(fs, directory, &shard)?;
    Ok(shard)
}

/// Makes a directory and its missing parents, each entry durable.
fn make_directories<F: Fs>(fs: &F, path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    match fs.mkdir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_directories(fs, parent.ok_or(error)?)?;
            fs.mkdir(path)?;
        }
        Err(error) => {
            // a read-only parent is no harm where the directory is there
            return if fs.stat(path).is_ok() {
                Ok(())
            } else {
                Err(error)
            };
        }
    }
    // one made by a process that died before this may not be durable yet; what we may not sync was
    // not made by us
    match fs.sync_dir(parent.unwrap_or(Path::new("."))) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

fn lock<F: Fs>(fs: &F, directory: &Path) -> Result<F::File, OpenError> {
    let path = directory.join(LOCK);
    let file = match fs.open(&path, OpenMode::CreateNew) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs.open(&path, OpenMode::ReadWrite)
        }
        made => made,
    };
    let file = file.map_err(|e| OpenError::io("open", &path, &e))?;
    match file.try_lock() {
        Ok(true) => Ok(file),
        Ok(false) => Err(OpenError::Locked { path }),
        Err(error) => Err(OpenError::io("lock", &path, &error)),
    }
}

fn create<F: Fs>(
    fs: &F,
    directory: &Path,
    options: &Options,
    entropy: &Entropy,
) -> Result<ShardFile, OpenError> {
    let names = fs
        .list(directory)
        .map_err(|e| OpenError::io("list", directory, &e))?;
    if names
        .iter()
        .any(|name| name.as_encoded_bytes().ends_with(b".wal"))
    {
        return Err(OpenError::ShardMissing {
            path: directory.join(SHARD),
        });
    }
    let stat = fs
        .stat(directory)
        .map_err(|e| OpenError::io("look at", directory, &e))?;
    let segment_bytes = options
        .segment_bytes
        .unwrap_or_else(|| capacity::segment_bytes(options.capacity_bytes));
    let shard = ShardFile {
        format: FORMAT,
        shard: uuid::Builder::from_random_bytes(entropy.bytes16()).into_uuid(),
        stream: options.stream.clone(),
        segment_bytes,
        inode: stat.inode,
        birth: stat.birth,
    };
    write(fs, directory, &shard)?;
    Ok(shard)
}

fn write<F: Fs>(fs: &F, directory: &Path, shard: &ShardFile) -> Result<(), OpenError> {
    let path = directory.join(SHARD);
    let json = serde_json::to_string(shard)
        .map_err(|e| OpenError::io("write", &path, &io::Error::other(e)))?;
    let text = format!("{json}\n{:08x}\n", crc32c(&[json.as_bytes()]));
    replace(fs, directory, SHARD, text.as_bytes()).map_err(|e| OpenError::io("write", &path, &e))
}

fn parse(bytes: &[u8], path: &Path) -> Result<ShardFile, OpenError> {
    let damaged = || OpenError::ShardDamaged {
        path: path.to_owned(),
    };
    let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
    let (json, crc) = text.trim_end().split_once('\n').ok_or_else(damaged)?;
    if crc != format!("{:08x}", crc32c(&[json.as_bytes()])) {
        return Err(damaged());
    }
    let format = serde_json::from_str::<serde_json::Value>(json)
        .ok()
        .and_then(|value| value.get("format")?.as_u64())
        .ok_or_else(damaged)?;
    if format != u64::from(FORMAT) {
        let path = path.to_owned();
        return Err(OpenError::NewerFormat {
            path,
            found: format,
            known: FORMAT,
        });
    }
    serde_json::from_str(json).map_err(|_| damaged())
}

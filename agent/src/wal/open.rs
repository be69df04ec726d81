//! Opening a wal: hold its directory, recover, make the reserve ready, and only then let anyone
//! append (W-7, W-13).

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::entropy::Entropy;
use crate::executor::Executor;
use crate::fs::{Fs, OpenMode};
use crate::object::Incarnation;
use crate::record::Sequence;

use super::capacity::Capacity;
use super::files::{SegmentFiles, SegmentTable};
use super::handle::{Wal, WalStatus};
use super::prepare::Job;
use super::recovery::{Recovered, recover};
use super::shard::{Held, hold};
use super::shared::{Inbox, Room, Shared, Tail};
use super::versions::{VersionFiles, VersionStore as _};
use super::writer::{Current, SPARES, Writer};

/// Bytes of newest records that cursors read without touching the disk.
pub const TAIL_BYTES: usize = 32 * 1024 * 1024;

/// How to open a wal.
#[derive(Clone, Debug)]
pub struct Options {
    /// `namespace/name` of the stream: another stream's directory is refused.
    pub stream: String,
    pub capacity_bytes: u64,
    /// The size of a segment where the shard is new; by default from the capacity (W-14).
    pub segment_bytes: Option<u64>,
    pub tail_bytes: usize,
    /// Take a file system whose sync proves nothing (W-4).
    pub force_filesystem: bool,
    /// Take a directory that is a copy of another (W-3).
    pub adopt_copy: bool,
}

impl Options {
    pub fn new(stream: impl Into<String>, capacity_bytes: u64) -> Self {
        Self {
            stream: stream.into(),
            capacity_bytes,
            segment_bytes: None,
            tail_bytes: TAIL_BYTES,
            force_filesystem: false,
            adopt_copy: false,
        }
    }
}

/// Why a wal can't be opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "can't {doing} {}: {error}; the wal needs a local directory that this process may write to \
         and that has room for two segments",
        path.display()
    )]
    Io {
        doing: &'static str,
        path: PathBuf,
        error: String,
    },
    #[error(
        "{} lies on {name}, whose sync proves nothing to us or which other machines may write to; \
         use a local disk, or --force-filesystem if losing acknowledged records is acceptable",
        path.display()
    )]
    FileSystem { path: PathBuf, name: &'static str },
    #[error(
        "another process has {} locked; one agent uses a wal directory at a time: stop the other \
         one or give this one its own --wal-dir",
        path.display()
    )]
    Locked { path: PathBuf },
    #[error(
        "{} holds the wal of the stream {found:?}, not of {wanted:?}; give each stream its own \
         --wal-dir",
        path.display()
    )]
    OtherStream {
        path: PathBuf,
        found: String,
        wanted: String,
    },
    #[error(
        "{} was written in format {found} by another release; this one reads format {known}: use \
         that release, nothing was changed",
        path.display()
    )]
    NewerFormat {
        path: PathBuf,
        found: u64,
        known: u16,
    },
    #[error(
        "{} is a copy of another wal directory: if the original still delivers, every record that \
         waits in both appears twice; delete the copy, or start once with --adopt-copy",
        path.display()
    )]
    Copied { path: PathBuf },
    #[error(
        "{} is missing though segments are there; restore it from where the directory came, or move \
         the directory away to begin an empty wal",
        path.display()
    )]
    ShardMissing { path: PathBuf },
    #[error(
        "{} is damaged (its checksum is wrong); restore it, or move the directory away to begin an \
         empty wal",
        path.display()
    )]
    ShardDamaged { path: PathBuf },
}

impl OpenError {
    pub(super) fn io(doing: &'static str, path: &Path, error: &io::Error) -> Self {
        Self::Io {
            doing,
            path: path.to_owned(),
            error: error.to_string(),
        }
    }
}

/// The lock of the wal directory: held as long as the writer lives.
#[derive(Debug)]
pub(crate) struct Opened<F: Fs> {
    pub(crate) writer: Writer<F>,
    pub(crate) wal: Wal,
    pub(crate) lock: F::File,
}

/// Opens the wal below `directory`, making it where there is none. Blocks: a second at most, but
/// for what a first start allocates.
pub(crate) fn open<F: Fs>(
    fs: &F,
    directory: &Path,
    options: &Options,
    executor: Executor,
    entropy: Entropy,
) -> Result<Opened<F>, OpenError> {
    let Held {
        directory,
        shard,
        fresh,
        lock,
        problems,
    } = hold(fs, directory, options, &entropy)?;
    let segment_bytes = shard.segment_bytes;
    let mut recovered = recover(fs, &directory, shard.id(), segment_bytes)?;
    recovered.problems.extend(problems);
    let versions = VersionFiles::new(fs.clone(), directory.clone());
    let digests: Vec<_> = recovered
        .state
        .cursors
        .values()
        .flat_map(|cursor| cursor.versions.iter().map(|version| version.digest))
        .collect();
    versions
        .retain(&digests)
        .map_err(|e| OpenError::io("tidy the versions in", &directory, &e))?;

    let files = Arc::new(SegmentFiles::new(fs.clone(), directory.clone()));
    let durable_end = Sequence(recovered.state.next_sequence);
    let status = WalStatus {
        shard: shard.id(),
        incarnation: Incarnation(entropy.next_u64()),
        used_bytes: 0,
        capacity_bytes: options.capacity_bytes,
        segments: 0,
        durable_end,
        accepted_records: recovered.state.accepted,
        in_doubt_records: recovered.in_doubt,
        lost_records: recovered.state.lost,
        written_bytes: 0,
        failures: 0,
        pressure: false,
        reserve_low: false,
        problems: std::mem::take(&mut recovered.problems),
        failing: None,
        closed: None,
    };
    let shared = Arc::new(Shared {
        inbox: Inbox::default(),
        executor,
        segments: SegmentTable::new(recovered.segments.clone()),
        files: files.clone(),
        versions: Arc::new(versions),
        tail: Mutex::new(Tail::new(durable_end, options.tail_bytes)),
        durable: watch::Sender::new(durable_end),
        status: watch::Sender::new(Arc::new(status.clone())),
        room: Room::default(),
        let_go: AtomicU64::new(recovered.checkpointed.0),
    });
    let mut writer = Writer {
        capacity: Capacity::new(options.capacity_bytes, segment_bytes),
        life: recovered.life,
        current: None,
        next_sequence: durable_end.0,
        checkpointed: recovered.checkpointed,
        since_checkpoint: 0,
        preparing: BTreeSet::new(),
        attached: BTreeSet::new(),
        waiting: VecDeque::new(),
        failures: 0,
        retry_at: None,
        prepare_at: None,
        files,
        shared: Arc::clone(&shared),
        entropy,
        status,
        state: std::mem::take(&mut recovered.state),
        spares: std::mem::take(&mut recovered.spares),
        free: std::mem::take(&mut recovered.free).into(),
        damaged: std::mem::take(&mut recovered.damaged),
    };
    begin(&mut writer, &recovered, fs, &directory)
        .map_err(|e| OpenError::io("write to", &directory, &e))?;
    if fresh {
        tracing::info!(shard = %shard.id(), directory = %directory.display(), "a new wal");
    }
    Ok(Opened {
        writer,
        wal: Wal { shared },
        lock,
    })
}

/// Opens the last segment for writing, makes the reserve ready, and begins a life.
fn begin<F: Fs>(
    writer: &mut Writer<F>,
    recovered: &Recovered,
    fs: &F,
    directory: &Path,
) -> io::Result<()> {
    if let Some(last) = recovered.segments.last() {
        let file = fs.open(
            &directory.join(super::segment::file_name(last.ordinal)),
            OpenMode::ReadWrite,
        )?;
        writer.current = Some(Current {
            file,
            ordinal: last.ordinal,
            salt: last.salt,
            end: last.end,
            header: None,
        });
    }
    // twice: what is recycled first may make creating unnecessary
    while writer.spares.len() < SPARES || !writer.free.is_empty() {
        let jobs = writer.jobs();
        for job in jobs {
            let prepared = job.run(fs, directory);
            if let (Job::Create { .. }, Err(error)) = (&prepared.job, &prepared.result) {
                return Err(io::Error::new(error.kind(), error.to_string()));
            }
            writer.take_prepared(prepared);
        }
    }
    if !recovered.ends_with_checkpoint {
        writer.life = writer.entropy.next_u32();
        writer.begin_life()?;
    }
    writer.publish();
    Ok(())
}

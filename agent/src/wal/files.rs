//! The segment files of one wal directory, opened for reading, and the table of what the log holds.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use crate::fs::{File as _, Fs, OpenMode};
use crate::record::Sequence;

use super::frame::Salt;
use super::segment::file_name;

/// Segments open for reading at once.
const OPEN_MAX: usize = 4;

/// A segment that is part of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentInfo {
    pub ordinal: u64,
    pub salt: Salt,
    /// Where the segment before ended. Sequences from here to `first_sequence` have no records.
    pub begin_sequence: u64,
    pub first_sequence: u64,
    /// Where its last durable frame ends, in bytes.
    pub end: u32,
    /// The sequence after its last durable record.
    pub end_sequence: u64,
}

/// The segments of the log, oldest first.
#[derive(Debug, Default)]
pub(super) struct SegmentTable(RwLock<Vec<SegmentInfo>>);

impl SegmentTable {
    pub(super) fn new(segments: Vec<SegmentInfo>) -> Self {
        Self(RwLock::new(segments))
    }

    /// Notes how far the newest segment is durable.
    pub(super) fn set_end(&self, end: u32, end_sequence: u64) {
        if let Some(last) = self.0.write().last_mut() {
            last.end = end;
            last.end_sequence = end_sequence;
        }
    }

    pub(super) fn push(&self, segment: SegmentInfo) {
        self.0.write().push(segment);
    }

    /// Takes the oldest segments off that end at or before `low_water`, the newest one excepted.
    pub(super) fn truncate(&self, low_water: Sequence) -> Vec<SegmentInfo> {
        let mut segments = self.0.write();
        let newest = segments.len().saturating_sub(1);
        let done = segments
            .iter()
            .take(newest)
            .take_while(|s| s.end_sequence <= low_water.0);
        let count = done.count();
        segments.drain(..count).collect()
    }

    pub(super) fn oldest(&self) -> Option<SegmentInfo> {
        self.0.read().first().cloned()
    }

    pub(super) fn newest(&self) -> Option<SegmentInfo> {
        self.0.read().last().cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.0.read().len()
    }

    /// The oldest segment whose records end after `sequence`.
    pub(super) fn holding(&self, sequence: Sequence) -> Option<SegmentInfo> {
        self.0
            .read()
            .iter()
            .find(|segment| segment.end_sequence > sequence.0)
            .cloned()
    }

    pub(super) fn get(&self, ordinal: u64) -> Option<SegmentInfo> {
        self.0
            .read()
            .iter()
            .find(|segment| segment.ordinal == ordinal)
            .cloned()
    }
}

/// Reads segments by ordinal; hides which file system it is.
pub(super) trait ReadSegment: Debug + Send + Sync {
    /// Up to `length` bytes at `offset`; fewer only at the end of the file.
    fn read(&self, ordinal: u64, offset: u32, length: usize) -> io::Result<Bytes>;
}

/// The files below one directory.
#[derive(Debug)]
pub(super) struct SegmentFiles<F: Fs> {
    pub(super) fs: F,
    pub(super) directory: PathBuf,
    open: Mutex<BTreeMap<u64, Arc<F::File>>>,
}

impl<F: Fs> SegmentFiles<F> {
    pub(super) fn new(fs: F, directory: PathBuf) -> Self {
        Self {
            fs,
            directory,
            open: Mutex::default(),
        }
    }

    pub(super) fn path(&self, ordinal: u64) -> PathBuf {
        self.directory.join(file_name(ordinal))
    }

    /// Closes a segment that is no longer part of the log.
    pub(super) fn forget(&self, ordinal: u64) {
        self.open.lock().remove(&ordinal);
    }

    fn file(&self, ordinal: u64) -> io::Result<Arc<F::File>> {
        if let Some(file) = self.open.lock().get(&ordinal) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(self.fs.open(&self.path(ordinal), OpenMode::Read)?);
        let mut open = self.open.lock();
        while open.len() >= OPEN_MAX {
            open.pop_first();
        }
        open.insert(ordinal, Arc::clone(&file));
        Ok(file)
    }
}

/// Makes the next read of the file see the device: pages that an earlier process wrote and never
/// got to disk read back fine from the cache (W-8). The sync's answer is logged, not believed.
pub(super) fn drop_unsynced(file: &impl crate::fs::File, ordinal: u64) {
    if let Err(error) = file.sync_data() {
        tracing::warn!(segment = ordinal, %error, "a segment could not be synced before reading");
    }
    if let Err(error) = file.drop_cache() {
        tracing::warn!(segment = ordinal, %error, "the page cache of a segment could not be dropped");
    }
}

impl<F: Fs> ReadSegment for SegmentFiles<F> {
    fn read(&self, ordinal: u64, offset: u32, length: usize) -> io::Result<Bytes> {
        let file = self.file(ordinal)?;
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, u64::from(offset) + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        bytes.truncate(filled);
        Ok(bytes.into())
    }
}

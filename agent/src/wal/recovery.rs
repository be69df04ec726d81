//! From a directory to the state of the log (W-13): which files are segments, which are spares, the
//! last checkpoint, and what came after it. Reads the last segment, older ones only where that has
//! no checkpoint.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use crate::fs::{File as _, Fs, OpenMode};
use crate::object::ShardId;
use crate::record::Sequence;

use super::files::{SegmentInfo, drop_unsynced};
use super::open::OpenError;
use super::scan::{Item, Scan, scan};
use super::segment::{HeaderFault, SEGMENT_HEADER_LEN, SegmentHeader, file_name, ordinal_of};
use super::state::LogState;

/// What a directory holds.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    /// The segments of the log, oldest first.
    pub segments: Vec<SegmentInfo>,
    pub state: LogState,
    /// The low-water mark of the last checkpoint.
    pub checkpointed: Sequence,
    pub life: u32,
    /// The log's last frame is a checkpoint: it need not be written again (W-7).
    pub ends_with_checkpoint: bool,
    pub in_doubt: u64,
    /// Files beyond the log that can be taken into use.
    pub spares: BTreeSet<u64>,
    /// Files of truncated segments.
    pub free: Vec<u64>,
    pub damaged: BTreeSet<u64>,
    pub problems: Vec<String>,
}

/// Reads the directory of a shard.
pub(super) fn recover<F: Fs>(
    fs: &F,
    directory: &Path,
    shard: ShardId,
    segment_bytes: u64,
) -> Result<Recovered, OpenError> {
    let (headers, others) = read_headers(fs, directory, shard)?;
    let mut recovered = Recovered {
        state: LogState::new(),
        ..Recovered::default()
    };
    let mut scans = BTreeMap::new();
    recovered.segments = chain(fs, directory, &headers, &others, &mut scans)?;
    let newest = headers.keys().next_back().copied().unwrap_or(0);
    let oldest = recovered
        .segments
        .first()
        .map_or(0, |segment| segment.ordinal);
    for ordinal in others {
        if ordinal > newest {
            keep_spare(fs, directory, ordinal, segment_bytes, &mut recovered)?;
        } else if ordinal < oldest {
            recovered.free.push(ordinal);
        }
    }
    replay(fs, directory, &mut recovered, scans)?;
    let low_water = recovered.checkpointed;
    let kept = recovered
        .segments
        .iter()
        .position(|s| s.end_sequence > low_water.0);
    let kept = kept
        .unwrap_or(recovered.segments.len())
        .min(recovered.segments.len().saturating_sub(1));
    recovered.free.extend(
        recovered
            .segments
            .drain(..kept)
            .map(|segment| segment.ordinal),
    );
    Ok(recovered)
}

type Headers = BTreeMap<u64, SegmentHeader>;

/// The headers that count, and the ordinals of all other files.
fn read_headers<F: Fs>(
    fs: &F,
    directory: &Path,
    shard: ShardId,
) -> Result<(Headers, BTreeSet<u64>), OpenError> {
    let mut headers = Headers::new();
    let mut others = BTreeSet::new();
    let names = fs
        .list(directory)
        .map_err(|e| OpenError::io("list", directory, &e))?;
    for ordinal in names.iter().filter_map(|name| ordinal_of(name.to_str()?)) {
        let path = directory.join(file_name(ordinal));
        let file = fs
            .open(&path, OpenMode::Read)
            .map_err(|e| OpenError::io("open", &path, &e))?;
        drop_unsynced(&file, ordinal);
        let mut bytes = vec![0; SEGMENT_HEADER_LEN as usize];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(OpenError::io("read", &path, &error)),
        }
        match SegmentHeader::decode(&bytes, shard, ordinal) {
            Ok(header) => {
                headers.insert(ordinal, header);
            }
            Err(HeaderFault::NotAHeader) => {
                others.insert(ordinal);
            }
            Err(HeaderFault::Newer { format, features }) => {
                let found = u64::from(format) | u64::from(features) << 16;
                let known = super::segment::FORMAT;
                return Err(OpenError::NewerFormat { path, found, known });
            }
        }
    }
    Ok((headers, others))
}

/// A spare has its full length; one that a crash left half made is removed.
fn keep_spare<F: Fs>(
    fs: &F,
    directory: &Path,
    ordinal: u64,
    segment_bytes: u64,
    recovered: &mut Recovered,
) -> Result<(), OpenError> {
    let path = directory.join(file_name(ordinal));
    let stat = fs
        .stat(&path)
        .map_err(|e| OpenError::io("look at", &path, &e))?;
    if stat.length == segment_bytes {
        recovered.spares.insert(ordinal);
        return Ok(());
    }
    fs.remove_file(&path)
        .map_err(|e| OpenError::io("remove", &path, &e))
}

/// Links the segments, newest to oldest: a header tells where its predecessor ended. Where one
/// can't be read, the segment before it is scanned for its end, and its own salt comes from its
/// successor.
fn chain<F: Fs>(
    fs: &F,
    directory: &Path,
    headers: &Headers,
    others: &BTreeSet<u64>,
    scans: &mut BTreeMap<u64, Scan>,
) -> Result<Vec<SegmentInfo>, OpenError> {
    let (Some((oldest, header)), Some(newest)) =
        (headers.iter().next(), headers.keys().next_back())
    else {
        return Ok(Vec::new());
    };
    // truncated segments are renamed away: a file under the name before the oldest is its predecessor
    let before =
        (header.predecessor.is_some() && others.contains(&(oldest - 1))).then_some(oldest - 1);
    let mut segments: Vec<SegmentInfo> = Vec::new();
    for ordinal in before.unwrap_or(*oldest)..=*newest {
        let before = segments.last().map_or(0, |segment| segment.end_sequence);
        let header = headers.get(&ordinal);
        let link = headers
            .get(&(ordinal + 1))
            .and_then(|next| next.predecessor);
        let salt = header
            .map(|header| header.salt)
            .or(link.map(|link| link.salt));
        // two headers in a row that can't be read: nothing of the first can be told
        let Some(salt) = salt else { continue };
        let first_sequence = header.map_or(before, |header| header.first_sequence);
        let begin_sequence = header
            .and_then(|header| header.predecessor)
            .map_or(before, |before| before.end_sequence);
        let mut segment = SegmentInfo {
            ordinal,
            salt,
            begin_sequence,
            first_sequence,
            end: SEGMENT_HEADER_LEN,
            end_sequence: first_sequence,
        };
        if let Some(link) = link {
            segment.end = link.end;
            segment.end_sequence = link.end_sequence;
        } else {
            let found = scan_segment(fs, directory, &segment, None)?;
            segment.end = found.end;
            segment.end_sequence = found
                .items
                .iter()
                .map(|item| match item {
                    Item::Data(sequences) | Item::Lost { sequences, .. } => sequences.end.0,
                    Item::Control(..) | Item::Checkpoint(_) => 0,
                })
                .fold(first_sequence, u64::max);
            scans.insert(ordinal, found);
        }
        segments.push(segment);
    }
    Ok(segments)
}

/// Finds the last checkpoint and takes in what follows it.
fn replay<F: Fs>(
    fs: &F,
    directory: &Path,
    recovered: &mut Recovered,
    mut scans: BTreeMap<u64, Scan>,
) -> Result<(), OpenError> {
    let mut from = recovered.segments.len();
    let has_checkpoint = |scan: &Scan| {
        scan.items
            .iter()
            .any(|item| matches!(item, Item::Checkpoint(_)))
    };
    while from > 0 {
        from -= 1;
        let Some(segment) = recovered.segments.get(from) else {
            break;
        };
        if let Entry::Vacant(vacant) = scans.entry(segment.ordinal) {
            let end = Some((segment.end, segment.end_sequence));
            vacant.insert(scan_segment(fs, directory, segment, end)?);
        }
        if scans.get(&segment.ordinal).is_some_and(has_checkpoint) {
            break;
        }
    }
    let segments: Vec<SegmentInfo> = recovered.segments.get(from..).unwrap_or_default().to_vec();
    if let Some(first) = segments.first()
        && !scans.get(&first.ordinal).is_some_and(has_checkpoint)
        && first.first_sequence > Sequence::FIRST.0
    {
        recovered.state.next_sequence = first.first_sequence;
        recovered.problems.push(
            "no checkpoint of the wal can be read: records that were delivered already appear twice"
                .to_owned(),
        );
    }
    for segment in &segments {
        let Some(found) = scans.remove(&segment.ordinal) else {
            continue;
        };
        take_in(segment, found, recovered);
    }
    Ok(())
}

fn take_in(segment: &SegmentInfo, found: Scan, recovered: &mut Recovered) {
    let state = &mut recovered.state;
    for item in found.items {
        match item {
            Item::Checkpoint(checkpoint) => {
                *state = checkpoint.state;
                recovered.checkpointed = state.low_water();
            }
            Item::Data(sequences) => state.data(sequences),
            Item::Control(control, at) => {
                if let super::control::Control::Cursor { .. } = *control {
                    state.cursors.clear();
                }
                state.control(&control, at);
            }
            Item::Lost { sequences, records } => {
                recovered.problems.push(format!(
                    "segment {} is damaged: {records} records, {} to {}, can't be read",
                    segment.ordinal,
                    sequences.start,
                    sequences.end.0 - 1
                ));
                recovered.damaged.insert(segment.ordinal);
                // they were accepted
                state.data(sequences.clone());
                state.loss(sequences, records);
            }
        }
    }
    if found.damaged_controls > 0 {
        let from = state.low_water();
        recovered.damaged.insert(segment.ordinal);
        recovered.problems.push(format!(
            "segment {}: {} control frames can't be read; up to {} records may appear twice",
            segment.ordinal,
            found.damaged_controls,
            state.next_sequence.saturating_sub(from.0)
        ));
    }
    recovered.life = found.life;
    recovered.ends_with_checkpoint = found.ends_with_checkpoint;
    recovered.in_doubt = found.in_doubt;
}

fn scan_segment<F: Fs>(
    fs: &F,
    directory: &Path,
    segment: &SegmentInfo,
    end: Option<(u32, u64)>,
) -> Result<Scan, OpenError> {
    let path = directory.join(file_name(segment.ordinal));
    let file = match fs.open(&path, OpenMode::Read) {
        Ok(file) => file,
        // a reader counts what it held as lost
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Scan::default()),
        Err(error) => return Err(OpenError::io("open", &path, &error)),
    };
    let read = || -> io::Result<Vec<u8>> {
        let length = file.length()?.saturating_sub(u64::from(SEGMENT_HEADER_LEN));
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, u64::from(SEGMENT_HEADER_LEN))?;
        Ok(bytes)
    };
    let bytes = read().map_err(|e| OpenError::io("read", &path, &e))?;
    Ok(scan(
        &bytes,
        segment.ordinal,
        segment.salt,
        segment.first_sequence,
        end,
    ))
}

//! From bytes of a segment to batches and losses (W-8, I-7). Never past the durable end, never a
//! whole backlog: about a megabyte at a time, or one frame.

use std::io;

use bytes::Bytes;

use crate::record::Sequence;

use super::control::{Control, FrameAt};
use super::files::{ReadSegment, SegmentInfo};
use super::frame::{HEADER_LEN, Header, Kind, crc32c};
use super::handle::{Read, ReadError};
use super::payload::RecordBatch;
use super::segment::{Step, Walk};

/// Bytes read ahead at once.
const READ_AHEAD: usize = 1024 * 1024;

/// Where a reader is inside one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub at: FrameAt,
    /// The sequence that the next record frame should begin with.
    pub expected: u64,
}

/// What one read gave.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub reads: Vec<Read>,
    /// Where the next read begins.
    pub offset: u32,
    pub expected: u64,
}

/// Reads on from `place`, which lies before the segment's end. `wanted` is the first sequence that
/// is of interest: batches before it are passed over by their headers.
pub(super) fn read_chunk(
    source: &dyn ReadSegment,
    segment: &SegmentInfo,
    place: Place,
    wanted: Sequence,
) -> io::Result<Chunk> {
    let (offset, end) = (place.at.offset, segment.end);
    let mut chunk = Chunk {
        reads: Vec::new(),
        offset,
        expected: place.expected,
    };
    let mut bytes = read_log(source, segment, offset, READ_AHEAD)?;
    let mut at = 0_usize;
    while chunk.offset < end {
        let header = bytes
            .get(at..)
            .and_then(|rest| Header::decode(rest, &segment.salt));
        let Some(header) = header.filter(|h| chunk.offset.saturating_add(h.frame_len()) <= end)
        else {
            if bytes.len() - at.min(bytes.len()) < HEADER_LEN && !chunk.reads.is_empty() {
                break;
            }
            if at > 0 {
                // the buffer may only end inside this header: look again from here
                bytes = read_log(source, segment, chunk.offset, READ_AHEAD)?;
                at = 0;
                if bytes.len() >= HEADER_LEN && Header::decode(&bytes, &segment.salt).is_some() {
                    continue;
                }
            }
            skip_hole(source, segment, &mut chunk)?;
            break;
        };
        let length = header.frame_len() as usize;
        if at + length > bytes.len() {
            if at > 0 && !chunk.reads.is_empty() {
                break;
            }
            if header.kind != Kind::Data || header.end_sequence() <= wanted.0 {
                // not wanted: go on behind it without reading it
                pass(&mut chunk, &header);
                bytes = read_log(source, segment, chunk.offset, READ_AHEAD)?;
                at = 0;
                continue;
            }
            bytes = read_log(source, segment, chunk.offset, length)?;
            at = 0;
            if bytes.len() < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let payload = bytes.slice(at + HEADER_LEN..at + HEADER_LEN + header.payload_len as usize);
        if header.kind == Kind::Data && header.end_sequence() > wanted.0 {
            chunk.reads.push(data(&header, &payload));
        }
        pass(&mut chunk, &header);
        at += length;
    }
    Ok(chunk)
}

fn pass(chunk: &mut Chunk, header: &Header) {
    chunk.offset += header.frame_len();
    chunk.expected = chunk.expected.max(header.end_sequence());
}

fn data(header: &Header, payload: &Bytes) -> Read {
    let first = Sequence(header.first_sequence);
    let lost = Read::Lost {
        sequences: first..first.plus(u64::from(header.count)),
        records: u64::from(header.count),
    };
    if crc32c(&[payload]) != header.payload_crc {
        return lost;
    }
    RecordBatch::from_payload(first, header.count, payload).map_or(lost, Read::Batch)
}

/// Goes over bytes in which no header can be read, to the next one or the segment's end.
fn skip_hole(source: &dyn ReadSegment, segment: &SegmentInfo, chunk: &mut Chunk) -> io::Result<()> {
    let rest = read_log(source, segment, chunk.offset, segment.end as usize)?;
    let mut walk = Walk::new(&rest, chunk.offset, segment.salt);
    let mut found = segment.end_sequence;
    chunk.offset = match walk.next() {
        Some(Step::Hole { next, .. }) if next < segment.end => {
            if let Some(Step::Frame { header, .. }) = walk.next() {
                found = header.first_sequence;
            }
            next
        }
        Some(Step::Frame { offset, .. }) => offset,
        Some(Step::Hole { .. }) | None => segment.end,
    };
    if found > chunk.expected {
        let sequences = Sequence(chunk.expected)..Sequence(found);
        chunk.reads.push(Read::Lost {
            sequences,
            records: found - chunk.expected,
        });
        chunk.expected = found;
    }
    Ok(())
}

/// Bytes of the segment's log, not past its end.
fn read_log(
    source: &dyn ReadSegment,
    segment: &SegmentInfo,
    offset: u32,
    at_most: usize,
) -> io::Result<Bytes> {
    let left = segment.end.saturating_sub(offset) as usize;
    source.read(segment.ordinal, offset, left.min(at_most))
}

/// Reads one control frame.
pub(super) fn read_control(
    source: &dyn ReadSegment,
    segment: &SegmentInfo,
    at: FrameAt,
) -> Result<Control, ReadError> {
    let io = |error: io::Error| ReadError::Io(format!("segment {}: {error}", at.segment));
    let damaged = || {
        ReadError::Damaged(format!(
            "the control frame at byte {} of segment {} can't be read; records of its batch may \
             appear twice",
            at.offset, at.segment
        ))
    };
    let head = read_log(source, segment, at.offset, HEADER_LEN).map_err(io)?;
    let header = Header::decode(&head, &segment.salt).ok_or_else(damaged)?;
    let bytes = read_log(source, segment, at.offset, header.frame_len() as usize).map_err(io)?;
    let payload = bytes
        .get(HEADER_LEN..HEADER_LEN + header.payload_len as usize)
        .filter(|payload| crc32c(&[payload]) == header.payload_crc)
        .ok_or_else(damaged)?;
    Control::decode(header.kind, payload).map_err(|_| damaged())
}

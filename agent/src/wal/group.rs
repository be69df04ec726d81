//! One group commit being put together (W-1): frames in log order, the bytes to write, and who
//! waits for it. Large payloads are written from where intake decoded them; small ones are copied
//! together, so that a write has few parts.

use std::io::{self, IoSlice};
use std::ops::Range;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::fs::File;
use crate::record::Sequence;

use super::control::{Control, FrameAt};
use super::frame::{HEADER_LEN, Header, Kind, Salt, crc32c, frame_len};
use super::handle::{AppendError, LogError};
use super::payload::{Payload, RecordBatch};

/// Parts of at least this size are written without a copy.
const BY_REFERENCE: usize = 16 * 1024;
/// Parts of one write (the kernel takes 1,024).
const PARTS_MAX: usize = 512;

/// The frames of one group.
#[derive(Debug)]
pub(super) struct Group {
    segment: u64,
    salt: Salt,
    life: u32,
    /// Where the group begins in its segment: all before it is durable.
    start: u32,
    end: u32,
    copied: Vec<u8>,
    parts: Vec<Part>,
    pub(super) members: Vec<Member>,
}

#[derive(Debug)]
enum Part {
    Copied(Range<usize>),
    Shared(Bytes),
}

/// Something in a group that has an effect once the group is durable.
#[derive(Debug)]
pub(super) enum Member {
    Data {
        batch: Option<RecordBatch>,
        sequences: Range<Sequence>,
        next: FrameAt,
        reply: oneshot::Sender<Result<Range<Sequence>, AppendError>>,
    },
    Control {
        control: Control,
        at: FrameAt,
        reply: Option<oneshot::Sender<Result<FrameAt, LogError>>>,
    },
    /// With the low-water mark that it holds.
    Checkpoint { low_water: Sequence },
}

impl Group {
    pub(super) fn new(segment: u64, salt: Salt, life: u32, start: u32) -> Self {
        Self {
            segment,
            salt,
            life,
            start,
            end: start,
            copied: Vec::new(),
            parts: Vec::new(),
            members: Vec::new(),
        }
    }

    /// Begins with the header of a new segment.
    pub(super) fn segment_header(&mut self, header: &[u8]) {
        self.copy(header);
        self.end += u32::try_from(header.len()).unwrap_or(u32::MAX);
    }

    /// Bytes of the segment after this group.
    pub(super) fn end(&self) -> u32 {
        self.end
    }

    /// Bytes to write.
    pub(super) fn byte_len(&self) -> u32 {
        self.end - self.start
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn data(
        &mut self,
        payload: &Payload,
        first: Sequence,
        reply: oneshot::Sender<Result<Range<Sequence>, AppendError>>,
    ) {
        let sequences = first..first.plus(u64::from(payload.count));
        self.header(
            Kind::Data,
            payload.byte_len(),
            payload.crc,
            first.0,
            payload.count,
        );
        self.part(&payload.head);
        self.part(&payload.bytes);
        self.pad(payload.byte_len());
        let batch =
            RecordBatch::new(first, payload.count, &payload.head, payload.bytes.clone()).ok();
        let next = FrameAt {
            segment: self.segment,
            offset: self.end,
        };
        self.members.push(Member::Data {
            batch,
            sequences,
            next,
            reply,
        });
    }

    /// `encoded` is the control's payload.
    pub(super) fn control(
        &mut self,
        control: Control,
        encoded: &[u8],
        next_sequence: u64,
        reply: Option<oneshot::Sender<Result<FrameAt, LogError>>>,
    ) {
        let at = FrameAt {
            segment: self.segment,
            offset: self.end,
        };
        self.frame(control.kind(), encoded, next_sequence);
        self.members.push(Member::Control { control, at, reply });
    }

    pub(super) fn checkpoint(&mut self, encoded: &[u8], next_sequence: u64, low_water: Sequence) {
        self.frame(Kind::Checkpoint, encoded, next_sequence);
        self.members.push(Member::Checkpoint { low_water });
    }

    fn frame(&mut self, kind: Kind, payload: &[u8], next_sequence: u64) {
        self.header(kind, payload.len(), crc32c(&[payload]), next_sequence, 0);
        self.copy(payload);
        self.pad(payload.len());
    }

    fn header(&mut self, kind: Kind, length: usize, crc: u32, first_sequence: u64, count: u32) {
        let header = Header {
            kind,
            payload_len: u32::try_from(length).unwrap_or(u32::MAX),
            first_sequence,
            count,
            life: self.life,
            durable: self.start,
            payload_crc: crc,
        };
        self.copy(&header.encode(&self.salt));
        self.end += header.frame_len();
    }

    fn pad(&mut self, payload_len: usize) {
        let padding = frame_len(payload_len) as usize - HEADER_LEN - payload_len;
        self.copy([0; 8].get(..padding).unwrap_or_default());
    }

    fn part(&mut self, bytes: &Bytes) {
        if bytes.len() < BY_REFERENCE {
            self.copy(bytes);
        } else {
            self.parts.push(Part::Shared(bytes.clone()));
        }
    }

    fn copy(&mut self, bytes: &[u8]) {
        let start = self.copied.len();
        self.copied.extend_from_slice(bytes);
        let end = self.copied.len();
        match self.parts.last_mut() {
            Some(Part::Copied(range)) => range.end = end,
            _ => self.parts.push(Part::Copied(start..end)),
        }
    }

    /// Writes the group and makes it durable: one sync, whose answer is the group's.
    pub(super) fn commit(&self, file: &impl File) -> io::Result<()> {
        let mut offset = u64::from(self.start);
        for parts in self.parts.chunks(PARTS_MAX) {
            let mut slices: Vec<IoSlice<'_>> = parts
                .iter()
                .map(|part| match part {
                    Part::Copied(range) => {
                        IoSlice::new(self.copied.get(range.clone()).unwrap_or_default())
                    }
                    Part::Shared(bytes) => IoSlice::new(bytes),
                })
                .collect();
            let length: usize = slices.iter().map(|slice| slice.len()).sum();
            file.write_all_at(&mut slices, offset)?;
            offset += length as u64;
        }
        file.sync_data()
    }

    /// Tells everyone who waits that the group failed.
    pub(super) fn fail(self, why: &str) {
        for member in self.members {
            // whoever no longer waits needs no answer
            match member {
                Member::Data { reply, .. } => {
                    reply.send(Err(AppendError::Failed(why.to_owned()))).ok();
                }
                Member::Control {
                    reply: Some(reply), ..
                } => {
                    reply.send(Err(LogError::Failed(why.to_owned()))).ok();
                }
                Member::Control { reply: None, .. } | Member::Checkpoint { .. } => {}
            }
        }
    }
}

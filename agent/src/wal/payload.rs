//! The payload of a DATA frame: one producer batch (W-1).
//!
//! ```text
//! tags_len u32 | tags | count × length u32 | record bytes, contiguous          (little endian)
//! tag: number u16 | length u32 | value
//!   1 arrival      i64, milliseconds since the epoch; always there
//!   2 producer     UTF-8, what the producer calls itself; never authentication
//!   3 traceparent  UTF-8
//!   4 token        the producer's de-duplication token
//!   64 and more    record attributes, one column each (key, headers, position)
//! ```
//! Unknown tags are kept and passed over. The record count stands in the frame's header.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use crate::record::{Record, Sequence, UnixMillis};

const TAG_ARRIVAL: u16 = 1;
const TAG_PRODUCER: u16 = 2;

/// A batch that is being received: intake decodes each record straight into it.
#[derive(Default)]
pub struct FrameBuf {
    lengths: Vec<u8>,
    bytes: Vec<u8>,
    count: u32,
}

impl fmt::Debug for FrameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FrameBuf({} records, {} bytes)",
            self.count,
            self.bytes.len()
        )
    }
}

impl FrameBuf {
    /// Takes memory for about `bytes` of records at once.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            lengths: Vec::with_capacity(512 * 4),
            bytes: Vec::with_capacity(bytes),
            count: 0,
        }
    }

    /// Appends one record.
    pub fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.end_record(record.len());
    }

    /// Appends one record that `write` decodes onto the end of the vector; `write` must only
    /// append. After an error the batch is as it was. Returns the record's length.
    pub fn push_with<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<usize, E> {
        let start = self.bytes.len();
        if let Err(e) = write(&mut self.bytes) {
            self.bytes.truncate(start);
            return Err(e);
        }
        let length = self.bytes.len().saturating_sub(start);
        self.end_record(length);
        Ok(length)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "request limits are far below 4 GiB"
    )]
    fn end_record(&mut self, length: usize) {
        self.lengths
            .extend_from_slice(&(length as u32).to_le_bytes());
        self.count += 1;
    }

    /// Records so far.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of records so far.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Ends the batch: its payload and the payload's checksum, computed here on the intake's thread.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "producer names are capped by intake"
    )]
    pub fn finish(self, arrival: UnixMillis, producer: Option<&str>) -> Payload {
        let mut head = Vec::with_capacity(64 + self.lengths.len());
        head.extend_from_slice(&[0; 4]);
        let mut tag = |number: u16, value: &[u8]| {
            head.extend_from_slice(&number.to_le_bytes());
            head.extend_from_slice(&(value.len() as u32).to_le_bytes());
            head.extend_from_slice(value);
        };
        tag(TAG_ARRIVAL, &arrival.0.to_le_bytes());
        if let Some(producer) = producer {
            tag(TAG_PRODUCER, producer.as_bytes());
        }
        let tags_len = (head.len() - 4) as u32;
        for (to, from) in head.iter_mut().zip(tags_len.to_le_bytes()) {
            *to = from;
        }
        head.extend_from_slice(&self.lengths);
        let mut crc = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
        crc.update(&head);
        crc.update(&self.bytes);
        Payload {
            head: head.into(),
            bytes: self.bytes.into(),
            count: self.count,
            crc: crc.finalize() as u32,
        }
    }
}

/// A finished batch on its way to the writer, shared by reference with the tail.
#[derive(Clone)]
pub struct Payload {
    pub(super) head: Bytes,
    pub(super) bytes: Bytes,
    pub(super) count: u32,
    pub(super) crc: u32,
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Payload({} records, {} bytes)",
            self.count,
            self.bytes.len()
        )
    }
}

impl Payload {
    /// Bytes that it takes in its frame.
    pub fn byte_len(&self) -> usize {
        self.head.len() + self.bytes.len()
    }

    pub fn count(&self) -> u32 {
        self.count
    }
}

/// One durable producer batch as a cursor reads it. Cheap to clone.
#[derive(Clone)]
pub struct RecordBatch {
    first: Sequence,
    count: u32,
    arrival: UnixMillis,
    lengths: Bytes,
    bytes: Bytes,
}

impl fmt::Debug for RecordBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordBatch({} records from {})", self.count, self.first)
    }
}

/// Why a payload whose checksum is right is no batch: a bug or a newer format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload of the DATA frame at sequence {0} is malformed")]
pub struct MalformedPayload(pub Sequence);

impl RecordBatch {
    /// Wraps the two parts of a payload, checking that the lengths add up.
    pub fn new(
        first: Sequence,
        count: u32,
        head: &Bytes,
        bytes: Bytes,
    ) -> Result<Self, MalformedPayload> {
        let malformed = MalformedPayload(first);
        let tags_len = read_u32(head, 0).ok_or(malformed)? as usize;
        let tags = head.get(4..4 + tags_len).ok_or(malformed)?;
        let lengths_len = count as usize * 4;
        if head.len() != 4 + tags_len + lengths_len {
            return Err(malformed);
        }
        let arrival = find_tag(tags, TAG_ARRIVAL)
            .and_then(|value| value.try_into().ok())
            .map(|value| UnixMillis(i64::from_le_bytes(value)))
            .ok_or(malformed)?;
        let lengths = head.slice(4 + tags_len..);
        let total: u64 = lengths_of(&lengths).map(|length| length as u64).sum();
        if total != bytes.len() as u64 {
            return Err(malformed);
        }
        Ok(Self {
            first,
            count,
            arrival,
            lengths,
            bytes,
        })
    }

    /// Splits a payload read from disk and wraps it.
    pub fn from_payload(
        first: Sequence,
        count: u32,
        payload: &Bytes,
    ) -> Result<Self, MalformedPayload> {
        let malformed = MalformedPayload(first);
        let tags_len = read_u32(payload, 0).ok_or(malformed)? as usize;
        let head_len = 4 + tags_len + count as usize * 4;
        if head_len > payload.len() {
            return Err(malformed);
        }
        Self::new(
            first,
            count,
            &payload.slice(..head_len),
            payload.slice(head_len..),
        )
    }

    pub fn count(&self) -> u32 {
        self.count
    }

    pub fn arrival(&self) -> UnixMillis {
        self.arrival
    }

    /// The sequences of its records.
    pub fn sequences(&self) -> Range<Sequence> {
        self.first..self.first.plus(u64::from(self.count))
    }

    /// Bytes of its records.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Its records, in order.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> + '_ {
        let (arrival, first) = (self.arrival, self.first);
        let mut rest: &[u8] = &self.bytes;
        lengths_of(&self.lengths)
            .zip(0_u64..)
            .map(move |(length, index)| {
                // `new` checked that the lengths add up
                let (bytes, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                rest = after;
                Record {
                    sequence: first.plus(index),
                    arrival,
                    bytes,
                }
            })
    }
}

fn lengths_of(lengths: &[u8]) -> impl Iterator<Item = usize> + '_ {
    lengths
        .chunks_exact(4)
        .filter_map(|four| four.try_into().ok())
        .map(|four| u32::from_le_bytes(four) as usize)
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn find_tag(mut tags: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let number = u16::from_le_bytes(tags.get(..2)?.try_into().ok()?);
        let length = read_u32(tags, 2)? as usize;
        let value = tags.get(6..6 + length)?;
        if number == wanted {
            return Some(value);
        }
        tags = tags.get(6 + length..)?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_batch_comes_back_as_it_was(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20), producer in prop::option::of("[a-z]{0,9}")) {
            let mut buf = FrameBuf::default();
            for record in &records {
                buf.push(record);
            }
            let payload = buf.finish(UnixMillis(-7), producer.as_deref());
            let whole: Bytes = [&payload.head[..], &payload.bytes[..]].concat().into();
            prop_assert_eq!(u64::from(payload.crc), crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &whole));
            let batch = RecordBatch::from_payload(Sequence(9), payload.count, &whole).unwrap();
            prop_assert_eq!(batch.arrival(), UnixMillis(-7));
            let back: Vec<_> = batch.records().map(|r| r.bytes.to_vec()).collect();
            prop_assert_eq!(back, records);
            prop_assert!(batch.records().map(|r| r.sequence.0).eq(9..9 + u64::from(payload.count)));
        }

        #[test]
        fn any_bytes_are_a_batch_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64), count in 0_u32..5) {
            let _batch = RecordBatch::from_payload(Sequence(1), count, &bytes.into());
        }
    }

    #[test]
    fn a_failed_record_leaves_the_batch_as_it_was() {
        let mut buf = FrameBuf::default();
        buf.push(b"a");
        let failed = buf.push_with(|bytes| {
            bytes.extend_from_slice(b"half");
            Err("no")
        });
        assert_eq!((failed, buf.count(), buf.byte_len()), (Err("no"), 1, 1));
    }
}

//! One segment file: its name, its header (W-6), and the walk over its frames.
//!
//! A segment's name is its ordinal, 20 digits and `.wal`. Its first two sectors of 512 bytes each hold
//! the header, twice; a segment counts only if name and one of them agree, else it is a spare (W-14).
//!
//! ```text
//!   0 magic "SPWALSEG" | 8 format u16 = 1 | 10 zero u16 | 12 feature bits u32 = 0   (little endian)
//!  16 shard 16 | 32 ordinal u64 | 40 salt 16 | 56 key id 16 (zero: not encrypted)
//!  72 first sequence u64
//!  80 predecessor's salt 16 | 96 predecessor's end, bytes u32 | 100 zero u32
//! 104 sequence at the predecessor's end u64
//! 508 CRC32C of bytes 0..508
//! ```
//! The predecessor's end was durable when this header was written; frames beyond it are never read.
//! Its salt stands here too, so that headers that are damaged both cost no frame.

use uuid::Uuid;

use crate::object::ShardId;

use super::codec::{Malformed, Put, Take};
use super::frame::{HEADER_LEN, Header, Salt, crc32c};

/// Bytes of both headers: where the first frame lies.
pub const SEGMENT_HEADER_LEN: u32 = 1024;
/// Bytes of one header: a sector, which is old or new, never mixed.
const COPY_LEN: usize = 512;
/// The format that this release writes and reads (W-16).
pub const FORMAT: u16 = 1;

const MAGIC: &[u8; 8] = b"SPWALSEG";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    pub shard: ShardId,
    pub ordinal: u64,
    pub salt: Salt,
    pub first_sequence: u64,
    /// None for the first segment of a shard.
    pub predecessor: Option<Predecessor>,
}

/// Where the log left the segment before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Predecessor {
    pub salt: Salt,
    pub end: u32,
    pub end_sequence: u64,
}

/// Why a segment's header is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// Never written, or damaged.
    NotAHeader,
    /// Of a release that writes a format which this one doesn't read.
    Newer { format: u16, features: u32 },
}

impl SegmentHeader {
    pub fn encode(&self) -> Vec<u8> {
        let mut put = Put(Vec::with_capacity(SEGMENT_HEADER_LEN as usize));
        put.raw(MAGIC);
        put.u16(FORMAT);
        put.u16(0);
        put.u32(0);
        put.raw(self.shard.0.as_bytes());
        put.u64(self.ordinal);
        put.raw(&self.salt);
        put.raw(&[0; 16]);
        put.u64(self.first_sequence);
        let before = self.predecessor.unwrap_or(Predecessor {
            salt: [0; 16],
            end: 0,
            end_sequence: 0,
        });
        put.raw(&before.salt);
        put.u32(before.end);
        put.u32(0);
        put.u64(before.end_sequence);
        put.0.resize(COPY_LEN - 4, 0);
        let crc = crc32c(&[&put.0]);
        put.u32(crc);
        put.0.extend_from_within(..);
        put.0
    }

    /// Reads the header of the segment with this ordinal from whichever copy has it.
    pub fn decode(bytes: &[u8], shard: ShardId, ordinal: u64) -> Result<Self, HeaderFault> {
        let mut fault = HeaderFault::NotAHeader;
        for copy in bytes.chunks(COPY_LEN).take(2) {
            match Self::decode_copy(copy) {
                Ok(header) if header.ordinal == ordinal && header.shard == shard => {
                    return Ok(header);
                }
                Ok(_) | Err(HeaderFault::NotAHeader) => {}
                Err(newer) => fault = newer,
            }
        }
        Err(fault)
    }

    fn decode_copy(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let fields = bytes.get(..COPY_LEN).ok_or(HeaderFault::NotAHeader)?;
        let (fields, crc) = fields
            .split_at_checked(fields.len() - 4)
            .ok_or(HeaderFault::NotAHeader)?;
        if crc != crc32c(&[fields]).to_le_bytes() {
            return Err(HeaderFault::NotAHeader);
        }
        Self::fields(Take::new(fields, "segment header")).map_err(|_| HeaderFault::NotAHeader)?
    }

    fn fields(mut take: Take<'_>) -> Result<Result<Self, HeaderFault>, Malformed> {
        if take.array::<8>()? != *MAGIC {
            return Err(take.malformed());
        }
        let format = take.u16()?;
        take.u16()?;
        let features = take.u32()?;
        if format != FORMAT || features != 0 {
            return Ok(Err(HeaderFault::Newer { format, features }));
        }
        let shard = ShardId(Uuid::from_bytes(take.array()?));
        let ordinal = take.u64()?;
        let salt = take.array()?;
        take.array::<16>()?;
        let first_sequence = take.u64()?;
        let before_salt = take.array()?;
        let end = take.u32()?;
        take.u32()?;
        let end_sequence = take.u64()?;
        let predecessor = (end != 0).then_some(Predecessor {
            salt: before_salt,
            end,
            end_sequence,
        });
        Ok(Ok(Self {
            shard,
            ordinal,
            salt,
            first_sequence,
            predecessor,
        }))
    }
}

/// The file name of a segment.
pub fn file_name(ordinal: u64) -> String {
    format!("{ordinal:020}.wal")
}

/// The ordinal in a segment's file name.
pub fn ordinal_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

/// What lies at one place of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A frame whose header is right; `sound` if its payload is as well.
    Frame {
        header: Header,
        offset: u32,
        sound: bool,
    },
    /// No header can be read from `offset` to `next`, where one can, or the walk ends.
    Hole { offset: u32, next: u32 },
}

/// Walks the frames in `bytes`, which hold a segment from offset `base` up to where its log ends.
/// A header that can't be read leads to a hole up to the next one that can (W-15).
#[derive(Debug)]
pub struct Walk<'a> {
    bytes: &'a [u8],
    base: u32,
    at: usize,
    salt: Salt,
}

impl<'a> Walk<'a> {
    pub fn new(bytes: &'a [u8], base: u32, salt: Salt) -> Self {
        Self {
            bytes,
            base,
            at: 0,
            salt,
        }
    }

    /// Bytes from the segment's start to the next step.
    pub fn offset(&self) -> u32 {
        self.base + u32::try_from(self.at).unwrap_or(u32::MAX)
    }

    /// The payload of a frame that this walk gave.
    pub fn payload(&self, offset: u32, header: &Header) -> &'a [u8] {
        let start = (offset - self.base) as usize + HEADER_LEN;
        self.bytes
            .get(start..start + header.payload_len as usize)
            .unwrap_or_default()
    }

    fn header_at(&self, at: usize) -> Option<Header> {
        let header = Header::decode(self.bytes.get(at..)?, &self.salt)?;
        (at + header.frame_len() as usize <= self.bytes.len()).then_some(header)
    }
}

impl Iterator for Walk<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let offset = self.offset();
        if let Some(header) = self.header_at(self.at) {
            self.at += header.frame_len() as usize;
            let sound = crc32c(&[self.payload(offset, &header)]) == header.payload_crc;
            return Some(Step::Frame {
                header,
                offset,
                sound,
            });
        }
        while self.at < self.bytes.len() && self.header_at(self.at).is_none() {
            self.at += 8;
        }
        self.at = self.at.min(self.bytes.len());
        Some(Step::Hole {
            offset,
            next: self.offset(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            shard: ShardId(Uuid::from_u128(1)),
            ordinal: 7,
            salt: [9; 16],
            first_sequence: 100,
            predecessor: Some(Predecessor {
                salt: [8; 16],
                end: 4096,
                end_sequence: 99,
            }),
        }
    }

    fn decode(bytes: &[u8]) -> Result<SegmentHeader, HeaderFault> {
        SegmentHeader::decode(bytes, header().shard, 7)
    }

    #[test]
    fn a_header_comes_back_whichever_copy_is_damaged() {
        let bytes = header().encode();
        assert_eq!(bytes.len(), SEGMENT_HEADER_LEN as usize);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bad), Ok(header()), "bit {bit}");
            bad[(bit / 8 + COPY_LEN) % (2 * COPY_LEN)] ^= 1;
            assert_eq!(decode(&bad), Err(HeaderFault::NotAHeader), "bit {bit}");
        }
    }

    #[test]
    fn another_segments_header_does_not_count() {
        let bytes = header().encode();
        assert!(SegmentHeader::decode(&bytes, header().shard, 8).is_err());
        assert!(SegmentHeader::decode(&bytes, ShardId(Uuid::from_u128(2)), 7).is_err());
    }

    #[test]
    fn a_newer_format_is_named() {
        let mut bytes = header().encode();
        bytes.truncate(COPY_LEN - 4);
        bytes[8] = 2;
        let crc = crc32c(&[&bytes]);
        bytes.extend(crc.to_le_bytes());
        assert_eq!(
            decode(&bytes),
            Err(HeaderFault::Newer {
                format: 2,
                features: 0
            })
        );
    }

    #[expect(clippy::format_collect, reason = "hex of a golden test")]
    #[test]
    fn the_bytes_of_a_header_stay_as_they_are() {
        let bytes = header().encode();
        let hex: String = bytes[..112].iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "535057414c53454701000000000000000000000000000000000000000000000107000000000000\
             0009090909090909090909090909090909000000000000000000000000000000006400000000000000\
             08080808080808080808080808080808001000000000000063000000000000\
             00",
            "a changed header needs a new format"
        );
    }

    #[test]
    fn names_are_ordinals() {
        assert_eq!(ordinal_of(&file_name(12)), Some(12));
        assert_eq!(ordinal_of("12.wal"), None);
        assert_eq!(ordinal_of("lock"), None);
    }
}

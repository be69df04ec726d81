//! One frame of the log (W-1, W-5): a header with a checksum of its own, a payload, zeros up to a
//! multiple of 8.
//!
//! ```text
//!  0 magic u16 = 0x5053        | 2 kind u8 | 3 zero u8 | 4 payload length u32        (little endian)
//!  8 first sequence u64          DATA: of its first record; others: of the next record
//! 16 record count u32            0 but for DATA
//! 20 life u32                    drawn when the wal was opened; see below
//! 24 durable u32                 bytes of this segment that were durable when this was written
//! 28 CRC32C of the payload u32
//! 32 zero u32
//! 36 CRC32C of the segment's salt and bytes 0..36 u32
//! ```
//! The salt keeps frames of a recycled segment's earlier use from parsing. `life` keeps what an
//! earlier process wrote but never synced, beyond the end that a later one found, out of the chain:
//! a frame counts only under the life of the frame before it, or when it is a CHECKPOINT, which
//! begins a life. `durable` proves afterwards what had been synced (W-15).

use super::codec::{Put, Take};

/// Bytes of a header.
pub const HEADER_LEN: usize = 40;
/// The longest payload: an intake request is 6 MiB at most, a checkpoint must fit as well.
pub const PAYLOAD_MAX: u32 = 14 * 1024 * 1024;

const MAGIC: u16 = 0x5053;

/// Bytes that authenticate the frames of one use of a segment.
pub type Salt = [u8; 16];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Data = 1,
    Cursor = 2,
    Version = 3,
    Upload = 4,
    Seal = 5,
    Reseal = 6,
    Done = 7,
    GiveUp = 8,
    Loss = 9,
    Checkpoint = 10,
}

impl Kind {
    fn from_u8(byte: u8) -> Option<Self> {
        [
            Self::Data,
            Self::Cursor,
            Self::Version,
            Self::Upload,
            Self::Seal,
            Self::Reseal,
            Self::Done,
            Self::GiveUp,
            Self::Loss,
            Self::Checkpoint,
        ]
        .into_iter()
        .find(|&kind| kind as u8 == byte)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: Kind,
    pub payload_len: u32,
    pub first_sequence: u64,
    pub count: u32,
    pub life: u32,
    pub durable: u32,
    pub payload_crc: u32,
}

impl Header {
    pub fn encode(&self, salt: &Salt) -> [u8; HEADER_LEN] {
        let mut put = Put(Vec::with_capacity(HEADER_LEN));
        put.u16(MAGIC);
        put.u8(self.kind as u8);
        put.u8(0);
        put.u32(self.payload_len);
        put.u64(self.first_sequence);
        put.u32(self.count);
        put.u32(self.life);
        put.u32(self.durable);
        put.u32(self.payload_crc);
        put.u32(0);
        let crc = header_crc(salt, &put.0);
        put.u32(crc);
        let mut header = [0; HEADER_LEN];
        header.copy_from_slice(&put.0);
        header
    }

    /// Reads a header from the front of `bytes`; none if it is not one under this salt.
    pub fn decode(bytes: &[u8], salt: &Salt) -> Option<Self> {
        let bytes = bytes.get(..HEADER_LEN)?;
        let (fields, crc) = bytes.split_at_checked(HEADER_LEN - 4)?;
        let mut take = Take::new(fields, "frame header");
        // the cheap test first: a scan for the next frame comes here at every eighth byte
        if take.u16().ok()? != MAGIC
            || u32::from_le_bytes(crc.try_into().ok()?) != header_crc(salt, fields)
        {
            return None;
        }
        let kind = Kind::from_u8(take.u8().ok()?)?;
        take.u8().ok()?;
        let header = Self {
            kind,
            payload_len: take.u32().ok()?,
            first_sequence: take.u64().ok()?,
            count: take.u32().ok()?,
            life: take.u32().ok()?,
            durable: take.u32().ok()?,
            payload_crc: take.u32().ok()?,
        };
        (header.payload_len <= PAYLOAD_MAX).then_some(header)
    }

    /// Bytes of the whole frame.
    pub fn frame_len(&self) -> u32 {
        frame_len(self.payload_len as usize)
    }

    /// One past the frame's last sequence.
    pub fn end_sequence(&self) -> u64 {
        self.first_sequence.saturating_add(u64::from(self.count))
    }
}

/// Bytes that a frame with such a payload takes.
pub fn frame_len(payload_len: usize) -> u32 {
    u32::try_from((HEADER_LEN + payload_len).next_multiple_of(8)).unwrap_or(u32::MAX)
}

/// CRC32C of parts that follow each other.
pub fn crc32c(parts: &[&[u8]]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    for part in parts {
        digest.update(part);
    }
    u32::try_from(digest.finalize()).unwrap_or(u32::MAX)
}

fn header_crc(salt: &Salt, fields: &[u8]) -> u32 {
    crc32c(&[salt, fields])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> Header {
        Header {
            kind: Kind::Seal,
            payload_len: 77,
            first_sequence: 1 << 40,
            count: 3,
            life: 5,
            durable: 512,
            payload_crc: 9,
        }
    }

    #[expect(clippy::format_collect, reason = "hex of a golden test")]
    #[test]
    fn the_bytes_of_a_header_stay_as_they_are() {
        let hex: String = header()
            .encode(&[7; 16])
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(
            hex, "535005004d00000000000000000100000300000005000000000200000900000000000000b5d95df7",
            "a changed header needs a new segment format"
        );
    }

    proptest! {
        #[test]
        fn no_flipped_bit_passes(bit in 0..HEADER_LEN * 8) {
            let mut bytes = header().encode(&[7; 16]);
            prop_assert_eq!(Header::decode(&bytes, &[7; 16]), Some(header()));
            prop_assert_eq!(Header::decode(&bytes, &[8; 16]), None);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Header::decode(&bytes, &[7; 16]), None);
        }
    }
}

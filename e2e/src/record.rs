//! Records that can be told apart: each carries its lane (the life of one connection) and its
//! number in it, so that a delivered line says by itself where it belongs.

use anyhow::{Context as _, Result};
use rand::RngExt as _;
use rand::rngs::StdRng;
use sha2::{Digest as _, Sha256};

/// Letters to cut fillings from; longer than the longest record of a test.
const STOCK_BYTES: usize = 2 * 1024 * 1024;

/// Whose a record is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    pub lane: String,
    pub number: u64,
}

impl Tag {
    /// Reads the tag of a record that [`Maker::make`] made; the rest is the hash's business.
    ///
    /// # Errors
    /// The bytes don't begin like one.
    pub fn of(record: &[u8]) -> Result<Self> {
        let head = record.get(..record.len().min(200)).unwrap_or_default();
        let head = String::from_utf8_lossy(head);
        let read = || {
            let (lane, rest) = head
                .strip_prefix(r#"{"lane":""#)?
                .split_once(r#"","number":"#)?;
            let (number, _) = rest.split_once(',')?;
            Some(Self {
                lane: lane.to_owned(),
                number: number.parse().ok()?,
            })
        };
        read().with_context(|| format!("no record of the kit: {head}"))
    }
}

/// Makes records with fillings that gzip can't fold away.
#[derive(Debug)]
pub struct Maker {
    stock: Vec<u8>,
}

impl Maker {
    /// Draws the stock of letters.
    pub fn new(random: &mut StdRng) -> Self {
        let stock = (0..STOCK_BYTES)
            .map(|_| random.random_range(b'a'..=b'z'))
            .collect();
        Self { stock }
    }

    /// A record of about `bytes` bytes: one JSON text without a newline.
    pub fn make(&self, random: &mut StdRng, tag: &Tag, bytes: usize) -> Vec<u8> {
        let head = format!(
            r#"{{"lane":"{}","number":{},"filling":""#,
            tag.lane, tag.number
        );
        let length = bytes.saturating_sub(head.len() + 2);
        let start = random.random_range(0..=self.stock.len().saturating_sub(length));
        let filling = self.stock.iter().skip(start).take(length);
        let mut record = head.into_bytes();
        record.extend(filling);
        record.extend_from_slice(br#""}"#);
        record
    }
}

/// The first 16 bytes of the SHA-256 in hex: enough to see any damage.
pub fn hash(record: &[u8]) -> String {
    let bytes: Vec<String> = Sha256::digest(record)
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    bytes.concat()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_record_names_its_lane_and_number_and_is_one_json_text() {
        let mut random = StdRng::seed_from_u64(1);
        let maker = Maker::new(&mut random);
        let tag = Tag {
            lane: "p0.3".to_owned(),
            number: 17,
        };
        let record = maker.make(&mut random, &tag, 500);
        assert_eq!(record.len(), 500);
        assert_eq!(Tag::of(&record).unwrap(), tag);
        serde_json::from_slice::<serde_json::Value>(&record).unwrap();
        assert!(Tag::of(b"{\"id\":1}").is_err());
    }
}

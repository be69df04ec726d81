//! Records that can be told apart: each carries its lane (the life of one connection) and its
//! number in it, so that a delivered line says by itself where it belongs.

use rand::RngExt as _;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What a delivered line says of itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag {
    pub lane: String,
    pub number: u64,
}

/// A record of about `bytes` bytes: one JSON text without a newline.
pub fn make(random: &mut StdRng, lane: &str, number: u64, bytes: usize) -> Vec<u8> {
    let mut record = format!(r#"{{"lane":"{lane}","number":{number},"filling":""#);
    while record.len() + 2 < bytes {
        record.push(char::from(random.random_range(b'a'..=b'z')));
    }
    record.push_str(r#""}"#);
    record.into_bytes()
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

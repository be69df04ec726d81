//! What an object is called: pure (D-1).
//!
//! `<prefix><streamName>-<generation>-<yyyy-MM-dd-HH-mm-ss>-<uuid><extension>`, Firehose's form.
//! The prefix is evaluated at the arrival of the batch's first record, as the time stamp of the name
//! is; the UUID is the batch's (re-seals have another, D-9.5), so the same batch at the same place
//! has one key for ever (I-3).

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use crate::format::Compression;
use crate::object::{BatchId, Place};
use crate::record::UnixMillis;

/// What the expressions of a prefix may use.
#[derive(Clone, Copy, Debug)]
pub struct PrefixValues<'a> {
    /// `timestamp`: the arrival of the batch's first record, in `time_zone`.
    pub arrival: UnixMillis,
    pub time_zone: &'a TimeZone,
    /// `firehose:random-string` derives from it: [`random_string`].
    pub batch: BatchId,
    /// `firehose:error-output-type`, in the error output only.
    pub error_output_type: Option<&'a str>,
}

/// The part of a name that one version fixes for all of its batches.
#[derive(Clone, Copy, Debug)]
pub struct Naming<'a> {
    /// The bucket or the directory.
    pub root: &'a str,
    pub stream_name: &'a str,
    pub generation: u64,
    /// Replaces the default extension wholly where it is given, the empty text included.
    pub file_extension: Option<&'a str>,
    pub compression: Compression,
}

/// Why a batch has no key; it stays where it is until the spec is mended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the prefix can't be evaluated: {0}")]
    Prefix(String),
    #[error(
        "the arrival {0} ms is outside of the years 0 to 9999, so the object has no time stamp"
    )]
    Arrival(i64),
}

/// Where a batch goes. `prefix` evaluates the template of the spec.
pub fn place(
    naming: &Naming<'_>,
    values: &PrefixValues<'_>,
    prefix: &dyn Fn(&PrefixValues<'_>) -> Result<String, String>,
) -> Result<Place, KeyError> {
    let prefix = prefix(values).map_err(KeyError::Prefix)?;
    let stamp = time_stamp(values.arrival, values.time_zone)?;
    let extension = naming
        .file_extension
        .unwrap_or(naming.compression.default_extension());
    let key = format!(
        "{prefix}{}-{}-{stamp}-{}{extension}",
        naming.stream_name, naming.generation, values.batch
    );
    Ok(Place {
        root: naming.root.to_owned(),
        key,
    })
}

fn time_stamp(arrival: UnixMillis, time_zone: &TimeZone) -> Result<String, KeyError> {
    let outside = || KeyError::Arrival(arrival.0);
    let at = Timestamp::from_millisecond(arrival.0).map_err(|_| outside())?;
    let at = time_zone.to_datetime(at);
    if at.year() < 0 {
        return Err(outside());
    }
    Ok(format!(
        "{:04}-{:02}-{:02}-{:02}-{:02}-{:02}",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    ))
}

/// The value of the `use_index`th `!{firehose:random-string}` of a template, from 0: 11 lower-case
/// hexadecimal characters of SHA-256 over `standpipe random 1`, the batch's UUID (16) and the index
/// (4, little endian). Random enough to spread keys, and the same whenever the key is made.
pub fn random_string(batch: BatchId, use_index: u32) -> String {
    let mut hash = Sha256::new();
    hash.update(b"standpipe random 1");
    hash.update(batch.0.as_bytes());
    hash.update(use_index.to_le_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .take(11)
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;
    use crate::object::{BatchIdentity, CursorId, Incarnation, Partition, ShardId};
    use crate::record::Sequence;

    fn identity() -> BatchIdentity {
        BatchIdentity {
            shard: ShardId(Uuid::from_u128(1)),
            incarnation: Incarnation(2),
            cursor: CursorId(3),
            partition: Partition::Data,
            first_sequence: Sequence(4),
        }
    }

    const NAMING: Naming<'_> = Naming {
        root: "/data",
        stream_name: "orders",
        generation: 3,
        file_extension: None,
        compression: Compression::Gzip { level: 6 },
    };

    #[expect(clippy::unnecessary_wraps, reason = "the form that `place` takes")]
    fn prefix(values: &PrefixValues<'_>) -> Result<String, String> {
        Ok(format!(
            "in/{}/{}/",
            values.error_output_type.unwrap_or("data"),
            random_string(values.batch, 0)
        ))
    }

    fn key(naming: &Naming<'_>, time_zone: &str, reseal: u32) -> String {
        let time_zone = TimeZone::get(time_zone).unwrap();
        let values = PrefixValues {
            arrival: UnixMillis(1_795_076_122_999),
            time_zone: &time_zone,
            batch: identity().id(reseal),
            error_output_type: None,
        };
        let place = place(naming, &values, &prefix).unwrap();
        assert_eq!(place.root, "/data");
        place.key
    }

    /// D-1: names are for ever; a change here moves objects that are sealed already.
    #[test]
    fn golden_keys() {
        let none = Naming {
            compression: Compression::None,
            ..NAMING
        };
        let named = Naming {
            file_extension: Some(".json.gz"),
            ..NAMING
        };
        let bare = Naming {
            file_extension: Some(""),
            ..NAMING
        };
        let keys = [
            key(&NAMING, "UTC", 0),
            key(&NAMING, "Asia/Tokyo", 0),
            key(&NAMING, "UTC", 1),
            key(&none, "UTC", 0),
            key(&named, "UTC", 0),
            key(&bare, "UTC", 0),
        ];
        assert_eq!(keys.join("\n") + "\n", include_str!("key/golden.txt"));
    }

    #[test]
    fn the_error_output_type_reaches_the_prefix() {
        let values = PrefixValues {
            arrival: UnixMillis(0),
            time_zone: &TimeZone::UTC,
            batch: identity().id(0),
            error_output_type: Some("format-conversion-failed"),
        };
        let place = place(&NAMING, &values, &prefix).unwrap();
        assert!(
            place.key.starts_with("in/format-conversion-failed/"),
            "{}",
            place.key
        );
        assert!(place.key.contains("/orders-3-1970-01-01-00-00-00-"));
    }

    #[test]
    fn a_batch_without_a_key_says_why() {
        let utc = TimeZone::UTC;
        let values = |arrival| PrefixValues {
            arrival: UnixMillis(arrival),
            time_zone: &utc,
            batch: identity().id(0),
            error_output_type: None,
        };
        for arrival in [i64::MAX, i64::MIN, -70_000_000_000_000] {
            assert_eq!(
                place(&NAMING, &values(arrival), &prefix),
                Err(KeyError::Arrival(arrival))
            );
        }
        assert_eq!(
            place(&NAMING, &values(0), &|_| Err("no".into())),
            Err(KeyError::Prefix("no".into()))
        );
    }

    #[test]
    fn each_use_of_the_random_string_differs_and_is_stable() {
        let strings: BTreeSet<String> = (0..1000)
            .map(|index| random_string(identity().id(0), index))
            .collect();
        assert_eq!(strings.len(), 1000);
        assert!(strings.iter().all(|s| s.len() == 11
            && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))));
        assert_ne!(
            random_string(identity().id(0), 0),
            random_string(identity().id(1), 0)
        );
    }
}

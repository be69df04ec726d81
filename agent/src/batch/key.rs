//! What an object is called: pure (D-1).
//!
//! `<prefix><streamName>-<generation>-<yyyy-MM-dd-HH-mm-ss>-<uuid><extension>`, Firehose's form.
//! The prefix is evaluated at the arrival of the batch's first record, as the time stamp of the name
//! is; the UUID is the batch's (re-seals have another, D-9.5), so the same batch at the same place
//! has one key for ever (I-3).

use crds::prefix::{EvaluateError, Template, TimeZone, Values};

use crate::format::ErrorType;
use crate::object::BatchId;
use crate::record::UnixMillis;

/// All that goes into a key.
#[derive(Clone, Copy, Debug)]
pub struct KeyParts<'a> {
    pub prefix: &'a Template,
    pub time_zone: &'a TimeZone,
    pub stream_name: &'a str,
    /// The one under which the batch was opened; a re-seal keeps it (D-11).
    pub generation: u64,
    /// Of the batch's first record.
    pub arrival: UnixMillis,
    /// The unique part; `!{firehose:random-string}` derives from it, each use another.
    pub batch: BatchId,
    /// Of the batch's first reject: `!{firehose:error-output-type}`. None for data.
    pub error: Option<ErrorType>,
    /// As validated: the compression's, or `fileExtension` in its place.
    pub extension: &'a str,
}

/// The key of a batch, relative to its root. Validation tried the prefix on samples of the year, so
/// an error here means an arrival that has no date, or a prefix whose length depends on the time.
pub fn key(parts: &KeyParts<'_>) -> Result<String, EvaluateError> {
    let arrival = parts.arrival.0;
    let prefix = parts.prefix.evaluate(&Values {
        arrival_unix_millis: arrival,
        time_zone: parts.time_zone,
        random: parts.batch.0.as_bytes(),
        error_output_type: parts.error.map(ErrorType::name),
    })?;
    let time = parts.time_zone.object_time(arrival)?;
    Ok(format!(
        "{prefix}{}-{}-{time}-{}{}",
        parts.stream_name, parts.generation, parts.batch, parts.extension
    ))
}

#[cfg(test)]
mod tests {
    use crds::prefix::Namespace;
    use uuid::Uuid;

    use super::*;
    use crate::object::{BatchIdentity, CursorId, Incarnation, Partition, ShardId};
    use crate::record::Sequence;

    /// 2026-11-19T08:15:22.999Z.
    const ARRIVAL: i64 = 1_795_076_122_999;

    fn batch(reseal: u32) -> BatchId {
        let identity = BatchIdentity {
            shard: ShardId(Uuid::from_u128(1)),
            incarnation: Incarnation(2),
            cursor: CursorId(3),
            partition: Partition::Data,
            first_sequence: Sequence(4),
        };
        identity.id(reseal)
    }

    fn data(prefix: &str, time_zone: &str, reseal: u32, extension: &str) -> String {
        key(&KeyParts {
            prefix: &Template::parse_data(prefix).unwrap(),
            time_zone: &TimeZone::parse(time_zone).unwrap(),
            stream_name: "orders",
            generation: 3,
            arrival: UnixMillis(ARRIVAL),
            batch: batch(reseal),
            error: None,
            extension,
        })
        .unwrap()
    }

    fn error(prefix: &str, kind: ErrorType) -> String {
        key(&KeyParts {
            prefix: &Template::parse(prefix, Namespace::Error).unwrap(),
            time_zone: &TimeZone::utc(),
            stream_name: "orders",
            generation: 3,
            arrival: UnixMillis(ARRIVAL),
            batch: batch(0),
            error: Some(kind),
            extension: ".gz",
        })
        .unwrap()
    }

    /// D-1: names are for ever; a change here moves objects that are sealed already.
    #[test]
    fn golden_keys() {
        let random = "!{firehose:random-string}/!{firehose:random-string}/!{timestamp:yyyy}/";
        let by_type = "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/";
        let keys = [
            data("", "UTC", 0, ".gz"),
            data("app", "UTC", 0, ".gz"),
            data("app/", "Asia/Tokyo", 0, ".gz"),
            data("app/", "UTC", 1, ".gz"),
            data(random, "UTC", 0, ".gz"),
            data(random, "UTC", 1, ".gz"),
            data("app/", "UTC", 0, ""),
            data("app/", "UTC", 0, ".json.gz"),
            error(by_type, ErrorType::FormatConversionFailed),
            error(by_type, ErrorType::ProcessingFailed),
            error("errors/", ErrorType::FormatConversionFailed),
        ];
        assert_eq!(keys.join("\n") + "\n", include_str!("key/golden.txt"));
    }

    #[test]
    fn an_arrival_without_a_date_has_no_key() {
        let parts = KeyParts {
            prefix: &Template::parse("app/", Namespace::Data).unwrap(),
            time_zone: &TimeZone::utc(),
            stream_name: "orders",
            generation: 3,
            arrival: UnixMillis(i64::MAX),
            batch: batch(0),
            error: None,
            extension: "",
        };
        let message = key(&parts).unwrap_err().to_string();
        assert!(message.contains("9223372036854775807"), "{message}");
    }
}

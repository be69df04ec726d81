//! Firehose's error documents: what stands in the error output for a record that was rejected.
//!
//! One JSON document a line; members and their order are Firehose's, all of ours come after them.
//! Times are the record's arrival, never a clock's, so that a batch that is built again has the
//! same bytes (D-8). `rawData` is the accepted record. Objects of the error output are compressed
//! as the delivery's own are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::{ErrorType, Reject};
use crate::record::Record;

/// `format-conversion-failed` says `lastErrorCode` and `lastErrorMessage`, others `errorCode` and
/// `errorMessage`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    attempts_made: u32,
    arrival_timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
    attempt_ending_timestamp: i64,
    raw_data: String,
    /// The record's sequence, as text: a number would lose digits in many readers.
    sequence_number: String,
    sub_sequence_number: u32,
    /// The name of the destination that could not take it (D-8).
    destination: &'a str,
}

/// Appends the line for `record` to `out`. `destination` is the delivery's name.
pub fn append(record: &Record<'_>, reject: &Reject, destination: &str, out: &mut Vec<u8>) {
    let (code, message) = (Some(reject.code), Some(reject.message.as_str()));
    let conversion = reject.kind == ErrorType::FormatConversionFailed;
    let document = Document {
        attempts_made: 1,
        arrival_timestamp: record.arrival.0,
        last_error_code: code.filter(|_| conversion),
        last_error_message: message.filter(|_| conversion),
        error_code: code.filter(|_| !conversion),
        error_message: message.filter(|_| !conversion),
        attempt_ending_timestamp: record.arrival.0,
        raw_data: STANDARD.encode(record.bytes),
        sequence_number: record.sequence.to_string(),
        sub_sequence_number: 0,
        destination,
    };
    // numbers and text into memory: neither the types nor the writer can fail
    let written = serde_json::to_writer(&mut *out, &document);
    debug_assert!(written.is_ok(), "{written:?}");
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Sequence, UnixMillis};

    #[test]
    fn documents_are_as_in_the_golden_file() {
        let mut out = Vec::new();
        for (sequence, kind, code, message, bytes) in [
            (
                1,
                ErrorType::FormatConversionFailed,
                "DataFormatConversion.MalformedData",
                "The record was empty or contained only whitespace.",
                &b""[..],
            ),
            (
                u64::MAX,
                ErrorType::FormatConversionFailed,
                "DataFormatConversion.MalformedData",
                "The record is not JSON: \"quoted\"\nand broken.",
                b"{\"a\": \xff\n",
            ),
            (
                7,
                ErrorType::ProcessingFailed,
                "Processor.Failed",
                "The record has no id.",
                b"{}",
            ),
        ] {
            let record = Record {
                sequence: Sequence(sequence),
                arrival: UnixMillis(1_789_560_304_000),
                bytes,
            };
            let reject = Reject {
                kind,
                code,
                message: message.into(),
            };
            append(&record, &reject, "lake", &mut out);
        }
        assert_eq!(
            String::from_utf8(out).unwrap(),
            include_str!("error_json/golden.ndjson")
        );
    }
}

//! The output form of records, in two halves (D-4).
//!
//! [`Shape`] turns one record into the bytes that stand for it, or rejects it; it runs before the
//! partition, and after it nothing can fail because of what a record holds. [`compression`] turns
//! blocks of shaped bytes into encoded ones, each on its own, and joins them; it knows no records.
//! Both are deterministic: no clock, no randomness, no hash order.
//!
//! To add a row format: a file below `format/`, a variant of [`Shape`] and its line in
//! [`Shape::append`].

pub mod compression;
pub mod error_json;
pub mod nd_json;
pub mod raw;

pub use compression::Compression;

/// How one record becomes bytes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As received, one after the other.
    Raw,
    /// JSON texts, one a line.
    NdJson,
}

impl Shape {
    /// Appends the record's output to `out`. After a reject `out` is as it was.
    pub fn append(self, record: &[u8], out: &mut Vec<u8>) -> Result<(), Reject> {
        match self {
            Self::Raw => {
                raw::append(record, out);
                Ok(())
            }
            Self::NdJson => nd_json::append(record, out),
        }
    }
}

/// Why a record goes to the error output. It never holds bytes of the record (I-9): these are in
/// the error document's `rawData`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub kind: ErrorType,
    /// Firehose's code, such as `DataFormatConversion.MalformedData`.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
}

/// Firehose's classes of error output: what `!{firehose:error-output-type}` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// A processor rejected the record.
    ProcessingFailed,
    /// The record can't take the output form.
    FormatConversionFailed,
}

impl ErrorType {
    pub fn name(self) -> &'static str {
        match self {
            Self::ProcessingFailed => "processing-failed",
            Self::FormatConversionFailed => "format-conversion-failed",
        }
    }
}

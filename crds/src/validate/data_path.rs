//! All that turns a record into outputs and a place (W-10): kept in the wal directory by digest as
//! canonical JSON with a format number of its own, so that a new release's defaults can't change a
//! backlog.

use serde::{Deserialize, Serialize};

use crate::prefix::{Namespace, PrefixError, Template, TimeZone, TimeZoneError};

/// The format that this release writes.
pub const FORMAT_NUMBER: u32 = 1;

/// The data-path part of a delivery, fully defaulted. Two that are equal have the same canonical
/// JSON and the other way round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataPath {
    format_number: u32,
    /// Stands in the names of objects.
    pub stream_name: String,
    /// In the order in which records take them.
    pub processors: Vec<ProcessorStep>,
    pub format: RecordFormat,
    pub compression: ObjectCompression,
    pub destination: DataPlace,
    pub error_output: ErrorPlace,
}

/// One step that every record takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProcessorStep {
    /// A newline after every record.
    AppendDelimiter,
}

/// How records stand in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordFormat {
    Raw,
    NdJson,
}

/// How objects are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ObjectCompression {
    None,
    /// Level 1 to 9.
    Gzip {
        level: u8,
    },
}

/// What kind of place objects are created in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlaceType {
    FileSystem,
}

/// Where objects of records are created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataPlace {
    #[serde(rename = "type")]
    pub kind: PlaceType,
    /// The directory, as written.
    pub root: String,
    /// The text of a [`Template`] that has a timestamp.
    pub prefix: String,
    /// With its dot, or empty.
    pub file_extension: String,
    /// Of the prefixes and names of data and error objects; [`TimeZone::name`].
    pub time_zone: String,
}

/// Where objects of rejects are created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ErrorPlace {
    #[serde(rename = "type")]
    pub kind: PlaceType,
    /// The directory, as written.
    pub root: String,
    /// The text of a [`Template`] of [`Namespace::Error`].
    pub prefix: String,
}

/// A data path's texts, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates {
    pub data: Template,
    pub error: Template,
    pub time_zone: TimeZone,
}

/// Why bytes from a wal directory are no data path.
#[derive(Debug, thiserror::Error)]
pub enum DataPathError {
    #[error("the version's format is {found}; this release reads {FORMAT_NUMBER}")]
    Format { found: u32 },
    #[error("the version is damaged: {0}")]
    Shape(#[from] serde_json::Error),
    #[error("the version is not canonical JSON: it was changed after it was written")]
    NotCanonical,
    #[error("the version's prefix: {0}")]
    Prefix(#[from] PrefixError),
    #[error("the version's time zone: {0}")]
    TimeZone(#[from] TimeZoneError),
}

/// The parts of a [`DataPath`] that its maker decides.
#[derive(Clone, Debug)]
pub struct DataPathParts {
    pub stream_name: String,
    pub processors: Vec<ProcessorStep>,
    pub format: RecordFormat,
    pub compression: ObjectCompression,
    pub destination: DataPlace,
    pub error_output: ErrorPlace,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Numbered {
    format_number: u32,
}

impl DataPath {
    pub fn new(parts: DataPathParts) -> Self {
        Self {
            format_number: FORMAT_NUMBER,
            stream_name: parts.stream_name,
            processors: parts.processors,
            format: parts.format,
            compression: parts.compression,
            destination: parts.destination,
            error_output: parts.error_output,
        }
    }

    /// The bytes that the wal keeps and whose digest names the version: no white space, members in
    /// the order of the type.
    ///
    /// # Errors
    /// None in practice: the type has no map and no float.
    pub fn canonical_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads what [`DataPath::canonical_json`] wrote; its templates and time zone are known to parse.
    pub fn from_canonical_json(json: &[u8]) -> Result<Self, DataPathError> {
        let Numbered { format_number } = serde_json::from_slice(json)?;
        if format_number != FORMAT_NUMBER {
            return Err(DataPathError::Format {
                found: format_number,
            });
        }
        let path: Self = serde_json::from_slice(json)?;
        if path.canonical_json()? != json {
            return Err(DataPathError::NotCanonical);
        }
        path.templates()?;
        Ok(path)
    }

    /// Parses the prefixes and the time zone; never fails on one that `validate` or
    /// [`DataPath::from_canonical_json`] made.
    pub fn templates(&self) -> Result<Templates, DataPathError> {
        Ok(Templates {
            data: Template::parse(&self.destination.prefix, Namespace::Data)?,
            error: Template::parse(&self.error_output.prefix, Namespace::Error)?,
            time_zone: TimeZone::parse(&self.destination.time_zone)?,
        })
    }
}

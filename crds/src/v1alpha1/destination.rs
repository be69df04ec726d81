//! `spec.destinations[]` and `spec.processors[]`.

use serde::{Deserialize, Serialize};

use crate::quantity::Quantity;

/// One step that every record takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct Processor {
    /// `AppendDelimiter`: a newline is put after every record. The format `NdJson` does that by
    /// itself; never two are written.
    #[serde(rename = "type")]
    pub kind: ProcessorType,
}

/// The kind of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub enum ProcessorType {
    AppendDelimiter,
}

/// One place where records are delivered to: `type` and the member of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct Destination {
    /// The destination's own name, in metrics and reports: a DNS label of at most 63 characters.
    /// Changing it needs a restart of the agent.
    #[cfg_attr(
        feature = "kube",
        schemars(
            length(min = 1, max = 63),
            regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
        )
    )]
    pub name: String,

    /// `FileSystem`: files in a directory. Changing it needs a restart of the agent.
    #[serde(rename = "type")]
    pub kind: DestinationType,

    /// Settings of `type: FileSystem`; required there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_system: Option<FileSystem>,

    /// How records stand in an object.
    #[serde(default)]
    pub format: Format,

    /// When a batch of records is closed and delivered: at the size or at the age, whichever comes
    /// first.
    #[serde(default)]
    pub buffering: Buffering,

    /// Batches that are delivered at the same time: 1 to 64.
    #[serde(default = "concurrency")]
    #[cfg_attr(feature = "kube", schemars(range(min = 1, max = 64)))]
    pub concurrency: i32,
}

fn concurrency() -> i32 {
    4
}

/// The kind of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub enum DestinationType {
    FileSystem,
}

/// Files in a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct FileSystem {
    /// The directory below which files are created. A relative path starts at the directory in
    /// which the agent was started. Directories that are missing are created.
    #[cfg_attr(feature = "kube", schemars(length(min = 1, max = 1024)))]
    pub directory: String,

    /// What stands before a file's name, with `/` between directories, and `!{...}` expressions as
    /// in Firehose: `!{timestamp:PATTERN}` is the arrival of the batch's first record in a pattern
    /// of Java's `DateTimeFormatter` (weeks are ISO weeks, texts are English),
    /// `!{firehose:random-string}` is 11 characters, others at each use. Without a timestamp
    /// `!{timestamp:yyyy/MM/dd/HH/}` is put after it. At most 1024 characters, 512 when evaluated.
    #[serde(default)]
    #[cfg_attr(feature = "kube", schemars(length(max = 1024)))]
    pub prefix: String,

    /// The end of a file's name, such as `.json.gz`: a `.` and then lower-case letters, digits and
    /// `!-_.*'()`, at most 128 characters; empty for none. Default: `.gz` with `Gzip`, else none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "kube",
        schemars(length(max = 128), regex(pattern = r"^(\.[0-9a-z!\-_.*'()]+)?$"))
    )]
    pub file_extension: Option<String>,

    /// The time zone of prefixes and file names, as a name of the IANA database such as
    /// `Asia/Tokyo`. At most 50 characters.
    #[serde(default = "utc")]
    #[cfg_attr(feature = "kube", schemars(length(min = 1, max = 50)))]
    pub time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// How records stand in an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct Format {
    /// `Raw`: records follow each other as they came. `NdJson`: each JSON text is one line; records
    /// that aren't JSON go to the error output.
    #[serde(rename = "type")]
    pub kind: FormatType,

    /// How objects are compressed.
    pub compression: Compression,
}

/// The kind of a format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub enum FormatType {
    #[default]
    Raw,
    NdJson,
}

/// How objects are compressed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct Compression {
    /// `None`, or `Gzip`: each object is one gzip stream.
    #[serde(rename = "type")]
    pub kind: CompressionType,

    /// How hard `Gzip` tries: 1 (fast) to 9 (small). Only with `type: Gzip`. Default: 6.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "kube", schemars(range(min = 1, max = 9)))]
    pub level: Option<i32>,
}

/// The kind of a compression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub enum CompressionType {
    #[default]
    None,
    Gzip,
}

/// When a batch of records is closed and delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct Buffering {
    /// The size of an object, after compression, at which it is delivered, such as `5Mi`: `64Ki` to
    /// `1Gi`.
    pub size: Quantity,

    /// The age in seconds of a batch's first record at which the batch is delivered: 0 to 900. With
    /// 0 a batch is delivered as soon as fewer than `concurrency` are on their way.
    #[cfg_attr(feature = "kube", schemars(range(min = 0, max = 900)))]
    pub interval_seconds: i32,
}

impl Default for Buffering {
    fn default() -> Self {
        Self {
            size: Quantity::new("5Mi"),
            interval_seconds: 300,
        }
    }
}

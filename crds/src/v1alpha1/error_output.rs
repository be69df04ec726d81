//! `spec.errorOutput`.

use serde::{Deserialize, Serialize};

use super::DestinationType;

/// Where records go that can't be delivered as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct ErrorOutput {
    /// `FileSystem`: files in a directory. Default: the destination's type and place.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<DestinationType>,

    /// Settings of `type: FileSystem`; required there and refused without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_system: Option<ErrorOutputFileSystem>,

    /// What stands before an error file's name, as a destination's `prefix`, and with
    /// `!{firehose:error-output-type}`, the kind of the error such as `format-conversion-failed`,
    /// which it has to contain if it contains any expression. It is taken as it is written: no date
    /// is put after it. At most 1024 characters, 512 when evaluated. Times are in the destination's
    /// time zone.
    #[cfg_attr(feature = "kube", schemars(length(max = 1024)))]
    pub prefix: String,
}

impl Default for ErrorOutput {
    fn default() -> Self {
        Self {
            kind: None,
            file_system: None,
            prefix: "errors/!{firehose:error-output-type}/".to_owned(),
        }
    }
}

/// A directory for error files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct ErrorOutputFileSystem {
    /// The directory below which error files are created; as a destination's `directory`.
    #[cfg_attr(feature = "kube", schemars(length(min = 1, max = 1024)))]
    pub directory: String,
}

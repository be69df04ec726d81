//! `DeliveryStream` v1alpha1 as it is written. Only fields that are honoured exist; types say the
//! shape, [`crate::validate`] the rules. Doc comments of fields are the user manual: they become the
//! descriptions of the custom resource definition.

mod destination;
mod error_output;
mod source;
mod wal;

pub use destination::{
    Buffering, Compression, CompressionType, Destination, DestinationType, FileSystem, Format,
    FormatType, Processor, ProcessorType,
};
pub use error_output::{ErrorOutput, ErrorOutputFileSystem};
use serde::{Deserialize, Serialize};
pub use source::{
    Auth, AuthType, BearerAuth, DirectPut, Limits, SecretKeyReference, Source, SourceType,
};
pub use wal::{Ack, Wal};

/// The API group and version of a manifest.
pub const API_VERSION: &str = "standpipe.dev/v1alpha1";
/// The kind of a manifest.
pub const KIND: &str = "DeliveryStream";

/// What a delivery stream takes in, how it keeps it and where it delivers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "kube", derive(kube::CustomResource, schemars::JsonSchema))]
#[cfg_attr(
    feature = "kube",
    kube(
        group = "standpipe.dev",
        version = "v1alpha1",
        kind = "DeliveryStream",
        plural = "deliverystreams",
        singular = "deliverystream",
        shortname = "dstream",
        category = "standpipe",
        namespaced,
        doc = "A stream of records from producers to a destination, as Amazon Data Firehose has it: records that were acknowledged are on disk and are delivered exactly once, in batches."
    )
)]
pub struct DeliveryStreamSpec {
    /// Whether producers are served. `Running`: records are taken in and delivered. `Paused`:
    /// producers are told to try again later, what was accepted before is delivered.
    #[serde(default)]
    pub desired_state: DesiredState,

    /// The name that producers send as `DeliveryStreamName` and that stands in the names of
    /// objects: 1 to 64 of a-z, A-Z, 0-9, `_`, `.` and `-`. Default: `metadata.name`. Changing it
    /// needs a restart of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "kube",
        schemars(length(min = 1, max = 64), regex(pattern = "^[a-zA-Z0-9_.-]+$"))
    )]
    pub stream_name: Option<String>,

    /// Where records come from.
    pub source: Source,

    /// The durable log in which accepted records are kept until they are delivered.
    #[serde(default)]
    pub wal: Wal,

    /// What is done to every record before it is put into a batch, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "kube", schemars(length(max = 1)))]
    pub processors: Vec<Processor>,

    /// Where records are delivered to. Exactly one for now.
    #[cfg_attr(feature = "kube", schemars(length(min = 1, max = 1)))]
    pub destinations: Vec<Destination>,

    /// Where records go that can't be delivered as they are, with the reason. Default: the
    /// destination, under `errors/!{firehose:error-output-type}/`.
    #[serde(default)]
    pub error_output: ErrorOutput,

    /// What the stream should keep to. It is watched and reported, and changes nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objectives: Option<Objectives>,
}

/// Whether producers are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub enum DesiredState {
    #[default]
    Running,
    Paused,
}

/// What a stream should keep to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct Objectives {
    /// The age in seconds that the oldest accepted, undelivered record should not exceed: at least
    /// 60 more than the destination's `buffering.intervalSeconds`, at most 604800 (a week).
    /// Default: no objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "kube", schemars(range(min = 60, max = 604_800)))]
    pub freshness_seconds: Option<i32>,
}

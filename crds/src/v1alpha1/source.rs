//! `spec.source`.

use serde::{Deserialize, Serialize};

use crate::quantity::Quantity;

/// Where records come from: `type` and the member of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct Source {
    /// `DirectPut`: producers send records over HTTP, with the Firehose API (`PutRecord`,
    /// `PutRecordBatch`) or to `/v1/records`.
    #[serde(rename = "type")]
    pub kind: SourceType,

    /// Settings of `type: DirectPut`.
    #[serde(default)]
    pub direct_put: DirectPut,
}

/// The kind of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub enum SourceType {
    DirectPut,
}

/// Records that producers send over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct DirectPut {
    /// The TCP port on which producers are served: 1 to 65535. Changing it needs a restart of the
    /// agent.
    #[cfg_attr(feature = "kube", schemars(range(min = 1, max = 65_535)))]
    pub port: i32,

    /// Who may send records.
    pub auth: Auth,

    /// What producers may ask of one agent at most.
    pub limits: Limits,
}

impl Default for DirectPut {
    fn default() -> Self {
        Self {
            port: 8080,
            auth: Auth::default(),
            limits: Limits::default(),
        }
    }
}

/// Who may send records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct Auth {
    /// `None`: everybody who reaches the port. `Bearer`: who sends the header `Authorization:
    /// Bearer TOKEN` with the token of a Secret. Changing it needs a restart of the agent.
    #[serde(rename = "type")]
    pub kind: AuthType,

    /// Settings of `type: Bearer`; required there and refused elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer: Option<BearerAuth>,
}

/// How a producer proves that it may send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub enum AuthType {
    #[default]
    None,
    Bearer,
}

/// A token that producers send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct BearerAuth {
    /// The Secret, in the stream's namespace, that holds the token. On a laptop it is the file
    /// `NAME/KEY` below the directory given by `--secrets-dir`.
    pub secret: SecretKeyReference,
}

/// One key of one Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct SecretKeyReference {
    /// The Secret's name: lower-case letters, digits, `-` and `.`, at most 253.
    #[cfg_attr(
        feature = "kube",
        schemars(
            length(min = 1, max = 253),
            regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
        )
    )]
    pub name: String,

    /// The key in the Secret: letters, digits, `-`, `_` and `.`, at most 253, not beginning with
    /// `..`.
    #[cfg_attr(
        feature = "kube",
        schemars(
            length(min = 1, max = 253),
            regex(pattern = r"^([-_a-zA-Z0-9][-._a-zA-Z0-9]*|\.[-_a-zA-Z0-9][-._a-zA-Z0-9]*)$")
        )
    )]
    pub key: String,
}

/// What producers may ask of one agent at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct Limits {
    /// The largest body of a request, such as `6Mi`: `1Mi` to `64Mi`. The largest `PutRecordBatch`,
    /// 4 MiB of records, is just under 6 MiB in base64.
    pub request_bytes: Quantity,

    /// Connections that are open at the same time: 1 to 65536. Further ones wait in the operating
    /// system's queue.
    #[cfg_attr(feature = "kube", schemars(range(min = 1, max = 65_536)))]
    pub connections: i32,

    /// Bytes of records that are accepted a second, such as `5Mi`: `64Ki` to `64Gi`. Above it
    /// producers are told to slow down. Default: no limit but the machine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<Quantity>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: Quantity::new("6Mi"),
            connections: 1024,
            bytes_per_second: None,
        }
    }
}

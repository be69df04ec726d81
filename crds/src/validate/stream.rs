//! What a manifest says once every rule holds and every default is set. Plain values in SI units;
//! no optional that has a default.

use super::data_path::DataPath;
pub use crate::v1alpha1::{Ack, DesiredState};

/// One stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatedStream {
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// What producers send as `DeliveryStreamName`.
    pub stream_name: String,
    pub desired_state: DesiredState,
    pub source: ValidatedSource,
    pub wal: ValidatedWal,
    /// Exactly one for now.
    pub deliveries: Vec<ValidatedDelivery>,
    pub objectives: ValidatedObjectives,
}

/// How producers are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatedSource {
    /// Not 0.
    pub port: u16,
    pub auth: ValidatedAuth,
    pub limits: ValidatedLimits,
}

/// Who may send records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValidatedAuth {
    None,
    /// A token, the content of one key of a Secret.
    Bearer {
        secret_name: String,
        secret_key: String,
    },
}

/// What producers may ask of one agent at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidatedLimits {
    /// Body of a request: 1 MiB to 64 MiB.
    pub request_bytes: u64,
    /// 1 to 65,536.
    pub connections: u32,
    /// 64 KiB to 64 GiB.
    pub bytes_per_second: Option<u64>,
}

/// The durable log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidatedWal {
    pub ack: Ack,
    /// 256 MiB to 1 TiB.
    pub capacity_bytes: u64,
}

/// One destination with its own cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatedDelivery {
    pub name: String,
    pub data_path: DataPath,
    pub buffering: ValidatedBuffering,
    /// Batches on their way at the same time: 1 to 64.
    pub concurrency: u32,
}

/// When a batch is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidatedBuffering {
    /// Encoded and compressed: 64 KiB to 1 GiB.
    pub size_bytes: u64,
    /// 0 to 900.
    pub interval_seconds: u32,
}

/// What the stream should keep to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValidatedObjectives {
    pub freshness_seconds: Option<u32>,
}

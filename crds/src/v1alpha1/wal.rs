//! `spec.wal`.

use serde::{Deserialize, Serialize};

use crate::quantity::Quantity;

/// The durable log in which accepted records are kept until they are delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub struct Wal {
    /// When a producer is told that its records were accepted. `Durable`: when they are on disk and
    /// the disk has confirmed it.
    pub ack: Ack,

    /// The disk space for records that are not delivered yet, such as `1Gi`: `256Mi` to `1Ti`. When
    /// it is full, producers are told to try again later and nothing is dropped. It can be changed
    /// while the stream runs.
    pub capacity: Quantity,
}

impl Default for Wal {
    fn default() -> Self {
        Self {
            ack: Ack::default(),
            capacity: Quantity::new("1Gi"),
        }
    }
}

/// When a producer is told that its records were accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
pub enum Ack {
    #[default]
    Durable,
}

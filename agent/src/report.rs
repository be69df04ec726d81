//! `/report`: what the process tells of itself, made from one snapshot. Pure.

pub mod observed;
pub mod sampler;

use std::time::Duration;

/// The window of the rates that a person looks at.
pub const SHORT: Duration = Duration::from_secs(10);
/// The window of the rates that decisions are made from.
pub const LONG: Duration = Duration::from_mins(1);

/// How far the process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The wal is being opened; nobody is served.
    Starting,
    /// Producers are served.
    Running,
    /// A signal came: what is in the wal is delivered.
    Draining,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
        }
    }
}

/// What never changes while the process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub namespace: String,
    /// The manifest's `metadata.name`.
    pub name: String,
    pub stream_name: String,
}
pub fn report(_i: &Identity, _p: Phase, _o: &observed::Observed, _s: &sampler::Sampler) -> serde_json::Value { serde_json::Value::Null }

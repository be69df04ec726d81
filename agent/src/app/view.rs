//! What the composition root tells a person who watches; `command` draws it.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::report::Phase;
use crate::report::observed::Observed;
use crate::report::sampler::PerSecond;

/// Where everything is, once producers are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serving {
    pub stream_name: String,
    pub intake: SocketAddr,
    pub admin: SocketAddr,
    /// Whether producers must send a bearer token.
    pub bearer: bool,
    pub delivers_to: String,
    pub wal_directory: PathBuf,
}

/// A person's view.
pub trait View: Send + 'static {
    /// Producers are served from now on.
    fn started(&mut self, serving: &Serving);
    /// How it goes, once a second and at the end.
    fn show(&mut self, phase: Phase, seen: &Observed, rate: &PerSecond);
}

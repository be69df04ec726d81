//! The kit of the black-box tests: it sees only what a user sees.
//!
//! A test starts the built agent on a loopback address of its own ([`rig`]), sends records over
//! real connections ([`producer`]), lets a process that is never faulted write down what was sent
//! and answered ([`oracle`]), reads the destination directory with the system's own `gzip`
//! ([`delivered`]) and compares the two lists ([`verify`]). Waiting is for a state, never for a
//! time ([`wait`]).

pub mod agent;
pub mod delivered;
pub mod firehose;
pub mod http;
pub mod manifest;
pub mod oracle;
pub mod producer;
pub mod record;
pub mod report;
pub mod rig;
pub mod verify;
pub mod wait;

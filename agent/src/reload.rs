//! Watches the manifest while the process runs. What it holds then is taken, or refused with the
//! reason while the old one stays in force.

mod watch;
pub use watch::{Look, News, Watch};

//! Composition root.

pub mod ending;
pub mod logging;
pub mod panic;
pub mod screen;
mod signals;

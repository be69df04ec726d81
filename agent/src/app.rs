//! Composition root.

pub mod ending;
pub mod logging;
pub mod observer;
pub mod panic;
pub mod screen;
mod serve;
mod signals;
mod taker;
pub mod view;
pub async fn run(_args: crate::args::RunArgs, _view: impl view::View) -> ending::Ending { ending::Ending::Bug }

//! `run`: the process around [`crate::app`]: log lines, threads, what standard output shows.

mod banner;
mod show;
mod status;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use tokio::runtime;

use crate::app;
use crate::app::ending::Ending;
use crate::app::screen::Screen;
use crate::app::{logging, panic};
use crate::args::{LogLevel, RunArgs};
use show::{Mode, Show};

/// How long work on background threads may take after the process has decided to end; what it
/// would still write is not acknowledged and not shown.
const STRAGGLERS: Duration = Duration::from_millis(200);

pub(super) fn run(args: RunArgs) -> Ending {
    let screen = Screen::standard();
    let mode = Mode::new(args.status, io::stdout().is_terminal());
    let level = args.log_level.unwrap_or(match mode {
        Mode::Live => LogLevel::Warn,
        Mode::Plain | Mode::None => LogLevel::Info,
    });
    let subscriber = logging::subscriber(args.log_format, level, screen.clone());
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        super::complain("a bug: the log was set up twice\n");
        return Ending::Bug;
    }
    panic::install();
    let runtime = match runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the process can't start its threads");
            return Ending::Bug;
        }
    };
    let ending = runtime.block_on(app::run(args, Show::new(screen.clone(), mode)));
    runtime.shutdown_timeout(STRAGGLERS);
    // a terminal that went away takes the end of the line with it
    let _gone = screen.end_status();
    ending
}

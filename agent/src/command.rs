//! The subcommands, one file each.

mod check;
mod run;
mod version;

use std::fmt::Write as _;
use std::io::Write as _;

use crate::app::ending::Ending;
use crate::args::{Args, Command};
use crate::reload::load::Fault;

/// Carries a command out.
pub fn dispatch(args: Args) -> Ending {
    match args.command {
        Command::Run(args) => run::run(args),
        Command::Check(args) => check::check(&args),
        Command::Version => version::version(),
    }
}

/// Prints the result of a command. A reader that went away is no failure of the command.
fn print(text: &str) {
    let _gone = std::io::stdout().write_all(text.as_bytes());
}

/// Prints why a command failed.
fn complain(text: &str) {
    let _gone = std::io::stderr().write_all(text.as_bytes());
}

/// All that is wrong with a manifest, one a line.
fn refused(path: &str, faults: &[Fault]) -> String {
    let mut text = format!("{path}: not taken\n");
    for fault in faults {
        let lines = fault.to_string().replace('\n', "\n    ");
        let _infallible = writeln!(text, "  {lines}");
    }
    text
}

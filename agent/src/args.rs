//! Flags. They say where the process runs and how it talks to people; what happens to records is
//! in the manifest alone.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

#[cfg(test)]
mod tests;

/// Takes records over the Amazon Data Firehose API, keeps them in a durable log and delivers them
/// exactly once.
#[derive(Debug, Parser)]
#[command(
    name = "standpipe-agent",
    version,
    after_help = EXIT_CODES,
    disable_help_subcommand = true
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  everything accepted was delivered (or the command did what it says)
  1  a bug: the log says where
  2  wrong usage or an invalid manifest
  3  the wal can't be opened
  4  the wal failed while running
  5  stopped with records left in the wal; they are safe there, the next start goes on";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the delivery stream of a manifest until a signal comes
    Run(RunArgs),
    /// Say whether a manifest can be taken, with every problem or the values in effect
    Check(CheckArgs),
    /// Print the version
    Version,
}

#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The manifest of the delivery stream, YAML or JSON
    pub manifest: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The manifest of the delivery stream, YAML or JSON; edits take effect while running
    pub manifest: PathBuf,

    /// Directory of the wal: accepted records stay in it until they are delivered
    #[arg(long, value_name = "DIR", default_value = "./.standpipe/wal")]
    pub wal_dir: PathBuf,

    /// Address on which producers are served; the port is the manifest's
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub bind: IpAddr,

    /// Address and port of /healthz, /readyz, /metrics and /report
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8081")]
    pub admin_bind: SocketAddr,

    /// Directory of secrets: key KEY of secret NAME is the file DIR/NAME/KEY
    #[arg(long, value_name = "DIR", default_value = "./.standpipe/secrets")]
    pub secrets_dir: PathBuf,

    /// Form of the log lines on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// Least severe log line to show [default: warn beside a live status line, else info]
    #[arg(long, value_enum)]
    pub log_level: Option<LogLevel>,

    /// Longest time from the signal to the end, such as 30s, 5m [default: 300s after SIGTERM, 10s after SIGINT]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub drain_timeout: Option<Duration>,

    /// Use the wal directory even where a sync proves nothing or another machine could write to it (NFS, SMB, FUSE, tmpfs and the like): accepted records can then be lost or delivered twice
    #[arg(long)]
    pub force_filesystem: bool,

    /// Use the wal directory although it looks like a copy of another: what both hold undelivered may then be delivered twice
    #[arg(long)]
    pub adopt_copy: bool,

    /// What to show on standard output while running
    #[arg(long, value_enum, default_value_t = StatusMode::Auto)]
    pub status: StatusMode,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Least severe level that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Data lost or a person needed
    Error,
    /// Unexpected but safe
    Warn,
    /// Life cycle
    Info,
    /// Decisions, never one a record
    Debug,
}

/// What standard output shows while running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatusMode {
    /// live on a terminal, else plain
    Auto,
    /// One line, redrawn every second
    Live,
    /// A line on change and every ten seconds while there is work
    Plain,
    /// Nothing
    None,
}

/// A whole number with the unit `ms`, `s`, `m` or `h`; at most 24 hours.
fn duration(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_hours(24);
    let wanted = "write a whole number and a unit: 500ms, 30s, 5m, 1h; at most 24h";
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| wanted)?;
    let millis = match text.strip_prefix(digits) {
        Some("ms") => Some(number),
        Some("s") => number.checked_mul(1_000),
        Some("m") => number.checked_mul(60_000),
        Some("h") => number.checked_mul(3_600_000),
        _ => None,
    };
    match millis.map(Duration::from_millis) {
        Some(time) if time <= LONGEST => Ok(time),
        _ => Err(wanted.to_owned()),
    }
}

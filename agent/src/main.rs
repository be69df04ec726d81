//! Entry point: flags in, exit code out.

use std::process::ExitCode;

use agent::args::Args;
use agent::command;
use clap::Parser as _;

// level with the best on small objects and steady under long churn, and it tells where memory went
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    command::dispatch(Args::parse()).into()
}

//! What several behaviours need: the oracle's program, counts from the environment, the verdict.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::delivered::{self, Object};
use e2e::firehose;
use e2e::http::Connection;
use e2e::oracle::{Journal, Oracle};
use e2e::rig::Rig;
use e2e::verify::Verdict;
use rand::TryRng as _;
use rand::rngs::SysRng;

/// Where rigs are made: on the disk of the build, not in a memory file system.
pub(crate) fn area() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// Runs a test in a rig.
pub(crate) fn scenario(name: &str, run: impl FnOnce(&Rig) -> Result<()>) -> Result<()> {
    e2e::rig::scenario(area(), name, run)
}

/// Starts the oracle of a rig.
pub(crate) fn oracle(rig: &Rig) -> Result<Oracle> {
    Oracle::start(
        Path::new(env!("CARGO_BIN_EXE_oracle")),
        rig.path("oracle.journal"),
    )
}

/// A count that `make prove` raises.
pub(crate) fn count(variable: &str, default: u64) -> Result<u64> {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{variable}={text} is no count")),
        Err(_) => Ok(default),
    }
}

/// The seed of a run: `STANDPIPE_SEED`, else a fresh one; printed, so that a run can be repeated.
pub(crate) fn seed(test: &str) -> Result<u64> {
    let seed = count("STANDPIPE_SEED", SysRng.try_next_u64()?)?;
    println!("{test}: STANDPIPE_SEED={seed}");
    Ok(seed)
}

/// Compares the journal with what a reader finds and fails on any difference.
pub(crate) fn verify(journal: &Journal, objects: &[Object]) -> Result<Verdict> {
    let verdict = Verdict::of(journal, objects);
    verdict.accept()?;
    Ok(verdict)
}

/// A connection that waits long enough for a loaded machine.
pub(crate) fn connect(server: std::net::SocketAddr) -> Result<Connection> {
    Connection::open(server, Duration::from_mins(1)).with_context(|| format!("connect to {server}"))
}

/// Puts `count` small numbered records and expects them to be taken.
pub(crate) fn put_numbered(
    connection: &mut Connection,
    numbers: std::ops::Range<u64>,
) -> Result<()> {
    let records: Vec<String> = numbers
        .map(|number| format!(r#"{{"number":{number}}}"#))
        .collect();
    let response = firehose::put(connection, &records)?;
    ensure!(
        response.status == 200,
        "{}: {}",
        response.status,
        response.text()
    );
    Ok(())
}

/// The numbers of [`put_numbered`] records below a directory, sorted, each as often as found.
pub(crate) fn numbers(directory: &Path) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for file in delivered::files(directory)? {
        for line in delivered::raw_lines(&file)? {
            let value: serde_json::Value =
                serde_json::from_slice(&line).with_context(|| format!("in {}", file.display()))?;
            numbers.push(value["number"].as_u64().context("no number")?);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Expects exactly these numbers below a directory.
pub(crate) fn expect_numbers(directory: &Path, expected: std::ops::Range<u64>) -> Result<()> {
    let found = numbers(directory)?;
    let wanted: Vec<u64> = expected.collect();
    ensure!(
        found == wanted,
        "{} numbers found where {} were expected: {found:?}",
        found.len(),
        wanted.len()
    );
    Ok(())
}

/// A directory of a rig, made.
pub(crate) fn directory(rig: &Rig, name: &str) -> Result<PathBuf> {
    let path = rig.path(name);
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

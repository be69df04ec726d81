//! boto3 with `endpoint_url` and any credentials: every response field, every error class, and the
//! records that it was told are taken.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::delivered;
use e2e::firehose::STREAM;
use e2e::rig::workspace;

use crate::kit::scenario;

#[test]
fn boto3_puts_records_and_sees_firehose_errors() -> Result<()> {
    scenario("boto3", |rig| {
        let place = rig.place("agent")?;
        let agent = place.start()?;
        let python = python()?;
        let output = Command::new(&python)
            .arg(workspace()?.join("e2e/rigs/boto3/contract.py"))
            .arg(format!("http://{}", place.intake))
            .arg(STREAM)
            .output()
            .with_context(|| format!("start {}", python.display()))?;
        let deviations = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}:\n{deviations}", output.status);
        let sent: Vec<String> = serde_json::from_slice(&output.stdout)?;

        let report = agent.report()?;
        ensure!(
            report.to_string().contains("AKIDEXAMPLE"),
            "the key id is the producer's name: {report}"
        );
        agent.finish()?;
        let mut lines = Vec::new();
        for file in delivered::files(&rig.out())? {
            for line in delivered::raw_lines(&file)? {
                lines.push(String::from_utf8(line)?);
            }
        }
        lines.sort_unstable();
        let mut expected = sent;
        expected.sort_unstable();
        ensure!(
            lines == expected,
            "{} lines for {} records",
            lines.len(),
            expected.len()
        );
        Ok(())
    })
}

/// The Python with boto3 that `e2e/rigs/setup.sh` made.
fn python() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("STANDPIPE_PYTHON") {
        return Ok(path.into());
    }
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(std::env::var_os("HOME").context("no HOME")?).join(".cache"),
    };
    let python = cache.join("standpipe/venv/bin/python");
    ensure!(
        python.is_file(),
        "no {}: run e2e/rigs/setup.sh test",
        python.display()
    );
    Ok(python)
}

//! `make run`, without the building: the script of the README shows a delivered file and the
//! accounting, stops on Ctrl-C with exit code 0, and goes on in the same directories.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use e2e::rig::{program, workspace};
use e2e::wait;
use rustix::process::{Pid, Signal, kill_process};

use crate::kit::{directory, scenario};

/// Records of `e2e/data/flights.ndjson`, sent by each run.
const RECORDS: u64 = 400;

#[test]
fn the_quickstart_delivers_shows_and_goes_on_in_the_same_directories() -> Result<()> {
    scenario("quickstart", |rig| {
        let home = directory(rig, "home")?;
        for run in 1..=2 {
            let said = quickstart(&home, run)?;
            ensure!(said.contains("delivered/"), "shows no file: {said}");
            ensure!(said.contains(r#""carrier""#), "shows no record: {said}");
            let accepted = format!("accepted {}", run * RECORDS);
            ensure!(
                said.contains(&accepted),
                "run {run} shows not {accepted:?}: {said}"
            );
            ensure!(
                said.contains("curl"),
                "says not how to put a record: {said}"
            );
        }
        let mut lines = 0;
        for file in e2e::delivered::files(&home.join(".standpipe/delivered"))? {
            lines += e2e::delivered::raw_lines(&file)?.len() as u64;
        }
        ensure!(
            lines == 2 * RECORDS,
            "{lines} records delivered by two runs"
        );
        Ok(())
    })
}

/// Runs the script until it has shown the accounting, interrupts it, and gives what it said.
fn quickstart(home: &Path, run: u64) -> Result<String> {
    let output = home.join(format!("run-{run}.out"));
    // an address of its own, so that the ports of the example manifest are free
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, 3, high, low);
    drop(TcpListener::bind((address, 8080)).context("port 8080 of the quickstart")?);
    let log = File::options()
        .create_new(true)
        .append(true)
        .open(&output)?;
    let mut script = Command::new("bash")
        .arg(workspace()?.join("e2e/rigs/quickstart.sh"))
        .current_dir(home)
        .env("STANDPIPE_AGENT", program()?)
        .env("STANDPIPE_BIND", address.to_string())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    let shown = wait::until(wait::LONG, "the accounting", || {
        let said = std::fs::read_to_string(&output)?;
        if let Some(status) = script.try_wait()? {
            anyhow::bail!("the script ended: {status}: {said}");
        }
        Ok(said
            .lines()
            .any(|line| line.starts_with("accounting") && line.ends_with("in the wal 0"))
            .then_some(())
            .ok_or(said))
    });
    interrupt(&mut script)?;
    shown?;
    Ok(std::fs::read_to_string(&output)?)
}

fn interrupt(script: &mut Child) -> Result<()> {
    let id = Pid::from_raw(i32::try_from(script.id())?).context("no process id")?;
    kill_process(id, Signal::INT)?;
    let status = wait::until(wait::LONG, "the script to end", || {
        Ok(script.try_wait()?.ok_or("it still runs"))
    })?;
    ensure!(status.code() == Some(0), "the script ended with {status}");
    Ok(())
}

#[test]
fn without_rust_the_scripts_print_one_command_and_stop() -> Result<()> {
    let output = Command::new("/bin/bash")
        .arg(workspace()?.join("e2e/rigs/setup.sh"))
        .arg("run")
        .env_clear()
        .env("PATH", "")
        .env("HOME", "/nonexistent")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success(), "went on without cargo: {said}");
    let commands: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("https://"))
        .collect();
    ensure!(commands.len() == 1, "expected one command: {said}");
    ensure!(
        commands.iter().all(|line| line.contains("rustup.rs")),
        "{said}"
    );
    Ok(())
}

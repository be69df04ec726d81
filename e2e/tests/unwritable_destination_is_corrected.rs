//! A destination directory that can't be written, the wal half full, the directory corrected in
//! the manifest: everything is delivered, nothing twice, and the process is never restarted
//! (I-6, I-8, D-10, D-11, D-15).

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::agent::Launch;
use e2e::delivered;
use e2e::producer::{Load, Producers};
use e2e::rig::{Place, Rig};

use crate::kit::{directory, oracle, scenario, seed, verify};

#[test]
fn a_directory_below_a_file_is_corrected_in_the_manifest() -> Result<()> {
    scenario("below-a-file", |rig| {
        std::fs::write(rig.path("file"), "in the way")?;
        corrected(
            rig,
            &rig.place("agent")?,
            &rig.path("file/below"),
            &Launch::default(),
        )
    })
}

#[test]
fn a_read_only_directory_is_corrected_in_the_manifest() -> Result<()> {
    scenario("read-only", |rig| {
        let bad = directory(rig, "bad")?;
        let launch = Launch::in_mounts(
            "mount --bind \"$1\" \"$1\"; mount -o remount,bind,ro \"$1\"",
            &[&bad],
        );
        corrected(rig, &rig.place("agent")?, &bad, &launch)
    })
}

#[test]
fn an_immutable_directory_is_corrected_in_the_manifest() -> Result<()> {
    scenario("immutable", |rig| {
        let bad = directory(rig, "bad")?;
        chattr("+i", &bad)?;
        let result = corrected(rig, &rig.place("agent")?, &bad, &Launch::default());
        chattr("-i", &bad)?;
        result
    })
}

fn chattr(flag: &str, path: &Path) -> Result<()> {
    let status = Command::new("chattr")
        .arg(flag)
        .arg(path)
        .status()
        .context("start chattr")?;
    ensure!(
        status.success(),
        "chattr {flag} {}: {status}",
        path.display()
    );
    Ok(())
}

fn corrected(rig: &Rig, place: &Place, bad: &Path, launch: &Launch) -> Result<()> {
    let mut place = place.clone();
    place.manifest.set_directory(bad)?;
    place.save()?;
    let mut agent = place.start_with(launch)?;
    let oracle = oracle(rig)?;
    let load = Load {
        name: "p",
        threads: 2,
        records_max: 20,
        bytes_max: 150_000,
        seed: seed("corrected")?,
    };
    let producers = Producers::start(&load, place.intake, &oracle)?;
    agent.wait_report("the wal to be half full", |report| {
        let used = report.at("/wal/usedBytes")?.as_u64()?;
        let capacity = report.at("/wal/capacityBytes")?.as_u64()?;
        (used * 2 >= capacity).then_some(())
    })?;
    let said = agent.wait_report("the problem to name the directory", |report| {
        report
            .complains_of(&bad.display().to_string())
            .then(|| report.clone())
    })?;
    ensure!(
        said.count("delivered") == Some(0),
        "delivered into {}: {said}",
        bad.display()
    );
    ensure!(
        delivered::files(bad).is_ok_and(|files| files.is_empty())
            || bad.parent().is_some_and(Path::is_file)
    );

    place.manifest.set_directory(&rig.out())?;
    place.save()?;
    // intake goes on while the backlog is delivered to the corrected place
    let goal = producers.acked() + 100;
    agent.wait_report("deliveries and intake to go on", |report| {
        (report.count("delivered")? > 0 && producers.acked() >= goal).then_some(())
    })?;
    producers.stop()?;
    agent.wait_delivered()?;
    agent.drain()?;
    let verdict = verify(&oracle.journal()?, &delivered::read(&rig.out())?)?;
    println!("corrected in the manifest: {verdict}");
    Ok(())
}

//! Faults of the destination directory (I-8, D-10, D-15): each is named in the report, holds the
//! records in the wal and heals without a restart; nothing is lost, nothing appears twice.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use e2e::agent::{Agent, Launch};
use e2e::delivered;
use e2e::firehose;
use e2e::rig::Place;
use e2e::wait;
use serde_json::{Value, json};

use crate::kit::{connect, expect_numbers, put_numbered, scenario};

const FOREIGN: &str = "somebody else's";

/// Orders a re-seal of what is held, possible duplicates accepted.
const RESEAL: &str = "standpipe.dev/reseal-requested-at";

fn wait_complaint(agent: &mut Agent, text: &str) -> Result<()> {
    agent.wait_report(&format!("a problem that names {text:?}"), |report| {
        report.complains_of(text).then_some(())
    })
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path in UTF-8")
}

#[test]
fn a_full_file_system_holds_until_there_is_room() -> Result<()> {
    scenario("dest-full", |rig| {
        let place = rig.place("agent")?;
        let launch = Launch::in_mounts("mount -t tmpfs -o size=64k tmpfs \"$1\"", &[&rig.out()]);
        let mut agent = place.start_with(&launch)?;
        let mut connection = connect(place.intake)?;
        let records: Vec<String> = (0..200)
            .map(|number: u64| {
                let filling: String = (0..40)
                    .map(|step: u64| e2e::record::hash(&(number * 40 + step).to_le_bytes()))
                    .collect();
                format!(r#"{{"number":{number},"filling":"{filling}"}}"#)
            })
            .collect();
        let response = firehose::put(&mut connection, &records)?;
        ensure!(response.status == 200, "{}", response.text());
        wait_complaint(&mut agent, text(&rig.out())?)?;
        put_numbered(&mut connection, 200..210)?;
        agent.in_mounts(&["mount", "-o", "remount,size=64m", text(&rig.out())?])?;
        agent.wait_delivered()?;
        expect_numbers(&agent.seen(&rig.out()), 0..210)?;
        agent.drain()
    })
}

#[test]
fn a_missing_directory_is_named_never_made_and_used_once_it_is_there() -> Result<()> {
    scenario("dest-missing", |rig| {
        let mut place = rig.place("agent")?;
        let missing = rig.path("missing");
        place.manifest.set_directory(&missing)?;
        place.save()?;
        let mut agent = place.start()?;
        put_numbered(&mut connect(place.intake)?, 0..5)?;
        wait_complaint(&mut agent, text(&missing)?)?;
        ensure!(
            !missing.exists(),
            "made: an unmounted volume would look like an empty one"
        );
        std::fs::create_dir(&missing)?;
        agent.finish()?;
        expect_numbers(&missing, 0..5)
    })
}

#[test]
fn without_hard_links_files_are_renamed_into_place() -> Result<()> {
    scenario("dest-no-link", |rig| {
        let place = rig.place("agent")?;
        let log = rig.path("strace.log");
        let agent = place.start_with(&Launch::with_faults(&["linkat:error=EPERM"], &log))?;
        put_numbered(&mut connect(place.intake)?, 0..10)?;
        agent.finish()?;
        expect_numbers(&rig.out(), 0..10)?;
        let calls = std::fs::read_to_string(&log)?;
        ensure!(
            calls.contains("EPERM"),
            "no link was tried: the fault never came"
        );
        Ok(())
    })
}

#[test]
fn without_links_and_no_replace_renames_records_are_held_and_said() -> Result<()> {
    scenario("dest-no-rename", |rig| {
        let place = rig.place("agent")?;
        let faults = ["linkat:error=EPERM", "renameat2:error=EINVAL"];
        let launch = Launch::with_faults(&faults, &rig.path("strace.log"));
        let mut agent = place.start_with(&launch)?;
        put_numbered(&mut connect(place.intake)?, 0..10)?;
        wait_complaint(&mut agent, text(&rig.out())?)?;
        ensure!(agent.report()?.in_wal() == Some(10), "{}", agent.report()?);
        agent.kill()?;
        expect_numbers(&rig.out(), 0..0)?;
        place.start()?.finish()?;
        expect_numbers(&rig.out(), 0..10)
    })
}

#[test]
fn an_error_that_says_nothing_is_looked_into_retried_with_back_off_and_told() -> Result<()> {
    scenario("dest-eio", |rig| {
        let place = rig.place("agent")?;
        let log = rig.path("strace.log");
        let mut agent = place.start_with(&Launch::with_faults(&["linkat:error=EIO"], &log))?;
        put_numbered(&mut connect(place.intake)?, 0..10)?;
        wait_complaint(&mut agent, text(&rig.out())?)?;
        let tries =
            || -> Result<usize> { Ok(std::fs::read_to_string(&log)?.matches("linkat(").count()) };
        wait::until(wait::LONG, "the third try", || {
            Ok((tries()? >= 3).then_some(()).ok_or("fewer"))
        })?;
        // from its first second on a loop without back-off makes hundreds a second
        let report = agent.report()?;
        let age = report
            .at("/deliveries/0/freshness/ageSeconds")
            .and_then(Value::as_f64);
        let age = age.context("no age in the report")?;
        let tries = tries()?;
        ensure!(
            f64::from(u32::try_from(tries)?) <= 20.0 + 10.0 * age,
            "{tries} tries in {age} s"
        );
        agent.kill()?;
        expect_numbers(&rig.out(), 0..0)?;
        place.start()?.finish()?;
        expect_numbers(&rig.out(), 0..10)
    })
}

#[test]
fn a_foreign_file_at_our_name_is_held_until_it_is_moved_away() -> Result<()> {
    foreign("dest-foreign", |_, name| Ok(std::fs::remove_file(name)?))
}

#[test]
fn a_foreign_file_at_our_name_stays_when_the_annotation_orders_another_name() -> Result<()> {
    foreign("dest-reseal", |place, _| {
        place.manifest.set(
            "/metadata/annotations",
            json!({ RESEAL: "2026-01-01T00:00:00Z" }),
        )?;
        place.save()
    })
}

/// A foreign file at the name of a sealed batch holds that batch alone, until `mend`.
fn foreign(test: &str, mend: impl FnOnce(&mut Place, &Path) -> Result<()>) -> Result<()> {
    scenario(test, |rig| {
        let mut place = rig.place("agent")?;
        let log = rig.path("strace.log");
        // the name is known once it was tried: every link fails until the restart
        let faults = ["linkat:error=ENOSPC", "renameat2:error=ENOSPC"];
        let mut agent = place.start_with(&Launch::with_faults(&faults, &log))?;
        put_numbered(&mut connect(place.intake)?, 0..10)?;
        wait_complaint(&mut agent, text(&rig.out())?)?;
        agent.kill()?;
        let name = tried(&log, &rig.out())?;
        std::fs::create_dir_all(name.parent().context("a directory")?)?;
        std::fs::write(&name, FOREIGN)?;

        let mut agent = place.start()?;
        let said = agent.wait_report("the conflict to be told", |report| {
            report.problems("KeyConflict").pop()
        })?;
        // that batch alone is held
        put_numbered(&mut connect(place.intake)?, 10..20)?;
        agent.wait_report("the later batch", |report| {
            (report.count("delivered")? == 10).then_some(())
        })?;
        ensure!(std::fs::read_to_string(&name)? == FOREIGN, "overwritten");
        mend(&mut place, &name)?;
        agent.wait_delivered()?;
        agent.drain()?;
        if std::fs::read_to_string(&name).is_ok_and(|found| found == FOREIGN) {
            std::fs::remove_file(&name)?;
        }
        expect_numbers(&rig.out(), 0..20)?;
        ensure!(said.contains(text(&name)?), "says not which file: {said}");
        Ok(())
    })
}

/// The visible name that a failed link was for, from the trace of the calls.
fn tried(log: &Path, out: &Path) -> Result<PathBuf> {
    let calls = std::fs::read_to_string(log)?;
    let line = calls
        .lines()
        .find(|line| line.contains("linkat("))
        .context("no link was tried")?;
    let quoted: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
    let name = quoted
        .last()
        .with_context(|| format!("no name in {line}"))?;
    ensure!(
        delivered::files(out)?.is_empty(),
        "something is visible after {line}"
    );
    Ok(out.join(name))
}

//! The manifest changed on disk while the agent runs (I-6): good edits take effect between two
//! batches, bad and refused ones change nothing and are reported.

use std::os::unix::fs::symlink;

use anyhow::{Result, ensure};
use e2e::agent::Agent;
use e2e::firehose;
use e2e::rig::Place;
use e2e::wait;
use serde_json::json;

use crate::kit::{connect, expect_numbers, put_numbered, scenario};

/// Waits until a later data path than `before` is in force.
fn wait_generation(agent: &mut Agent, before: u64) -> Result<u64> {
    agent.wait_report("the edit to be taken", |report| {
        report
            .generation()
            .filter(|generation| *generation > before)
    })
}

/// The generation in force, once the delivery has begun.
fn generation(agent: &mut Agent) -> Result<u64> {
    agent.wait_report("the first data path", |report| {
        report.generation().filter(|generation| *generation > 0)
    })
}

#[test]
fn a_new_prefix_holds_for_the_next_batch_and_the_old_one_keeps_its_place() -> Result<()> {
    scenario("prefix", |rig| {
        let mut place = rig.place("agent")?;
        place
            .manifest
            .set("/spec/destinations/0/buffering/intervalSeconds", json!(900))?;
        place.save()?;
        let mut agent = place.start()?;
        let before = generation(&mut agent)?;
        let mut connection = connect(place.intake)?;
        put_numbered(&mut connection, 0..10)?;
        place
            .manifest
            .set("/spec/destinations/0/fileSystem/prefix", json!("second/"))?;
        place.save()?;
        wait_generation(&mut agent, before)?;
        put_numbered(&mut connection, 10..30)?;
        agent.drain()?;
        expect_numbers(&rig.out().join("data"), 0..10)?;
        let second: Vec<u64> = crate::kit::numbers(&rig.out().join("second"))?;
        ensure!(second == (10..30).collect::<Vec<u64>>(), "{second:?}");
        Ok(())
    })
}

#[test]
fn a_swapped_symlink_is_seen_as_kubelet_swaps_it() -> Result<()> {
    scenario("symlink", |rig| {
        let mut place = rig.place("agent")?;
        let mounted = rig.path("mounted");
        for version in ["v1", "v2"] {
            std::fs::create_dir_all(mounted.join(version))?;
        }
        place.manifest.write(&mounted.join("v1/stream.yaml"))?;
        place
            .manifest
            .set("/spec/destinations/0/fileSystem/prefix", json!("second/"))?;
        place.manifest.write(&mounted.join("v2/stream.yaml"))?;
        symlink("v1", mounted.join("..data"))?;
        symlink("..data/stream.yaml", mounted.join("stream.yaml"))?;
        std::fs::remove_file(place.manifest_path())?;
        symlink(mounted.join("stream.yaml"), place.manifest_path())?;

        let mut agent = place.start()?;
        let before = generation(&mut agent)?;
        symlink("v2", mounted.join("..fresh"))?;
        std::fs::rename(mounted.join("..fresh"), mounted.join("..data"))?;
        wait_generation(&mut agent, before)?;
        put_numbered(&mut connect(place.intake)?, 0..5)?;
        agent.finish()?;
        expect_numbers(&rig.out().join("second"), 0..5)
    })
}

#[test]
fn edits_that_need_a_restart_are_refused_whole_and_the_old_spec_is_kept() -> Result<()> {
    scenario("refused-edits", |rig| {
        let place = rig.place("agent")?;
        let mut agent = place.start()?;
        let mut connection = connect(place.intake)?;
        let edits = [
            ("/metadata/name", json!("another"), "metadata.name"),
            ("/spec/streamName", json!("another"), "streamName"),
            (
                "/spec/source/directPut/port",
                json!(1 + place.intake.port() % 60_000),
                "port",
            ),
            (
                "/spec/source/directPut/auth",
                json!({"type": "Bearer", "bearer": {"secret": {"name": "s", "key": "k"}}}),
                "auth",
            ),
            (
                "/spec/destinations/0/name",
                json!("another"),
                "destinations",
            ),
        ];
        for (index, (pointer, value, named)) in (0_u64..).zip(edits) {
            let mut edited = place.clone();
            edited.manifest.set(pointer, value)?;
            // what could be taken alone is refused with it
            edited
                .manifest
                .set("/spec/destinations/0/fileSystem/prefix", json!("wrong/"))?;
            edited.save()?;
            let said = agent.wait_report(&format!("{pointer} to be refused"), |report| {
                let problems = report.problems("SpecRefused");
                problems.into_iter().find(|problem| problem.contains(named))
            })?;
            ensure!(said.contains("restart"), "says not what to do: {said}");
            put_numbered(&mut connection, index * 10..index * 10 + 10)?;
        }
        place.save()?;
        agent.wait_report("the problem to go with the edit", |report| {
            report.problems("SpecRefused").is_empty().then_some(())
        })?;
        agent.finish()?;
        expect_numbers(&rig.out().join("data"), 0..50)
    })
}

#[test]
fn a_broken_manifest_is_reported_and_changes_nothing() -> Result<()> {
    scenario("broken-edit", |rig| {
        let place = rig.place("agent")?;
        let mut agent = place.start()?;
        for text in ["kind: [", "", "spec: {wal: {capacity: 5MB}}"] {
            std::fs::write(place.manifest_path(), text)?;
            agent.wait_report(&format!("{text:?} to be refused"), |report| {
                (!report.problems("SpecInvalid").is_empty()).then_some(())
            })?;
            place.save()?;
            agent.wait_report("the problem to go", |report| {
                report.problems("SpecInvalid").is_empty().then_some(())
            })?;
        }
        put_numbered(&mut connect(place.intake)?, 0..3)?;
        agent.finish()?;
        expect_numbers(&rig.out(), 0..3)
    })
}

#[test]
fn paused_refuses_intake_and_delivers_what_is_there() -> Result<()> {
    scenario("paused", |rig| {
        let mut place = rig.place("agent")?;
        let mut agent = place.start()?;
        let mut connection = connect(place.intake)?;
        put_numbered(&mut connection, 0..10)?;
        set_state(&mut place, "Paused")?;
        wait_put_status(&place, 500)?;
        agent.wait_delivered()?;
        ensure!(
            agent.get("/readyz")?.status == 200,
            "a paused stream keeps its endpoint"
        );
        set_state(&mut place, "Running")?;
        wait_put_status(&place, 200)?;
        agent.finish()?;
        Ok(())
    })
}

fn set_state(place: &mut Place, state: &str) -> Result<()> {
    place.manifest.set("/spec/desiredState", json!(state))?;
    place.save()
}

fn wait_put_status(place: &Place, status: u16) -> Result<()> {
    let mut connection = connect(place.intake)?;
    wait::until(wait::LONG, &format!("status {status}"), || {
        let response = firehose::put(&mut connection, &["{}"])?;
        Ok((response.status == status)
            .then_some(())
            .ok_or(response.status))
    })
}

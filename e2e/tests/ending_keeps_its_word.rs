//! Signals, drains and exit codes.

use anyhow::{Result, ensure};
use e2e::agent::Launch;
use e2e::rig::{Place, Rig};
use e2e::wait;
use rustix::process::Signal;
use serde_json::json;

use crate::kit::{connect, expect_numbers, numbers, put_numbered, scenario};

/// A place whose open batch is sealed by nothing but a drain.
fn patient(rig: &Rig) -> Result<Place> {
    let mut place = rig.place("agent")?;
    place
        .manifest
        .set("/spec/destinations/0/buffering/intervalSeconds", json!(900))?;
    place.save()?;
    Ok(place)
}

/// A place that can't deliver.
fn blocked(rig: &Rig) -> Result<Place> {
    std::fs::write(rig.path("file"), "in the way")?;
    let mut place = rig.place("agent")?;
    place.manifest.set_directory(&rig.path("file/below"))?;
    place.save()?;
    Ok(place)
}

#[test]
fn sigint_seals_delivers_and_exits_0() -> Result<()> {
    scenario("sigint", |rig| {
        let place = patient(rig)?;
        let agent = place.start()?;
        put_numbered(&mut connect(place.intake)?, 0..40)?;
        expect_numbers(&rig.out(), 0..0)?;
        agent.drain()?;
        expect_numbers(&rig.out(), 0..40)
    })
}

#[test]
fn sigterm_keeps_serving_while_endpoints_settle_then_drains_and_exits_0() -> Result<()> {
    scenario("sigterm", |rig| {
        let place = patient(rig)?;
        let mut agent = place.start()?;
        let mut connection = connect(place.intake)?;
        put_numbered(&mut connection, 0..10)?;
        agent.signal(Signal::TERM)?;
        wait::until(wait::LONG, "readiness to go off", || {
            let status = agent.get("/readyz")?.status;
            Ok((status != 200).then_some(()).ok_or("still ready"))
        })?;
        ensure!(
            agent.get("/healthz")?.status == 200,
            "a drain is no illness"
        );
        put_numbered(&mut connection, 10..20)?;
        put_numbered(&mut connect(place.intake)?, 20..30)?;
        ensure!(agent.wait_exit()? == 0);
        expect_numbers(&rig.out(), 0..30)
    })
}

#[test]
fn a_drain_that_runs_out_of_time_exits_5_and_the_next_start_delivers() -> Result<()> {
    scenario("cut-drain", |rig| {
        let mut place = blocked(rig)?;
        let mut agent = place.start_with(&Launch::flags(["--drain-timeout", "1s"]))?;
        put_numbered(&mut connect(place.intake)?, 0..25)?;
        agent.signal(Signal::INT)?;
        ensure!(agent.wait_exit()? == 5, "records are left in the wal");
        place.manifest.set_directory(&rig.out())?;
        place.save()?;
        let mut agent = place.start()?;
        agent.wait_delivered()?;
        agent.drain()?;
        expect_numbers(&rig.out(), 0..25)
    })
}

#[test]
fn a_second_signal_ends_at_once() -> Result<()> {
    scenario("second-signal", |rig| {
        let place = blocked(rig)?;
        let mut agent = place.start_with(&Launch::flags(["--drain-timeout", "24h"]))?;
        put_numbered(&mut connect(place.intake)?, 0..5)?;
        agent.signal(Signal::INT)?;
        wait::until(wait::LONG, "the drain to begin", || {
            let drains = agent
                .get("/readyz")
                .map_or(true, |response| response.status != 200);
            Ok(drains.then_some(()).ok_or("still ready"))
        })?;
        ensure!(
            agent.is_running()?,
            "the drain can't be over: nothing can be delivered"
        );
        agent.signal(Signal::INT)?;
        ensure!(agent.wait_exit()? == 5);
        Ok(())
    })
}

#[test]
fn wrong_usage_and_invalid_manifests_exit_2() -> Result<()> {
    scenario("usage", |rig| {
        let mut place = rig.place("agent")?;
        let (code, said) = place.refusal(&Launch::flags(["--no-such-flag"]))?;
        ensure!(
            code == 2 && said.contains("--no-such-flag"),
            "{code}: {said}"
        );
        place.manifest.set("/spec/wal/capacity", json!("5MB"))?;
        place.save()?;
        let (code, said) = place.refusal(&Launch::default())?;
        ensure!(
            code == 2 && said.contains("spec.wal.capacity"),
            "{code}: {said}"
        );
        std::fs::remove_file(place.manifest_path())?;
        let (code, said) = place.refusal(&Launch::default())?;
        ensure!(code == 2 && said.contains("stream.yaml"), "{code}: {said}");
        Ok(())
    })
}

#[test]
fn a_taken_port_exits_2_and_names_it() -> Result<()> {
    scenario("port", |rig| {
        let place = rig.place("agent")?;
        let taken = std::net::TcpListener::bind(place.intake)?;
        let (code, said) = place.refusal(&Launch::default())?;
        ensure!(
            code == 2 && said.contains(&place.intake.port().to_string()),
            "{code}: {said}"
        );
        drop(taken);
        Ok(())
    })
}

#[test]
fn a_wal_whose_device_fails_for_a_while_refuses_loses_nothing_and_goes_on() -> Result<()> {
    scenario("wal-fails", |rig| {
        let place = rig.place("agent")?;
        // W-2: the first failing sync poisons its segment, and so does each of the next
        let faults = Launch::with_faults(
            &["fdatasync:error=EIO:when=40..44"],
            &rig.path("strace.log"),
        );
        let agent = place.start_with(&faults)?;
        let mut connection = connect(place.intake)?;
        let mut acked = Vec::new();
        let mut refused = Vec::new();
        for number in 0..10_000 {
            let taken = put_numbered(&mut connection, number..number + 1).is_ok();
            let list = if taken { &mut acked } else { &mut refused };
            list.push(number);
            if !refused.is_empty() && taken {
                break;
            }
        }
        ensure!(!refused.is_empty(), "no sync failed while records were put");
        ensure!(
            acked.last() > refused.last(),
            "not one was taken after the device had healed"
        );
        agent.kill()?;
        place.start()?.finish()?;
        let found = numbers(&rig.out())?;
        ensure!(
            found == acked,
            "acknowledged {acked:?}, refused {refused:?}, found {found:?}"
        );
        Ok(())
    })
}

//! The wal filled to its capacity (I-5, I-8, W-7): what was answered 200 is what is delivered,
//! nothing answered 500 appears, and intake opens again by itself.

use anyhow::{Result, ensure};
use e2e::delivered;
use e2e::firehose::{self, STREAM};
use e2e::oracle::Outcome;
use e2e::producer::{Load, Producers};
use e2e::wait;
use serde_json::json;

use crate::kit::{connect, oracle, scenario, seed, verify};

#[test]
fn a_full_wal_refuses_exactly_and_recovers_by_itself() -> Result<()> {
    scenario("full", |rig| {
        std::fs::write(rig.path("file"), "in the way")?;
        let mut place = rig.place("agent")?;
        place.manifest.set_directory(&rig.path("file/below"))?;
        place.save()?;
        let mut agent = place.start()?;
        let oracle = oracle(rig)?;
        let load = Load {
            name: "p",
            threads: 4,
            records_max: 20,
            bytes_max: 200_000,
            seed: seed("full")?,
        };
        let producers = Producers::start(&load, place.intake, &oracle)?;
        wait::until(wait::LONG, "refusals", || {
            Ok((producers.refused() >= 50).then_some(()).ok_or("too few"))
        })?;

        // the refusal as a producer sees it, on both doors
        let mut connection = connect(place.intake)?;
        let record = vec![b'1'; 1_000_000];
        let refusal = firehose::put(&mut connection, &[&record, &record, &record])?;
        ensure!(
            refusal.status == 500,
            "{}: {}",
            refusal.status,
            refusal.text()
        );
        ensure!(refusal.header("x-amzn-errortype") == Some("ServiceUnavailableException"));
        let refusal = connection.request("POST", "/v1/records", &[], &record)?;
        ensure!(
            refusal.status == 503,
            "{}: {}",
            refusal.status,
            refusal.text()
        );
        ensure!(
            refusal.header("retry-after").is_some(),
            "503 without Retry-After"
        );
        ensure!(
            agent.get("/readyz")?.status == 200,
            "a full wal must not take the endpoint away"
        );
        ensure!(agent.get("/healthz")?.status == 200);

        // more capacity is taken live and opens intake although nothing is delivered
        let goal = producers.acked() + 100;
        place.manifest.set("/spec/wal/capacity", json!("384Mi"))?;
        place.save()?;
        wait::until(wait::LONG, "intake to open with more capacity", || {
            Ok((producers.acked() >= goal)
                .then_some(())
                .ok_or("still refused"))
        })?;
        let refused = producers.refused();
        wait::until(wait::LONG, "refusals at the larger capacity", || {
            Ok((producers.refused() >= refused + 20)
                .then_some(())
                .ok_or("too few"))
        })?;

        place.manifest.set_directory(&rig.out())?;
        place.save()?;
        let goal = producers.acked() + 200;
        wait::until(
            wait::LONG,
            "intake to open when the wal is delivered",
            || {
                Ok((producers.acked() >= goal)
                    .then_some(())
                    .ok_or("still refused"))
            },
        )?;
        producers.stop()?;
        let report = agent.wait_delivered()?;
        agent.drain()?;

        let journal = oracle.journal()?;
        let verdict = verify(&journal, &delivered::read(&rig.out())?)?;
        let acked = journal.count(Outcome::Acked);
        println!(
            "full {STREAM}: {acked} acknowledged, {} refused; {verdict}",
            journal.count(Outcome::Refused)
        );
        ensure!(
            journal.count(Outcome::Ambiguous) == 0,
            "a request got no reply"
        );
        ensure!(
            report.count("accepted") == Some(acked as u64),
            "accepted ≠ acknowledged: {report}"
        );
        Ok(())
    })
}

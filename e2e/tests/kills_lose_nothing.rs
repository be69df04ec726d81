//! `kill -9` under load, again and again: I-1, I-2, I-3, I-4 and W-13 on the real binary.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::delivered;
use e2e::oracle::Outcome;
use e2e::producer::{Load, Producers};
use e2e::wait;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::kit::{count, oracle, scenario, seed, verify};

/// Records that must be acknowledged in each life, so that each kill hits an agent at work.
const ACKED_PER_LIFE: u64 = 200;

#[test]
fn kills_under_load_lose_nothing_double_nothing_and_keep_the_order() -> Result<()> {
    scenario("kills", |rig| {
        let cycles = count("STANDPIPE_KILL_CYCLES", 20)?;
        let seed = seed("kills")?;
        let mut random = StdRng::seed_from_u64(seed);
        let place = rig.place("agent")?;
        let oracle = oracle(rig)?;
        let load = Load {
            name: "p",
            threads: 4,
            records_max: 100,
            bytes_max: 2000,
            seed,
        };
        let producers = Producers::start(&load, place.intake, &oracle)?;

        let mut starts = Vec::new();
        for _ in 0..cycles {
            let start = Instant::now();
            let agent = place.start()?;
            starts.push(start.elapsed());
            let goal = producers.acked() + ACKED_PER_LIFE;
            wait::until(wait::LONG, "acknowledgements", || {
                Ok((producers.acked() >= goal).then_some(()).ok_or("too few"))
            })?;
            // the moment of the kill is the draw, nothing is asserted of it
            std::thread::sleep(Duration::from_millis(random.random_range(0..400)));
            agent.kill()?;
        }

        let mut agent = place.start()?;
        producers.stop()?;
        let report = agent.wait_delivered()?;
        agent.drain()?;

        let journal = oracle.journal()?;
        let verdict = verify(&journal, &delivered::read(&rig.out())?)?;
        let acked = journal.count(Outcome::Acked);
        let ambiguous = journal.count(Outcome::Ambiguous);
        starts.sort_unstable();
        println!(
            "kills: {cycles} cycles, {acked} records acknowledged, {ambiguous} without a reply; \
             {verdict}; start to ready p50 {:?}, longest {:?}; failure rate below {:.3} (95 %)",
            starts.get(starts.len() / 2),
            starts.last(),
            3.0 / f64::from(u32::try_from(cycles)?),
        );
        ensure!(
            ambiguous > 0,
            "no kill hit a request in flight: the load is too light"
        );
        // I-2 against the eyes of the reader: what the agent counts as delivered is what is there
        ensure!(
            report.count("delivered") == Some(verdict.delivered as u64),
            "the accounting and the directory differ: {report}"
        );
        Ok(())
    })
}

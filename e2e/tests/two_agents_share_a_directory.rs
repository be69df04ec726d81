//! Two agents with wal directories of their own deliver into one directory (W-3, D-1, D-15).

use anyhow::{Result, ensure};
use e2e::delivered;
use e2e::producer::{Load, Producers};
use e2e::wait;

use crate::kit::{oracle, scenario, seed, verify};

#[test]
fn two_agents_with_empty_wals_deliver_into_one_directory_without_touching_each_other() -> Result<()>
{
    scenario("two-agents", |rig| {
        let seed = seed("two-agents")?;
        let oracle = oracle(rig)?;
        let places = [rig.place("left")?, rig.place("right")?];
        let load = |name| Load {
            name,
            threads: 2,
            records_max: 50,
            bytes_max: 1000,
            seed,
        };

        let [left, mut right] = [places[0].start()?, places[1].start()?];
        let producers = [
            Producers::start(&load("l"), places[0].intake, &oracle)?,
            Producers::start(&load("r"), places[1].intake, &oracle)?,
        ];
        wait_acked(&producers, 1000)?;
        // a start cleans its own shard's folder only (D-15): the other is at work in its own
        left.kill()?;
        let mut left = places[0].start()?;
        wait_acked(&producers, 3000)?;
        for producers in producers {
            producers.stop()?;
        }
        for agent in [&mut left, &mut right] {
            agent.wait_delivered()?;
        }
        left.drain()?;
        right.drain()?;

        let verdict = verify(&oracle.journal()?, &delivered::read(&rig.out())?)?;
        println!("two agents: {verdict}");
        let shards = std::fs::read_dir(rig.out().join(".standpipe"))?.count();
        ensure!(
            shards == 2,
            "{shards} shard folders below .standpipe, expected one each"
        );
        Ok(())
    })
}

fn wait_acked(producers: &[Producers], goal: u64) -> Result<()> {
    wait::until(wait::LONG, "acknowledgements at both", || {
        let least = producers
            .iter()
            .map(Producers::acked)
            .min()
            .unwrap_or_default();
        Ok((least >= goal)
            .then_some(())
            .ok_or(format!("{least} of {goal}")))
    })
}

//! Producers: threads that put batches over kept connections and tell the oracle.
//!
//! A lane is the life of one connection, so order can be asked of it. A batch that got no reply
//! is never sent again under its ids: the next connection sends new records.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::firehose;
use crate::http::Connection;
use crate::oracle::{Entry, Line, Oracle, Outcome};
use crate::record::{Maker, Tag, hash};

/// Longest wait for a reply; a restarting agent resets the connection much earlier.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause after a refusal or a failed connection, so that a stopped agent isn't hammered.
const BREATH: Duration = Duration::from_millis(20);

/// What to send.
#[derive(Debug, Clone)]
pub struct Load {
    /// Names the lanes: `<name><thread>.<connection>`.
    pub name: &'static str,
    pub threads: u64,
    /// Most records in a batch; each batch draws its own count.
    pub records_max: usize,
    /// Bytes in a record; each record draws its own size up to this.
    pub bytes_max: usize,
    pub seed: u64,
}

/// Counts while the producers run.
#[derive(Debug, Default)]
pub struct Counts {
    pub acked_records: AtomicU64,
    pub refused_batches: AtomicU64,
    pub ambiguous_batches: AtomicU64,
}

/// Running producers.
#[derive(Debug)]
pub struct Producers {
    stop: Arc<AtomicBool>,
    counts: Arc<Counts>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Producers {
    /// Starts producers that put until [`Producers::stop`].
    ///
    /// # Errors
    /// The oracle is gone.
    pub fn start(load: &Load, agent: SocketAddr, oracle: &Oracle) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let counts = Arc::new(Counts::default());
        let mut threads = Vec::new();
        for thread in 0..load.threads {
            let mut random = StdRng::seed_from_u64(load.seed.wrapping_add(thread));
            let mut producer = Producer {
                maker: Maker::new(&mut random),
                random,
                name: format!("{}{thread}", load.name),
                lane: 0,
                number: 0,
                load: load.clone(),
                line: oracle.line()?,
            };
            let (stop, counts) = (Arc::clone(&stop), Arc::clone(&counts));
            threads.push(std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    producer.connection(agent, &stop, &counts)?;
                }
                Ok(())
            }));
        }
        Ok(Self {
            stop,
            counts,
            threads,
        })
    }

    /// Records acknowledged so far.
    pub fn acked(&self) -> u64 {
        self.counts.acked_records.load(Ordering::Relaxed)
    }

    /// Batches refused so far.
    pub fn refused(&self) -> u64 {
        self.counts.refused_batches.load(Ordering::Relaxed)
    }

    /// Batches without a reply so far.
    pub fn ambiguous(&self) -> u64 {
        self.counts.ambiguous_batches.load(Ordering::Relaxed)
    }

    /// Lets the batches in flight end, then ends the threads.
    ///
    /// # Errors
    /// The first error of a producer: the oracle failed it.
    pub fn stop(self) -> Result<Arc<Counts>> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread
                .join()
                .map_err(|_| anyhow!("a producer panicked"))??;
        }
        Ok(self.counts)
    }
}

struct Producer {
    maker: Maker,
    random: StdRng,
    name: String,
    lane: u64,
    number: u64,
    load: Load,
    line: Line,
}

impl Producer {
    /// One connection: batches until it fails, is closed or the test ends.
    fn connection(&mut self, agent: SocketAddr, stop: &AtomicBool, counts: &Counts) -> Result<()> {
        let Ok(mut connection) = Connection::open(agent, PATIENCE) else {
            std::thread::sleep(BREATH);
            return Ok(());
        };
        self.lane += 1;
        self.number = 0;
        while !stop.load(Ordering::Relaxed) {
            if !self.batch(&mut connection, counts)? {
                break;
            }
        }
        Ok(())
    }

    /// Puts one batch; false when the connection is of no more use.
    fn batch(&mut self, connection: &mut Connection, counts: &Counts) -> Result<bool> {
        let lane = format!("{}.{}", self.name, self.lane);
        let first = self.number;
        let count = self.random.random_range(1..=self.load.records_max);
        let records: Vec<Vec<u8>> = (first..)
            .take(count)
            .map(|number| {
                let bytes = self.random.random_range(1..=self.load.bytes_max);
                let tag = Tag {
                    lane: lane.clone(),
                    number,
                };
                self.maker.make(&mut self.random, &tag, bytes)
            })
            .collect();
        self.number += count as u64;
        let hashes = records.iter().map(|record| hash(record)).collect();
        self.line.keep(&Entry::Sent {
            lane: lane.clone(),
            first,
            hashes,
        })?;
        let reply = firehose::put(connection, &records);
        let outcome = match &reply {
            Ok(response) if response.status == 200 => Outcome::Acked,
            Ok(_) => Outcome::Refused,
            Err(_) => Outcome::Ambiguous,
        };
        self.line.keep(&Entry::Answered {
            lane,
            first,
            outcome,
        })?;
        match outcome {
            Outcome::Acked => counts
                .acked_records
                .fetch_add(count as u64, Ordering::Relaxed),
            Outcome::Refused => counts.refused_batches.fetch_add(1, Ordering::Relaxed),
            Outcome::Ambiguous => counts.ambiguous_batches.fetch_add(1, Ordering::Relaxed),
        };
        if outcome == Outcome::Refused {
            std::thread::sleep(BREATH);
        }
        Ok(reply.is_ok_and(|response| response.keeps_open()))
    }
}

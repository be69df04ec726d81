//! The wal against the bare disk, side by side in one run (`make bench`).
//!
//! Groups of 512 KB go through the wal in its steady state: a cursor follows and completes, segments
//! are recycled. Beside it the same sizes are written and synced to a bare growing file and to a bare
//! prewritten one, in the same directory, in turns, so that all three meet the same noise. The ratio
//! is wal ÷ the faster bare file.
//!
//! `STANDPIPE_BENCH_DIR` says where; by default below the target directory.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark prints the figures of a sample"
)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agent::entropy::Entropy;
use agent::executor::Executor;
use agent::fs::os::OsFs;
use agent::object::{BatchIdentity, Partition, Place, SealedBatch};
use agent::record::UnixMillis;
use agent::runs::Runs;
use agent::wal::{self, Control, Counts, FrameBuf, Options, Progress, Read, Wal};

const MIB: u64 = 1024 * 1024;
const RECORD: usize = 1024;
const RECORDS: usize = 500;
/// A pool of eight segments of 16 MiB.
const CAPACITY: u64 = 8 * 16 * MIB;
/// Groups in a turn of each of the three.
const TURN: usize = 64;
const TURNS: usize = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let base = std::env::var_os("STANDPIPE_BENCH_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let directory = base.join(format!("wal-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()?;
    let result = runtime.block_on(run(&directory));
    drop(runtime);
    std::fs::remove_dir_all(&directory)?;
    result
}

async fn run(directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::new("bench/bench", CAPACITY);
    options.segment_bytes = Some(16 * MIB);
    let entropy = Entropy::from_system()?;
    let wal = wal::open(
        OsFs,
        &directory.join("wal"),
        &options,
        Executor::threads(2),
        entropy,
    )?;
    let follower = tokio::spawn(follow(wal.clone()));

    // the first time round no segment has been used before
    let mut first = Times::default();
    append(&wal, CAPACITY as usize / (RECORDS * RECORD), &mut first).await?;

    let growing = Bare::new(directory.join("growing"), false)?;
    let prewritten = Bare::new(directory.join("prewritten"), true)?;
    let written = wal.status().written_bytes;
    let (mut steady, mut grown, mut pre) = (Times::default(), Times::default(), Times::default());
    let (mut growing, mut prewritten) = (growing, prewritten);
    for _ in 0..TURNS {
        append(&wal, TURN, &mut steady).await?;
        growing.write(TURN, &mut grown)?;
        prewritten.write(TURN, &mut pre)?;
    }
    let accepted = (TURNS * TURN * RECORDS * RECORD) as f64;
    let device = (wal.status().written_bytes - written) as f64;
    first.print("wal, first fill");
    steady.print("wal, steady state");
    grown.print("bare growing file");
    pre.print("bare prewritten file");
    let bare = grown.megabytes_a_second().max(pre.megabytes_a_second());
    println!("segments passed: {:.0}", device / (16.0 * MIB as f64));
    println!("device bytes / accepted bytes: {:.3}", device / accepted);
    println!(
        "wal / faster bare file: {:.2}",
        steady.megabytes_a_second() / bare
    );
    wal.close().await?;
    follower.abort();
    Ok(())
}

/// Two producers append batch after batch: while the group of one is synced, the other's waits.
async fn append(wal: &Wal, groups: usize, times: &mut Times) -> Result<(), wal::AppendError> {
    let started = Instant::now();
    let (mut one, mut other) = (Vec::new(), Vec::new());
    tokio::try_join!(
        produce(wal.appender(), groups / 2, &mut one),
        produce(wal.appender(), groups / 2, &mut other)
    )?;
    times.elapsed += started.elapsed();
    times.each.extend(one.into_iter().chain(other));
    Ok(())
}

async fn produce(
    appender: wal::Appender,
    groups: usize,
    times: &mut Vec<Duration>,
) -> Result<(), wal::AppendError> {
    let mut buf = FrameBuf::with_capacity(RECORDS * RECORD);
    let record = vec![b'x'; RECORD];
    for _ in 0..RECORDS {
        buf.push(&record);
    }
    // what intake does before is not the wal's: the same payload again and again
    let payload = buf.finish(UnixMillis(0), None);
    for _ in 0..groups {
        let room = loop {
            match appender.reserve(payload.byte_len() as u64) {
                Ok(room) => break room,
                Err(wal::AppendError::Full { .. }) => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Err(error) => return Err(error),
            }
        };
        let started = Instant::now();
        appender.append(payload.clone(), room).await?;
        times.push(started.elapsed());
    }
    Ok(())
}

/// Reads, seals and completes, so that segments are truncated and used again.
async fn follow(wal: Wal) -> Result<(), String> {
    let (mut cursor, journal, state) = wal.attach("bench").await.map_err(|e| e.to_string())?;
    let mut runs = Runs::new();
    loop {
        match cursor.next().await.map_err(|e| e.to_string())? {
            Read::Batch(batch) => runs.insert(batch.sequences()),
            Read::Lost { sequences, .. } => return Err(format!("lost {sequences:?}")),
        }
        let Some(first) = runs.first().filter(|_| runs.len() >= 16 * RECORDS as u64) else {
            continue;
        };
        let status = wal.status();
        let batch = SealedBatch {
            identity: BatchIdentity {
                shard: status.shard,
                incarnation: status.incarnation,
                cursor: state.id,
                partition: Partition::Data,
                first_sequence: first,
            },
            reseal: 0,
            place: Place {
                root: "/".into(),
                key: "k".into(),
            },
            generation: 1,
            arrival: UnixMillis(0),
            count: runs.len(),
            length: 0,
            digest: [0; 32],
            runs: runs.clone(),
        };
        let done = Control::Done {
            cursor: state.id,
            batch: batch.id(),
            rejects: Vec::new(),
        };
        journal
            .log(Control::Seal(batch))
            .await
            .map_err(|e| e.to_string())?;
        journal.log(done).await.map_err(|e| e.to_string())?;
        let counts = Counts {
            delivered: runs.len(),
            ..Counts::default()
        };
        journal.progress(Progress {
            complete: std::mem::take(&mut runs),
            counts,
        });
    }
}

/// A file without a log around it.
struct Bare {
    file: File,
    at: u64,
    length: u64,
}

impl Bare {
    fn new(path: PathBuf, prewritten: bool) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).write(true).open(path)?;
        let length = if prewritten { CAPACITY } else { 0 };
        let zeros = vec![0; MIB as usize];
        for at in (0..length).step_by(MIB as usize) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(Self {
            file,
            at: 0,
            length,
        })
    }

    fn write(&mut self, groups: usize, times: &mut Times) -> io::Result<()> {
        let group = vec![b'x'; RECORDS * RECORD];
        for _ in 0..groups {
            if self.length > 0 && self.at + group.len() as u64 > self.length {
                self.at = 0;
            }
            let started = Instant::now();
            self.file.write_all_at(&group, self.at)?;
            self.file.sync_data()?;
            times.each.push(started.elapsed());
            times.elapsed += started.elapsed();
            self.at += group.len() as u64;
        }
        Ok(())
    }
}

/// How long each took, as whoever waits sees it, and all together by the clock on the wall.
#[derive(Default)]
struct Times {
    each: Vec<Duration>,
    elapsed: Duration,
}

impl Times {
    fn megabytes_a_second(&self) -> f64 {
        (self.each.len() * RECORDS * RECORD) as f64 / 1e6 / self.elapsed.as_secs_f64()
    }

    fn print(&self, what: &str) {
        let mut sorted = self.each.clone();
        sorted.sort();
        let at =
            |part: f64| sorted[((sorted.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
        println!(
            "{what}: {:.0} MB/s, p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms ({} groups of {} KB)",
            self.megabytes_a_second(),
            at(0.5),
            at(0.99),
            at(1.0),
            sorted.len(),
            RECORDS * RECORD / 1000
        );
    }
}

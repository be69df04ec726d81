//! `make bench`, the part from the socket on: `PutRecordBatch` of 500 × 1 KB with the ack after the
//! sync against the bare disk, and from the socket to gzip files against bare gzip.
//!
//! Ratios are taken within one run on one disk; absolute figures say more of the machine. Clients
//! run on the same cores as the agent and send bodies made beforehand.

#![expect(clippy::print_stdout, reason = "figures are what a bench is for")]

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::agent::Agent;
use e2e::firehose::{STREAM, batch_body, call};
use e2e::http::Connection;
use e2e::rig::{Place, Rig, scenario, workspace};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

const RECORDS: usize = 500;
const RECORD_BYTES: usize = 1000;
const MIB: f64 = 1024.0 * 1024.0;
const PATIENCE: Duration = Duration::from_mins(1);

fn main() -> Result<()> {
    let area = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scenario(area, "bench", |rig| {
        let batches = batches_of_a_run()?;
        let records = records()?;
        println!(
            "{RECORDS} records of {RECORD_BYTES} bytes a batch, {batches} batches ({:.0} MiB) a run",
            payload_bytes(batches) / MIB
        );
        let bare = bare_disk(&rig.path("bare"), batches)?;
        println!(
            "bare disk, write + fdatasync of a batch's bytes into a written file: {bare:.0} MiB/s"
        );
        for connections in [1, 8, 32] {
            intake(rig, &records, connections, batches, bare)?;
        }
        end_to_end(rig, &records, batches)
    })
}

/// `STANDPIPE_BENCH_BATCHES`, else 1,024 (488 MiB): enough for steady figures, below the wal.
fn batches_of_a_run() -> Result<usize> {
    match std::env::var("STANDPIPE_BENCH_BATCHES") {
        Ok(text) => Ok(text.parse().context("STANDPIPE_BENCH_BATCHES")?),
        Err(_) => Ok(1024),
    }
}

/// Flight departures, several to a record: they compress as real records do.
fn records() -> Result<Vec<Vec<u8>>> {
    let flights = std::fs::read_to_string(workspace()?.join("e2e/data/flights.ndjson"))?;
    let mut lines = flights.lines().cycle();
    let mut records = Vec::new();
    for number in 0..RECORDS {
        let mut record = format!(r#"{{"number":{number},"flights":["#).into_bytes();
        while let Some(line) = lines
            .next()
            .filter(|line| record.len() + line.len() + 20 < RECORD_BYTES)
        {
            record.extend_from_slice(line.as_bytes());
            record.push(b',');
        }
        record.extend_from_slice(br#"""],"end":""#);
        record.resize(RECORD_BYTES - 2, b'.');
        record.extend_from_slice(br#""}"#);
        records.push(record);
    }
    Ok(records)
}

fn payload_bytes(batches: usize) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "bytes of a bench are far below 2^52"
    )]
    let bytes = (batches * RECORDS * RECORD_BYTES) as f64;
    bytes
}

/// MiB/s of the disk under the rig, at its best for a log: the file's blocks exist already.
fn bare_disk(path: &Path, batches: usize) -> Result<f64> {
    let group = vec![b'x'; RECORDS * RECORD_BYTES];
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(path)?;
    for _ in 0..batches {
        (&file).write_all(&group)?;
    }
    file.sync_all()?;
    let start = Instant::now();
    let mut offset = 0;
    for _ in 0..batches {
        file.write_all_at(&group, offset)?;
        file.sync_data()?;
        offset += group.len() as u64;
    }
    let rate = payload_bytes(batches) / MIB / start.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}

fn place(rig: &Rig, name: &str) -> Result<Place> {
    let mut place = rig.place(name)?;
    place
        .manifest
        .set("/spec/wal/capacity", json!("4Gi"))?
        .set("/spec/destinations/0/buffering/size", json!("64Mi"))?;
    Ok(place)
}

/// Intake alone: the destination can't be written, so no core is spent on delivery.
fn intake(
    rig: &Rig,
    records: &[Vec<u8>],
    connections: usize,
    batches: usize,
    bare: f64,
) -> Result<()> {
    let mut place = place(rig, &format!("intake-{connections}"))?;
    File::create(rig.path("file"))?;
    place.manifest.set_directory(&rig.path("file/below"))?;
    place.save()?;
    let agent = place.start()?;
    let run = send(&place, records, connections, batches)?;
    let rate = payload_bytes(batches) / run.seconds / MIB;
    #[expect(
        clippy::cast_precision_loss,
        reason = "records of a bench are far below 2^52"
    )]
    let records_rate = (batches * RECORDS) as f64 / run.seconds;
    println!(
        "intake, {connections} connections: {records_rate:.0} records/s, {rate:.0} MiB/s = {:.2} of the bare disk; \
         request p50 {:.1} ms, p99 {:.1} ms; {:.2} CPU-seconds/GB; RSS at most {:.0} MiB",
        rate / bare,
        run.percentile(50),
        run.percentile(99),
        agent.cpu_seconds()? / (payload_bytes(batches) / 1e9),
        resident(&agent)?,
    );
    agent.kill()?;
    std::fs::remove_dir_all(place.wal())?;
    Ok(())
}

/// From the socket to gzip files: what the agent spends against what bare gzip of the same bytes
/// spends, both in processor time.
fn end_to_end(rig: &Rig, records: &[Vec<u8>], batches: usize) -> Result<()> {
    let place = place(rig, "end-to-end")?;
    place.save()?;
    let mut agent = place.start()?;
    let start = Instant::now();
    send(&place, records, 4, batches)?;
    agent.wait_delivered()?;
    let seconds = start.elapsed().as_secs_f64();
    let spent = agent.cpu_seconds()?;
    let memory = resident(&agent)?;
    agent.drain()?;

    let lines: Vec<u8> = records
        .iter()
        .flat_map(|record| [record, &b"\n"[..]].concat())
        .collect();
    let start = Instant::now();
    for _ in 0..batches {
        let mut gzip = GzEncoder::new(std::io::sink(), Compression::new(6));
        gzip.write_all(&lines)?;
        gzip.finish()?;
    }
    let bare = start.elapsed().as_secs_f64();
    let bytes = payload_bytes(batches);
    println!(
        "to gzip files: {:.0} MiB/s; {:.1} MiB per agent CPU-second = {:.2} of bare gzip ({:.1}); \
         RSS at most {memory:.0} MiB",
        bytes / MIB / seconds,
        bytes / MIB / spent,
        bare / spent,
        bytes / MIB / bare,
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52")]
fn resident(agent: &Agent) -> Result<f64> {
    Ok(agent.resident_max()? as f64 / MIB)
}

struct Run {
    seconds: f64,
    /// Of every request, sorted.
    latencies: Vec<Duration>,
}

impl Run {
    fn percentile(&self, percent: usize) -> f64 {
        let index = (self.latencies.len() * percent / 100).min(self.latencies.len() - 1);
        self.latencies
            .get(index)
            .map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }
}

fn send(place: &Place, records: &[Vec<u8>], connections: usize, batches: usize) -> Result<Run> {
    let body = batch_body(STREAM, records);
    let each = batches / connections;
    let start = Instant::now();
    let latencies = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| client(place, &body, each)))
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            let latencies = thread
                .join()
                .map_err(|_| anyhow::anyhow!("a client panicked"))??;
            all.extend(latencies);
        }
        anyhow::Ok(all)
    });
    let seconds = start.elapsed().as_secs_f64();
    let mut latencies = latencies?;
    latencies.sort_unstable();
    ensure!(!latencies.is_empty(), "fewer batches than connections");
    Ok(Run { seconds, latencies })
}

fn client(place: &Place, body: &[u8], batches: usize) -> Result<Vec<Duration>> {
    let mut connection = Connection::open(place.intake, PATIENCE)?;
    let mut latencies = Vec::with_capacity(batches);
    for _ in 0..batches {
        let start = Instant::now();
        let response = call(&mut connection, "PutRecordBatch", body)?;
        latencies.push(start.elapsed());
        ensure!(
            response.status == 200,
            "{}: {}",
            response.status,
            response.text()
        );
    }
    Ok(latencies)
}

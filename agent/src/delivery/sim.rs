//! The delivery protocol's invariants over the real code: the real wal on the faulty file system, the
//! real loop, and a store that loses, delays and refuses requests. Crashes come at any step, specs
//! change, roots are denied and mended. At the end every acknowledged record is in exactly one
//! object, whole, in order, in the partition where it belongs (I-3, I-4), and the books balance (I-2).
//!
//! `STANDPIPE_SIM_SEEDS` runs more; a failing seed is in the message.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "the dice of a test are small"
)]

mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use crds::validate::{
    DataPath, DataPathParts, DataPlace, ErrorPlace, ObjectCompression, PlaceType, RecordFormat,
    ValidatedBuffering, ValidatedDelivery,
};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::clock::ManualClock;
use crate::delivery::{DeliveryError, Seams};
use crate::entropy::Entropy;
use crate::executor::Executor;
use crate::fs::fault::FaultFs;
use crate::pipeline::{Origin, Pipeline};
use crate::record::UnixMillis;
use crate::wal::simulated::open_simulated;
use crate::wal::{FrameBuf, Options, Wal};

use store::Store;

const RUNS: u64 = 200;

fn delivery(root: &str, raw: bool) -> ValidatedDelivery {
    ValidatedDelivery {
        name: "lake".into(),
        data_path: DataPath::new(DataPathParts {
            stream_name: "orders".into(),
            processors: Vec::new(),
            format: if raw {
                RecordFormat::Raw
            } else {
                RecordFormat::NdJson
            },
            compression: ObjectCompression::None,
            destination: DataPlace {
                kind: PlaceType::FileSystem,
                root: root.into(),
                prefix: "data/!{timestamp:yyyy}/".into(),
                file_extension: String::new(),
                time_zone: "UTC".into(),
            },
            error_output: ErrorPlace {
                kind: PlaceType::FileSystem,
                root: "E".into(),
                prefix: "errors/!{firehose:error-output-type}/".into(),
            },
        }),
        buffering: ValidatedBuffering {
            size_bytes: 400,
            interval_seconds: 2,
        },
        concurrency: 3,
    }
}

/// What was sent, by the number in the record.
#[derive(Debug, Default)]
struct Sent {
    acknowledged: BTreeSet<u64>,
    /// Answered with an error, or not at all: at most once.
    ambiguous: BTreeSet<u64>,
    next: u64,
}

/// Every seventh record is no JSON. A Raw version takes it all the same.
fn record(number: u64) -> String {
    if number % 7 == 3 {
        format!("{{bad {number}}}\n")
    } else {
        format!("{{\"n\": {number}}}\n")
    }
}

fn number(line: &str) -> u64 {
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    digits
        .parse()
        .unwrap_or_else(|_| panic!("no record of ours: {line:?}"))
}

struct World {
    fs: FaultFs,
    store: Store,
    clock: ManualClock,
    dice: Entropy,
    sent: Sent,
    delivery: ValidatedDelivery,
}

struct Process {
    wal: Wal,
    writer: JoinHandle<()>,
    pipeline: Pipeline,
    task: JoinHandle<Result<(), DeliveryError>>,
}

impl World {
    fn new(seed: u64) -> Self {
        let dice = Entropy::from_seed(seed);
        Self {
            fs: FaultFs::new(),
            store: Store::new(Entropy::from_seed(seed ^ 0x5707)),
            clock: ManualClock::new(UnixMillis(1_795_000_000_000)),
            dice,
            sent: Sent::default(),
            delivery: delivery("A", false),
        }
    }

    fn start(&self) -> Process {
        let mut options = Options::new("default/orders", 10 * 16 * 1024);
        options.segment_bytes = Some(16 * 1024);
        options.tail_bytes = 4 * 1024;
        let entropy = Entropy::from_seed(self.dice.next_u64());
        let opened = open_simulated(&self.fs, Path::new("/wal"), &options, &entropy);
        let (wal, writer) = opened.expect("the wal opens after any crash");
        let seams = Seams {
            clock: Arc::new(self.clock.clone()),
            entropy: entropy.clone(),
            executor: Executor::inline(entropy),
        };
        let store = Arc::new(self.store.clone());
        let origin = Origin::default();
        let (pipeline, run) =
            Pipeline::with(seams, wal.clone(), &self.delivery, store, None, origin);
        Process {
            wal,
            writer,
            pipeline,
            task: tokio::spawn(run),
        }
    }

    async fn append(&mut self, process: &Process) {
        let mut buf = FrameBuf::default();
        let numbers: Vec<u64> = (0..=self.dice.below(6))
            .map(|i| self.sent.next + i)
            .collect();
        for number in &numbers {
            buf.push(record(*number).as_bytes());
        }
        self.sent.next += numbers.len() as u64;
        let now = crate::clock::WallClock::now(&self.clock);
        let payload = buf.finish(now, None);
        let appender = process.wal.appender();
        let Ok(room) = appender.reserve(payload.byte_len() as u64) else {
            return;
        };
        match appender.append(payload, room).await {
            Ok(_) => self.sent.acknowledged.extend(numbers),
            Err(_) => self.sent.ambiguous.extend(numbers),
        }
    }

    fn change_spec(&mut self, process: &Process) {
        let root = ["A", "B", "C"][self.dice.below(3) as usize];
        self.delivery = delivery(root, self.dice.below(3) == 0);
        let mut stream = stream(&self.delivery);
        stream.wal.capacity_bytes = 10 * 16 * 1024;
        process.pipeline.apply(&stream, Origin::default());
    }

    async fn live(&mut self, process: &Process) {
        for _ in 0..(5 + self.dice.below(25)) {
            match self.dice.below(12) {
                0 => self.change_spec(process),
                1 => {
                    let root = ["A", "B", "C", "E"][self.dice.below(4) as usize];
                    self.store.deny(root, self.dice.below(2) == 0);
                }
                2 | 3 => {
                    let millis = self.dice.below(2_500);
                    self.clock.advance(millis as i64);
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                }
                _ => self.append(process).await,
            }
            for _ in 0..self.dice.below(30) {
                tokio::task::yield_now().await;
            }
            self.store.tick();
        }
    }

    async fn run(&mut self, seed: u64) {
        for _ in 0..(2 + self.dice.below(5)) {
            let process = self.start();
            self.live(&process).await;
            // a crash at whatever step the tasks are
            process.task.abort();
            process.writer.abort();
            process.task.await.ok();
            process.writer.await.ok();
            self.fs = self.fs.crash(self.dice.next_u64());
        }
        self.store.mend();
        let process = self.start();
        for _ in 0..60 {
            self.store.tick();
            if process
                .pipeline
                .drain(Instant::now() + Duration::from_mins(1))
                .await
            {
                break;
            }
        }
        let last = process.pipeline.snapshot();
        assert!(last.empty, "seed {seed}: not drained: {last:#?}");
        assert!(last.accounting.is_balanced(), "seed {seed}: {last:#?}");
        let counts = last.accounting.counts;
        let sum = counts.delivered + counts.error_output;
        assert_eq!(sum, last.accounting.accepted, "seed {seed}");
        self.store.apply_all();
        self.check(seed);
        process.task.abort();
        process.writer.abort();
    }

    fn check(&self, seed: u64) {
        let mut found: BTreeMap<u64, String> = BTreeMap::new();
        let mut spans = Vec::new();
        for (place, bytes) in self.store.objects() {
            let text = String::from_utf8(bytes).expect("lines");
            let error = place.key.starts_with("errors/");
            let numbers: Vec<u64> = text.lines().map(|line| read(line, error, seed)).collect();
            assert!(
                numbers.is_sorted() || error,
                "seed {seed}: {place} is out of order"
            );
            assert!(!numbers.is_empty(), "seed {seed}: {place} is empty");
            for number in &numbers {
                let other = found.insert(*number, place.to_string());
                assert!(
                    other.is_none(),
                    "seed {seed}: {number} is in {other:?} and {place}"
                );
            }
            if !error {
                spans.push((numbers[0], numbers[numbers.len() - 1], place));
            }
        }
        for number in &self.sent.acknowledged {
            assert!(
                found.contains_key(number),
                "seed {seed}: acknowledged {number} is nowhere"
            );
        }
        for number in found.keys() {
            let known =
                self.sent.acknowledged.contains(number) || self.sent.ambiguous.contains(number);
            assert!(known, "seed {seed}: {number} was refused or never sent");
        }
        spans.sort();
        for pair in spans.windows(2) {
            assert!(
                pair[0].1 < pair[1].0,
                "seed {seed}: {:?} and {:?} overlap",
                pair[0],
                pair[1]
            );
        }
    }
}

/// The number of the record in a line of an object.
fn read(line: &str, error: bool, seed: u64) -> u64 {
    if !error {
        return number(line);
    }
    let document: serde_json::Value = serde_json::from_str(line).expect("an error document");
    let raw = document["rawData"].as_str().expect("rawData");
    let raw = base64::engine::general_purpose::STANDARD
        .decode(raw)
        .expect("base64");
    let raw = String::from_utf8(raw).expect("a record");
    assert!(raw.contains("bad"), "seed {seed}: {raw} is no reject");
    number(&raw)
}

fn stream(delivery: &ValidatedDelivery) -> crds::validate::ValidatedStream {
    let manifest = crds::manifest::parse(
        "apiVersion: standpipe.dev/v1alpha1\nkind: DeliveryStream\nmetadata: {name: orders}\n\
         spec: {source: {type: DirectPut}, destinations: [{name: lake, type: FileSystem, \
         fileSystem: {directory: A}}]}",
    );
    let mut stream = crds::validate::validate(&manifest.expect("parses"))
        .expect("valid")
        .stream;
    stream.deliveries = vec![delivery.clone()];
    stream
}

#[test]
fn every_acknowledged_record_is_in_exactly_one_object() {
    let seeds = std::env::var("STANDPIPE_SIM_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok());
    let first = std::env::var("STANDPIPE_SIM_FIRST")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    let runs = seeds.unwrap_or(RUNS);
    let (mut records, mut objects) = (0, 0);
    for seed in first..first + runs {
        let mut world = World::new(seed);
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime")
            .block_on(world.run(seed));
        records += world.sent.acknowledged.len();
        objects += world.store.objects().len();
    }
    println!("delivery simulation: {runs} runs, {records} acknowledged records, {objects} objects");
    assert!(
        records as u64 > 50 * runs,
        "only {records} records in {runs} runs"
    );
}

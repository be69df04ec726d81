//! A small life of a wal: producers append, a delivery reads, seals and completes. It remembers what
//! it was promised, so that whatever happened in between, [`Oracle::check`] can ask for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tokio::task::JoinHandle;

use crate::entropy::Entropy;
use crate::fs::fault::FaultFs;
use crate::fs::{FileKind, Fs as _};
use crate::object::{BatchIdentity, Partition, Place, SealedBatch};
use crate::record::{Sequence, UnixMillis};
use crate::runs::Runs;
use crate::wal::simulated::open_simulated;
use crate::wal::{
    AppendError, Control, Counts, Cursor, CursorState, FrameBuf, Journal, OpenError, Options,
    Progress, Read, Wal,
};

/// The segment files of a wal and the others, by path.
pub(super) fn files(fs: &FaultFs, directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in fs.list(directory).unwrap_or_default() {
        let path = directory.join(name);
        match fs.stat(&path).expect("listed").kind {
            FileKind::Directory => found.extend(files(fs, &path)),
            FileKind::File | FileKind::Other => found.push(path),
        }
    }
    found.sort();
    found
}

pub(super) const DIRECTORY: &str = "/wal";
pub(super) const SEGMENT_BYTES: u64 = 16 * 1024;

pub(super) fn options() -> Options {
    Options {
        segment_bytes: Some(SEGMENT_BYTES),
        tail_bytes: 8 * 1024,
        ..Options::new("default/orders", 6 * SEGMENT_BYTES)
    }
}

pub(super) fn open(fs: &FaultFs, entropy: &Entropy) -> Result<(Wal, JoinHandle<()>), OpenError> {
    open_simulated(fs, Path::new(DIRECTORY), &options(), entropy)
}

/// Runs a future on a runtime of its own, whose time is simulated.
pub(super) fn simulate<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// One record: which append, which record of it, filler.
pub(super) fn record(append: u64, index: u64, length: usize) -> Vec<u8> {
    let mut bytes = format!("{append}/{index}/").into_bytes();
    bytes.resize(bytes.len() + length, b'a' + (append % 26) as u8);
    bytes
}

/// What was promised.
#[derive(Clone, Debug, Default)]
pub(super) struct Oracle {
    /// Every record ever sent, by its bytes: acknowledged as which sequence, if it was.
    pub(super) sent: BTreeMap<Vec<u8>, Option<Sequence>>,
    /// Records whose completion was posted; they may be gone, or not.
    pub(super) completed: Runs,
    /// SEALs that were durable.
    pub(super) sealed: Vec<SealedBatch>,
    pub(super) done: Vec<crate::object::BatchId>,
    pub(super) appends: u64,
}

impl Oracle {
    /// Sends a batch; whether it was acknowledged.
    pub(super) async fn append(
        &mut self,
        wal: &Wal,
        records: u64,
        length: usize,
    ) -> Result<(), AppendError> {
        let append = self.appends;
        self.appends += 1;
        let mut buf = FrameBuf::default();
        let records: Vec<_> = (0..records).map(|i| record(append, i, length)).collect();
        for record in &records {
            buf.push(record);
            self.sent.insert(record.clone(), None);
        }
        let payload = buf.finish(UnixMillis(1_000 + append as i64), Some("test"));
        let appender = wal.appender();
        let room = match appender.reserve(payload.byte_len() as u64) {
            Ok(room) => room,
            Err(refused) => {
                self.sent.retain(|record, _| !records.contains(record));
                return Err(refused);
            }
        };
        match appender.append(payload, room).await {
            Ok(range) => {
                let sequences = (range.start.0..range.end.0).map(Sequence);
                for (record, sequence) in records.into_iter().zip(sequences) {
                    self.sent.insert(record, Some(sequence));
                }
                Ok(())
            }
            Err(AppendError::Full {
                used_bytes,
                capacity_bytes,
            }) => {
                self.sent.retain(|record, _| !records.contains(record));
                Err(AppendError::Full {
                    used_bytes,
                    capacity_bytes,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// What a delivery does when it attaches: takes up the batches that are sealed. Gives the
    /// records that it must not seal again.
    pub(super) async fn resume(
        &mut self,
        journal: &Journal,
        state: &CursorState,
    ) -> Result<Runs, String> {
        let mut taken = state.complete.clone();
        let mut open = BTreeMap::new();
        for at in &state.live {
            match journal.read(*at).await.map_err(|e| e.to_string())? {
                Control::Seal(batch) => {
                    taken.extend(&batch.runs);
                    open.insert(batch.id(), batch.runs);
                }
                Control::Done { batch, .. } => {
                    let runs = open.remove(&batch).ok_or("DONE without SEAL")?;
                    self.complete(journal, runs, &state.complete, state.low_water);
                }
                other => return Err(format!("{other:?}")),
            }
        }
        for (batch, runs) in open {
            let done = Control::Done {
                cursor: state.id,
                batch,
                rejects: Vec::new(),
            };
            journal.log(done).await.map_err(|e| e.to_string())?;
            self.done.push(batch);
            self.complete(journal, runs, &state.complete, state.low_water);
        }
        Ok(taken)
    }

    fn complete(&mut self, journal: &Journal, mut runs: Runs, before: &Runs, low_water: Sequence) {
        runs.subtract(before);
        runs.remove(&(Sequence(0)..low_water));
        let counts = Counts {
            delivered: runs.len(),
            ..Counts::default()
        };
        self.completed.extend(&runs);
        journal.progress(Progress {
            complete: runs,
            counts,
        });
    }

    /// Reads whatever is durable, seals it, and, if `complete`, completes it.
    pub(super) async fn deliver(
        &mut self,
        wal: &Wal,
        cursor: &mut Cursor,
        journal: &Journal,
        (state, taken): (&CursorState, &Runs),
        complete: bool,
    ) -> Result<(), String> {
        let mut runs = Runs::new();
        while !cursor.at_durable_end() && runs.len() < 40 {
            match cursor.next().await.map_err(|e| e.to_string())? {
                Read::Batch(batch) => runs.insert(batch.sequences()),
                Read::Lost { sequences, .. } => panic!("lost {sequences:?}"),
            }
        }
        runs.subtract(taken);
        let Some(first) = runs.first() else {
            return Ok(());
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
                root: "/out".into(),
                key: format!("{first}"),
            },
            generation: 1,
            arrival: UnixMillis(0),
            count: runs.len(),
            length: 1,
            digest: [0; 32],
            runs: runs.clone(),
        };
        let id = batch.id();
        journal
            .log(Control::Seal(batch.clone()))
            .await
            .map_err(|e| e.to_string())?;
        self.sealed.push(batch);
        if !complete {
            return Ok(());
        }
        let done = Control::Done {
            cursor: state.id,
            batch: id,
            rejects: Vec::new(),
        };
        journal.log(done).await.map_err(|e| e.to_string())?;
        self.done.push(id);
        self.complete(journal, runs, &Runs::new(), Sequence(0));
        Ok(())
    }

    /// Opens what is left and asks for everything that was promised.
    pub(super) fn check(&mut self, fs: &FaultFs, seed: u64) {
        simulate(async {
            let entropy = Entropy::from_seed(seed);
            let (wal, task) = open(fs, &entropy).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            let status = wal.status();
            assert_eq!(status.problems, Vec::<String>::new(), "seed {seed}");
            assert_eq!(status.lost_records, 0, "seed {seed}");
            let (mut cursor, journal, state) = wal.attach("lake").await.expect("attach");

            // I-2: what is counted as complete is what is not read again
            let counted = state.records_below_low_water + state.complete.len();
            assert_eq!(state.counts.delivered, counted, "seed {seed}");
            for run in state.complete.iter() {
                let promised: Runs = [run].into_iter().collect();
                assert!(
                    self.completed.covers(&promised),
                    "seed {seed}: completed unasked"
                );
            }
            let mut acknowledged: BTreeMap<Sequence, &[u8]> = BTreeMap::new();
            for (bytes, sequence) in &self.sent {
                if let Some(sequence) = sequence {
                    assert!(
                        acknowledged.insert(*sequence, bytes).is_none(),
                        "one sequence twice"
                    );
                }
            }
            let mut read = BTreeMap::new();
            let mut last = Sequence(0);
            while !cursor.at_durable_end() {
                match cursor.next().await.expect("readable") {
                    Read::Lost { sequences, .. } => panic!("seed {seed}: lost {sequences:?}"),
                    Read::Batch(batch) => {
                        for record in batch.records() {
                            assert!(record.sequence > last, "seed {seed}: out of order");
                            last = record.sequence;
                            let sent = self.sent.get(record.bytes);
                            let sent = sent.unwrap_or_else(|| panic!("seed {seed}: never sent"));
                            assert!(
                                sent.is_none_or(|sequence| sequence == record.sequence),
                                "seed {seed}: acknowledged as another"
                            );
                            assert!(
                                read.insert(record.bytes.to_vec(), record.sequence)
                                    .is_none(),
                                "seed {seed}: twice"
                            );
                        }
                    }
                }
            }
            for (sequence, bytes) in acknowledged {
                if sequence < state.low_water {
                    assert!(
                        self.completed.contains(sequence),
                        "seed {seed}: {sequence} let go"
                    );
                } else {
                    assert!(
                        read.contains_key(bytes),
                        "seed {seed}: acknowledged {sequence} lost"
                    );
                }
            }
            self.check_controls(&state, &journal, seed).await;

            // and it goes on
            let goes_on = self.append(&wal, 3, 10).await;
            goes_on.unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            task.abort();
        });
    }

    async fn check_controls(&self, state: &CursorState, journal: &Journal, seed: u64) {
        let mut live = Vec::new();
        for at in &state.live {
            live.push(journal.read(*at).await.expect("a live frame is readable"));
        }
        for sealed in &self.sealed {
            let below: Runs = sealed
                .runs
                .iter()
                .filter(|run| run.end > state.low_water)
                .collect();
            let open = !below.is_empty() && !state.complete.covers(&below);
            if open {
                assert!(
                    live.contains(&Control::Seal(sealed.clone())),
                    "seed {seed}: a durable SEAL is gone"
                );
                if self.done.contains(&sealed.id()) {
                    let done = live.iter().any(
                        |frame| matches!(frame, Control::Done { batch, .. } if *batch == sealed.id()),
                    );
                    assert!(done, "seed {seed}: a durable DONE is gone");
                }
            }
        }
    }
}

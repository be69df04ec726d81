use std::collections::HashMap;
use std::io;
use std::io::Read as _;

use parking_lot::Mutex;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::entropy::Entropy;
use crate::object::{CursorId, Incarnation, Partition, ShardId};

const GZIP: Compression = Compression::Gzip { level: 1 };

fn opening(compression: Compression) -> Opening {
    Opening {
        identity: BatchIdentity {
            shard: ShardId(Uuid::from_u128(1)),
            incarnation: Incarnation(2),
            cursor: CursorId(3),
            partition: Partition::Data,
            first_sequence: Sequence(10),
        },
        place: Place {
            root: "/data".into(),
            key: "orders".into(),
        },
        generation: 1,
        version: VersionDigest([7; 32]),
        arrival: UnixMillis(1000),
        compression,
    }
}

fn open(compression: Compression) -> OpenBatch {
    OpenBatch::open(opening(compression), Ratio::default(), None)
}

/// Half text, half noise.
fn output(length: usize, seed: u64) -> Vec<u8> {
    let entropy = Entropy::from_seed(seed);
    let mut bytes = Vec::with_capacity(length + 32);
    while bytes.len() < length {
        bytes.extend_from_slice(b"sixteen of text ");
        bytes.extend_from_slice(&entropy.bytes16());
    }
    bytes.truncate(length);
    bytes
}

fn encode(work: Work) -> EncodedBlock {
    work.encode().unwrap()
}

/// Pushes all outputs and finishes; blocks come back in an order drawn from `seed`.
fn build(mut batch: OpenBatch, outputs: &[(Sequence, Vec<u8>)], seed: u64) -> Finished {
    let entropy = Entropy::from_seed(seed);
    let mut waiting: Vec<Work> = Vec::new();
    let draw = |waiting: &mut Vec<Work>| {
        let at = usize::try_from(entropy.below(waiting.len() as u64)).unwrap();
        encode(waiting.swap_remove(at))
    };
    for (sequence, bytes) in outputs {
        while batch.is_busy() || (!waiting.is_empty() && entropy.below(3) == 0) {
            batch.encoded(draw(&mut waiting)).unwrap();
        }
        waiting.extend(batch.push(*sequence, bytes).unwrap());
        assert!(waiting.len() <= MAX_OUTSTANDING);
    }
    let (mut sealing, last) = batch.seal();
    waiting.extend(last);
    while !waiting.is_empty() {
        assert!(!sealing.is_complete());
        sealing.encoded(draw(&mut waiting)).unwrap();
    }
    assert!(sealing.is_complete());
    sealing.finish().unwrap()
}

fn bytes(body: &Body) -> Vec<u8> {
    let bytes: Vec<u8> = body
        .parts()
        .iter()
        .flat_map(|part| part.read().unwrap())
        .collect();
    assert_eq!(bytes.len() as u64, body.length());
    bytes
}

fn decoded(compression: Compression, body: &Body) -> Vec<u8> {
    let bytes = bytes(body);
    match compression {
        Compression::None => bytes,
        Compression::Gzip { .. } => {
            let mut rest = bytes.as_slice();
            let mut decoded = Vec::new();
            flate2::bufread::GzDecoder::new(&mut rest)
                .read_to_end(&mut decoded)
                .unwrap();
            assert!(rest.is_empty(), "more than one member");
            decoded
        }
    }
}

/// The digest as `SealedBatch` documents it, computed apart.
fn digest(outputs: &[(Sequence, Vec<u8>)]) -> [u8; 32] {
    let mut all = Vec::new();
    for (_, bytes) in outputs {
        all.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        all.extend_from_slice(bytes);
    }
    Sha256::digest(&all).into()
}

/// Outputs of the given lengths, with gaps between the sequences.
fn outputs(lengths: &[usize]) -> Vec<(Sequence, Vec<u8>)> {
    lengths
        .iter()
        .zip(0_u64..)
        .map(|(&length, at)| (Sequence(10 + at + at / 3), output(length, at)))
        .collect()
}

fn runs(outputs: &[(Sequence, Vec<u8>)]) -> Runs {
    outputs.iter().map(|(s, _)| *s..s.plus(1)).collect()
}

/// A spill in memory whose files can be made to fail.
#[derive(Debug, Default)]
struct TestSpill {
    full: Mutex<bool>,
    files: Mutex<usize>,
}

#[derive(Debug)]
struct TestFile(Arc<TestSpill>, Mutex<HashMap<u64, Vec<u8>>>);

impl Spill for Arc<TestSpill> {
    fn create(&self) -> io::Result<Arc<dyn spill::SpillFile>> {
        *self.files.lock() += 1;
        Ok(Arc::new(TestFile(Arc::clone(self), Mutex::default())))
    }
}

impl spill::SpillFile for TestFile {
    fn put(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if *self.0.full.lock() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = self.1.lock().insert(offset, bytes.to_vec());
        assert!(taken.is_none(), "two blocks at one place");
        Ok(())
    }

    fn get(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        into.copy_from_slice(&self.1.lock()[&offset]);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// D-4: whatever the order in which blocks come back, the object decodes to the outputs one
    /// after the other, and its bytes are the same.
    #[test]
    fn the_same_records_make_the_same_bytes(
        lengths in prop::collection::vec(prop_oneof![4 => 0_usize..3000, 2 => 100_000_usize..500_000, 1 => 1_000_000_usize..1_400_000], 1..24),
        gzip in any::<bool>(),
        seeds in any::<(u64, u64)>(),
    ) {
        let compression = if gzip { GZIP } else { Compression::None };
        let outputs = outputs(&lengths);
        let first = build(open(compression), &outputs, seeds.0);
        let plain: Vec<u8> = outputs.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        prop_assert!(decoded(compression, &first.body) == plain);
        let sealed = &first.sealed;
        prop_assert_eq!(sealed.count, outputs.len() as u64);
        prop_assert_eq!(sealed.length, first.body.length());
        prop_assert_eq!(sealed.digest, digest(&outputs));
        prop_assert_eq!(&sealed.runs, &runs(&outputs));
        prop_assert_eq!((sealed.reseal, &first.against), (0, &Against::New));

        let second = build(open(compression), &outputs, seeds.1);
        prop_assert!(bytes(&first.body) == bytes(&second.body));
        prop_assert_eq!(sealed, &second.sealed);

        let again = OpenBatch::rebuild(sealed.clone(), VersionDigest([7; 32]), compression, None);
        let again = build(again, &outputs, seeds.0 ^ seeds.1);
        prop_assert_eq!(again.against, Against::Same);
        prop_assert_eq!(&again.sealed, sealed);
        prop_assert!(bytes(&again.body) == bytes(&first.body));
    }
}

#[test]
fn blocks_end_between_outputs_and_hold_at_most_a_mebibyte() {
    let mut batch = open(Compression::None);
    let mut cuts = Vec::new();
    for (sequence, bytes) in outputs(&[BLOCK_BYTES - 1, 1, 1, BLOCK_BYTES, BLOCK_BYTES + 5, 0, 3]) {
        let work = batch.push(sequence, &bytes).unwrap();
        cuts.push(work.map(|work| encode(work).part().length()));
    }
    let mib = BLOCK_BYTES as u64;
    let expected = [
        None,
        None,
        Some(mib),
        Some(1),
        Some(mib),
        Some(mib + 5),
        None,
    ];
    assert_eq!(cuts, expected);
    let (_, last) = batch.seal();
    assert_eq!(encode(last.unwrap()).part().length(), 3);
}

#[test]
fn outputs_come_in_order_and_are_refused_without_a_trace_otherwise() {
    let mut batch = open(Compression::None);
    let refused = |batch: &mut OpenBatch, sequence| {
        let error = batch.push(Sequence(sequence), b"x").unwrap_err();
        assert_eq!(error, PushError::Order(Sequence(sequence)));
    };
    refused(&mut batch, 9);
    assert!(batch.push(Sequence(11), b"a").unwrap().is_none());
    refused(&mut batch, 11);
    refused(&mut batch, 10);
    assert!(batch.push(Sequence(12), b"b").unwrap().is_none());
    assert_eq!((batch.count(), batch.size()), (2, 2));
    let (sealing, work) = batch.seal();
    let mut sealing = sealing;
    sealing.encoded(encode(work.unwrap())).unwrap();
    let finished = sealing.finish().unwrap();
    assert_eq!(bytes(&finished.body), b"ab");
    assert_eq!(finished.sealed.runs.len(), 2);
}

#[test]
fn blocks_with_workers_are_bounded() {
    let mut batch = open(Compression::None);
    let block = vec![b'x'; BLOCK_BYTES];
    let mut works = Vec::new();
    let mut sequence = Sequence(10);
    while !batch.is_busy() {
        works.extend(batch.push(sequence, &block).unwrap());
        sequence = sequence.plus(1);
    }
    assert_eq!(works.len(), MAX_OUTSTANDING);
    assert_eq!(batch.push(sequence, b"x").unwrap_err(), PushError::Busy);
    assert_eq!(batch.count(), MAX_OUTSTANDING as u64 + 1);
    let mib = BLOCK_BYTES as u64;
    assert!(batch.memory_bytes() >= 9 * mib, "{}", batch.memory_bytes());
    batch.encoded(encode(works.pop().unwrap())).unwrap();
    assert!(batch.push(sequence, b"x").is_ok());
    let (sealing, last) = batch.seal();
    assert!(last.is_some());
    assert_eq!(
        sealing.finish().unwrap_err(),
        Unfinished(MAX_OUTSTANDING + 1)
    );
}

#[test]
fn a_block_of_another_batch_is_refused() {
    let mut other = opening(Compression::None);
    other.identity.first_sequence = Sequence(11);
    let mut other = OpenBatch::open(other, Ratio::default(), None);
    other.push(Sequence(11), b"x").unwrap();
    let (_, work) = other.seal();
    let mut batch = open(Compression::None);
    batch.push(Sequence(10), b"x").unwrap();
    assert!(batch.encoded(encode(work.unwrap())).is_err());
    // one that was never cut
    let mut twin = open(Compression::None);
    twin.push(Sequence(10), b"x").unwrap();
    let (_, work) = twin.seal();
    assert!(batch.encoded(encode(work.unwrap())).is_err());
}

/// D-2.1: the size is that of compressed bytes, with an estimate for what is not encoded yet.
#[test]
fn size_is_measured_on_encoded_bytes() {
    let expected = Ratio {
        shaped: 1000,
        encoded: 100,
    };
    assert_eq!(expected.estimate(5000), 500);
    assert_eq!(Ratio::default().estimate(5000), 5000);
    assert_eq!(
        Ratio {
            shaped: 1,
            encoded: u64::MAX
        }
        .estimate(9),
        u64::MAX
    );

    let mut batch = OpenBatch::open(opening(GZIP), expected, None);
    batch.push(Sequence(10), &[b'x'; 5000]).unwrap();
    assert_eq!(batch.size(), 500);
    let flat = vec![b'x'; BLOCK_BYTES];
    let work = batch.push(Sequence(11), &flat).unwrap().unwrap();
    assert_eq!(batch.size(), (5000 + BLOCK_BYTES as u64) / 10);
    let block = encode(work);
    let encoded = block.part().length();
    batch.encoded(block).unwrap();
    let seen = Ratio {
        shaped: 5000,
        encoded,
    };
    assert_eq!(batch.size(), encoded + seen.estimate(BLOCK_BYTES as u64));
    let (mut sealing, last) = batch.seal();
    sealing.encoded(encode(last.unwrap())).unwrap();
    let finished = sealing.finish().unwrap();
    assert_eq!(finished.ratio.shaped, 5000 + BLOCK_BYTES as u64);
    // header and trailer come on top
    assert_eq!(finished.ratio.encoded + 20, finished.sealed.length);
}

/// D-2.3: the run list is measured before it can pass the limit.
#[test]
fn the_run_list_is_measured_near_its_limit() {
    let mut batch = open(Compression::None);
    let mut sequence = Sequence(10);
    while policy::after_adding(
        &policy::Hints {
            size_bytes: u64::MAX,
            interval_seconds: 900,
        },
        batch.size(),
        batch.run_list_bytes(),
    )
    .is_none()
    {
        batch.push(sequence, b"").unwrap();
        sequence = sequence.plus(5000);
    }
    let length = batch.runs().encoded_len();
    let limit = policy::MAX_RUN_LIST_BYTES;
    assert!((limit..limit + 2 * RUN_BYTES).contains(&length), "{length}");
}

fn rebuild(sealed: &SealedBatch) -> OpenBatch {
    OpenBatch::rebuild(
        sealed.clone(),
        VersionDigest([7; 32]),
        Compression::None,
        None,
    )
}

/// D-12, W-15: what is built again is compared with its SEAL.
#[test]
fn a_rebuild_says_what_differs_and_keeps_its_place() {
    let all = outputs(&[5, 6, 7, 8]);
    let mut sealed = build(open(Compression::None), &all, 1).sealed;
    sealed.reseal = 2;
    sealed.place.root = "/elsewhere".into();

    let same = build(rebuild(&sealed), &all, 1);
    assert_eq!((&same.against, &same.sealed), (&Against::Same, &sealed));

    let mut longer = sealed.clone();
    longer.length = 99;
    let built = build(rebuild(&longer), &all, 1);
    assert_eq!(built.against, Against::OtherLength { was: 99 });
    assert_eq!(built.sealed, sealed);

    let lost = build(rebuild(&sealed), &[&all[..1], &all[2..]].concat(), 1);
    let missing = runs(&all[1..2]);
    assert_eq!(lost.against, Against::OtherOutputs { missing });
    assert_eq!(lost.sealed.id(), sealed.id());
    assert_eq!(lost.sealed.count, 3);

    let mut changed = all.clone();
    changed[3].1 = b"other123".to_vec();
    let built = build(rebuild(&sealed), &changed, 1);
    let missing = Runs::new();
    assert_eq!(built.against, Against::OtherOutputs { missing });

    let mut batch = rebuild(&sealed);
    let outside = sealed.runs.last().unwrap().plus(1);
    assert_eq!(
        batch.push(outside, b"x").unwrap_err(),
        PushError::NotListed(outside)
    );
}

/// I-5: what a process before left behind does not add up.
#[test]
fn a_spill_directory_is_cleaned_and_its_files_have_no_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spill");
    let names = || std::fs::read_dir(&path).unwrap().count();
    let os = crate::fs::os::OsFs;
    SpillDirectory::open(os, path.clone()).unwrap();
    std::fs::write(path.join("0.spill"), b"left behind").unwrap();
    let spill = SpillDirectory::open(os, path.clone()).unwrap();
    assert_eq!(names(), 0);
    let files = [spill.create().unwrap(), spill.create().unwrap()];
    assert_eq!(names(), 0);
    for (file, text) in files.iter().zip([b"first", b"other"]) {
        file.put(text, 3).unwrap();
    }
    let mut read = [0; 5];
    files[0].get(&mut read, 3).unwrap();
    assert_eq!(&read, b"first");
    assert!(
        files[0].get(&mut read, 4).is_err(),
        "a short file is no success"
    );
}

/// I-5, D-4: spilling moves bytes, it does not change them.
#[test]
fn a_large_batch_spills_and_a_failed_spill_is_tried_again() {
    let outputs = outputs(&[700_000; 24]);
    let in_memory = build(open(Compression::None), &outputs, 3);

    let spill = Arc::new(TestSpill::default());
    let with_spill = || -> Option<Arc<dyn Spill>> { Some(Arc::new(Arc::clone(&spill))) };
    let batch = OpenBatch::open(opening(Compression::None), Ratio::default(), with_spill());
    let spilled = build(batch, &outputs, 3);
    assert_eq!(*spill.files.lock(), 1);
    assert_eq!(spilled.sealed, in_memory.sealed);
    assert!(bytes(&spilled.body) == bytes(&in_memory.body));
    let memory = spilled.body.memory_bytes();
    assert!(memory < SPILL_AFTER_BYTES + BLOCK_BYTES as u64, "{memory}");
    assert_eq!(in_memory.body.memory_bytes(), in_memory.body.length());

    *spill.full.lock() = true;
    let mut batch = OpenBatch::open(opening(Compression::None), Ratio::default(), with_spill());
    let mut failed = None;
    for (sequence, bytes) in &outputs {
        if let Some(work) = batch.push(*sequence, bytes).unwrap() {
            match work.encode() {
                Ok(block) => batch.encoded(block).unwrap(),
                Err(unencoded) => {
                    assert!(unencoded.to_string().contains("spill"), "{unencoded}");
                    failed = Some(unencoded.work);
                    break;
                }
            }
        }
    }
    *spill.full.lock() = false;
    batch.encoded(encode(failed.unwrap())).unwrap();
}

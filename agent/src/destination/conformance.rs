//! What every destination must do, as a suite that its tests run with one line:
//! `conformance::run(MyRig::new).await`.

use std::sync::Arc;

use bytes::Bytes;

use crate::destination::{Destination, Upload};
use crate::object::{
    BatchIdentity, CursorId, Failure, FailureClass, Incarnation, Outcome, Partition, Place,
    Presence, SealedBatch, ShardId,
};
use crate::record::{Sequence, UnixMillis};
use crate::runs::Runs;

/// A destination with the world around it.
pub trait Rig {
    /// The destination as a process that just started has it. Asked again, it is the next process:
    /// of the same shard, after the earlier one ended.
    fn start(&mut self) -> Arc<dyn Destination>;

    /// The `root` of the objects' places.
    fn root(&self) -> String;

    /// Every object that a reader sees: keys and bytes, sorted.
    fn visible(&self) -> Vec<(String, Vec<u8>)>;

    /// Puts an object of somebody else there.
    fn put_foreign(&self, key: &str, bytes: &[u8]);

    /// The ways in which the outside can fail, with the class that a failure must have then.
    fn breakages(&self) -> Vec<(&'static str, FailureClass)>;

    fn break_it(&self, breakage: &str);

    fn mend_it(&self, breakage: &str);
}

/// A batch of one record, number `n`, sealed for `root`/`key` with a body of this length.
pub fn sealed(shard: ShardId, n: u64, root: &str, key: &str, length: usize) -> SealedBatch {
    SealedBatch {
        identity: BatchIdentity {
            shard,
            incarnation: Incarnation(1),
            cursor: CursorId(1),
            partition: Partition::Data,
            first_sequence: Sequence(n),
        },
        reseal: 0,
        place: Place {
            root: root.to_owned(),
            key: key.to_owned(),
        },
        generation: 1,
        arrival: UnixMillis(1_760_000_000_000),
        count: 1,
        length: length as u64,
        digest: [7; 32],
        runs: Runs::from_iter([Sequence(n)..Sequence(n + 1)]),
    }
}

/// Sends a body in parts of at most `part` bytes and creates the object.
pub async fn attempt(
    destination: &dyn Destination,
    batch: &SealedBatch,
    body: &[u8],
    part: usize,
) -> Outcome {
    match send(destination, batch, body, part).await {
        Ok(upload) => upload.create(batch).await,
        Err(failure) => Outcome::NotSent(failure),
    }
}

async fn send(
    destination: &dyn Destination,
    batch: &SealedBatch,
    body: &[u8],
    part: usize,
) -> Result<Box<dyn Upload>, Failure> {
    let mut upload = destination.begin(&batch.object()).await?;
    for bytes in body.chunks(part) {
        upload.part(Bytes::copy_from_slice(bytes)).await?;
    }
    Ok(upload)
}

/// The failure of an attempt that created nothing.
fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::NotSent(failure)
        | Outcome::Refused(failure)
        | Outcome::MayHaveHappened(failure) => failure,
        Outcome::Created | Outcome::Exists => panic!("{outcome:?} where nothing can be created"),
    }
}

const SHARD: ShardId = ShardId(uuid::Uuid::from_u128(0x5A));
const BODY: &[u8] = b"{\"flight\":\"LH 400\"}\n{\"flight\":\"LH 401\"}\n";
const KEY: &str = "2026/11/21/05/orders-1";

/// The shard whose batches the suite makes: the rig's destination must be of it.
pub const fn shard() -> ShardId {
    SHARD
}

/// Runs the whole suite; each part gets a world of its own.
pub async fn run<R: Rig>(make: impl Fn() -> R) {
    created_is_ours(make()).await;
    nothing_is_replaced(make()).await;
    foreign_objects_are_seen_and_kept(make()).await;
    parts_are_joined(make()).await;
    what_is_not_created_is_invisible(make()).await;
    a_body_of_another_length_is_refused(make()).await;
    lost_replies_are_found_out(make()).await;
    keys_stay_below_the_root(make()).await;
    a_check_leaves_nothing(make()).await;
    let breakages = make().breakages();
    assert!(
        !breakages.is_empty(),
        "a rig that can't break proves little"
    );
    for (breakage, class) in breakages {
        failures_are_classed_and_pass(make(), breakage, class).await;
    }
}

async fn created_is_ours<R: Rig>(mut rig: R) {
    let destination = rig.start();
    let batch = sealed(SHARD, 1, &rig.root(), KEY, BODY.len());
    let object = batch.object();
    let before = destination.head(&object, &[batch.length]).await;
    assert_eq!(before, Presence::Absent { settled: true });
    let outcome = attempt(&*destination, &batch, BODY, 1000).await;
    assert_eq!(outcome, Outcome::Created);
    assert_eq!(rig.visible(), [(KEY.to_owned(), BODY.to_vec())]);
    for lengths in [vec![batch.length], vec![1, batch.length]] {
        let after = destination.head(&object, &lengths).await;
        assert_eq!(
            after,
            Presence::Ours,
            "any length that a SEAL names is ours"
        );
    }
    let empty = sealed(SHARD, 2, &rig.root(), "empty", 0);
    let outcome = attempt(&*destination, &empty, b"", 1).await;
    assert_eq!(outcome, Outcome::Created);
    let beside = destination.head(&empty.object(), &[0]).await;
    assert_eq!(beside, Presence::Ours);
}

async fn nothing_is_replaced<R: Rig>(mut rig: R) {
    let destination = rig.start();
    let batch = sealed(SHARD, 1, &rig.root(), KEY, BODY.len());
    attempt(&*destination, &batch, BODY, 1000).await;
    let other = vec![b'x'; BODY.len()];
    let again = attempt(&*destination, &batch, &other, 1000).await;
    assert_eq!(again, Outcome::Exists);
    assert_eq!(rig.visible(), [(KEY.to_owned(), BODY.to_vec())]);
}

async fn foreign_objects_are_seen_and_kept<R: Rig>(mut rig: R) {
    let destination = rig.start();
    rig.put_foreign(KEY, b"not ours");
    let batch = sealed(SHARD, 1, &rig.root(), KEY, BODY.len());
    let outcome = attempt(&*destination, &batch, BODY, 1000).await;
    assert_eq!(outcome, Outcome::Exists);
    let presence = destination.head(&batch.object(), &[batch.length]).await;
    let Presence::Foreign(what) = presence else {
        panic!("{presence:?}");
    };
    assert!(what.contains('8'), "says how long it is: {what}");
    assert_eq!(rig.visible(), [(KEY.to_owned(), b"not ours".to_vec())]);
}

async fn parts_are_joined<R: Rig>(mut rig: R) {
    let destination = rig.start();
    let batch = sealed(SHARD, 1, &rig.root(), KEY, BODY.len());
    let mut upload = send(&*destination, &batch, BODY, 7).await.unwrap();
    upload.part(Bytes::new()).await.unwrap();
    assert_eq!(rig.visible(), [], "parts are invisible");
    assert_eq!(upload.create(&batch).await, Outcome::Created);
    assert_eq!(rig.visible(), [(KEY.to_owned(), BODY.to_vec())]);
}

async fn what_is_not_created_is_invisible<R: Rig>(mut rig: R) {
    let destination = rig.start();
    let batch = sealed(SHARD, 1, &rig.root(), KEY, BODY.len());
    let upload = send(&*destination, &batch, BODY, 7).await.unwrap();
    upload.abort().await.unwrap();
    drop(send(&*destination, &batch, BODY, 7).await.unwrap());
    assert_eq!(rig.visible(), []);
    for destination in [destination, rig.start()] {
        let presence = destination.head(&batch.object(), &[batch.length]).await;
        assert_eq!(presence, Presence::Absent { settled: true });
    }
    let outcome = attempt(&*rig.start(), &batch, BODY, 1000).await;
    assert_eq!(outcome, Outcome::Created, "after what was left behind");
    assert_eq!(rig.visible(), [(KEY.to_owned(), BODY.to_vec())]);
}

async fn a_body_of_another_length_is_refused<R: Rig>(mut rig: R) {
    let destination = rig.start();
    let batch = sealed(SHARD, 1, &rig.root(), KEY, BODY.len() + 1);
    let outcome = attempt(&*destination, &batch, BODY, 1000).await;
    assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
    assert_eq!(rig.visible(), []);
}

async fn lost_replies_are_found_out<R: Rig>(mut rig: R) {
    let batch = sealed(SHARD, 1, &rig.root(), KEY, BODY.len());
    attempt(&*rig.start(), &batch, BODY, 1000).await;
    // The process ended before it heard of it.
    let destination = rig.start();
    let presence = destination.head(&batch.object(), &[batch.length]).await;
    assert_eq!(presence, Presence::Ours);
    let outcome = attempt(&*destination, &batch, BODY, 1000).await;
    assert_eq!(outcome, Outcome::Exists);
    assert_eq!(rig.visible(), [(KEY.to_owned(), BODY.to_vec())]);
}

async fn keys_stay_below_the_root<R: Rig>(mut rig: R) {
    let destination = rig.start();
    for key in ["../escaped", "a/../../escaped", "/escaped", ""] {
        let batch = sealed(SHARD, 1, &rig.root(), key, BODY.len());
        let refused = failure(attempt(&*destination, &batch, BODY, 1000).await);
        assert_eq!(refused.class, FailureClass::Configuration, "{key}");
    }
    assert_eq!(rig.visible(), []);
}

async fn a_check_leaves_nothing<R: Rig>(mut rig: R) {
    let destination = rig.start();
    destination.check().await.unwrap();
    destination.check().await.unwrap();
    assert_eq!(rig.visible(), []);
}

/// While the outside fails nothing appears and the failure has its class; once it is mended the
/// same process delivers, and exactly once.
async fn failures_are_classed_and_pass<R: Rig>(mut rig: R, breakage: &str, class: FailureClass) {
    let destination = rig.start();
    let first = sealed(SHARD, 1, &rig.root(), "2026/first", BODY.len());
    attempt(&*destination, &first, BODY, 1000).await;
    let batch = sealed(SHARD, 2, &rig.root(), KEY, BODY.len());
    rig.break_it(breakage);
    for _ in 0..2 {
        let refused = failure(attempt(&*destination, &batch, BODY, 1000).await);
        assert_eq!(refused.class, class, "{breakage}: {refused}");
        let presence = destination.head(&batch.object(), &[batch.length]).await;
        assert_ne!(presence, Presence::Ours, "{breakage}");
    }
    rig.mend_it(breakage);
    let presence = destination.head(&batch.object(), &[batch.length]).await;
    assert!(
        matches!(presence, Presence::Absent { .. }),
        "{breakage}: {presence:?}"
    );
    let outcome = attempt(&*destination, &batch, BODY, 1000).await;
    assert_eq!(outcome, Outcome::Created, "{breakage}");
    let keys: Vec<String> = rig.visible().into_iter().map(|(key, _)| key).collect();
    let mut expected = ["2026/first", KEY];
    expected.sort_unstable();
    assert_eq!(keys, expected, "{breakage}");
}

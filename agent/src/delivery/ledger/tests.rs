use uuid::Uuid;

use super::*;
use crate::object::{BatchIdentity, CursorId, Incarnation, Place, ShardId};
use crate::record::UnixMillis;

fn batch(partition: Partition, first: u64, end: u64, length: u64) -> SealedBatch {
    SealedBatch {
        identity: BatchIdentity {
            shard: ShardId(Uuid::nil()),
            incarnation: Incarnation(1),
            cursor: CursorId(1),
            partition,
            first_sequence: Sequence(first),
        },
        reseal: 0,
        place: Place {
            root: "/a".into(),
            key: first.to_string(),
        },
        generation: 1,
        arrival: UnixMillis(0),
        count: end - first,
        length,
        digest: [0; 32],
        runs: std::iter::once(Sequence(first)..Sequence(end)).collect(),
    }
}

fn done(batch: &SealedBatch) -> Control {
    Control::Done {
        cursor: CursorId(1),
        batch: batch.identity.id(0),
        rejects: Vec::new(),
    }
}

#[test]
fn a_record_is_free_then_sealed_then_complete() {
    let mut ledger = Ledger::new(&CursorState::default());
    let data = batch(Partition::Data, 1, 10, 5);
    assert_eq!(ledger.place(&Partition::Data, Sequence(1)), Standing::Free);
    assert_eq!(ledger.apply(&Control::Seal(data.clone())), None);
    let id = data.identity.id(0);
    assert_eq!(
        ledger.place(&Partition::Data, Sequence(9)),
        Standing::Sealed(id)
    );
    assert_eq!(ledger.place(&Partition::Data, Sequence(10)), Standing::Free);
    assert_eq!(
        ledger.place(&Partition::Error, Sequence(9)),
        Standing::Free,
        "another partition"
    );
    let progress = ledger.apply(&done(&data)).expect("complete");
    assert_eq!((progress.complete.len(), progress.counts.delivered), (9, 9));
    assert_eq!(
        ledger.place(&Partition::Data, Sequence(9)),
        Standing::Complete
    );
    assert_eq!(
        ledger.apply(&done(&data)),
        None,
        "a second DONE changes nothing"
    );
    assert_eq!(ledger.after_sealed(), Sequence(10));
}

#[test]
fn rejects_count_as_error_output() {
    let mut ledger = Ledger::new(&CursorState::default());
    let error = batch(Partition::Error, 1, 3, 5);
    ledger.apply(&Control::Seal(error.clone()));
    assert_eq!(
        ledger
            .apply(&done(&error))
            .expect("complete")
            .counts
            .error_output,
        2
    );
}

#[test]
fn what_the_checkpoint_has_is_not_counted_again() {
    let state = CursorState {
        low_water: Sequence(5),
        complete: std::iter::once(Sequence(7)..Sequence(8)).collect(),
        counts: Counts {
            delivered: 5,
            ..Counts::default()
        },
        ..CursorState::default()
    };
    let mut ledger = Ledger::new(&state);
    let data = batch(Partition::Data, 3, 10, 5);
    ledger.apply(&Control::Seal(data.clone()));
    let progress = ledger.apply(&done(&data)).expect("complete");
    assert_eq!((progress.complete.len(), ledger.counts().delivered), (4, 9));
}

#[test]
fn a_reseal_moves_and_another_seal_adds_a_length() {
    let mut ledger = Ledger::new(&CursorState::default());
    let data = batch(Partition::Data, 1, 10, 5);
    let id = data.identity.id(0);
    ledger.apply(&Control::Seal(data.clone()));
    let place = Place {
        root: "/b".into(),
        key: "k".into(),
    };
    ledger.apply(&Control::Reseal {
        cursor: CursorId(1),
        batch: id,
        reseal: 1,
        place: place.clone(),
    });
    let moved = ledger.get(id).expect("there").clone();
    assert_eq!(
        (moved.batch.place.clone(), moved.batch.id()),
        (place, data.identity.id(1))
    );
    let longer = SealedBatch {
        length: 7,
        ..moved.batch
    };
    ledger.apply(&Control::Seal(longer));
    let both = ledger.get(id).expect("there");
    assert_eq!(both.lengths, [5, 7].into());
    assert_eq!(
        (both.batch.reseal, ledger.sealed_len()),
        (1, 1),
        "it stays moved"
    );
}

#[test]
fn a_loss_is_complete_and_counted_once() {
    let mut ledger = Ledger::new(&CursorState::default());
    assert_eq!(
        ledger
            .lost(Sequence(3)..Sequence(6), 3)
            .expect("new")
            .counts
            .lost,
        3
    );
    assert_eq!(ledger.lost(Sequence(3)..Sequence(6), 3), None);
    assert_eq!(
        ledger.place(&Partition::Data, Sequence(4)),
        Standing::Complete
    );
}

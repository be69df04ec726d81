//! A store as bad as stores are: it loses requests before and after it applied them, applies some
//! much later, answers with failures, and refuses by root.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::destination::{Boxed, Destination, Upload};
use crate::entropy::Entropy;
use crate::object::{
    BatchId, Failure, FailureClass, ObjectId, Outcome, Place, Presence, SealedBatch,
};

#[derive(Clone, Debug)]
pub(super) struct Store(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    dice: Entropy,
    objects: BTreeMap<Place, (BatchId, Vec<u8>)>,
    /// Creates that are applied later, with the ticks that are left.
    late: Vec<(Place, BatchId, Vec<u8>, u64)>,
    denied: BTreeSet<String>,
    well: bool,
}

impl Store {
    pub(super) fn new(dice: Entropy) -> Self {
        Self(Arc::new(Mutex::new(State {
            dice,
            objects: BTreeMap::new(),
            late: Vec::new(),
            denied: BTreeSet::new(),
            well: false,
        })))
    }

    pub(super) fn deny(&self, root: &str, deny: bool) {
        let mut state = self.0.lock();
        if deny {
            state.denied.insert(root.to_owned());
        } else {
            state.denied.remove(root);
        }
    }

    /// From now on it works, and is never full of surprises again; what is late still comes late.
    pub(super) fn mend(&self) {
        let mut state = self.0.lock();
        state.denied.clear();
        state.well = true;
    }

    /// Time goes by: some of what is late is applied.
    pub(super) fn tick(&self) {
        let mut state = self.0.lock();
        for (place, batch, bytes, ticks) in std::mem::take(&mut state.late) {
            if ticks == 0 {
                state.objects.entry(place).or_insert((batch, bytes));
            } else {
                state.late.push((place, batch, bytes, ticks - 1));
            }
        }
    }

    pub(super) fn apply_all(&self) {
        while !self.0.lock().late.is_empty() {
            self.tick();
        }
    }

    pub(super) fn objects(&self) -> Vec<(Place, Vec<u8>)> {
        let state = self.0.lock();
        state
            .objects
            .iter()
            .map(|(place, (_, bytes))| (place.clone(), bytes.clone()))
            .collect()
    }

    fn failure(class: FailureClass) -> Failure {
        Failure {
            class,
            message: "the store says no".to_owned(),
        }
    }
}

impl State {
    fn one_in(&self, n: u64) -> bool {
        !self.well && self.dice.below(n) == 0
    }
}

impl Destination for Store {
    fn begin<'a>(&'a self, object: &'a ObjectId) -> Boxed<'a, Result<Box<dyn Upload>, Failure>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if self.0.lock().one_in(12) {
                return Err(Self::failure(FailureClass::Destination));
            }
            let upload = Sending {
                store: self.clone(),
                object: object.clone(),
                bytes: Vec::new(),
            };
            Ok(Box::new(upload) as Box<dyn Upload>)
        })
    }

    fn head<'a>(&'a self, object: &'a ObjectId, _lengths: &'a [u64]) -> Boxed<'a, Presence> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let mut state = self.0.lock();
            if state.one_in(10) {
                return Presence::Unknown(Self::failure(FailureClass::Destination));
            }
            // waiting long enough is a proof; here everything late is applied by then
            let late = state.late.iter().any(|(place, ..)| *place == object.place);
            if late && state.well {
                let (due, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut state.late)
                    .into_iter()
                    .partition(|(place, ..)| *place == object.place);
                state.late = rest;
                for (place, batch, bytes, _) in due {
                    state.objects.entry(place).or_insert((batch, bytes));
                }
            }
            match state.objects.get(&object.place) {
                Some((batch, _)) if *batch == object.batch => Presence::Ours,
                Some(_) => Presence::Foreign("another batch's object".to_owned()),
                None => Presence::Absent {
                    settled: !state.late.iter().any(|(place, ..)| *place == object.place),
                },
            }
        })
    }

    fn check(&self) -> Boxed<'_, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

#[derive(Debug)]
struct Sending {
    store: Store,
    object: ObjectId,
    bytes: Vec<u8>,
}

impl Upload for Sending {
    fn part(&mut self, bytes: Bytes) -> Boxed<'_, Result<(), Failure>> {
        Box::pin(async move {
            self.bytes.extend_from_slice(&bytes);
            Ok(())
        })
    }

    fn create(self: Box<Self>, batch: &SealedBatch) -> Boxed<'_, Outcome> {
        Box::pin(async move {
            assert_eq!(batch.object(), self.object);
            assert_eq!(
                batch.length,
                self.bytes.len() as u64,
                "the SEAL says another length"
            );
            let steps = self.store.0.lock().dice.below(6);
            for _ in 0..steps {
                tokio::task::yield_now().await;
            }
            let mut state = self.store.0.lock();
            let place = self.object.place.clone();
            if state.denied.contains(&place.root) {
                return Outcome::Refused(Store::failure(FailureClass::Configuration));
            }
            if state.objects.contains_key(&place) {
                return Outcome::Exists;
            }
            let unanswered = Outcome::MayHaveHappened(Store::failure(FailureClass::Destination));
            if state.one_in(8) {
                // lost on the way
                return unanswered;
            }
            if state.one_in(8) {
                let ticks = state.dice.below(12);
                state
                    .late
                    .push((place, self.object.batch, self.bytes, ticks));
                return unanswered;
            }
            let answered = !state.one_in(8);
            state.objects.insert(place, (self.object.batch, self.bytes));
            if answered {
                Outcome::Created
            } else {
                unanswered
            }
        })
    }

    fn abort(self: Box<Self>) -> Boxed<'static, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

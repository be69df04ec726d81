//! Carries out what is decided of a changed manifest: hands it to the rooms, or keeps the one in
//! force and says why, in the log once and in `/report` as long as it is so.

use std::future::Future;
use std::sync::Arc;

use crds::validate::ValidatedStream;

use super::observer::Observer;
use crate::clock::WallClock;
use crate::reload::Take;
use crate::reload::decide::{Decision, Reason, decide, problems};
use crate::reload::load::{Fault, Loaded};

#[cfg(test)]
mod tests;

/// The rooms that a manifest reaches while they run.
pub trait Apply: Send {
    /// Takes a manifest that passed every check; errors with what a room refuses, in which case
    /// nothing has changed.
    fn apply(&mut self, loaded: &Loaded) -> impl Future<Output = Result<(), Vec<Fault>>> + Send;
}

/// Takes manifests.
#[derive(Debug)]
pub struct Taker<A> {
    in_force: ValidatedStream,
    rooms: A,
    observer: Arc<Observer>,
    clock: Arc<dyn WallClock>,
}

impl<A: Apply> Taker<A> {
    pub fn new(
        in_force: ValidatedStream,
        rooms: A,
        observer: Arc<Observer>,
        clock: Arc<dyn WallClock>,
    ) -> Self {
        Self {
            in_force,
            rooms,
            observer,
            clock,
        }
    }

    fn keep(&self, reason: Reason, faults: &[Fault]) {
        for fault in faults {
            tracing::warn!(?reason, "the changed manifest is not taken: {fault}");
        }
        self.observer
            .manifest_problems(problems(reason, faults, self.clock.now()));
    }
}

impl<A: Apply> Take for Taker<A> {
    async fn take(&mut self, content: Result<&str, &str>) {
        let loaded = match decide(&self.in_force, content) {
            Decision::Keep { reason, faults } => return self.keep(reason, &faults),
            Decision::Apply(loaded) => loaded,
        };
        if let Err(faults) = self.rooms.apply(&loaded).await {
            return self.keep(Reason::SpecRefused, &faults);
        }
        for warning in &loaded.warnings {
            tracing::warn!("the manifest: {warning}");
        }
        tracing::info!("the changed manifest is in force");
        self.in_force = loaded.stream;
        self.observer.manifest_problems(Vec::new());
    }
}

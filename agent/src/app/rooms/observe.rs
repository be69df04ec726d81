//! One look at all rooms, in the words of [`crate::report::observed`].

use std::sync::Arc;

use parking_lot::Mutex;

use super::Rooms;
use crate::app::observer::Source;
use crate::clock::WallClock;
use crate::delivery::snapshot::Snapshot;
use crate::ingest;
use crate::record::UnixMillis;
use crate::report::observed::{Delivery, Intake, LastError, Observed, Problem, Producer};
use crate::report::since::{Since, wal_problems};

/// Looks at the rooms.
#[derive(Debug)]
pub(super) struct Look {
    rooms: Rooms,
    clock: Arc<dyn WallClock>,
    since: Mutex<Since>,
    intake_since: Mutex<Since>,
}

impl Look {
    pub(super) fn new(rooms: Rooms, clock: Arc<dyn WallClock>) -> Self {
        Self {
            rooms,
            clock,
            since: Mutex::default(),
            intake_since: Mutex::default(),
        }
    }
}

impl Source for Look {
    fn observe(&self) -> Observed {
        let at = self.clock.now();
        // the delivery first: what it has accepted is never more than the wal has
        let delivery = self.rooms.pipeline.snapshot();
        let wal = (*self.rooms.wal.status()).clone();
        let wal_problems = self.since.lock().update(at, wal_problems(&wal));
        let intake = self.rooms.intake.snapshot();
        let objective = *self.rooms.objective.lock();
        Observed {
            at,
            wal,
            intake: seen_intake(at, intake, &mut self.intake_since.lock()),
            deliveries: vec![seen_delivery(delivery, objective)],
            spec_problems: Vec::new(),
            wal_problems,
        }
    }
}

fn seen_intake(at: UnixMillis, told: ingest::Snapshot, since: &mut Since) -> Intake {
    let problems = told
        .problems
        .into_iter()
        .map(|message| ("IntakeMisconfigured", message));
    Intake {
        paused: told.paused,
        records: told.records,
        bytes: told.bytes,
        succeeded: told.succeeded,
        refused: told.refused,
        connections: told.connections,
        busy_seconds: told.busy_seconds,
        producers: told
            .producers
            .into_iter()
            .map(|(name, records)| Producer { name, records })
            .collect(),
        problems: since.update(at, problems.collect()),
    }
}

fn seen_delivery(told: Snapshot, objective_seconds: Option<u32>) -> Delivery {
    Delivery {
        name: told.name,
        recovering: told.recovering,
        generation: told.generation,
        objective_seconds,
        accepted: told.accounting.accepted,
        counts: told.accounting.counts,
        in_wal: told.accounting.in_wal,
        oldest_undelivered: told.oldest_undelivered,
        open_batches: told.open_batches,
        sealed_batches: told.sealed_batches,
        held_batches: told.held_batches,
        objects: told.delivered_objects,
        bytes: told.delivered_bytes,
        failures: told.failures,
        taken: told.taken,
        busy_seconds: told.busy_seconds,
        last_error: told.last_failure.map(|(at, message)| LastError {
            at,
            message,
            count: told.failures,
        }),
        problems: told
            .problems
            .into_iter()
            .map(|problem| Problem {
                reason: problem.reason.to_owned(),
                field: None,
                message: problem.message,
                since: problem.since,
            })
            .collect(),
    }
}

//! What became of each record of one cursor: complete, in a sealed batch, or neither (D-7, D-8,
//! D-11, D-12). Pure: it is told of control frames, in log order, and of nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::object::{BatchId, Partition, SealedBatch};
use crate::record::Sequence;
use crate::runs::Runs;
use crate::wal::{Control, Counts, CursorState, Progress};

/// The sealed batches and complete records of one cursor.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Sealed and not done, by their id at the first place.
    batches: BTreeMap<BatchId, Sealed>,
    complete: Runs,
    counts: Counts,
    highest_sealed: Sequence,
}

/// A sealed batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// As the last SEAL and RESEAL say.
    pub batch: SealedBatch,
    /// Every length that a SEAL of it named: an object of any of them is ours (D-15).
    pub lengths: BTreeSet<u64>,
}

/// What to do with a record's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No SEAL lists it: it belongs into an open batch.
    Free,
    /// This batch has it.
    Sealed(BatchId),
    Complete,
}

impl Ledger {
    /// What the last checkpoint says; the cursor's live frames are to be applied next.
    pub fn new(state: &CursorState) -> Self {
        let mut complete = state.complete.clone();
        complete.insert(Sequence(0)..state.low_water);
        Self {
            batches: BTreeMap::new(),
            complete,
            counts: state.counts,
            highest_sealed: state.highest_sealed,
        }
    }

    /// Takes in a frame of this cursor that is durable. A DONE gives what is complete by it.
    pub fn apply(&mut self, control: &Control) -> Option<Progress> {
        match control {
            Control::Seal(batch) => {
                self.seal(batch);
                None
            }
            Control::Reseal {
                batch,
                reseal,
                place,
                ..
            } => {
                if let Some(sealed) = self.batches.get_mut(batch) {
                    sealed.batch.reseal = *reseal;
                    sealed.batch.place = place.clone();
                }
                None
            }
            Control::Done { batch, .. } => self.done(*batch),
            Control::Cursor { .. }
            | Control::Version { .. }
            | Control::Upload { .. }
            | Control::GiveUp { .. }
            | Control::Loss { .. } => None,
        }
    }

    fn seal(&mut self, batch: &SealedBatch) {
        if let Some(last) = batch.runs.last() {
            self.highest_sealed = self.highest_sealed.max(last);
        }
        let id = batch.identity.id(0);
        if let Some(before) = self.batches.get_mut(&id) {
            // the same batch with other bytes (D-12), or without lost records (W-15)
            before.lengths.insert(batch.length);
            before.batch = batch.clone();
            return;
        }
        let lengths = BTreeSet::from([batch.length]);
        let batch = batch.clone();
        self.batches.insert(id, Sealed { batch, lengths });
    }

    fn done(&mut self, id: BatchId) -> Option<Progress> {
        let sealed = self.batches.remove(&id)?;
        // what was complete in the checkpoint already is counted there
        let mut complete = sealed.batch.runs;
        complete.subtract(&self.complete);
        let mut counts = Counts::default();
        match sealed.batch.identity.partition {
            Partition::Data => counts.delivered = complete.len(),
            Partition::Error => counts.error_output = complete.len(),
        }
        Some(self.finish(complete, counts))
    }

    /// Records that were accepted and can't be read: counted once, as lost. A sealed batch loses
    /// them too (W-15).
    pub fn lost(&mut self, sequences: Range<Sequence>, records: u64) -> Option<Progress> {
        let mut complete: Runs = std::iter::once(sequences).collect();
        complete.subtract(&self.complete);
        if complete.is_empty() {
            return None;
        }
        let counts = Counts {
            lost: records.min(complete.len()),
            ..Counts::default()
        };
        Some(self.finish(complete, counts))
    }

    /// A record that a processor dropped.
    pub fn filtered(&mut self, sequence: Sequence) -> Option<Progress> {
        if self.complete.contains(sequence) {
            return None;
        }
        let complete: Runs = std::iter::once(sequence..sequence.plus(1)).collect();
        let counts = Counts {
            filtered: 1,
            ..Counts::default()
        };
        Some(self.finish(complete, counts))
    }

    fn finish(&mut self, complete: Runs, counts: Counts) -> Progress {
        self.complete.extend(&complete);
        self.counts.delivered += counts.delivered;
        self.counts.error_output += counts.error_output;
        self.counts.filtered += counts.filtered;
        self.counts.lost += counts.lost;
        Progress { complete, counts }
    }

    /// Where a record's output stands (D-7): sealed if and only if a SEAL of that partition lists it.
    pub fn place(&self, partition: &Partition, sequence: Sequence) -> Standing {
        if self.complete.contains(sequence) {
            return Standing::Complete;
        }
        let holds = |sealed: &Sealed| {
            sealed.batch.identity.partition == *partition && sealed.batch.runs.contains(sequence)
        };
        self.batches
            .iter()
            .find(|(_, sealed)| holds(sealed))
            .map_or(Standing::Free, |(id, _)| Standing::Sealed(*id))
    }

    pub fn get(&self, id: BatchId) -> Option<&Sealed> {
        self.batches.get(&id)
    }

    /// The sealed batches that are not done.
    pub fn sealed(&self) -> impl Iterator<Item = (BatchId, &Sealed)> {
        self.batches.iter().map(|(id, sealed)| (*id, sealed))
    }

    pub fn sealed_len(&self) -> usize {
        self.batches.len()
    }

    /// Records in sealed batches.
    pub fn sealed_records(&self) -> u64 {
        let records = |sealed: &Sealed| {
            let mut runs = sealed.batch.runs.clone();
            runs.subtract(&self.complete);
            runs.len()
        };
        self.batches.values().map(records).sum()
    }

    /// Records at and above `position` that are sealed or complete.
    pub fn ahead_of(&self, position: Sequence) -> u64 {
        let mut ahead: Runs = self
            .complete
            .iter()
            .chain(
                self.batches
                    .values()
                    .flat_map(|sealed| sealed.batch.runs.iter()),
            )
            .filter(|run| run.end > position)
            .collect();
        ahead.remove(&(Sequence(0)..position));
        ahead.len()
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Where a new version may begin: after the highest sequence that a SEAL names (W-10).
    pub fn after_sealed(&self) -> Sequence {
        self.highest_sealed.plus(1)
    }
}

#[cfg(test)]
mod tests;

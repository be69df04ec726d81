//! What the log says of its cursors, as a value: the writer keeps it, recovery rebuilds it from the
//! last checkpoint and the frames behind it, a checkpoint is its encoded form (W-11). It alone
//! decides what can be truncated.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::object::{BatchId, CursorId};
use crate::record::Sequence;
use crate::runs::Runs;

use super::control::{Control, FrameAt};
use super::handle::{Counts, CursorState, Progress, VersionEntry};

/// The state that a checkpoint holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogState {
    /// The sequence of the next record.
    pub next_sequence: u64,
    /// Records ever made durable in this shard.
    pub accepted: u64,
    /// Sequences that no record has: those of failed groups (W-2).
    pub gaps: Runs,
    /// Ranges in which records were lost, with how many (I-7).
    pub losses: Vec<LostRange>,
    pub lost: u64,
    pub cursors: BTreeMap<CursorId, CursorEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostRange {
    pub sequences: Range<Sequence>,
    pub records: u64,
}

/// One cursor's durable half.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CursorEntry {
    pub name: String,
    pub first: Sequence,
    /// The first record that is not complete.
    pub low_water: Sequence,
    /// Complete records from `first` to `low_water`.
    pub complete_below: u64,
    /// Complete records above `low_water`.
    pub complete_above: Runs,
    /// Of all complete records.
    pub counts: Counts,
    /// The highest sequence that a SEAL named.
    pub highest_sealed: Sequence,
    pub versions: Vec<VersionEntry>,
    pub live: BTreeMap<BatchId, LiveBatch>,
}

/// A sealed batch whose records are not all complete in the checkpoint: its frames are needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveBatch {
    pub runs: Runs,
    /// Its frames, in log order.
    pub frames: Vec<FrameAt>,
}

impl LogState {
    /// A shard without a record.
    pub fn new() -> Self {
        Self {
            next_sequence: Sequence::FIRST.0,
            ..Self::default()
        }
    }

    /// Takes in a durable DATA frame. Sequences between the last one and its first are a gap.
    pub fn data(&mut self, sequences: Range<Sequence>) {
        if sequences.start.0 > self.next_sequence {
            self.gaps
                .insert(Sequence(self.next_sequence)..sequences.start);
        }
        self.accepted += sequences.end.0 - sequences.start.0;
        self.next_sequence = sequences.end.0;
    }

    /// Takes in a durable control frame.
    pub fn control(&mut self, control: &Control, at: FrameAt) {
        if let Control::Loss {
            sequences, records, ..
        } = control
        {
            return self.loss(sequences.clone(), *records);
        }
        if let Control::Cursor {
            cursor,
            name,
            first,
        } = control
        {
            let entry = self.cursors.entry(*cursor).or_default();
            entry.name.clone_from(name);
            entry.first = *first;
            entry.low_water = *first;
            return;
        }
        let Some(entry) = control.cursor().and_then(|id| self.cursors.get_mut(&id)) else {
            return;
        };
        match control {
            Control::Version {
                first,
                generation,
                digest,
                ..
            } => {
                entry.versions.retain(|version| version.first < *first);
                entry.versions.push(VersionEntry {
                    first: *first,
                    generation: *generation,
                    digest: *digest,
                });
            }
            Control::Seal(batch) => {
                if let Some(last) = batch.runs.last() {
                    entry.highest_sealed = entry.highest_sealed.max(last);
                }
                let live = entry.live.entry(batch.identity.id(0)).or_default();
                live.runs.extend(&batch.runs);
                live.frames.push(at);
            }
            Control::Upload { batch, .. }
            | Control::Reseal { batch, .. }
            | Control::Done { batch, .. }
            | Control::GiveUp { batch, .. } => {
                entry.live.entry(*batch).or_default().frames.push(at);
            }
            Control::Cursor { .. } | Control::Loss { .. } => {}
        }
    }

    /// Notes records that can't be read; one range once.
    pub fn loss(&mut self, sequences: Range<Sequence>, records: u64) {
        if self.losses.iter().any(|loss| loss.sequences == sequences) {
            return;
        }
        self.lost += records;
        self.losses.push(LostRange { sequences, records });
    }

    /// Takes in what a delivery completed.
    pub fn progress(&mut self, cursor: CursorId, progress: &Progress) {
        let Some(entry) = self.cursors.get_mut(&cursor) else {
            return;
        };
        entry.complete_above.extend(&progress.complete);
        let counts = &mut entry.counts;
        counts.delivered += progress.counts.delivered;
        counts.error_output += progress.counts.error_output;
        counts.given_up += progress.counts.given_up;
        counts.filtered += progress.counts.filtered;
        counts.lost += progress.counts.lost;
        entry.advance(&self.gaps);
    }

    /// The first record that some cursor still needs; `next_sequence` if none does. Without a
    /// cursor nothing is let go: the first one is still to come.
    pub fn low_water(&self) -> Sequence {
        self.cursors
            .values()
            .map(|entry| entry.low_water)
            .min()
            .unwrap_or(Sequence::FIRST)
    }

    /// Forgets gaps and losses that no cursor needs.
    pub fn trim(&mut self) {
        let low_water = self.low_water();
        self.gaps.remove(&(Sequence(0)..low_water));
        self.losses.retain(|loss| loss.sequences.end > low_water);
    }

    /// Sealed batches that wait for their DONE or for their records to be complete.
    pub fn live_batches(&self) -> usize {
        self.cursors.values().map(|entry| entry.live.len()).sum()
    }

    /// Records from `first` to the durable end: sequences but for gaps.
    pub fn records_from(&self, first: Sequence) -> u64 {
        let mut sequences = Runs::new();
        sequences.insert(first..Sequence(self.next_sequence));
        sequences.subtract(&self.gaps);
        sequences.len()
    }

    /// What a delivery gets when it attaches.
    pub fn cursor_state(&self, id: CursorId) -> Option<CursorState> {
        let entry = self.cursors.get(&id)?;
        let mut live: Vec<FrameAt> = entry
            .live
            .values()
            .flat_map(|batch| batch.frames.iter().copied())
            .collect();
        live.sort_unstable();
        Some(CursorState {
            id,
            name: entry.name.clone(),
            first: entry.first,
            complete: entry.complete_above.clone(),
            counts: entry.counts,
            low_water: entry.low_water,
            highest_sealed: entry.highest_sealed,
            records_below_low_water: entry.complete_below,
            records_from_low_water: self.records_from(entry.low_water),
            versions: entry.versions.clone(),
            live,
        })
    }
}

impl CursorEntry {
    /// Moves the low-water mark over complete records and gaps; forgets what lies below it.
    fn advance(&mut self, gaps: &Runs) {
        loop {
            let at = self.low_water;
            let complete = self.complete_above.iter().find(|run| run.contains(&at));
            if let Some(run) = complete {
                self.complete_below += run.end.0 - at.0;
                self.low_water = run.end;
                self.complete_above.remove(&(Sequence(0)..run.end));
                continue;
            }
            match gaps.iter().find(|run| run.contains(&at)) {
                Some(gap) => self.low_water = gap.end,
                None => break,
            }
        }
        let (low_water, above) = (self.low_water, &self.complete_above);
        self.live.retain(|_, live| {
            live.runs.remove(&(Sequence(0)..low_water));
            live.runs.subtract(above);
            !live.runs.is_empty()
        });
        // the version in force at the low-water mark and all later ones
        let in_force = self
            .versions
            .iter()
            .rposition(|version| version.first <= low_water);
        self.versions.drain(..in_force.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::control::VersionDigest;

    const CURSOR: CursorId = CursorId(7);

    fn runs(ranges: &[(u64, u64)]) -> Runs {
        ranges
            .iter()
            .map(|&(a, b)| Sequence(a)..Sequence(b))
            .collect()
    }

    fn done(state: &mut LogState, ranges: &[(u64, u64)]) {
        let complete = runs(ranges);
        let counts = Counts {
            delivered: complete.len(),
            ..Counts::default()
        };
        state.progress(CURSOR, &Progress { complete, counts });
    }

    fn state() -> LogState {
        let mut state = LogState::new();
        let cursor = Control::Cursor {
            cursor: CURSOR,
            name: "lake".into(),
            first: Sequence::FIRST,
        };
        state.control(&cursor, FrameAt::default());
        state
    }

    #[test]
    fn the_low_water_mark_passes_gaps_but_not_missing_records() {
        let mut state = state();
        state.data(Sequence(1)..Sequence(10));
        state.data(Sequence(15)..Sequence(20));
        done(&mut state, &[(15, 18)]);
        assert_eq!(state.low_water(), Sequence(1));
        done(&mut state, &[(1, 10)]);
        assert_eq!(state.low_water(), Sequence(18));
        let entry = &state.cursors[&CURSOR];
        assert_eq!(
            (entry.complete_below, entry.counts.delivered, state.accepted),
            (12, 12, 14)
        );
        assert!(entry.complete_above.is_empty());
    }

    #[test]
    fn without_a_cursor_nothing_is_let_go() {
        let mut state = LogState::new();
        state.data(Sequence(1)..Sequence(10));
        assert_eq!(state.low_water(), Sequence::FIRST);
    }

    #[test]
    fn the_version_in_force_at_the_low_water_mark_stays() {
        let mut state = state();
        state.data(Sequence(1)..Sequence(100));
        for (first, digest) in [(1, 1), (10, 2), (20, 3), (20, 4)] {
            let version = Control::Version {
                cursor: CURSOR,
                first: Sequence(first),
                generation: 1,
                digest: VersionDigest([digest; 32]),
            };
            state.control(&version, FrameAt::default());
        }
        done(&mut state, &[(1, 15)]);
        let left: Vec<_> = state.cursors[&CURSOR]
            .versions
            .iter()
            .map(|v| (v.first.0, v.digest.0[0]))
            .collect();
        assert_eq!(
            left,
            [(10, 2), (20, 4)],
            "a later frame overrides from its first sequence on"
        );
    }

    #[test]
    fn a_loss_counts_once() {
        let mut state = state();
        state.loss(Sequence(3)..Sequence(6), 3);
        state.loss(Sequence(3)..Sequence(6), 3);
        assert_eq!((state.lost, state.losses.len()), (3, 1));
    }
}

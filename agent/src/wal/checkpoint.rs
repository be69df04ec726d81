//! The payload of a CHECKPOINT frame (W-11): first in every segment, at least every 32 MiB, at a
//! clean stop, and as the first frame of a life. The log decides; a checkpoint saves reading it.
//!
//! ```text
//! version u16 = 1 | clean u8 | next sequence u64 | accepted u64 | lost u64 | gaps: runs
//! losses: count u32, each: first u64, end u64, records u64
//! token window: count u32 = 0 (room: hash u64, first sequence u64, count u32)
//! cursors: count u32, each:
//!   id u64 | name | first u64 | low water u64 | complete below u64 | complete above: runs
//!   delivered, error output, given up, filtered, lost: u64 each | highest sealed u64
//!   versions: count u32, each: first u64, generation u64, digest 32
//!   live batches: count u32, each: id 16, runs, frames: count u32, each: segment u64, offset u32
//! ```

use uuid::Uuid;

use crate::object::{BatchId, CursorId};
use crate::record::Sequence;
use crate::runs::Runs;

use super::codec::{Malformed, Put, Take};
use super::control::{FrameAt, VersionDigest};
use super::handle::{Counts, VersionEntry};
use super::state::{CursorEntry, LiveBatch, LogState, LostRange};

const VERSION: u16 = 1;

/// A state at one place of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Written by a clean stop: nothing behind it was ever begun.
    pub clean: bool,
    pub state: LogState,
}

impl Checkpoint {
    pub fn encode(&self) -> Vec<u8> {
        let state = &self.state;
        let mut put = Put::default();
        put.u16(VERSION);
        put.u8(u8::from(self.clean));
        put.u64(state.next_sequence);
        put.u64(state.accepted);
        put.u64(state.lost);
        state.gaps.encode(&mut put.0);
        put.length(state.losses.len());
        for loss in &state.losses {
            put.u64(loss.sequences.start.0);
            put.u64(loss.sequences.end.0);
            put.u64(loss.records);
        }
        put.u32(0);
        put.length(state.cursors.len());
        for (id, cursor) in &state.cursors {
            put_cursor(&mut put, *id, cursor);
        }
        put.0
    }

    pub fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        let take = &mut Take::new(payload, "checkpoint");
        if take.u16()? != VERSION {
            return Err(take.malformed());
        }
        let clean = take.u8()? != 0;
        let mut state = LogState {
            next_sequence: take.u64()?,
            accepted: take.u64()?,
            lost: take.u64()?,
            gaps: take_runs(take)?,
            ..LogState::default()
        };
        for _ in 0..take.count(24)? {
            let sequences = Sequence(take.u64()?)..Sequence(take.u64()?);
            state.losses.push(LostRange {
                sequences,
                records: take.u64()?,
            });
        }
        for _ in 0..take.count(20)? {
            take.raw(20)?;
        }
        for _ in 0..take.count(92)? {
            let id = CursorId(take.u64()?);
            state.cursors.insert(id, take_cursor(take)?);
        }
        take.end()?;
        Ok(Self { clean, state })
    }
}

fn put_cursor(put: &mut Put, id: CursorId, cursor: &CursorEntry) {
    put.u64(id.0);
    put.bytes(cursor.name.as_bytes());
    put.u64(cursor.first.0);
    put.u64(cursor.low_water.0);
    put.u64(cursor.complete_below);
    cursor.complete_above.encode(&mut put.0);
    let Counts {
        delivered,
        error_output,
        given_up,
        filtered,
        lost,
    } = cursor.counts;
    for count in [
        delivered,
        error_output,
        given_up,
        filtered,
        lost,
        cursor.highest_sealed.0,
    ] {
        put.u64(count);
    }
    put.length(cursor.versions.len());
    for version in &cursor.versions {
        put.u64(version.first.0);
        put.u64(version.generation);
        put.raw(&version.digest.0);
    }
    put.length(cursor.live.len());
    for (batch, live) in &cursor.live {
        put.raw(batch.0.as_bytes());
        live.runs.encode(&mut put.0);
        put.length(live.frames.len());
        for at in &live.frames {
            put.u64(at.segment);
            put.u32(at.offset);
        }
    }
}

fn take_cursor(take: &mut Take<'_>) -> Result<CursorEntry, Malformed> {
    let mut cursor = CursorEntry {
        name: take.text()?,
        first: Sequence(take.u64()?),
        low_water: Sequence(take.u64()?),
        complete_below: take.u64()?,
        complete_above: take_runs(take)?,
        counts: Counts {
            delivered: take.u64()?,
            error_output: take.u64()?,
            given_up: take.u64()?,
            filtered: take.u64()?,
            lost: take.u64()?,
        },
        highest_sealed: Sequence(take.u64()?),
        ..CursorEntry::default()
    };
    for _ in 0..take.count(48)? {
        cursor.versions.push(VersionEntry {
            first: Sequence(take.u64()?),
            generation: take.u64()?,
            digest: VersionDigest(take.array()?),
        });
    }
    for _ in 0..take.count(21)? {
        let batch = BatchId(Uuid::from_bytes(take.array()?));
        let mut live = LiveBatch {
            runs: take_runs(take)?,
            frames: Vec::new(),
        };
        for _ in 0..take.count(12)? {
            live.frames.push(FrameAt {
                segment: take.u64()?,
                offset: take.u32()?,
            });
        }
        cursor.live.insert(batch, live);
    }
    Ok(cursor)
}

fn take_runs(take: &mut Take<'_>) -> Result<Runs, Malformed> {
    let malformed = take.malformed();
    Runs::decode(&mut take.rest).map_err(|_| malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Checkpoint {
        let mut state = LogState::new();
        state.next_sequence = 50;
        state.accepted = 40;
        state.lost = 2;
        state.gaps.insert(Sequence(10)..Sequence(12));
        state.losses.push(LostRange {
            sequences: Sequence(20)..Sequence(22),
            records: 2,
        });
        let live = LiveBatch {
            runs: [Sequence(31)..Sequence(33)].into_iter().collect(),
            frames: vec![FrameAt {
                segment: 2,
                offset: 512,
            }],
        };
        let cursor = CursorEntry {
            name: "lake".into(),
            first: Sequence(1),
            low_water: Sequence(30),
            complete_below: 25,
            complete_above: [Sequence(40)..Sequence(41)].into_iter().collect(),
            counts: Counts {
                delivered: 24,
                error_output: 1,
                given_up: 0,
                filtered: 0,
                lost: 1,
            },
            highest_sealed: Sequence(32),
            versions: vec![VersionEntry {
                first: Sequence(1),
                generation: 1,
                digest: VersionDigest([0xcc; 32]),
            }],
            live: [(BatchId(Uuid::from_u128(5)), live)].into(),
        };
        state.cursors.insert(CursorId(3), cursor);
        Checkpoint { clean: true, state }
    }

    #[expect(clippy::format_collect, reason = "hex of a golden test")]
    #[test]
    fn the_bytes_of_a_checkpoint_stay_as_they_are() {
        let bytes = example().encode();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            include_str!("checkpoint/golden.hex").trim(),
            "a changed checkpoint needs a new version"
        );
        assert_eq!(Checkpoint::decode(&bytes), Ok(example()));
    }

    #[test]
    fn a_payload_cut_anywhere_is_refused() {
        let bytes = example().encode();
        for length in 0..bytes.len() {
            assert!(
                Checkpoint::decode(&bytes[..length]).is_err(),
                "cut at {length}"
            );
        }
    }
}

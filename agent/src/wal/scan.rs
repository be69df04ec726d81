//! Reading one segment from its first frame to its end, and finding that end where no successor
//! tells it (W-15). Pure: bytes in, findings out.

use std::ops::Range;

use crate::record::Sequence;

use super::checkpoint::Checkpoint;
use super::control::{Control, FrameAt};
use super::frame::{Header, Kind, Salt};
use super::segment::{SEGMENT_HEADER_LEN, Step, Walk};

/// What one segment holds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub items: Vec<Item>,
    /// Bytes from the segment's start to the end of its log.
    pub end: u32,
    /// The life of the last frame.
    pub life: u32,
    /// Its last frame is a CHECKPOINT: nothing was accepted after it.
    pub ends_with_checkpoint: bool,
    /// Records of a last group that was begun and never synced, as far as its headers can be read.
    pub in_doubt: u64,
    /// Control frames that can't be read.
    pub damaged_controls: u64,
}

#[derive(Debug)]
pub(super) enum Item {
    Data(Range<Sequence>),
    Control(Box<Control>, FrameAt),
    Checkpoint(Box<Checkpoint>),
    Lost {
        sequences: Range<Sequence>,
        records: u64,
    },
}

/// Scans `bytes`, which hold the segment from behind its header. `end`: where a successor says that
/// its log ends, and at which sequence; none for the last segment.
pub(super) fn scan(
    bytes: &[u8],
    segment: u64,
    salt: Salt,
    first_sequence: u64,
    end: Option<(u32, u64)>,
) -> Scan {
    let base = SEGMENT_HEADER_LEN;
    let known = end.map(|(end, _)| end.saturating_sub(base) as usize);
    let bytes = bytes
        .get(..known.unwrap_or(bytes.len()).min(bytes.len()))
        .unwrap_or_default();
    let steps: Vec<Step> = Walk::new(bytes, base, salt).collect();
    let mut scan = Scan {
        end: base,
        ..Scan::default()
    };
    let mut chain = Chain {
        segment,
        expected: first_sequence,
        life: None,
        // all before a known end is durable; else what the frames themselves prove
        proven: end.map_or_else(|| proven(&steps), |(end, _)| end),
    };
    let walk = Walk::new(bytes, base, salt);
    let mut rest = steps.iter();
    while let Some(step) = rest.next() {
        if !chain.take(step, &walk, &mut scan) {
            scan.in_doubt = in_doubt(std::iter::once(step).chain(rest), &chain);
            break;
        }
    }
    if let Some((end, end_sequence)) = end {
        chain.lose(end_sequence, &mut scan);
        scan.end = end;
    }
    scan.life = chain.life.unwrap_or_default();
    scan
}

/// Any header under this salt proves that what lay before its `durable` had been synced.
fn proven(steps: &[Step]) -> u32 {
    let durable = |step: &Step| match step {
        Step::Frame { header, .. } => header.durable,
        Step::Hole { .. } => 0,
    };
    steps.iter().map(durable).max().unwrap_or(0)
}

/// Records in the frames of a torn group, by the headers that can be read.
fn in_doubt<'a>(torn: impl Iterator<Item = &'a Step>, chain: &Chain) -> u64 {
    let records = |step: &Step| match step {
        Step::Frame { header, .. } if Some(header.life) == chain.life => u64::from(header.count),
        Step::Frame { .. } | Step::Hole { .. } => 0,
    };
    torn.map(records).sum()
}

#[derive(Debug)]
struct Chain {
    segment: u64,
    expected: u64,
    life: Option<u32>,
    proven: u32,
}

impl Chain {
    /// Takes in one step; `false` where the log ends.
    fn take(&mut self, step: &Step, walk: &Walk<'_>, scan: &mut Scan) -> bool {
        match *step {
            Step::Hole { offset, next } => {
                if offset >= self.proven {
                    return false;
                }
                scan.end = next;
                scan.ends_with_checkpoint = false;
                true
            }
            Step::Frame {
                header,
                offset,
                sound,
            } => {
                let durable = offset < self.proven;
                if !self.continues(&header, offset) {
                    return durable;
                }
                if !sound && !durable {
                    return false;
                }
                self.lose(header.first_sequence, scan);
                self.life = Some(header.life);
                scan.end = offset + header.frame_len();
                scan.ends_with_checkpoint = header.kind == Kind::Checkpoint && sound;
                self.item(
                    &header,
                    offset,
                    sound.then(|| walk.payload(offset, &header)),
                    scan,
                );
                true
            }
        }
    }

    /// Whether the frame belongs to the log: it is of the life that wrote the frame before it, or
    /// begins one. The first frame of a life has all before it durable, so what an earlier life
    /// left behind in the middle of a group that it never synced can't begin one.
    fn continues(&self, header: &Header, offset: u32) -> bool {
        let begins = header.kind == Kind::Checkpoint
            && (header.durable == offset || offset == SEGMENT_HEADER_LEN);
        Some(header.life) == self.life || begins || (self.life.is_none() && offset < self.proven)
    }

    fn item(&mut self, header: &Header, offset: u32, payload: Option<&[u8]>, scan: &mut Scan) {
        let at = FrameAt {
            segment: self.segment,
            offset,
        };
        if header.kind == Kind::Data {
            let sequences = Sequence(header.first_sequence)..Sequence(header.end_sequence());
            self.expected = self.expected.max(header.end_sequence());
            scan.items.push(if payload.is_some() {
                Item::Data(sequences)
            } else {
                Item::Lost {
                    sequences,
                    records: u64::from(header.count),
                }
            });
            return;
        }
        let item = payload.and_then(|payload| {
            if header.kind == Kind::Checkpoint {
                let checkpoint = Checkpoint::decode(payload).ok()?;
                return Some(Item::Checkpoint(Box::new(checkpoint)));
            }
            Some(Item::Control(
                Box::new(Control::decode(header.kind, payload).ok()?),
                at,
            ))
        });
        match item {
            Some(item) => scan.items.push(item),
            None => scan.damaged_controls += 1,
        }
    }

    /// Sequences that should have come before `found` are lost.
    fn lose(&mut self, found: u64, scan: &mut Scan) {
        if found > self.expected {
            let sequences = Sequence(self.expected)..Sequence(found);
            scan.items.push(Item::Lost {
                sequences,
                records: found - self.expected,
            });
            self.expected = found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::frame::{crc32c, frame_len};
    use crate::wal::state::LogState;

    const SALT: Salt = [7; 16];

    /// A segment's bytes behind its headers, frame by frame.
    struct Log(Vec<u8>);

    impl Log {
        fn new() -> Self {
            Self(vec![0; 4096])
        }

        fn put(&mut self, at: u32, header: Header, payload: &[u8]) -> u32 {
            let start = (at - SEGMENT_HEADER_LEN) as usize;
            let header = Header {
                payload_len: u32::try_from(payload.len()).expect("small"),
                payload_crc: crc32c(&[payload]),
                ..header
            };
            let bytes = [&header.encode(&SALT)[..], payload].concat();
            self.0[start..start + bytes.len()].copy_from_slice(&bytes);
            at + frame_len(payload.len())
        }

        fn data(&mut self, at: u32, life: u32, durable: u32, first_sequence: u64) -> u32 {
            let count = 1;
            let kind = Kind::Data;
            let header = Header {
                kind,
                payload_len: 0,
                first_sequence,
                count,
                life,
                durable,
                payload_crc: 0,
            };
            self.put(at, header, b"a record")
        }

        fn checkpoint(&mut self, at: u32, life: u32, durable: u32, first_sequence: u64) -> u32 {
            let state = LogState {
                next_sequence: first_sequence,
                ..LogState::default()
            };
            let payload = Checkpoint {
                clean: false,
                state,
            }
            .encode();
            let kind = Kind::Checkpoint;
            let header = Header {
                kind,
                payload_len: 0,
                first_sequence,
                count: 0,
                life,
                durable,
                payload_crc: 0,
            };
            self.put(at, header, &payload)
        }

        fn scan(&self) -> (u64, u32, u64) {
            let found = scan(&self.0, 1, SALT, 1, None);
            let records = found.items.iter().map(|item| match item {
                Item::Data(sequences) => sequences.end.0 - sequences.start.0,
                Item::Lost { .. } => panic!("nothing is lost here"),
                Item::Control(..) | Item::Checkpoint(_) => 0,
            });
            (records.sum(), found.end, found.in_doubt)
        }
    }

    #[test]
    fn what_an_earlier_life_never_synced_does_not_come_back() {
        let mut log = Log::new();
        let x = log.checkpoint(SEGMENT_HEADER_LEN, 1, 0, 1);
        // life 1 wrote two frames in one group and died: the first never got to the disk
        let first = log.data(x, 1, x, 1);
        let second = log.data(first, 1, x, 2);
        // life 2 begins where it found the end, and writes just as far as the second
        let mut later = Log(log.0.clone());
        let begun = later.checkpoint(x, 2, x, 1);
        later.data(begun, 2, x, 1);
        let mut stale = Log(later.0.clone());
        let end = later.data(begun, 2, begun, 1);
        stale.data(begun, 2, begun, 1);
        stale.data(end, 1, x, 2);
        assert_eq!(
            stale.scan(),
            (1, end, 0),
            "a frame of life 1 follows life 2's last"
        );
        // nor does a checkpoint that stood inside life 1's group
        let mut stale = Log(later.0.clone());
        stale.checkpoint(end, 1, x, 2);
        assert_eq!(stale.scan(), (1, end, 0));
        assert!(second > first);
    }

    #[test]
    fn a_torn_group_ends_the_log_and_is_in_doubt() {
        let mut log = Log::new();
        let x = log.checkpoint(SEGMENT_HEADER_LEN, 1, 0, 1);
        let synced = log.data(x, 1, x, 1);
        let second = log.data(synced, 1, synced, 2);
        let _third = log.data(second, 1, synced, 3);
        let mut torn = Log(log.0.clone());
        torn.0[(second - SEGMENT_HEADER_LEN) as usize - 4] ^= 1;
        assert_eq!(
            torn.scan(),
            (1, synced, 2),
            "the group's other frame is not believed either"
        );
    }

    #[test]
    fn a_frame_that_a_later_one_proves_synced_is_damage_not_a_tear() {
        let mut log = Log::new();
        let x = log.checkpoint(SEGMENT_HEADER_LEN, 1, 0, 1);
        let first = log.data(x, 1, x, 1);
        let second = log.data(first, 1, first, 2);
        log.0[(x - SEGMENT_HEADER_LEN) as usize + 44] ^= 1;
        let found = scan(&log.0, 1, SALT, 1, None);
        assert_eq!((found.end, found.in_doubt), (second, 0));
        let lost: Vec<_> = found
            .items
            .iter()
            .filter(|i| matches!(i, Item::Lost { .. }))
            .collect();
        assert!(
            matches!(lost[..], [Item::Lost { records: 1, .. }]),
            "{lost:?}"
        );
    }
}

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

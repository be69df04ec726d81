//! Sets of sequences as runs: what a SEAL lists, what a cursor has completed.
//!
//! Encoded form (in frames): `count` as a varint, then for each run two varints: the distance of
//! its first sequence from the end of the run before it (from 0 for the first), and its length.
//! Varints are LEB128, unsigned, at most 10 bytes.

use std::ops::Range;

use crate::record::Sequence;

/// A set of sequences, kept as sorted, disjoint, non-adjacent, non-empty half-open runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    runs: Vec<Range<u64>>,
}

/// Why bytes are no run list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunsError {
    #[error("the run list ends early")]
    Short,
    #[error("a number in the run list is longer than 64 bits")]
    Overflow,
    #[error("the run list has an empty or overlapping run")]
    Order,
}

impl Runs {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds every sequence of `run`.
    pub fn insert(&mut self, run: Range<Sequence>) {
        let (mut start, mut end) = (run.start.0, run.end.0);
        if start >= end {
            return;
        }
        // the common case: at or after the end
        match self.runs.last_mut() {
            None => return self.runs.push(start..end),
            Some(last) if last.end < start => return self.runs.push(start..end),
            Some(last) if last.end == start => {
                last.end = end;
                return;
            }
            Some(_) => {}
        }
        let from = self.runs.partition_point(|r| r.end < start);
        let to = self.runs.partition_point(|r| r.start <= end);
        if let Some(touched) = self.runs.get(from..to)
            && let (Some(first), Some(last)) = (touched.first(), touched.last())
        {
            start = start.min(first.start);
            end = end.max(last.end);
        }
        self.runs.splice(from..to, std::iter::once(start..end));
    }

    /// Adds one sequence.
    pub fn insert_one(&mut self, sequence: Sequence) {
        self.insert(sequence..sequence.plus(1));
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Self) {
        for run in other.iter() {
            self.insert(run);
        }
    }

    /// Takes every sequence of `run` out.
    pub fn remove(&mut self, run: &Range<Sequence>) {
        let (start, end) = (run.start.0, run.end.0);
        if start >= end {
            return;
        }
        let from = self.runs.partition_point(|r| r.end <= start);
        let to = self.runs.partition_point(|r| r.start < end);
        let mut keep = Vec::with_capacity(2);
        if let Some(touched) = self.runs.get(from..to)
            && let (Some(first), Some(last)) = (touched.first(), touched.last())
        {
            if first.start < start {
                keep.push(first.start..start);
            }
            if last.end > end {
                keep.push(end..last.end);
            }
        }
        if from < to {
            self.runs.splice(from..to, keep);
        }
    }

    /// Takes all of `other` out.
    pub fn subtract(&mut self, other: &Self) {
        for run in other.iter() {
            self.remove(&run);
        }
    }

    pub fn contains(&self, sequence: Sequence) -> bool {
        let at = self.runs.partition_point(|r| r.end <= sequence.0);
        self.runs.get(at).is_some_and(|r| r.start <= sequence.0)
    }

    /// Whether every sequence of `other` is in this set.
    pub fn covers(&self, other: &Self) -> bool {
        other.runs.iter().all(|wanted| {
            let at = self.runs.partition_point(|r| r.end <= wanted.start);
            self.runs
                .get(at)
                .is_some_and(|r| r.start <= wanted.start && wanted.end <= r.end)
        })
    }

    /// The sequences of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::new();
        let (mut a, mut b) = (self.runs.iter().peekable(), other.runs.iter().peekable());
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            let (start, end) = (x.start.max(y.start), x.end.min(y.end));
            both.insert(Sequence(start)..Sequence(end));
            if x.end < y.end {
                a.next();
            } else {
                b.next();
            }
        }
        both
    }

    /// How many sequences the set holds.
    pub fn len(&self) -> u64 {
        self.runs.iter().map(|r| r.end - r.start).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many runs the set holds.
    pub fn run_count(&self) -> usize {
        self.runs.len()
    }

    pub fn first(&self) -> Option<Sequence> {
        self.runs.first().map(|r| Sequence(r.start))
    }

    pub fn last(&self) -> Option<Sequence> {
        self.runs.last().map(|r| Sequence(r.end - 1))
    }

    pub fn iter(&self) -> impl Iterator<Item = Range<Sequence>> + '_ {
        self.runs.iter().map(|r| Sequence(r.start)..Sequence(r.end))
    }

    /// Every sequence, in order.
    pub fn sequences(&self) -> impl Iterator<Item = Sequence> + '_ {
        self.runs.iter().flat_map(|r| r.clone().map(Sequence))
    }

    /// Appends the encoded form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.runs.len() as u64);
        let mut end = 0;
        for run in &self.runs {
            put_varint(out, run.start - end);
            put_varint(out, run.end - run.start);
            end = run.end;
        }
    }

    /// The encoded length in bytes.
    pub fn encoded_len(&self) -> usize {
        let mut end = 0;
        let mut length = varint_len(self.runs.len() as u64);
        for run in &self.runs {
            length += varint_len(run.start - end) + varint_len(run.end - run.start);
            end = run.end;
        }
        length
    }

    /// Reads an encoded set from the front of `bytes` and moves `bytes` behind it.
    pub fn decode(bytes: &mut &[u8]) -> Result<Self, RunsError> {
        let count = take_varint(bytes)?;
        // each run takes two bytes at least, so a lying count can't make us allocate
        if count > bytes.len() as u64 {
            return Err(RunsError::Short);
        }
        let mut runs = Vec::with_capacity(usize::try_from(count).map_err(|_| RunsError::Short)?);
        let mut end = 0_u64;
        for index in 0..count {
            let gap = take_varint(bytes)?;
            let length = take_varint(bytes)?;
            if length == 0 || (gap == 0 && index > 0) {
                return Err(RunsError::Order);
            }
            let start = end.checked_add(gap).ok_or(RunsError::Overflow)?;
            end = start.checked_add(length).ok_or(RunsError::Overflow)?;
            runs.push(start..end);
        }
        Ok(Self { runs })
    }
}

impl FromIterator<Range<Sequence>> for Runs {
    fn from_iter<I: IntoIterator<Item = Range<Sequence>>>(ranges: I) -> Self {
        let mut runs = Self::new();
        for range in ranges {
            runs.insert(range);
        }
        runs
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low seven bits are what is wanted"
)]
fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn take_varint(bytes: &mut &[u8]) -> Result<u64, RunsError> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(RunsError::Short)?;
        *bytes = rest;
        let low = u64::from(byte & 0x7f);
        if shift == 63 && low > 1 {
            return Err(RunsError::Overflow);
        }
        value |= low << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(RunsError::Overflow)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(runs: &Runs) -> BTreeSet<u64> {
        runs.sequences().map(|s| s.0).collect()
    }

    proptest! {
        #[test]
        fn behaves_like_a_set(ops in prop::collection::vec((any::<bool>(), 0_u64..80, 0_u64..12), 0..60)) {
            let (mut runs, mut model) = (Runs::new(), BTreeSet::new());
            for (add, start, length) in ops {
                let range = Sequence(start)..Sequence(start + length);
                if add {
                    runs.insert(range);
                    model.extend(start..start + length);
                } else {
                    runs.remove(&range);
                    model.retain(|s| !(start..start + length).contains(s));
                }
                prop_assert_eq!(set(&runs), model.clone());
                prop_assert_eq!(runs.len(), model.len() as u64);
                prop_assert!(runs.runs.windows(2).all(|w| w[0].end < w[1].start));
            }
            let mut encoded = Vec::new();
            runs.encode(&mut encoded);
            prop_assert_eq!(encoded.len(), runs.encoded_len());
            let mut rest = encoded.as_slice();
            prop_assert_eq!(Runs::decode(&mut rest).unwrap(), runs.clone());
            prop_assert!(rest.is_empty());
            for sequence in 0..100 {
                prop_assert_eq!(runs.contains(Sequence(sequence)), model.contains(&sequence));
            }
        }

        #[test]
        fn set_operations_agree_with_sets(a in prop::collection::btree_set(0_u64..60, 0..40), b in prop::collection::btree_set(0_u64..60, 0..40)) {
            let of = |s: &BTreeSet<u64>| s.iter().map(|&s| Sequence(s)..Sequence(s + 1)).collect::<Runs>();
            let (x, y) = (of(&a), of(&b));
            prop_assert_eq!(set(&x.intersection(&y)), a.intersection(&b).copied().collect::<BTreeSet<_>>());
            let mut minus = x.clone();
            minus.subtract(&y);
            prop_assert_eq!(set(&minus), a.difference(&b).copied().collect::<BTreeSet<_>>());
            prop_assert_eq!(x.covers(&y), b.is_subset(&a));
        }

        #[test]
        fn any_bytes_are_a_set_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(runs) = Runs::decode(&mut bytes.as_slice()) {
                prop_assert!(runs.runs.windows(2).all(|w| w[0].end < w[1].start));
            }
        }
    }
}

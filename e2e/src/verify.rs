//! The verdict: what was sent against what arrived. Pure, so that each kind of fault has a test
//! which shows that it would be seen.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, ensure};

use crate::delivered::Object;
use crate::oracle::{Journal, Outcome};

#[cfg(test)]
mod tests;

/// What is wrong, by record; all empty is the pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged but not delivered (I-1, I-8).
    pub missing: Vec<String>,
    /// Delivered more than once (I-3).
    pub duplicated: Vec<String>,
    /// Delivered with other bytes.
    pub corrupt: Vec<String>,
    /// Behind a later record of its connection, in one file or across files (I-4).
    pub out_of_order: Vec<String>,
    /// Delivered though never sent, or though it was refused.
    pub unasked: Vec<String>,
    /// Records found, each counted as often as it was found.
    pub delivered: usize,
    /// Files found.
    pub objects: usize,
}

impl Verdict {
    /// Compares a journal with what was delivered.
    pub fn of(journal: &Journal, objects: &[Object]) -> Self {
        let mut verdict = Self {
            objects: objects.len(),
            ..Self::default()
        };
        let mut times: BTreeMap<(String, u64), usize> = BTreeMap::new();
        for line in objects.iter().flat_map(|object| &object.lines) {
            verdict.delivered += 1;
            let key = (line.tag.lane.clone(), line.tag.number);
            let name = name(&key);
            match journal.records.get(&key) {
                None => verdict.unasked.push(name),
                Some(sent) if sent.outcome == Outcome::Refused => verdict.unasked.push(name),
                Some(sent) if sent.hash != line.hash => verdict.corrupt.push(name),
                Some(_) => {}
            }
            *times.entry(key).or_default() += 1;
        }
        for (key, count) in &times {
            if *count > 1 {
                verdict.duplicated.push(name(key));
            }
        }
        for (key, sent) in &journal.records {
            if sent.outcome == Outcome::Acked && !times.contains_key(key) {
                verdict.missing.push(name(key));
            }
        }
        verdict.out_of_order = out_of_order(journal, objects);
        verdict
    }

    /// Fails unless nothing is wrong.
    ///
    /// # Errors
    /// The counts and the first names of each kind.
    pub fn accept(&self) -> Result<()> {
        let faults = [
            &self.missing,
            &self.duplicated,
            &self.corrupt,
            &self.out_of_order,
            &self.unasked,
        ];
        ensure!(faults.iter().all(|list| list.is_empty()), "{self}");
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records in {} files", self.delivered, self.objects)?;
        for (kind, names) in [
            ("missing", &self.missing),
            ("duplicated", &self.duplicated),
            ("corrupt", &self.corrupt),
            ("out of order", &self.out_of_order),
            ("unasked", &self.unasked),
        ] {
            write!(f, ", {kind} {}", names.len())?;
            if !names.is_empty() {
                let first: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
                write!(f, " ({} …)", first.join(", "))?;
            }
        }
        Ok(())
    }
}

fn name((lane, number): &(String, u64)) -> String {
    format!("{lane}/{number}")
}

/// Only acknowledged records are asked about: an attempt without a reply may be appended at any
/// later time. Within a file a lane's numbers rise; across files they don't overlap.
fn out_of_order(journal: &Journal, objects: &[Object]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut ranges: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
    for object in objects {
        let mut last: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for line in &object.lines {
            let (lane, number) = (line.tag.lane.as_str(), line.tag.number);
            let key = (lane.to_owned(), number);
            if journal
                .records
                .get(&key)
                .is_none_or(|sent| sent.outcome != Outcome::Acked)
            {
                continue;
            }
            let (low, high) = last.entry(lane).or_insert((number, number));
            if number < *high {
                wrong.push(name(&key));
            }
            *low = number.min(*low);
            *high = number.max(*high);
        }
        for (lane, range) in last {
            ranges.entry(lane).or_default().push(range);
        }
    }
    for (lane, mut list) in ranges {
        list.sort_unstable();
        for pair in list.windows(2) {
            if let [(_, high), (low, _)] = pair
                && low <= high
            {
                wrong.push(format!("{lane}/{low}"));
            }
        }
    }
    wrong
}

//! Who sends most, in bounded memory: a counter of the frequent ones (space saving).

use std::collections::BTreeMap;

/// Producers that are counted at once; the smallest is replaced by a new one, which inherits its
/// count, so that a frequent one is never missed.
const COUNTED: usize = 200;

/// Records by producer.
#[derive(Debug, Default)]
pub struct Producers(BTreeMap<String, u64>);

impl Producers {
    pub fn add(&mut self, name: &str, records: u64) {
        if let Some(count) = self.0.get_mut(name) {
            *count += records;
            return;
        }
        let mut inherited = 0;
        if self.0.len() >= COUNTED {
            let smallest = self.0.iter().min_by_key(|(_, count)| **count);
            if let Some(name) = smallest.map(|(name, _)| name.clone()) {
                inherited = self.0.remove(&name).unwrap_or(0);
            }
        }
        self.0.insert(name.to_owned(), inherited + records);
    }

    /// The `most` with the most records, most first.
    pub fn top(&self, most: usize) -> Vec<(String, u64)> {
        let mut all: Vec<(String, u64)> = self
            .0
            .iter()
            .map(|(name, count)| (name.clone(), *count))
            .collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(most);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frequent_ones_stay_among_many() {
        let mut producers = Producers::default();
        for round in 0..2_000 {
            producers.add("frequent", 10);
            producers.add(&format!("rare-{round}"), 1);
        }
        assert_eq!(producers.top(1), [("frequent".to_owned(), 20_000)]);
        assert!(producers.0.len() <= COUNTED);
    }
}

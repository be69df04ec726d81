//! What an agent tells on `/report`: the JSON that people, the operator and the scaler read.
//!
//! Members are added between releases, never changed or taken away. Times are RFC 3339 in UTC with
//! milliseconds; counts are of records since the wal directory was made unless said otherwise.

use serde::{Deserialize, Serialize};

/// One look at one agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Of the program.
    pub version: String,
    pub at: String,
    pub stream: Stream,
    pub state: State,
    pub wal: Wal,
    pub intake: Intake,
    /// One a destination.
    pub deliveries: Vec<Delivery>,
    pub rates: Rates,
    /// Of the manifest, the intake, the wal and all deliveries.
    pub problems: Vec<Problem>,
}

/// Whose agent it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stream {
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    pub stream_name: String,
}

/// How far the agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// The wal is being opened; nobody is served.
    Starting,
    /// Producers are served; a delivery still reads its live frames (W-13).
    Recovering,
    Running,
    /// `desiredState: Paused`: producers are refused, what is in the wal is delivered.
    Paused,
    /// It was told to end: what is in the wal is delivered.
    Draining,
}

/// The durable log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wal {
    /// Of the wal directory (W-3).
    pub shard: String,
    /// Of this opening (W-3); 16 hexadecimal digits, which a JSON number can't hold.
    pub incarnation: String,
    pub used_bytes: u64,
    pub capacity_bytes: u64,
    pub segments: u64,
    /// The sequence after the last durable record.
    pub durable_end: u64,
    /// Records whose fate damage or a tear in the last group hides, at most (W-15).
    pub in_doubt: u64,
    /// What a person should know of its files.
    pub problems: Vec<String>,
}

/// What producers did since the process started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intake {
    pub connections: u64,
    pub busy_seconds: f64,
    /// The 20 with the most records, most first.
    pub producers: Vec<Producer>,
}

/// What one producer sent since the process started. The name is what it calls itself: no proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Producer {
    pub name: String,
    pub records: u64,
}

/// One destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    pub name: String,
    /// Its live frames are being read; the accounting is not asserted yet (W-13).
    pub recovering: bool,
    /// How often the data path changed; it stands in the names of objects.
    pub generation: u64,
    pub accounting: Accounting,
    pub freshness: Freshness,
    pub open_batches: u64,
    /// Sealed and not complete yet, held ones included.
    pub sealed_batches: u64,
    /// Sealed and waiting for the configuration to be mended.
    pub held_batches: u64,
    /// Since the process started.
    pub busy_seconds: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
}

/// The identity I-2: `accepted` is the sum of the others but `balanced`, in one snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accounting {
    pub accepted: u64,
    pub delivered: u64,
    pub error_output: u64,
    pub given_up: u64,
    pub filtered: u64,
    pub lost: u64,
    pub in_wal: u64,
    /// Absent while the delivery recovers: the identity is not asserted then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced: Option<bool>,
}

impl Accounting {
    /// Whether the identity holds. A sum that doesn't fit doesn't hold.
    pub fn adds_up(&self) -> bool {
        [
            self.delivered,
            self.error_output,
            self.given_up,
            self.filtered,
            self.lost,
            self.in_wal,
        ]
        .iter()
        .try_fold(0_u64, |sum, part| sum.checked_add(*part))
            == Some(self.accepted)
    }
}

/// The age of the oldest accepted, undelivered record (I-12).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Freshness {
    /// Absent when nothing waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_undelivered_at: Option<String>,
    /// 0 when nothing waits.
    pub age_seconds: f64,
    /// `objectives.freshnessSeconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective_seconds: Option<u32>,
    /// Absent without an objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_objective: Option<bool>,
}

/// Growth over two windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rates {
    /// For people.
    pub over_10_seconds: PerSecond,
    /// For decisions.
    pub over_60_seconds: PerSecond,
}

/// Growth a second: in is accepted, out is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PerSecond {
    pub records_in: f64,
    pub bytes_in: f64,
    pub records_out: f64,
    pub bytes_out: f64,
}

/// Something that a person should know or do. A manifest that was refused while the old one stays
/// in force is the reason `SpecRefused`, one a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `CamelCase`, of a fixed list.
    pub reason: String,
    /// The destination that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
    /// The field of the manifest that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    pub message: String,
    pub since: String,
}

/// The last failed attempt and how often attempts failed since the process started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastError {
    pub at: String,
    pub message: String,
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_a_sum_that_fits() {
        let mut accounting = Accounting {
            accepted: 21,
            delivered: 1,
            error_output: 2,
            given_up: 3,
            filtered: 4,
            lost: 5,
            in_wal: 6,
            balanced: None,
        };
        assert!(accounting.adds_up());
        accounting.lost = 4;
        assert!(!accounting.adds_up());
        accounting.lost = u64::MAX;
        assert!(!accounting.adds_up());
    }

    #[test]
    fn members_are_camel_case_and_absent_ones_are_left_out() {
        let accounting = serde_json::to_value(Accounting::default()).unwrap();
        assert_eq!(accounting["errorOutput"], 0);
        assert_eq!(accounting["inWal"], 0);
        assert_eq!(accounting.get("balanced"), None);
        let freshness = serde_json::to_value(Freshness::default()).unwrap();
        assert_eq!(freshness, serde_json::json!({"ageSeconds": 0.0}));
        let rates = serde_json::to_value(Rates::default()).unwrap();
        assert_eq!(rates["over10Seconds"]["recordsIn"], 0.0);
        assert_eq!(
            serde_json::to_value(State::Recovering).unwrap(),
            "recovering"
        );
    }
}

//! `/report` as a reader of the JSON sees it.

use std::fmt;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// One reading.
#[derive(Debug, Clone)]
pub struct Report(Value);

impl Report {
    /// Reads the body of `/report`.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn parse(body: &[u8]) -> Result<Self> {
        Ok(Self(
            serde_json::from_slice(body).context("/report is no JSON")?,
        ))
    }

    /// The member at a JSON pointer.
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer)
    }

    /// A number of the one delivery's accounting (I-2).
    pub fn count(&self, name: &str) -> Option<u64> {
        self.at("/deliveries/0/accounting")?.get(name)?.as_u64()
    }

    /// Records accepted and not yet complete.
    pub fn in_wal(&self) -> Option<u64> {
        self.count("inWal")
    }

    /// Whether the accounting identity holds, by the agent's word and by our own sum.
    pub fn is_balanced(&self) -> bool {
        let parts = [
            "delivered",
            "errorOutput",
            "givenUp",
            "filtered",
            "lost",
            "inWal",
        ];
        let sum: Option<u64> = parts.iter().map(|part| self.count(part)).sum();
        sum.is_some() && sum == self.count("accepted") && self.says_balanced()
    }

    fn says_balanced(&self) -> bool {
        self.at("/deliveries/0/accounting/balanced")
            .and_then(Value::as_bool)
            == Some(true)
    }

    /// The generation of the one delivery's data path: an edit that is taken raises it.
    pub fn generation(&self) -> Option<u64> {
        self.at("/deliveries/0/generation")?.as_u64()
    }

    /// The problems with this reason, each as its field and its message.
    pub fn problems(&self, reason: &str) -> Vec<String> {
        let problems = self.at("/problems").and_then(Value::as_array);
        let told = |problem: &Value| {
            let field = problem["field"].as_str().unwrap_or_default();
            format!(
                "{field}: {}",
                problem["message"].as_str().unwrap_or_default()
            )
        };
        let of_reason = |problem: &&Value| problem["reason"] == reason;
        problems
            .into_iter()
            .flatten()
            .filter(of_reason)
            .map(told)
            .collect()
    }

    /// Whether any problem's message holds `text`.
    pub fn complains_of(&self, text: &str) -> bool {
        let problems = self.at("/problems").and_then(Value::as_array);
        problems.into_iter().flatten().any(|problem| {
            problem["message"]
                .as_str()
                .is_some_and(|message| message.contains(text))
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

//! Prefixes with Firehose's expressions: `!{timestamp:PATTERN}`, `!{firehose:random-string}`,
//! `!{firehose:error-output-type}`.
//!
//! Parsed once, evaluated once a batch, when it opens (D-1). The result is the front part of an
//! object's key; the name is appended as it is, so `app` gives `app2026/11/…`. Deviations from
//! Firehose are on the safe side: a key that a file system would read in another way than a store
//! (`..`, an empty or absolute part, control characters) is refused.

mod pattern;
#[cfg(test)]
mod tests;
mod zone;

use std::fmt;

pub use pattern::{Pattern, PatternError};
pub use zone::{TimeError, TimeZone, TimeZoneError};

/// Characters of a template as it is written.
pub const MAX_RAW: usize = 1024;
/// Characters of a prefix when it is evaluated.
pub const MAX_EVALUATED: usize = 512;
/// Bytes of one directory's name on the usual file systems.
const MAX_DIRECTORY: usize = 255;
/// The directory at the root of a destination in which temporaries lie (D-15).
const RESERVED: &str = ".standpipe";
/// What a data prefix without a timestamp gets at its end.
const DEFAULT_TIMESTAMP: &str = "!{timestamp:yyyy/MM/dd/HH/}";

/// What a template is for; it decides which expressions it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// Objects of records.
    Data,
    /// Objects of rejects.
    Error,
}

/// A parsed prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Timestamp(Pattern),
    RandomString,
    ErrorOutputType,
}

/// Why a text is no prefix. Positions count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    #[error("it has {0} characters; at most {MAX_RAW} are allowed")]
    TooLong(usize),
    #[error(
        "at character {at}: an expression is !{{namespace:value}} and its closing brace is missing"
    )]
    Open { at: usize },
    #[error(
        "at character {at}: !{{{found}}} is no expression; allowed are !{{timestamp:PATTERN}}, !{{firehose:random-string}}{error}",
        error = error_allowed(*.namespace)
    )]
    Unknown {
        at: usize,
        found: String,
        namespace: Namespace,
    },
    #[error(
        "at character {at}: !{{firehose:error-output-type}} stands only in an error output's prefix"
    )]
    ErrorTypeInData { at: usize },
    #[error(
        "at character {at}: !{{partitionKeyFrom…}} needs dynamic partitioning, which this version doesn't have"
    )]
    PartitionKey { at: usize },
    #[error("it has expressions, so it has to contain !{{firehose:error-output-type}} as well")]
    ErrorTypeMissing,
    #[error("at character {at}: {error}")]
    Pattern { at: usize, error: PatternError },
    #[error(transparent)]
    Evaluated(#[from] EvaluateError),
}

fn error_allowed(namespace: Namespace) -> &'static str {
    match namespace {
        Namespace::Data => "",
        Namespace::Error => ", !{firehose:error-output-type}",
    }
}

/// Why a prefix makes no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    #[error("evaluated it has {0} characters; at most {MAX_EVALUATED} are allowed")]
    TooLong(usize),
    #[error("evaluated to {0:?} it begins with /; a prefix is relative to its directory")]
    Absolute(String),
    #[error("evaluated to {0:?} it has an empty part (//); write one /")]
    EmptyPart(String),
    #[error("evaluated to {0:?} it has a part that is . or .., which leads out of its place")]
    DotPart(String),
    #[error("evaluated to {0:?} it has a control character")]
    Control(String),
    #[error("evaluated to {0:?} it has a part of more than {MAX_DIRECTORY} bytes between two /")]
    LongPart(String),
    #[error("evaluated to {0:?} it lies in {RESERVED}/, which is kept for temporary files")]
    Reserved(String),
    #[error("the error output's type is needed to evaluate it")]
    NoErrorType,
    #[error(transparent)]
    Time(#[from] TimeError),
}

/// What expressions stand for, fixed for a batch.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// Arrival of the batch's first record.
    pub arrival_unix_millis: i64,
    pub time_zone: &'a TimeZone,
    /// The batch's UUID; random strings derive from it.
    pub random: &'a [u8; 16],
    /// Of the batch's first reject; none for data.
    pub error_output_type: Option<&'a str>,
}

impl Template {
    /// Reads a prefix as it stands: nothing is appended.
    ///
    /// A template that is accepted was evaluated on samples of the year's months and hours, so that
    /// what makes no key is told before a record is accepted.
    pub fn parse(text: &str, namespace: Namespace) -> Result<Self, PrefixError> {
        let length = text.chars().count();
        if length > MAX_RAW {
            return Err(PrefixError::TooLong(length));
        }
        let template = Self {
            text: text.to_owned(),
            parts: parts(text, namespace)?,
        };
        let has = |wanted: &Part| template.parts.contains(wanted);
        if namespace == Namespace::Error
            && template.has_expressions()
            && !has(&Part::ErrorOutputType)
        {
            return Err(PrefixError::ErrorTypeMissing);
        }
        template.try_samples()?;
        Ok(template)
    }

    /// Reads a data prefix by Firehose's rule: without a timestamp it gets
    /// `!{timestamp:yyyy/MM/dd/HH/}` at its end. [`Template::as_str`] has it.
    pub fn parse_data(text: &str) -> Result<Self, PrefixError> {
        let template = Self::parse(text, Namespace::Data)?;
        if template.has_timestamp() {
            return Ok(template);
        }
        Self::parse(&format!("{text}{DEFAULT_TIMESTAMP}"), Namespace::Data)
    }

    /// The text that this was parsed from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn has_expressions(&self) -> bool {
        let literal = |part: &Part| matches!(part, Part::Literal(_));
        !self.parts.iter().all(literal)
    }

    fn has_timestamp(&self) -> bool {
        let timestamp = |part: &Part| matches!(part, Part::Timestamp(_));
        self.parts.iter().any(timestamp)
    }

    /// Whether it has the year of the week (`Y`) without the week (`w`): a common slip for `y`,
    /// which shows around New Year only.
    pub fn has_week_year_alone(&self) -> bool {
        let has = |letter| {
            self.parts.iter().any(|part| match part {
                Part::Timestamp(pattern) => pattern.has(letter),
                _ => false,
            })
        };
        has('Y') && !has('w')
    }

    /// The prefix of one batch, relative, with `/` between its parts.
    pub fn evaluate(&self, values: &Values<'_>) -> Result<String, EvaluateError> {
        let mut prefix = String::new();
        let mut uses = 0;
        for part in &self.parts {
            match part {
                Part::Literal(text) => prefix.push_str(text),
                Part::Timestamp(pattern) => {
                    let time = values.time_zone.at(values.arrival_unix_millis)?;
                    prefix.push_str(&pattern.format(&time));
                }
                Part::RandomString => {
                    prefix.push_str(&random_string(values.random, uses));
                    uses += 1;
                }
                Part::ErrorOutputType => {
                    let kind = values.error_output_type.ok_or(EvaluateError::NoErrorType)?;
                    prefix.push_str(kind);
                }
            }
        }
        check(&prefix)?;
        Ok(prefix)
    }

    fn try_samples(&self) -> Result<(), EvaluateError> {
        const DAY: i64 = 86_400_000;
        let time_zone = TimeZone::utc();
        // 2026-01-01T00:00Z and every 5 days and 11 hours from then: all months, weekdays and hours
        for step in 0..67 {
            self.evaluate(&Values {
                arrival_unix_millis: 20_454 * DAY + step * (5 * DAY + 11 * (DAY / 24)),
                time_zone: &time_zone,
                random: &[0; 16],
                error_output_type: Some("format-conversion-failed"),
            })?;
        }
        Ok(())
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn parts(text: &str, namespace: Namespace) -> Result<Vec<Part>, PrefixError> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut at = 1;
    while let Some((literal, opened)) = rest.split_once("!{") {
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.to_owned()));
        }
        at += literal.chars().count();
        let end = opened.find(['{', '}']);
        let closed = end.and_then(|end| opened.split_at_checked(end));
        let Some((body, after)) = closed.filter(|(_, after)| after.starts_with('}')) else {
            return Err(PrefixError::Open { at });
        };
        parts.push(expression(body, at, namespace)?);
        at += 3 + body.chars().count();
        rest = after.strip_prefix('}').unwrap_or(after);
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
    Ok(parts)
}

/// The expression between `!{` and `}`; the `!` is character `at`.
fn expression(body: &str, at: usize, namespace: Namespace) -> Result<Part, PrefixError> {
    match body.split_once(':') {
        Some(("timestamp", pattern)) => {
            Pattern::parse(pattern)
                .map(Part::Timestamp)
                .map_err(|error| {
                    // behind `!{timestamp:`
                    let at = at + 12 + error.at();
                    PrefixError::Pattern { at, error }
                })
        }
        Some(("firehose", "random-string")) => Ok(Part::RandomString),
        Some(("firehose", "error-output-type")) => match namespace {
            Namespace::Error => Ok(Part::ErrorOutputType),
            Namespace::Data => Err(PrefixError::ErrorTypeInData { at }),
        },
        Some(("partitionKeyFromQuery" | "partitionKeyFromLambda", _)) => {
            Err(PrefixError::PartitionKey { at })
        }
        _ => Err(PrefixError::Unknown {
            at,
            found: body.to_owned(),
            namespace,
        }),
    }
}

/// 11 of `a-z2-7`: the top 55 bits of a mix of the batch's UUID, which is a hash already, with the
/// number of the use. The same batch gives the same strings for ever; a re-seal has a new UUID and
/// new ones.
fn random_string(seed: &[u8; 16], number: u64) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let number = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let seed = u128::from_le_bytes(*seed);
    let halves = [seed & u128::from(u64::MAX), seed >> 64];
    let mut state = number;
    for half in halves {
        let half = u64::try_from(half).unwrap_or_default();
        state = mix(state ^ half);
    }
    (0..11)
        .map(|place| {
            let letter = usize::try_from((state >> (59 - 5 * place)) & 31).unwrap_or_default();
            char::from(LETTERS.get(letter).copied().unwrap_or(b'a'))
        })
        .collect()
}

/// A bijection that spreads every bit (the finaliser of `SplitMix64`).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The last part isn't whole: the object's name follows it without a separator.
fn check(prefix: &str) -> Result<(), EvaluateError> {
    let length = prefix.chars().count();
    if length > MAX_EVALUATED {
        return Err(EvaluateError::TooLong(length));
    }
    if prefix.chars().any(char::is_control) {
        return Err(EvaluateError::Control(prefix.to_owned()));
    }
    if prefix.starts_with('/') {
        return Err(EvaluateError::Absolute(prefix.to_owned()));
    }
    let Some((directories, _)) = prefix.rsplit_once('/') else {
        return Ok(());
    };
    for (index, part) in directories.split('/').enumerate() {
        if part.is_empty() {
            return Err(EvaluateError::EmptyPart(prefix.to_owned()));
        }
        if part == "." || part == ".." {
            return Err(EvaluateError::DotPart(prefix.to_owned()));
        }
        if part.len() > MAX_DIRECTORY {
            return Err(EvaluateError::LongPart(prefix.to_owned()));
        }
        if index == 0 && part == RESERVED {
            return Err(EvaluateError::Reserved(prefix.to_owned()));
        }
    }
    Ok(())
}

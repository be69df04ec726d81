//! What is wrong with a manifest's values, for people.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;

use crate::quantity::{Quantity, display};

/// One rule that a manifest breaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// As `spec.destinations[0].buffering.size`.
    pub field: String,
    /// What was found, what is allowed and what to do.
    pub message: String,
}

/// Something that is allowed and probably not meant.
pub type Warning = Problem;

/// Every rule that a manifest breaks, at least one, in the order of the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    pub(super) fn internal() -> Self {
        Self(vec![Problem {
            field: "spec".to_owned(),
            message: "it can't be used and no rule says why: a bug in Standpipe, please report it"
                .to_owned(),
        }])
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects problems while sections are read.
#[derive(Debug, Default)]
pub(super) struct Checker {
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

impl Checker {
    pub(super) fn refuse(&mut self, field: impl Into<String>, message: impl Display) {
        self.problems.push(Problem {
            field: field.into(),
            message: message.to_string(),
        });
    }

    pub(super) fn warn(&mut self, field: impl Into<String>, message: impl Display) {
        self.warnings.push(Problem {
            field: field.into(),
            message: message.to_string(),
        });
    }

    pub(super) fn finish(self) -> Result<Vec<Warning>, Problems> {
        if self.problems.is_empty() {
            Ok(self.warnings)
        } else {
            Err(Problems(self.problems))
        }
    }

    /// A number in its range; the range lies in the type `T`.
    pub(super) fn number<T: TryFrom<i32>>(
        &mut self,
        field: impl Into<String>,
        found: i32,
        allowed: RangeInclusive<i32>,
    ) -> Option<T> {
        if allowed.contains(&found)
            && let Ok(number) = T::try_from(found)
        {
            return Some(number);
        }
        let (least, most) = allowed.into_inner();
        self.refuse(
            field,
            format_args!("found {found}, allowed is {least} to {most}"),
        );
        None
    }

    /// A size in its range, in bytes.
    pub(super) fn size(
        &mut self,
        field: impl Into<String>,
        found: &Quantity,
        allowed: RangeInclusive<u64>,
    ) -> Option<u64> {
        match found.bytes() {
            Err(error) => {
                self.refuse(field, format_args!("found {:?}: {error}", found.as_str()));
                None
            }
            Ok(bytes) if allowed.contains(&bytes) => Some(bytes),
            Ok(_) => {
                let (least, most) = allowed.into_inner();
                let (least, most) = (display(least), display(most));
                self.refuse(
                    field,
                    format_args!("found {found}, allowed is {least} to {most}"),
                );
                None
            }
        }
    }
}

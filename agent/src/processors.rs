//! The chain of processors: what happens to a record before it takes its output form.
//!
//! A processor is pure and bounded in time and memory: the same record gives the same verdict, on a
//! laptop, in a test and after a restart (D-12 reads records again and relies on it). Nothing is
//! dropped without a counted rule, nothing rejected without a reason.
//!
//! To add one: a file below `processors/` that implements [`Processor`], and a variant of [`Kind`]
//! with its line in [`Kind::build`].

use std::borrow::Cow;
use std::fmt::Debug;

use crate::format::Reject;

pub mod append_delimiter;

use append_delimiter::AppendDelimiter;

/// What a processor, or the whole chain, says of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It goes on, in this form.
    Keep(Cow<'a, [u8]>),
    /// It goes nowhere (I-2: filtered), by the rule of this name.
    Drop { rule: Cow<'static, str> },
    /// It goes to the error output (D-8).
    Reject(Reject),
}

/// One step. See the module for what an implementation promises.
pub trait Processor: Debug + Send + Sync {
    /// Judges one record. A processor that changes nothing gives `form` back as it is, uncopied.
    fn process<'a>(&self, form: Cow<'a, [u8]>) -> Verdict<'a>;
}

/// A processor as the spec lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    AppendDelimiter,
}

impl Kind {
    fn build(self) -> Box<dyn Processor> {
        match self {
            Self::AppendDelimiter => Box::new(AppendDelimiter),
        }
    }
}

/// Processors in the order of the spec.
#[derive(Debug, Default)]
pub struct Chain {
    processors: Vec<Box<dyn Processor>>,
}

impl Chain {
    pub fn new(kinds: &[Kind]) -> Self {
        Self {
            processors: kinds.iter().map(|kind| kind.build()).collect(),
        }
    }

    /// Runs the record through all processors; the first that does not keep it decides. Without
    /// processors the record's own bytes come back, uncopied.
    pub fn run<'a>(&self, record: &'a [u8]) -> Verdict<'a> {
        let mut form = Cow::Borrowed(record);
        for processor in &self.processors {
            match processor.process(form) {
                Verdict::Keep(next) => form = next,
                verdict => return verdict,
            }
        }
        Verdict::Keep(form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{ErrorType, Reject};

    /// Drops what begins with `-`, rejects what begins with `!`, upper-cases the rest.
    #[derive(Debug)]
    struct Judge;

    impl Processor for Judge {
        fn process<'a>(&self, form: Cow<'a, [u8]>) -> Verdict<'a> {
            match form.first() {
                Some(b'-') => Verdict::Drop {
                    rule: "minus".into(),
                },
                Some(b'!') => Verdict::Reject(reject()),
                _ => Verdict::Keep(form.to_ascii_uppercase().into()),
            }
        }
    }

    fn reject() -> Reject {
        Reject {
            kind: ErrorType::ProcessingFailed,
            code: "Test.Bang",
            message: "begins with !".into(),
        }
    }

    #[test]
    fn an_empty_chain_keeps_the_bytes_without_a_copy() {
        assert!(matches!(
            Chain::default().run(b"abc"),
            Verdict::Keep(Cow::Borrowed(b"abc"))
        ));
    }

    #[test]
    fn the_first_that_does_not_keep_decides() {
        let chain = Chain {
            processors: vec![
                Box::new(Judge),
                Box::new(AppendDelimiter),
                Box::new(AppendDelimiter),
            ],
        };
        assert_eq!(chain.run(b"ab"), Verdict::Keep(b"AB\n".to_vec().into()));
        assert_eq!(
            chain.run(b"-ab"),
            Verdict::Drop {
                rule: "minus".into()
            }
        );
        assert_eq!(chain.run(b"!ab"), Verdict::Reject(reject()));
    }
}

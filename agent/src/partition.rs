//! From a record to its output and the partition it belongs to.
//!
//! Pure: the same record under the same version gives the same output in the same partition, which
//! is what lets a restart read a record again (D-12). Dynamic partitions will carry their prefix
//! values in [`Partition`]'s further variants; today there are the data and the error partition.

use crate::format::{ErrorType, Shape, error_json};
use crate::object::Partition;
use crate::processors::{Chain, Verdict};
use crate::record::Record;

/// What turns records into outputs, under one version of the data path (W-10).
#[derive(Debug)]
pub struct Stages {
    pub chain: Chain,
    pub shape: Shape,
    /// The delivery's name, for error documents (D-8).
    pub destination: String,
}

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Produced {
    /// Its output was appended to the buffer and belongs to this partition. `error` says why, when
    /// that is [`Partition::Error`].
    Output {
        partition: Partition,
        error: Option<ErrorType>,
    },
    /// It has no output: filtered by the rule of this name (I-2).
    Filtered { rule: String },
}

impl Stages {
    /// Runs a record through processors and shape; its output is appended to `out`.
    pub fn run(&self, record: &Record<'_>, out: &mut Vec<u8>) -> Produced {
        let shaped = match self.chain.run(record.bytes) {
            Verdict::Drop { rule } => {
                return Produced::Filtered {
                    rule: rule.into_owned(),
                };
            }
            Verdict::Reject(reject) => Err(reject),
            Verdict::Keep(form) => self.shape.append(&form, out),
        };
        match shaped {
            Ok(()) => Produced::Output {
                partition: Partition::Data,
                error: None,
            },
            Err(reject) => {
                error_json::append(record, &reject, &self.destination, out);
                Produced::Output {
                    partition: Partition::Error,
                    error: Some(reject.kind),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processors::Kind;
    use crate::record::{Sequence, UnixMillis};

    fn run(kinds: &[Kind], shape: Shape, bytes: &[u8]) -> (Produced, String) {
        let stages = Stages {
            chain: Chain::new(kinds),
            shape,
            destination: "lake".into(),
        };
        let record = Record {
            sequence: Sequence(3),
            arrival: UnixMillis(5),
            bytes,
        };
        let mut out = Vec::new();
        let produced = stages.run(&record, &mut out);
        (produced, String::from_utf8(out).unwrap())
    }

    fn data() -> Produced {
        Produced::Output {
            partition: Partition::Data,
            error: None,
        }
    }

    #[test]
    fn a_newline_comes_from_nd_json_or_the_processor_and_never_twice() {
        let delimiter = &[Kind::AppendDelimiter][..];
        for (kinds, shape, expected) in [
            (&[][..], Shape::Raw, "{}"),
            (delimiter, Shape::Raw, "{}\n"),
            (&[][..], Shape::NdJson, "{}\n"),
            (delimiter, Shape::NdJson, "{}\n"),
        ] {
            assert_eq!(run(kinds, shape, b"{}"), (data(), expected.into()));
        }
    }

    /// D-8: the error document's `rawData` is the record as accepted, not the processed form.
    #[test]
    fn a_reject_is_an_output_of_the_error_partition_with_the_accepted_record() {
        let (produced, line) = run(&[Kind::AppendDelimiter], Shape::NdJson, b"no");
        assert_eq!(
            produced,
            Produced::Output {
                partition: Partition::Error,
                error: Some(ErrorType::FormatConversionFailed)
            }
        );
        let document: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(document["rawData"], "bm8=");
        assert_eq!(document["sequenceNumber"], "3");
        assert_eq!(document["destination"], "lake");
    }
}

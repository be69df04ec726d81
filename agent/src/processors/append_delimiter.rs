//! `AppendDelimiter`: ends each record with a newline, Firehose's `AppendDelimiterToRecord`.
//!
//! A record that ends with a newline already gets no second one: where Firehose would make an empty
//! line, readers of lines would trip. `NdJson` ends its lines itself, so listing the processor
//! there changes nothing.

use std::borrow::Cow;

use super::{Processor, Verdict};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct AppendDelimiter;

impl Processor for AppendDelimiter {
    fn process<'a>(&self, form: Cow<'a, [u8]>) -> Verdict<'a> {
        if form.last() == Some(&b'\n') {
            return Verdict::Keep(form);
        }
        let mut ended = Vec::with_capacity(form.len() + 1);
        ended.extend_from_slice(&form);
        ended.push(b'\n');
        Verdict::Keep(ended.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_one_newline_and_never_two() {
        for (record, kept) in [
            ("a", "a\n"),
            ("a\n", "a\n"),
            ("a\r\n", "a\r\n"),
            ("a\nb", "a\nb\n"),
            ("", "\n"),
            ("\n", "\n"),
        ] {
            assert_eq!(
                AppendDelimiter.process(record.as_bytes().into()),
                Verdict::Keep(kept.as_bytes().into()),
                "{record:?}"
            );
        }
    }
}

//! `NdJson`: one or more JSON texts separated by white space; each becomes one line.
//!
//! A text is written as received, numbers, key order and inner blanks included. Only one that holds
//! a raw line break (it can stand nowhere but between tokens) is minified: its white space outside
//! of strings is left out, nothing else changes. White space around texts is trimmed, and each line
//! ends with exactly one newline. Anything else is rejected whole: a record is never half delivered.

use serde_json::value::RawValue;

use super::{ErrorType, Reject};

/// The deepest nesting that is accepted: what common JSON readers take by default.
pub const MAX_DEPTH: usize = 128;

/// Appends the record's lines to `out`; after a reject `out` is as it was.
pub fn append(record: &[u8], out: &mut Vec<u8>) -> Result<(), Reject> {
    let start = out.len();
    append_lines(record, out).map_err(|message| {
        out.truncate(start);
        Reject {
            kind: ErrorType::FormatConversionFailed,
            code: "DataFormatConversion.MalformedData",
            message,
        }
    })
}

fn append_lines(record: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let text = std::str::from_utf8(record)
        .map_err(|e| format!("The record is not UTF-8 from byte {} on.", e.valid_up_to()))?;
    let mut texts = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let mut any = false;
    while let Some(next) = texts.next() {
        let value = next
            .map_err(|e| format!("The record is not JSON: {e}."))?
            .get()
            .as_bytes();
        let end = texts.byte_offset();
        if record.get(end).is_some_and(|&byte| !is_white(byte)) {
            return Err(format!(
                "The record holds JSON texts with no white space between them, at byte {end}."
            ));
        }
        if deeper_than(value, MAX_DEPTH) {
            return Err(format!(
                "The record holds JSON nested deeper than {MAX_DEPTH} levels."
            ));
        }
        if value.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            append_minified(value, out);
        } else {
            out.extend_from_slice(value);
        }
        out.push(b'\n');
        any = true;
    }
    if any {
        Ok(())
    } else {
        Err("The record was empty or contained only whitespace.".into())
    }
}

/// White space as JSON has it.
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Calls `see` with each byte of valid JSON and whether it lies in a string, its quotes included.
fn walk(json: &[u8], mut see: impl FnMut(u8, bool)) {
    let (mut in_string, mut escaped) = (false, false);
    for &byte in json {
        if !in_string {
            in_string = byte == b'"';
            see(byte, in_string);
            continue;
        }
        see(byte, true);
        if escaped {
            escaped = false;
        } else if byte == b'\\' {
            escaped = true;
        } else if byte == b'"' {
            in_string = false;
        }
    }
}

fn append_minified(json: &[u8], out: &mut Vec<u8>) {
    walk(json, |byte, in_string| {
        if in_string || !is_white(byte) {
            out.push(byte);
        }
    });
}

fn deeper_than(json: &[u8], limit: usize) -> bool {
    // most values have fewer brackets than levels are allowed, and counting is much cheaper
    if json.iter().filter(|b| matches!(b, b'{' | b'[')).count() <= limit {
        return false;
    }
    let (mut depth, mut deepest) = (0_usize, 0);
    walk(json, |byte, in_string| match byte {
        b'{' | b'[' if !in_string => {
            depth += 1;
            deepest = deepest.max(depth);
        }
        b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
        _ => {}
    });
    deepest > limit
}

#[cfg(test)]
mod tests;

//! `POST /v1/records`: JSON over plain HTTP. A request is taken whole or not at all.

use http::StatusCode;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::limits::{LINES, LINES_BYTES, RECORD_BYTES};
use crate::wal::FrameBuf;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl Refusal {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub fn body(&self) -> Vec<u8> {
        let body = serde_json::json!({"error": self.code, "message": self.message});
        body.to_string().into_bytes()
    }
}

/// Parses a body by its content type: `application/json` is an array whose elements are records, as
/// received; `application/x-ndjson`, or none, is one JSON text a line, blank lines passed over.
pub fn parse(content_type: Option<&str>, body: &[u8]) -> Result<FrameBuf, Refusal> {
    let media = content_type.map(|value| value.split(';').next().unwrap_or(value).trim());
    let mut records = FrameBuf::with_capacity(body.len());
    match media.map(str::to_ascii_lowercase).as_deref() {
        Some("application/json") => array(body, &mut records)?,
        None | Some("application/x-ndjson" | "") => lines(body, &mut records)?,
        Some(other) => {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UnsupportedMediaType",
                format!("{other:?} is not taken; send application/x-ndjson or application/json"),
            ));
        }
    }
    if records.count() == 0 {
        return Err(bad("the request has no records"));
    }
    if records.byte_len() > LINES_BYTES {
        return Err(too_large(format!(
            "{} bytes of records; at most {LINES_BYTES} a request",
            records.byte_len()
        )));
    }
    Ok(records)
}

fn array(body: &[u8], records: &mut FrameBuf) -> Result<(), Refusal> {
    let elements: Vec<&RawValue> = serde_json::from_slice(body)
        .map_err(|error| bad(format!("the body is no JSON array: {error}")))?;
    for element in elements {
        push(element.get().as_bytes(), "element", records)?;
    }
    Ok(())
}

fn lines(body: &[u8], records: &mut FrameBuf) -> Result<(), Refusal> {
    for (line, number) in body.split(|byte| *byte == b'\n').zip(1_u64..) {
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        std::str::from_utf8(text)
            .map_err(|error| bad(format!("line {number} is not UTF-8: {error}")))?;
        serde_json::from_slice::<IgnoredAny>(text)
            .map_err(|error| bad(format!("line {number} is not one JSON text: {error}")))?;
        push(text, "line", records)?;
    }
    Ok(())
}

fn push(record: &[u8], what: &str, records: &mut FrameBuf) -> Result<(), Refusal> {
    if record.len() > RECORD_BYTES {
        let number = records.count() + 1;
        return Err(too_large(format!(
            "{what} {number} has {} bytes; a record has at most {RECORD_BYTES}",
            record.len()
        )));
    }
    if records.count() as usize >= LINES {
        return Err(too_large(format!("more than {LINES} records in a request")));
    }
    records.push(record);
    Ok(())
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "BadRequest", message)
}

fn too_large(message: String) -> Refusal {
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_and_lines_become_records_as_received() {
        let array = parse(
            Some("application/json; charset=utf-8"),
            b"[{\"a\": 1}, 2,\"x\"]",
        );
        assert_eq!(array.map(|r| (r.count(), r.byte_len())), Ok((3, 12)));
        let lines = parse(None, b"{\"a\":1}\n\n  2 \r\n");
        assert_eq!(lines.map(|r| (r.count(), r.byte_len())), Ok((2, 8)));
    }

    #[test]
    fn one_bad_line_refuses_all_with_its_number() {
        let refusal = parse(Some("application/x-ndjson"), b"1\n\n{\n3").expect_err("refused");
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
        assert!(
            refusal.message.starts_with("line 3 "),
            "{}",
            refusal.message
        );
    }

    #[test]
    fn limits_are_named() {
        let many = "1\n".repeat(LINES + 1);
        let long = format!("\"{}\"", "a".repeat(RECORD_BYTES));
        let much = format!("\"{}\"\n", "a".repeat(900_000)).repeat(8);
        for (body, part) in [
            (many, "10000 records"),
            (long, "1024000"),
            (much, "6291456"),
        ] {
            let refusal = parse(None, body.as_bytes()).expect_err("refused");
            assert_eq!(refusal.status, StatusCode::PAYLOAD_TOO_LARGE);
            assert!(refusal.message.contains(part), "{}", refusal.message);
        }
        assert_eq!(
            parse(Some("text/csv"), b"1").expect_err("refused").status,
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        );
        assert_eq!(
            parse(None, b"\n").expect_err("refused").status,
            StatusCode::BAD_REQUEST
        );
    }
}

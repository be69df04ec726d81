use proptest::prelude::*;

use super::*;

fn lines(record: &[u8]) -> Result<String, String> {
    let mut out = b"before".to_vec();
    match append(record, &mut out) {
        Ok(()) => Ok(String::from_utf8(out.split_off(6)).unwrap()),
        Err(reject) => {
            assert_eq!(out, b"before", "a reject leaves nothing behind");
            assert_eq!(reject.kind, ErrorType::FormatConversionFailed);
            assert_eq!(reject.code, "DataFormatConversion.MalformedData");
            Err(reject.message)
        }
    }
}

#[test]
fn each_text_is_a_line_as_received() {
    for (record, expected) in [
        (r#"{"b":1,"a":2}"#, "{\"b\":1,\"a\":2}\n"),
        ("  {\"a\": 1.10e+02}\r\n", "{\"a\": 1.10e+02}\n"),
        ("1 2\n\n3", "1\n2\n3\n"),
        ("{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}\n{\"a\":2}\n"),
        ("null", "null\n"),
        (r#""\u2028 \n""#, "\"\\u2028 \\n\"\n"),
        ("[1,\t2]", "[1,\t2]\n"),
        // a number that no float holds, and a key twice, stay as they are
        (
            "{\"n\":123456789012345678901234567890,\"n\":1e999}",
            "{\"n\":123456789012345678901234567890,\"n\":1e999}\n",
        ),
    ] {
        assert_eq!(
            lines(record.as_bytes()).as_deref(),
            Ok(expected),
            "{record}"
        );
    }
}

#[test]
fn a_text_over_several_lines_is_minified_and_strings_are_not_touched() {
    assert_eq!(
        lines(b"{\n  \"b c\" : 1.0,\r\n\t\"a\": [ 1 , \"x \\\" \\\\\" , 2 ]\n}").as_deref(),
        Ok("{\"b c\":1.0,\"a\":[1,\"x \\\" \\\\\",2]}\n")
    );
    // only the text that needs it
    assert_eq!(
        lines(b"{\"a\": 1}\n[1, \r2]").as_deref(),
        Ok("{\"a\": 1}\n[1,2]\n")
    );
}

#[test]
fn anything_else_is_rejected_with_a_reason() {
    for (record, reason) in [
        (&b""[..], "empty or contained only whitespace"),
        (b" \r\n\t", "empty or contained only whitespace"),
        (b"hello", "not JSON"),
        (b"{\"a\":1", "not JSON"),
        (b"{\"a\":1} x", "not JSON"),
        (
            b"{\"a\":1}{\"a\":2}",
            "no white space between them, at byte 7",
        ),
        (b"{\"a\":1},{\"a\":2}", "no white space between them"),
        (b"\"a\nb\"", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"{\"a\":\"\xff\"}", "not UTF-8 from byte 6 on"),
        (b"01", "not JSON"),
        (b"NaN", "not JSON"),
        (b"'a'", "not JSON"),
    ] {
        let message = lines(record).unwrap_err();
        assert!(message.contains(reason), "{record:?}: {message}");
    }
}

#[test]
fn nesting_is_limited_and_brackets_in_strings_do_not_count() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(lines(nested(MAX_DEPTH).as_bytes()).is_ok());
    let message = lines(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err();
    assert!(message.contains("deeper than 128"), "{message}");
    assert!(lines(nested(900_000).as_bytes()).is_err());
    assert!(lines(format!("\"{}\"", "[{".repeat(1000)).as_bytes()).is_ok());
    assert!(lines(format!("[{}0]", "[],".repeat(1000)).as_bytes()).is_ok());
}

proptest! {
    /// Whatever is accepted reads back as the same values, one a line.
    #[test]
    fn lines_hold_the_values_that_were_sent(
        values in prop::collection::vec(any::<(i64, String, Option<bool>)>(), 1..5),
        pretty in any::<bool>(),
        gap in "[ \t\r\n]{1,4}",
    ) {
        let values: Vec<_> = values
            .into_iter()
            .map(|(n, s, b)| serde_json::json!({"n": n, "a": [s, b, []], "o": {}}))
            .collect();
        let texts: Vec<String> = values
            .iter()
            .map(|v| if pretty { serde_json::to_string_pretty(v) } else { serde_json::to_string(v) }.unwrap())
            .collect();
        let out = lines(texts.join(&gap).as_bytes()).unwrap();
        prop_assert!(out.ends_with('\n'));
        let read: Vec<serde_json::Value> =
            out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        prop_assert_eq!(read, values);
    }

    /// Any bytes are lines or a reject, and the lines are lines of JSON.
    #[test]
    fn any_bytes(record in prop::collection::vec(
        prop::sample::select(&b"{}[]\":,\\ \n\r\t01e-ntrue\xff"[..]), 0..24)) {
        if let Ok(out) = lines(&record) {
            for line in out.lines() {
                prop_assert!(serde_json::from_str::<&RawValue>(line).is_ok(), "{line}");
            }
        }
    }
}

//! The producer's side of the Firehose API: bodies of `PutRecordBatch` and what came back.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::http::{Connection, Response};

/// The stream name of every manifest that the kit writes.
pub const STREAM: &str = "flights";

/// The body of a `PutRecordBatch`.
pub fn batch_body(stream: &str, records: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut body = format!(r#"{{"DeliveryStreamName":"{stream}","Records":["#);
    for (index, record) in records.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(r#"{"Data":""#);
        STANDARD.encode_string(record.as_ref(), &mut body);
        body.push_str(r#""}"#);
    }
    body.push_str("]}");
    body.into_bytes()
}

/// Calls an operation with a body as it is.
pub fn call(connection: &mut Connection, operation: &str, body: &[u8]) -> io::Result<Response> {
    let target = format!("Firehose_20150804.{operation}");
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", target.as_str()),
    ];
    connection.request("POST", "/", &headers, body)
}

/// Puts records on the kit's stream.
pub fn put(connection: &mut Connection, records: &[impl AsRef<[u8]>]) -> io::Result<Response> {
    call(connection, "PutRecordBatch", &batch_body(STREAM, records))
}

//! Requests that Firehose refuses, refused the same way: code, status and header (`__type` and
//! `x-amzn-errortype` agree). Nothing of a refused request is delivered.

use anyhow::{Context as _, Result, ensure};
use e2e::firehose::{STREAM, batch_body, call, put};
use e2e::http::Response;

use crate::kit::{connect, expect_numbers, put_numbered, scenario};

struct Case {
    name: &'static str,
    operation: &'static str,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
}

fn case(name: &'static str, body: Vec<u8>, status: u16, code: &'static str) -> Case {
    Case {
        name,
        operation: "PutRecordBatch",
        body,
        status,
        code,
    }
}

fn one(name: &'static str, body: &str, status: u16, code: &'static str) -> Case {
    Case {
        name,
        operation: "PutRecord",
        body: body.as_bytes().to_vec(),
        status,
        code,
    }
}

const RECORD_MAX: usize = 1000 * 1024;
const BATCH_MAX: usize = 4 * 1024 * 1024;

fn cases() -> Vec<Case> {
    let record = |bytes: usize| vec![b'1'; bytes];
    let mut over_a_batch = vec![record(RECORD_MAX); 4];
    over_a_batch.push(record(BATCH_MAX - 4 * RECORD_MAX + 1));
    vec![
        case(
            "malformed JSON",
            b"{\"DeliveryStreamName\":".to_vec(),
            400,
            "SerializationException",
        ),
        case("an empty body", Vec::new(), 400, "SerializationException"),
        case("no object", b"[]".to_vec(), 400, "SerializationException"),
        case(
            "broken base64",
            format!(r#"{{"DeliveryStreamName":"{STREAM}","Records":[{{"Data":"a"}}]}}"#).into(),
            400,
            "SerializationException",
        ),
        case(
            "an empty batch",
            format!(r#"{{"DeliveryStreamName":"{STREAM}","Records":[]}}"#).into(),
            400,
            "ValidationException",
        ),
        case(
            "501 records",
            batch_body(STREAM, &vec!["1"; 501]),
            400,
            "ValidationException",
        ),
        case(
            "a record of 1,000 KiB + 1",
            batch_body(STREAM, &[record(RECORD_MAX + 1)]),
            400,
            "ValidationException",
        ),
        case(
            "over 4 MiB decoded",
            batch_body(STREAM, &over_a_batch),
            400,
            "InvalidArgumentException",
        ),
        case(
            "another stream",
            batch_body("other", &["1"]),
            400,
            "ResourceNotFoundException",
        ),
        one(
            "no record",
            &format!(r#"{{"DeliveryStreamName":"{STREAM}"}}"#),
            400,
            "ValidationException",
        ),
        one(
            "no stream",
            r#"{"Record":{"Data":"MQ=="}}"#,
            400,
            "ValidationException",
        ),
        Case {
            name: "an unknown operation",
            operation: "DescribeEverything",
            body: b"{}".to_vec(),
            status: 400,
            code: "UnknownOperationException",
        },
    ]
}

#[test]
fn refused_requests_carry_the_code_the_status_and_the_header_of_firehose() -> Result<()> {
    scenario("requests", |rig| {
        let place = rig.place("agent")?;
        let agent = place.start()?;
        for case in cases() {
            let mut connection = connect(place.intake)?;
            let response = call(&mut connection, case.operation, &case.body)?;
            refused(&response, case.status, case.code).with_context(|| case.name.to_owned())?;
        }
        // sizes at the limit are taken
        let mut connection = connect(place.intake)?;
        put_numbered(&mut connection, 0..500)?;
        let mut big = br#"{"number":500,"filling":""#.to_vec();
        big.resize(RECORD_MAX - 2, b'x');
        big.extend_from_slice(br#""}"#);
        let response = put(&mut connection, &[big])?;
        ensure!(
            response.status == 200,
            "a record of 1,000 KiB: {}",
            response.text()
        );
        agent.finish()?;
        expect_numbers(&rig.out(), 0..501)
    })
}

fn refused(response: &Response, status: u16, code: &str) -> Result<()> {
    ensure!(
        response.status == status,
        "status {}: {}",
        response.status,
        response.text()
    );
    let body: serde_json::Value = serde_json::from_slice(&response.body)?;
    ensure!(body["__type"] == code, "{body}");
    ensure!(
        body["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty()),
        "{body}"
    );
    ensure!(
        response.header("x-amzn-errortype") == Some(code),
        "{:?}",
        response.headers
    );
    ensure!(
        response.header("x-amzn-requestid").is_some(),
        "{:?}",
        response.headers
    );
    ensure!(response.header("content-type") == Some("application/x-amz-json-1.1"));
    Ok(())
}

#[test]
fn a_body_over_the_limit_is_413_and_never_read_into_memory() -> Result<()> {
    scenario("body", |rig| {
        let place = rig.place("agent")?;
        let agent = place.start()?;
        let mut connection = connect(place.intake)?;
        let head = connection.head(
            "POST",
            "/",
            &[("x-amz-target", "Firehose_20150804.PutRecordBatch")],
            1_000_000_000,
        );
        connection.write(&head)?;
        let response = connection.response()?;
        ensure!(
            response.status == 413,
            "{}: {}",
            response.status,
            response.text()
        );
        let mut connection = connect(place.intake)?;
        let head = connection.head("POST", "/v1/records", &[], 1_000_000_000);
        connection.write(&head)?;
        let response = connection.response()?;
        ensure!(
            response.status == 413,
            "{}: {}",
            response.status,
            response.text()
        );
        ensure!(
            response.text().contains('6'),
            "names no limit: {}",
            response.text()
        );
        agent.finish()
    })
}

#[test]
fn the_plain_door_takes_lines_and_arrays_and_refuses_by_number() -> Result<()> {
    scenario("plain", |rig| {
        let place = rig.place("agent")?;
        let agent = place.start()?;
        let mut connection = connect(place.intake)?;
        let mut post = |kind: Option<&str>, body: &str| -> Result<(u16, String)> {
            let headers: Vec<(&str, &str)> =
                kind.iter().map(|kind| ("content-type", *kind)).collect();
            let response = connection.request("POST", "/v1/records", &headers, body.as_bytes())?;
            // one blank more or less in the reply is nobody's business
            Ok((response.status, response.text().replace(": ", ":")))
        };
        let ndjson = Some("application/x-ndjson");
        let taken = post(ndjson, "{\"number\":0}\n\n{\"number\":1}\n")?;
        ensure!(taken == (200, r#"{"accepted":2}"#.to_owned()), "{taken:?}");
        let taken = post(None, "{\"number\":2}")?;
        ensure!(taken == (200, r#"{"accepted":1}"#.to_owned()), "{taken:?}");
        let taken = post(Some("application/json"), r#"[{"number":3}, {"number":4}]"#)?;
        ensure!(taken == (200, r#"{"accepted":2}"#.to_owned()), "{taken:?}");

        let (status, said) = post(ndjson, "{\"number\":9}\nnot json\n{\"number\":9}\n")?;
        ensure!(status == 400 && said.contains('2'), "{status}: {said}");
        let (status, said) = post(Some("application/json"), r#"{"number":9}"#)?;
        ensure!(status == 400, "{status}: {said}");
        let (status, said) = post(Some("text/csv"), "9")?;
        ensure!(status == 415, "{status}: {said}");
        let (status, said) = post(ndjson, &"1\n".repeat(10_001))?;
        ensure!(status == 413 && said.contains("10"), "{status}: {said}");
        agent.finish()?;
        expect_numbers(&rig.out(), 0..5)
    })
}

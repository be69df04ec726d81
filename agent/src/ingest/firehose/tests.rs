use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn batch(records: &[&str]) -> String {
    let records: Vec<String> = records
        .iter()
        .map(|data| format!("{{\"Data\":\"{data}\"}}"))
        .collect();
    format!(
        "{{\"Records\":[{}],\"DeliveryStreamName\":\"orders\"}}",
        records.join(",")
    )
}

fn code(operation: Operation, body: &str) -> &'static str {
    parse(operation, body.as_bytes())
        .map(drop)
        .expect_err("refused")
        .code()
        .0
}

#[test]
fn the_table_of_errors() {
    let batch_of = |count: usize| batch(&vec!["YQ=="; count]);
    let long = STANDARD.encode(vec![0; RECORD_BYTES + 1]);
    let full = STANDARD.encode(vec![0; RECORD_BYTES]);
    let four = batch(&[&full, &full, &full, &full, &full]);
    for (body, wanted) in [
        ("", "SerializationException"),
        ("{", "SerializationException"),
        ("[]", "SerializationException"),
        ("{} x", "ValidationException"),
        ("{\"Records\":[{\"Data\":\"YQ==\"}]}", "ValidationException"),
        ("{\"DeliveryStreamName\":\"orders\"}", "ValidationException"),
        (&batch_of(0), "ValidationException"),
        (&batch_of(501), "ValidationException"),
        (&batch(&["Y Q"]), "SerializationException"),
        (&batch(&["YQ"]), "SerializationException"),
        (&batch(&[&long]), "ValidationException"),
        (&four, "InvalidArgumentException"),
        (
            "{\"Records\":[{}],\"DeliveryStreamName\":\"orders\"}",
            "ValidationException",
        ),
        (
            "{\"Records\":[{\"Data\":1}],\"DeliveryStreamName\":\"orders\"}",
            "SerializationException",
        ),
        (
            "{\"DeliveryStreamName\":\"a\",\"DeliveryStreamName\":\"b\",\"Records\":[]}",
            "SerializationException",
        ),
    ] {
        assert_eq!(code(Operation::PutRecordBatch, body), wanted, "{body:.80}");
    }
    assert!(parse(Operation::PutRecordBatch, batch_of(500).as_bytes()).is_ok());
    assert!(parse(Operation::PutRecordBatch, batch(&[&full]).as_bytes()).is_ok());
    assert!(Operation::of("Firehose_20150804.ListDeliveryStreams").is_err());
}

#[test]
fn escaped_slashes_and_empty_records_are_taken() {
    let put = parse(
        Operation::PutRecordBatch,
        batch(&["\\/\\/\\/\\/", ""]).as_bytes(),
    );
    let put = put.expect("taken");
    assert_eq!(
        (
            put.stream.as_str(),
            put.records.count(),
            put.records.byte_len()
        ),
        ("orders", 2, 3)
    );
    let one = "{\"Record\":{\"Data\":\"\\u0059Q==\"},\"DeliveryStreamName\":\"orders\",\"X\":[1]}";
    let put = parse(Operation::PutRecord, one.as_bytes()).expect("taken");
    assert_eq!((put.records.count(), put.records.byte_len()), (1, 1));
}

#[test]
fn replies_have_the_members_and_order_of_aws() {
    let shard = ShardId(Uuid::nil());
    let sequences = Sequence(1)..Sequence(2);
    let id = "000000000000000000000000000000000000000000000001";
    assert_eq!(
        String::from_utf8(reply(Operation::PutRecord, shard, &sequences)).unwrap(),
        format!("{{\"RecordId\":\"{id}\",\"Encrypted\":false}}")
    );
    assert_eq!(
        String::from_utf8(reply(Operation::PutRecordBatch, shard, &sequences)).unwrap(),
        format!(
            "{{\"FailedPutCount\":0,\"Encrypted\":false,\"RequestResponses\":[{{\"RecordId\":\"{id}\"}}]}}"
        )
    );
    let partial = Batch::of(vec![
        Entry::Accepted {
            record_id: "a".into(),
        },
        Entry::Failed {
            error_code: "ServiceUnavailableException",
            error_message: "Slow down.".into(),
        },
    ]);
    assert_eq!(
        serde_json::to_string(&partial).unwrap(),
        "{\"FailedPutCount\":1,\"Encrypted\":false,\"RequestResponses\":[{\"RecordId\":\"a\"},\
         {\"ErrorCode\":\"ServiceUnavailableException\",\"ErrorMessage\":\"Slow down.\"}]}"
    );
}

proptest! {
    #[test]
    fn records_come_through_as_they_are(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..20)) {
        let texts: Vec<String> = records.iter().map(|r| STANDARD.encode(r)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let put = parse(Operation::PutRecordBatch, batch(&texts).as_bytes()).expect("taken");
        prop_assert_eq!(put.records.count() as usize, records.len());
        prop_assert_eq!(put.records.byte_len(), records.iter().map(Vec::len).sum::<usize>());
    }

    #[test]
    fn any_bytes_are_a_call_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(Operation::PutRecordBatch, &bytes).is_err());
    }
}

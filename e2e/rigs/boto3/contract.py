"""boto3 against the agent, as a user's program calls it.

Usage: contract.py ENDPOINT STREAM. Puts records and provokes errors; prints what was acknowledged
as one JSON list of texts on standard output; every deviation is a line on standard error and exit
code 1.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, STREAM = sys.argv[1:3]
RECORD_MAX = 1000 * 1024
BATCH_MAX = 4 * 1024 * 1024

wrong = []


def check(holds, what):
    if not holds:
        wrong.append(what)


def client():
    """Any credentials and region; no retries, no client-side checks, so that ours are seen."""
    return boto3.client(
        "firehose",
        endpoint_url=ENDPOINT,
        region_name="eu-central-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="any",
        config=Config(
            retries={"total_max_attempts": 1},
            parameter_validation=False,
            read_timeout=60,
        ),
    )


def metadata(response, what):
    meta = response.get("ResponseMetadata", {})
    check(meta.get("HTTPStatusCode") == 200, f"{what}: status {meta.get('HTTPStatusCode')}")
    check(bool(meta.get("RequestId")), f"{what}: no RequestId")
    content_type = meta.get("HTTPHeaders", {}).get("content-type")
    check(content_type == "application/x-amz-json-1.1", f"{what}: content type {content_type}")


def puts(firehose):
    sent = [f'{{"from":"put_record","number":{n}}}' for n in range(3)]
    ids = []
    for text in sent:
        response = firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": text.encode()})
        metadata(response, "put_record")
        members = set(response) - {"ResponseMetadata"}
        check(members == {"RecordId", "Encrypted"}, f"put_record answers {sorted(members)}")
        check(response["Encrypted"] is False, "put_record: Encrypted is not false")
        ids.append(response["RecordId"])

    batch = [f'{{"from":"put_record_batch","number":{n},"text":"/ü\u2603"}}' for n in range(500)]
    response = firehose.put_record_batch(
        DeliveryStreamName=STREAM, Records=[{"Data": text.encode()} for text in batch]
    )
    metadata(response, "put_record_batch")
    members = set(response) - {"ResponseMetadata"}
    check(
        members == {"FailedPutCount", "Encrypted", "RequestResponses"},
        f"put_record_batch answers {sorted(members)}",
    )
    check(response["FailedPutCount"] == 0, "put_record_batch: FailedPutCount is not 0")
    check(response["Encrypted"] is False, "put_record_batch: Encrypted is not false")
    entries = response["RequestResponses"]
    check(len(entries) == len(batch), f"put_record_batch: {len(entries)} entries for 500 records")
    check(
        all(set(entry) == {"RecordId"} for entry in entries),
        "put_record_batch: an entry is not exactly a RecordId",
    )
    ids.extend(entry["RecordId"] for entry in entries)
    check(all(ids) and len(set(ids)) == len(ids), "record ids are empty or not unique")
    return sent + batch


def error(call, what, name, code, status, **arguments):
    """A refused call: modelled errors are of their own class, so `except client.exceptions.X` works."""
    firehose = client()
    try:
        response = getattr(firehose, call)(**arguments)
    except ClientError as failure:
        found = failure.response["Error"]["Code"]
        check(found == code, f"{what}: code {found}, expected {code}")
        check(bool(failure.response["Error"]["Message"]), f"{what}: no message")
        got = failure.response["ResponseMetadata"]["HTTPStatusCode"]
        check(got == status, f"{what}: status {got}, expected {status}")
        if name is not None:
            modelled = getattr(firehose.exceptions, name)
            check(isinstance(failure, modelled), f"{what}: {type(failure)} is no {name}")
    else:
        wrong.append(f"{what}: answered {response}")


def errors():
    records = [{"Data": b"1"}]
    error(
        "put_record", "another stream", "ResourceNotFoundException",
        "ResourceNotFoundException", 400,
        DeliveryStreamName="another", Record={"Data": b"1"},
    )
    error(
        "put_record_batch", "another stream", "ResourceNotFoundException",
        "ResourceNotFoundException", 400,
        DeliveryStreamName="another", Records=records,
    )
    error(
        "put_record_batch", "no records", None, "ValidationException", 400,
        DeliveryStreamName=STREAM, Records=[],
    )
    error(
        "put_record_batch", "501 records", None, "ValidationException", 400,
        DeliveryStreamName=STREAM, Records=records * 501,
    )
    error(
        "put_record", "a record of 1,000 KiB + 1", None, "ValidationException", 400,
        DeliveryStreamName=STREAM, Record={"Data": b"1" * (RECORD_MAX + 1)},
    )
    error(
        "put_record_batch", "over 4 MiB", "InvalidArgumentException",
        "InvalidArgumentException", 400,
        DeliveryStreamName=STREAM, Records=[{"Data": b"1" * RECORD_MAX}] * 4 + [{"Data": b"1" * (BATCH_MAX - 4 * RECORD_MAX + 1)}],
    )
    error(
        "describe_delivery_stream", "an operation that isn't there", None,
        "UnknownOperationException", 400,
        DeliveryStreamName=STREAM,
    )


def main():
    sent = puts(client())
    errors()
    for line in wrong:
        print(line, file=sys.stderr)
    json.dump(sent, sys.stdout)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

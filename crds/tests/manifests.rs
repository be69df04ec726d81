//! Bad manifests and what a person reads of each: one message for the shape, all of them for the
//! values. The messages are golden: `refused.txt` holds each case with its answer.

use std::fmt::Write as _;

use crds::manifest::{MAX_BYTES, parse};
use crds::validate::validate;

const GOOD: &str = "\
apiVersion: standpipe.dev/v1alpha1
kind: DeliveryStream
metadata:
  name: orders
spec:
  source:
    type: DirectPut
    directPut:
      port: 8080
  wal:
    capacity: 1Gi
  destinations:
    - name: lake
      type: FileSystem
      fileSystem:
        directory: /data
        prefix: in/
      buffering:
        size: 5Mi
        intervalSeconds: 300
";

/// What the parser or the validator says; "accepted" if nothing.
fn said(text: &str) -> String {
    match parse(text) {
        Err(error) => error.to_string(),
        Ok(manifest) => match validate(&manifest) {
            Err(problems) => problems.to_string(),
            Ok(_) => "accepted".to_owned(),
        },
    }
}

/// (what is tried, text to replace in [`GOOD`], replacement)
const CHANGES: &[(&str, &str, &str)] = &[
    ("another kind", "kind: DeliveryStream", "kind: ConfigMap"),
    ("another version", "v1alpha1", "v2"),
    ("unknown field", "  wal:", "  backup: {}\n  wal:"),
    ("misspelt field", "capacity", "capacitiy"),
    (
        "unknown metadata",
        "  name: orders",
        "  name: orders\n  nmae: x",
    ),
    (
        "duplicate key",
        "    capacity: 1Gi",
        "    capacity: 1Gi\n    capacity: 2Gi",
    ),
    (
        "duplicate label",
        "  name: orders",
        "  name: orders\n  labels: {a: x, a: y}",
    ),
    ("5MB for 5Mi", "5Mi", "5MB"),
    ("size of another form", "5Mi", "1.5Gi"),
    ("size too small", "5Mi", "1Ki"),
    ("size too large", "5Mi", "2Gi"),
    ("capacity too small", "1Gi", "255Mi"),
    ("number for text", "port: 8080", "port: http"),
    ("port 0", "8080", "0"),
    ("negative interval", "300", "-1"),
    ("unknown source", "DirectPut", "Kafka"),
    ("unknown destination", "FileSystem", "S3"),
    (
        "ack of a later version",
        "    capacity",
        "    ack: Written\n    capacity",
    ),
    (
        "paused delivery",
        "  wal:",
        "  desiredState: DeliveryPaused\n  wal:",
    ),
    (
        "union without its member",
        "      fileSystem:\n        directory: /data\n        prefix: in/\n",
        "",
    ),
    (
        "member of another union",
        "      port: 8080",
        "      auth: {bearer: {secret: {name: a, key: b}}}",
    ),
    (
        "bearer without a secret",
        "      port: 8080",
        "      auth: {type: Bearer}",
    ),
    (
        "secret that leaves its directory",
        "      port: 8080",
        "      auth: {type: Bearer, bearer: {secret: {name: ../a, key: ..}}}",
    ),
    (
        "level without gzip",
        "      buffering:",
        "      format: {compression: {level: 3}}\n      buffering:",
    ),
    (
        "level out of range",
        "      buffering:",
        "      format: {compression: {type: Gzip, level: 10}}\n      buffering:",
    ),
    (
        "extension",
        "        prefix: in/",
        "        fileExtension: gz",
    ),
    (
        "time zone",
        "        prefix: in/",
        "        timeZone: Mars/Olympus",
    ),
    ("pattern letter", "in/", "'!{timestamp:bb}/'"),
    ("unknown expression", "in/", "'!{nonsense:x}/'"),
    ("open expression", "in/", "'in/!{timestamp:yyyy'"),
    ("partition key", "in/", "'!{partitionKeyFromQuery:id}/'"),
    (
        "error type in a data prefix",
        "in/",
        "'!{firehose:error-output-type}/'",
    ),
    ("prefix that leads out", "in/", "../up/"),
    ("absolute prefix", "in/", "/in/"),
    (
        "error prefix without its type",
        "  wal:",
        "  errorOutput: {prefix: '!{timestamp:yyyy}/'}\n  wal:",
    ),
    (
        "error output without a type",
        "  wal:",
        "  errorOutput: {fileSystem: {directory: /bad}}\n  wal:",
    ),
    ("empty directory", "/data", "''"),
    (
        "freshness below the interval",
        "  wal:",
        "  objectives: {freshnessSeconds: 300}\n  wal:",
    ),
    ("names", "name: orders", "name: Orders\n  namespace: -x"),
    ("stream name", "  wal:", "  streamName: a/b\n  wal:"),
    (
        "processor twice",
        "  wal:",
        "  processors: [{type: AppendDelimiter}, {type: AppendDelimiter}]\n  wal:",
    ),
    (
        "unknown processor",
        "  wal:",
        "  processors: [{type: Map}]\n  wal:",
    ),
    ("tab", "  wal:", "\twal:"),
];

fn cases() -> Vec<(&'static str, String)> {
    let mut cases: Vec<(&str, String)> = CHANGES
        .iter()
        .map(|(name, from, to)| {
            assert!(GOOD.contains(from), "{name} changes nothing");
            (*name, GOOD.replacen(from, to, 1))
        })
        .collect();
    let several = GOOD
        .replace("1Gi", "1Mi")
        .replace("300", "901")
        .replace("8080", "65536")
        .replace("in/", "in//");
    let second_lake = GOOD.replace(
        "    - name: lake",
        "    - {name: Lake, type: FileSystem}\n    - name: lake",
    );
    let second_lake = second_lake + "  errorOutput: {prefix: /x}\n";
    let no_destination = GOOD.split("  destinations:").next().unwrap_or_default();
    cases.extend([
        (
            "no destination",
            format!("{no_destination}  destinations: []\n"),
        ),
        ("several at once", several),
        ("two destinations", second_lake),
        ("two documents", format!("{GOOD}---\n{GOOD}")),
        ("empty", String::new()),
        ("only comments", "# nothing\n---\n".to_owned()),
        ("a list", "[]".to_owned()),
        (
            "no spec",
            GOOD.split("spec:").next().unwrap_or_default().to_owned(),
        ),
        ("too large", "#".repeat(MAX_BYTES + 1)),
        ("alias bomb", bomb("")),
        ("alias bomb in a place that is never built", bomb(GOOD)),
        ("deep", format!("{GOOD}status: {}", "[".repeat(10_000))),
    ]);
    cases
}

/// Ten to the eleventh texts, if anybody builds them.
fn bomb(before: &str) -> String {
    let mut text = format!("{before}status:\n  - &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..11 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        let _infallible = writeln!(text, "  - &a{level} [{below}]");
    }
    text
}

#[test]
fn each_bad_manifest_is_told_what_is_wrong_and_where() {
    let mut all = String::new();
    for (name, text) in cases() {
        let _infallible = writeln!(all, "## {name}\n{}\n", said(&text));
    }
    let golden = include_str!("refused.txt");
    for (said, golden) in all.split("## ").zip(golden.split("## ")) {
        assert_eq!(said, golden);
    }
    assert_eq!(all.len(), golden.len(), "a case is missing in refused.txt");
}

#[test]
fn what_a_server_adds_is_accepted() {
    let served = GOOD.replace(
        "  name: orders",
        "  name: orders
  namespace: shop
  uid: 5f0c1d2e-3a4b-4c5d-8e9f-0a1b2c3d4e5f
  generation: 3
  resourceVersion: '12'
  creationTimestamp: 2026-11-19T08:15:22Z
  finalizers: [standpipe.dev/drain]
  labels: {team: data}
  annotations: {note: x}
  managedFields: [{manager: kubectl}]",
    );
    let manifest = parse(&format!("{served}status: {{conditions: []}}\n")).expect("it parses");
    assert_eq!(manifest.metadata.namespace, "shop");
    assert_eq!(manifest.metadata.labels["team"], "data");
    assert_eq!(manifest.metadata.annotations["note"], "x");
    let shown = serde_json::to_string(&manifest).expect("it is shown");
    assert_eq!(parse(&shown).expect("JSON is YAML"), manifest);
}

#[test]
fn the_quickstart_is_valid_and_without_warnings() {
    let text = include_str!("../../manifests/examples/quickstart.yaml");
    let manifest = parse(text).expect("it parses");
    let validated = validate(&manifest).expect("it is valid");
    assert_eq!(validated.warnings, []);
    let place = &validated.stream.deliveries[0].data_path.destination;
    assert_eq!(place.root, "./.standpipe/delivered");
}

//! What a manifest becomes, and the data path's format (W-10).

use super::*;
use crate::manifest::parse;
use crate::prefix::Namespace;

const MINIMAL: &str = "
apiVersion: standpipe.dev/v1alpha1
kind: DeliveryStream
metadata: {name: orders}
spec:
  source: {type: DirectPut}
  destinations:
    - {name: lake, type: FileSystem, fileSystem: {directory: /data}}
";

fn validated(text: &str) -> Validated {
    validate(&parse(text).unwrap()).unwrap()
}

fn full() -> String {
    MINIMAL.replace(
        "    - {name: lake, type: FileSystem, fileSystem: {directory: /data}}",
        "    - name: lake
      type: FileSystem
      fileSystem:
        directory: ./data
        prefix: in/!{timestamp:yyyy}/
        fileExtension: .json.gz
        timeZone: asia/tokyo
      format: {type: NdJson, compression: {type: Gzip, level: 1}}
      buffering: {size: 64Ki, intervalSeconds: 0}
      concurrency: 64
  streamName: Orders_1.x
  desiredState: Paused
  wal: {capacity: 256Mi}
  processors: [{type: AppendDelimiter}]
  errorOutput:
    type: FileSystem
    fileSystem: {directory: /bad}
    prefix: '!{firehose:error-output-type}/'
  objectives: {freshnessSeconds: 60}",
    )
}

#[test]
fn the_least_manifest_has_every_default() {
    let Validated { stream, warnings } = validated(MINIMAL);
    assert_eq!(warnings, []);
    let delivery = &stream.deliveries[0];
    let path = &delivery.data_path;
    assert_eq!(
        (stream.namespace.as_str(), stream.name.as_str()),
        ("default", "orders")
    );
    assert_eq!(stream.stream_name, "orders");
    assert_eq!(stream.desired_state, DesiredState::Running);
    assert_eq!(
        stream.source,
        ValidatedSource {
            port: 8080,
            auth: ValidatedAuth::None,
            limits: ValidatedLimits {
                request_bytes: 6 << 20,
                connections: 1024,
                bytes_per_second: None,
            },
        }
    );
    let ack = Ack::Durable;
    assert_eq!(
        stream.wal,
        ValidatedWal {
            ack,
            capacity_bytes: 1 << 30
        }
    );
    assert_eq!(stream.objectives, ValidatedObjectives::default());
    assert_eq!((delivery.name.as_str(), delivery.concurrency), ("lake", 4));
    let buffering = ValidatedBuffering {
        size_bytes: 5 << 20,
        interval_seconds: 300,
    };
    assert_eq!(delivery.buffering, buffering);
    assert_eq!(path.destination.prefix, "!{timestamp:yyyy/MM/dd/HH/}");
    assert_eq!(path.destination.file_extension, "");
    assert_eq!(path.error_output.root, "/data");
    assert_eq!(
        path.error_output.prefix,
        "errors/!{firehose:error-output-type}/"
    );
}

#[test]
fn what_is_written_wins_over_defaults() {
    let stream = validated(&full()).stream;
    let delivery = &stream.deliveries[0];
    let path = &delivery.data_path;
    assert_eq!(stream.stream_name, "Orders_1.x");
    assert_eq!(stream.desired_state, DesiredState::Paused);
    assert_eq!(stream.wal.capacity_bytes, 256 << 20);
    assert_eq!(stream.objectives.freshness_seconds, Some(60));
    assert_eq!(delivery.concurrency, 64);
    assert_eq!(delivery.buffering.interval_seconds, 0);
    assert_eq!(path.compression, ObjectCompression::Gzip { level: 1 });
    assert_eq!(path.destination.time_zone, "Asia/Tokyo");
    assert_eq!(path.error_output.root, "/bad");
}

#[test]
fn gzip_without_an_extension_is_named_gz_at_level_6() {
    let text = MINIMAL.replace("}}", "}, format: {compression: {type: Gzip}}}");
    let path = validated(&text).stream.deliveries.remove(0).data_path;
    assert_eq!(path.compression, ObjectCompression::Gzip { level: 6 });
    assert_eq!(path.destination.file_extension, ".gz");
}

#[test]
fn the_year_of_the_week_is_warned_of() {
    let with = |prefix: &str| {
        let member = format!("/data, prefix: '{prefix}'");
        validated(&MINIMAL.replace("/data", &member)).warnings
    };
    let warnings = with("raw/!{timestamp:YYYY/MM}/");
    assert_eq!(warnings[0].field, "spec.destinations[0].fileSystem.prefix");
    assert_eq!(with("!{timestamp:YYYY-ww}/"), []);
    assert_eq!(with("YYYY/!{timestamp:yyyy/MM}/"), []);
}

/// W-10: a change of these bytes is a new format number.
#[test]
fn the_canonical_json_is_the_golden_one() {
    let golden = include_str!("golden/data_path_1.json").trim_end();
    let path = validated(&full()).stream.deliveries.remove(0).data_path;
    let json = path.canonical_json().unwrap();
    assert_eq!(std::str::from_utf8(&json).unwrap(), golden);
    assert_eq!(DataPath::from_canonical_json(&json).unwrap(), path);
    let templates = path.templates().unwrap();
    assert_eq!(templates.data.as_str(), path.destination.prefix);
    assert_eq!(templates.time_zone.name(), "Asia/Tokyo");
    crate::prefix::Template::parse(templates.error.as_str(), Namespace::Error).unwrap();
}

#[test]
fn a_version_that_is_not_ours_is_refused() {
    let golden = include_str!("golden/data_path_1.json").trim_end();
    let read = |text: String| DataPath::from_canonical_json(text.as_bytes());
    let newer = read(golden.replace("\"formatNumber\":1", "\"formatNumber\":2,\"new\":0"));
    assert!(matches!(newer, Err(DataPathError::Format { found: 2 })));
    let unknown = read(golden.replace("\"streamName\"", "\"x\":0,\"streamName\""));
    assert!(matches!(unknown, Err(DataPathError::Shape(_))));
    let spaced = read(format!("{golden} "));
    assert!(matches!(spaced, Err(DataPathError::NotCanonical)));
    let prefix = read(golden.replace("timestamp:yyyy", "timestamp:bbbb"));
    assert!(matches!(prefix, Err(DataPathError::Prefix(_))));
    let zone = read(golden.replace("Asia/Tokyo", "Asia/Nowhere"));
    assert!(matches!(zone, Err(DataPathError::TimeZone(_))));
    assert!(matches!(
        read(golden.replace(']', "")),
        Err(DataPathError::Shape(_))
    ));
}

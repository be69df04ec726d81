use std::collections::BTreeMap;

use super::*;
use crate::report::observed::tests::example;

/// Every line that is a value, by name and labels.
fn values(text: &str) -> BTreeMap<&str, f64> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name, value.parse().unwrap())
        })
        .collect()
}

fn render(observed: Observed) -> String {
    Metrics::new("flights").unwrap().render(observed).unwrap()
}

#[test]
fn every_metric_is_shown_with_its_help_type_and_labels() {
    let metrics = Metrics::new("flights").unwrap();
    metrics.append_time().record(Duration::from_millis(3));
    let text = metrics.render(example()).unwrap();
    let kinds = INSTRUMENTS.iter().map(|i| {
        let kind = match i.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        (i.name, i.help, kind)
    });
    for (name, help, kind) in kinds.chain([(APPEND.name, APPEND.help, "histogram")]) {
        assert!(text.contains(&format!("# HELP {name} {help}\n")), "{name}");
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
    }
    for (name, _) in values(&text) {
        assert!(name.starts_with("standpipe_"), "{name}");
        assert!(name.contains(r#"stream="flights""#), "{name}");
    }
}

#[test]
fn names_follow_the_custom() {
    let mut seen = std::collections::BTreeSet::new();
    for instrument in INSTRUMENTS {
        let name = instrument.name;
        assert!(seen.insert(name), "{name} is there twice");
        assert_eq!(
            name.ends_with("_total"),
            instrument.kind == Kind::Counter,
            "{name}"
        );
        assert!(!instrument.help.ends_with('.'), "{name}");
    }
}

#[test]
fn the_values_are_those_of_the_snapshot() {
    let text = render(example());
    let values = values(&text);
    for (name, value) in [
        (
            r#"standpipe_records_accepted_total{delivery="files",stream="flights"}"#,
            100.0,
        ),
        (
            r#"standpipe_records_delivered_total{delivery="files",stream="flights"}"#,
            80.0,
        ),
        (
            r#"standpipe_records_error_output_total{delivery="files",stream="flights"}"#,
            4.0,
        ),
        (
            r#"standpipe_records_lost_total{delivery="files",stream="flights"}"#,
            1.0,
        ),
        (
            r#"standpipe_records_in_wal{delivery="files",stream="flights"}"#,
            15.0,
        ),
        (
            r#"standpipe_accounting_balanced{delivery="files",stream="flights"}"#,
            1.0,
        ),
        (
            r#"standpipe_freshness_seconds{delivery="files",stream="flights"}"#,
            10.5,
        ),
        (
            r#"standpipe_oldest_undelivered_timestamp_seconds{delivery="files",stream="flights"}"#,
            1.7e9,
        ),
        (
            r#"standpipe_requests_total{outcome="accepted",stream="flights"}"#,
            6.0,
        ),
        (
            r#"standpipe_requests_total{outcome="refused",stream="flights"}"#,
            3.0,
        ),
        (
            r#"standpipe_requests_refused_total{reason="ServiceUnavailable",stream="flights"}"#,
            2.0,
        ),
        (
            r#"standpipe_wal_capacity_bytes{stream="flights"}"#,
            1_073_741_824.0,
        ),
        (
            r#"standpipe_delivery_busy_seconds_total{delivery="files",stream="flights"}"#,
            1.5,
        ),
    ] {
        assert_eq!(values.get(name), Some(&value), "{name} in\n{text}");
    }
}

#[test]
fn what_is_not_known_is_absent() {
    let mut observed = example();
    observed.deliveries[0].recovering = true;
    observed.deliveries[0].oldest_undelivered = None;
    let text = render(observed);
    assert!(!text.contains("standpipe_accounting_balanced{"));
    assert!(!text.contains("standpipe_oldest_undelivered_timestamp_seconds{"));
    assert!(
        text.contains("standpipe_freshness_seconds{delivery=\"files\",stream=\"flights\"} 0\n")
    );
}

#[test]
fn a_clock_that_was_set_back_gives_no_negative_age() {
    let mut observed = example();
    observed.at = crate::record::UnixMillis(0);
    let text = render(observed);
    assert!(
        text.contains("standpipe_freshness_seconds{delivery=\"files\",stream=\"flights\"} 0\n")
    );
}

#[test]
fn appends_are_counted_into_buckets() {
    let metrics = Metrics::new("flights").unwrap();
    let append = metrics.append_time();
    append.record(Duration::from_micros(700));
    append.record(Duration::from_secs(9));
    let text = metrics.render(example()).unwrap();
    let values = values(&text);
    let bucket = |le: &str| {
        let name =
            format!(r#"standpipe_append_duration_seconds_bucket{{stream="flights",le="{le}"}}"#);
        values.get(name.as_str()).copied()
    };
    assert_eq!(bucket("0.0005"), Some(0.0), "{text}");
    assert_eq!(bucket("0.001"), Some(1.0));
    assert_eq!(bucket("+Inf"), Some(2.0));
}

#[test]
fn two_scrapes_show_the_newest_snapshot_each() {
    let metrics = Metrics::new("flights").unwrap();
    metrics.render(example()).unwrap();
    let mut later = example();
    later.deliveries[0].accepted = 200;
    let text = metrics.render(later).unwrap();
    assert!(
        text.contains(
            "standpipe_records_accepted_total{delivery=\"files\",stream=\"flights\"} 200\n"
        )
    );
    let mut gone = example();
    gone.deliveries.clear();
    let text = metrics.render(gone).unwrap();
    assert!(
        !text.contains("standpipe_records_accepted_total{"),
        "{text}"
    );
}

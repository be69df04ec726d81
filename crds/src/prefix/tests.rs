//! Firehose's rules and examples, every letter of a pattern, and keys that lead nowhere else.

use proptest::prelude::*;

use super::{
    EvaluateError, Namespace, Pattern, PatternError, PrefixError, Template, TimeZone, Values,
};

const SEED: [u8; 16] = [7; 16];

/// 2026-08-27T10:30:05.042Z, a Thursday.
const ARRIVAL: i64 = 1_787_826_605_042;

fn values<'a>(time_zone: &'a TimeZone, kind: Option<&'a str>) -> Values<'a> {
    Values {
        arrival_unix_millis: ARRIVAL,
        time_zone,
        random: &SEED,
        error_output_type: kind,
    }
}

fn data(text: &str) -> String {
    let template = Template::parse_data(text).unwrap();
    template.evaluate(&values(&TimeZone::utc(), None)).unwrap()
}

fn error(text: &str) -> String {
    let template = Template::parse(text, Namespace::Error).unwrap();
    let utc = TimeZone::utc();
    template
        .evaluate(&values(&utc, Some("processing-failed")))
        .unwrap()
}

fn in_pattern(pattern: &str, zone: &str, unix_millis: i64) -> String {
    let time = TimeZone::parse(zone).unwrap().at(unix_millis).unwrap();
    Pattern::parse(pattern).unwrap().format(&time)
}

#[test]
fn firehoses_worked_examples() {
    assert_eq!(data(""), "2026/08/27/10/");
    assert_eq!(data("app"), "app2026/08/27/10/");
    assert_eq!(data("app/"), "app/2026/08/27/10/");
    assert_eq!(data("c/!{timestamp:yyyy-MM-dd}/"), "c/2026-08-27/");
    assert_eq!(
        data("!{timestamp:'year='yyyy'/month='MM'/'}"),
        "year=2026/month=08/"
    );
    assert_eq!(
        error("bad/!{firehose:error-output-type}/"),
        "bad/processing-failed/"
    );
    assert_eq!(
        error("bad/!{firehose:error-output-type}/!{timestamp:yyyy}/x/!{timestamp:dd}/"),
        "bad/processing-failed/2026/x/27/"
    );
    assert_eq!(error("bad/"), "bad/");
}

#[test]
fn the_text_of_a_data_prefix_holds_the_default_timestamp() {
    let template = Template::parse_data("app").unwrap();
    assert_eq!(template.as_str(), "app!{timestamp:yyyy/MM/dd/HH/}");
    let again = Template::parse(template.as_str(), Namespace::Data).unwrap();
    assert_eq!(again, template);
}

#[test]
fn random_strings_differ_by_use_and_batch_and_never_change() {
    let template = "!{firehose:random-string}-!{firehose:random-string}!{timestamp:'/'}";
    let template = Template::parse_data(template).unwrap();
    let utc = TimeZone::utc();
    let evaluated = template.evaluate(&values(&utc, None)).unwrap();
    let again = template.evaluate(&values(&utc, None)).unwrap();
    assert_eq!(evaluated, again);
    let (first, second) = evaluated.trim_end_matches('/').split_once('-').unwrap();
    assert_eq!((first.len(), second.len()), (11, 11));
    assert_ne!(first, second);
    for at in 0..16 {
        let mut seed = SEED;
        seed[at] ^= 1;
        let other = template.evaluate(&Values {
            random: &seed,
            ..values(&utc, None)
        });
        assert_ne!(other.unwrap(), evaluated, "byte {at} changes nothing");
    }
}

#[test]
fn each_letter_prints_as_in_java() {
    for (pattern, printed) in [
        ("y yy yyyy yyyyyy", "2026 26 2026 002026"),
        ("u uu uuuu Y YY YYYY", "2026 26 2026 2026 26 2026"),
        ("M MM MMM MMMM MMMMM L", "8 08 Aug August A 8"),
        ("d dd D DD DDD", "27 27 239 239 239"),
        ("Q QQ QQQ QQQQ QQQQQ q", "3 03 Q3 3rd quarter 3 3"),
        ("w ww W F", "35 35 4 4"),
        ("E EEE EEEE EEEEE", "Thu Thu Thursday T"),
        ("e ee eee c ccc", "4 04 Thu 4 Thu"),
        (
            "a H HH k K h hh m mm s ss",
            "AM 10 10 10 10 10 10 30 30 5 05",
        ),
        ("S SSS SSSSSSSSS n", "0 042 042000000 42000000"),
        ("A N", "37805042 37805042000000"),
        ("G GGGG GGGGG", "AD Anno Domini A"),
        ("VV z O OOOO", "UTC UTC GMT GMT"),
        ("X XX XXX x xx xxx", "Z Z Z +00 +0000 +00:00"),
        ("Z ZZZZ ZZZZZ", "+0000 GMT Z"),
        ("ppH pppd", "10  27"),
        ("'it''s' '' [yyyy[-MM]]", "it's ' 2026-08"),
    ] {
        assert_eq!(in_pattern(pattern, "UTC", ARRIVAL), printed, "{pattern}");
    }
}

#[test]
fn zones_shift_the_date_and_print_their_offset() {
    let noon = 1_767_225_600_000; // 2026-01-01T00:00Z
    assert_eq!(
        in_pattern("yyyy/MM/dd/HH", "Asia/Tokyo", noon),
        "2026/01/01/09"
    );
    assert_eq!(
        in_pattern("yyyy/MM/dd/HH VV z", "America/New_York", noon),
        "2025/12/31/19 America/New_York EST"
    );
    assert_eq!(
        in_pattern("O OOOO X XX XXX Z ZZZZ ZZZZZ", "Asia/Kolkata", noon),
        "GMT+5:30 GMT+05:30 +0530 +0530 +05:30 +0530 GMT+05:30 +05:30"
    );
    assert_eq!(
        in_pattern("X x O", "America/New_York", noon),
        "-05 -05 GMT-5"
    );
    let zone = TimeZone::parse("asia/tokyo").unwrap();
    assert_eq!(zone.name(), "Asia/Tokyo");
    assert_eq!(zone.object_time(noon).unwrap(), "2026-01-01-09-00-00");
    TimeZone::parse("Mars/Olympus").unwrap_err();
    TimeZone::parse("../etc/passwd").unwrap_err();
    TimeZone::utc().object_time(i64::MAX).unwrap_err();
}

#[test]
fn the_year_of_the_week_differs_around_new_year() {
    let day = |text: &str| {
        let time: jiff::Timestamp = format!("{text}T12:00Z").parse().unwrap();
        in_pattern("yyyy YYYY ww W", "UTC", time.as_millisecond())
    };
    assert_eq!(day("2024-12-30"), "2024 2025 01 5");
    assert_eq!(day("2027-01-01"), "2027 2026 53 0");
    assert_eq!(day("2026-01-01"), "2026 2026 01 1");
}

#[test]
fn half_days_are_counted_as_in_java() {
    let at = |hour: i64| in_pattern("H k K h a", "UTC", hour * 3_600_000);
    assert_eq!(at(0), "0 24 0 12 AM");
    assert_eq!(at(12), "12 12 0 12 PM");
    assert_eq!(at(23), "23 23 11 11 PM");
}

#[test]
fn what_is_no_pattern_is_told_with_its_place() {
    let error = |text: &str| Pattern::parse(text).unwrap_err();
    assert_eq!(error(""), PatternError::Empty);
    assert_eq!(
        error("yyyy/bb"),
        PatternError::Letter { at: 5, letter: 'b' }
    );
    assert_eq!(error("'open"), PatternError::Quote { at: 0 });
    assert_eq!(error("yy#"), PatternError::Reserved { at: 2, letter: '#' });
    assert_eq!(error("yy]"), PatternError::Section { at: 2 });
    assert_eq!(error("yypp"), PatternError::Pad { at: 2 });
    assert_eq!(error("pp-y"), PatternError::Pad { at: 0 });
    for text in [
        "ddd", "HHH", "V", "OO", "cc", "aa", "zzzz", "DDDD", "MMMMMM",
    ] {
        let count = text.len();
        let letter = text.chars().next().unwrap();
        let at = 0;
        assert_eq!(error(text), PatternError::Count { at, letter, count });
    }
}

#[test]
fn what_is_no_prefix_is_told_with_its_place() {
    let data = |text: &str| Template::parse_data(text).unwrap_err();
    assert_eq!(data("a/!{timestamp:yyyy"), PrefixError::Open { at: 3 });
    assert_eq!(data("!{a{b}}"), PrefixError::Open { at: 1 });
    assert!(matches!(
        data("é!{nonsense:x}"),
        PrefixError::Unknown { at: 2, .. }
    ));
    assert!(matches!(
        data("!{firehose:uuid}"),
        PrefixError::Unknown { at: 1, .. }
    ));
    assert_eq!(
        data("!{firehose:error-output-type}"),
        PrefixError::ErrorTypeInData { at: 1 }
    );
    assert_eq!(
        data("x!{partitionKeyFromQuery:a}"),
        PrefixError::PartitionKey { at: 2 }
    );
    assert_eq!(data(&"x".repeat(1025)), PrefixError::TooLong(1025));
    let place = data("ab!{timestamp:yyyy-b}").to_string();
    assert!(place.starts_with("at character 20: 'b'"), "{place}");
    let rejects = Template::parse("!{timestamp:yyyy}", Namespace::Error);
    assert_eq!(rejects.unwrap_err(), PrefixError::ErrorTypeMissing);
}

#[test]
fn keys_stay_in_their_place() {
    let refused = |text: &str| match Template::parse_data(text).unwrap_err() {
        PrefixError::Evaluated(error) => error,
        other => panic!("{text}: {other}"),
    };
    assert!(matches!(refused("../up/"), EvaluateError::DotPart(_)));
    assert!(matches!(refused("a/./b/"), EvaluateError::DotPart(_)));
    assert!(matches!(
        refused("a/!{timestamp:'../'}"),
        EvaluateError::DotPart(_)
    ));
    assert!(matches!(refused("/abs/"), EvaluateError::Absolute(_)));
    assert!(matches!(refused("a//b/"), EvaluateError::EmptyPart(_)));
    assert!(matches!(refused("a\0b/"), EvaluateError::Control(_)));
    assert!(matches!(
        refused(".standpipe/x/"),
        EvaluateError::Reserved(_)
    ));
    let long = format!("{}/", "x".repeat(256));
    assert!(matches!(refused(&long), EvaluateError::LongPart(_)));
    let longer = format!("{}/", ["x"; 300].join("/"));
    assert!(matches!(refused(&longer), EvaluateError::TooLong(_)));
    assert_eq!(data("..a/.b/"), "..a/.b/2026/08/27/10/");
}

#[test]
fn an_error_prefix_needs_the_type() {
    let template = Template::parse("e/!{firehose:error-output-type}/", Namespace::Error).unwrap();
    let evaluated = template.evaluate(&values(&TimeZone::utc(), None));
    assert_eq!(evaluated, Err(EvaluateError::NoErrorType));
}

proptest! {
    /// Whatever is written: no panic, and what is accepted is a safe key.
    #[test]
    fn any_text_is_refused_or_a_safe_key(
        text in r"([a-z./' é]|!\{timestamp:|!\{firehose:random-string\}|[yMdHEaXp'\[\]/.]|\}){0,24}",
        arrival in -62_000_000_000_000_i64..250_000_000_000_000,
    ) {
        if let Ok(template) = Template::parse_data(&text) {
            let utc = TimeZone::utc();
            let values = Values { arrival_unix_millis: arrival, ..values(&utc, None) };
            if let Ok(key) = template.evaluate(&values) {
                prop_assert!(key.chars().count() <= super::MAX_EVALUATED);
                prop_assert!(!key.starts_with('/'));
                let parts: Vec<&str> = key.split('/').rev().skip(1).collect();
                prop_assert!(parts.iter().all(|part| !["", ".", ".."].contains(part)), "{key}");
            }
        }
    }

    #[test]
    fn quoting_is_inverted(literal in "[a-z '/.-]{1,20}") {
        let quoted = format!("'{}'", literal.replace('\'', "''"));
        prop_assert_eq!(in_pattern(&quoted, "UTC", ARRIVAL), literal);
    }
}

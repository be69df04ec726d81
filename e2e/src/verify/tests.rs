use std::path::PathBuf;

use super::*;
use crate::delivered::Line;
use crate::oracle::Entry;
use crate::record::Tag;

fn sent(lane: &str, first: u64, count: u64, outcome: Option<Outcome>) -> Vec<Entry> {
    let hashes = (first..first + count)
        .map(|number| format!("hash-{number}"))
        .collect();
    let mut entries = vec![Entry::Sent {
        lane: lane.to_owned(),
        first,
        hashes,
    }];
    entries.extend(outcome.map(|outcome| Entry::Answered {
        lane: lane.to_owned(),
        first,
        outcome,
    }));
    entries
}

fn journal(entries: &[Vec<Entry>]) -> Journal {
    Journal::from_entries(entries.concat()).unwrap()
}

fn object(lane: &str, numbers: &[u64]) -> Object {
    let delivered = |number: &u64| Line {
        tag: Tag {
            lane: lane.to_owned(),
            number: *number,
        },
        hash: format!("hash-{number}"),
    };
    Object {
        path: PathBuf::from("x"),
        lines: numbers.iter().map(delivered).collect(),
    }
}

#[test]
fn a_faultless_run_passes_and_records_without_a_reply_may_appear_or_not() {
    let list = journal(&[
        sent("a", 0, 4, Some(Outcome::Acked)),
        sent("a", 4, 2, None),
        sent("b", 0, 2, Some(Outcome::Refused)),
    ]);
    let verdict = Verdict::of(&list, &[object("a", &[0, 1]), object("a", &[2, 3, 5])]);
    verdict.accept().unwrap();
    assert_eq!((verdict.delivered, verdict.objects), (5, 2));
}

#[test]
fn an_acknowledged_record_that_is_not_delivered_is_missing() {
    let list = journal(&[sent("a", 0, 3, Some(Outcome::Acked))]);
    let verdict = Verdict::of(&list, &[object("a", &[0, 2])]);
    assert_eq!(verdict.missing, ["a/1"]);
    assert!(verdict.accept().is_err());
}

#[test]
fn a_record_in_two_files_is_duplicated_even_if_nobody_acknowledged_it() {
    let list = journal(&[sent("a", 0, 2, None)]);
    let verdict = Verdict::of(&list, &[object("a", &[0, 1]), object("a", &[1])]);
    assert_eq!(verdict.duplicated, ["a/1"]);
    assert!(verdict.accept().is_err());
}

#[test]
fn changed_bytes_are_corrupt() {
    let list = journal(&[sent("a", 0, 1, Some(Outcome::Acked))]);
    let mut object = object("a", &[0]);
    object.lines[0].hash = "other".to_owned();
    let verdict = Verdict::of(&list, &[object]);
    assert_eq!(verdict.corrupt, ["a/0"]);
    assert!(verdict.accept().is_err());
}

#[test]
fn order_is_asked_of_acknowledged_records_within_and_across_files() {
    let entries = || vec![sent("a", 0, 4, Some(Outcome::Acked)), sent("b", 0, 2, None)];
    let swapped = Verdict::of(&journal(&entries()), &[object("a", &[0, 2, 1, 3])]);
    assert_eq!(swapped.out_of_order, ["a/1"]);
    let overlapping = Verdict::of(
        &journal(&entries()),
        &[object("a", &[0, 2]), object("a", &[1, 3])],
    );
    assert_eq!(overlapping.out_of_order, ["a/1"]);
    let unanswered = Verdict::of(
        &journal(&entries()),
        &[object("a", &[0, 1, 2, 3]), object("b", &[1, 0])],
    );
    assert!(unanswered.out_of_order.is_empty());
}

#[test]
fn what_was_refused_or_never_sent_is_unasked() {
    let list = journal(&[sent("a", 0, 1, Some(Outcome::Refused))]);
    let verdict = Verdict::of(&list, &[object("a", &[0]), object("z", &[7])]);
    assert_eq!(verdict.unasked, ["a/0", "z/7"]);
    assert!(verdict.accept().is_err());
}

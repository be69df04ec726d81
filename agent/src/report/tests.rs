use tokio::time::Instant;

use super::*;
use crate::report::observed::tests::example;
use crate::report::sampler::Sample;

fn identity() -> Identity {
    Identity {
        namespace: "default".to_owned(),
        name: "flights".to_owned(),
        stream_name: "flights-raw".to_owned(),
    }
}

/// 100 records a second for 20 s.
fn sampler() -> Sampler {
    let (mut sampler, start) = (Sampler::default(), Instant::now());
    for second in 0..=20 {
        sampler.push(Sample {
            at: start + Duration::from_secs(second),
            records_in: 100 * second,
            bytes_in: 1_000 * second,
            records_out: 50 * second,
            bytes_out: 200 * second,
        });
    }
    sampler
}

#[test]
fn the_report_is_the_golden_one() {
    let mut report = report(&identity(), Phase::Running, &example(), &sampler());
    assert_eq!(
        std::mem::take(&mut report.version),
        env!("CARGO_PKG_VERSION")
    );
    let json = serde_json::to_string_pretty(&report).unwrap() + "\n";
    assert_eq!(json, include_str!("tests/report.json"), "\n{json}");
}

#[test]
fn the_state_is_the_phase_made_finer() {
    let mut seen = example();
    assert_eq!(state(Phase::Starting, &seen), State::Starting);
    assert_eq!(state(Phase::Running, &seen), State::Running);
    seen.intake.paused = true;
    assert_eq!(state(Phase::Running, &seen), State::Paused);
    assert_eq!(state_word(Phase::Running, &seen), "paused");
    assert_eq!(state_word(Phase::Stopped, &seen), "stopped");
    seen.deliveries[0].recovering = true;
    assert_eq!(state(Phase::Running, &seen), State::Recovering);
    assert_eq!(state(Phase::Draining, &seen), State::Draining);
    assert_eq!(state(Phase::Stopped, &seen), State::Draining);
}

#[test]
fn the_identity_is_checked_and_not_asserted_while_recovering() {
    let mut seen = example();
    let balanced = |seen: &Observed| {
        let report = report(&identity(), Phase::Running, seen, &Sampler::default());
        report.deliveries[0].accounting.balanced
    };
    assert_eq!(balanced(&seen), Some(true));
    seen.deliveries[0].in_wal -= 1;
    assert_eq!(balanced(&seen), Some(false));
    seen.deliveries[0].recovering = true;
    assert_eq!(balanced(&seen), None);
}

#[test]
fn freshness_is_an_age_that_is_never_negative_and_is_held_against_the_objective() {
    let told = |oldest, objective| {
        let told = freshness(UnixMillis(100_000), oldest, objective);
        (told.age_seconds, told.within_objective)
    };
    assert_eq!(told(None, None), (0.0, None));
    assert_eq!(told(None, Some(60)), (0.0, Some(true)));
    assert_eq!(told(Some(UnixMillis(40_000)), Some(60)), (60.0, Some(true)));
    assert_eq!(
        told(Some(UnixMillis(39_999)), Some(60)),
        (60.001, Some(false))
    );
    assert_eq!(told(Some(UnixMillis(100_001)), Some(60)), (0.0, Some(true)));
}

#[test]
fn problems_of_all_rooms_come_together_the_manifests_first() {
    let mut seen = example();
    let problem = |reason: &str| observed::Problem {
        reason: reason.to_owned(),
        field: None,
        message: String::new(),
        since: UnixMillis(0),
    };
    seen.spec_problems = vec![problem("SpecRefused")];
    seen.wal_problems = vec![problem("WalFull")];
    seen.intake.problems = vec![problem("SecretMissing")];
    let report = report(&identity(), Phase::Running, &seen, &Sampler::default());
    let told: Vec<_> = report
        .problems
        .iter()
        .map(|p| (p.reason.as_str(), p.delivery.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("SpecRefused", None),
            ("WalFull", None),
            ("SecretMissing", None),
            ("DestinationNotWritable", Some("files"))
        ]
    );
}

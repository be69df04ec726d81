//! `spec.objectives`.

use super::problems::Checker;
use super::stream::ValidatedObjectives;
use crate::v1alpha1::DeliveryStreamSpec;

/// Seconds that a record may take besides waiting for its batch to be sealed.
const SLACK: i32 = 60;

pub(super) fn check(checker: &mut Checker, spec: &DeliveryStreamSpec) -> ValidatedObjectives {
    let wanted = spec.objectives.as_ref();
    let Some(found) = wanted.and_then(|wanted| wanted.freshness_seconds) else {
        return ValidatedObjectives::default();
    };
    let field = "spec.objectives.freshnessSeconds";
    let seconds = checker.number(field, found, SLACK..=604_800);
    let intervals = spec.destinations.iter();
    let longest = intervals
        .map(|destination| destination.buffering.interval_seconds)
        .max()
        .unwrap_or_default();
    let least = longest.saturating_add(SLACK);
    if seconds.is_some() && found < least {
        checker.refuse(
            field,
            format_args!(
                "found {found}, allowed is at least {least}: buffering.intervalSeconds ({longest}) and {SLACK} more; raise it or lower the interval"
            ),
        );
    }
    ValidatedObjectives {
        freshness_seconds: seconds,
    }
}

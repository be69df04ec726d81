//! `/report`: what the process tells of itself, made from one snapshot. Pure.

pub mod observed;
pub mod sampler;
pub mod since;

use std::time::Duration;

use crds::report::{
    Accounting, Delivery, Freshness, Intake, LastError, PerSecond, Problem, Producer, Rates,
    Report, State, Stream, Wal,
};

use crate::record::UnixMillis;
use observed::Observed;
use sampler::Sampler;

#[cfg(test)]
mod tests;

/// The window of the rates that a person looks at.
pub const SHORT: Duration = Duration::from_secs(10);
/// The window of the rates that decisions are made from.
pub const LONG: Duration = Duration::from_mins(1);

/// How far the process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The wal is being opened; nobody is served.
    Starting,
    /// Producers are served.
    Running,
    /// A signal came: what is in the wal is delivered.
    Draining,
    /// The wal is closed; only the last line is still to be written.
    Stopped,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }
}

/// Whose process it is; never changes while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub namespace: String,
    /// The manifest's `metadata.name`.
    pub name: String,
    pub stream_name: String,
}

/// The report of one moment.
pub fn report(identity: &Identity, phase: Phase, seen: &Observed, sampler: &Sampler) -> Report {
    Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: time(seen.at),
        stream: Stream {
            namespace: identity.namespace.clone(),
            name: identity.name.clone(),
            stream_name: identity.stream_name.clone(),
        },
        state: state(phase, seen),
        wal: wal(seen),
        intake: Intake {
            connections: seen.intake.connections,
            busy_seconds: seen.intake.busy_seconds,
            producers: seen.intake.producers.iter().map(producer).collect(),
        },
        deliveries: seen
            .deliveries
            .iter()
            .map(|d| delivery(seen.at, d))
            .collect(),
        rates: Rates {
            over_10_seconds: rate(sampler.per_second(SHORT)),
            over_60_seconds: rate(sampler.per_second(LONG)),
        },
        problems: problems(seen),
    }
}

/// The phase of the process, made finer by what the rooms say.
pub fn state(phase: Phase, seen: &Observed) -> State {
    match phase {
        Phase::Starting => State::Starting,
        Phase::Draining | Phase::Stopped => State::Draining,
        Phase::Running if seen.deliveries.iter().any(|d| d.recovering) => State::Recovering,
        Phase::Running if seen.intake.paused => State::Paused,
        Phase::Running => State::Running,
    }
}

/// The state as the status line writes it.
pub fn state_word(phase: Phase, seen: &Observed) -> &'static str {
    match state(phase, seen) {
        State::Recovering => "recovering",
        State::Paused => "paused",
        State::Starting | State::Running | State::Draining => phase.name(),
    }
}

fn wal(seen: &Observed) -> Wal {
    let status = &seen.wal;
    Wal {
        shard: status.shard.to_string(),
        incarnation: format!("{:016x}", status.incarnation.0),
        used_bytes: status.used_bytes,
        capacity_bytes: status.capacity_bytes,
        segments: status.segments,
        durable_end: status.durable_end.0,
        in_doubt: status.in_doubt_records,
        problems: status.problems.clone(),
    }
}

fn producer(producer: &observed::Producer) -> Producer {
    Producer {
        name: producer.name.clone(),
        records: producer.records,
    }
}

fn delivery(now: UnixMillis, delivery: &observed::Delivery) -> Delivery {
    Delivery {
        name: delivery.name.clone(),
        recovering: delivery.recovering,
        generation: delivery.generation,
        accounting: Accounting {
            balanced: delivery.balanced(),
            ..delivery.accounting()
        },
        freshness: freshness(now, delivery.oldest_undelivered, delivery.objective_seconds),
        open_batches: delivery.open_batches,
        sealed_batches: delivery.sealed_batches,
        held_batches: delivery.held_batches,
        busy_seconds: delivery.busy_seconds,
        last_error: delivery.last_error.as_ref().map(|error| LastError {
            at: time(error.at),
            message: error.message.clone(),
            count: error.count,
        }),
    }
}

fn freshness(now: UnixMillis, oldest: Option<UnixMillis>, objective: Option<u32>) -> Freshness {
    let age_seconds = oldest.map_or(0.0, |oldest| seconds_between(oldest, now));
    Freshness {
        oldest_undelivered_at: oldest.map(time),
        age_seconds,
        objective_seconds: objective,
        within_objective: objective.map(|objective| age_seconds <= f64::from(objective)),
    }
}

fn problems(seen: &Observed) -> Vec<Problem> {
    let told = |of: Option<&str>, problem: &observed::Problem| Problem {
        reason: problem.reason.clone(),
        delivery: of.map(str::to_owned),
        field: problem.field.clone(),
        message: problem.message.clone(),
        since: time(problem.since),
    };
    let stream = seen
        .spec_problems
        .iter()
        .chain(&seen.wal_problems)
        .chain(&seen.intake.problems);
    let mut problems: Vec<Problem> = stream.map(|problem| told(None, problem)).collect();
    for delivery in &seen.deliveries {
        problems.extend(
            delivery
                .problems
                .iter()
                .map(|p| told(Some(&delivery.name), p)),
        );
    }
    problems
}

fn rate(rate: sampler::PerSecond) -> PerSecond {
    PerSecond {
        records_in: rate.records_in,
        bytes_in: rate.bytes_in,
        records_out: rate.records_out,
        bytes_out: rate.bytes_out,
    }
}

/// RFC 3339 in UTC with milliseconds; the epoch for a time that no calendar has.
fn time(at: UnixMillis) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

/// Not negative: clocks are set back now and then.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 fit into 2^53"
)]
pub fn seconds_between(from: UnixMillis, to: UnixMillis) -> f64 {
    to.0.saturating_sub(from.0).max(0) as f64 / 1_000.0
}

//! Every metric: its name, its help text, and where in the snapshot its value is.

use crate::record::UnixMillis;
use crate::report::observed::{Delivery, Observed};
use crate::report::seconds_between;

/// One metric.
#[derive(Debug)]
pub struct Instrument {
    /// As Prometheus shows it: unit and `_total` included.
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    pub read: fn(&Observed, &mut Emit<'_>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, but for a restart of the process.
    Counter,
    Gauge,
}

/// One value; the `stream` label is added to all.
#[derive(Debug)]
pub struct Point<'a> {
    pub value: f64,
    pub labels: &'a [(&'static str, &'a str)],
}

type Emit<'e> = dyn FnMut(Point<'_>) + 'e;

/// The one metric that is recorded where it happens, since a distribution can't be read off.
#[derive(Debug)]
pub struct Recorded {
    pub name: &'static str,
    pub help: &'static str,
}

pub const APPEND: Recorded = Recorded {
    name: "standpipe_append_duration_seconds",
    help: "Time from the last byte of a request to the sync that made its records durable",
};

macro_rules! instrument {
    ($kind:ident, $name:literal, $help:literal, $read:expr) => {
        Instrument {
            name: $name,
            help: $help,
            kind: Kind::$kind,
            read: $read,
        }
    };
}

/// In the order of a record's life.
pub const INSTRUMENTS: &[Instrument] = &[
    // intake
    instrument!(
        Counter,
        "standpipe_requests_total",
        "Requests that were answered, by outcome: accepted or refused",
        |o, emit| {
            let refused = o.intake.refused.iter().map(|(_, count)| count).sum();
            one(emit, "outcome", "accepted", o.intake.succeeded);
            one(emit, "outcome", "refused", refused);
        }
    ),
    instrument!(
        Counter,
        "standpipe_requests_refused_total",
        "Requests that were answered with an error, by its code",
        |o, emit| {
            for (reason, count) in &o.intake.refused {
                one(emit, "reason", reason, *count);
            }
        }
    ),
    instrument!(
        Counter,
        "standpipe_intake_records_total",
        "Records that were acknowledged since the process started",
        |o, emit| all(emit, o.intake.records)
    ),
    instrument!(
        Counter,
        "standpipe_intake_bytes_total",
        "Bytes of records that were acknowledged since the process started",
        |o, emit| all(emit, o.intake.bytes)
    ),
    instrument!(
        Gauge,
        "standpipe_connections",
        "Connections of producers that are open",
        |o, emit| all(emit, o.intake.connections)
    ),
    instrument!(
        Counter,
        "standpipe_intake_busy_seconds_total",
        "Time that the intake spent on requests, waiting left out",
        |o, emit| value(emit, o.intake.busy_seconds, &[])
    ),
    // wal
    instrument!(
        Gauge,
        "standpipe_wal_used_bytes",
        "Bytes of the wal in use, reservations included",
        |o, emit| all(emit, o.wal.used_bytes)
    ),
    instrument!(
        Gauge,
        "standpipe_wal_capacity_bytes",
        "Bytes of the wal that may be in use; intake refuses above it",
        |o, emit| all(emit, o.wal.capacity_bytes)
    ),
    instrument!(
        Gauge,
        "standpipe_wal_segments",
        "Segments of the wal that hold undelivered records",
        |o, emit| all(emit, o.wal.segments)
    ),
    instrument!(
        Gauge,
        "standpipe_wal_pressure",
        "1 above 70 % of the capacity, where the oldest batches are sealed early",
        |o, emit| flag(emit, o.wal.pressure)
    ),
    instrument!(
        Gauge,
        "standpipe_wal_failing",
        "1 while the last write or sync of the wal failed",
        |o, emit| flag(emit, o.wal.failing.is_some())
    ),
    instrument!(
        Counter,
        "standpipe_wal_failures_total",
        "Writes and syncs of the wal that failed",
        |o, emit| all(emit, o.wal.failures)
    ),
    instrument!(
        Counter,
        "standpipe_wal_written_bytes_total",
        "Bytes written to the wal, checkpoints and headers included",
        |o, emit| all(emit, o.wal.written_bytes)
    ),
    instrument!(
        Gauge,
        "standpipe_records_in_doubt",
        "Records of the last group before a crash that may or may not have been accepted",
        |o, emit| all(emit, o.wal.in_doubt_records)
    ),
    // accounting (I-2)
    instrument!(
        Counter,
        "standpipe_records_accepted_total",
        "Records that were accepted, ever",
        |o, emit| each(o, emit, |d| d.accepted)
    ),
    instrument!(
        Counter,
        "standpipe_records_delivered_total",
        "Records that are at the destination",
        |o, emit| each(o, emit, |d| d.counts.delivered)
    ),
    instrument!(
        Counter,
        "standpipe_records_error_output_total",
        "Records that are at the error output",
        |o, emit| each(o, emit, |d| d.counts.error_output)
    ),
    instrument!(
        Counter,
        "standpipe_records_given_up_total",
        "Records that were given up as the manifest says",
        |o, emit| each(o, emit, |d| d.counts.given_up)
    ),
    instrument!(
        Counter,
        "standpipe_records_filtered_total",
        "Records that a processor dropped as the manifest says",
        |o, emit| each(o, emit, |d| d.counts.filtered)
    ),
    instrument!(
        Counter,
        "standpipe_records_lost_total",
        "Accepted records that can't be read from the wal any more",
        |o, emit| each(o, emit, |d| d.counts.lost)
    ),
    instrument!(
        Gauge,
        "standpipe_records_in_wal",
        "Accepted records that wait for their delivery",
        |o, emit| each(o, emit, |d| d.in_wal)
    ),
    instrument!(
        Gauge,
        "standpipe_accounting_balanced",
        "1 when accepted records are exactly those that ended plus those in the wal; absent while recovering",
        |o, emit| {
            for delivery in &o.deliveries {
                if let Some(balanced) = delivery.balanced() {
                    of(emit, delivery, u64::from(balanced));
                }
            }
        }
    ),
    // delivery
    instrument!(
        Gauge,
        "standpipe_freshness_seconds",
        "Age of the oldest accepted record that is not delivered; 0 when there is none",
        |o, emit| {
            for delivery in &o.deliveries {
                let age = delivery
                    .oldest_undelivered
                    .map_or(0.0, |at| seconds_between(at, o.at));
                value(emit, age, &[("delivery", &delivery.name)]);
            }
        }
    ),
    instrument!(
        Gauge,
        "standpipe_oldest_undelivered_timestamp_seconds",
        "When the oldest accepted record that is not delivered arrived; absent when there is none",
        |o, emit| {
            for delivery in &o.deliveries {
                if let Some(oldest) = delivery.oldest_undelivered {
                    let at = seconds_between(UnixMillis(0), oldest);
                    value(emit, at, &[("delivery", &delivery.name)]);
                }
            }
        }
    ),
    instrument!(
        Gauge,
        "standpipe_batches_open",
        "Batches that take records",
        |o, emit| each(o, emit, |d| d.open_batches)
    ),
    instrument!(
        Gauge,
        "standpipe_batches_sealed",
        "Batches that are sealed and not yet at the destination",
        |o, emit| each(o, emit, |d| d.sealed_batches)
    ),
    instrument!(
        Gauge,
        "standpipe_batches_held",
        "Sealed batches that wait for a person to mend something",
        |o, emit| each(o, emit, |d| d.held_batches)
    ),
    instrument!(
        Counter,
        "standpipe_delivered_objects_total",
        "Objects that were made at the destination since the process started",
        |o, emit| each(o, emit, |d| d.objects)
    ),
    instrument!(
        Counter,
        "standpipe_delivered_bytes_total",
        "Bytes of these objects as encoded",
        |o, emit| each(o, emit, |d| d.bytes)
    ),
    instrument!(
        Counter,
        "standpipe_objects_taken_total",
        "Objects that a reader had moved or deleted before a lost reply could be looked after",
        |o, emit| each(o, emit, |d| d.taken)
    ),
    instrument!(
        Counter,
        "standpipe_delivery_failures_total",
        "Tries to deliver an object that failed and are made again",
        |o, emit| each(o, emit, |d| d.failures)
    ),
    instrument!(
        Counter,
        "standpipe_delivery_busy_seconds_total",
        "Time that a delivery spent on records and objects, waiting left out",
        |o, emit| {
            for delivery in &o.deliveries {
                value(emit, delivery.busy_seconds, &[("delivery", &delivery.name)]);
            }
        }
    ),
    // everything
    instrument!(
        Gauge,
        "standpipe_build_info",
        "1, with the program's version",
        |_, emit| one(emit, "version", env!("CARGO_PKG_VERSION"), 1)
    ),
];

fn value(emit: &mut Emit<'_>, value: f64, labels: &[(&'static str, &str)]) {
    emit(Point { value, labels });
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus values are floating point; exact up to 2^53"
)]
fn whole(count: u64) -> f64 {
    count as f64
}

fn all(emit: &mut Emit<'_>, count: u64) {
    value(emit, whole(count), &[]);
}

fn flag(emit: &mut Emit<'_>, on: bool) {
    all(emit, u64::from(on));
}

fn one(emit: &mut Emit<'_>, label: &'static str, name: &str, count: u64) {
    value(emit, whole(count), &[(label, name)]);
}

fn of(emit: &mut Emit<'_>, delivery: &Delivery, count: u64) {
    one(emit, "delivery", &delivery.name, count);
}

fn each(observed: &Observed, emit: &mut Emit<'_>, count: fn(&Delivery) -> u64) {
    for delivery in &observed.deliveries {
        of(emit, delivery, count(delivery));
    }
}

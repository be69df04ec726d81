//! Metrics: OpenTelemetry instruments, shown in the Prometheus text format. Every name is in
//! [`names`]; all but one instrument read the snapshot that `/report` is made from too, at the
//! moment of the scrape (I-12), so nothing on the data path records anything.
//!
//! Labels are `stream`, `delivery` and values of fixed lists: a scrape has a bounded size whatever
//! producers send.

pub mod names;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter, MeterProvider as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use parking_lot::Mutex;
use prometheus::{Registry, TextEncoder};

use crate::report::observed::Observed;
use names::{APPEND, INSTRUMENTS, Instrument, Kind, Point};

#[cfg(test)]
mod tests;

/// Seconds; an append is one sync of a device, or the wait for one before it.
const APPEND_BOUNDARIES: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// The metrics could not be set up or shown: a bug.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    #[error("the metrics could not be set up")]
    Setup(#[from] opentelemetry_sdk::error::OTelSdkError),
    #[error("the metrics could not be written")]
    Encode(#[from] prometheus::Error),
}

/// The instruments of one stream.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Ends the instruments when dropped.
    _provider: SdkMeterProvider,
    observed: Slot,
    append: AppendTime,
    /// One scrape at a time: what is in the slot is what is read.
    scrape: Mutex<()>,
}

/// What the callbacks read during a scrape.
type Slot = Arc<Mutex<Option<Observed>>>;

impl Metrics {
    /// `stream` is the manifest's `metadata.name`.
    pub fn new(stream: &str) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_units()
            .without_counter_suffixes()
            .without_target_info()
            .scope_info_enabled(false)
            .build()?;
        let provider = SdkMeterProvider::builder().with_reader(exporter).build();
        let meter = provider.meter("standpipe");
        let observed = Slot::default();
        let stream = KeyValue::new("stream", stream.to_owned());
        for instrument in INSTRUMENTS {
            register(&meter, instrument, &observed, &stream);
        }
        let append = AppendTime {
            seconds: meter
                .f64_histogram(APPEND.name)
                .with_description(APPEND.help)
                .with_boundaries(APPEND_BOUNDARIES.to_vec())
                .build(),
            labels: Arc::new([stream]),
        };
        Ok(Self {
            registry,
            _provider: provider,
            observed,
            append,
            scrape: Mutex::new(()),
        })
    }

    /// Where the duration of appends is recorded.
    pub fn append_time(&self) -> AppendTime {
        self.append.clone()
    }

    /// All metrics of a snapshot in the text format 0.0.4.
    pub fn render(&self, observed: Observed) -> Result<String, MetricsError> {
        let _one = self.scrape.lock();
        *self.observed.lock() = Some(observed);
        let text = TextEncoder::new().encode_to_string(&self.registry.gather());
        *self.observed.lock() = None;
        Ok(text?)
    }
}

/// How long producers wait for the sync of their records. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppendTime {
    seconds: Histogram<f64>,
    labels: Arc<[KeyValue; 1]>,
}

impl AppendTime {
    pub fn record(&self, took: Duration) {
        self.seconds.record(took.as_secs_f64(), &*self.labels);
    }
}

fn register(meter: &Meter, instrument: &Instrument, observed: &Slot, stream: &KeyValue) {
    let (observed, stream, read) = (Arc::clone(observed), stream.clone(), instrument.read);
    let points = move |emit: &mut dyn FnMut(f64, &[KeyValue])| {
        if let Some(observed) = &*observed.lock() {
            read(observed, &mut |point: Point<'_>| {
                let mut labels = vec![stream.clone()];
                labels.extend(
                    point
                        .labels
                        .iter()
                        .map(|(name, value)| KeyValue::new(*name, (*value).to_owned())),
                );
                emit(point.value, &labels);
            });
        }
    };
    match instrument.kind {
        Kind::Counter => drop(
            meter
                .f64_observable_counter(instrument.name)
                .with_description(instrument.help)
                .with_callback(move |o| points(&mut |value, labels| o.observe(value, labels)))
                .build(),
        ),
        Kind::Gauge => drop(
            meter
                .f64_observable_gauge(instrument.name)
                .with_description(instrument.help)
                .with_callback(move |o| points(&mut |value, labels| o.observe(value, labels)))
                .build(),
        ),
    }
}

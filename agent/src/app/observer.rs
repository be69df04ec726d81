//! Answers `/healthz`, `/readyz`, `/metrics` and `/report`, and feeds the status line: all from
//! one look at the rooms.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::view::View;
use crate::admin::Tell;
use crate::metrics::Metrics;
use crate::report::observed::{Observed, Problem};
use crate::report::sampler::{PerSecond, Sample, Sampler};
use crate::report::{self, Identity, Phase};
use crate::supervise::{Fault, Health};

/// How often rates are sampled and the view is shown.
const EVERY: Duration = Duration::from_secs(1);

/// Looks at the rooms: cheap, and without waiting.
pub trait Source: std::fmt::Debug + Send + Sync + 'static {
    fn observe(&self) -> Observed;
}

/// What the process tells.
#[derive(Debug)]
pub struct Observer {
    identity: Identity,
    health: Health,
    metrics: Metrics,
    phase: Mutex<Phase>,
    sampler: Mutex<Sampler>,
    /// Set once the rooms stand.
    source: OnceLock<Box<dyn Source>>,
    /// What is wrong with the manifest as it is now.
    manifest: Mutex<Vec<Problem>>,
}

impl Observer {
    pub fn new(identity: Identity, health: Health, metrics: Metrics) -> Self {
        Self {
            identity,
            health,
            metrics,
            phase: Mutex::new(Phase::Starting),
            sampler: Mutex::default(),
            source: OnceLock::new(),
            manifest: Mutex::default(),
        }
    }

    /// The rooms stand.
    pub fn opened(&self, source: Box<dyn Source>) {
        // a second call would change nothing, and there is one caller
        let _first = self.source.set(source);
    }

    pub fn enter(&self, phase: Phase) {
        *self.phase.lock() = phase;
    }

    pub fn phase(&self) -> Phase {
        *self.phase.lock()
    }

    /// Replaces what is said of the manifest.
    pub fn manifest_problems(&self, problems: Vec<Problem>) {
        *self.manifest.lock() = problems;
    }

    /// One look at all rooms; errors while the process starts.
    pub fn observe(&self) -> Result<Observed, String> {
        let source = self
            .source
            .get()
            .ok_or("starting: the wal is being opened")?;
        let mut seen = source.observe();
        seen.spec_problems.clone_from(&self.manifest.lock());
        Ok(seen)
    }

    /// Samples the rates and feeds the view until `stop`, and once more then.
    pub async fn run(
        self: Arc<Self>,
        mut view: Box<dyn View>,
        stop: CancellationToken,
    ) -> Result<(), Fault> {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let last = tokio::select! {
                biased;
                () = stop.cancelled() => true,
                _ = ticks.tick() => false,
            };
            if let Ok(seen) = self.observe() {
                let rate = self.sample(&seen);
                view.show(self.phase(), &seen, &rate);
            }
            if last {
                return Ok(());
            }
        }
    }

    fn sample(&self, seen: &Observed) -> PerSecond {
        let mut sampler = self.sampler.lock();
        sampler.push(Sample {
            at: Instant::now(),
            records_in: seen.intake.records,
            bytes_in: seen.intake.bytes,
            records_out: seen.deliveries.iter().map(|d| d.counts.delivered).sum(),
            bytes_out: seen.deliveries.iter().map(|d| d.bytes).sum(),
        });
        sampler.per_second(report::SHORT)
    }
}

impl Tell for Observer {
    fn healthy(&self) -> Result<(), String> {
        self.health.check()
    }

    fn ready(&self) -> Result<(), String> {
        match self.phase() {
            Phase::Running => Ok(()),
            phase => Err(phase.name().to_owned()),
        }
    }

    fn metrics(&self) -> Result<String, String> {
        self.metrics
            .render(self.observe()?)
            .map_err(|e| e.to_string())
    }

    fn report(&self) -> Result<String, String> {
        let seen = self.observe()?;
        let sampler = self.sampler.lock().clone();
        let report = report::report(&self.identity, self.phase(), &seen, &sampler);
        let json = serde_json::to_string_pretty(&report).map_err(|e| e.to_string())?;
        Ok(json + "\n")
    }
}

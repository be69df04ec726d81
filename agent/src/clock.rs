//! The time seam. Monotonic time is `tokio::time`, which tests pause; wall time comes from here.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::record::UnixMillis;

/// The wall clock.
pub trait WallClock: Send + Sync + Debug {
    fn now(&self) -> UnixMillis;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl WallClock for SystemClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(jiff::Timestamp::now().as_millisecond())
    }
}

/// A clock that a test or a simulation sets.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    pub fn new(now: UnixMillis) -> Self {
        Self(Arc::new(AtomicI64::new(now.0)))
    }

    pub fn set(&self, now: UnixMillis) {
        self.0.store(now.0, Ordering::Relaxed);
    }

    pub fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

impl WallClock for ManualClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::Relaxed))
    }
}

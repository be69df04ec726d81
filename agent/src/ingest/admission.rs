//! Whether a request is let in: bytes in flight, bytes a second.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::limits::{BYTES_IN_FLIGHT, BYTES_WAIT};

/// Bytes of body memory; one permit is a KiB.
#[derive(Clone, Debug)]
pub struct BytesInFlight(Arc<Semaphore>);

impl Default for BytesInFlight {
    fn default() -> Self {
        let permits = usize::try_from(BYTES_IN_FLIGHT / 1024).unwrap_or(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(permits)))
    }
}

impl BytesInFlight {
    /// Waits for room for a body of `bytes`; none when there is none in time.
    pub async fn reserve(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let permits = u32::try_from(bytes.div_ceil(1024)).ok()?;
        let acquired = Arc::clone(&self.0).acquire_many_owned(permits);
        timeout(BYTES_WAIT, acquired).await.ok()?.ok()
    }
}

/// A limit of bytes a second: a bucket that holds one second's worth.
#[derive(Debug, Default)]
pub struct Rate(Mutex<Option<Bucket>>);

#[derive(Debug)]
struct Bucket {
    per_second: u64,
    left: f64,
    filled: Instant,
}

impl Rate {
    /// Sets the limit; none takes it away.
    pub fn set(&self, per_second: Option<u64>) {
        let mut bucket = self.0.lock();
        if bucket.as_ref().map(|bucket| bucket.per_second) == per_second {
            return;
        }
        *bucket = per_second.map(|per_second| Bucket {
            per_second,
            left: as_f64(per_second),
            filled: Instant::now(),
        });
    }

    /// Takes `bytes`, or says how long to wait. A request larger than the bucket is let in when the
    /// bucket is full, and paid back afterwards.
    pub fn take(&self, bytes: u64) -> Result<(), Duration> {
        let mut bucket = self.0.lock();
        let Some(bucket) = bucket.as_mut() else {
            return Ok(());
        };
        let now = Instant::now();
        let rate = as_f64(bucket.per_second);
        let gained = now.duration_since(bucket.filled).as_secs_f64() * rate;
        bucket.left = (bucket.left + gained).min(rate);
        bucket.filled = now;
        let wanted = as_f64(bytes).min(rate);
        if bucket.left + 1e-6 < wanted {
            return Err(Duration::from_secs_f64((wanted - bucket.left) / rate));
        }
        bucket.left -= as_f64(bytes);
        Ok(())
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "rates need no more than 52 bits"
)]
fn as_f64(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_gives_a_seconds_worth() {
        let rate = Rate::default();
        assert!(rate.take(1 << 40).is_ok(), "no limit");
        rate.set(Some(1000));
        assert!(rate.take(1000).is_ok());
        let wait = rate.take(500).expect_err("empty");
        assert_eq!(wait.as_millis(), 500);
        tokio::time::advance(wait).await;
        assert!(rate.take(500).is_ok());
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(
            rate.take(3000).is_ok(),
            "larger than the bucket, and it is full"
        );
        assert!(rate.take(1).is_err(), "and it is paid back");
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_wait_for_memory_and_give_it_back() {
        let bytes = BytesInFlight::default();
        let all = bytes.reserve(BYTES_IN_FLIGHT).await.expect("all of it");
        assert!(bytes.reserve(1).await.is_none());
        drop(all);
        assert!(bytes.reserve(1).await.is_some());
    }
}

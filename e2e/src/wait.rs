//! Waiting for a state. A deadline here is a net against hanging, never what a test asserts.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a state may take to come about before the test fails: generous, because a loaded
/// machine is no bug.
pub const LONG: Duration = Duration::from_mins(2);

const POLL: Duration = Duration::from_millis(20);

/// Calls `probe` until it gives a value.
///
/// # Errors
/// The probe's error, or the last reason it gave once `limit` has passed.
pub fn until<T, W: Display>(
    limit: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<Result<T, W>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        match probe()? {
            Ok(value) => return Ok(value),
            Err(why) if start.elapsed() >= limit => {
                bail!("waited {} s for {what}: {why}", limit.as_secs())
            }
            Err(_) => std::thread::sleep(POLL),
        }
    }
}

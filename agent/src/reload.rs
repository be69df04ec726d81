//! Watches the manifest while the process runs. What it holds then is taken, or refused with the
//! reason while the old one stays in force.

use std::fs::File;
use std::future::Future;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::executor::Executor;
use crate::supervise::Fault;

pub mod decide;
pub mod fixed;
pub mod load;
mod watch;

pub use load::{Loaded, load};
pub use watch::{Look, News, Watch};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Largest manifest in bytes: what an API server takes, and a `ConfigMap` can hold.
const LARGEST: u64 = 1024 * 1024;

/// Reads a manifest. Errors say what is wrong with the path, for people.
pub fn read(path: &Path) -> Result<String, String> {
    let told = |what: String| format!("can't read the manifest {}: {what}", path.display());
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|e| told(e.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(told(format!("it is larger than {LARGEST} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| told("it is not UTF-8 text".to_owned()))
}

/// Takes what a changed manifest holds.
pub trait Take: Send {
    /// `content` is the text of the file, or why it can't be read.
    fn take(&mut self, content: Result<&str, &str>) -> impl Future<Output = ()> + Send;
}

/// Looks once a second until `stop`. By path each time, so that a symbolic link that points
/// elsewhere now is followed.
pub async fn run(
    path: PathBuf,
    mut watch: Watch,
    executor: Executor,
    mut take: impl Take,
    stop: CancellationToken,
) -> Result<(), Fault> {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let file = path.clone();
        let content = (executor.blocking(move || read(&file)).await)
            .map_err(|e| Fault::Bug(e.to_string()))?;
        match watch.look(content.as_deref().map_err(String::as_str)) {
            None => {}
            Some(News::Content(text)) => take.take(Ok(text)).await,
            Some(News::Unreadable(why)) => take.take(Err(why)).await,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;

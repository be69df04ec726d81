//! The seam for work that must not run on the async threads: encoding, pread, file-system delivery.
//! Work owns its input and returns it; a simulation runs it inline at a seeded later step.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::entropy::Entropy;

/// Runs closures off the async threads.
#[derive(Clone, Debug)]
pub struct Executor(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Threads { cpu: Arc<Semaphore> },
    Inline { entropy: Entropy },
}

/// The work panicked or the runtime is going away.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("work on a background thread did not finish")]
pub struct WorkLost;

impl Executor {
    /// At most `cpus` CPU closures run at once; blocking ones are bounded by the runtime's pool.
    pub fn threads(cpus: usize) -> Self {
        Self(Kind::Threads {
            cpu: Arc::new(Semaphore::new(cpus.max(1))),
        })
    }

    /// Runs work inline, after a few yields drawn from `entropy`: for simulations.
    pub fn inline(entropy: Entropy) -> Self {
        Self(Kind::Inline { entropy })
    }

    /// Runs CPU-bound work (encoding, compression).
    pub async fn cpu<T, W>(&self, work: W) -> Result<T, WorkLost>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        match &self.0 {
            Kind::Threads { cpu } => {
                let permit = Arc::clone(cpu)
                    .acquire_owned()
                    .await
                    .map_err(|_| WorkLost)?;
                tokio::task::spawn_blocking(move || {
                    let result = work();
                    drop(permit);
                    result
                })
                .await
                .map_err(|_| WorkLost)
            }
            Kind::Inline { entropy } => later(entropy, work).await,
        }
    }

    /// Runs work that waits for a disk.
    pub async fn blocking<T, W>(&self, work: W) -> Result<T, WorkLost>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        match &self.0 {
            Kind::Threads { .. } => tokio::task::spawn_blocking(work)
                .await
                .map_err(|_| WorkLost),
            Kind::Inline { entropy } => later(entropy, work).await,
        }
    }
}

async fn later<T>(entropy: &Entropy, work: impl FnOnce() -> T) -> Result<T, WorkLost> {
    for _ in 0..entropy.below(4) {
        tokio::task::yield_now().await;
    }
    Ok(work())
}

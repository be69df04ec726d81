//! The only place that starts tasks, so that no task ends unnoticed: the end of a supervised task
//! is a decision, the number of children of a server has a limit, and dropping either stops them.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

#[cfg(test)]
mod tests;

/// Why a supervised task can't go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The wal failed for good: exit code 4.
    Wal(String),
    /// Nothing that should happen: exit code 1.
    Bug(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wal(reason) | Self::Bug(reason) => f.write_str(reason),
        }
    }
}

/// A supervised task that ended though nobody had asked it to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub task: &'static str,
    pub fault: Fault,
}

/// Runs the tasks that the process can't do without.
#[derive(Debug, Default)]
pub struct Supervisor {
    tasks: JoinSet<Option<Ended>>,
    health: Health,
}

impl Supervisor {
    pub fn new() -> Self {
        Self::default()
    }

    /// What `/healthz` asks.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Starts a task. It may end without a fault only after `stop` was cancelled.
    pub fn spawn<T>(&mut self, task: &'static str, stop: CancellationToken, future: T)
    where
        T: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        let health = self.health.clone();
        self.tasks.spawn(async move {
            let fault = match future.await {
                Ok(()) if stop.is_cancelled() => return None,
                Ok(()) => Fault::Bug("it ended without being asked to".to_owned()),
                Err(fault) => fault,
            };
            health.0.lock().push(task);
            Some(Ended { task, fault })
        });
    }

    /// Resolves when a task has ended that should not have; never while all run. Cancel safe.
    pub async fn ended(&mut self) -> Ended {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(Some(ended))) => return ended,
                Some(Ok(None)) => {}
                Some(Err(e)) => {
                    let task = "a task";
                    self.health.0.lock().push(task);
                    let fault = Fault::Bug(e.to_string());
                    return Ended { task, fault };
                }
                None => std::future::pending().await,
            }
        }
    }

    /// Resolves when no task runs any more; for after all were asked to end. Cancel safe.
    pub async fn finished(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Which supervised tasks have ended. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Vec<&'static str>>>);

impl Health {
    /// Errors with the names of the tasks that ended.
    pub fn check(&self) -> Result<(), String> {
        let ended = self.0.lock();
        if ended.is_empty() {
            Ok(())
        } else {
            Err(format!("ended: {}", ended.join(", ")))
        }
    }
}

/// The tasks of a server, one a connection.
#[derive(Debug)]
pub struct Children {
    tasks: JoinSet<()>,
    limit: usize,
}

impl Children {
    /// At most `limit` run at once.
    pub fn new(limit: usize) -> Self {
        Self {
            tasks: JoinSet::new(),
            limit: limit.max(1),
        }
    }

    /// Resolves when one more may be started. Cancel safe.
    pub async fn room(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        while self.tasks.len() >= self.limit {
            self.tasks.join_next().await;
        }
    }

    /// Starts one; the caller has waited for `room`.
    pub fn spawn(&mut self, future: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.tasks.spawn(future)
    }

    /// Resolves when none runs. Cancel safe.
    pub async fn finished(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

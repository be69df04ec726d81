//! A wal without threads, for simulations and crash tests: a task drives the writer, directory work
//! runs inline.

use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::entropy::Entropy;
use crate::executor::Executor;
use crate::fs::Fs;

use super::open::{OpenError, Opened, Options, open};
use super::shared::Command;
use super::{Wal, writer::Turn};

/// Opens a wal whose writer is a task of the current runtime. Aborting the task is the death of the
/// process: the lock goes with it.
pub(crate) fn open_simulated<F: Fs>(
    fs: &F,
    directory: &Path,
    options: &Options,
    entropy: &Entropy,
) -> Result<(Wal, JoinHandle<()>), OpenError> {
    let executor = Executor::inline(entropy.clone());
    let opened = open(fs, directory, options, executor, entropy.clone())?;
    let wal = opened.wal.clone();
    let task = tokio::spawn(drive(opened, fs.clone(), entropy.clone()));
    Ok((wal, task))
}

async fn drive<F: Fs>(opened: Opened<F>, fs: F, entropy: Entropy) {
    let Opened {
        mut writer,
        wal,
        lock,
    } = opened;
    let directory = writer.files.directory.clone();
    let shared = Arc::clone(&wal.shared);
    drop(wal);
    let started = tokio::time::Instant::now();
    loop {
        for _ in 0..entropy.below(3) {
            tokio::task::yield_now().await;
        }
        let Turn {
            jobs,
            again,
            at_most,
            closed,
        } = writer.turn(started.elapsed());
        if closed {
            break;
        }
        for job in jobs {
            tokio::task::yield_now().await;
            let prepared = job.run(&fs, &directory);
            if shared.inbox.send(Command::Prepared(prepared)).is_err() {
                break;
            }
        }
        if !again {
            let wait = at_most.unwrap_or(std::time::Duration::from_secs(1));
            // a timeout is no error: the writer looks again
            tokio::time::timeout(wait, shared.inbox.notified())
                .await
                .ok();
        }
    }
    drop(lock);
}

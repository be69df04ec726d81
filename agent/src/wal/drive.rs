//! Drives the writer: one OS thread for turns, one for directory work (house rule: the state machine
//! has neither). A simulation drives it with a task instead.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::fs::Fs;

use super::open::Opened;
use super::shared::Command;
use super::writer::Turn;

/// A turn is made at least this often, so that retries and spares never depend on traffic.
const TURN_EVERY: Duration = Duration::from_secs(1);

/// Starts the threads of an open wal. They end, and the directory's lock is given back, after
/// [`Wal::close`](super::Wal::close) or when the wal has failed for good.
pub(super) fn spawn<F: Fs>(opened: Opened<F>, fs: F, directory: PathBuf) -> io::Result<()> {
    let Opened {
        mut writer,
        wal,
        lock,
    } = opened;
    let (jobs, work) = mpsc::channel::<super::prepare::Job>();
    let shared = Arc::clone(&wal.shared);
    thread::Builder::new()
        .name("wal-prepare".into())
        .spawn(move || {
            for job in work {
                let prepared = job.run(&fs, &directory);
                if shared.inbox.send(Command::Prepared(prepared)).is_err() {
                    break;
                }
            }
        })?;
    thread::Builder::new()
        .name("wal-writer".into())
        .spawn(move || {
            let started = Instant::now();
            loop {
                let Turn {
                    jobs: due,
                    again,
                    at_most,
                    closed,
                } = writer.turn(started.elapsed());
                if closed {
                    break;
                }
                for job in due {
                    if jobs.send(job).is_err() {
                        // the other thread ends only with the wal
                        return;
                    }
                }
                if !again {
                    wal.shared
                        .inbox
                        .wait(at_most.unwrap_or(TURN_EVERY).min(TURN_EVERY));
                }
            }
            drop(lock);
        })?;
    Ok(())
}

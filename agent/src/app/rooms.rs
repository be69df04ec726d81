//! The data path of one stream as the process holds it: the wal, its deliveries, the intake.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::ending::Ending;
use super::observer::{Observer, Source};
use super::taker::Apply;
use crate::args::RunArgs;
use crate::clock::{SystemClock, WallClock};
use crate::entropy::Entropy;
use crate::executor::Executor;
use crate::fs::os::OsFs;
use crate::metrics::AppendTime;
use crate::reload::Loaded;
use crate::reload::load::Fault as Refusal;
use crate::report::Phase;
use crate::report::observed::Observed;
use crate::report::since::{Since, wal_problems};
use crate::shutdown::Steps;
use crate::supervise::{Fault, Supervisor};
use crate::wal::{self, Wal};

/// Time, randomness and CPU of the machine.
#[derive(Clone, Debug)]
pub struct Seams {
    pub clock: Arc<dyn WallClock>,
    pub entropy: Entropy,
    pub executor: Executor,
}

impl Seams {
    pub fn of_the_machine() -> Result<Self, Failure> {
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            clock: Arc::new(SystemClock),
            entropy: Entropy::from_system().map_err(Failure::bug)?,
            executor: Executor::threads(cpus),
        })
    }
}

/// Opens the wal: recovers it, and holds its directory until the process ends (W-3, W-13).
pub async fn open_wal(args: &RunArgs, loaded: &Loaded, seams: &Seams) -> Result<Wal, Failure> {
    let stream = &loaded.stream;
    let name = format!("{}/{}", stream.namespace, stream.name);
    let mut options = wal::Options::new(name, stream.wal.capacity_bytes);
    options.force_filesystem = args.force_filesystem;
    options.adopt_copy = args.adopt_copy;
    let (directory, executor) = (args.wal_dir.clone(), seams.executor.clone());
    let entropy = seams.entropy.clone();
    let opened = seams
        .executor
        .blocking(move || wal::open(OsFs, &directory, &options, executor, entropy))
        .await
        .map_err(Failure::bug)?;
    opened.map_err(|error| Failure {
        ending: Ending::WalNotOpened,
        message: error.to_string(),
    })
}

/// Resolves when the wal has closed, though nobody had asked it to.
pub async fn wal_failure(wal: Wal, stop: CancellationToken) -> Result<(), Fault> {
    let mut status = wal.watch();
    let closed = async {
        match status.wait_for(|status| status.closed.is_some()).await {
            Ok(status) => status.closed.clone().unwrap_or_default(),
            Err(_) => "its writer is gone".to_owned(),
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        why = closed => Err(Fault::Wal(why)),
    }
}

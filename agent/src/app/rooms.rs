//! The data path of one stream as the process holds it: the wal, its delivery, the intake. Opened
//! in that order, and closed in the other.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use crds::validate::{DesiredState, ValidatedStream};
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::ending::Ending;
use super::observer::Observer;
use super::taker::Apply;
use crate::args::RunArgs;
use crate::clock::SystemClock;
use crate::delivery::{DeliveryError, Seams};
use crate::entropy::Entropy;
use crate::executor::Executor;
use crate::fs::os::OsFs;
use crate::ingest;
use crate::metrics::AppendTime;
use crate::object::ShardId;
use crate::pipeline::{Origin, Pipeline};
use crate::reload::Loaded;
use crate::reload::load::Fault as Refusal;
use crate::report::Phase;
use crate::shutdown::Steps;
use crate::supervise::{Fault, Supervisor};
use crate::wal::{self, Wal};

mod observe;
mod timed;

use timed::Timed;

/// Asks for a re-seal of what is held, possible duplicates accepted (I-6). A new value is an order.
const RESEAL_ANNOTATION: &str = "standpipe.dev/reseal-requested-at";

/// Time, randomness and CPU of the machine.
pub(super) fn seams_of_the_machine() -> Result<Seams, Failure> {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    Ok(Seams {
        clock: Arc::new(SystemClock),
        entropy: Entropy::from_system().map_err(Failure::bug)?,
        executor: Executor::threads(cpus),
    })
}

/// What the rooms are opened with.
pub(super) struct Site<'a> {
    pub(super) args: &'a RunArgs,
    pub(super) loaded: &'a Loaded,
    pub(super) seams: &'a Seams,
    pub(super) append_time: AppendTime,
    pub(super) observer: &'a Arc<Observer>,
}

/// The open rooms. A clone is the same rooms.
#[derive(Clone, Debug)]
pub(super) struct Rooms {
    wal: Wal,
    pipeline: Arc<Pipeline>,
    intake: ingest::Handle,
    observer: Arc<Observer>,
    /// The objective in force: the age in seconds that records should not exceed.
    objective: Arc<Mutex<Option<u32>>>,
    /// Ends the intake.
    refuse: CancellationToken,
    /// The intake has answered its last request.
    refused: CancellationToken,
    /// Ends what works on the wal, before the wal is closed.
    stop: CancellationToken,
}

impl Rooms {
    /// Opens the rooms and serves producers; gives the address on which they are served.
    pub(super) async fn open(
        site: Site<'_>,
        supervisor: &mut Supervisor,
    ) -> Result<(Self, SocketAddr), Failure> {
        let Site {
            args,
            loaded,
            seams,
            append_time,
            observer,
        } = site;
        let stream = &loaded.stream;
        let stop = CancellationToken::new();
        let wal = open_wal(args, stream, seams).await?;
        supervisor.spawn("wal", stop.clone(), wal_failure(wal.clone(), stop.clone()));
        let (pipeline, delivering) = Pipeline::start(
            OsFs,
            seams.clone(),
            wal.clone(),
            &args.wal_dir,
            stream,
            origin(loaded),
        )
        .await
        .map_err(|error| Failure {
            ending: Ending::WalNotOpened,
            message: error.to_string(),
        })?;
        supervisor.spawn(
            "delivery",
            stop.clone(),
            until(stop.clone(), async move {
                delivering.await.map_err(|error| delivery_fault(&error))
            }),
        );
        let log = Timed::new(wal.appender(), append_time);
        let server = listen(args, stream, wal.status().shard, log, seams).await?;
        let address = server.local_addr().map_err(Failure::bug)?;
        let intake = server.handle();
        intake.set_paused(stream.desired_state == DesiredState::Paused);
        let rooms = Self {
            wal,
            pipeline: Arc::new(pipeline),
            intake,
            observer: Arc::clone(observer),
            objective: Arc::new(Mutex::new(stream.objectives.freshness_seconds)),
            refuse: CancellationToken::new(),
            refused: CancellationToken::new(),
            stop,
        };
        observer.opened(Box::new(observe::Look::new(
            rooms.clone(),
            Arc::clone(&seams.clock),
        )));
        let (refuse, refused) = (rooms.refuse.clone(), rooms.refused.clone());
        supervisor.spawn("intake", rooms.refuse.clone(), async move {
            let ended = server.run(refuse).await;
            refused.cancel();
            ended.map_err(|error| Fault::Bug(error.to_string()))
        });
        Ok((rooms, address))
    }

    /// Ends all tasks of the rooms, wherever they are.
    pub(super) fn end(&self) {
        self.refuse.cancel();
        self.stop.cancel();
    }
}

async fn open_wal(args: &RunArgs, stream: &ValidatedStream, seams: &Seams) -> Result<Wal, Failure> {
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

async fn listen(
    args: &RunArgs,
    stream: &ValidatedStream,
    shard: ShardId,
    log: Timed,
    seams: &Seams,
) -> Result<ingest::Server<Timed>, Failure> {
    let address = SocketAddr::new(args.bind, stream.source.port);
    let config = ingest::Config {
        address,
        stream_name: stream.stream_name.clone(),
        shard,
        source: stream.source.clone(),
        secrets_dir: PathBuf::clone(&args.secrets_dir),
    };
    ingest::Server::bind(config, log, Arc::clone(&seams.clock))
        .await
        .map_err(|error| {
            Failure::usage(format!(
                "can't listen on {address} (--bind, spec.source.directPut.port): {error}; end what \
             listens there, or change the address"
            ))
        })
}

/// Resolves when the wal has closed though nobody had asked it to.
async fn wal_failure(wal: Wal, stop: CancellationToken) -> Result<(), Fault> {
    let mut status = wal.watch();
    let closed = async move {
        match status.wait_for(|status| status.closed.is_some()).await {
            Ok(status) => Err(Fault::Wal(status.closed.clone().unwrap_or_default())),
            Err(_) => Err(Fault::Wal("its writer is gone".to_owned())),
        }
    };
    until(stop, closed).await
}

/// `work`, given up without a fault when `stop` is cancelled.
async fn until(
    stop: CancellationToken,
    work: impl Future<Output = Result<(), Fault>>,
) -> Result<(), Fault> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        ended = work => ended,
    }
}

fn delivery_fault(error: &DeliveryError) -> Fault {
    match error {
        DeliveryError::Log(_) | DeliveryError::Read(_) | DeliveryError::Version(_) => {
            Fault::Wal(error.to_string())
        }
        DeliveryError::Lost(_) | DeliveryError::Fault(_) => Fault::Bug(error.to_string()),
    }
}

fn origin(loaded: &Loaded) -> Origin {
    Origin {
        generation: None,
        reseal_requested: loaded
            .manifest
            .metadata
            .annotations
            .get(RESEAL_ANNOTATION)
            .cloned(),
    }
}

impl Apply for Rooms {
    async fn apply(&mut self, loaded: &Loaded) -> Result<(), Vec<Refusal>> {
        let stream = &loaded.stream;
        self.pipeline.apply(stream, origin(loaded));
        *self.objective.lock() = stream.objectives.freshness_seconds;
        self.intake.set_limits(stream.source.limits);
        self.intake.set_auth(stream.source.auth.clone());
        self.intake
            .set_paused(stream.desired_state == DesiredState::Paused);
        Ok(())
    }
}

impl Steps for Rooms {
    fn unready(&mut self) {
        self.observer.enter(Phase::Draining);
        // answers end their connections, so that producers look for another address
        self.intake.drain();
    }

    async fn refuse(&mut self) {
        self.intake.close();
        self.refuse.cancel();
        self.refused.cancelled().await;
    }

    async fn drain(&mut self, deadline: Instant) {
        self.pipeline.drain(deadline).await;
    }

    async fn close(&mut self) {
        self.stop.cancel();
        if let Err(error) = self.wal.close().await {
            tracing::warn!(%error, "the wal has no last checkpoint; the next start reads more");
        }
    }
}

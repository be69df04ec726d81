//! Composition root: what is started in which order, what stops in which order, and why we ended.
//!
//! ```text
//! start  signals ─▶ manifest ─▶ admin ─▶ wal (recovery) ─▶ deliveries ─▶ intake ─▶ reload ─▶ ready
//! stop   not ready ─▶ (settle) ─▶ intake ─▶ deliveries ─▶ wal (last checkpoint) ─▶ exit code
//! ```
//! Errors of the start end the process with a message and a code of their own ([`ending::Ending`]);
//! a signal during the start ends it too.

pub mod ending;
pub mod logging;
pub mod observer;
pub mod panic;
mod rooms;
pub mod screen;
mod serve;
mod signals;
mod taker;
pub mod view;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::args::RunArgs;
use crate::metrics::Metrics;
use crate::reload::{self, Loaded, Watch};
use crate::report::{Identity, Phase};
use crate::supervise::Supervisor;

use ending::Ending;
use observer::Observer;
use rooms::{Rooms, Site};
use serve::Signalled as _;
use signals::Signals;
use taker::Taker;
use view::{Serving, View};

/// How long tasks may take to end once all is decided; what they still do is for nobody.
const GOODBYE: Duration = Duration::from_millis(200);

/// Why a start failed.
#[derive(Debug)]
struct Failure {
    ending: Ending,
    message: String,
}

impl Failure {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "`map_err` hands errors over by value"
    )]
    fn bug(message: impl ToString) -> Self {
        Self {
            ending: Ending::Bug,
            message: message.to_string(),
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "`map_err` hands errors over by value"
    )]
    fn usage(message: impl ToString) -> Self {
        Self {
            ending: Ending::Usage,
            message: message.to_string(),
        }
    }
}

/// What stands once the start succeeded.
struct Started {
    observer: Arc<Observer>,
    rooms: Rooms,
    /// Ends what serves people to the last: admin and view.
    stop: CancellationToken,
}

/// Runs the stream of a manifest until a signal or a fault; gives the reason.
pub async fn run(args: RunArgs, view: impl View) -> Ending {
    let mut supervisor = Supervisor::new();
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "the process can't listen for signals");
            return Ending::Bug;
        }
    };
    let started = tokio::select! {
        biased;
        signal = signals.next() => {
            tracing::warn!(?signal, "stopped while starting: what is in the wal stays there");
            return Ending::RecordsLeft;
        }
        started = start(&args, &mut supervisor, Box::new(view)) => started,
    };
    let Started {
        observer,
        mut rooms,
        stop,
    } = match started {
        Ok(started) => started,
        Err(Failure { ending, message }) => {
            tracing::error!("can't start: {message}");
            return ending;
        }
    };
    let left = || {
        let seen = observer.observe();
        seen.map_or(0, |seen| seen.deliveries.iter().map(|d| d.in_wal).sum())
    };
    let ending = serve::until_end(
        args.drain_timeout,
        &mut signals,
        &mut supervisor,
        &mut rooms,
        left,
    )
    .await;
    // the last status line says how it ended
    observer.enter(Phase::Stopped);
    rooms.end();
    stop.cancel();
    let _late = tokio::time::timeout(GOODBYE, supervisor.finished()).await;
    ending
}

async fn start(
    args: &RunArgs,
    supervisor: &mut Supervisor,
    mut view: Box<dyn View>,
) -> Result<Started, Failure> {
    let text = reload::read(&args.manifest).map_err(Failure::usage)?;
    let loaded = load(args, &text)?;
    let stream = &loaded.stream;
    let seams = rooms::seams_of_the_machine()?;
    let metrics = Metrics::new(&stream.name).map_err(Failure::bug)?;
    let append_time = metrics.append_time();
    let identity = Identity {
        namespace: stream.namespace.clone(),
        name: stream.name.clone(),
        stream_name: stream.stream_name.clone(),
    };
    let observer = Arc::new(Observer::new(identity, supervisor.health(), metrics));
    let stop = CancellationToken::new();
    let admin = serve_admin(args.admin_bind, &observer, supervisor, &stop).await?;
    let site = Site {
        args,
        loaded: &loaded,
        seams: &seams,
        append_time,
        observer: &observer,
    };
    let (rooms, intake) = Rooms::open(site, supervisor).await?;
    let taker = Taker::new(
        stream.clone(),
        rooms.clone(),
        Arc::clone(&observer),
        Arc::clone(&seams.clock),
    );
    let watch = reload::run(
        args.manifest.clone(),
        Watch::new(&text),
        seams.executor.clone(),
        taker,
        stop.clone(),
    );
    supervisor.spawn("reload", stop.clone(), watch);
    observer.enter(Phase::Running);
    view.started(&serving(args, &loaded, intake, admin));
    supervisor.spawn(
        "observer",
        stop.clone(),
        Arc::clone(&observer).run(view, stop.clone()),
    );
    Ok(Started {
        observer,
        rooms,
        stop,
    })
}

fn load(args: &RunArgs, text: &str) -> Result<Loaded, Failure> {
    let path = args.manifest.display();
    let loaded = reload::load(text).map_err(|faults| {
        for fault in &faults {
            tracing::error!("{path}: {fault}");
        }
        Failure::usage(format!(
            "the manifest {path} is not taken, for the reasons above"
        ))
    })?;
    for warning in &loaded.warnings {
        tracing::warn!("{path}: {warning}");
    }
    Ok(loaded)
}

async fn serve_admin(
    address: SocketAddr,
    observer: &Arc<Observer>,
    supervisor: &mut Supervisor,
    stop: &CancellationToken,
) -> Result<SocketAddr, Failure> {
    let server = admin::Server::bind(address).await.map_err(|error| {
        Failure::usage(format!(
            "can't listen on {address} (--admin-bind): {error}; another address is needed"
        ))
    })?;
    let address = server.local_addr().map_err(Failure::bug)?;
    let tell: Arc<dyn admin::Tell> = Arc::clone(observer) as _;
    let serving = server.run(tell, stop.clone());
    supervisor.spawn("admin", stop.clone(), async {
        serving.await;
        Ok(())
    });
    Ok(address)
}

fn serving(args: &RunArgs, loaded: &Loaded, intake: SocketAddr, admin: SocketAddr) -> Serving {
    let stream = &loaded.stream;
    let roots: Vec<&str> = stream
        .deliveries
        .iter()
        .map(|d| d.data_path.destination.root.as_str())
        .collect();
    Serving {
        stream_name: stream.stream_name.clone(),
        intake,
        admin,
        bearer: stream.source.auth != crds::validate::ValidatedAuth::None,
        delivers_to: roots.join(", "),
        wal_directory: args.wal_dir.clone(),
    }
}

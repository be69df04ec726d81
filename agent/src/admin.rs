//! What the process tells over HTTP, on an address of its own: `/healthz`, `/readyz`, `/metrics`,
//! `/report`. Nothing here changes anything, and nothing waits: every answer is made from
//! snapshots in memory.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::supervise::Children;

#[cfg(test)]
mod tests;

/// Probes, a scraper or two, the operator and a person: more than these wait in the backlog.
const CONNECTIONS: usize = 32;
/// Longest time for a request's head.
const HEAD: Duration = Duration::from_secs(5);
/// Longest life of a connection, busy or idle.
const LIFE: Duration = Duration::from_mins(1);
/// Largest head of a request in bytes; bodies are not read.
const HEAD_BYTES: usize = 16 * 1024;
/// Pause after an accept that failed, so that a lack of file handles doesn't become a busy loop.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What the answers are made from.
pub trait Tell: Debug + Send + Sync + 'static {
    /// Errors with what ended when a supervised task did.
    fn healthy(&self) -> Result<(), String>;
    /// Errors with what is missing: recovered, listening, not stopping.
    fn ready(&self) -> Result<(), String>;
    /// Prometheus text format 0.0.4. Errors with what is missing while the process starts.
    fn metrics(&self) -> Result<String, String>;
    /// [`crds::report`] as JSON. Errors with what is missing while the process starts.
    fn report(&self) -> Result<String, String>;
}

/// The listening server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
}

impl Server {
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
        })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`; connections that are open then are cut.
    pub async fn run(self, tell: Arc<dyn Tell>, stop: CancellationToken) {
        let router = router(tell);
        let mut children = Children::new(CONNECTIONS);
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                accepted = async { children.room().await; self.listener.accept().await } => accepted,
            };
            match accepted {
                Ok((connection, _)) => {
                    children.spawn(serve(connection, router.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "the admin address could not accept a connection");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }
}

async fn serve(connection: TcpStream, router: Router) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(connection), TowerToHyperService::new(router));
    // a client that went away or was too slow is no news
    let _end = tokio::time::timeout(LIFE, serving).await;
}

fn router(tell: Arc<dyn Tell>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/report", get(report))
        .with_state(tell)
}

async fn healthz(State(tell): State<Arc<dyn Tell>>) -> Response {
    probe(tell.healthy())
}

async fn readyz(State(tell): State<Arc<dyn Tell>>) -> Response {
    probe(tell.ready())
}

fn probe(answer: Result<(), String>) -> Response {
    match answer {
        Ok(()) => (StatusCode::OK, "ok\n").into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn metrics(State(tell): State<Arc<dyn Tell>>) -> Response {
    typed("text/plain; version=0.0.4; charset=utf-8", tell.metrics())
}

async fn report(State(tell): State<Arc<dyn Tell>>) -> Response {
    typed("application/json", tell.report())
}

fn typed(content_type: &'static str, body: Result<String, String>) -> Response {
    match body {
        Ok(body) => ([(header::CONTENT_TYPE, content_type)], body).into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

//! The server: limits, timeouts, and the way of a request to the wal and back.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use crds::validate::{ValidatedAuth, ValidatedLimits, ValidatedSource};
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::Log;
use super::admission::{BytesInFlight, Rate};
use super::auth::{self, Auth, Denied};
use super::firehose::{self, Operation};
use super::limits::{
    BODY_TIME, BYTES_IN_FLIGHT, GOODBYE, HEADER_BYTES, HEADER_TIME, HEADERS, PRODUCERS,
    PUT_OVERHEAD,
};
use super::producers::Producers;
use super::records;
use crate::clock::WallClock;
use crate::object::ShardId;
use crate::supervise::Children;
use crate::wal::{AppendError, FrameBuf};

/// What a server needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    pub address: SocketAddr,
    pub stream_name: String,
    /// Whose records these are: record ids carry it.
    pub shard: ShardId,
    pub source: ValidatedSource,
    pub secrets_dir: PathBuf,
}

/// A bound server.
#[derive(Debug)]
pub struct Server<L: Log> {
    listener: TcpListener,
    shared: Arc<Shared<L>>,
    handle: Handle,
}

/// What others do with a server that runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle(Arc<State>);

#[derive(Debug)]
struct State {
    paused: AtomicBool,
    draining: AtomicBool,
    closed: AtomicBool,
    limits: Mutex<ValidatedLimits>,
    auth: Mutex<Auth>,
    rate: Rate,
    connections: AtomicU64,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    records: u64,
    bytes: u64,
    succeeded: u64,
    refused: BTreeMap<&'static str, u64>,
    busy: Duration,
    producers: Producers,
    auth_problem: Option<String>,
}

/// What the intake counted since the process started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub paused: bool,
    /// Acknowledged records, and their bytes.
    pub records: u64,
    pub bytes: u64,
    /// Requests answered with success.
    pub succeeded: u64,
    /// Requests answered with an error, by its code.
    pub refused: Vec<(&'static str, u64)>,
    pub connections: u64,
    /// Seconds spent on parsing.
    pub busy_seconds: f64,
    /// The producers with the most records, most first.
    pub producers: Vec<(String, u64)>,
    pub problems: Vec<String>,
}

#[derive(Debug)]
struct Shared<L> {
    stream_name: String,
    shard: ShardId,
    log: L,
    clock: Arc<dyn WallClock>,
    in_flight: BytesInFlight,
    state: Arc<State>,
}

impl Handle {
    /// Paused: every put is answered that the service is unavailable.
    pub fn set_paused(&self, paused: bool) {
        self.0.paused.store(paused, Ordering::Relaxed);
    }

    pub fn set_limits(&self, limits: ValidatedLimits) {
        self.0.rate.set(limits.bytes_per_second);
        *self.0.limits.lock() = limits;
    }

    pub fn set_auth(&self, auth: ValidatedAuth) {
        self.0.auth.lock().set(auth);
    }

    /// Replies end their connections from now on.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// New requests are refused from now on.
    pub fn close(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
        self.0.closed.store(true, Ordering::Relaxed);
    }

    pub fn snapshot(&self) -> Snapshot {
        let counts = self.0.counts.lock();
        Snapshot {
            paused: self.0.paused.load(Ordering::Relaxed),
            records: counts.records,
            bytes: counts.bytes,
            succeeded: counts.succeeded,
            refused: counts
                .refused
                .iter()
                .map(|(code, count)| (*code, *count))
                .collect(),
            connections: self.0.connections.load(Ordering::Relaxed),
            busy_seconds: counts.busy.as_secs_f64(),
            producers: counts.producers.top(PRODUCERS),
            problems: counts.auth_problem.iter().cloned().collect(),
        }
    }
}

impl<L: Log> Server<L> {
    /// Takes the address; nobody is served before [`run`](Self::run).
    pub async fn bind(config: Config, log: L, clock: Arc<dyn WallClock>) -> io::Result<Self> {
        let listener = TcpListener::bind(config.address).await?;
        let state = Arc::new(State {
            paused: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            limits: Mutex::new(config.source.limits),
            auth: Mutex::new(Auth::new(config.source.auth, config.secrets_dir)),
            rate: Rate::default(),
            connections: AtomicU64::new(0),
            counts: Mutex::default(),
        });
        let handle = Handle(Arc::clone(&state));
        handle.set_limits(config.source.limits);
        let shared = Arc::new(Shared {
            stream_name: config.stream_name,
            shard: config.shard,
            log,
            clock,
            in_flight: BytesInFlight::default(),
            state,
        });
        Ok(Self {
            listener,
            shared,
            handle,
        })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until `stop`; then running requests are answered and connections end.
    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        let limit = usize::try_from(self.shared.state.limits.lock().connections);
        let mut children = Children::new(limit.unwrap_or(usize::MAX));
        loop {
            // at the limit further connections wait to be accepted: the kernel's queue is bounded
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = async { children.room().await; self.listener.accept().await } => accepted,
            };
            match accepted {
                Ok((connection, _)) => {
                    children.spawn(serve(Arc::clone(&self.shared), connection, stop.clone()));
                }
                Err(error) => {
                    // out of descriptors, or the client is gone already
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(self.listener);
        // whoever is still sending gets no reply, and sends again
        timeout(GOODBYE, children.finished()).await.ok();
        Ok(())
    }
}

async fn serve<L: Log>(shared: Arc<Shared<L>>, connection: TcpStream, stop: CancellationToken) {
    let state = Arc::clone(&shared.state);
    state.connections.fetch_add(1, Ordering::Relaxed);
    connection.set_nodelay(true).ok();
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, std::convert::Infallible>(answer(&shared, request).await) }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_headers(HEADERS)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(connection), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        biased;
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
    state.connections.fetch_sub(1, Ordering::Relaxed);
}

type Reply = Response<Full<Bytes>>;

async fn answer<L: Log>(shared: &Shared<L>, request: Request<Incoming>) -> Reply {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut reply = match (&method, path.as_str()) {
        (&Method::POST, "/") => firehose_call(shared, request).await,
        (&Method::POST, "/v1/records") => records_call(shared, request).await,
        (_, "/" | "/v1/records") => plain(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "send POST",
        ),
        _ => plain(
            StatusCode::NOT_FOUND,
            "NotFound",
            "there are POST / (the Firehose API) and POST /v1/records (JSON)",
        ),
    };
    if shared.state.draining.load(Ordering::Relaxed) {
        reply
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    reply
}

/// Why a request did not become records in the log, before it takes the form of its protocol.
#[derive(Clone, Debug)]
enum Failure {
    Denied(Denied),
    Unavailable(String, Duration),
    TooLarge(String),
    Timeout,
    Cut,
    Encoded,
}

async fn firehose_call<L: Log>(shared: &Shared<L>, request: Request<Incoming>) -> Reply {
    let result = put(shared, request).await;
    match result {
        Ok(body) => aws(StatusCode::OK, None, body),
        Err(refusal) => {
            let (code, status) = refusal.code();
            shared.refused(code);
            aws(status, Some(code), refusal.body())
        }
    }
}

async fn put<L: Log>(
    shared: &Shared<L>,
    request: Request<Incoming>,
) -> Result<Vec<u8>, firehose::Refusal> {
    let refused = |failure| match failure {
        Failure::Denied(Denied::Token) => firehose::Refusal::Denied,
        Failure::Denied(Denied::NotConfigured(_)) => firehose::Refusal::Unavailable(
            "this endpoint is not configured yet: its token is missing".to_owned(),
        ),
        Failure::Unavailable(why, _) => firehose::Refusal::Unavailable(why),
        Failure::TooLarge(why) => firehose::Refusal::TooLarge(why),
        Failure::Timeout => firehose::Refusal::Timeout,
        Failure::Cut => firehose::Refusal::Serialization("the request was cut off".to_owned()),
        Failure::Encoded => firehose::Refusal::Serialization(
            "content encodings are not taken; send the body as it is".to_owned(),
        ),
    };
    let target = request
        .headers()
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok());
    let operation = Operation::of(target.unwrap_or_default());
    let producer = auth::producer(request.headers());
    let received = shared
        .receive(request, PUT_OVERHEAD)
        .await
        .map_err(refused)?;
    let operation = operation?;
    let begun = Instant::now();
    let parsed = firehose::parse(operation, &received.body);
    shared.busy(begun.elapsed());
    let call = parsed?;
    if call.stream != shared.stream_name {
        return Err(firehose::Refusal::NotFound(call.stream));
    }
    let sequences = shared
        .append(call.records, producer.as_deref(), received)
        .await
        .map_err(refused)?;
    Ok(firehose::reply(operation, shared.shard, &sequences))
}

async fn records_call<L: Log>(shared: &Shared<L>, request: Request<Incoming>) -> Reply {
    match take_records(shared, request).await {
        Ok(count) => {
            let body = format!("{{\"accepted\": {count}}}");
            json(StatusCode::OK, body.into_bytes())
        }
        Err((refusal, retry)) => {
            shared.refused(refusal.code);
            let mut reply = json(refusal.status, refusal.body());
            if let Some(retry) = retry {
                let seconds = retry.as_secs().max(1);
                reply
                    .headers_mut()
                    .insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            reply
        }
    }
}

async fn take_records<L: Log>(
    shared: &Shared<L>,
    request: Request<Incoming>,
) -> Result<u64, (records::Refusal, Option<Duration>)> {
    let refused = |failure| match failure {
        Failure::Denied(Denied::Token) => {
            let message = "a bearer token is needed: Authorization: Bearer <token>";
            (
                records::Refusal::new(StatusCode::UNAUTHORIZED, "Unauthorized", message),
                None,
            )
        }
        Failure::Denied(Denied::NotConfigured(_)) => {
            let message = "this endpoint is not configured yet: its token is missing";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            (
                records::Refusal::new(status, "Unavailable", message),
                Some(Duration::from_secs(5)),
            )
        }
        Failure::Unavailable(why, retry) => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            (
                records::Refusal::new(status, "Unavailable", why),
                Some(retry),
            )
        }
        Failure::TooLarge(why) => {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            (records::Refusal::new(status, "PayloadTooLarge", why), None)
        }
        Failure::Timeout => {
            let message = "the request was not received in time";
            (
                records::Refusal::new(StatusCode::REQUEST_TIMEOUT, "Timeout", message),
                None,
            )
        }
        Failure::Cut => {
            let message = "the request was cut off";
            (
                records::Refusal::new(StatusCode::BAD_REQUEST, "BadRequest", message),
                None,
            )
        }
        Failure::Encoded => {
            let message = "content encodings are not taken; send the body as it is";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            (
                records::Refusal::new(status, "UnsupportedMediaType", message),
                None,
            )
        }
    };
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or("?").to_owned());
    let producer = auth::producer(request.headers());
    let received = shared.receive(request, 0).await.map_err(refused)?;
    let begun = Instant::now();
    let parsed = records::parse(content_type.as_deref(), &received.body);
    shared.busy(begun.elapsed());
    let records = parsed.map_err(|refusal| (refusal, None))?;
    let count = u64::from(records.count());
    shared
        .append(records, producer.as_deref(), received)
        .await
        .map_err(refused)?;
    Ok(count)
}

/// A body, and the memory that is set aside for it.
#[derive(Debug)]
struct Received {
    body: Bytes,
    memory: tokio::sync::OwnedSemaphorePermit,
}

impl<L: Log> Shared<L> {
    /// Lets a request in and receives its body, which may be `more` bytes over the limit. A client
    /// that is not let in may be sending still: its body is received all the same, and thrown away.
    async fn receive(&self, request: Request<Incoming>, more: u64) -> Result<Received, Failure> {
        match self.admit(request.headers()) {
            Ok(()) => self.receive_body(request, more).await,
            Err(refused) => {
                let limit = self.state.limits.lock().request_bytes.saturating_add(more);
                discard(request.into_body(), limit).await;
                Err(refused)
            }
        }
    }

    async fn receive_body(
        &self,
        request: Request<Incoming>,
        more: u64,
    ) -> Result<Received, Failure> {
        let limit = self.state.limits.lock().request_bytes.saturating_add(more);
        let announced = request.body().size_hint().upper();
        let too_large = || Failure::TooLarge(format!("a request has at most {limit} bytes"));
        if announced.is_some_and(|bytes| bytes > limit) {
            return Err(too_large());
        }
        // before a byte of it is read; twice, since it is decoded beside it
        let memory = self
            .in_flight
            .reserve(
                announced
                    .unwrap_or(limit)
                    .saturating_mul(2)
                    .min(BYTES_IN_FLIGHT),
            )
            .await;
        let memory = memory.ok_or_else(|| {
            let why = "too many requests are being received";
            Failure::Unavailable(why.to_owned(), Duration::from_secs(1))
        })?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let collected = Limited::new(request.into_body(), limit).collect();
        let body = match timeout(BODY_TIME, collected).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large()),
            Ok(Err(_)) => return Err(Failure::Cut),
            Err(_) => return Err(Failure::Timeout),
        };
        Ok(Received { body, memory })
    }

    fn admit(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let second = Duration::from_secs(1);
        if self.state.closed.load(Ordering::Relaxed) {
            return Err(Failure::Unavailable(
                "this agent is ending".to_owned(),
                second,
            ));
        }
        let token = self.state.auth.lock().token();
        self.state.counts.lock().auth_problem = match &token {
            Err(Denied::NotConfigured(why)) => Some(why.clone()),
            _ => None,
        };
        let token = token.map_err(Failure::Denied)?;
        auth::check(headers, token.as_ref()).map_err(Failure::Denied)?;
        if self.state.paused.load(Ordering::Relaxed) {
            let why = "the stream is paused".to_owned();
            return Err(Failure::Unavailable(why, Duration::from_secs(30)));
        }
        let encoded = headers
            .get(CONTENT_ENCODING)
            .is_some_and(|value| value != "identity");
        if encoded {
            Err(Failure::Encoded)
        } else {
            Ok(())
        }
    }

    /// Appends, and waits until it is durable. The append goes on when the client goes away.
    async fn append(
        &self,
        records: FrameBuf,
        producer: Option<&str>,
        received: Received,
    ) -> Result<std::ops::Range<crate::record::Sequence>, Failure> {
        let (count, bytes) = (u64::from(records.count()), records.byte_len() as u64);
        self.state.rate.take(bytes).map_err(|wait| {
            Failure::Unavailable(
                "Slow down: the stream's bytes a second are used up.".to_owned(),
                wait,
            )
        })?;
        let unavailable = |error: AppendError| match error {
            AppendError::TooLarge { .. } => Failure::TooLarge(error.to_string()),
            AppendError::Full { .. } => {
                Failure::Unavailable(format!("Slow down: {error}."), Duration::from_secs(5))
            }
            AppendError::Failed(_) | AppendError::Closed(_) => {
                Failure::Unavailable(error.to_string(), Duration::from_secs(1))
            }
        };
        let payload = records.finish(self.clock.now(), producer);
        let room = self
            .log
            .reserve(payload.byte_len() as u64)
            .map_err(unavailable)?;
        drop(received.body);
        let sequences = self.log.append(payload, room).await.map_err(unavailable)?;
        drop(received.memory);
        let mut counts = self.state.counts.lock();
        counts.records += count;
        counts.bytes += bytes;
        counts.succeeded += 1;
        counts.producers.add(producer.unwrap_or("unnamed"), count);
        Ok(sequences)
    }

    fn refused(&self, code: &'static str) {
        *self.state.counts.lock().refused.entry(code).or_default() += 1;
    }

    fn busy(&self, time: Duration) {
        self.state.counts.lock().busy += time;
    }
}

fn aws(status: StatusCode, code: Option<&'static str>, body: Vec<u8>) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(firehose::CONTENT_TYPE),
    );
    if let Ok(id) = HeaderValue::from_str(&request_id().to_string()) {
        headers.insert("x-amzn-requestid", id);
    }
    if let Some(code) = code {
        headers.insert("x-amzn-errortype", HeaderValue::from_static(code));
    }
    reply
}

/// Receives a body and keeps nothing of it: a client that is still sending could not read its reply.
async fn discard(mut body: Incoming, limit: u64) {
    let all = async {
        let mut left = limit;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // whoever takes longer gets no reply
    timeout(BODY_TIME, all).await.ok();
}

/// Unique in this process: ids are for people who compare logs.
fn request_id() -> uuid::Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    uuid::Builder::from_u128(u128::from(number)).into_uuid()
}

fn json(status: StatusCode, body: Vec<u8>) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

fn plain(status: StatusCode, code: &'static str, message: &str) -> Reply {
    json(status, records::Refusal::new(status, code, message).body())
}

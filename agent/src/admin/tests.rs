use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use super::*;

#[derive(Debug)]
struct Told {
    ready: Result<(), String>,
}

impl Tell for Told {
    fn healthy(&self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        self.ready.clone()
    }

    fn metrics(&self) -> Result<String, String> {
        Ok("a 1\n".to_owned())
    }

    fn report(&self) -> Result<String, String> {
        self.ready.clone().map(|()| "{}\n".to_owned())
    }
}

/// A server of a test, and what stops it.
struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

async fn running(ready: Result<(), String>) -> Running {
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.local_addr().unwrap();
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(server.run(Arc::new(Told { ready }), stop.clone()));
    Running {
        address,
        stop,
        tasks,
    }
}

/// Sends `head`, reads to the end of the connection.
async fn exchange(address: SocketAddr, head: &str) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut reply = String::new();
    connection.read_to_string(&mut reply).await.unwrap();
    reply
}

async fn get_path(address: SocketAddr, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    exchange(address, &head).await
}

#[tokio::test]
async fn the_four_paths_answer_when_all_is_well() {
    let server = running(Ok(())).await;
    for (path, kind, body) in [
        ("/healthz", "text/plain", "ok\n"),
        ("/readyz", "text/plain", "ok\n"),
        ("/metrics", "text/plain; version=0.0.4", "a 1\n"),
        ("/report", "application/json", "{}\n"),
    ] {
        let reply = get_path(server.address, path).await;
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {reply}");
        assert!(
            reply.contains(&format!("content-type: {kind}")),
            "{path}: {reply}"
        );
        assert!(
            reply.ends_with(&format!("\r\n\r\n{body}")),
            "{path}: {reply}"
        );
    }
}

#[tokio::test]
async fn what_is_missing_is_said_with_503() {
    let server = running(Err("starting".to_owned())).await;
    for path in ["/readyz", "/report"] {
        let reply = get_path(server.address, path).await;
        assert!(reply.starts_with("HTTP/1.1 503 "), "{reply}");
        assert!(reply.ends_with("\r\n\r\nstarting\n"), "{reply}");
    }
    assert!(
        get_path(server.address, "/healthz")
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}

#[tokio::test]
async fn nothing_else_is_served() {
    let server = running(Ok(())).await;
    assert!(
        get_path(server.address, "/")
            .await
            .starts_with("HTTP/1.1 404 ")
    );
    assert!(
        get_path(server.address, "/debug/pprof")
            .await
            .starts_with("HTTP/1.1 404 ")
    );
    let post = "POST /report HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert!(
        exchange(server.address, post)
            .await
            .starts_with("HTTP/1.1 405 ")
    );
    let long = format!("/{}", "x".repeat(2 * HEAD_BYTES));
    assert!(
        !get_path(server.address, &long)
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}

#[tokio::test]
async fn more_connections_than_the_limit_wait_and_are_served() {
    let server = running(Ok(())).await;
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        idle.push(TcpStream::connect(server.address).await.unwrap());
    }
    let mut waiting = JoinSet::new();
    let address = server.address;
    waiting.spawn(async move { get_path(address, "/readyz").await });
    drop(idle);
    let reply = waiting.join_next().await.unwrap().unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
}

#[tokio::test]
async fn it_ends_when_asked_to() {
    let mut server = running(Ok(())).await;
    let mut open = TcpStream::connect(server.address).await.unwrap();
    server.stop.cancel();
    server.tasks.join_next().await.unwrap().unwrap();
    let mut rest = Vec::new();
    // cut, by an end or a reset
    if let Ok(read) = open.read_to_end(&mut rest).await {
        assert_eq!(read, 0);
    }
    assert!(TcpStream::connect(server.address).await.is_err());
}

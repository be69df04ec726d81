//! Clients that stall or vanish in the middle of a request: the server ends them by itself, takes
//! nothing of an incomplete request, and serves the others meanwhile.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::firehose::{STREAM, batch_body};
use e2e::http::Connection;

use crate::kit::{connect, expect_numbers, put_numbered, scenario};

/// Longer than any limit of the server: a test that gets here hangs.
const HANGS: Duration = Duration::from_mins(3);

const TARGET: &[(&str, &str)] = &[("x-amz-target", "Firehose_20150804.PutRecordBatch")];

#[test]
fn a_cut_request_leaves_no_record_behind() -> Result<()> {
    scenario("cut", |rig| {
        let place = rig.place("agent")?;
        let agent = place.start()?;
        let body = batch_body(STREAM, &[r#"{"number":99}"#; 100]);
        for sent in [0, 1, body.len() / 2, body.len() - 1] {
            let mut connection = connect(place.intake)?;
            let head = connection.head("POST", "/", TARGET, body.len());
            connection.write(&head)?;
            connection.write(&body[..sent])?;
        }
        put_numbered(&mut connect(place.intake)?, 0..10)?;
        agent.finish()?;
        expect_numbers(&rig.out(), 0..10)
    })
}

#[test]
fn stalled_clients_are_ended_while_others_are_served() -> Result<()> {
    scenario("stalled", |rig| {
        let place = rig.place("agent")?;
        let agent = place.start()?;
        let body = batch_body(STREAM, &[r#"{"number":99}"#; 100]);

        let mut in_head = Connection::open(place.intake, HANGS)?;
        in_head.write(b"POST / HTTP/1.1\r\nhost: a\r\nx-slow: ")?;
        let mut in_body = Connection::open(place.intake, HANGS)?;
        let head = in_body.head("POST", "/", TARGET, body.len());
        in_body.write(&head)?;
        in_body.write(&body[..body.len() / 2])?;
        let idle: Vec<Connection> = (0..50)
            .map(|_| connect(place.intake))
            .collect::<Result<_>>()?;

        put_numbered(&mut connect(place.intake)?, 0..10)?;
        // reading to the end returns only when the server has closed
        in_head.read_to_close()?;
        let reply = String::from_utf8_lossy(&in_body.read_to_close()?).into_owned();
        ensure!(
            reply.is_empty()
                || reply.starts_with("HTTP/1.1 408")
                || reply.starts_with("HTTP/1.1 400"),
            "a half body was answered {reply}"
        );
        put_numbered(&mut connect(place.intake)?, 10..20)?;
        drop(idle);
        agent.finish()?;
        expect_numbers(&rig.out(), 0..20)
    })
}

#[test]
fn more_connections_than_allowed_wait_for_room_and_harm_nobody() -> Result<()> {
    scenario("connections", |rig| {
        let mut place = rig.place("agent")?;
        place.manifest.set(
            "/spec/source/directPut/limits",
            serde_json::json!({ "connections": 16 }),
        )?;
        place.save()?;
        let agent = place.start()?;
        let mut kept: Vec<Connection> = (0..16)
            .map(|_| connect(place.intake))
            .collect::<Result<_>>()?;
        for (number, connection) in (0..16).zip(&mut kept) {
            put_numbered(connection, number..number + 1)?;
        }
        // the next one waits for room or is told so; those that are served don't notice
        let mut over = Connection::open(place.intake, HANGS)?;
        let request =
            b"POST /v1/records HTTP/1.1\r\nhost: a\r\ncontent-length: 13\r\n\r\n{\"number\":16}";
        over.write(request)?;
        for (number, connection) in (17..33).zip(&mut kept) {
            put_numbered(connection, number..number + 1)?;
        }
        drop(kept);
        let taken = over.response().is_ok_and(|response| response.status == 200);
        if !taken {
            let put = || put_numbered(&mut connect(place.intake)?, 16..17);
            e2e::wait::until(e2e::wait::LONG, "room for a connection", || Ok(put()))?;
        }
        agent.finish()?;
        expect_numbers(&rig.out(), 0..33)
    })
}

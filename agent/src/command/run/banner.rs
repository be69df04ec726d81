//! What `run` says first: where the endpoint is and how to put a record, ready to be pasted.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `{"hello":"world!"}`: as text, and as base64 of a length that needs no padding.
const RECORD: &str = r#"{"hello":"world!"}"#;
const RECORD_BASE64: &str = "eyJoZWxsbyI6IndvcmxkISJ9";

/// What the banner tells.
#[derive(Debug)]
pub(super) struct Banner<'a> {
    pub(super) stream_name: &'a str,
    pub(super) intake: SocketAddr,
    pub(super) admin: SocketAddr,
    /// Whether producers must send a bearer token.
    pub(super) bearer: bool,
    /// Such as `/data/out`.
    pub(super) delivers_to: &'a str,
    pub(super) wal_directory: &'a str,
}

/// The lines, each ended.
pub(super) fn banner(banner: &Banner<'_>) -> String {
    let Banner {
        stream_name,
        intake,
        admin,
        bearer,
        delivers_to,
        wal_directory,
    } = banner;
    let url = format!("http://{}", reachable(*intake));
    let token = if *bearer {
        " -H \"Authorization: Bearer $TOKEN\""
    } else {
        ""
    };
    let mut text = String::new();
    let mut line = |line: String| {
        let _infallible = writeln!(text, "{line}");
    };
    line(format!("delivery stream {stream_name}"));
    line(format!("  takes records at  {url}"));
    line(format!("  keeps them in     {wal_directory}"));
    line(format!("  delivers to       {delivers_to}"));
    line(format!(
        "  reports at        http://{}/report",
        reachable(*admin)
    ));
    line(String::new());
    line("put a record with curl:".to_owned());
    line(format!(
        "  curl{token} -H 'Content-Type: application/x-ndjson' {url}/v1/records -d '{RECORD}'"
    ));
    line("the same through the Firehose API:".to_owned());
    line(format!(
        "  curl{token} -H 'Content-Type: application/x-amz-json-1.1' -H 'X-Amz-Target: Firehose_20150804.PutRecord' {url} \
         -d '{{\"DeliveryStreamName\":\"{stream_name}\",\"Record\":{{\"Data\":\"{RECORD_BASE64}\"}}}}'"
    ));
    if *bearer {
        line(
            "(the AWS CLI can't send a bearer token; an SDK can, as a header of its own)"
                .to_owned(),
        );
    } else {
        line("with the AWS CLI, version 2 (any credentials do):".to_owned());
        line(format!(
            "  AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any aws firehose put-record --region us-east-1 --endpoint-url {url} \
             --delivery-stream-name {stream_name} --record Data={RECORD_BASE64}"
        ));
    }
    line(String::new());
    line("Ctrl-C delivers what is left and ends.".to_owned());
    text
}

/// The address as a client on this host writes it.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn example(bearer: bool) -> String {
        banner(&Banner {
            stream_name: "flights",
            intake: "0.0.0.0:8080".parse().unwrap(),
            admin: "127.0.0.1:8081".parse().unwrap(),
            bearer,
            delivers_to: "./out",
            wal_directory: "./wal",
        })
    }

    #[test]
    fn the_sample_record_is_the_same_in_both_forms() {
        let decoded = BASE64_STANDARD.decode(RECORD_BASE64).unwrap();
        assert_eq!(decoded, RECORD.as_bytes());
    }

    #[test]
    fn the_commands_can_be_pasted() {
        let text = example(false);
        for line in [
            "  takes records at  http://127.0.0.1:8080",
            "  reports at        http://127.0.0.1:8081/report",
            r#"  curl -H 'Content-Type: application/x-ndjson' http://127.0.0.1:8080/v1/records -d '{"hello":"world!"}'"#,
            r#"  curl -H 'Content-Type: application/x-amz-json-1.1' -H 'X-Amz-Target: Firehose_20150804.PutRecord' http://127.0.0.1:8080 -d '{"DeliveryStreamName":"flights","Record":{"Data":"eyJoZWxsbyI6IndvcmxkISJ9"}}'"#,
            "  AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any aws firehose put-record --region us-east-1 --endpoint-url http://127.0.0.1:8080 --delivery-stream-name flights --record Data=eyJoZWxsbyI6IndvcmxkISJ9",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\nnot in\n{text}");
        }
    }

    #[test]
    fn with_a_bearer_token_the_commands_send_it() {
        let text = example(true);
        assert!(!text.contains("aws firehose"));
        for curl in text.lines().filter(|l| l.starts_with("  curl")) {
            assert!(
                curl.contains(r#"-H "Authorization: Bearer $TOKEN""#),
                "{curl}"
            );
        }
    }
}

//! Requests that two programs may read differently: each is refused, or read in one way only.

use serde_json::json;

use crate::support::connection::{Connection, Response};
use crate::support::{Client, TestServer};

fn update(key: &str) -> String {
    json!({"updates": [{"updateKey": key, "updateValue": 1}]}).to_string()
}

fn push(client: &Client, headers: &str, body: &str) -> String {
    format!("POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{headers}\r\n{body}", client.of_meet("/updates"), client.token)
}

fn push_of(client: &Client, key: &str) -> String {
    push(client, &format!("Content-Length: {}\r\n", update(key).len()), &update(key))
}

async fn one(server: &TestServer, request: &str) -> Response {
    let mut connection = Connection::connect(&server.url).await;
    connection.send(request).await;
    connection.reply().await
}

/// A line that goes on in the next one, and a name with a blank behind it, are read differently by everybody.
#[tokio::test]
async fn folded_headers_and_blanks_in_names_are_refused() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let (path, token) = (desk.of_meet("/state"), &desk.token);
    for headers in [
        format!("Authorization: Bearer\r\n {token}\r\n"),
        format!("Authorization: Bearer {token}\r\nX-Folded: a\r\n\tb\r\n"),
        format!("Authorization : Bearer {token}\r\n"),
        format!("Authorization: Bearer {token}\r\nContent-Length : 0\r\n"),
        format!("Authorization: Bearer {token}\r\nTransfer-Encoding\t: chunked\r\n"),
    ] {
        let reply = one(&server, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")).await;
        assert_eq!(reply.status, 400, "{headers}: {reply:?}");
    }
}

/// What a proxy in front decided by one of two lines must not be undone by the other.
#[tokio::test]
async fn two_tokens_or_two_hosts_are_refused() {
    let server = TestServer::start().await;
    let (desk, other) = (server.meet().await, server.meet().await);
    for (first, second) in [(&desk, &other), (&other, &desk), (&desk, &desk)] {
        let two = format!("Authorization: Bearer {}\r\nContent-Length: {}\r\n", second.token, update("a").len());
        let reply = one(&server, &push(first, &two, &update("a"))).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(reply.body.contains("malformed-message") && reply.body.contains("authorization"), "{reply:?}");
    }
    let reply = one(&server, "GET /health/live HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n").await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert_eq!((desk.state().await["serverSeqNum"].clone(), other.state().await["serverSeqNum"].clone()), (json!(0), json!(0)));
}

#[tokio::test]
async fn requests_in_one_packet_are_judged_each_by_its_own_token() {
    let server = TestServer::start().await;
    let (desk, other) = (server.meet().await, server.meet().await);
    let viewer = desk.viewer().await;
    let crossing = desk.with_token(&other.token);
    let nobody = format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", desk.of_meet("/updates"));
    let requests = [push_of(&desk, "a"), push_of(&viewer, "b"), nobody, push_of(&crossing, "c"), push_of(&other, "d"), push_of(&desk, "e")];
    let mut connection = Connection::connect(&server.url).await;
    connection.send(requests.concat()).await;
    let mut statuses = Vec::new();
    for _ in &requests {
        statuses.push(connection.reply().await.status);
    }
    assert_eq!(statuses, [200, 403, 401, 401, 200, 200]);
    assert_eq!(desk.state().await["state"], json!({"a": 1, "e": 1}));
    assert_eq!(other.state().await["state"], json!({"d": 1}));
}

#[tokio::test]
async fn chunks_have_sizes_that_make_sense_and_trailers_say_nothing() {
    let server = TestServer::start().await;
    let (desk, other) = (server.meet().await, server.meet().await);
    let chunked = |head: &str, tail: &str| push(&desk, "Transfer-Encoding: chunked\r\n", &format!("{head}\r\n{}\r\n{tail}", update("a")));
    let size = format!("{:x}", update("a").len());
    let giant_extension = format!("{size};x={}", "y".repeat(100_000));
    for head in ["fffffffffffffffff", "-1", "0x10", "", " ", "1g", &giant_extension] {
        let mut connection = Connection::connect(&server.url).await;
        connection.send(chunked(head, "0\r\n\r\n")).await;
        let all = connection.rest().await;
        assert!(!all.contains("HTTP/1.1 200"), "{head:.20}: {all}");
    }
    assert_eq!(desk.state().await["serverSeqNum"], 0);
    // Trailers come after everything was decided.
    let trailers = format!("0\r\nAuthorization: Bearer {}\r\nContent-Length: 5\r\n\r\n", other.token);
    assert_eq!(one(&server, &chunked(&size, &trailers)).await.status, 200);
    assert_eq!((desk.state().await["serverSeqNum"].clone(), other.state().await["serverSeqNum"].clone()), (json!(1), json!(0)));
    let endless = format!("0\r\nX-Trailer: {}\r\n\r\n", "y".repeat(200_000));
    let mut connection = Connection::connect(&server.url).await;
    connection.send(chunked(&size, &endless)).await;
    assert!(!connection.rest().await.contains("HTTP/1.1 200"));
}

#[tokio::test]
async fn nothing_is_echoed_forwarded_or_tunnelled() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let with_token = |line: &str| format!("{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", desk.token);
    for line in ["TRACE /", &format!("TRACE {}", desk.of_meet("/state")), "CONNECT example.org:443", "CONNECT /v1/meets"] {
        let reply = one(&server, &with_token(line)).await;
        assert!((400..500).contains(&reply.status), "{line}: {reply:?}");
        assert!(!reply.body.contains(&desk.token), "{line}: {reply:?}");
    }
    // A target with a host in it names what is here, wherever that host is.
    for host in ["http://example.org", "http://user@127.0.0.1:1"] {
        let reply = one(&server, &with_token(&format!("GET {host}{}", desk.of_meet("/state")))).await;
        assert_eq!(reply.status, 200, "{host}: {reply:?}");
        assert!(reply.body.contains("\"serverSeqNum\":0"), "{host}: {reply:?}");
    }
}

/// Ranges are for files: nobody gets a part of a state, and a thousand ranges cost what one does.
#[tokio::test]
async fn ranges_are_not_served() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let many = (0..1_000).map(|n| format!("{n}-")).collect::<Vec<_>>().join(",");
    for path in ["/openapi.yaml", &desk.of_meet("/state")] {
        let get = |range: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{range}\r\n", desk.token);
        let whole = one(&server, &get("")).await;
        for range in ["bytes=0-1", "bytes=99999999999-", &format!("bytes={many}")] {
            let reply = one(&server, &get(&format!("Range: {range}\r\n"))).await;
            assert_eq!((reply.status, reply.body.len()), (200, whole.body.len()), "{path} {range:.30}");
        }
    }
}

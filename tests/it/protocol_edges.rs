//! HTTP as other programs speak it, well and badly.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::connection::{Connection, Response};
use crate::support::process::run;
use crate::support::{Client, TestServer};

async fn one(server: &TestServer, request: impl AsRef<[u8]>) -> Response {
    let mut connection = Connection::connect(&server.url).await;
    connection.send(request).await;
    connection.reply().await
}

/// A push of one update as bytes.
fn push_request(client: &Client, headers: &str, body: &str) -> String {
    let (path, token) = (client.of_meet("/updates"), &client.token);
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{headers}\r\n{body}")
}

fn update(key: &str) -> String {
    json!({"updates": [{"updateKey": key, "updateValue": 1}]}).to_string()
}

#[tokio::test]
async fn http_1_0_gets_its_answer_and_the_end() {
    let server = TestServer::start().await;
    let mut connection = Connection::connect(&server.url).await;
    connection.send("GET /health/live HTTP/1.0\r\n\r\n").await;
    let all = connection.rest().await;
    assert!(all.starts_with("HTTP/1.0 200") && all.trim_end().ends_with('}'), "{all}");
    assert!(!all.to_lowercase().contains("chunked"), "{all}");
}

#[tokio::test]
async fn a_stream_over_http_1_0_lasts_until_it_is_closed() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let mut connection = Connection::connect(&server.url).await;
    connection
        .send(format!("GET {} HTTP/1.0\r\nAuthorization: Bearer {}\r\n\r\n", desk.of_meet("/events?after=0&maxSeconds=2"), desk.token))
        .await;
    let head = connection.until("event: hello").await;
    assert!(head.starts_with("HTTP/1.0 200") && !head.to_lowercase().contains("chunked"), "{head}");
    desk.set("meet.name", json!("Second Open")).await;
    let news = connection.until("Second Open").await;
    assert!(news.contains("event: update-relay"), "{news}");
    connection.rest().await;
}

/// A body that curl announces with `Expect: 100-continue`, as it does for all above 1 MiB.
#[tokio::test(flavor = "multi_thread")]
async fn curl_sends_a_large_body() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("batch.json");
    let text = "x".repeat(200 * 1024);
    let updates: Vec<Value> = (0..8).map(|n| json!({"updateKey": format!("k{n}"), "updateValue": text})).collect();
    std::fs::write(&file, json!({ "updates": updates }).to_string()).unwrap();
    let post = |file: &std::path::Path| {
        let mut curl = Command::new("curl");
        curl.args(["-sv", "--max-time", "20", "-H", "Expect: 100-continue", "-H", "Content-Type: application/json", "-H"])
            .arg(format!("Authorization: Bearer {}", desk.token))
            .arg("--data-binary")
            .arg(format!("@{}", file.display()))
            .arg(format!("{}{}", server.url, desk.of_meet("/updates")));
        tokio::task::block_in_place(|| run(curl.stderr(Stdio::piped())))
    };
    let (code, out, err) = post(&file);
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()["serverSeqNum"].as_u64()), (0, Some(8)), "{out} {err}");
    assert!(err.contains("100 Continue"), "{err}");
    // What is too large is refused before it is sent.
    std::fs::write(&file, " ".repeat(5 * 1024 * 1024)).unwrap();
    let (code, out, err) = post(&file);
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()["code"].as_str()), (0, Some("too-large")), "{out} {err}");
    assert!(!err.contains("100 Continue"), "{err}");
}

#[tokio::test]
async fn bodies_above_four_mebibytes_are_refused_however_they_come() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let body = |bytes: usize| {
        let frame = json!({"updates": [], "padding": ""}).to_string().len();
        json!({"updates": [], "padding": "x".repeat(bytes - frame)})
    };
    let limit = 4 * 1024 * 1024;
    desk.post(&desk.of_meet("/updates"), &body(limit)).await.expect(200);
    let problem = desk.post(&desk.of_meet("/updates"), &body(limit + 1)).await.problem(413, "too-large");
    assert!(problem["detail"].as_str().unwrap().contains("4194304"), "{problem}");
    // A library that sends everything before it reads must get its answer too.
    desk.post(&desk.of_meet("/updates"), &body(4 * limit)).await.problem(413, "too-large");
    let late = one(&server, push_request(&desk, &format!("Content-Length: {}\r\n", 4 * limit), &" ".repeat(4 * limit))).await;
    assert_eq!(late.status, 413, "{late:?}");
    let absurd = one(&server, push_request(&desk, "Content-Length: 1000000000000\r\n", "{")).await;
    assert_eq!(absurd.status, 413, "what nobody would wait for is refused at once: {absurd:?}");
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let chunks = chunk.repeat(65);
    let reply = one(&server, push_request(&desk, "Transfer-Encoding: chunked\r\n", &chunks)).await;
    assert_eq!(reply.status, 413, "{reply:?}");
    // A length that no body can have is answered without waiting for one.
    let reply = one(&server, push_request(&desk, "Content-Length: 99999999999\r\n", "")).await;
    assert_eq!(reply.status, 413, "{reply:?}");
}

#[tokio::test]
async fn a_body_in_chunks_is_taken() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let body = update("chunked");
    let (first, second) = body.split_at(7);
    let chunks = format!("{:x}\r\n{first}\r\n{:X};extension=1\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
    let reply = one(&server, push_request(&desk, "Transfer-Encoding: chunked\r\n", &chunks)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(desk.state().await["state"], json!({"chunked": 1}));
}

/// A request hidden in another one's body, which a proxy and a server would cut at different places.
#[tokio::test]
async fn a_smuggled_request_is_never_carried_out() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let hidden = push_request(&desk, &format!("Content-Length: {}\r\n", update("smuggled").len()), &update("smuggled"));
    let body = format!("0\r\n\r\n{hidden}");
    let both = format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", body.len());
    let other_order = format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", body.len());
    let twice = "Content-Length: 5\r\nContent-Length: 6\r\n".to_owned();
    let odd_coding = "Transfer-Encoding: chunked, identity\r\n".to_owned();
    let signed = "Content-Length: +5\r\n".to_owned();
    for headers in [both, other_order, twice, odd_coding, signed] {
        let mut connection = Connection::connect(&server.url).await;
        connection.send(push_request(&desk, &headers, &body)).await;
        let all = connection.rest().await;
        assert_eq!(all.matches("HTTP/1.1 ").count(), 1, "one answer, then the end: {all}");
        assert!(all.starts_with("HTTP/1.1 400"), "{headers}: {all}");
    }
    assert_eq!(desk.state().await["serverSeqNum"], 0);
}

#[tokio::test]
async fn half_requests_keep_nobody_waiting() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let mut waiting = Vec::new();
    for start in ["G", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", &push_request(&desk, "Content-Length: 100\r\n", "{")] {
        for _ in 0..30 {
            let mut connection = Connection::connect(&server.url).await;
            connection.send(start).await;
            waiting.push(connection);
        }
    }
    let started = Instant::now();
    for number in 1..=5 {
        assert_eq!(desk.set("a", json!(number)).await, number);
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let mut last = waiting.pop().unwrap();
    last.send(format!("{}{}", &update("slow")[1..], " ".repeat(100 - update("slow").len()))).await;
    assert_eq!(last.reply().await.status, 200, "a slow body is read when it comes");
}

#[tokio::test]
async fn requests_that_come_together_are_answered_in_order_on_one_connection() {
    let server = TestServer::start().await;
    let mut connection = Connection::connect(&server.url).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    connection.send([get("/health/live"), get("/nothing"), get("/openapi.yaml"), get("/health/ready")].concat()).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(connection.reply().await.status);
    }
    assert_eq!(statuses, [200, 404, 200, 200]);
    connection.send(get("/health/live")).await;
    assert_eq!(connection.reply().await.status, 200, "the connection stays open");
    connection.send("GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert_eq!(connection.reply().await.status, 200);
    assert_eq!(connection.rest().await, "");
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let mut connection = Connection::connect(&server.url).await;
    let paths =
        ["/", "/web/demo.js", "/health/live", "/openapi.yaml", &desk.of_meet(""), &desk.of_meet("/state"), &desk.of_meet("/events")];
    for path in paths {
        let head = format!("{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", desk.token);
        connection.send(format!("HEAD {head}")).await;
        let reply = connection.reply_to("HEAD").await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        if path.contains("/events") {
            continue;
        }
        connection.send(format!("GET {head}")).await;
        let whole = connection.reply().await;
        assert_eq!(reply.header("content-type"), whole.header("content-type"), "{path}");
        assert_eq!(whole.status, 200, "{path}");
    }
    connection.send("HEAD /v1/meets HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(connection.reply_to("HEAD").await.status, 405);
}

#[tokio::test]
async fn options_are_told_everywhere() {
    let server = TestServer::start().await;
    let mut connection = Connection::connect(&server.url).await;
    for target in ["/v1/meets", "/v1/meets/123456789/state", "/nothing", "*"] {
        connection.send(format!("OPTIONS {target} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        let reply = connection.reply().await;
        assert_eq!((reply.status, reply.body.as_str()), (200, ""), "{target}: {reply:?}");
    }
}

#[tokio::test]
async fn heads_that_are_too_large_or_broken_are_refused() {
    let server = TestServer::start().await;
    let reply = one(&server, format!("GET / HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n", "x".repeat(200_000))).await;
    assert_eq!(reply.status, 431, "{reply:?}");
    let reply = one(&server, format!("GET / HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n", "x".repeat(60_000))).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let many = "X-Many: 1\r\n".repeat(200);
    let reply = one(&server, format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n")).await;
    assert_eq!(reply.status, 431, "{reply:?}");
    for broken in ["GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\0\0\0\0\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n"] {
        let mut connection = Connection::connect(&server.url).await;
        connection.send(broken).await;
        let all = connection.rest().await;
        assert!(all.starts_with("HTTP/1.1 400") || all.starts_with("HTTP/1.1 505"), "{broken:?}: {all}");
    }
    assert_eq!(one(&server, "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 200);
}

#[tokio::test]
async fn a_body_without_a_type_is_json_and_one_with_another_is_refused() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let with = async |content_type: &str| {
        let body = update("typed");
        let headers = format!("{content_type}Content-Length: {}\r\n", body.len());
        one(&server, push_request(&desk, &headers, &body)).await
    };
    for good in ["", "application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json"] {
        let header = if good.is_empty() { String::new() } else { format!("Content-Type: {good}\r\n") };
        assert_eq!(with(&header).await.status, 200, "{good}");
    }
    for wrong in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "application/jsonx"] {
        let reply = with(&format!("Content-Type: {wrong}\r\n")).await;
        assert_eq!(reply.status, 415, "{wrong}");
        assert!(reply.body.contains("unsupported-media-type") && reply.body.contains("application/json"), "{reply:?}");
    }
    assert_eq!(desk.state().await["serverSeqNum"], 4);
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_out_of_the_web_folder() {
    let server = TestServer::start().await;
    for path in [
        "../Cargo.toml",
        "%2e%2e/Cargo.toml",
        "..%2fCargo.toml",
        "%2e%2e%2fCargo.toml",
        "./../Cargo.toml",
        "//etc/passwd",
        "/etc/passwd",
        "..%5cCargo.toml",
        "%00",
        "",
        "tests/contract.js",
        "package.json",
    ] {
        let reply = one(&server, format!("GET /web/{path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert_eq!(reply.status, 404, "{path}: {reply:?}");
        assert!(!reply.body.contains("[package]") && !reply.body.contains("root:"), "{path}");
    }
    assert_eq!(one(&server, "GET /web/demo.js HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 200);
}

#[tokio::test]
async fn a_meet_id_is_read_as_people_write_it_and_not_otherwise() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let (a, b, c) = (&desk.meet[..3], &desk.meet[3..6], &desk.meet[6..]);
    for good in [format!("{a}{b}{c}"), format!("{a}-{b}-{c}"), format!("{a}%20{b}%20{c}"), format!("{a}%2D{b}-{c}")] {
        let info = desk.get(&format!("/v1/meets/{good}")).await.expect(200);
        assert_eq!(info["meetId"], format!("{a}-{b}-{c}"), "{good}");
    }
    let arabic: String = desk.meet.bytes().map(|digit| format!("%D9%{:02X}", 0xA0 + digit - b'0')).collect();
    let bad = [
        arabic,
        format!("{a}+{b}+{c}"),
        format!("{a}.{b}.{c}"),
        format!("0{a}{b}{c}"),
        format!("{a}{b}"),
        format!("{a}{b}{c}%00"),
        "%FF".to_owned(),
        "x".repeat(3000),
    ];
    for bad in bad {
        let reply = one(&server, format!("GET /v1/meets/{bad} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", desk.token)).await;
        assert_eq!(reply.status, 401, "{bad}: {reply:?}");
        assert!(reply.body.contains("invalid-session"), "{bad}: {reply:?}");
    }
}

/// A body without a type needs no leave from the browser, so a page elsewhere could send one unasked.
#[tokio::test]
async fn pages_name_the_type_of_what_they_send() {
    let server = TestServer::start().await;
    let stranger = server.stranger();
    let request = |origin: bool| {
        let request = stranger.request(reqwest::Method::POST, "/v1/meets").body(Client::creation("desk").to_string());
        if origin { request.header("origin", "https://elsewhere.example.org") } else { request }
    };
    stranger.send(request(true)).await.problem(415, "unsupported-media-type");
    stranger.send(request(false)).await.expect(201);
}

/// What a request does not need must make sense all the same.
#[tokio::test]
async fn a_parameter_that_another_one_makes_idle_is_read() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.get(&desk.of_meet("/state?at=0&after=nonsense")).await.problem(400, "invalid-cursor");
    desk.get(&desk.of_meet("/state?at=0&after=7")).await.expect(200);
}

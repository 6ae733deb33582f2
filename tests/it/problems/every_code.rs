//! One table of all problems: how each is met, and what holds for all of them.

use std::collections::BTreeSet;
use std::panic::Location;

use liftrelay::store::memory::Fault;
use liftrelay::wire::problem::Code;
use reqwest::Method;
use reqwest::header::ORIGIN;
use serde_json::{Value, json};

use super::{Hall, ORIGIN_OF_PAGE, ask, post, send};
use crate::support::client::{PASSWORD, Reply};
use crate::support::{Client, TestServer};

/// Codes that no request can meet now.
const NOT_YET: [(Code, &str); 3] = [
    (Code::UnknownMessageType, "comes with the messages of the socket"),
    (Code::Recovering, "is for a meet that was lost, which the recovery tests have"),
    (Code::Internal, "is a fault that nobody knows of"),
];

/// One way to meet a problem.
struct Case {
    code: &'static str,
    status: u16,
    /// What its text must say.
    says: &'static str,
    reply: Reply,
    place: &'static Location<'static>,
}

#[derive(Default)]
struct Table(Vec<Case>);

impl Table {
    #[track_caller]
    fn add(&mut self, status: u16, code: &'static str, says: &'static str, reply: Reply) {
        self.0.push(Case { code, status, says, reply, place: Location::caller() });
    }
}

#[tokio::test]
async fn every_problem_has_its_status_its_page_and_a_text_that_helps() {
    let hall = Hall::open().await;
    let mut table = Table::default();
    bodies(&hall, &mut table).await;
    addresses(&hall, &mut table).await;
    cursors(&hall, &mut table).await;
    tokens(&hall, &mut table).await;
    joining(&hall, &mut table).await;
    pushes(&hall, &mut table).await;
    finished(&hall, &mut table).await;
    overload(&mut table).await;
    failing_disk(&hall, &mut table).await;
    for case in &table.0 {
        check(case, &hall.server.stranger()).await;
    }
    let met: BTreeSet<&str> = table.0.iter().map(|case| case.code).collect();
    let scrape = hall.server.scrape().await;
    // Another server was overloaded.
    for code in met.iter().filter(|code| **code != "overloaded") {
        assert!(scrape.get(&format!("liftrelay_problems_total{{code={code:?}}}")) >= 1.0, "{code} is not counted");
    }
    for code in Code::ALL {
        let name = code.facts().code;
        let exempt = NOT_YET.iter().any(|(later, _)| *later == code);
        assert_ne!(met.contains(name), exempt, "{name}: met by this table, or exempt with a reason, not both");
    }
}

/// What holds for every problem.
async fn check(case: &Case, stranger: &Client) {
    let Case { code, status, says, reply, place } = case;
    let problem = &reply.json;
    let at = format!("{code} at {place}: {} {}", reply.status, reply.text);
    assert_eq!((reply.status.as_u16(), problem["code"].as_str()), (*status, Some(*code)), "{at}");
    assert_eq!(reply.header("content-type"), "application/problem+json", "{at}");
    assert!(problem["detail"].as_str().unwrap().contains(says), "says nothing of {says:?}: {at}");

    assert!(!reply.header("x-request-id").is_empty() && problem["requestId"] == reply.header("x-request-id"), "{at}");
    assert_eq!(reply.header("cache-control"), "no-store", "{at}");
    assert_eq!(reply.header("x-content-type-options"), "nosniff", "{at}");
    assert_eq!(reply.header("access-control-allow-origin"), ORIGIN_OF_PAGE, "{at}");
    let exposed = reply.header("access-control-expose-headers").to_lowercase();
    assert!(["retry-after", "x-request-id"].iter().all(|name| exposed.contains(name)), "{at}");
    let retry_after = reply.header("retry-after").parse::<u32>().ok();
    assert_eq!(retry_after.is_some_and(|seconds| seconds > 0), matches!(status, 429 | 503), "{at}");
    assert_eq!(!reply.header("www-authenticate").is_empty(), *status == 401, "{at}");
    for internal in ["told to fail", "src/", ".rs", "/tmp", "os error", "struct ", "Some(", "u64", "i64"] {
        assert!(!reply.text.contains(internal), "shows {internal:?}: {at}");
    }

    let page = stranger.get(problem["type"].as_str().unwrap()).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"), "{at}");
    for told in [code, &*status.to_string(), problem["title"].as_str().unwrap()] {
        assert!(page.text.contains(told), "the page says nothing of {told}: {at}");
    }
}

async fn bodies(hall: &Hall, table: &mut Table) {
    let (desk, updates) = (&hall.desk, hall.desk.of_meet("/updates"));
    let malformed: [(&[u8], &str); 8] = [
        (b"{\"updates\":[", "EOF"),
        (b"not json", "line 1 column 2"),
        (b"{\"updates\":[]} {}", "trailing characters"),
        (b"{\"updates\":[],}", "trailing comma"),
        (b"{\"updates\":[{\"updateKey\":\"\xff\"}]}", "not UTF-8 from byte 26 on"),
        (b"\xef\xbb\xbf{\"updates\":[]}", "byte-order mark"),
        (b"", "the body is empty"),
        (b" \r\n", "the body is empty"),
    ];
    for (body, says) in malformed {
        let reply = send(desk, &updates, body).await;
        assert_eq!((&reply.json["msgType"], &reply.json["errMsg"]), (&json!("MALFORMED_MESSAGE"), &reply.json["detail"]));
        table.add(400, "malformed-message", says, reply);
    }
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let request = desk.request(Method::POST, &updates).header(ORIGIN, ORIGIN_OF_PAGE);
        let reply = desk.send(request.header("content-type", media_type).body("{\"updates\":[]}")).await;
        table.add(415, "unsupported-media-type", "send application/json", reply);
    }
    table.add(413, "too-large", "4194304 bytes (4 MiB); split the batch", send(desk, &updates, vec![b' '; 4 * 1024 * 1024 + 1]).await);
    table.add(
        422,
        "invalid-request",
        "/updates/0/localSeqNum",
        post(desk, &updates, json!({"updates": [{"updateKey": "a", "localSeqNum": "1"}]})).await,
    );
}

async fn addresses(hall: &Hall, table: &mut Table) {
    let desk = &hall.desk;
    table.add(404, "not-found", "nothing is served at /v2/meets; see /openapi.yaml", ask(desk, "GET", "/v2/meets").await);
    table.add(404, "not-found", "/web/none.js", ask(desk, "GET", "/web/none.js").await);
    table.add(404, "not-found", "no problem of that name", ask(desk, "GET", "/problems/none").await);
    table.add(404, "not-found", "nothing stands at meet.name", ask(desk, "GET", &desk.of_meet("/state?path=meet.name")).await);
    table.add(404, "not-found", "no view key \"none\"", ask(desk, "DELETE", &desk.of_meet("/view-keys/none")).await);
    table.add(405, "method-not-allowed", "does not take PUT; the Allow header", ask(desk, "PUT", &desk.of_meet("/updates")).await);
    let events = desk.request(Method::GET, &desk.of_meet("/events")).header(ORIGIN, ORIGIN_OF_PAGE).header("accept", "image/png");
    table.add(406, "not-acceptable", "text/event-stream or application/x-ndjson", desk.send(events).await);
    // What no address can hold, but a client with a bug sends all the same.
    for path in ["/problems/%ff", "/web/%ff", &*desk.of_meet("/view-keys/%ff")] {
        let method = if path.contains("view-keys") { "DELETE" } else { "GET" };
        table.add(404, "not-found", "", ask(desk, method, path).await);
    }
}

async fn cursors(hall: &Hall, table: &mut Table) {
    let desk = &hall.desk;
    desk.set("cursors", json!(1)).await;
    for cursor in ["x", "-1", "1-xyz", "1-9F3AC2D1-", "1.5", "9007199254740992", "1-9f3ac2d", ""] {
        table.add(400, "invalid-cursor", "cursor", ask(desk, "GET", &desk.of_meet(&format!("/updates?after={cursor}"))).await);
    }
    table.add(400, "invalid-cursor", "cursor", ask(desk, "GET", &desk.of_meet("/state?at=x")).await);
    table.add(400, "invalid-cursor", "cursor", ask(desk, "GET", &desk.of_meet("/state?after=x")).await);
    let events = desk.request(Method::GET, &desk.of_meet("/events?after=0")).header(ORIGIN, ORIGIN_OF_PAGE);
    table.add(400, "invalid-cursor", "cursor", desk.send(events.header("last-event-id", "x")).await);

    let body = |cursor: &str| json!({"updates": [{"updateKey": "a", "updateValue": 1}], "after": cursor});
    for (cursor, status, code, says) in [
        ("99", 409, "server-behind", "above the server's head 1"),
        ("99-00000000", 409, "server-behind", "above the server's head 1"),
        ("1-00000000", 409, "history-changed", "take the state and go on from its cursor"),
    ] {
        let reply = ask(desk, "GET", &desk.of_meet(&format!("/updates?after={cursor}"))).await;
        assert_eq!(reply.json["cursor"], desk.state().await["cursor"]);
        assert_eq!(reply.json["lastServerSeq"] == 1, code == "server-behind");
        table.add(status, code, says, reply);
        table.add(status, code, says, ask(desk, "GET", &desk.of_meet(&format!("/state?after={cursor}"))).await);
        table.add(status, code, says, ask(desk, "GET", &desk.of_meet(&format!("/state?at={cursor}"))).await);
        table.add(status, code, says, post(desk, &desk.of_meet("/sync"), body(cursor)).await);
        let update = json!({"updates": [{"updateKey": "a", "updateValue": 1, "afterServerSeqNum": cursor}]});
        table.add(status, code, says, post(desk, &desk.of_meet("/updates"), update).await);
        // A viewer has nothing to give back.
        let reply = ask(&hall.viewer, "GET", &desk.of_meet(&format!("/updates?after={cursor}"))).await;
        table.add(409, "history-changed", "take the state", reply);
    }
    assert_eq!(desk.state().await["serverSeqNum"], 1, "none of them had an effect");
}

async fn tokens(hall: &Hall, table: &mut Table) {
    let (desk, path) = (&hall.desk, hall.desk.of_meet("/updates"));
    let with = |token: &str| desk.with_token(token);
    table.add(401, "invalid-session", "no token came along", ask(&with(""), "GET", &path).await);
    for garbage in ["x", "lrs_", &desk.token[..desk.token.len() - 1], &*format!("{}x", desk.token), "lrv_123"] {
        let reply = ask(&with(garbage), "GET", &path).await;
        assert_eq!(reply.json["msgType"], "INVALID_SESSION");
        table.add(401, "invalid-session", "join again with the meet's id and password", reply);
    }
    let viewer = &hall.viewer;
    let gone = hall.desk.viewer().await;
    hall.desk.delete(&desk.of_meet(&format!("/view-keys/{}", gone.session["keyId"].as_str().unwrap()))).await.expect(204);
    table.add(401, "invalid-view-key", "ask an editor of the meet for a new one", ask(&gone, "GET", &path).await);
    for key in ["x", "", &gone.token, &*viewer.token.replace(&desk.meet, "000000000")] {
        let reply = ask(&with(""), "GET", &format!("{path}?key={key}")).await;
        table.add(401, "invalid-view-key", "ask an editor of the meet for a new one", reply);
    }
    let in_url = "send it as Authorization: Bearer, or use a view key as ?key=";
    for (name, client) in [("key", &with("")), ("token", &with("")), ("key", desk), ("sessionToken", viewer)] {
        table.add(401, "token-in-url", in_url, ask(client, "GET", &format!("{path}?{name}={}", desk.token)).await);
    }
    let writes = [
        ("POST", "/updates"),
        ("POST", "/sync"),
        ("POST", "/view-keys"),
        ("GET", "/view-keys"),
        ("DELETE", "/view-keys/x"),
        ("DELETE", "/session"),
        ("POST", "/publish"),
        ("GET", "/publish"),
        ("POST", "/finish"),
    ];
    for (method, rest) in writes {
        let says = "a view key only reads; join with the meet's password";
        table.add(403, "read-only", says, ask(viewer, method, &desk.of_meet(rest)).await);
        let by_url = ask(&with(""), method, &desk.of_meet(&format!("{rest}?key={}", viewer.token))).await;
        table.add(403, "read-only", says, by_url);
    }
    assert_eq!(viewer.get(&desk.of_meet("/state")).await.status, 200, "the key still reads");
}

async fn joining(hall: &Hall, table: &mut Table) {
    let stranger = hall.server.stranger();
    let sessions = hall.desk.of_meet("/sessions");
    let join = |password: &str, location: &str| json!({"password": password, "locationName": location});
    for (password, location, reason, says) in [
        ("NotTheRightPassword", "desk", "invalid meetId/Password", "meet id and password do not go together"),
        (PASSWORD, "Desk", "invalid locationName", "no location of that name"),
    ] {
        let reply = post(&stranger, &sessions, join(password, location)).await;
        assert_eq!((&reply.json["msgType"], &reply.json["reason"]), (&json!("JOIN_REJECTED"), &json!(reason)));
        table.add(403, "join-rejected", says, reply);
    }
    // More than ten on a slow machine, where a try comes back meanwhile.
    let mut wrong = 1;
    let refused = loop {
        let reply = post(&stranger, &sessions, join("NotTheRightPassword", "desk")).await;
        if reply.json["code"] != "join-rejected" {
            break reply;
        }
        wrong += 1;
    };
    assert!((10..30).contains(&wrong), "{wrong}");
    table.add(429, "rate-limited", "too many failed attempts from your address; try again in", refused);
}

async fn pushes(hall: &Hall, table: &mut Table) {
    let (desk, updates) = (&hall.desk, hall.desk.of_meet("/updates"));
    let stale = json!({"updates": [{"updateKey": "a", "updateValue": 1}], "ifHead": 0});
    table.add(409, "sync-stale", "send the batch again with the new cursor", post(desk, &updates, stale).await);
    let conflict = json!({"updates": [{"updateKey": "never", "op": "remove"}], "mode": "atomic"});
    let says = "nothing of the atomic batch took effect: nothing stands at never";
    table.add(409, "sync-conflict", says, post(desk, &updates, conflict).await);
}

async fn finished(hall: &Hall, table: &mut Table) {
    let over = hall.server.meet().await;
    over.set("a", json!(1)).await;
    over.post(&over.of_meet("/finish"), &json!({})).await.expect(200);
    let updates = json!({"updates": [{"updateKey": "a", "updateValue": 2}], "after": 1});
    for path in ["/updates", "/sync"] {
        table.add(409, "meet-finished", "takes no more updates", post(&over, &over.of_meet(path), updates.clone()).await);
    }
}

/// So many logins at once that one is refused at the door; the others are given up then.
async fn overload(table: &mut Table) {
    let hall = Hall::open().await;
    let (stranger, sessions) = (hall.server.stranger(), hall.desk.of_meet("/sessions"));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut logins = tokio::task::JoinSet::new();
    for _ in 0..cores + liftrelay::meet::limits::LOGIN_QUEUE + 8 {
        let (stranger, sessions) = (stranger.clone(), sessions.clone());
        logins.spawn(async move { post(&stranger, &sessions, json!({"password": PASSWORD, "locationName": "desk"})).await });
    }
    let busy = loop {
        let reply = logins.join_next().await.expect("one login is refused").unwrap();
        if reply.status != 201 {
            break reply;
        }
    };
    logins.abort_all();
    hall.desk.set("meet.name", json!("the meet itself goes on")).await;
    table.add(503, "overloaded", "too many passwords are being checked", busy);
}

async fn failing_disk(hall: &Hall, table: &mut Table) {
    let (desk, updates) = (&hall.desk, hall.desk.of_meet("/updates"));
    hall.store.fail_documents(true);
    let keys = hall.desk.of_meet("/view-keys");
    table.add(503, "storage-failed", "the server's disk failed", post(desk, &keys, json!({"label": "OBS"})).await);
    table.add(503, "storage-failed", "cannot be written", ask(desk, "GET", "/health/ready").await);
    hall.store.fail_documents(false);
    assert_eq!(post(desk, &keys, json!({"label": "OBS"})).await.status, 201, "a document that could not be written harms nothing");

    hall.store.fail_next_append(Fault::Write);
    let update = || json!({"updates": [{"updateKey": "a", "updateValue": 1}]});
    for path in [&updates, &updates] {
        let says = "Keep your updates: sending them again later is safe";
        table.add(503, "storage-failed", says, post(desk, path, update()).await);
    }
    let state: Value = desk.state().await;
    assert_eq!((&state["serverSeqNum"], &state["state"]), (&json!(1), &json!({"cursors": 1})), "reading goes on");
}

/// The page of every code is served, of those to come as well.
#[tokio::test]
async fn every_code_has_its_page() {
    let server = TestServer::start().await;
    for code in Code::ALL {
        let facts = code.facts();
        let page = server.stranger().get(&format!("/problems/{}", facts.code)).await;
        assert_eq!(page.status, 200);
        for told in [facts.title, facts.cause, facts.cure] {
            assert!(page.text.contains(told), "{}: {told}", facts.code);
        }
        assert!(page.header("content-security-policy").contains("default-src 'none'"));
        assert!(!page.text.contains("http"), "{} leads to another server, and must open offline", facts.code);
    }
}

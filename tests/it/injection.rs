//! Text that would be something else on the wire: it arrives as it was sent, inside one event and one line.

use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

use crate::support::client::PASSWORD;
use crate::support::raw::RawStream;
use crate::support::stream::assert_gapless;
use crate::support::{Client, TestServer};

/// Names may hold all of these.
const NAMES: [&str; 10] = [
    "a\u{2028}data: forged\u{2029}",
    "</script><script>alert(1)</script>",
    "\"quoted\" 'and' `so on` \\",
    "data: forged",
    "id: 999-00000000",
    "\u{feff}marked",
    "\u{202e}right to left\u{2066}",
    "🏋🏽‍♀️ Ærøskøbing שלום",
    "%0d%0aSet-Cookie: a=b",
    "${x} {{x}} <!-- ]]>",
];

/// Values and quoted keys may hold these as well.
const TEXTS: [&str; 9] = [
    "\n\ndata: forged\n\n",
    "\r\rdata: forged\r\r",
    "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "\nid: 999\nretry: 1\nevent: end",
    ": comment\n",
    "\u{0}\u{1}\u{8}\u{b}\u{c}\u{1b}[31m\u{7f}",
    "\u{85}next line\u{a0}",
    "{\"msgType\":\"END\"}\n{\"msgType\":\"END\"}",
    "\u{10ffff}\u{fffd}\u{ffff}",
];

fn texts() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().chain(TEXTS)
}

/// Updates that hold each text in its key, its value, and the names within its value.
fn hostile_updates() -> Vec<Value> {
    let update = |(index, text): (usize, &str)| {
        let quoted = serde_json::to_string(text).unwrap();
        json!({"updateKey": format!("texts[{quoted}][{index}]"), "updateValue": {text: [text, {"inner": text}]}})
    };
    texts().enumerate().map(update).collect()
}

/// A meet in which every name is hostile and every text was pushed.
async fn hostile_meet(server: &TestServer) -> Client {
    let locations: Vec<_> = NAMES.iter().map(|name| json!({"locationName": name, "priority": 1})).collect();
    let body = json!({
        "thisLocationName": NAMES[0], "meetName": NAMES[1], "clientId": NAMES[2], "password": PASSWORD, "locations": locations,
    });
    let editor = server.stranger().create(&body).await;
    let pushed = editor.push(Value::Array(hostile_updates())).await.expect(200);
    assert_eq!(pushed["updatesRejected"], json!([]));
    editor
}

/// The state and the relayed entries hold what was pushed, text for text.
fn assert_intact(entries: &[Value]) {
    assert_gapless(entries, 1);
    let updates = hostile_updates();
    assert!(entries.len() >= updates.len());
    for (entry, update) in entries.iter().zip(&updates) {
        assert_eq!(entry["updateValue"], update["updateValue"]);
        let (_, quoted) = entry["updateKey"].as_str().unwrap().split_once('[').unwrap();
        let (text, _) = quoted.rsplit_once("][").unwrap();
        let text: String = serde_json::from_str(text).unwrap();
        assert!(update["updateValue"].as_object().unwrap().contains_key(&text), "{entry}");
        assert_eq!((&entry["locationName"], &entry["clientId"]), (&json!(NAMES[0]), &json!(NAMES[2])));
    }
}

fn assert_no_forged_header(headers: &HeaderMap) {
    assert!(headers.get("set-cookie").is_none());
    for (name, value) in headers {
        assert!(value.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte)), "{name}: {value:?}");
    }
}

#[tokio::test]
async fn whatever_is_sent_comes_back_as_it_was() {
    let server = TestServer::start().await;
    let editor = hostile_meet(&server).await;
    let updates = editor.get(&editor.of_meet("/updates")).await;
    assert_no_forged_header(&updates.headers);
    assert_intact(updates.json["updatesRelayed"].as_array().unwrap());
    let state = editor.state().await;
    for (index, text) in texts().enumerate() {
        assert_eq!(state["state"]["texts"][text][index.to_string()], hostile_updates()[index]["updateValue"]);
        let key = format!("texts[{}]", serde_json::to_string(text).unwrap());
        let part = editor.request(Method::GET, &editor.of_meet("/state")).query(&[("path", &key)]);
        assert_eq!(editor.send(part).await.expect(200)["state"], state["state"]["texts"][text]);
        // A filter takes such a key as well.
        let filtered = editor.request(Method::GET, &editor.of_meet("/events")).query(&[("paths", &key)]);
        let mut events = crate::support::stream::Events::open(filtered).await;
        events.expect("hello").await;
        let relay = events.expect("update-relay").await;
        assert_eq!(relay.json["updatesRelayed"].as_array().unwrap().len(), 1);
        assert_eq!(relay.json["updatesRelayed"][0]["serverSeqNum"], index + 1);
    }
    let mut events = editor.events("snapshot=1&after=0").await;
    assert_eq!(events.expect("hello").await.json["meetName"], NAMES[1]);
    assert_eq!(events.expect("state").await.json["state"], state["state"]);
}

/// Reads one event off the wire: its fields, each a line, up to the empty line.
async fn event_lines(stream: &mut RawStream) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    loop {
        let line = stream.line().await.expect("the stream goes on");
        assert!(!line.contains('\r'), "a carriage return would end a line: {line:?}");
        if line.is_empty() {
            return fields;
        }
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no field: {line:?}"));
        fields.push((name.to_owned(), value.to_owned()));
    }
}

#[tokio::test]
async fn every_event_is_one_line_of_data_on_the_wire() {
    let server = TestServer::start().await;
    let editor = hostile_meet(&server).await;
    let viewer = editor.viewer().await;
    for reader in [&editor, &viewer] {
        let mut snapshot = RawStream::open(reader, "snapshot=1").await;
        let mut log = RawStream::open(reader, "").await;
        for (stream, expected) in [(&mut snapshot, ["hello", "state"]), (&mut log, ["hello", "update-relay"])] {
            let head = stream.head().await;
            assert!(head.iter().all(|line| !line.to_lowercase().contains("set-cookie") && line.is_ascii()), "{head:?}");
            for name in expected {
                let fields = event_lines(stream).await;
                let names: Vec<_> = fields.iter().map(|(name, _)| &**name).collect();
                let wanted = if name == "hello" { vec!["event", "id", "retry", "data"] } else { vec!["event", "id", "data"] };
                assert_eq!(names, wanted);
                assert_eq!(fields[0].1, name);
                let data: Value = serde_json::from_str(&fields.last().unwrap().1).unwrap();
                assert_eq!(data["cursor"], fields[1].1);
                if name == "update-relay" {
                    assert_intact(data["updatesRelayed"].as_array().unwrap());
                }
            }
        }
    }
}

#[tokio::test]
async fn every_object_is_one_line_of_a_stream_of_lines() {
    let server = TestServer::start().await;
    let editor = hostile_meet(&server).await;
    let mut lines = RawStream::open(&editor, "format=ndjson").await;
    lines.head().await;
    assert_eq!(lines.object().await.unwrap()["meetName"], NAMES[1]);
    assert_intact(lines.object().await.unwrap()["updatesRelayed"].as_array().unwrap());
    for (index, update) in hostile_updates().iter().enumerate() {
        editor.push(json!([update])).await.expect(200);
        let relay = lines.object().await.unwrap();
        let entries = relay["updatesRelayed"].as_array().unwrap();
        assert_eq!((entries.len(), &entries[0]["updateValue"]), (1, &update["updateValue"]), "{index}");
    }
}

#[tokio::test]
async fn names_stay_whole_wherever_they_are_shown() {
    let server = TestServer::start().await;
    let editor = hostile_meet(&server).await;
    for name in NAMES {
        let body = json!({"password": PASSWORD, "locationName": name, "clientId": name});
        let joined = editor.post(&editor.of_meet("/sessions"), &body).await;
        assert_no_forged_header(&joined.headers);
        let joined = joined.expect(201);
        assert_eq!((&joined["locationName"], &joined["clientId"], &joined["meetName"]), (&json!(name), &json!(name), &json!(NAMES[1])));
        let key = editor.post(&editor.of_meet("/view-keys"), &json!({"label": name})).await;
        assert_no_forged_header(&key.headers);
        assert_eq!(key.expect(201)["label"], name);
    }
    let info = editor.get(&editor.of_meet("")).await.expect(200);
    let shown: Vec<_> = info["locations"].as_array().unwrap().iter().map(|location| location["locationName"].clone()).collect();
    assert_eq!((shown, &info["meetName"]), (NAMES.map(|name| json!(name)).to_vec(), &json!(NAMES[1])));
    let list = editor.get(&editor.of_meet("/view-keys")).await.expect(200);
    let labels: Vec<_> = list["viewKeys"].as_array().unwrap().iter().map(|key| key["label"].clone()).collect();
    assert_eq!(labels, NAMES.map(|name| json!(name)));
}

#[tokio::test]
async fn names_with_controls_are_refused_wherever_they_are_given() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    for name in ["a\nb", "a\r\nSet-Cookie: a=b", "\n\ndata: forged", "a\u{0}", "\u{7f}", "\u{85}"] {
        let mut refused = Vec::new();
        let body = json!({"password": PASSWORD, "locationName": "desk", "clientId": name});
        refused.push(desk.post(&desk.of_meet("/sessions"), &body).await);
        refused.push(desk.post(&desk.of_meet("/view-keys"), &json!({"label": name})).await);
        for member in ["meetName", "clientId"] {
            let mut body = Client::creation("desk");
            body[member] = json!(name);
            refused.push(desk.post("/v1/meets", &body).await);
        }
        let mut body = Client::creation("desk");
        body["locations"][1]["locationName"] = json!(name);
        refused.push(desk.post("/v1/meets", &body).await);
        for reply in refused {
            assert_no_forged_header(&reply.headers);
            reply.problem(422, "invalid-request");
        }
    }
}

/// A refusal that quotes what it refuses stays one problem.
#[tokio::test]
async fn refusals_quote_without_breaking() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    for text in texts() {
        let refused = desk.push(json!([{"updateKey": text, "updateValue": 1}])).await.expect(200);
        assert_eq!(refused["updatesRejected"][0]["code"], "invalid-key", "{text:?}");
        let request = |path: &str, name: &str| desk.request(Method::GET, &desk.of_meet(path)).query(&[(name, text)]);
        let replies = [
            (desk.send(request("/state", "path")).await, 422),
            (desk.send(request("/events", "paths")).await, 422),
            (desk.send(request("/events", "format")).await, 422),
            (desk.send(request("/events", "after")).await, 400),
            (desk.send(request("/updates", "limit")).await, 422),
        ];
        for (reply, status) in replies {
            assert_no_forged_header(&reply.headers);
            assert_eq!(reply.header("content-type"), "application/problem+json");
            let problem = reply.expect(status);
            assert!(problem["detail"].is_string(), "{problem}");
        }
        let mut nowhere = reqwest::Url::parse(&desk.base).unwrap();
        nowhere.path_segments_mut().unwrap().extend(["nothing", text]);
        let reply = desk.get(nowhere.path()).await;
        assert_no_forged_header(&reply.headers);
        reply.problem(404, "not-found");
    }
}

/// What is no text at all changes nothing.
#[tokio::test]
async fn text_that_is_no_unicode_is_refused_whole() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let bodies: [&[u8]; 5] = [
        br#"{"updates":[{"updateKey":"a\ud800","updateValue":1}]}"#,
        br#"{"updates":[{"updateKey":"\udc00","updateValue":1}]}"#,
        b"{\"updates\":[{\"updateKey\":\"a\",\"updateValue\":\"\xff\"}]}",
        b"{\"updates\":[{\"updateKey\":\"a\",\"updateValue\":\"line\nend\"}]}",
        b"\xef\xbb\xbf{\"updates\":[{\"updateKey\":\"a\",\"updateValue\":1}]}",
    ];
    let post = async |body: &'static [u8]| {
        let request = desk.request(Method::POST, &desk.of_meet("/updates")).header("Content-Type", "application/json");
        desk.send(request.body(body)).await
    };
    for body in bodies {
        post(body).await.problem(400, "malformed-message");
    }
    assert_eq!(desk.state().await["serverSeqNum"], 0);
    // Half a surrogate pair inside a value spoils that one update only.
    for body in [
        &br#"{"updates":[{"updateKey":"a","updateValue":"\ud800"}]}"#[..],
        br#"{"updates":[{"updateKey":"a","updateValue":{"\udc00":1}}]}"#,
    ] {
        assert_eq!(post(body).await.expect(200)["updatesRejected"][0]["code"], "invalid-value");
    }
    assert_eq!(desk.state().await["serverSeqNum"], 0);
}

//! Viewers: what they see and what they do not, their keys, who is there, pages from elsewhere.

use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::client::Reply;
use crate::support::raw::RawStream;
use crate::support::server::options;
use crate::support::stream::Events;
use crate::support::{Client, TestServer};

/// What stands in private places in these tests, and nowhere else.
const SECRET: &str = "SECRET";

fn entry(name: &str) -> Value {
    let secret = |what: &str| format!("{SECRET} {what}");
    json!({
        "name": name, "team": "Bern", "squatKg": [180],
        "birthDate": secret("date"), "age": secret("age"), "memberId": secret("id"), "paid": secret("paid"), "notes": secret("notes"),
    })
}

/// A meet with private things in every place that the default settings know.
async fn meet_with_secrets(server: &TestServer) -> Client {
    let desk = server.meet().await;
    let before = json!({"name": "Ad", "age": format!("{SECRET} before"), "team": "Thun"});
    desk.set("meet.name", json!("Open")).await;
    desk.set("registration.entries[5003]", before).await;
    desk.set("registration.entries[5003].memberId", json!(format!("{SECRET} alone"))).await;
    let director = desk.join("director").await;
    // Unseen by the director, so the entry says what it went over.
    let overruling = json!({"updateKey": "registration.entries[5003]", "updateValue": entry("Ada"), "afterServerSeqNum": 1});
    director.push(json!([overruling])).await.expect(200);
    let member = json!({"updateKey": "registration.entries[5003].age", "updateValue": format!("{SECRET} again"), "afterServerSeqNum": 1});
    director.push(json!([member, {"updateKey": "registration.entries[5003].team", "updateValue": "Biel"}])).await.expect(200);
    desk.push(json!([{"updateKey": "registration.entries[5003].notes", "op": "remove"}])).await.expect(200);
    let all = json!({"entries": {"5004": entry("Bo"), "5005": entry("Cy")}, "list": [1]});
    desk.set("registration", all).await;
    desk
}

fn entries(page: &Value) -> &[Value] {
    page["updatesRelayed"].as_array().unwrap()
}

async fn state(client: &Client, query: &str) -> Reply {
    client.get(&client.of_meet(&format!("/state?{query}"))).await
}

/// The text of `state` as it stands in a reply.
fn state_text(reply: &Reply) -> String {
    #[derive(serde::Deserialize)]
    struct State {
        state: Box<serde_json::value::RawValue>,
    }
    serde_json::from_str::<State>(&reply.text).unwrap().state.get().to_owned()
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

#[tokio::test]
async fn viewers_get_every_number_and_nothing_private() {
    let server = TestServer::start().await;
    let desk = meet_with_secrets(&server).await;
    let viewer = desk.viewer().await;
    let (full, seen) = (desk.pull(0).await, viewer.get(&viewer.of_meet("/updates")).await);
    assert!(!seen.text.contains(SECRET), "{}", seen.text);
    let seen = seen.expect(200);
    assert_eq!((&full["serverSeqNum"], &full["cursor"]), (&seen["serverSeqNum"], &seen["cursor"]), "cursors are the same for all");
    assert!(full.get("chain").is_some() && seen.get("chain").is_none(), "the whole chain is for those who can restore");
    let public = json!({"name": "Ada", "team": "Bern", "squatKg": [180]});
    let everything = json!({
        "entries": {"5004": {"name": "Bo", "team": "Bern", "squatKg": [180]}, "5005": {"name": "Cy", "team": "Bern", "squatKg": [180]}},
        "list": [1],
    });
    let expected = [
        Some(json!("Open")),
        Some(json!({"name": "Ad", "team": "Thun"})),
        None,
        Some(public),
        None,
        Some(json!("Biel")),
        None,
        Some(everything),
    ];
    assert_eq!((entries(&full).len(), entries(&seen).len()), (8, 8));
    for ((full, seen), expected) in entries(&full).iter().zip(entries(&seen)).zip(expected) {
        let Some(value) = expected else {
            let opaque = json!({"serverSeqNum": full["serverSeqNum"], "commit": full["commit"], "opaque": true});
            assert_eq!(*seen, opaque);
            continue;
        };
        let mut public = full.clone();
        public["updateValue"] = value;
        if let Some(previous) = public.get_mut("previousValue") {
            *previous = json!({"name": "Ad", "team": "Thun"});
        }
        assert_eq!(*seen, public, "all but the private parts is the same");
    }
    assert_eq!(entries(&full)[3]["previousValue"]["memberId"], format!("{SECRET} alone"), "editors see what they overruled");
    assert!(entries(&seen)[3].get("previousValue").is_some());
}

#[tokio::test]
async fn no_stream_and_no_state_shows_viewers_what_is_private() {
    let server = TestServer::start().await;
    let desk = meet_with_secrets(&server).await;
    let viewer = desk.viewer().await;
    let pulled = viewer.pull(0).await;
    let mut streamed = Vec::new();
    for format in ["sse", "ndjson"] {
        let mut stream = RawStream::open(&viewer, &format!("maxSeconds=1&format={format}")).await;
        stream.head().await;
        while let Some(line) = stream.line().await {
            assert!(!line.contains(SECRET), "{line}");
            let json = line.strip_prefix("data: ").unwrap_or(&line);
            let json = serde_json::from_str::<Value>(json).unwrap_or_default();
            streamed.extend(json["updatesRelayed"].as_array().cloned().unwrap_or_default());
        }
        assert_eq!(std::mem::take(&mut streamed), entries(&pulled), "{format}");
    }
    for query in ["snapshot=1", "snapshot=1&paths=registration", "after=3-00000000"] {
        let mut events = viewer.events(query).await;
        while events.next().await.json.get("state").is_none_or(|state| {
            assert!(!state.to_string().contains(SECRET) && state.to_string().contains("Cy"), "{state}");
            false
        }) {}
    }
    for query in ["", "path=registration", "path=registration.entries.5004", "at=4", "at=4&path=registration.entries"] {
        let (full, seen) = (state(&desk, query).await, state(&viewer, query).await);
        assert!(full.text.contains(SECRET) && !seen.text.contains(SECRET), "{query}: {}", seen.text);
        assert!(seen.text.contains("\"squatKg\":[180]"), "{query}: {}", seen.text);
        assert_eq!(seen.header("etag"), full.header("etag"));
    }
    // What is private and what is not there look the same.
    let refusal = async |member: &str| {
        let reply = state(&viewer, &format!("path=registration.entries.5004.{member}")).await;
        reply.problem(404, "not-found")["detail"].as_str().unwrap().to_owned()
    };
    assert_eq!(refusal("age").await.replace(".age", ".aged"), refusal("aged").await);
    for member in ["age", "aged", "age.years"] {
        let mut events = viewer.events(&format!("snapshot=1&paths=registration.entries.5004.{member}")).await;
        events.expect("hello").await;
        assert_eq!(events.expect("state").await.json["state"], json!({}), "{member}");
    }
}

#[tokio::test]
async fn news_reach_viewers_redacted_while_they_watch() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let (mut events, mut lines) = (viewer.events("after=now").await, RawStream::open(&viewer, "after=now&format=ndjson").await);
    assert_eq!(events.expect("hello").await.json["role"], "viewer");
    lines.head().await;
    assert_eq!(lines.object().await.unwrap()["role"], "viewer");
    let updates =
        [("registration.entries[5003]", entry("Ada")), ("registration.entries[5003].paid", json!(SECRET)), ("meet.name", json!("Open"))];
    for (key, value) in updates {
        desk.set(key, value).await;
        let event = events.expect("update-relay").await.json;
        let line = lines.line().await.unwrap();
        assert!(!line.contains(SECRET) && !event.to_string().contains(SECRET), "{line}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), event);
        assert_eq!(entries(&event)[0].get("opaque").is_some(), key.ends_with("paid"));
    }
}

/// The key of a private change is private too, and a filter must not be a way to guess it.
#[tokio::test]
async fn a_filter_does_not_tell_viewers_which_private_keys_change() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let mut events = viewer.events("paths=registration.entries.5003,meet").await;
    events.expect("hello").await;
    desk.set("registration.entries[5003].notes", json!(SECRET)).await;
    desk.set("registration.entries[5003].name", json!("Ada")).await;
    desk.set("registration.entries[5003].age", json!(SECRET)).await;
    let last = desk.set("meet.name", json!("Open")).await;
    let kept = events.entries_until(last).await;
    assert_eq!(kept.iter().map(|entry| &entry["updateKey"]).collect::<Vec<_>>(), ["registration.entries[5003].name", "meet.name"]);
}

#[tokio::test]
async fn a_meet_may_have_other_private_parts_than_the_usual_ones() {
    let server = TestServer::start().await;
    let mut body = Client::creation("desk");
    body["settings"] = json!({"privatePaths": ["board[*]", "judges[1]", "people[*].phone", "secrets"]});
    let desk = server.stranger().create(&body).await;
    let viewer = desk.viewer().await;
    desk.set("board", json!([SECRET, SECRET])).await;
    desk.set("board[0]", json!(SECRET)).await;
    desk.set("judges", json!(["left", SECRET, "right"])).await;
    desk.set("people", json!([{"phone": SECRET, "name": "Ada"}, "nobody"])).await;
    desk.set("secrets", json!({"a": SECRET})).await;
    desk.set("secrets.b", json!(SECRET)).await;
    desk.set("registration.entries[5003].age", json!(30)).await;
    let expected = json!({
        "board": [null, null],
        "judges": ["left", null, "right"],
        "people": [{"name": "Ada"}, "nobody"],
        "registration": {"entries": {"5003": {"age": 30}}},
    });
    assert_eq!(viewer.state().await["state"], expected);
    let page = viewer.pull(0).await;
    let values: Vec<_> = entries(&page).iter().map(|entry| entry.get("updateValue").cloned()).collect();
    let opaque = None;
    let [board, judges, people] = ["board", "judges", "people"].map(|name| Some(expected[name].clone()));
    assert_eq!(values, [board, opaque.clone(), judges, people, opaque.clone(), opaque, Some(json!(30))]);
    assert_eq!(viewer.get(&viewer.of_meet("")).await.expect(200)["settings"]["privatePaths"], body["settings"]["privatePaths"]);
    body["settings"] = json!({"privatePaths": []});
    let open = server.stranger().create(&body).await;
    open.set("registration.entries[5003].age", json!(30)).await;
    assert_eq!(open.viewer().await.state().await["state"], open.state().await["state"], "nothing is private where nothing is named");
}

#[tokio::test]
async fn the_state_hash_is_that_of_what_the_reader_sees() {
    let server = TestServer::start().await;
    let desk = meet_with_secrets(&server).await;
    let viewer = desk.viewer().await;
    for query in ["", "at=2", "at=5", "path=registration.entries.5004", "path=registration", "at=3&path=registration"] {
        let (full, seen) = (state(&desk, query).await, state(&viewer, query).await);
        for reply in [&full, &seen] {
            assert_eq!(reply.json["stateHash"], sha256(&state_text(reply)), "{query}");
        }
        assert_ne!(full.json["stateHash"], seen.json["stateHash"], "{query}");
    }
    let mut events = viewer.events("snapshot=1").await;
    events.expect("hello").await;
    assert_eq!(events.expect("state").await.json["stateHash"], viewer.state().await["stateHash"]);
}

/// The same client with another token.
fn holding(client: &Client, token: &str) -> Client {
    let mut client = client.clone();
    token.clone_into(&mut client.token);
    client
}

/// Reads with the key in the URL only, as an overlay or a spreadsheet does.
fn without_headers(client: &Client) -> Client {
    holding(client, "")
}

#[tokio::test]
async fn the_addresses_that_come_with_a_view_key_work_as_they_are() {
    let server = TestServer::start().await;
    let desk = meet_with_secrets(&server).await;
    let viewer = desk.viewer().await;
    let page = without_headers(&viewer);
    let url = |name: &str| viewer.session["urls"][name].as_str().unwrap().to_owned();
    assert_eq!(page.get(&url("state")).await.expect(200)["state"], viewer.state().await["state"]);
    let mut events = Events::open(page.request(Method::GET, &url("events"))).await;
    assert_eq!(events.expect("hello").await.json["role"], "viewer");
    assert_eq!(events.expect("state").await.json["state"], viewer.state().await["state"]);
    let (before_fragment, fragment) = url("overlay").split_once('#').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(fragment.contains(&viewer.token) && !before_fragment.contains(&viewer.token), "a fragment reaches no log");
    let key = format!("key={}", viewer.token);
    assert_eq!(page.get(&viewer.of_meet(&format!("/updates?{key}"))).await.expect(200), viewer.pull(0).await);
    page.get(&viewer.of_meet(&format!("?{key}"))).await.expect(200);
    page.get(&viewer.of_meet("/state")).await.problem(401, "invalid-session");
    page.get(&viewer.of_meet("/state?key=lrv_nonsense")).await.problem(401, "invalid-view-key");
}

#[tokio::test]
async fn a_view_key_only_reads_and_only_its_own_meet() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let (viewer, other) = (desk.viewer().await, server.meet().await);
    viewer.push(json!([{"updateKey": "a", "updateValue": 1}])).await.problem(403, "read-only");
    viewer.sync(&json!({"after": 0})).await.problem(403, "read-only");
    viewer.post(&viewer.of_meet("/view-keys"), &json!({"label": "more"})).await.problem(403, "read-only");
    viewer.get(&viewer.of_meet("/view-keys")).await.problem(403, "read-only");
    viewer.delete(&viewer.of_meet("/session")).await.problem(403, "read-only");
    let by_url = without_headers(&viewer);
    let path = viewer.of_meet(&format!("/updates?key={}", viewer.token));
    by_url.post(&path, &json!({"updates": []})).await.problem(403, "read-only");
    let elsewhere = holding(&other, &viewer.token);
    elsewhere.get(&elsewhere.of_meet("/state")).await.problem(401, "invalid-view-key");
    // A session in a URL would stand in logs and histories.
    let leak = without_headers(&desk);
    for path in ["/state", "/events", "/updates"] {
        let reply = leak.get(&desk.of_meet(&format!("{path}?key={}", desk.token))).await;
        assert!(!reply.text.contains(&desk.token));
        reply.problem(401, "token-in-url");
    }
    let info = viewer.get(&viewer.of_meet("")).await.expect(200);
    assert!(info.get("recoveryTicket").is_none() && info.get("ticketVersion").is_none(), "{info}");
    assert!(desk.get(&desk.of_meet("")).await.expect(200).get("recoveryTicket").is_some());
}

async fn new_key(desk: &Client, label: &str, expires_in: u64) -> Client {
    let body = json!({"label": label, "expiresIn": expires_in});
    let key = desk.post(&desk.of_meet("/view-keys"), &body).await.expect(201);
    let mut client = holding(desk, key["viewKey"].as_str().unwrap());
    client.session = key;
    client
}

async fn listed(desk: &Client) -> Vec<String> {
    let list = desk.get(&desk.of_meet("/view-keys")).await.expect(200);
    list["viewKeys"].as_array().unwrap().iter().map(|key| key["label"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_view_key_lives_as_long_as_it_was_made_for() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let (short, long) = (new_key(&desk, "short", 60).await, desk.viewer().await);
    assert_eq!(long.session["expiresAt"], Value::Null);
    server.clock.set_ahead(58_000);
    state(&short, "").await.expect(200);
    assert_eq!(listed(&desk).await, ["short", "overlay"]);
    server.clock.set_ahead(61_000);
    state(&short, "").await.problem(401, "invalid-view-key");
    short.get(&short.of_meet("/events")).await.problem(401, "invalid-view-key");
    assert_eq!(listed(&desk).await, ["overlay"]);
    server.clock.set_ahead(6 * 86_400_000);
    state(&long, "").await.expect(200);
    for wrong in [json!(0), json!(-1), json!(1.5), json!(u64::MAX), json!("60")] {
        desk.post(&desk.of_meet("/view-keys"), &json!({"label": "x", "expiresIn": wrong})).await.problem(422, "invalid-request");
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_life_of_its_key() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let brief = new_key(&desk, "brief", 2).await;
    let mut events = brief.events("").await;
    events.expect("hello").await;
    let end = events.expect("end").await;
    assert_eq!((&end.json["reason"], end.json.get("retryAfterSeconds")), (&json!("expired"), None));
    assert!(events.try_next().await.is_none());
}

#[tokio::test]
async fn deleting_a_view_key_ends_its_streams_at_once() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let (gone, kept) = (desk.viewer().await, desk.viewer().await);
    let list = desk.get(&desk.of_meet("/view-keys")).await;
    for key in [&gone, &kept] {
        assert!(!list.text.contains(&key.token) && !list.text.contains(&key.token["lrv_123456789_".len()..]), "the list shows no secrets");
        assert!(list.text.contains(key.session["keyId"].as_str().unwrap()));
    }
    let mut streams = [gone.events("after=now").await, gone.events("after=now").await, kept.events("after=now").await];
    for events in &mut streams {
        events.expect("hello").await;
    }
    let waiting = gone.clone();
    let poll = tokio::spawn(async move { waiting.get(&waiting.of_meet("/updates?after=0&wait=20")).await });
    until(&desk, "four viewers", |info| info["viewers"] == 4).await;
    let started = Instant::now();
    let path = desk.of_meet(&format!("/view-keys/{}", gone.session["keyId"].as_str().unwrap()));
    desk.delete(&path).await.expect(204);
    let [mut first, mut second, mut other] = streams;
    for events in [&mut first, &mut second] {
        assert_eq!(events.expect("end").await.json["reason"], "revoked");
        assert!(events.try_next().await.is_none());
    }
    poll.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    state(&gone, "").await.problem(401, "invalid-view-key");
    desk.delete(&path).await.problem(404, "not-found");
    desk.set("lot", json!(1)).await;
    other.expect("update-relay").await;
    until(&desk, "one viewer", |info| info["viewers"] == 1).await;
}

/// Returns once MEET_INFO says so: a server learns only by and by that somebody hung up.
async fn until(editor: &Client, what: &str, is_so: impl Fn(&Value) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(8);
    loop {
        let info = editor.get(&editor.of_meet("")).await.expect(200);
        if is_so(&info) {
            return;
        }
        assert!(Instant::now() < deadline, "no {what}: {info}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn location(editor: &Client, name: &str) -> Value {
    let info = editor.get(&editor.of_meet("")).await.expect(200);
    let mut locations = info["locations"].as_array().unwrap().iter();
    locations.find(|location| location["locationName"] == name).unwrap().clone()
}

#[tokio::test]
async fn open_streams_of_viewers_are_counted() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let mut own = desk.events("").await;
    own.expect("hello").await;
    let mut streams = Vec::new();
    for wanted in 1..=3 {
        let mut events = viewer.events("").await;
        events.expect("hello").await;
        streams.push(events);
        until(&desk, "new viewer", |info| info["viewers"] == wanted).await;
    }
    for wanted in (0..3).rev() {
        streams.pop();
        until(&desk, "viewer less", |info| info["viewers"] == wanted).await;
    }
}

#[tokio::test]
async fn an_editor_sees_which_locations_are_there_and_how_far_they_are() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let never = location(&desk, "director").await;
    assert_eq!(never, json!({"locationName": "director", "priority": 30, "online": false, "lastSeenAt": null, "behindBy": null}));
    let platform = desk.join("platform 1").await;
    let joined = location(&desk, "platform 1").await;
    assert_eq!((&joined["online"], &joined["behindBy"]), (&json!(true), &Value::Null), "nobody knows yet what it has");
    for lot in 1..=3 {
        desk.set("lot", json!(lot)).await;
    }
    platform.pull(2).await;
    assert_eq!(location(&desk, "platform 1").await["behindBy"], 1);
    let mut events = platform.events("after=2").await;
    events.entries_until(3).await;
    assert_eq!(location(&desk, "platform 1").await["behindBy"], 0);
    // Looking back at an earlier state does not mean having no more than that.
    state(&platform, "at=1").await.expect(200);
    assert_eq!(location(&desk, "platform 1").await["behindBy"], 0);
    let seen = location(&desk, "platform 1").await["lastSeenAt"].clone();
    server.clock.set_ahead(60_000);
    let streaming = location(&desk, "platform 1").await;
    assert_eq!((&streaming["online"], &streaming["lastSeenAt"]), (&json!(true), &seen), "an open stream is presence");
    drop(events);
    let away =
        |info: &Value| info["locations"].as_array().unwrap().iter().any(|it| it["locationName"] == "platform 1" && it["online"] == false);
    until(&desk, "absence of the platform", away).await;
    desk.set("lot", json!(4)).await;
    let gone = location(&desk, "platform 1").await;
    assert_eq!((&gone["behindBy"], &gone["lastSeenAt"]), (&json!(1), &seen));
    assert_eq!(location(&desk, "desk").await["online"], true);
    platform.pull(4).await;
    let back = location(&desk, "platform 1").await;
    assert_eq!((&back["online"], &back["behindBy"]), (&json!(true), &json!(0)));
    assert!(back["lastSeenAt"].as_str() > seen.as_str());
}

const HOME: &str = "https://lifter.example";

fn preflight(client: &Client, origin: &str, method: &str, path: &str) -> RequestBuilder {
    let request = client.request(Method::OPTIONS, path).header("Origin", origin).header("Access-Control-Request-Method", method);
    request.header("Access-Control-Request-Headers", "authorization,content-type")
}

/// The origin that may read the reply, where one may.
fn open_to(headers: &HeaderMap) -> Option<&str> {
    headers.get("access-control-allow-origin").map(|origin| origin.to_str().unwrap())
}

async fn from_origin(client: &Client, origin: &str, path: &str) -> HeaderMap {
    client.request(Method::GET, path).header("Origin", origin).send().await.unwrap().headers().clone()
}

#[tokio::test]
async fn pages_from_anywhere_read_with_a_view_key() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let (page, key) = (without_headers(&viewer), viewer.token.clone());
    // A page opened from a file has the origin null.
    for origin in ["https://stream.example", "http://localhost:3000", "null"] {
        for path in ["", "/state", "/updates", "/events"] {
            let by_url = from_origin(&page, origin, &viewer.of_meet(&format!("{path}?key={key}"))).await;
            let by_header = from_origin(&viewer, origin, &viewer.of_meet(path)).await;
            assert_eq!((open_to(&by_url), open_to(&by_header)), (Some(origin), Some(origin)), "{path}");
            let mut vary = by_url.get_all("vary").iter().map(|names| names.to_str().unwrap().to_lowercase());
            assert!(vary.any(|names| names.contains("origin")), "the answer to one page is none for another");
        }
        let errors = [
            from_origin(&page, origin, &viewer.of_meet("/state")).await,
            from_origin(&page, origin, &viewer.of_meet("/state?key=typo")).await,
            from_origin(&viewer, origin, &viewer.of_meet("/state?path=nothing")).await,
            from_origin(&holding(&viewer, "lrv_typo"), origin, &viewer.of_meet("/state")).await,
            from_origin(&page, origin, "/nothing").await,
        ];
        for (index, headers) in errors.iter().enumerate() {
            assert_eq!(headers["content-type"], "application/problem+json");
            assert_eq!(open_to(headers), Some(origin), "a page must be able to say what went wrong: {index}");
        }
        let allowed = preflight(&page, origin, "GET", &viewer.of_meet("/state")).send().await.unwrap();
        assert!(allowed.status().is_success() && open_to(allowed.headers()) == Some(origin));
        assert!(allowed.headers()["access-control-allow-headers"].to_str().unwrap().contains("authorization"));
    }
}

#[tokio::test]
async fn pages_use_sessions_only_from_where_the_operator_says() {
    let mut options = options();
    options.allow_origins = vec![HOME.to_owned()];
    let server = TestServer::with(options).await;
    let desk = server.meet().await;
    let stranger = server.stranger();
    for (origin, is_home) in
        [(HOME, true), ("https://evil.example", false), ("https://lifter.example.evil.example", false), ("null", false)]
    {
        let allowed = is_home.then_some(origin);
        for path in ["/state", "/updates", "/events", "", "/view-keys"] {
            assert_eq!(open_to(&from_origin(&desk, origin, &desk.of_meet(path)).await), allowed, "{origin} {path}");
        }
        let push = desk.request(Method::POST, &desk.of_meet("/updates")).json(&json!({"updates": []}));
        let pushed = push.header("Origin", origin).send().await.unwrap();
        assert_eq!(open_to(pushed.headers()), allowed);
        let join =
            stranger.request(Method::POST, &desk.of_meet("/sessions")).json(&json!({"password": "wrong password", "locationName": "x"}));
        let refused = join.header("Origin", origin).send().await.unwrap();
        assert_eq!((refused.status().as_u16(), open_to(refused.headers())), (403, allowed));
        for (method, path) in [("POST", "/sessions"), ("POST", "/updates"), ("POST", "/sync"), ("DELETE", "/session")] {
            let asked = preflight(&stranger, origin, method, &desk.of_meet(path)).send().await.unwrap();
            assert_eq!(open_to(asked.headers()), allowed, "{origin} {method} {path}");
        }
        let asked = preflight(&stranger, origin, "POST", "/v1/meets").send().await.unwrap();
        assert_eq!(open_to(asked.headers()), allowed);
    }
}

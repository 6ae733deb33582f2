//! Streams: where they start, what they bring, how they are resumed, how they end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value, json};

use crate::support::raw::RawStream;
use crate::support::stream::{Event, Events, assert_gapless};
use crate::support::{Client, TestServer, contract, plain_and_under_tls};

plain_and_under_tls! {
    #[tokio::test]
    a_stream_says_first_where_it_starts_from,
    every_reader_is_told_another_pause_before_it_reconnects,
    an_event_source_goes_on_behind_the_last_event_that_it_has_seen,
    a_filter_keeps_what_lies_at_above_and_below_its_paths,
    a_filtered_snapshot_is_cut_to_its_paths,
    heartbeats_say_where_a_reader_is_and_what_an_editor_should_have,
    a_batch_arrives_as_one_relay_however_large_it_is,
    a_page_ends_where_a_commit_ends,
    the_same_objects_come_as_lines_where_lines_are_asked_for,
    lines_go_on_with_every_commit,
    padding_fills_a_proxys_buffer_and_means_nothing,
    a_stream_ends_by_itself_when_it_was_asked_to,
    a_cursor_of_another_history_gets_the_state_to_start_over_from,
    an_editor_above_the_head_is_asked_for_its_entries_and_stays,
    a_viewer_above_the_head_is_reset,
    leaving_ends_the_streams_of_that_session_and_no_others,
    a_server_that_stops_says_when_to_come_back,
    nothing_on_the_way_is_to_keep_or_hold_a_stream,
    nothing_is_missed_while_a_snapshot_is_on_its_way,
    a_snapshot_and_what_follows_it_leave_nothing_out_and_repeat_nothing,
    a_stream_ends_when_its_session_has_lived_its_time,
}

/// Opens a stream as an EventSource does that was there before.
async fn resume(client: &Client, query: &str, last_event_id: &str) -> Events {
    let request = client.request(Method::GET, &client.of_meet(&format!("/events?{query}")));
    Events::open(request.header("Last-Event-ID", last_event_id)).await
}

/// Opens a stream of some keys, which need escaping.
async fn filtered(client: &Client, query: &str, paths: &str) -> Events {
    let request = client.request(Method::GET, &client.of_meet(&format!("/events?{query}")));
    Events::open(request.query(&[("paths", paths)])).await
}

/// Reads a stream of lines up to its own end.
async fn lines(request: RequestBuilder) -> Vec<Value> {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let text = response.text().await.expect("a clean end");
    let objects: Vec<_> = text.strip_suffix('\n').unwrap().split('\n').map(|line| serde_json::from_str(line).unwrap()).collect();
    objects.iter().for_each(contract::check_event);
    objects
}

fn entries(event: &Event) -> &[Value] {
    event.json["updatesRelayed"].as_array().unwrap()
}

fn keys(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["updateKey"].as_str().unwrap()).collect()
}

fn number(json: &Value) -> u64 {
    json["serverSeqNum"].as_u64().unwrap()
}

/// The cursor at a number, as a pull tells it.
async fn cursor_at(client: &Client, seq: u64) -> String {
    let page = client.get(&client.of_meet(&format!("/updates?limit={seq}"))).await.expect(200);
    assert_eq!(number(&page), seq, "the updates before it are commits of one");
    page["cursor"].as_str().unwrap().to_owned()
}

/// A cursor with the same number and another history.
fn foreign(cursor: &str) -> String {
    let (number, tag) = cursor.split_once('-').unwrap();
    format!("{number}-{:08x}", !u32::from_str_radix(tag, 16).unwrap())
}

async fn meet_of_three(server: &TestServer) -> Client {
    let desk = server.meet().await;
    for lot in 1..=3 {
        desk.set("lot", json!(lot)).await;
    }
    desk
}

/// A batch that is one commit.
fn batch(size: usize, value: &Value) -> Value {
    (0..size).map(|index| json!({"updateKey": format!("batch.k{index}"), "updateValue": value})).collect()
}

async fn a_stream_says_first_where_it_starts_from(server: TestServer) {
    let desk = meet_of_three(&server).await;
    let second = cursor_at(&desk, 2).await;
    let with_chain = format!("after={second}");
    let mut streams = Vec::new();
    for (query, start) in [("", 0), ("after=0", 0), ("after=2", 2), (&*with_chain, 2), ("after=3", 3), ("after=now", 3)] {
        let mut events = desk.events(query).await;
        let hello = events.expect("hello").await;
        assert_eq!(number(&hello.json), start, "{query}");
        assert_eq!(hello.id, hello.json["cursor"]);
        assert!(hello.id.starts_with(&format!("{start}-")), "also a bare number is answered with the chain: {}", hello.id);
        assert_eq!(hello.id == second, start == 2);
        assert_eq!(hello.json["headSeqNum"], 3);
        assert_eq!(hello.json["role"], "editor");
        assert_eq!(hello.json["meetName"], "Test Open");
        streams.push((events, start));
    }
    desk.set("lot", json!(4)).await;
    for (mut events, start) in streams {
        let relayed = events.entries_until(4).await;
        assert_gapless(&relayed, start + 1);
        assert_eq!(relayed.len() as u64, 4 - start);
    }
}

/// A whole hall that lost the server must not come back in one instant.
async fn every_reader_is_told_another_pause_before_it_reconnects(server: TestServer) {
    let desk = server.meet().await;
    let mut pauses = BTreeSet::new();
    for _ in 0..8 {
        let pause = desk.events("").await.expect("hello").await.retry.expect("HELLO says when to come back");
        assert!((Duration::from_secs(1)..=Duration::from_secs(3)).contains(&pause), "{pause:?}");
        pauses.insert(pause);
    }
    assert!(pauses.len() > 1, "all were told {pauses:?}");
}

async fn an_event_source_goes_on_behind_the_last_event_that_it_has_seen(server: TestServer) {
    let desk = meet_of_three(&server).await;
    let mut events = desk.events("snapshot=1&after=0").await;
    let mut ids = vec![events.expect("hello").await.id, events.expect("state").await.id];
    desk.push(batch(2, &json!(0))).await.expect(200);
    let relay = events.expect("update-relay").await;
    assert_eq!(relay.id, relay.json["cursor"]);
    ids.push(relay.id);
    desk.set("lot", json!("last")).await;
    for (id, first) in ids.iter().zip([4, 4, 6]) {
        // What stands in the URL is older, or newer, than what the reader really has.
        for query in ["after=0", "after=now", "after=1&snapshot=0"] {
            let mut events = resume(&desk, query, id).await;
            assert_eq!(events.expect("hello").await.id, *id, "Last-Event-ID wins over {query}");
            let relayed = events.entries_until(6).await;
            assert_gapless(&relayed, first);
            assert_eq!(relayed.len() as u64, 7 - first);
        }
    }
}

async fn a_snapshot_and_what_follows_it_leave_nothing_out_and_repeat_nothing(server: TestServer) {
    const LAST: u64 = 240;
    let desk = server.meet().await;
    let writer = desk.clone();
    let writing = tokio::spawn(async move {
        for number in 1..=LAST {
            assert_eq!(writer.set(&format!("board.k{}", number % 7), json!(number)).await, number);
        }
    });
    let mut starts = BTreeSet::new();
    for round in 0_usize.. {
        let mut events = desk.events(["snapshot=1", "snapshot=1&after=0", "snapshot=1&after=now"][round % 3]).await;
        let hello = events.expect("hello").await;
        let snapshot = events.expect("state").await;
        assert_eq!(hello.id, snapshot.id, "the stream starts from its snapshot");
        starts.insert(number(&snapshot.json));
        let is_last = writing.is_finished();
        let end = if is_last { LAST } else { (number(&snapshot.json) + 5).min(LAST) };
        let relayed = if number(&snapshot.json) < end { events.entries_until(end).await } else { Vec::new() };
        assert_gapless(&relayed, number(&snapshot.json) + 1);
        let mut board = snapshot.json["state"]["board"].as_object().cloned().unwrap_or_default();
        for entry in &relayed {
            board.insert(entry["updateKey"].as_str().unwrap().replace("board.", ""), entry["updateValue"].clone());
        }
        let seen = number(&snapshot.json) + relayed.len() as u64;
        let expected: Map<String, Value> = (1..=seen).map(|number| (format!("k{}", number % 7), json!(number))).collect();
        assert_eq!(board, expected, "at {seen}");
        if is_last {
            break;
        }
    }
    writing.await.unwrap();
    assert!(starts.len() > 3, "the snapshots were taken while somebody wrote: {starts:?}");
}

async fn a_filter_keeps_what_lies_at_above_and_below_its_paths(server: TestServer) {
    let desk = server.meet().await;
    let paths = r#"meet,registration.entries.5003,notes["x,y"]["\"q\""],last"#;
    let mut live = filtered(&desk, "after=0", paths).await;
    live.expect("hello").await;
    let kept = [
        ("registration", json!({"entries": {}})),
        ("registration.entries", json!({"5003": {}, "5004": {}})),
        ("registration.entries[5003]", json!({})),
        ("registration.entries[5003].squatKg", json!([1])),
        ("registration.entries[5003].squatKg[0]", json!(182.5)),
        ("meet", json!({})),
        ("meet.name", json!("Open")),
        (r#"notes["x,y"]"#, json!({})),
        (r#"notes["x,y"]["\"q\""].a"#, json!(1)),
        ("last", json!(1)),
    ];
    let dropped = ["registration.entries[5004].name", "registration.day", "meeting", "met", "notes.x", r#"notes["x,y"].z"#, "lifting.lift"];
    let mut dropped = dropped.iter().cycle();
    for (key, value) in &kept {
        desk.set(dropped.next().unwrap(), json!("elsewhere")).await;
        desk.set(key, value.clone()).await;
    }
    let last = 2 * kept.len() as u64;
    let mut late = filtered(&desk, "after=0", paths).await;
    for events in [&mut live, &mut late] {
        let relayed = events.entries_until(last).await;
        assert_eq!(keys(&relayed), kept.each_ref().map(|(key, _)| *key));
        let numbers: Vec<u64> = relayed.iter().map(number).collect();
        assert_eq!(numbers, (1..=last).filter(|number| number % 2 == 0).collect::<Vec<_>>(), "kept entries keep their numbers");
    }
}

async fn a_filtered_snapshot_is_cut_to_its_paths(server: TestServer) {
    let desk = server.meet().await;
    desk.set("meet", json!({"name": "Open", "city": "Bern"})).await;
    desk.set("registration.entries", json!({"5003": {"name": "Ada", "squatKg": [180, 190]}, "5004": {"name": "Bo"}})).await;
    desk.set("lifting", json!({"lift": "S"})).await;
    let cuts = [
        ("meet", json!({"meet": {"name": "Open", "city": "Bern"}})),
        ("meet.name,lifting", json!({"meet": {"name": "Open"}, "lifting": {"lift": "S"}})),
        ("registration.entries.5003.name", json!({"registration": {"entries": {"5003": {"name": "Ada"}}}})),
        // An element by itself would not say where it stands.
        ("registration.entries.5003.squatKg.1", json!({"registration": {"entries": {"5003": {"squatKg": [180, 190]}}}})),
        ("nothing.here,meet.city", json!({"meet": {"city": "Bern"}})),
        ("nothing.here", json!({})),
    ];
    for (paths, cut) in cuts {
        let mut events = filtered(&desk, "snapshot=1", paths).await;
        assert_eq!(number(&events.expect("hello").await.json), 3);
        assert_eq!(events.expect("state").await.json["state"], cut, "{paths}");
    }
}

/// The only test that waits for a real heartbeat, so it looks at everything that one says.
async fn heartbeats_say_where_a_reader_is_and_what_an_editor_should_have(server: TestServer) {
    let desk = meet_of_three(&server).await;
    let viewer = desk.viewer().await;
    let opened = Instant::now();
    let mut whole = desk.events("").await;
    let mut part = filtered(&desk, "", "elsewhere").await;
    let mut seen = viewer.events("").await;
    for events in [&mut whole, &mut seen] {
        events.entries_until(3).await;
    }
    part.expect("hello").await;
    desk.set("lot", json!(4)).await;
    for events in [&mut whole, &mut seen] {
        events.expect("update-relay").await;
    }
    let state = desk.state().await;
    for (events, is_editor, is_whole) in [(&mut whole, true, true), (&mut part, true, false), (&mut seen, false, true)] {
        let heartbeat = events.expect("heartbeat").await;
        assert_eq!(heartbeat.id, state["cursor"], "it moves the cursor over what a filter dropped");
        assert_eq!(heartbeat.json["cursor"], state["cursor"]);
        assert_eq!(heartbeat.json["headSeqNum"], 4);
        assert!(heartbeat.json["serverTime"].is_string());
        assert_eq!(heartbeat.json.get("ticketVersion").is_some(), is_editor);
        let hash = (is_editor && is_whole).then_some(&state["stateHash"]);
        assert_eq!(heartbeat.json.get("stateHash"), hash);
    }
    let waited = opened.elapsed();
    assert!(waited >= Duration::from_secs(15), "a heartbeat came after {waited:?}");
    desk.set("elsewhere", json!(5)).await;
    let mut resumed = resume(&desk, "", state["cursor"].as_str().unwrap()).await;
    assert_gapless(&resumed.entries_until(5).await, 5);
}

async fn a_batch_arrives_as_one_relay_however_large_it_is(server: TestServer) {
    let desk = server.meet().await;
    let mut live = desk.events("").await;
    live.expect("hello").await;
    // More entries than a page has by default, and more bytes than are kept ready for streams.
    for (size, value) in [(5, json!(1)), (1_500, json!("x".repeat(1_000)))] {
        let first = number(&desk.state().await) + 1;
        desk.push(batch(size, &value)).await.expect(200);
        let relay = live.expect("update-relay").await;
        assert_eq!(entries(&relay).len(), size);
        assert_gapless(entries(&relay), first);
        assert!(entries(&relay).iter().all(|entry| entry["commit"] == first));
        let mut late = desk.events(&format!("after={}", first - 1)).await;
        late.expect("hello").await;
        assert_eq!(entries(&late.expect("update-relay").await), entries(&relay));
    }
}

async fn a_page_ends_where_a_commit_ends(server: TestServer) {
    let desk = server.meet().await;
    let sizes = [1, 3, 1, 5, 2];
    let ends: Vec<u64> = sizes.iter().scan(0, |end, size| Some((*end += size, *end).1)).collect();
    for size in sizes {
        desk.push(batch(usize::try_from(size).unwrap(), &json!(ends))).await.expect(200);
    }
    for limit in 1..=13 {
        let mut cursor = "0".to_owned();
        let mut relayed = Vec::new();
        loop {
            let page = desk.get(&desk.of_meet(&format!("/updates?after={cursor}&limit={limit}"))).await.expect(200);
            let entries = page["updatesRelayed"].as_array().unwrap();
            assert!(!entries.is_empty() && ends.contains(&number(&page)), "limit {limit} ends at {}", page["serverSeqNum"]);
            assert!(entries.len() <= limit || entries.iter().all(|entry| entry["commit"] == entries[0]["commit"]));
            assert_eq!(page["more"], number(&page) < 12);
            relayed.extend(entries.iter().cloned());
            page["cursor"].as_str().unwrap().clone_into(&mut cursor);
            if page["more"] == false {
                break;
            }
        }
        assert_gapless(&relayed, 1);
        assert_eq!(relayed.len(), 12);
    }
}

async fn the_same_objects_come_as_lines_where_lines_are_asked_for(server: TestServer) {
    let desk = meet_of_three(&server).await;
    let request = |query: &str, accept: &str| {
        desk.request(Method::GET, &desk.of_meet(&format!("/events?snapshot=1&maxSeconds=1{query}"))).header("Accept", accept)
    };
    let asked = [
        ("", "application/x-ndjson"),
        ("&format=ndjson", "*/*"),
        ("&format=ndjson", "text/event-stream"),
        ("", "application/x-ndjson, */*;q=0.1"),
    ];
    for objects in futures_util::future::join_all(asked.map(|(query, accept)| lines(request(query, accept)))).await {
        assert_eq!(objects.iter().map(|object| object["msgType"].as_str().unwrap()).collect::<Vec<_>>(), ["HELLO", "STATE"]);
        assert!(objects.iter().all(|object| object["cursor"].as_str().unwrap().starts_with("3-")), "what SSE has as id is in the object");
    }
    for (query, accept) in
        [("", "*/*"), ("", "text/*"), ("", "application/x-ndjson, text/event-stream"), ("&format=sse", "application/x-ndjson")]
    {
        Events::open(request(query, accept)).await.expect("hello").await;
    }
    desk.send(request("", "application/json")).await.problem(406, "not-acceptable");
    desk.send(request("&format=xml", "*/*")).await.problem(422, "invalid-request");
}

async fn lines_go_on_with_every_commit(server: TestServer) {
    let desk = server.meet().await;
    let mut lines = RawStream::open(&desk, "format=ndjson").await;
    lines.head().await;
    assert_eq!(lines.object().await.unwrap()["msgType"], "HELLO");
    for lot in 1..=3 {
        desk.set("lot", json!(lot)).await;
        let relay = lines.object().await.unwrap();
        assert_eq!(relay["msgType"], "UPDATE_RELAY");
        assert_gapless(relay["updatesRelayed"].as_array().unwrap(), lot);
    }
}

/// Some proxies hold back the first kilobytes of a response.
async fn padding_fills_a_proxys_buffer_and_means_nothing(server: TestServer) {
    let desk = meet_of_three(&server).await;
    for (format, kib) in [("sse", 1), ("sse", 64), ("ndjson", 1), ("ndjson", 16)] {
        let mut stream = RawStream::open(&desk, &format!("snapshot=1&format={format}&padding={kib}")).await;
        stream.head().await;
        let mut padding = 0;
        let mut said = Vec::new();
        while said.len() < 2 {
            let line = stream.line().await.unwrap();
            let is_padding = if format == "sse" { line.starts_with(':') } else { line.trim().is_empty() };
            if is_padding {
                assert_eq!(said.len(), 1, "padding comes behind HELLO");
                padding += line.len() + 1;
            }
            let json = line.strip_prefix("data: ").or((format == "ndjson" && !is_padding).then_some(&line));
            said.extend(json.map(|json| serde_json::from_str::<Value>(json).unwrap()["msgType"].clone()));
        }
        assert_eq!(said, ["HELLO", "STATE"]);
        assert_eq!(padding, kib * 1024, "{format}");
    }
    let mut padded = desk.events("padding=16").await;
    padded.expect("hello").await;
    assert_gapless(&padded.entries_until(3).await, 1);
    desk.get(&desk.of_meet("/events?padding=65")).await.problem(422, "invalid-request");
}

/// For proxies that pass nothing on before a response has ended.
async fn a_stream_ends_by_itself_when_it_was_asked_to(server: TestServer) {
    let desk = meet_of_three(&server).await;
    let opened = Instant::now();
    let objects = lines(desk.request(Method::GET, &desk.of_meet("/events?maxSeconds=1&format=ndjson"))).await;
    let lasted = opened.elapsed();
    assert!((Duration::from_millis(950)..Duration::from_secs(4)).contains(&lasted), "{lasted:?}");
    let types: Vec<_> = objects.iter().map(|object| &object["msgType"]).collect();
    assert_eq!(types[0], "HELLO");
    assert!(types[1..].iter().all(|kind| *kind == "UPDATE_RELAY"), "it just ends: {types:?}");
    for wrong in ["0", "-1", "86401", "1.5", "soon"] {
        desk.get(&desk.of_meet(&format!("/events?maxSeconds={wrong}"))).await.problem(422, "invalid-request");
    }
}

async fn a_cursor_of_another_history_gets_the_state_to_start_over_from(server: TestServer) {
    let desk = meet_of_three(&server).await;
    let viewer = desk.viewer().await;
    let lost = foreign(&cursor_at(&desk, 2).await);
    for reader in [&desk, &viewer] {
        for by_header in [false, true] {
            let head = reader.state().await;
            let mut events = if by_header { resume(reader, "", &lost).await } else { reader.events(&format!("after={lost}")).await };
            let hello = events.expect("hello").await;
            let reset = events.expect("reset").await;
            let state = events.expect("state").await;
            assert!([hello.id, reset.id, state.id].iter().all(|id| head["cursor"] == **id));
            assert_eq!(reset.json["cursor"], head["cursor"]);
            assert!(reset.json["reason"].as_str().unwrap().contains(&lost), "{}", reset.json);
            assert_eq!((&state.json["state"], &state.json["stateHash"]), (&head["state"], &head["stateHash"]));
            let next = desk.set("lot", json!("on it goes")).await;
            assert_gapless(&events.entries_until(next).await, next);
        }
    }
    let mut events = filtered(&desk, &format!("after={lost}"), "elsewhere").await;
    events.expect("hello").await;
    events.expect("reset").await;
    assert_eq!(events.expect("state").await.json["state"], json!({}), "the state is cut here too");
}

async fn an_editor_above_the_head_is_asked_for_its_entries_and_stays(server: TestServer) {
    let desk = meet_of_three(&server).await;
    let head = desk.state().await["cursor"].clone();
    for lost in ["4", "9-0a1b2c3d"] {
        let mut events = desk.events(&format!("after={lost}")).await;
        events.expect("hello").await;
        let pull = events.expect("server-pull").await;
        assert_eq!(pull.json["lastServerSeq"].as_u64().unwrap(), number(&desk.state().await));
        assert_eq!(pull.json["cursor"] == head, lost == "4");
        if lost == "4" {
            assert_eq!(pull.id, pull.json["cursor"], "a bare number tells nothing of what its reader has");
            let next = desk.set("lot", json!(lost)).await;
            assert_gapless(&events.entries_until(next).await, next);
            continue;
        }
        assert_eq!(pull.id, lost, "a reader that comes back is compared with the log again");
        while desk.set("lot", json!(lost)).await < 9 {}
        events.expect("reset").await;
        assert_eq!(number(&events.expect("state").await.json), 9);
        let next = desk.set("lot", json!(null)).await;
        assert_gapless(&events.entries_until(next).await, 10);
    }
}

/// A viewer has nothing to give back, so it only starts over.
async fn a_viewer_above_the_head_is_reset(server: TestServer) {
    let desk = meet_of_three(&server).await;
    let viewer = desk.viewer().await;
    let mut events = viewer.events("after=9").await;
    assert_eq!(number(&events.expect("hello").await.json), 3);
    events.expect("reset").await;
    assert_eq!(events.expect("state").await.json["state"], json!({"lot": 3}));
    let next = desk.set("lot", json!(4)).await;
    assert_gapless(&events.entries_until(next).await, 4);
}

/// The stream says why it ends, and ends.
async fn assert_ends(events: &mut Events, reason: &str) -> Value {
    let end = events.expect("end").await;
    assert_eq!(end.json["reason"], reason);
    assert_eq!(end.id, end.json["cursor"]);
    assert!(events.try_next().await.is_none(), "END is the last event");
    end.json
}

async fn leaving_ends_the_streams_of_that_session_and_no_others(server: TestServer) {
    let desk = meet_of_three(&server).await;
    let again = desk.rejoin().await;
    let (mut first, mut second, mut other) =
        (desk.events("after=now").await, desk.events("after=now").await, again.events("after=now").await);
    for events in [&mut first, &mut second, &mut other] {
        events.expect("hello").await;
    }
    desk.delete(&desk.of_meet("/session")).await.expect(204);
    for mut events in [first, second] {
        let end = assert_ends(&mut events, "revoked").await;
        assert_eq!(end.get("retryAfterSeconds"), None, "coming back does not help");
        assert!(end["cursor"].as_str().unwrap().starts_with("3-"));
    }
    desk.get(&desk.of_meet("/events")).await.problem(401, "invalid-session");
    let next = again.set("lot", json!(4)).await;
    assert_gapless(&other.entries_until(next).await, 4);
}

async fn a_stream_ends_when_its_session_has_lived_its_time(server: TestServer) {
    const WEEK: i64 = 7 * 86_400_000;
    let desk = server.meet().await;
    server.clock.set_ahead(WEEK - 1_500);
    let mut events = desk.events("after=now").await;
    events.expect("hello").await;
    desk.set("lot", json!("in time")).await;
    events.expect("update-relay").await;
    let end = assert_ends(&mut events, "expired").await;
    assert_eq!(end.get("retryAfterSeconds"), None);
    desk.get(&desk.of_meet("/events")).await.problem(401, "invalid-session");
}

async fn a_server_that_stops_says_when_to_come_back(server: TestServer) {
    let desk = meet_of_three(&server).await;
    let mut events = desk.events("after=now").await;
    events.expect("hello").await;
    server.app.stopping.cancel();
    let end = assert_ends(&mut events, "shutdown").await;
    assert!(end["retryAfterSeconds"].as_u64().unwrap() >= 1);
}

async fn nothing_on_the_way_is_to_keep_or_hold_a_stream(server: TestServer) {
    let desk = server.meet().await;
    for query in ["", "format=ndjson", "snapshot=1", "after=99"] {
        let response = desk.request(Method::GET, &desk.of_meet(&format!("/events?{query}"))).send().await.unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let cache_control = header("cache-control");
        let directives: BTreeSet<_> = cache_control.split(", ").collect();
        assert_eq!(directives, BTreeSet::from(["no-store", "no-transform"]), "{query}");
        assert_eq!(header("x-accel-buffering"), "no");
    }
}

/// A large snapshot takes a while to arrive, and others go on writing.
async fn nothing_is_missed_while_a_snapshot_is_on_its_way(server: TestServer) {
    let desk = server.meet().await;
    for n in 0..20 {
        desk.set(&format!("page{n}"), json!("x".repeat(200 * 1024))).await;
    }
    let mut stream = desk.events("snapshot=1").await;
    for n in 1..=5 {
        desk.set("lot", json!(n)).await;
    }
    stream.expect("hello").await;
    assert_eq!(stream.expect("state").await.json["serverSeqNum"], 20);
    desk.set("lot", json!(6)).await;
    assert_gapless(&stream.entries_until(26).await, 21);
}

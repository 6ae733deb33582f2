//! The WebSocket: what it follows, whom it lets speak, how it ends.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use crate::support::client::PASSWORD;
use crate::support::clock::StoppedClock;
use crate::support::process::Process;
use crate::support::server::options;
use crate::support::socket::Socket;
use crate::support::stream::assert_gapless;
use crate::support::tls::Identity;
use crate::support::{Client, TestServer};

fn pull(token: &str, rest: Value) -> Value {
    let mut message = rest;
    message["msgType"] = json!("CLIENT_PULL");
    message["sessionToken"] = json!(token);
    message
}

fn update(value: u64) -> Value {
    json!({"msgType": "UPDATE_INIT", "updates": [{"updateKey": "lot", "updateValue": value}]})
}

#[tokio::test]
async fn whoever_joins_follows_from_the_head_on() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.set("lot", json!(1)).await;
    let mut socket = server.socket().await;
    let joined =
        socket.ask(&json!({"msgType": "JOIN_MEET", "meetId": desk.meet, "password": PASSWORD, "locationName": "platform 1"})).await;
    let hello = socket.expect("HELLO").await;
    assert_eq!((&hello["serverSeqNum"], &hello["cursor"], &hello["role"]), (&json!(1), &joined["cursor"], &json!("editor")));
    assert_eq!(hello["ticketVersion"], joined["ticketVersion"]);
    desk.set("lot", json!(2)).await;
    let relay = socket.expect("UPDATE_RELAY").await;
    assert_gapless(relay["updatesRelayed"].as_array().unwrap(), 2);

    // What it says from now on is said by the session that it opened, and comes back to it as well.
    assert_eq!(socket.ask(&update(3)).await["updateAcks"][0]["serverSeqNum"], 3);
    assert_eq!(socket.entries_until(3).await[0]["locationName"], "platform 1");
    assert_eq!(desk.pull(2).await["updatesRelayed"][0]["clientId"], joined["clientId"]);
}

/// Whoever joins while others write gets everything behind the head that it was told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missed_between_joining_and_following() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let stop = CancellationToken::new();
    let writing = tokio::spawn({
        let (desk, stop) = (desk.clone(), stop.clone());
        async move {
            for lot in 0.. {
                if stop.is_cancelled() {
                    return desk.set("lot", json!("the last one")).await;
                }
                desk.set("lot", json!(lot)).await;
            }
            unreachable!()
        }
    });
    let mut joined = Vec::new();
    for _ in 0..12 {
        let mut socket = server.socket().await;
        let join = json!({"msgType": "JOIN_MEET", "meetId": desk.meet, "password": PASSWORD, "locationName": "platform 1"});
        let session = socket.ask(&join).await;
        joined.push((socket, session["serverSeqNum"].as_u64().unwrap()));
    }
    stop.cancel();
    let last = writing.await.unwrap();
    for (mut socket, head) in joined {
        let hello = socket.expect("HELLO").await;
        assert_eq!(hello["serverSeqNum"], head);
        let entries = socket.entries_until(last).await;
        assert_gapless(&entries, head + 1);
        assert_eq!(head + entries.len() as u64, last);
    }
}

#[tokio::test]
async fn a_pull_sets_the_place_and_a_later_one_replaces_it() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    for lot in 1..=3 {
        desk.set("lot", json!(lot)).await;
    }
    desk.set("flight", json!("A")).await;
    let mut socket = Socket::following(&desk, 1).await;
    assert_gapless(&socket.entries_until(4).await, 2);

    // A cursor as well as a number; the head where nothing is said.
    let cursor = desk.pull(0).await["cursor"].clone();
    for (rest, from) in [(json!({"lastServerSeq": cursor}), 4), (json!({}), 4), (json!({"lastServerSeq": 0}), 0)] {
        socket.send(&pull(&desk.token, rest)).await;
        assert_eq!(socket.expect("HELLO").await["serverSeqNum"], from);
    }
    assert_gapless(&socket.entries_until(4).await, 1);

    socket.send(&pull(&desk.token, json!({"snapshot": true, "paths": ["lot"]}))).await;
    assert_eq!(socket.expect("HELLO").await["serverSeqNum"], 4);
    assert_eq!(socket.expect("STATE").await["state"], json!({"lot": 3}));
    desk.set("flight", json!("B")).await;
    desk.set("lot", json!(9)).await;
    let relay = socket.expect("UPDATE_RELAY").await;
    assert_eq!((&relay["updatesRelayed"][0]["updateKey"], &relay["serverSeqNum"]), (&json!("lot"), &json!(6)));

    for (rest, pointer) in [(json!({"paths": ["lot", "a..b"]}), "/paths/1"), (json!({"paths": vec!["a"; 65]}), "/paths")] {
        let refused = socket.ask(&pull(&desk.token, rest)).await;
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
}

/// A socket that changes its meet hears of the new one only.
#[tokio::test]
async fn one_meet_at_a_time() {
    let server = TestServer::start().await;
    let (first, second) = (server.meet().await, server.meet().await);
    let mut socket = Socket::following(&first, 0).await;
    socket.send(&pull(&second.token, json!({"lastServerSeq": 0}))).await;
    assert_eq!(socket.expect("HELLO").await["meetId"], second.session["meetId"]);
    first.set("lot", json!(1)).await;
    second.set("lot", json!(2)).await;
    assert_eq!(socket.expect("UPDATE_RELAY").await["updatesRelayed"][0]["updateValue"], 2);
    // Each message says who speaks.
    let mut of_first = update(3);
    of_first["sessionToken"] = json!(first.token);
    assert_eq!(socket.ask(&of_first).await["updateAcks"][0]["serverSeqNum"], 2);
    assert_eq!(first.pull(1).await["updatesRelayed"][0]["updateValue"], 3);
}

#[tokio::test]
async fn a_lost_history_is_told_in_band() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.set("lot", json!(1)).await;
    let mut socket = server.socket().await;
    socket.send(&pull(&desk.token, json!({"lastServerSeq": "1-00000000"}))).await;
    socket.expect("HELLO").await;
    let reset = socket.expect("RESET").await;
    let state = socket.expect("STATE").await;
    assert_eq!((&state["cursor"], &state["state"]), (&reset["cursor"], &json!({"lot": 1})));
    // A viewer cannot give anything back, so it starts over where an editor would be asked.
    let viewer = desk.viewer().await;
    socket.send(&pull(&viewer.token, json!({"lastServerSeq": 9}))).await;
    assert_eq!(socket.expect("HELLO").await["role"], "viewer");
    socket.expect("RESET").await;
}

#[tokio::test]
async fn view_keys_read_over_a_socket_and_nothing_else() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.set("registration.entries[5000]", json!({"name": "Ada Ashdown", "age": 42})).await;
    let viewer = desk.viewer().await;
    let mut socket = Socket::try_open(&server.url, &format!("?key={}", viewer.token), &[]).await.unwrap();
    socket.send(&json!({"msgType": "CLIENT_PULL", "lastServerSeq": 0})).await;
    assert_eq!(socket.expect("HELLO").await["role"], "viewer");
    assert_eq!(socket.expect("UPDATE_RELAY").await["updatesRelayed"][0]["updateValue"], json!({"name": "Ada Ashdown"}));
    assert_eq!(socket.ask(&update(1)).await["code"], "read-only");
    let info = desk.get(&desk.of_meet("")).await.expect(200);
    assert_eq!(info["viewers"], 1);
}

#[tokio::test]
async fn the_end_of_a_session_is_told_and_closes_the_socket() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let leaver = desk.join("platform 1").await;
    let mut socket = Socket::following(&leaver, 0).await;
    leaver.delete(&leaver.of_meet("/session")).await.expect(204);
    assert_eq!(socket.expect("END").await["reason"], "revoked");
    assert_eq!(socket.closed().await.0, CloseCode::Policy);

    let viewer = desk.viewer().await;
    let mut socket = Socket::following(&viewer, 0).await;
    desk.delete(&desk.of_meet(&format!("/view-keys/{}", viewer.session["keyId"].as_str().unwrap()))).await.expect(204);
    assert_eq!(socket.expect("END").await["reason"], "revoked");
    assert_eq!(socket.closed().await, (CloseCode::Policy, "the session or view key was ended".to_owned()));

    // A second before its week is over.
    server.clock.set_ahead(7 * 86_400_000 - 1_000);
    let mut socket = Socket::following(&desk, 0).await;
    assert_eq!(socket.expect("END").await["reason"], "expired");
    assert_eq!(socket.closed().await.0, CloseCode::Policy);
}

/// A stream of a finished meet stays open, and so does its socket.
#[tokio::test]
async fn a_finished_meet_is_told_and_the_socket_stays() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let mut socket = Socket::following(&desk, 0).await;
    let mut other = Socket::following(&desk.viewer().await, 0).await;
    let mut update = update(1);
    update["sessionToken"] = json!(desk.token);
    socket.ask(&update).await;
    let finished = socket.ask(&json!({"msgType": "FINISH_MEET", "sessionToken": desk.token})).await;
    for socket in [&mut socket, &mut other] {
        assert_gapless(&socket.entries_until(1).await, 1);
        let end = socket.expect("END").await;
        assert_eq!((&end["reason"], &end["cursor"]), (&json!("finished"), &finished["cursor"]));
    }
    let clock = StoppedClock::stop();
    clock.advance(Duration::from_secs(16)).await;
    assert_eq!(other.expect("HEARTBEAT").await["headSeqNum"], 1);
    drop(clock);
    socket.send(&pull(&desk.token, json!({"lastServerSeq": 0}))).await;
    while socket.next().await["msgType"] != "HELLO" {}
    assert_gapless(&socket.entries_until(1).await, 1);
    assert_eq!(socket.expect("END").await["reason"], "finished");
}

#[tokio::test]
async fn a_socket_whose_session_has_ended_can_join_again() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let mut socket = server.socket().await;
    let join = json!({"msgType": "JOIN_MEET", "meetId": desk.meet, "password": PASSWORD, "locationName": "platform 1"});
    assert_eq!(socket.ask(&pull("made up", json!({}))).await["msgType"], "INVALID_SESSION");
    assert_eq!(socket.ask(&join).await["msgType"], "MEET_JOINED");
    socket.expect("HELLO").await;
}

#[tokio::test]
async fn a_server_that_stops_says_so_to_every_socket() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::start(folder.path());
    let desk = server.stranger().create_as("desk").await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(Socket::following(&desk, 0).await);
    }
    let mut idle = Socket::open(&server.url).await;
    server.signal("TERM");
    for mut socket in sockets {
        let end = socket.expect("END").await;
        assert_eq!(end["reason"], "shutdown");
        assert!(end["retryAfterSeconds"].as_u64().unwrap() >= 1);
        assert_eq!(socket.closed().await.0, CloseCode::Away);
    }
    assert_eq!(idle.closed().await.0, CloseCode::Away);
    let (status, _, stderr) = server.wait();
    assert!(status.success() && !stderr.contains("were cut"), "{stderr}");
}

#[tokio::test]
async fn messages_have_a_size_and_are_text() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let mut socket = Socket::following(&desk, 0).await;
    socket.socket.send(Message::binary(b"{}".to_vec())).await.unwrap();
    assert!(socket.answer().await["errMsg"].as_str().unwrap().contains("text frame"));
    socket.socket.send(Message::Ping(b"still there?".to_vec().into())).await.unwrap();
    assert_eq!(socket.ask(&update(1)).await["msgType"], "INVALID_SESSION", "a pull lends its token to nobody");

    let large = |bytes: usize| json!({"msgType": "UPDATE_INIT", "sessionToken": desk.token, "updates": [], "padding": "x".repeat(bytes)});
    assert_eq!(socket.ask(&large(4_100_000)).await["msgType"], "UPDATE_ACK");
    let refused = socket.ask(&large(4_200_000)).await;
    assert_eq!((&refused["code"], &refused["status"]), (&json!("too-large"), &json!(413)));
    assert_eq!(socket.closed().await.0, CloseCode::Size);
    desk.set("lot", json!(1)).await;
}

#[tokio::test]
async fn who_says_goodbye_is_answered() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    for mut socket in [server.socket().await, Socket::following(&desk, 0).await] {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "the meet is over".into() };
        socket.socket.close(Some(frame)).await.unwrap();
        assert_eq!(socket.closed().await.0, CloseCode::Normal);
    }
}

#[tokio::test]
async fn what_is_no_frame_is_told_by_its_code() {
    let server = TestServer::start().await;
    // Masked with zeros: a text that is not UTF-8, an opcode that is none, a reserved bit, a ping that is too long.
    let frames: [(&[u8], CloseCode); 4] = [
        (b"\x81\x82\0\0\0\0\xff\xfe", CloseCode::Invalid),
        (b"\x83\x80\0\0\0\0", CloseCode::Protocol),
        (b"\xc1\x80\0\0\0\0", CloseCode::Protocol),
        (b"\x89\xfe\0\x7e\0\0\0\0", CloseCode::Protocol),
    ];
    for (bytes, code) in frames {
        let mut socket = server.socket().await;
        let padded = [bytes, &[0; 126]].concat();
        socket.socket.get_mut().write_all(&padded).await.unwrap();
        assert_eq!(socket.closed().await.0, code, "{bytes:?}");
    }
}

/// Half a message takes room in the server, so it may not stay half for ever, whatever else comes in between.
#[tokio::test]
async fn a_large_message_has_to_arrive_in_time() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let mut socket = Socket::following(&desk, 0).await;
    let clock = StoppedClock::stop();
    // The first frame of a text, with more to come.
    let mut half = b"\x01\xff\0\0\0\0\0\x10\0\0\0\0\0\0".to_vec();
    half.resize(half.len() + 0x10_0000, b' ');
    socket.socket.get_mut().write_all(&half).await.unwrap();
    let told = loop {
        clock.advance(Duration::from_secs(16)).await;
        let message = socket.next().await;
        if message["msgType"] != "HEARTBEAT" {
            break message;
        }
    };
    assert_eq!(told["code"], "overloaded", "{told}");
    assert_eq!(socket.closed().await.0, CloseCode::Policy);
}

#[tokio::test]
async fn a_sync_over_a_socket_holds_nothing_up() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let mut socket = Socket::following(&desk, 0).await;
    let started = Instant::now();
    let synced = socket.ask(&json!({"msgType": "SYNC", "sessionToken": desk.token, "after": 0, "wait": 25})).await;
    assert_eq!(synced["msgType"], "SYNC_RESULT", "{synced}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn wrong_keys_are_told_from_missing_ones() {
    let server = TestServer::start().await;
    let refused = Socket::try_open(&server.url, "?key=made-up", &[]).await;
    let Err(Error::Http(response)) = refused.map(|_| ()) else { panic!("a made-up view key was taken") };
    assert_eq!(response.status(), 401);
    let stranger = server.stranger();
    let told = stranger.with_token("made-up").post("/v1/messages", &update(1)).await.problem(401, "invalid-session");
    assert!(!told["detail"].as_str().unwrap().contains("no token"), "{told}");
}

#[tokio::test]
async fn sockets_go_over_tls() {
    let identity = Identity::new();
    let server = TestServer::secure(&identity.tls(), options());
    let desk = identity.client(&server.url).create_as("desk").await;
    let connection = identity.connect(&server.url, &[b"http/1.1"]).await;
    let mut socket = Socket::on(connection, &server.url, "", &[("origin", &server.url)]).await.unwrap();
    let mut update = update(1);
    update["sessionToken"] = json!(desk.token);
    assert_eq!(socket.ask(&update).await["updateAcks"][0]["serverSeqNum"], 1);
    socket.send(&pull(&desk.token, json!({"lastServerSeq": 0}))).await;
    assert_gapless(&socket.entries_until(1).await, 1);
    server.app.stopping.cancel();
    assert_eq!(socket.expect("END").await["reason"], "shutdown");
    assert_eq!(socket.closed().await.0, CloseCode::Away);
}

/// Browsers let any page open a socket, and leave it to the server to look where the page comes from.
#[tokio::test]
async fn pages_from_elsewhere_only_read() {
    let mut options = options();
    options.allow_origins = vec!["https://openlifter.example.org".to_owned()];
    let server = TestServer::with(options).await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let own = server.url.clone();
    for (origin, may_write) in
        [(own.as_str(), true), ("https://openlifter.example.org", true), ("https://elsewhere.example.org", false), ("null", false)]
    {
        let mut socket = Socket::try_open(&server.url, "", &[("origin", origin)]).await.unwrap();
        let mut update = update(1);
        update["sessionToken"] = json!(desk.token);
        let answer = socket.ask(&update).await;
        assert_eq!(answer["msgType"] == "UPDATE_ACK", may_write, "{origin}: {answer}");
        assert_eq!(answer["code"] == "read-only", !may_write, "{origin}: {answer}");
        if !may_write {
            assert!(answer["detail"].as_str().unwrap().contains("--allow-origin"));
            assert_eq!(socket.ask(&Client::creation("desk")).await["code"], "invalid-request");
            let mut creation = Client::creation("desk");
            creation["msgType"] = json!("CREATE_MEET");
            assert_eq!(socket.ask(&creation).await["code"], "read-only");
        }
        socket.send(&pull(&viewer.token, json!({"lastServerSeq": 0}))).await;
        assert_eq!(socket.expect("HELLO").await["role"], "viewer");
    }
}

#[tokio::test]
async fn without_an_upgrade_there_is_no_socket() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let refused = desk.get("/v1/socket").await.problem(422, "invalid-request");
    assert!(refused["detail"].as_str().unwrap().contains("/v1/messages"), "{refused}");
    let refused = Socket::try_open(&server.url, &format!("?key={}", desk.token), &[]).await;
    let Err(Error::Http(response)) = refused.map(|_| ()) else { panic!("a session token in a URL was taken") };
    assert_eq!(response.status(), 401);
    desk.request(Method::POST, "/v1/socket").send().await.unwrap().error_for_status().unwrap_err();
}

/// A client that has gone without a word answers no pings; one that wants nothing only takes up room.
#[tokio::test]
async fn dead_and_idle_sockets_are_closed() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let gone = Socket::following(&desk, 0).await;
    let mut idle = server.socket().await;
    let mut alive = Socket::following(&desk, 0).await;
    let clock = StoppedClock::stop();
    let mut end = None;
    for _ in 0..8 {
        clock.advance(Duration::from_secs(16)).await;
        // Both answer the ping before the clock moves on.
        end = match idle.socket.next().await {
            Some(Ok(Message::Close(frame))) => frame,
            Some(Ok(_)) => end,
            _ => break,
        };
        alive.send(&json!({"msgType": "CLIENT_PULL", "sessionToken": desk.token})).await;
        while alive.next().await["msgType"] != "HELLO" {}
    }
    drop(clock);
    assert!(gone.rest().await.ends_with("no pong came"));
    let end = end.expect("the idle one was told");
    assert!(end.code == CloseCode::Policy && end.reason.starts_with("join a meet or pull"), "{end}");
    desk.set("lot", json!(1)).await;
    assert_eq!(alive.entries_until(1).await.len(), 1);
}

#[tokio::test]
async fn sockets_that_end_leave_nothing_behind() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let viewers = async || desk.get(&desk.of_meet("")).await.expect(200)["viewers"].as_u64().unwrap();
    let mut closed = Socket::following(&viewer, 0).await;
    let cut = Socket::following(&viewer, 0).await;
    assert_eq!(viewers().await, 2);
    closed.socket.close(None).await.unwrap();
    drop(cut);
    let started = Instant::now();
    while viewers().await > 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "a socket is still counted");
    }
}

//! Through nginx and Caddy with the files of `deploy/`: nothing is held back, cut short or mixed up on the way.

use std::net::IpAddr;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::Client;
use crate::support::address::free_address;
use crate::support::client::PASSWORD;
use crate::support::process::Process;
use crate::support::proxy::{Kind, Proxy};
use crate::support::socket::Socket;
use crate::support::stream::Events;

/// The program with a proxy in front.
struct Hall {
    process: Process,
    proxy: Proxy,
    folder: TempDir,
}

impl Hall {
    fn open(kind: Kind) -> Hall {
        let folder = tempdir().unwrap();
        let process = Process::start_with(folder.path(), &["--listen", &free_address().to_string(), "--trusted-proxy", "127.0.0.1"]);
        let proxy = Proxy::start(kind, &process.url);
        Hall { process, proxy, folder }
    }

    /// A new meet, created through the proxy.
    async fn meet(&self) -> Client {
        Client::new(&self.proxy.url).create_as("desk").await
    }

    /// The server, which was told to stop, ends and comes back at the same address.
    fn restart(self) -> Hall {
        let address = self.process.url.trim_start_matches("http://").to_owned();
        assert!(self.process.wait().0.success());
        let process = Process::start_with(self.folder.path(), &["--listen", &address, "--trusted-proxy", "127.0.0.1"]);
        Hall { process, ..self }
    }
}

/// A heartbeat comes after 15 s at the earliest and would push out what a buffer holds: events must be there before it.
#[tokio::test]
async fn events_come_at_once() {
    for kind in Kind::ALL {
        let hall = Hall::open(kind);
        let desk = hall.meet().await;
        let mut events = desk.events("").await;
        events.expect("hello").await;
        for n in 1..=3 {
            desk.set("meet.day", json!(n)).await;
            let relay = events.expect("update-relay").await;
            assert_eq!(relay.json["updatesRelayed"][0]["updateValue"], n, "{kind:?}");
        }
    }
}

/// The page that a proxy serves is the server's own, so it may write.
#[tokio::test]
async fn sockets_pass_and_know_where_they_come_from() {
    for kind in Kind::ALL {
        let hall = Hall::open(kind);
        let desk = hall.meet().await;
        let mut socket = Socket::try_open(&hall.proxy.url, "", &[("origin", &hall.proxy.url)]).await.unwrap();
        socket.send(&json!({"msgType": "CLIENT_PULL", "sessionToken": desk.token, "lastServerSeq": 0})).await;
        socket.expect("HELLO").await;
        for n in 1..=3 {
            let update = json!({"updateKey": "meet.day", "updateValue": n});
            let answer = socket.ask(&json!({"msgType": "UPDATE_INIT", "sessionToken": desk.token, "updates": [update]})).await;
            assert_eq!(answer["updateAcks"][0]["serverSeqNum"], n, "{kind:?}: {answer}");
            assert_eq!(socket.entries_until(n).await.len(), 1, "{kind:?}");
        }
        hall.process.signal("TERM");
        assert_eq!(socket.expect("END").await["reason"], "shutdown", "{kind:?}");
    }
}

#[tokio::test]
async fn lines_come_at_once() {
    for kind in Kind::ALL {
        let hall = Hall::open(kind);
        let desk = hall.meet().await;
        let mut response = desk.request(Method::GET, &desk.of_meet("/events?format=ndjson")).send().await.unwrap();
        let mut read = String::new();
        for n in 1..=3 {
            desk.set("meet.day", json!(n)).await;
            let wanted = format!("\"updateValue\":{n}");
            while !read.contains(&wanted) {
                let piece = response.chunk().await.unwrap().unwrap_or_else(|| panic!("{kind:?}: the stream ended after {read}"));
                read.push_str(std::str::from_utf8(&piece).unwrap());
                assert!(!read.contains("HEARTBEAT"), "{kind:?} held lines back: {read}");
            }
        }
        assert!(read.starts_with("{\"msgType\":\"HELLO\""), "{kind:?}: {read}");
    }
}

#[tokio::test]
async fn long_polls_wait_and_are_answered_by_the_next_commit() {
    for kind in Kind::ALL {
        let hall = Hall::open(kind);
        let desk = hall.meet().await;
        let waiting = desk.clone();
        let poll = tokio::spawn(async move { waiting.get(&waiting.of_meet("/updates?after=0&wait=25")).await.expect(200) });
        // Who waits for something counts as a connection of its location.
        while desk.at(&hall.process.url).get(&desk.of_meet("")).await.expect(200)["locations"][0]["online"] != true {}
        desk.join("platform 1").await.set("meet.day", json!(2)).await;
        let page = poll.await.unwrap();
        assert_eq!(page["updatesRelayed"][0]["updateValue"], 2, "{kind:?}: {page}");
        let page = desk.get(&desk.of_meet("/updates?after=1&wait=1")).await.expect(200);
        assert_eq!(page["updatesRelayed"], json!([]), "{kind:?}: {page}");
    }
}

/// A batch of so many updates of 100 KiB each.
fn batch(updates: usize) -> Value {
    let value = "x".repeat(100 * 1024);
    (0..updates).map(|n| json!({"updateKey": format!("load.n{n}"), "updateValue": value, "localSeqNum": n})).collect()
}

#[tokio::test]
async fn the_largest_batches_pass_and_larger_ones_are_refused_in_words() {
    for kind in Kind::ALL {
        let hall = Hall::open(kind);
        let desk = hall.meet().await;
        // 3.9 MiB, and what JSON needs around them.
        let reply = desk.push(batch(40)).await.expect(200);
        assert_eq!(reply["updateAcks"].as_array().unwrap().len(), 40, "{kind:?}");
        let problem = desk.push(batch(46)).await.problem(413, "too-large");
        assert!(problem["detail"].as_str().unwrap().contains("4194304"), "{kind:?}: {problem}");
    }
}

/// Tries a wrong password until the server wants a pause. What the client says of itself in the header changes nothing.
async fn fail_until_refused(client: &Client) {
    for n in 0..40 {
        let body = json!({"password": "not the password", "locationName": "desk"});
        let request = client.request(Method::POST, &client.of_meet("/sessions")).json(&body);
        let reply = client.send(request.header("x-forwarded-for", format!("198.51.100.{n}"))).await;
        if reply.status == 429 {
            return;
        }
        reply.problem(403, "join-rejected");
    }
    panic!("40 wrong passwords, and no end");
}

#[tokio::test]
async fn failed_logins_are_counted_by_client_and_not_by_proxy() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    for kind in Kind::ALL {
        let hall = Hall::open(kind);
        let desk = hall.meet().await.with_token("");
        let (guesser, lifter) = (desk.with_address(address("127.0.0.2")), desk.with_address(address("127.0.0.3")));
        fail_until_refused(&guesser).await;
        let right = json!({"password": PASSWORD, "locationName": "platform 1"});
        lifter.post(&desk.of_meet("/sessions"), &right).await.expect(201);
        let refused = guesser.post(&desk.of_meet("/sessions"), &right).await.problem(429, "rate-limited");
        assert!(refused["retryAfterSeconds"].as_u64() > Some(0), "{kind:?}: {refused}");
    }
}

#[tokio::test]
async fn compression_takes_replies_and_leaves_streams_alone() {
    for kind in Kind::ALL {
        let hall = Hall::open(kind);
        let desk = hall.meet().await;
        desk.set("meet.notes", json!("chalk ".repeat(2_000))).await;
        let packed = |path: &str| desk.request(Method::GET, &desk.of_meet(path)).header("accept-encoding", "gzip");
        let state = packed("/state").send().await.unwrap();
        assert_eq!(state.headers()["content-encoding"], "gzip", "{kind:?}");
        assert!(state.bytes().await.unwrap().len() < 2_000, "{kind:?}");
        let mut events = Events::open(packed("/events")).await;
        assert!(!events.response.headers().contains_key("content-encoding"), "{kind:?}");
        events.expect("hello").await;
        events.expect("update-relay").await;
        desk.set("meet.day", json!(1)).await;
        events.expect("update-relay").await;
        let lines = packed("/events?format=ndjson&maxSeconds=1").send().await.unwrap();
        assert!(!lines.headers().contains_key("content-encoding"), "{kind:?}");
        assert!(lines.text().await.unwrap().contains("chalk chalk"), "{kind:?}");
    }
}

#[tokio::test]
async fn a_reader_is_told_of_a_restart_and_goes_on_where_it_was() {
    for kind in Kind::ALL {
        let hall = Hall::open(kind);
        let desk = hall.meet().await;
        let mut events = desk.events("").await;
        events.expect("hello").await;
        desk.set("meet.day", json!(1)).await;
        let seen = events.expect("update-relay").await.id;
        hall.process.signal("TERM");
        let end = events.expect("end").await;
        assert_eq!((&end.json["reason"], &end.id), (&json!("shutdown"), &seen), "{kind:?}");
        assert!(events.try_next().await.is_none(), "{kind:?}");
        let hall = hall.restart();
        desk.at(&hall.process.url).set("meet.day", json!(2)).await;
        let request = desk.request(Method::GET, &desk.of_meet("/events")).header("last-event-id", &seen);
        let mut events = Events::open(request).await;
        assert_eq!(events.expect("hello").await.id, seen, "{kind:?}");
        let entries = events.entries_until(2).await;
        assert_eq!((entries.len(), &entries[0]["updateValue"]), (1, &json!(2)), "{kind:?}");
    }
}

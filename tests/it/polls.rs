//! Long-polls on HTTP/1, which are answered and heard again by one task for all of a meet. What a client gets must not show who
//! carries it, whatever else comes on its connection.
//!
//! Servers run on several threads here, as the program does.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use liftrelay::http::Options;
use serde_json::{Value, json};

use crate::support::connection::{Connection, Response};
use crate::support::stream::assert_gapless;
use crate::support::{Client, TestServer, plain_and_under_tls};

plain_and_under_tls! {
    #[tokio::test(flavor = "multi_thread")]
    one_connection_asks_for_ever_and_every_answer_is_whole,
    an_answer_has_the_head_of_one_that_did_not_wait,
    requests_behind_a_waiting_poll_are_answered_in_their_order,
    a_request_in_pieces_and_one_of_another_kind_are_answered_on_the_same_connection,
    whoever_may_no_longer_look_is_answered_and_then_refused,
    a_cursor_of_another_history_is_refused_on_a_known_connection,
    a_server_that_stops_answers_and_closes,
    only_those_who_wait_are_there,
    the_end_of_a_meet_is_news_once,
    a_poll_behind_a_large_answer_that_is_not_read_yet_waits_for_its_turn,
    a_large_answer_arrives_whole_however_slowly_it_is_read,
    every_poll_is_counted_once,
    what_the_operator_chooses_counts_from_the_next_request_on,
}

const AT_ONCE: Duration = Duration::from_secs(8);

/// What a client asks from a cursor on, with more headers.
fn poll_with(client: &Client, after: impl std::fmt::Display, headers: &str) -> String {
    let path = client.of_meet(&format!("/updates?after={after}&wait=20"));
    format!("GET {path} HTTP/1.1\r\nHost: hall\r\nAuthorization: Bearer {}\r\n{headers}\r\n", client.token)
}

fn poll(client: &Client, after: impl std::fmt::Display) -> String {
    poll_with(client, after, "")
}

fn info(client: &Client) -> String {
    format!("GET {} HTTP/1.1\r\nHost: hall\r\nAuthorization: Bearer {}\r\n\r\n", client.of_meet(""), client.token)
}

fn page(reply: &Response) -> Value {
    assert_eq!(reply.status, 200, "{}{}", reply.head, reply.body);
    serde_json::from_str(&reply.body).unwrap()
}

/// Returns once so many viewers wait.
async fn until_viewers(desk: &Client, wanted: u64) {
    let started = Instant::now();
    while desk.get(&desk.of_meet("")).await.expect(200)["viewers"] != json!(wanted) {
        assert!(started.elapsed() < AT_ONCE, "not {wanted} viewers");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A connection on which a viewer waits who has asked more than once, so that its requests are known.
async fn waiting(desk: &Client, viewer: &Client) -> (Connection, u64) {
    let mut connection = Connection::of(desk).await;
    let mut after = desk.pull(0).await["headSeqNum"].as_u64().unwrap();
    for _ in 0..2 {
        connection.send(poll(viewer, after)).await;
        until_viewers(desk, 1).await;
        after = desk.set("lot", json!(after)).await;
        assert_eq!(page(&connection.reply().await)["serverSeqNum"], after);
        until_viewers(desk, 0).await;
    }
    connection.send(poll(viewer, after)).await;
    until_viewers(desk, 1).await;
    (connection, after)
}

async fn one_connection_asks_for_ever_and_every_answer_is_whole(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let mut readers = Vec::new();
    for client in [&desk, &viewer, &desk, &viewer] {
        let client = client.clone();
        readers.push(tokio::spawn(async move {
            let mut connection = Connection::of(&client).await;
            let (mut entries, mut cursor, mut ids) = (Vec::new(), "0".to_owned(), HashSet::new());
            while entries.len() < 200 {
                connection.send(poll(&client, &cursor)).await;
                let reply = connection.reply().await;
                assert!(ids.insert(reply.header("x-request-id").unwrap().to_owned()), "every answer has an id of its own");
                let page = page(&reply);
                entries.extend(page["updatesRelayed"].as_array().unwrap().clone());
                cursor = page["cursor"].as_str().unwrap().to_owned();
            }
            entries
        }));
    }
    for lot in 0..200 {
        desk.set("lot", json!(lot)).await;
    }
    for reader in readers {
        let entries = reader.await.unwrap();
        assert_gapless(&entries, 1);
        assert_eq!(entries.len(), 200);
    }
}

/// All headers but those that are an answer's own, in their order.
fn lasting(reply: &Response) -> Vec<String> {
    let own = ["x-request-id", "date", "content-length", "connection"];
    let is_own = |line: &&str| own.iter().any(|own| line.to_ascii_lowercase().starts_with(&format!("{own}:")));
    reply.head.lines().filter(|line| !is_own(line)).map(str::to_owned).collect()
}

async fn an_answer_has_the_head_of_one_that_did_not_wait(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    desk.set("lot", json!(0)).await;
    for headers in ["", "Origin: https://overlay.example\r\n", "Connection: keep-alive\r\nCookie: a=b\r\n"] {
        let mut connection = Connection::of(&desk).await;
        connection.send(poll_with(&viewer, 0, headers)).await;
        let at_once = connection.reply().await;
        let mut after = page(&at_once)["serverSeqNum"].as_u64().unwrap();
        for _ in 0..3 {
            connection.send(poll_with(&viewer, after, headers)).await;
            until_viewers(&desk, 1).await;
            after = desk.set("lot", json!(after)).await;
            let reply = connection.reply().await;
            assert_eq!((lasting(&reply), page(&reply)["serverSeqNum"].as_u64()), (lasting(&at_once), Some(after)));
            for own in ["x-request-id", "date"] {
                assert_eq!(reply.header(own).map(str::len), at_once.header(own).map(str::len), "{own}");
            }
        }
    }
}

/// What is sent while a poll waits is answered behind it, whatever it is.
async fn requests_behind_a_waiting_poll_are_answered_in_their_order(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    // Once where hyper has read them with the poll, once where they come while it waits, known and not known.
    for come_later in [false, true] {
        let (mut connection, after) = waiting(&desk, &viewer).await;
        if !come_later {
            drop(connection);
            until_viewers(&desk, 0).await;
            connection = Connection::of(&desk).await;
            connection.send([poll(&viewer, after), info(&viewer), poll(&viewer, 0)].concat()).await;
        } else {
            connection.send([info(&viewer), poll(&viewer, 0)].concat()).await;
        }
        until_viewers(&desk, 1).await;
        let last = desk.set("lot", json!("new")).await;
        assert_eq!(page(&connection.reply().await)["serverSeqNum"], last);
        assert_eq!(page(&connection.reply().await)["msgType"], "MEET_INFO");
        assert_eq!(page(&connection.reply().await)["updatesRelayed"].as_array().unwrap().len() as u64, last);
    }
}

async fn a_request_in_pieces_and_one_of_another_kind_are_answered_on_the_same_connection(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let (mut connection, _) = waiting(&desk, &viewer).await;
    for cut in [1, 30, 3] {
        let after = desk.set("lot", json!(cut)).await;
        connection.reply().await;
        let next = poll(&viewer, after);
        let (start, end) = next.split_at(next.len() - cut);
        connection.send(start).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        connection.send(end).await;
        until_viewers(&desk, 1).await;
    }
    let last = desk.set("lot", json!("last")).await;
    assert_eq!(page(&connection.reply().await)["serverSeqNum"], last);
    // A push on a connection that has polled, with its body in a packet of its own.
    let body = json!({"updates": [{"updateKey": "lot", "updateValue": 5}]}).to_string();
    let (path, token, length) = (desk.of_meet("/updates"), &desk.token, body.len());
    connection
        .send(format!("POST {path} HTTP/1.1\r\nHost: hall\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n"))
        .await;
    connection.send(body).await;
    assert_eq!(page(&connection.reply().await)["updateAcks"][0]["serverSeqNum"], last + 1);
    connection.send(poll(&viewer, last)).await;
    assert_eq!(page(&connection.reply().await)["serverSeqNum"], last + 1);
    connection.send(poll(&viewer, last + 1)).await;
    until_viewers(&desk, 1).await;
}

async fn whoever_may_no_longer_look_is_answered_and_then_refused(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let (mut connection, after) = waiting(&desk, &viewer).await;
    let key = viewer.session["keyId"].as_str().unwrap();
    desk.delete(&desk.of_meet(&format!("/view-keys/{key}"))).await.expect(204);
    assert_eq!(page(&connection.reply().await)["updatesRelayed"], json!([]), "what it waits for will not come");
    desk.set("lot", json!("secret")).await;
    connection.send(poll(&viewer, after)).await;
    let refused = connection.reply().await;
    assert_eq!(refused.status, 401, "{}", refused.body);
    assert!(refused.body.contains("invalid-view-key"), "{}", refused.body);
}

async fn a_cursor_of_another_history_is_refused_on_a_known_connection(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    for (cursor, status) in [("1-00000000", 409), ("99999", 409), ("1-zz", 400), ("-1", 400)] {
        let (mut connection, _) = waiting(&desk, &viewer).await;
        desk.set("lot", json!(cursor)).await;
        connection.reply().await;
        connection.send(poll(&viewer, cursor)).await;
        assert_eq!(connection.reply().await.status, status, "{cursor}");
    }
}

/// Which pages may use sessions may change while they wait.
async fn what_the_operator_chooses_counts_from_the_next_request_on(server: TestServer) {
    const ORIGIN: &str = "https://lifting.example";
    let desk = server.meet().await;
    let mut connection = Connection::of(&desk).await;
    let ask = async |connection: &mut Connection, after| {
        connection.send(poll_with(&desk, after, &format!("Origin: {ORIGIN}\r\n"))).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let last = desk.set("lot", json!(after)).await;
        let reply = connection.reply().await;
        assert_eq!(page(&reply)["serverSeqNum"], last);
        (last, reply.header("access-control-allow-origin").map(str::to_owned))
    };
    let (mut after, mut allowed) = ask(&mut connection, 0).await;
    for _ in 0..2 {
        assert_eq!(allowed, None);
        (after, allowed) = ask(&mut connection, after).await;
    }
    server.app.choose(Options { allow_origins: vec![ORIGIN.to_owned()], ..Options::default() });
    assert_eq!(ask(&mut connection, after).await.1.as_deref(), Some(ORIGIN));
}

async fn a_server_that_stops_answers_and_closes(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let (mut known, after) = waiting(&desk, &viewer).await;
    let mut new = Connection::of(&desk).await;
    new.send(poll(&viewer, after)).await;
    until_viewers(&desk, 2).await;
    server.app.stopping.cancel();
    for connection in [&mut known, &mut new] {
        let reply = connection.reply().await;
        assert_eq!((page(&reply)["updatesRelayed"].clone(), reply.header("connection")), (json!([]), Some("close")));
        assert_eq!(connection.rest().await, "");
    }
}

/// Whoever leaves is not counted any more, though nothing is written that could fail; whoever is answered is there no longer.
async fn only_those_who_wait_are_there(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let (connection, after) = waiting(&desk, &viewer).await;
    drop(connection);
    until_viewers(&desk, 0).await;
    let mut new = Connection::of(&desk).await;
    new.send(poll(&viewer, after)).await;
    until_viewers(&desk, 1).await;
    drop(new);
    until_viewers(&desk, 0).await;
}

async fn the_end_of_a_meet_is_news_once(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let (mut connection, after) = waiting(&desk, &viewer).await;
    desk.post(&desk.of_meet("/finish"), &json!({})).await.expect(200);
    let answer = page(&connection.reply().await);
    assert_eq!((&answer["status"], &answer["updatesRelayed"]), (&json!("finished"), &json!([])));
    connection.send(poll(&viewer, after)).await;
    until_viewers(&desk, 1).await;
    assert!(tokio::time::timeout(Duration::from_millis(300), connection.reply()).await.is_err(), "nothing can come");
}

/// The head of a poll's answer must not be mixed up with the rest of one that its socket has yet to take.
async fn a_poll_behind_a_large_answer_that_is_not_read_yet_waits_for_its_turn(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    for nth in 0..30 {
        desk.set("text", json!(format!("{nth}{}", "x".repeat(100_000)))).await;
    }
    // The socket alone would hold a part of it.
    for times in [1, 4] {
        let mut connection = Connection::of(&desk).await;
        let large = (0..times).map(|_| poll(&viewer, 0)).collect::<String>();
        let last = desk.set("lot", json!(times)).await;
        connection.send(large + &poll(&viewer, last) + &info(&viewer)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        for _ in 0..times {
            let page = page(&connection.reply().await);
            assert_gapless(page["updatesRelayed"].as_array().unwrap(), 1);
        }
        until_viewers(&desk, 1).await;
        desk.set("lot", json!("new")).await;
        assert_eq!(page(&connection.reply().await)["serverSeqNum"], last + 1);
        assert_eq!(page(&connection.reply().await)["msgType"], "MEET_INFO");
    }
}

/// More than a socket holds, for somebody who was away between two polls of one connection and reads slowly.
async fn a_large_answer_arrives_whole_however_slowly_it_is_read(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let (mut connection, after) = waiting(&desk, &viewer).await;
    let first = desk.set("text", json!("x".repeat(200_000))).await;
    assert_eq!(page(&connection.reply().await)["serverSeqNum"], first, "one that nobody waits for to be read");
    for nth in 0..40 {
        desk.set("text", json!(format!("{nth}{}", "x".repeat(100_000)))).await;
    }
    for from in [after, first] {
        connection.send(poll(&viewer, from)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let page = page(&connection.reply().await);
        assert_gapless(page["updatesRelayed"].as_array().unwrap(), from + 1);
        assert_eq!(page["more"], true, "about three megabytes");
    }
    connection.send(info(&viewer)).await;
    assert_eq!(page(&connection.reply().await)["msgType"], "MEET_INFO");
}

async fn every_poll_is_counted_once(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let route = r#"method="GET",route="/v1/meets/{meetId}/updates""#;
    let of = [format!("liftrelay_requests_total{{{route},status=\"2xx\"}}"), format!("liftrelay_request_seconds_count{{{route}}}")];
    let before = server.scrape().await;
    let (mut connection, after) = waiting(&desk, &viewer).await;
    let last = desk.set("lot", json!(1)).await;
    connection.reply().await;
    // Three waited and one did not; one more has looked where the log ends.
    connection.send(poll(&viewer, after)).await;
    assert_eq!(page(&connection.reply().await)["serverSeqNum"], last);
    let after = server.scrape().await;
    assert_eq!(of.map(|sample| after.since(&before, &sample)), [5.0, 2.0]);
}

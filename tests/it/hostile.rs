//! What somebody would try who wants to confuse the server: texts that two parsers read differently, and the like.

use reqwest::header::{CONTENT_TYPE, ORIGIN};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::client::Reply;
use crate::support::{Client, TestServer};

async fn post_text(client: &Client, text: impl Into<Vec<u8>>) -> Reply {
    let request = client.request(Method::POST, &client.of_meet("/updates")).header(CONTENT_TYPE, "application/json");
    client.send(request.body(text.into())).await
}

/// Of two members of one name one reader takes the first, another the last: such a text is refused.
#[tokio::test]
async fn a_member_that_comes_twice_is_refused_wherever_it_stands() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    for text in [
        r#"{"updates":[],"updates":[{"updateKey":"a","updateValue":1}]}"#,
        r#"{"updates":[{"updateKey":"a","updateKey":"b","updateValue":1}]}"#,
        r#"{"updates":[{"updateKey":"a","updateValue":1,"updateValue":2}]}"#,
    ] {
        let reply = post_text(&desk, text).await;
        assert!(reply.status.is_client_error(), "{text}: {}", reply.text);
    }
    let reply = post_text(&desk, r#"{"updates":[{"updateKey":"a","updateValue":{"b":1,"b":2},"localSeqNum":1}]}"#).await.expect(200);
    assert_eq!(reply["updatesRejected"][0]["code"], "invalid-value", "{reply}");
    assert_eq!(desk.state().await["serverSeqNum"], 0);
}

/// RFC 8259: JSON between systems has no byte order mark.
#[tokio::test]
async fn a_byte_order_mark_is_named() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    post_text(&desk, "\u{feff}{\"updates\":[{\"updateKey\":\"a\",\"updateValue\":1}]}").await.problem(400, "malformed-message");
    for text in [&b"\xff\xfe{\x00}\x00"[..], b"\xef\xbb\xbf", b""] {
        assert!(post_text(&desk, text).await.status.is_client_error());
    }
    assert_eq!(desk.state().await["serverSeqNum"], 0);
}

/// A script's prototype, or an array as long as a number can say, would be a reader's trouble.
#[tokio::test]
async fn keys_that_would_harm_readers_refuse_their_update_alone() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.set("list", json!([1, 2])).await;
    let keys = [
        "__proto__",
        "a.__proto__.b",
        "a[\"__proto__\"]",
        "list[9007199254740991]",
        "list[3]",
        "list[99999999999999999999999]",
        "list[-1]",
    ];
    for key in keys {
        let reply = desk.push(json!([{"updateKey": key, "updateValue": 1}, {"updateKey": "good", "updateValue": key}])).await.expect(200);
        assert_eq!(
            (reply["updatesRejected"].as_array().unwrap().len(), reply["updateAcks"].as_array().unwrap().len()),
            (1, 1),
            "{key}: {reply}"
        );
    }
    for value in ["{\"__proto__\":1}", "{\"a\":[{\"__proto__\":{\"admin\":true}}]}"] {
        let text = format!(r#"{{"updates":[{{"updateKey":"v","updateValue":{value}}}]}}"#);
        assert_eq!(post_text(&desk, text).await.expect(200)["updatesRejected"][0]["code"], "invalid-value");
    }
    let state = desk.state().await;
    assert_eq!(state["state"]["list"], json!([1, 2]));
    // Without an array there, a large number is a member's name, and costs a name.
    desk.set("by_id[999999999999]", json!(1)).await;
}

#[tokio::test]
async fn numbers_beyond_doubles_refuse_their_update_alone() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    for number in ["1e999", "-1e999", "9007199254740993", "123456789012345678901234567890"] {
        let text = format!(r#"{{"updates":[{{"updateKey":"n","updateValue":{number},"localSeqNum":1}}]}}"#);
        let reply = post_text(&desk, text).await;
        let is_kept = reply.status == StatusCode::OK && !reply.json["updateAcks"].as_array().unwrap().is_empty();
        assert!(!is_kept || number.len() > 20, "{number}: {}", reply.text);
    }
}

/// A sandboxed frame and a file opened from a disk have the origin `null`, and anybody can make one.
#[tokio::test]
async fn the_origin_null_is_nobodys() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let request = desk.request(Method::GET, &desk.of_meet("/state")).header(ORIGIN, "null");
    let reply = desk.send(request).await;
    assert_eq!(reply.headers.get("access-control-allow-origin").map(|origin| origin == "null"), None, "{:?}", reply.headers);
    assert!(reply.headers.get("access-control-allow-credentials").is_none(), "no cookie ever counts");
}

/// Whoever holds one meet's token is nobody in another, on whichever connection it comes.
#[tokio::test]
async fn tokens_do_not_cross_meets_on_one_connection() {
    let server = TestServer::start().await;
    let (one, two) = (server.meet().await, server.meet().await);
    let key = two.viewer().await;
    for token in [&two.token, &key.token] {
        let crossing = one.with_token(token);
        crossing.get(&one.of_meet("/state")).await.problem(401, if token == &key.token { "invalid-view-key" } else { "invalid-session" });
        crossing.push(json!([{"updateKey": "a", "updateValue": 1}])).await;
        two.with_token(token).get(&two.of_meet("/state")).await.expect(200);
    }
    assert_eq!(one.state().await["serverSeqNum"], 0);
}

/// A browser shows what it is told to show, and runs nothing.
#[tokio::test]
async fn pages_run_nothing_foreign_and_tell_nobody_where_they_were() {
    let server = TestServer::start().await;
    let page = server.stranger().get("/").await;
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors"), "{policy}");
    assert!(!policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"), "{policy}");
}

/// What a client calls itself stands in the log, but on one line.
#[tokio::test]
async fn nobody_writes_a_line_of_his_own_into_the_log() {
    let home = tempfile::tempdir().unwrap();
    let process = crate::support::process::Process::start(home.path());
    let desk = process.stranger().create_as("desk").await;
    for name in ["a\nb", "a\r\nERROR forged", "\u{1b}[2J", "a\u{2028}b", "a\u{85}b"] {
        let body = json!({"password": crate::support::client::PASSWORD, "locationName": "desk", "clientId": name});
        desk.with_token("").post(&desk.of_meet("/sessions"), &body).await;
        let body = json!({"password": crate::support::client::PASSWORD, "locationName": name});
        desk.with_token("").post(&desk.of_meet("/sessions"), &body).await;
    }
    process.stop();
    let log = std::fs::read_to_string(home.path().join("data/diag.log")).unwrap();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["level"].is_string());
    }
    assert!(!log.contains("ERROR forged") || !log.contains("\nERROR"), "{log}");
}

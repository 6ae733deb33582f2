//! Every message of the OpenLifter Live design, with the design's own examples, by POST and over a socket.

use serde_json::{Value, json};

use crate::support::client::PASSWORD;
use crate::support::socket::Socket;
use crate::support::{Client, TestServer};

/// Something that carries messages.
enum Carrier {
    Post(Client),
    Socket(Box<Socket>),
}

impl Carrier {
    async fn of(server: &TestServer) -> [Carrier; 2] {
        [Carrier::Post(server.stranger()), Carrier::Socket(Box::new(server.socket().await))]
    }

    /// Sends a message and gives all that answers it.
    async fn ask(&mut self, message: &Value) -> Vec<Value> {
        match self {
            Carrier::Post(client) => match client.post("/v1/messages", message).await.json {
                Value::Array(answers) => answers,
                answer => vec![answer],
            },
            Carrier::Socket(socket) => {
                let mut answers = vec![socket.ask(message).await];
                let acked = answers[0]["updateAcks"].as_array().map_or(0, Vec::len);
                if answers[0]["msgType"] == "UPDATE_ACK" && acked < message["updates"].as_array().unwrap().len() {
                    answers.push(socket.answer().await);
                }
                answers
            }
        }
    }

    async fn ask_one(&mut self, message: &Value) -> Value {
        let answers = self.ask(message).await;
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers.into_iter().next().unwrap()
    }
}

fn create_meet() -> Value {
    json!({
        "msgType": "CREATE_MEET",
        "thisLocationName": "foo",
        "password": PASSWORD,
        "locations": [{"locationName": "foo", "priority": 1}, {"locationName": "bar", "priority": 2}],
    })
}

/// `foo` has made a meet and `bar` is there, too: the meet's id and both tokens.
async fn meet(carrier: &mut Carrier) -> [Value; 3] {
    let created = carrier.ask_one(&create_meet()).await;
    assert_eq!(created["msgType"], "MEET_CREATED", "{created}");
    // The design writes the password with a capital here.
    let join = json!({"msgType": "JOIN_MEET", "meetId": created["meetId"], "Password": PASSWORD, "locationName": "bar"});
    let joined = carrier.ask_one(&join).await;
    assert_eq!(joined["msgType"], "MEET_JOINED", "{joined}");
    [created["meetId"].clone(), created["sessionToken"].clone(), joined["sessionToken"].clone()]
}

fn update_init(token: &Value, value: &str, after: u64) -> Value {
    json!({
        "msgType": "UPDATE_INIT",
        "sessionToken": token,
        "updates": [{"updateKey": "fooState.property.array[0]", "updateValue": value, "localSeqNum": 1, "afterServerSeqNum": after}],
    })
}

#[tokio::test]
async fn create_and_join() {
    let server = TestServer::start().await;
    for mut carrier in Carrier::of(&server).await {
        let created = carrier.ask_one(&create_meet()).await;
        assert_eq!(created["msgType"], "MEET_CREATED");
        let id = created["meetId"].as_str().unwrap().to_owned();
        let groups: Vec<_> = id.split('-').map(|group| group.chars().filter(char::is_ascii_digit).count()).collect();
        assert_eq!(groups, [3, 3, 3], "{id}");
        for spelled in [id.clone(), id.replace('-', ""), id.replace('-', " ")] {
            let join = json!({"msgType": "JOIN_MEET", "meetId": spelled, "Password": PASSWORD, "locationName": "foo"});
            let joined = carrier.ask_one(&join).await;
            assert_eq!(joined["msgType"], "MEET_JOINED", "{joined}");
            assert_ne!(joined["sessionToken"], created["sessionToken"]);
        }
    }
}

#[tokio::test]
async fn joining_is_rejected() {
    let server = TestServer::start().await;
    for mut carrier in Carrier::of(&server).await {
        let [id, ..] = meet(&mut carrier).await;
        let attempt = |id: &str, password: &str, location: &str| json!({"msgType": "JOIN_MEET", "meetId": id, "Password": password, "locationName": location});
        let id = id.as_str().unwrap();
        for (message, reason) in [
            (attempt(id, "not the password", "foo"), "invalid meetId/Password"),
            (attempt("nnnnnn", PASSWORD, "foo"), "invalid meetId/Password"),
            (attempt("000-000-000", PASSWORD, "foo"), "invalid meetId/Password"),
            (attempt(id, PASSWORD, "nowhere"), "invalid locationName"),
        ] {
            let rejected = carrier.ask_one(&message).await;
            assert_eq!((&rejected["msgType"], &rejected["reason"]), (&json!("JOIN_REJECTED"), &json!(reason)), "{rejected}");
        }
        let nameless = carrier.ask_one(&json!({"msgType": "JOIN_MEET", "Password": PASSWORD, "locationName": "foo"})).await;
        assert_eq!((&nameless["code"], &nameless["errors"][0]["pointer"]), (&json!("invalid-request"), &json!("/meetId")));
    }
}

#[tokio::test]
async fn an_update_is_acked_relayed_and_rejected() {
    let server = TestServer::start().await;
    for mut carrier in Carrier::of(&server).await {
        let [_, foo, bar] = meet(&mut carrier).await;
        let acked = carrier.ask_one(&update_init(&bar, "fooValue", 0)).await;
        assert_eq!(acked["msgType"], "UPDATE_ACK");
        assert_eq!(acked["updateAcks"], json!([{"localSeqNum": 1, "serverSeqNum": 1}]));
        assert_eq!(acked["serverSeqNum"], 1);

        // The other had not seen it, and its word weighs less.
        let answers = carrier.ask(&update_init(&foo, "another", 0)).await;
        assert_eq!((&answers[0]["msgType"], &answers[0]["updateAcks"]), (&json!("UPDATE_ACK"), &json!([])));
        assert_eq!(answers[1]["msgType"], "UPDATE_REJECTED");
        let rejected = &answers[1]["updatesRejected"][0];
        assert_eq!((&rejected["localSeqNum"], &rejected["conflict"]), (&json!(1), &json!(true)));
        assert!(rejected["reason"].as_str().unwrap().contains("bar"), "{rejected}");

        // A resend has the same answers.
        assert_eq!(carrier.ask(&update_init(&foo, "another", 0)).await[1], answers[1]);
        assert_eq!(carrier.ask_one(&update_init(&bar, "fooValue", 0)).await["updateAcks"][0]["duplicate"], true);
    }
}

#[tokio::test]
async fn a_pull_brings_what_was_missed() {
    let server = TestServer::start().await;
    for mut carrier in Carrier::of(&server).await {
        let [_, foo, bar] = meet(&mut carrier).await;
        carrier.ask_one(&update_init(&foo, "fooValue", 0)).await;
        let pull = json!({"msgType": "CLIENT_PULL", "sessionToken": bar, "lastServerSeq": 0});
        let relay = match &mut carrier {
            Carrier::Post(_) => carrier.ask_one(&pull).await,
            Carrier::Socket(socket) => {
                // Both joined on this socket, so it has been following the meet.
                socket.entries_until(1).await;
                socket.send(&pull).await;
                assert_eq!(socket.expect("HELLO").await["serverSeqNum"], 0);
                socket.expect("UPDATE_RELAY").await
            }
        };
        assert_eq!(relay["msgType"], "UPDATE_RELAY");
        let entry = &relay["updatesRelayed"][0];
        assert_eq!(
            (&entry["updateKey"], &entry["updateValue"], &entry["serverSeqNum"]),
            (&json!("fooState.property.array[0]"), &json!("fooValue"), &json!(1))
        );
    }
}

#[tokio::test]
async fn a_server_that_is_behind_pulls() {
    let server = TestServer::start().await;
    for mut carrier in Carrier::of(&server).await {
        let [_, foo, _] = meet(&mut carrier).await;
        let pull = json!({"msgType": "CLIENT_PULL", "sessionToken": foo, "lastServerSeq": 7});
        let server_pull = match &mut carrier {
            Carrier::Post(_) => carrier.ask_one(&pull).await,
            Carrier::Socket(socket) => {
                while socket.expect("HELLO").await["headSeqNum"] != 0 {}
                socket.send(&pull).await;
                loop {
                    let message = socket.next().await;
                    if message["msgType"] != "HELLO" {
                        break message;
                    }
                }
            }
        };
        assert_eq!((&server_pull["msgType"], &server_pull["lastServerSeq"]), (&json!("SERVER_PULL"), &json!(0)), "{server_pull}");
    }
}

#[tokio::test]
async fn general_errors() {
    let server = TestServer::start().await;
    for mut carrier in Carrier::of(&server).await {
        let [_, foo, _] = meet(&mut carrier).await;
        let unknown = carrier.ask_one(&json!({"msgType": "MESSAGE_TYPE"})).await;
        assert_eq!((&unknown["msgType"], &unknown["unknownMsgType"]), (&json!("UNKNOWN_MESSAGE_TYPE"), &json!("MESSAGE_TYPE")));
        let long = carrier.ask_one(&json!({"msgType": "X".repeat(1000)})).await;
        assert_eq!(long["unknownMsgType"].as_str().unwrap().len(), 64);

        let made_up = "asdfsapdfojwpeofijwpeojfiwe";
        let foreign = foo.as_str().unwrap().replace("lrs_", "lrs_9");
        for token in [made_up, &foreign] {
            let invalid = carrier.ask_one(&update_init(&json!(token), "fooValue", 0)).await;
            assert_eq!((&invalid["msgType"], &invalid["sessionToken"]), (&json!("INVALID_SESSION"), &json!(token)), "{invalid}");
        }
        for (message, pointer) in [
            (json!({"sessionToken": foo}), "/msgType"),
            (json!({"msgType": 7}), "/msgType"),
            (json!({"msgType": "UPDATE_INIT", "sessionToken": foo, "updates": [{}]}), "/updates/0"),
            (json!({"msgType": "CLIENT_PULL", "sessionToken": foo, "lastServerSeq": -1}), "/lastServerSeq"),
        ] {
            let invalid = carrier.ask_one(&message).await;
            assert_eq!(invalid["code"], "invalid-request", "{invalid}");
            let found = invalid["errors"][0]["pointer"].as_str().unwrap();
            assert!(found == pointer || found.is_empty() || pointer.starts_with(found), "{invalid}");
        }
    }
}

#[tokio::test]
async fn what_is_no_json_is_malformed() {
    let server = TestServer::start().await;
    let mut socket = server.socket().await;
    let stranger = server.stranger();
    for text in ["", "{", r#"{"msgType":"SYNC"} x"#, "\u{feff}{}", r#"{"msgType":"CLIENT_PULL"}}"#] {
        socket.send_text(text).await;
        let told = socket.expect("MALFORMED_MESSAGE").await;
        let posted = stranger.send(stranger.request(reqwest::Method::POST, "/v1/messages").body(text.to_owned())).await;
        assert_eq!(posted.problem(400, "malformed-message")["errMsg"], told["errMsg"], "{text:?}");
    }
}

/// The push inside a pull, which the design has no message for.
#[tokio::test]
async fn one_message_pushes_and_pulls() {
    let server = TestServer::start().await;
    for mut carrier in Carrier::of(&server).await {
        let [_, foo, bar] = meet(&mut carrier).await;
        carrier.ask_one(&update_init(&foo, "fooValue", 0)).await;
        let update = json!({"updateKey": "x", "updateValue": 1, "localSeqNum": 1});
        let synced = carrier.ask_one(&json!({"msgType": "SYNC", "sessionToken": bar, "after": 0, "updates": [update]})).await;
        assert_eq!(synced["msgType"], "SYNC_RESULT");
        assert_eq!((synced["updatesRelayed"].as_array().unwrap().len(), &synced["updateAcks"][0]["serverSeqNum"]), (2, &json!(2)));
    }
}

/// The design's PUBLISH_MEET, and what ends a meet.
#[tokio::test]
async fn results_are_published_and_the_meet_is_finished() {
    let server = TestServer::start().await;
    for mut carrier in Carrier::of(&server).await {
        let [id, foo, bar] = meet(&mut carrier).await;
        carrier.ask_one(&update_init(&foo, "fooValue", 0)).await;
        let publish = json!({
            "msgType": "PUBLISH_MEET",
            "sessionToken": foo,
            "returnEmail": "meetdirector@example.com",
            "oplCsv": include_str!("../data/kg-single-34.opl.csv"),
        });
        let ack = carrier.ask_one(&publish).await;
        assert_eq!((&ack["msgType"], &ack["status"]), (&json!("PUBLISH_ACK"), &json!("handed-over")), "{ack}");
        assert_eq!(carrier.ask_one(&publish).await["duplicate"], true);
        let mut wrong = publish.clone();
        wrong["oplCsv"] = json!("[opl.csv export file content]");
        let refused = carrier.ask_one(&wrong).await;
        assert_eq!(refused["errors"][0]["pointer"], "/oplCsv", "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains("line 1"), "{refused}");

        let finish = json!({"msgType": "FINISH_MEET", "sessionToken": bar});
        let finished = carrier.ask_one(&finish).await;
        assert_eq!((&finished["msgType"], &finished["meetId"]), (&json!("MEET_FINISHED"), &id), "{finished}");
        assert_eq!(carrier.ask_one(&finish).await, finished, "it can be sent again");
        assert_eq!(carrier.ask_one(&update_init(&bar, "another", 1)).await["code"], "meet-finished");
        assert_eq!(carrier.ask_one(&update_init(&foo, "fooValue", 0)).await["updateAcks"][0]["duplicate"], true);
    }
}

/// Whatever the transport, a batch keeps its rules.
#[tokio::test]
async fn atomic_batches_and_stale_heads() {
    let server = TestServer::start().await;
    for mut carrier in Carrier::of(&server).await {
        let [_, foo, bar] = meet(&mut carrier).await;
        carrier.ask_one(&update_init(&bar, "fooValue", 0)).await;
        let mut atomic = update_init(&foo, "another", 0);
        atomic["mode"] = json!("atomic");
        let conflict = carrier.ask_one(&atomic).await;
        assert_eq!((&conflict["msgType"], &conflict["problem"]["code"]), (&json!("SYNC_CONFLICT"), &json!("overruled")));
        atomic["ifHead"] = json!(0);
        let stale = carrier.ask_one(&atomic).await;
        assert_eq!((&stale["msgType"], &stale["updatesRelayed"][0]["serverSeqNum"]), (&json!("SYNC_STALE"), &json!(1)));
    }
}

/// Where a message names nobody, the header does; what a header cannot carry, a message does.
#[tokio::test]
async fn headers_speak_for_messages() {
    let mut options = crate::support::server::options();
    options.create_key = Some("the operator's key".to_owned());
    let server = TestServer::with(options).await;
    let stranger = server.stranger();
    stranger.post("/v1/messages", &create_meet()).await.problem(401, "invalid-session");
    let created = stranger.with_token("the operator's key").post("/v1/messages", &create_meet()).await.expect(201);
    let mut with_key = create_meet();
    with_key["createKey"] = json!("the operator's key");
    stranger.post("/v1/messages", &with_key).await.expect(201);
    let mut socket = server.socket().await;
    assert_eq!(socket.ask(&create_meet()).await["code"], "invalid-session");
    assert_eq!(socket.ask(&with_key).await["msgType"], "MEET_CREATED");

    let member = stranger.with_token(created["sessionToken"].as_str().unwrap());
    let anonymous = json!({"msgType": "UPDATE_INIT", "updates": [{"updateKey": "a", "updateValue": 1}]});
    stranger.post("/v1/messages", &anonymous).await.problem(401, "invalid-session");
    assert_eq!(member.post("/v1/messages", &anonymous).await.expect(200)["updateAcks"][0]["serverSeqNum"], 1);
    let query = format!("/v1/messages?session={}", member.token);
    stranger.post(&query, &anonymous).await.problem(401, "token-in-url");
}

/// Viewers pull what they may see, and nothing else.
#[tokio::test]
async fn a_view_key_pulls_the_redacted_meet() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.set("registration.entries[5000]", json!({"name": "Ada Ashdown", "age": 42})).await;
    let viewer = desk.viewer().await;
    let pull = json!({"msgType": "CLIENT_PULL", "lastServerSeq": 0});
    for key in [&viewer, &desk.with_token("")] {
        let mut pull = pull.clone();
        if key.token.is_empty() {
            pull["sessionToken"] = json!(viewer.token);
        }
        let relay = key.post("/v1/messages", &pull).await.expect(200);
        assert_eq!(relay["updatesRelayed"][0]["updateValue"], json!({"name": "Ada Ashdown"}));
    }
    let push = json!({"msgType": "UPDATE_INIT", "updates": [{"updateKey": "a", "updateValue": 1}]});
    viewer.post("/v1/messages", &push).await.problem(403, "read-only");
    let above = json!({"msgType": "CLIENT_PULL", "lastServerSeq": 9});
    viewer.post("/v1/messages", &above).await.problem(409, "history-changed");
}

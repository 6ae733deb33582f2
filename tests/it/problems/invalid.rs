//! Requests that do not fit are told where, as a JSON pointer, and what would be right.

use serde_json::{Value, json};

use super::{Hall, ask, post};
use crate::support::Client;
use crate::support::client::PASSWORD;

/// Checks the first place that a problem names.
#[track_caller]
fn names(problem: &Value, pointer: &str, says: &str) {
    let error = &problem["errors"][0];
    assert_eq!(error["pointer"], pointer, "{problem}");
    assert!(error["detail"].as_str().unwrap().contains(says), "says nothing of {says:?}: {problem}");
    assert!(problem["detail"].as_str().unwrap().contains(error["detail"].as_str().unwrap()), "{problem}");
    for internal in ["struct", "u64", "i64", "Option", "variant index"] {
        assert!(!problem["detail"].as_str().unwrap().contains(internal), "{internal} means nothing to a client: {problem}");
    }
}

#[tokio::test]
async fn pushes_that_do_not_fit() {
    let hall = Hall::open().await;
    let update = |changes: Value| {
        let mut update = json!({"updateKey": "a", "updateValue": 1});
        update.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        json!({"updates": [{"updateKey": "before", "updateValue": 1}, update], "after": 0})
    };
    for (body, pointer, says) in [
        (json!(5), "", "an object"),
        (json!("x"), "", "an object"),
        (json!(null), "", "an object"),
        (json!([]), "", "an object"),
        (json!([[{"updateKey": "a", "updateValue": 1}], 0]), "", "an object"),
        (json!({"updates": 5, "after": 0}), "/updates", "an array"),
        (json!({"updates": {"0": {}}, "after": 0}), "/updates", "an array"),
        (json!({"updates": null, "after": 0}), "/updates", "an array"),
        (json!({"updates": [{"updateKey": "a", "updateValue": 1}, 5], "after": 0}), "/updates/1", "an object"),
        (json!({"updates": [["a", 1]], "after": 0}), "/updates/0", "an object"),
        (json!({"updates": [{}], "after": 0}), "/updates/0", "updateKey"),
        (json!({"updates": [{"updateValue": 1}], "after": 0}), "/updates/0", "updateKey"),
        (json!({"updates": [{"updateKey": "a"}], "after": 0}), "/updates/0/updateValue", "may be null"),
        (json!({"updates": [{"updateKey": "a", "op": "create"}], "after": 0}), "/updates/0/updateValue", "missing"),
        (update(json!({"updateKey": 5})), "/updates/1/updateKey", "string"),
        (update(json!({"updateKey": ["a", "b"]})), "/updates/1/updateKey", "string"),
        (update(json!({"op": "append"})), "/updates/1/op", "`set`, `create`, `remove`"),
        (update(json!({"op": 5})), "/updates/1/op", "integer `5`"),
        (update(json!({"op": null})), "/updates/1/op", "null"),
        (update(json!({"op": {"set": null}})), "/updates/1/op", "string"),
        (update(json!({"localSeqNum": -1})), "/updates/1/localSeqNum", "-1"),
        (update(json!({"localSeqNum": 1.5})), "/updates/1/localSeqNum", "1.5"),
        (update(json!({"localSeqNum": "1"})), "/updates/1/localSeqNum", "string"),
        (update(json!({"afterServerSeqNum": "x"})), "/updates/1/afterServerSeqNum", "cursor"),
        (update(json!({"afterServerSeqNum": -1})), "/updates/1/afterServerSeqNum", "cursor"),
        (update(json!({"afterServerSeqNum": [1]})), "/updates/1/afterServerSeqNum", "cursor"),
        (json!({"updates": [], "after": 0, "mode": "all"}), "/mode", "`each` or `atomic`"),
        (json!({"updates": [], "after": 0, "mode": true}), "/mode", "string"),
        (json!({"updates": [], "after": 0, "ifHead": "x"}), "/ifHead", "cursor"),
        (json!({"updates": [], "after": 0, "ifHead": true}), "/ifHead", "cursor"),
    ] {
        for path in ["/updates", "/sync"] {
            let problem = post(&hall.desk, &hall.desk.of_meet(path), body.clone()).await.problem(422, "invalid-request");
            names(&problem, pointer, says);
        }
    }
    post(&hall.desk, &hall.desk.of_meet("/updates"), json!({})).await.problem(422, "invalid-request");
    assert_eq!(hall.desk.state().await["serverSeqNum"], 0, "a request that does not fit has no effect at all");
}

#[tokio::test]
async fn syncs_that_do_not_fit() {
    let hall = Hall::open().await;
    for (body, pointer, says) in [
        (json!({}), "", "after"),
        (json!({"after": null}), "/after", "cursor"),
        (json!({"after": "x"}), "/after", "cursor"),
        (json!({"after": 1.5}), "/after", "cursor"),
        (json!({"after": 0, "wait": -1}), "/wait", "seconds from 0 up"),
        (json!({"after": 0, "wait": "5"}), "/wait", "string"),
        (json!({"after": 0, "limit": "5"}), "/limit", "string"),
        (json!({"after": 0, "limit": -5}), "/limit", "-5"),
    ] {
        let problem = post(&hall.desk, &hall.desk.of_meet("/sync"), body).await.problem(422, "invalid-request");
        names(&problem, pointer, says);
    }
}

/// All places that lack a value are named at once.
#[tokio::test]
async fn every_update_without_a_value_is_named() {
    let hall = Hall::open().await;
    let updates = json!([{"updateKey": "a"}, {"updateKey": "b", "op": "remove"}, {"updateKey": "c", "op": "create"}]);
    let problem = hall.desk.push(updates).await.problem(422, "invalid-request");
    let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/updates/0/updateValue", "/updates/2/updateValue"]);
}

#[tokio::test]
async fn creations_that_do_not_fit() {
    let hall = Hall::open().await;
    let stranger = hall.server.stranger();
    let with = |name: &str, value: Value| {
        let mut creation = Client::creation("desk");
        creation[name] = value;
        creation
    };
    let location = |location: Value| with("locations", json!([{"locationName": "desk", "priority": 1}, location]));
    for (body, pointer, says) in [
        (json!([]), "", "an object"),
        (json!({}), "", "thisLocationName"),
        (json!({"thisLocationName": "desk", "password": PASSWORD}), "", "locations"),
        (with("thisLocationName", json!("nowhere")), "/thisLocationName", "one of the locations"),
        (with("thisLocationName", json!(5)), "/thisLocationName", "string"),
        (with("password", json!(1_234_567_890)), "/password", "string"),
        (with("locations", json!({})), "/locations", "an array"),
        (with("locations", json!(["desk"])), "/locations/0", "an object"),
        (with("locations", json!([["desk", 10]])), "/locations/0", "an object"),
        (location(json!({"priority": 1})), "/locations/1", "locationName"),
        (location(json!({"locationName": "x"})), "/locations/1", "priority"),
        (location(json!({"locationName": "x", "priority": "high"})), "/locations/1/priority", "string"),
        (location(json!({"locationName": "x", "priority": 1.5})), "/locations/1/priority", "1.5"),
        (location(json!({"locationName": "x", "priority": 1_000_000_001})), "/locations/1/priority", "1000000000"),
        (location(json!({"locationName": "desk", "priority": 2})), "/locations/1/locationName", "name already"),
        (with("settings", json!(["latest"])), "/settings", "an object"),
        (with("settings", json!({"tieBreak": "first"})), "/settings/tieBreak", "`incumbent` or `latest`"),
        (with("settings", json!({"tieBreak": 1})), "/settings/tieBreak", "string"),
        (with("settings", json!({"privatePaths": "a"})), "/settings/privatePaths", "an array"),
        (with("settings", json!({"privatePaths": ["a..b"]})), "/settings/privatePaths", "a..b"),
        (with("meetName", json!(5)), "/meetName", "string"),
        (with("clientId", json!("")), "/clientId", "1 to 64 characters"),
    ] {
        let problem = post(&stranger, "/v1/meets", body).await.problem(422, "invalid-request");
        names(&problem, pointer, says);
    }
}

/// A form shows everything that is wrong with it, not one thing after the other.
#[tokio::test]
async fn everything_wrong_with_a_creation_is_named_at_once() {
    let hall = Hall::open().await;
    let body = json!({
        "thisLocationName": "nowhere",
        "password": "short",
        "locations": [{"locationName": "", "priority": 1}, {"locationName": "x", "priority": -1_000_000_001}],
        "meetName": "a\nb",
        "clientId": "x".repeat(65),
    });
    let problem = hall.server.stranger().post("/v1/meets", &body).await.problem(422, "invalid-request");
    let mut pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        ["/clientId", "/locations/0/locationName", "/locations/1/priority", "/meetName", "/password", "/thisLocationName"]
    );
}

#[tokio::test]
async fn joins_and_view_keys_that_do_not_fit() {
    let hall = Hall::open().await;
    let (desk, stranger) = (&hall.desk, hall.server.stranger());
    for (body, pointer, says) in [
        (json!({}), "", "password"),
        (json!([PASSWORD, "desk"]), "", "an object"),
        (json!({"password": PASSWORD}), "", "locationName"),
        (json!({"password": 5, "locationName": "desk"}), "/password", "string"),
        (json!({"password": PASSWORD, "locationName": ["desk"]}), "/locationName", "string"),
    ] {
        let problem = post(&stranger, &desk.of_meet("/sessions"), body).await.problem(422, "invalid-request");
        names(&problem, pointer, says);
    }
    for (body, pointer, says) in [
        (json!({}), "", "label"),
        (json!(["OBS"]), "", "an object"),
        (json!({"label": 5}), "/label", "string"),
        (json!({"label": "OBS", "expiresIn": 0}), "/expiresIn", "from 1 to 315360000 seconds"),
        (json!({"label": "OBS", "expiresIn": 315_360_001}), "/expiresIn", "from 1 to 315360000 seconds"),
        (json!({"label": "OBS", "expiresIn": -1}), "/expiresIn", "-1"),
        (json!({"label": "OBS", "expiresIn": "1h"}), "/expiresIn", "string"),
    ] {
        let problem = post(desk, &desk.of_meet("/view-keys"), body).await.problem(422, "invalid-request");
        names(&problem, pointer, says);
    }
}

#[tokio::test]
async fn parameters_that_do_not_fit() {
    let hall = Hall::open().await;
    let many = (0..65).map(|at| format!("k{at}")).collect::<Vec<_>>().join(",");
    for (rest, name, says) in [
        ("updates?limit=x", "limit", "\"x\" is not a whole number from 1 to 10000"),
        ("updates?limit=-1", "limit", "from 1 to 10000"),
        ("updates?limit=", "limit", "from 1 to 10000"),
        ("updates?wait=x", "wait", "a number of seconds"),
        ("updates?wait=-1", "wait", "seconds from 0 up"),
        ("updates?wait=nan", "wait", "seconds from 0 up"),
        ("state?path=", "path", "the key is empty"),
        ("state?path=a..b", "path", "character 3"),
        ("state?path=a.__proto__", "path", "__proto__"),
        ("events?snapshot=maybe", "snapshot", "\"maybe\" is neither 1 nor 0"),
        ("events?format=xml", "format", "neither sse nor ndjson"),
        ("events?padding=65", "padding", "from 0 to 64"),
        ("events?maxSeconds=0", "maxSeconds", "from 1 to 86400"),
        ("events?paths=a,,b", "paths", "the key is empty"),
        (&*format!("events?paths={many}"), "paths", "65 keys; at most 64"),
    ] {
        let problem = ask(&hall.desk, "GET", &hall.desk.of_meet(&format!("/{rest}"))).await.problem(422, "invalid-request");
        names(&problem, &format!("/query/{name}"), says);
    }
}

/// Members that this version does not know are for later ones.
#[tokio::test]
async fn unknown_members_are_ignored() {
    let hall = Hall::open().await;
    let body = json!({
        "msgType": "UPDATE_INIT",
        "sessionToken": "x",
        "updates": [{"updateKey": "a", "updateValue": 1, "localSeqNum": 1, "why": {"deep": [[[]]]}}],
        "later": null,
    });
    let reply = post(&hall.desk, &hall.desk.of_meet("/updates"), body).await.expect(200);
    assert_eq!(reply["updateAcks"], json!([{"localSeqNum": 1, "serverSeqNum": 1}]));
}

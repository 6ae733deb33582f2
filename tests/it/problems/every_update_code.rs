//! One table of all reasons for which one update is refused.

use std::collections::BTreeSet;

use liftrelay::meet::outcome::UpdateCode;
use serde_json::{Value, json};

use crate::support::TestServer;

/// Updates by the desk, the code that refuses each, whether it is a conflict, and what its text must say.
fn refused() -> Vec<(Value, &'static str, bool, &'static str)> {
    let deep = "[".repeat(65) + &"]".repeat(65);
    let deep: Value = serde_json::from_str(&deep).unwrap();
    vec![
        (json!({"updateKey": "weight", "updateValue": 1, "afterServerSeqNum": 0}), "overruled", true, "whose priority is higher"),
        (json!({"updateKey": "gone.field", "updateValue": 1}), "removed", true, "create the whole object to bring it back"),
        (json!({"updateKey": "never", "op": "remove"}), "absent", true, "nothing stands at never"),
        (json!({"updateKey": "weight", "updateValue": 1, "op": "create"}), "exists", true, "use op set to change it"),
        (json!({"updateKey": "other", "updateValue": 1, "localSeqNum": 1}), "id-reuse", false, "give every change a number of its own"),
        (json!({"updateKey": "weight.x", "updateValue": 1}), "not-a-container", false, "weight"),
        (json!({"updateKey": "list[0]", "op": "remove"}), "array-element", false, "list"),
        (json!({"updateKey": "list[2]", "updateValue": 1}), "out-of-range", false, "its index can be 0 to 1"),
        (json!({"updateKey": "", "updateValue": 1}), "invalid-key", false, "the key is empty"),
        (json!({"updateKey": "a..b", "updateValue": 1}), "invalid-key", false, "character 3"),
        (json!({"updateKey": "a[x]", "updateValue": 1}), "invalid-key", false, "bracket at character 2"),
        (json!({"updateKey": "a.__proto__.b", "updateValue": 1}), "invalid-key", false, "__proto__"),
        (json!({"updateKey": "a", "updateValue": {"__proto__": 1}}), "invalid-value", false, "__proto__"),
        (json!({"updateKey": "a", "updateValue": 9_007_199_254_740_993_u64}), "invalid-value", false, "send it as a string"),
        (json!({"updateKey": "a", "updateValue": deep}), "invalid-value", false, "deeper than 64 levels"),
    ]
}

#[tokio::test]
async fn every_refused_update_says_why() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let director = desk.join("director").await;
    director.push(json!([{"updateKey": "weight", "updateValue": 82.4}, {"updateKey": "gone", "updateValue": {}}])).await.expect(200);
    director.push(json!([{"updateKey": "gone", "op": "remove"}, {"updateKey": "list", "updateValue": [1]}])).await.expect(200);
    desk.push(json!([{"updateKey": "first", "updateValue": 1, "localSeqNum": 1}])).await.expect(200);

    let table = refused();
    let updates: Vec<Value> = table.iter().map(|(update, ..)| update.clone()).collect();
    let reply = desk.push(json!(updates)).await.expect(200);
    let rejections = reply["updatesRejected"].as_array().unwrap();
    assert_eq!(rejections.len(), table.len(), "{reply}");
    for ((update, code, conflict, says), rejection) in table.iter().zip(rejections) {
        assert_eq!((&rejection["code"], &rejection["conflict"]), (&json!(code), &json!(conflict)), "{update}: {rejection}");
        assert!(rejection["reason"].as_str().unwrap().contains(says), "{update}: {rejection}");
        let names_who = matches!(*code, "overruled" | "removed" | "exists");
        assert_eq!(rejection.get("standing").is_some(), names_who, "{rejection}");
    }
    assert_eq!(reply["serverSeqNum"], 5, "none of them was committed");
    let scrape = server.scrape().await;
    for code in UpdateCode::ALL.map(UpdateCode::as_str) {
        let counted = scrape.get(&format!("liftrelay_updates_refused_total{{code={code:?}}}"));
        assert_eq!(counted, table.iter().filter(|(_, refused, ..)| *refused == code).count() as f64, "{code}");
    }

    let met: BTreeSet<&str> = table.iter().map(|(_, code, ..)| *code).collect();
    for code in UpdateCode::ALL {
        let name = json!(code);
        // The last one is for a log that was handed back, which the recovery tests have.
        assert_ne!(met.contains(name.as_str().unwrap()), code == UpdateCode::RecoveredOver, "{name}");
    }
}

//! Flat rows for vMix and spreadsheets.

use serde_json::{Value, json};

use crate::support::{Client, TestServer};

fn lifter(name: &str, flight: &str, platform: u32) -> Value {
    json!({
        "name": name, "flight": flight, "platform": platform, "day": 1, "events": ["B", "SBD"], "divisions": ["Open"], "memberId": "SECRET",
        "squatKg": [100, 110, 120, 130, 0], "squatStatus": [1, 1, -1, 1, 0],
        "benchKg": [62.5, 0, 0, 0, 0], "benchStatus": [1, 0, 0, 0, 0],
        "deadliftKg": [150, 160, 0, 0, 0], "deadliftStatus": [-1, 0, 0, 0, 0],
    })
}

async fn meet(server: &TestServer) -> (Client, String) {
    let desk = server.meet().await;
    let entries = json!({"5000": lifter("Ada", "B", 1), "5001": lifter("=1+1", "A", 1), "5002": lifter("Cy", "A", 2), "5003": lifter("Bo, \"B\"", "A", 1)});
    desk.set("registration.entries", entries).await;
    let key = desk.post(&desk.of_meet("/view-keys"), &json!({"label": "vMix"})).await.expect(201);
    (desk, key["viewKey"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_platform_is_a_table() {
    let server = TestServer::start().await;
    let (desk, key) = meet(&server).await;
    let feed = async |file: &str| server.stranger().get(&format!("/feed/{file}?key={key}")).await;
    let rows = feed("1.json").await.expect(200);
    let names = |rows: &Value| rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&rows), ["=1+1", "Bo, \"B\"", "Ada"], "by flight and id, and no one from platform 2");
    let ada = &rows[2];
    assert_eq!((&ada["squat1"], &ada["squat3"], &ada["deadlift2"]), (&json!("good"), &json!("no"), &json!("")), "{ada}");
    assert_eq!(
        (&ada["bestSquatKg"], &ada["totalKg"], &ada["event"]),
        (&json!(110), &json!(""), &json!("SBD")),
        "fourth attempts do not count"
    );

    desk.set("registration.entries[5000].deadliftStatus[1]", json!(1)).await;
    desk.set("display[1]", json!({"lift": "D", "attempt": 2, "currentEntryId": 5000, "nextEntryId": 5003, "order": [5000, 5003]})).await;
    let rows = feed("1.json").await.expect(200);
    assert_eq!(names(&rows), ["Ada", "Bo, \"B\"", "=1+1"], "in lifting order");
    let of = |name: &str| rows.as_array().unwrap().iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!((of("current"), of("next")), (vec![json!(1), json!(0), json!(0)], vec![json!(0), json!(1), json!(0)]));
    assert_eq!((of("position"), &rows[0]["totalKg"]), (vec![json!(1), json!(2), json!("")], &json!(332.5)));
    assert!(rows.as_array().unwrap().iter().all(|row| row.as_object().unwrap().values().all(|cell| cell.is_string() || cell.is_number())));

    let table = feed("1.csv").await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    let lines: Vec<&str> = table.text.split("\r\n").collect();
    assert!(lines[0].starts_with("position,id,name,sex,") && lines[0].ends_with(",current,next,lift,attempt"), "{}", lines[0]);
    assert!(lines[1].starts_with("1,5000,Ada,") && lines[1].ends_with(",332.5,1,0,D,2"), "{}", lines[1]);
    assert!(lines[2].starts_with("2,5003,\"Bo, \"\"B\"\"\",") && lines[3].starts_with(",5001,'=1+1,"), "{lines:?}");
    assert!(!table.text.contains("SECRET"));
    assert_eq!(feed("9.json").await.expect(200), json!([]), "a platform without lifters has no rows");
}

#[tokio::test]
async fn a_feed_needs_a_key_and_a_format_that_it_knows() {
    let server = TestServer::start().await;
    let (desk, key) = meet(&server).await;
    let stranger = server.stranger();
    stranger.get("/feed/1.json").await.problem(401, "invalid-session");
    stranger.get("/feed/1.json?key=lrv_nonsense").await.problem(401, "invalid-view-key");
    stranger.get(&format!("/feed/1.json?key={}", desk.token)).await.problem(401, "token-in-url");
    assert_eq!(desk.get("/feed/1.csv").await.status.as_u16(), 200, "an editor reads it, too");
    for file in ["1.xml", "one.json", "1", "-1.json"] {
        stranger.get(&format!("/feed/{file}?key={key}")).await.problem(404, "not-found");
    }
}

/// What a client wrote in place of a meet breaks nothing.
#[tokio::test]
async fn nonsense_makes_no_rows() {
    let server = TestServer::start().await;
    let (desk, key) = meet(&server).await;
    let entries = json!({"1": 7, "x": {"name": {}, "events": "SBD", "squatKg": "heavy", "platform": 1, "lot": []}});
    desk.set("registration.entries", entries).await;
    desk.set("display[1]", json!({"order": "no", "lift": {}, "currentEntryId": [1]})).await;
    let rows = server.stranger().get(&format!("/feed/1.json?key={key}")).await.expect(200);
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["id"], &rows[0]["name"]), (1, &json!("x"), &json!("")));
}

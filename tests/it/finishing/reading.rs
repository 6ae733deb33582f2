//! What goes on once a meet is finished: reading, joining, view keys; and when it is taken away.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::tempdir;

use super::finished;
use crate::support::client::PASSWORD;
use crate::support::process::{Process, liftrelay, run};
use crate::support::stream::assert_gapless;
use crate::support::{Client, TestServer};

async fn goes_on(desk: &Client, viewer: &Client, finish: &Value) {
    let info = desk.get(&desk.of_meet("")).await.expect(200);
    assert_eq!((&info["status"], &info["finishedAt"], &info["serverSeqNum"]), (&json!("finished"), &finish["finishedAt"], &json!(3)));
    for reader in [desk, viewer] {
        let page = reader.pull(0).await;
        assert_gapless(page["updatesRelayed"].as_array().unwrap(), 1);
        assert_eq!((&page["status"], &page["headSeqNum"], &page["more"]), (&json!("finished"), &json!(3), &json!(false)));
        assert_eq!(reader.state().await["state"]["lot"], 3);
        assert_eq!(reader.get(&reader.of_meet("/state?at=2")).await.expect(200)["state"]["lot"], 2);
    }
    // Whoever was not there before can still come to look.
    let late = desk.join("platform 1").await;
    assert_eq!(late.session["serverSeqNum"], 3);
    let new_viewer = late.viewer().await;
    assert_eq!(new_viewer.state().await["state"]["lot"], 3);
    desk.delete(&desk.of_meet(&format!("/view-keys/{}", new_viewer.session["keyId"].as_str().unwrap()))).await.expect(204);
    new_viewer.get(&new_viewer.of_meet("/state")).await.problem(401, "invalid-view-key");
    late.delete(&late.of_meet("/session")).await.expect(204);
    late.get(&late.of_meet("/state")).await.problem(401, "invalid-session");
    let wrong = json!({"password": "NotTheRightPassword", "locationName": "desk"});
    desk.with_token("").post(&desk.of_meet("/sessions"), &wrong).await.problem(403, "join-rejected");
}

#[tokio::test]
async fn reading_joining_and_view_keys_go_on_also_after_a_restart() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    let viewer = desk.viewer().await;
    for lot in 1..=3 {
        desk.set("lot", json!(lot)).await;
    }
    let info = desk.get(&desk.of_meet("")).await.expect(200);
    assert_eq!((&info["status"], info.get("finishedAt")), (&json!("live"), None));
    let finish = finished(&desk).await;
    goes_on(&desk, &viewer, &finish).await;
    let process = process.crash_and_restart();
    let [desk, viewer] = [desk, viewer].map(|client| client.at(&process.url));
    goes_on(&desk, &viewer, &finish).await;
    let process = Process::start(&process.stop());
    goes_on(&desk.at(&process.url), &viewer.at(&process.url), &finish).await;
    let (code, out, _) = run(liftrelay().args(["verify", "--data-dir"]).arg(folder.path().join("data")));
    assert_eq!(
        (code, out.as_str()),
        (
            0,
            format!("{} in finished-meets: sound, 3 entries and 0 remembered answers\n", desk.session["meetId"].as_str().unwrap()).as_str()
        )
    );
}

#[tokio::test]
async fn whoever_waits_is_told_of_the_end_and_later_waits_take_their_time() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.set("lot", json!(1)).await;
    let viewer = desk.viewer().await;
    let path = viewer.of_meet("/updates?after=1&wait=20");
    let waiting = tokio::spawn({
        let (viewer, path) = (viewer.clone(), path.clone());
        async move { viewer.get(&path).await.expect(200) }
    });
    while desk.get(&desk.of_meet("")).await.expect(200)["viewers"] != 1 {}
    let started = Instant::now();
    finished(&desk).await;
    let page = waiting.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!((&page["status"], &page["updatesRelayed"]), (&json!("finished"), &json!([])));
    // A client that asks in a loop must not spin.
    let started = Instant::now();
    let page = viewer.get(&viewer.of_meet("/updates?after=1&wait=1")).await.expect(200);
    let synced = desk.sync(&json!({"after": 1, "wait": 1})).await.expect(200);
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!((&page["status"], &synced["status"]), (&json!("finished"), &json!("finished")));
    assert_eq!(viewer.get(&viewer.of_meet("/state?after=1&wait=0.1")).await.status, 304);
}

const DAY: i64 = 86_400_000;

#[tokio::test]
async fn an_old_finished_meet_is_taken_from_its_readers() {
    let server = TestServer::start().await;
    let (old, new, live) = (server.meet().await, server.meet().await, server.meet().await);
    let viewer = old.viewer().await;
    let keep = Duration::from_secs(3 * 86_400);
    let clear = async || server.app.registry.clear_finished(keep, |_| false).await;
    finished(&old).await;
    server.clock.set_ahead(2 * DAY);
    finished(&new).await;
    assert_eq!(clear().await, 0);
    let mut events = viewer.events("after=now").await;
    events.expect("hello").await;
    assert_eq!(events.expect("end").await.json["reason"], "finished");
    server.clock.set_ahead(4 * DAY);
    assert_eq!(clear().await, 1);
    assert_eq!(events.expect("end").await.json["reason"], "revoked");
    assert!(events.try_next().await.is_none(), "it closes, for coming back does not help");
    old.get(&old.of_meet("/state")).await.problem(401, "invalid-session");
    viewer.get(&viewer.of_meet("/state")).await.problem(401, "invalid-view-key");
    let join = json!({"password": PASSWORD, "locationName": "desk"});
    old.with_token("").post(&old.of_meet("/sessions"), &join).await.problem(403, "join-rejected");
    for still in [&new, &live] {
        still.state().await;
    }
    assert!(!server.folder.as_ref().unwrap().path().join("finished-meets").join(&old.meet).exists());
}

#[tokio::test]
async fn the_program_looks_at_its_start_and_says_what_it_removed() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let meets = [process.stranger().create_as("desk").await, process.stranger().create_as("desk").await];
    for meet in &meets {
        finished(meet).await;
    }
    process.stop();
    let of = |meet: &Client| folder.path().join("data/finished-meets").join(&meet.meet);
    let file = of(&meets[0]).join("finished.json");
    let mut document: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    document["finishedAt"] = json!("2020-01-01T00:00:00.000Z");
    std::fs::write(&file, document.to_string()).unwrap();
    let kept = Process::start(folder.path());
    meets[0].at(&kept.url).state().await;
    kept.stop();
    let process = Process::start_with(folder.path(), &["--keep-finished", "30"]);
    let said = || std::fs::read_to_string(folder.path().join("data/diag.log")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !said().contains("the finished meet was removed: it was older than --keep-finished") {
        assert!(Instant::now() < deadline, "it was not removed: {}", said());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!of(&meets[0]).exists());
    meets[0].at(&process.url).get(&meets[0].of_meet("/state")).await.problem(401, "invalid-session");
    meets[1].at(&process.url).state().await;
    process.stop();
    let mut command = liftrelay();
    command.args(["serve", "--keep-finished", "0"]);
    let (code, _, stderr) = run(&mut command);
    assert!(code == 2 && stderr.contains("0 is not in 1..=36500"), "{stderr}");
}

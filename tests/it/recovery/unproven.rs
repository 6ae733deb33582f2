//! The data folder and the key are gone: clients bring the meet back at their word, where the operator wants that.

use std::fs;
use std::time::{Duration, Instant};

use liftrelay::http::Options;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{Disk, Keeper, assert_sound, restore, status, update};
use crate::support::process::Process;
use crate::support::server::options;
use crate::support::{Client, TestServer};

pub(super) const PASSWORD: &str = "AStrongerPasswordThanThisHopefully";

/// A meet with two locations, so that two clients are everybody.
pub(super) fn creation() -> Value {
    json!({"thisLocationName": "desk", "password": PASSWORD, "locations": locations(20)})
}

fn locations(platform: i64) -> Value {
    json!([{"locationName": "desk", "priority": 10}, {"locationName": "platform 1", "priority": platform}])
}

pub(super) async fn join(client: &Client) -> Client {
    client.join_with(json!({"password": PASSWORD, "locationName": "platform 1"})).await
}

pub(super) fn accepting() -> Options {
    Options { accept_unproven_restore: true, ..options() }
}

/// Pages with a password in place of a proof.
pub(super) fn claimed(pages: &[Value], client: &Client) -> Vec<Value> {
    let claim = |page: &Value| {
        let mut page = page.clone();
        page["password"] = json!(PASSWORD);
        page["locationName"] = json!(client.location);
        page["clientId"] = json!(client.client_id);
        page["locations"] = locations(20);
        page
    };
    pages.iter().map(claim).collect()
}

/// Kills the server, and starts it again with neither data nor key.
pub(super) fn lose_the_key_too(mut process: Process) -> Process {
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    fs::remove_dir_all(process.folder.join("data")).unwrap();
    fs::remove_file(process.folder.join("data.key")).unwrap();
    Process::start_with(&process.folder.clone(), &["--accept-unproven-restore"])
}

pub(super) fn kill_and_restart(mut process: Process) -> Process {
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    Process::start_with(&process.folder.clone(), &["--accept-unproven-restore"])
}

pub(super) async fn until_live(client: &Client) {
    let started = Instant::now();
    while status(client).await != "live" {
        assert!(started.elapsed() < Duration::from_secs(30), "it waits for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The last story of the design, with nothing left on the server at all.
#[tokio::test]
async fn two_editors_bring_everything_back_without_the_key_in_any_order() {
    for desk_first in [true, false] {
        let home = tempdir().unwrap();
        let process = Process::start(home.path());
        let desk = process.stranger().create(&creation()).await;
        let platform = join(&desk).await;
        for n in 1..=7 {
            desk.push(json!([update("lot", json!(n), n, n - 1)])).await.expect(200);
        }
        platform.push(json!([update("x", json!(1), 1, 7), update("y", json!(2), 2, 7)])).await.expect(200);
        let before = desk.state().await;
        let (long, short) = (Keeper::without_proof(&desk, 99).await, Keeper::without_proof(&platform, 2).await);
        let (first, second) = if desk_first { (&long, &short) } else { (&short, &long) };

        let process = lose_the_key_too(process);
        let (one, restored) = first.brings(&process.url).await;
        assert_eq!((&restored["status"], &restored["historyChanged"]), (&json!("recovering"), &json!(true)));
        one.push(json!([update("lot", json!(0), 99, 0)])).await.problem(503, "recovering");
        assert_eq!(one.state().await["state"], json!({}), "nothing is shown before everybody has answered");
        let (other, restored) = second.brings(&process.url).await;
        assert_eq!((&restored["status"], &restored["serverSeqNum"]), (&json!("live"), &json!(9)));
        let info = other.get(&other.of_meet("")).await.expect(200);
        assert_eq!((&info["provenance"], &info["status"]), (&json!("unproven"), &json!("live")));
        // Whoever held the old history is told, and goes on from the state.
        let old = before["cursor"].as_str().unwrap();
        one.get(&one.of_meet(&format!("/updates?after={old}"))).await.problem(409, "history-changed");
        let process = kill_and_restart(process);
        let (one, other) = (one.at(&process.url), other.at(&process.url));
        assert_eq!(one.state().await["stateHash"], before["stateHash"]);
        let desk = if desk_first { &one } else { &other };
        let batch = json!([update("lot", json!(7), 7, 6), update("lot", json!(8), 8, 9)]);
        let acks = json!([{"localSeqNum": 7, "serverSeqNum": 7, "duplicate": true}, {"localSeqNum": 8, "serverSeqNum": 10}]);
        assert_eq!(desk.push(batch).await.expect(200)["updateAcks"], acks);
        assert_sound(&process);
    }
}

/// Both were cut off from each other for a while, so that their logs differ.
async fn two_histories() -> (Keeper, Keeper) {
    let (disk, server) = Disk::start().await;
    let desk = server.stranger().create(&creation()).await;
    let platform = join(&desk).await;
    desk.set("lot", json!(1)).await;
    let log = disk.log(&desk.meet);
    desk.push(json!([update("a", json!("desk"), 2, 1)])).await.expect(200);
    desk.push(json!([update("b", json!("desk"), 3, 2)])).await.expect(200);
    let of_desk = Keeper::without_proof(&desk, 99).await;
    let server = disk.set_back(&desk.meet, &log).await;
    let platform = platform.at(&server.url);
    platform.push(json!([update("a", json!("platform"), 1, 1)])).await.expect(200);
    platform.push(json!([update("c", json!("platform"), 2, 2)])).await.expect(200);
    (of_desk, Keeper::without_proof(&platform, 99).await)
}

#[tokio::test]
async fn what_comes_of_two_histories_does_not_hang_on_who_comes_first() {
    let (of_desk, of_platform) = two_histories().await;
    let mut logs = Vec::new();
    for desk_first in [true, false] {
        let server = TestServer::with(accepting()).await;
        let (first, second) = if desk_first { (&of_desk, &of_platform) } else { (&of_platform, &of_desk) };
        first.brings(&server.url).await;
        let (client, _) = second.brings(&server.url).await;
        assert_eq!(client.state().await["state"], json!({"a": "platform", "b": "desk", "c": "platform", "lot": 1}), "priorities decide");
        let updates = client.pull(0).await["updatesRelayed"].clone();
        let told = |entry: &Value| (entry["updateKey"].clone(), entry["updateValue"].clone(), entry["locationName"].clone());
        logs.push(updates.as_array().unwrap().iter().map(told).collect::<Vec<_>>());
        let desk = if desk_first {
            of_desk
                .client
                .at(&server.url)
                .join_with(json!({"password": PASSWORD, "locationName": "desk", "clientId": of_desk.client.client_id}))
                .await
        } else {
            client
        };
        let again = desk.push(json!([update("a", json!("desk"), 2, 1)])).await.expect(200);
        assert_eq!(again["updatesRejected"][0]["code"], "recovered-over", "the author is told: {again}");
    }
    assert_eq!(logs[0], logs[1]);
    let keys: Vec<_> = logs[0].iter().map(|(key, _, _)| key.clone()).collect();
    assert_eq!(keys, ["lot", "a", "c", "b"], "the higher priority first, and what both had once");
}

#[tokio::test]
async fn whoever_comes_late_is_judged_and_what_is_there_already_is_not_taken_twice() {
    let (of_desk, of_platform) = two_histories().await;
    let server = TestServer::with(accepting()).await;
    let (desk, _) = of_desk.brings(&server.url).await;
    until_live(&desk).await;
    assert_eq!(desk.set("lot", json!(2)).await, 4);
    let (platform, restored) = of_platform.brings(&server.url).await;
    assert_eq!((&restored["status"], &restored["serverSeqNum"]), (&json!("live"), &json!(6)));
    assert_eq!(platform.state().await["state"], json!({"a": "platform", "b": "desk", "c": "platform", "lot": 2}));
    let (_, again) = of_platform.brings(&server.url).await;
    assert_eq!(again["serverSeqNum"], 6, "the same log once more changes nothing");
}

#[tokio::test]
async fn a_kill_while_logs_are_collected_loses_nothing_that_clients_have() {
    let home = tempdir().unwrap();
    let process = Process::start(home.path());
    let desk = process.stranger().create(&creation()).await;
    join(&desk).await;
    for n in 1..=9 {
        desk.push(json!([update("lot", json!(n), n, n - 1)])).await.expect(200);
    }
    let before = desk.state().await;
    let keeper = Keeper::without_proof(&desk, 99).await;
    let process = kill_and_restart(lose_the_key_too(process));
    let (joined, _) = keeper.brings(&process.url).await;
    let process = kill_and_restart(process);
    let joined = joined.at(&process.url);
    assert_eq!(status(&joined).await, "recovering");
    // It hears that the log is wanted once more, and a session is enough for that.
    let cursor = before["cursor"].as_str().unwrap();
    joined.get(&joined.of_meet(&format!("/updates?after={cursor}"))).await.problem(409, "server-behind");
    for page in kept_of(&keeper.pages) {
        restore(&joined, &page).await.expect(200);
    }
    until_live(&joined).await;
    assert_eq!(joined.state().await["stateHash"], before["stateHash"]);
    let process = kill_and_restart(process);
    let joined = joined.at(&process.url);
    assert_eq!(status(&joined).await, "live");
    assert_eq!(joined.set("lot", json!("on")).await, 10);
    assert_sound(&process);
}

/// Pages without what stands for a proof.
fn kept_of(pages: &[Value]) -> Vec<Value> {
    let mut pages = pages.to_vec();
    for page in &mut pages {
        page.as_object_mut().unwrap().retain(|name, _| ["updates", "cursor", "chain", "more"].contains(&name.as_str()));
    }
    pages
}

#[tokio::test]
async fn it_is_refused_unless_the_operator_wants_it() {
    let (of_desk, _) = two_histories().await;
    let server = TestServer::start().await;
    let desk = of_desk.client.at(&server.url);
    let problem = restore(&desk, &of_desk.pages[0]).await.problem(401, "invalid-session");
    assert!(problem["detail"].as_str().unwrap().contains("--accept-unproven-restore"), "{problem}");
    desk.post(&desk.of_meet("/sessions"), &json!({"password": PASSWORD, "locationName": "desk"})).await.problem(403, "join-rejected");
}

#[tokio::test]
async fn the_first_client_sets_password_and_locations_and_the_others_need_the_same() {
    let (of_desk, of_platform) = two_histories().await;
    let server = TestServer::with(accepting()).await;
    of_desk.brings(&server.url).await;
    let platform = of_platform.client.at(&server.url);
    let with = |name: &str, value: Value| {
        let mut page = of_platform.pages[0].clone();
        page[name] = value;
        page
    };
    restore(&platform, &with("password", json!("another password"))).await.problem(403, "join-rejected");
    restore(&platform, &with("locationName", json!("director"))).await.problem(422, "invalid-request");
    let problem = restore(&platform, &with("locations", locations(30))).await.problem(422, "invalid-request");
    assert_eq!(problem["errors"][0]["pointer"], "/locations");
    let problem = restore(&platform, &with("locations", Value::Null)).await.problem(422, "invalid-request");
    assert_eq!(problem["errors"][0]["pointer"], "/locations");
    let mut page = of_platform.pages[0].clone();
    page["updates"][0]["locationName"] = json!("a\u{7}b");
    let problem = restore(&platform, &page).await.problem(422, "invalid-request");
    assert_eq!(problem["errors"][0]["pointer"], "/updates/0/locationName");
    of_platform.brings(&server.url).await;
}

#[tokio::test]
async fn a_meet_that_is_here_is_never_touched() {
    let server = TestServer::with(accepting()).await;
    let desk = server.stranger().create(&creation()).await;
    desk.set("lot", json!(1)).await;
    let keeper = Keeper::without_proof(&desk, 99).await;
    let before = desk.get(&desk.of_meet("")).await.expect(200);
    let stranger = desk.with_token("");
    restore(&stranger, &keeper.pages[0]).await.problem(409, "history-changed");
    let mut guess = keeper.pages[0].clone();
    guess["password"] = json!("not the password");
    restore(&stranger, &guess).await.problem(403, "join-rejected");
    let after = desk.get(&desk.of_meet("")).await.expect(200);
    assert_eq!((&after["cursor"], &after["provenance"]), (&before["cursor"], &Value::Null));
}

#[tokio::test]
async fn where_creating_takes_a_key_so_does_making_a_meet_anew() {
    let (of_desk, of_platform) = two_histories().await;
    let server = TestServer::with(Options { create_key: Some("operators".into()), ..accepting() }).await;
    let desk = of_desk.client.at(&server.url);
    restore(&desk, &of_desk.pages[0]).await.problem(401, "invalid-session");
    let mut page = of_desk.pages[0].clone();
    page["createKey"] = json!("operators");
    restore(&desk, &page).await.expect(200);
    of_platform.brings(&server.url).await;
}

#[tokio::test]
async fn guesses_of_a_password_are_limited() {
    let (of_desk, _) = two_histories().await;
    let server = TestServer::with(Options { failed_logins_per_meet: 3.try_into().unwrap(), ..accepting() }).await;
    of_desk.brings(&server.url).await;
    let desk = of_desk.client.at(&server.url);
    let mut guess = of_desk.pages[0].clone();
    guess["password"] = json!("not the password");
    for _ in 0..3 {
        restore(&desk, &guess).await.problem(403, "join-rejected");
    }
    restore(&desk, &of_desk.pages[0]).await.problem(429, "rate-limited");
}

#[tokio::test]
async fn a_meet_comes_back_without_the_key_by_message_too() {
    let (of_desk, _) = two_histories().await;
    let server = TestServer::with(accepting()).await;
    let mut message = of_desk.pages[0].clone();
    message["msgType"] = json!("RESTORE");
    message["meetId"] = json!(of_desk.client.meet);
    let restored = server.socket().await.ask(&message).await;
    assert_eq!((&restored["msgType"], &restored["status"]), (&json!("RESTORED"), &json!("recovering")), "{restored}");
    let desk = of_desk.client.at(&server.url).with_token(restored["sessionToken"].as_str().unwrap());
    until_live(&desk).await;
    assert_eq!(desk.state().await["state"], json!({"a": "desk", "b": "desk", "lot": 1}));
}

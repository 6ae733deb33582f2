//! A meet came back at its clients' word, and later somebody comes with the log and the ticket that prove it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use super::unproven::{PASSWORD, accepting, creation, join, kill_and_restart, lose_the_key_too, until_live};
use super::{Keeper, assert_sound, hand_back, lose_everything, restore, status, update};
use crate::support::process::Process;
use crate::support::{Client, TestServer};

/// A meet that was lost: its editors have what proves it, and what they may say without proof.
struct Lost {
    process: Process,
    desk: Client,
    platform: Client,
    before: Value,
    proven: [Keeper; 2],
    unproven: [Keeper; 2],
}

impl Lost {
    async fn start(home: &Path) -> Lost {
        let process = Process::start(home);
        let desk = process.stranger().create(&creation()).await;
        let platform = join(&desk).await;
        for n in 1..=4 {
            desk.push(json!([update("lot", json!(n), n, n - 1)])).await.expect(200);
        }
        platform.push(json!([update("x", json!(1), 1, 4)])).await.expect(200);
        let before = desk.pull(0).await;
        let proven = [Keeper::of(&desk, 99).await, Keeper::of(&platform, 99).await];
        let unproven = [Keeper::without_proof(&desk, 99).await, Keeper::without_proof(&platform, 99).await];
        Lost { process, desk, platform, before, proven, unproven }
    }
}

/// A keeper's pages with the meet's password beside the ticket.
fn with_password(keeper: &Keeper) -> Keeper {
    let mut pages = keeper.pages.clone();
    pages.iter_mut().for_each(|page| page["password"] = json!(PASSWORD));
    Keeper { client: keeper.client.clone(), pages }
}

fn values(pulled: &Value) -> Vec<(Value, Value)> {
    let entries = pulled["updatesRelayed"].as_array().unwrap().iter();
    entries.map(|entry| (entry["updateKey"].clone(), entry["updateValue"].clone())).collect()
}

async fn provenance(client: &Client) -> Value {
    client.get(&client.of_meet("")).await.expect(200)["provenance"].clone()
}

/// The key was lost, the hall went on without it, and then somebody finds the copy.
#[tokio::test]
async fn the_key_is_found_again_and_what_the_hall_did_meanwhile_is_carried_over() {
    let home = tempdir().unwrap();
    let lost = Lost::start(home.path()).await;
    let key = fs::read(home.path().join("data.key")).unwrap();
    let process = lose_the_key_too(lost.process);
    let (desk, _) = lost.unproven[0].brings(&process.url).await;
    let (platform, restored) = lost.unproven[1].brings(&process.url).await;
    assert_eq!((&restored["status"], provenance(&desk).await), (&json!("live"), json!("unproven")));
    platform.push(json!([update("y", json!(2), 2, 5)])).await.expect(200);
    desk.push(json!([update("lot", json!(5), 5, 6), update("x", json!(9), 6, 0)])).await.expect(200);
    let old = desk.state().await["cursor"].as_str().unwrap().to_owned();

    let mut process = process;
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    fs::write(home.path().join("data.key"), key).unwrap();
    let process = Process::start(home.path());
    // What another key has chained opens for nobody, until somebody proves what belongs there.
    let one = lost.desk.at(&process.url);
    one.get(&one.of_meet("")).await.problem(503, "storage-failed");
    let restored = hand_back(&one, &with_password(&lost.proven[0]).pages).await;
    let one = one.with_token(restored["sessionToken"].as_str().unwrap());
    assert_eq!((&restored["status"], &restored["historyChanged"]), (&json!("recovering"), &json!(false)));
    let (other, restored) = lost.proven[1].brings(&process.url).await;
    assert_eq!(restored["status"], "live", "everybody has answered");
    let check = async |one: &Client| {
        let pulled = one.pull(0).await;
        let entries = pulled["updatesRelayed"].as_array().unwrap();
        assert_eq!(entries[..5], lost.before["updatesRelayed"].as_array().unwrap()[..], "what is proven keeps its numbers");
        assert_eq!(values(&pulled)[5..], [(json!("y"), json!(2)), (json!("lot"), json!(5))], "each once");
        assert_eq!((provenance(one).await, status(one).await), (Value::Null, json!("live")));
    };
    check(&one).await;
    // The authors find their numbers again, and only who lost is told so.
    let again = other.push(json!([update("y", json!(2), 2, 5)])).await.expect(200);
    assert_eq!(again["updateAcks"], json!([{"localSeqNum": 2, "serverSeqNum": 6, "duplicate": true}]));
    one.get(&one.of_meet(&format!("/updates?after={old}"))).await.problem(409, "history-changed");
    platform.at(&process.url).get(&platform.of_meet("")).await.problem(401, "invalid-session");
    let process = process.crash_and_restart();
    check(&one.at(&process.url)).await;
    assert_eq!(one.at(&process.url).set("on", json!(1)).await, 8);
    assert_sound(&process);
}

/// The key was there all the time, and the editors without tickets were faster.
#[tokio::test]
async fn readers_are_told_and_whoever_shows_the_password_brings_what_was_done_along() {
    let home = tempdir().unwrap();
    let lost = Lost::start(home.path()).await;
    let process = kill_and_restart(lose_everything(lost.process));
    let (desk, _) = lost.unproven[0].brings(&process.url).await;
    let (platform, _) = lost.unproven[1].brings(&process.url).await;
    platform.push(json!([update("y", json!(2), 2, 5)])).await.expect(200);
    desk.push(json!([update("w", json!("desk"), 5, 6)])).await.expect(200);
    let mut stream = platform.events("after=0").await;
    stream.expect("hello").await;

    lost.proven[0].brings(&process.url).await;
    let (one, _) = lost.proven[1].brings(&process.url).await;
    while stream.next().await.name != "end" {}
    platform.push(json!([update("z", json!(3), 3, 6)])).await.problem(401, "invalid-session");
    assert_eq!(values(&one.pull(0).await), values(&lost.before), "nobody has shown yet whose the other meet was");
    let wrong = json!({"password": "not the password", "locationName": "platform 1"});
    one.with_token("").post(&one.of_meet("/sessions"), &wrong).await.problem(403, "join-rejected");
    assert_eq!(one.set("w", json!("platform")).await, 6);
    let joined = lost.desk.at(&process.url).rejoin().await;
    assert_eq!(joined.state().await["state"], json!({"lot": 4, "w": "platform", "x": 1, "y": 2}), "priorities decide");
    let process = kill_and_restart(process);
    let joined = joined.at(&process.url).rejoin().await;
    assert_eq!(joined.pull(0).await["headSeqNum"], 7, "it is carried over once");
    let again = joined.push(json!([update("w", json!("desk"), 5, 6)])).await.expect(200);
    assert_eq!(again["updatesRejected"][0]["code"], "recovered-over", "the author is told: {again}");
    assert_sound(&process);
}

#[tokio::test]
async fn what_strangers_did_stays_aside_in_a_file() {
    let home = tempdir().unwrap();
    let lost = Lost::start(home.path()).await;
    let process = kill_and_restart(lose_everything(lost.process));
    let mut page = json!({"updates": [], "cursor": "0", "chain": "0".repeat(64), "more": false});
    for (name, value) in
        [("password", json!("a stranger's own")), ("locationName", json!("desk")), ("locations", creation()["locations"].clone())]
    {
        page[name] = value;
    }
    let thief = lost.desk.at(&process.url).with_token("");
    let restored = restore(&thief, &page).await.expect(200);
    let thief = thief.with_token(restored["sessionToken"].as_str().unwrap());
    until_live(&thief).await;
    thief.set("lot", json!("stolen")).await;
    thief
        .with_token("")
        .post(&thief.of_meet("/sessions"), &json!({"password": PASSWORD, "locationName": "desk"}))
        .await
        .problem(403, "join-rejected");

    with_password(&lost.proven[0]).brings(&process.url).await;
    let (one, _) = lost.proven[1].brings(&process.url).await;
    join(&lost.platform.at(&process.url)).await;
    assert_eq!((values(&one.pull(0).await), provenance(&one).await), (values(&lost.before), Value::Null));
    thief.get(&thief.of_meet("")).await.problem(401, "invalid-session");
    let aside = process.meet_folder(&one.meet).join("superseded/updates.json.log");
    assert!(fs::read_to_string(aside).unwrap().contains("stolen"));
    let log = fs::read_to_string(home.path().join("data/diag.log")).unwrap();
    assert!(log.contains("stays aside") && log.contains("superseded"), "{log}");
    assert_sound(&process);
}

#[tokio::test]
async fn a_genuine_log_wins_while_others_are_collected() {
    let home = tempdir().unwrap();
    let lost = Lost::start(home.path()).await;
    let process = kill_and_restart(lose_everything(lost.process));
    let (collected, _) = lost.unproven[0].brings(&process.url).await;
    assert_eq!(status(&collected).await, "recovering");
    let mut forged = lost.proven[0].pages.clone();
    forged[0]["updates"][0]["updateValue"] = json!("forged");
    restore(&lost.desk.at(&process.url), &forged[0]).await.problem(422, "invalid-request");
    assert_eq!(provenance(&collected).await, "unproven", "a ticket alone proves nothing");
    lost.proven[0].brings(&process.url).await;
    let (one, restored) = lost.proven[1].brings(&process.url).await;
    assert_eq!((&restored["status"], &restored["cursor"]), (&json!("live"), &lost.before["cursor"]));
    assert_eq!(provenance(&one).await, Value::Null);
}

/// A meet without proof is lost once more, with the key that it has now.
#[tokio::test]
async fn a_second_loss_makes_nothing_proven_that_was_not() {
    let home = tempdir().unwrap();
    let lost = Lost::start(home.path()).await;
    let process = lose_the_key_too(lost.process);
    let (desk, _) = lost.unproven[0].brings(&process.url).await;
    let (platform, _) = lost.unproven[1].brings(&process.url).await;
    desk.set("lot", json!("on")).await;
    let before = desk.state().await;
    let keepers = [Keeper::of(&desk, 99).await, Keeper::of(&platform, 99).await];
    let process = lose_everything(process);
    keepers[0].brings(&process.url).await;
    let (one, restored) = keepers[1].brings(&process.url).await;
    assert_eq!((&restored["status"], &restored["cursor"]), (&json!("live"), &before["cursor"]));
    assert_eq!(provenance(&one).await, "unproven");
    let process = process.crash_and_restart();
    assert_eq!(provenance(&one.at(&process.url)).await, "unproven");
}

/// Both are of this server's key, but only one says that a log had proved the meet.
#[tokio::test]
async fn a_ticket_of_a_meet_without_proof_supersedes_nothing() {
    let server = TestServer::with(accepting()).await;
    let desk = server.stranger().create(&creation()).await;
    desk.set("lot", json!(1)).await;
    let unproven = Keeper::without_proof(&desk, 99).await;
    let server = TestServer::with(accepting()).await;
    let (first, _) = unproven.brings(&server.url).await;
    until_live(&first).await;
    let ticket = Keeper::of(&first, 99).await;
    let server = TestServer::with(accepting()).await;
    let (second, _) = unproven.brings(&server.url).await;
    until_live(&second).await;
    restore(&first.at(&server.url), &ticket.pages[0]).await.problem(401, "invalid-session");
    assert_eq!(second.set("lot", json!(2)).await, 2);
    // The proven one wins, and the ticket of the other opens nothing there either.
    let proven = Keeper::of(&desk, 99).await;
    let (one, _) = proven.brings(&server.url).await;
    restore(&first.at(&server.url), &ticket.pages[0]).await.problem(401, "invalid-session");
    assert_eq!(hand_back(&one, &proven.pages).await["historyChanged"], false);
}

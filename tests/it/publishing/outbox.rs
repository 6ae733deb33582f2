//! Publishes are kept with their meet, once each, and go where the operator wants them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use super::{EMAIL, SINGLE, publish, published, publishes, small, until, until_status};
use crate::support::address::free_address;
use crate::support::process::{Process, liftrelay, run};
use crate::support::webhook::Webhook;
use crate::support::{Client, TestServer};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

fn corrected(version: usize) -> String {
    small().replace("Ada Ashdown", &format!("Ada Ashdown #{version}"))
}

#[tokio::test]
async fn the_same_results_are_one_publish_and_corrected_ones_another() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let first = publish(&desk, SINGLE).await.expect(202);
    assert_eq!(first["status"], "handed-over", "by default they stay with the meet");
    assert!(first.get("duplicate").is_none());
    let platform = desk.join("platform 1").await;
    for again in [&desk, &platform] {
        let reply = publish(again, SINGLE).await.expect(202);
        assert_eq!(reply, json!({"msgType": "PUBLISH_ACK", "publishId": first["publishId"], "status": "handed-over", "duplicate": true}));
    }
    let other = published(&platform, &corrected(1)).await;
    let elsewhere = desk.post(&desk.of_meet("/publish"), &json!({"returnEmail": "other@example.org", "oplCsv": SINGLE})).await.expect(202);
    let list = publishes(&desk).await;
    let ids: Vec<&Value> = list.iter().map(|publish| &publish["publishId"]).collect();
    assert_eq!(ids, [&elsewhere["publishId"], &json!(other), &first["publishId"]], "newest first");
    assert_eq!((&list[1]["locationName"], &list[1]["clientId"]), (&json!("platform 1"), &json!(platform.client_id)));
    assert_eq!((&list[2]["locationName"], &list[2]["returnEmail"], &list[2]["attempts"]), (&json!("desk"), &json!(EMAIL), &json!(0)));
    assert_eq!(names(&server.file(&desk.meet, "publishes")).len(), 3);
}

#[tokio::test]
async fn publishes_move_with_a_finished_meet_which_goes_on_publishing() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    let first = published(&desk, SINGLE).await;
    desk.post(&desk.of_meet("/finish"), &json!({})).await.expect(200);
    let second = published(&desk, &corrected(1)).await;
    let before = publishes(&desk).await;
    assert_eq!(before.len(), 2);
    let publishes_folder = folder.path().join("data/finished-meets").join(&desk.meet).join("publishes");
    let mut expected = [first, second].map(|id| format!("{id}.opl.csv"));
    expected.sort_unstable();
    assert_eq!(names(&publishes_folder), expected);
    let process = process.crash_and_restart();
    let desk = desk.at(&process.url);
    assert_eq!(publishes(&desk).await, before);
    assert_eq!(publish(&desk, SINGLE).await.expect(202)["duplicate"], true);
}

#[tokio::test]
async fn the_oldest_publish_makes_room_for_the_newest() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let first = published(&desk, &corrected(0)).await;
    for version in 1..64 {
        published(&desk, &corrected(version)).await;
    }
    assert_eq!(publish(&desk, &corrected(7)).await.expect(202)["duplicate"], true, "what is there needs no room");
    let last = published(&desk, SINGLE).await;
    let list = publishes(&desk).await;
    assert_eq!((list.len(), &list[0]["publishId"]), (64, &json!(last)));
    let files = names(&server.file(&desk.meet, "publishes"));
    assert_eq!((files.len(), files.contains(&format!("{first}.opl.csv"))), (64, false), "its file went with it");
    assert!(publish(&desk, &corrected(0)).await.expect(202).get("duplicate").is_none(), "it can be published anew");
}

#[tokio::test]
async fn what_waits_to_be_handed_over_makes_no_room() {
    let server = TestServer::publishing_to(&format!("http://{}/", free_address())).await;
    let desk = server.meet().await;
    for version in 0..64 {
        published(&desk, &corrected(version)).await;
    }
    let problem = publish(&desk, SINGLE).await.problem(422, "invalid-request");
    assert!(problem["detail"].as_str().unwrap().contains("64 publishes that wait to be handed over"), "{problem}");
    assert_eq!(publish(&desk, &corrected(7)).await.expect(202)["duplicate"], true, "what is there can still be asked for");
    assert_eq!((publishes(&desk).await.len(), names(&server.file(&desk.meet, "publishes")).len()), (64, 64));
}

/// The operator forgets `--publish-to`: nothing may be called handed over that nobody has got.
#[tokio::test]
async fn what_was_queued_is_not_handed_over_to_nobody() {
    let folder = tempdir().unwrap();
    let address = free_address();
    let url = format!("http://{address}/results");
    let process = Process::start_with(folder.path(), &["--publish-to", &url]);
    let desk = process.stranger().create_as("desk").await;
    let (first, second) = (published(&desk, SINGLE).await, published(&desk, &corrected(1)).await);
    desk.post(&desk.of_meet("/finish"), &json!({})).await.expect(200);
    drop(process);
    let process = Process::start(folder.path());
    let desk = desk.at(&process.url);
    let left =
        |publish: &Value| publish["reason"].as_str().is_some_and(|reason| reason.contains("no longer hands results over to anybody"));
    for id in [&first, &second] {
        assert_eq!(until(&desk, id, left).await["status"], "queued");
    }
    let ack = publish(&desk, SINGLE).await.expect(202);
    assert_eq!(
        (&ack["status"], &ack["duplicate"]),
        (&json!("handed-over"), &json!(true)),
        "somebody asked for it, and it is with the meet"
    );
    process.signal("TERM");
    let (_, _, stderr) = process.wait();
    assert!(stderr.contains("handed over to nobody") && stderr.contains("left=2"), "{stderr}");
    let mut webhook = Webhook::start_at(address, &[]);
    let process = Process::start_with(folder.path(), &["--publish-to", &url]);
    until_status(&desk.at(&process.url), &second, "handed-over").await;
    assert_eq!(webhook.sent(1).await.len(), 1, "the other one was settled");
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_promised() {
    let (server, store) = TestServer::in_memory().await;
    let desk = server.meet().await;
    store.fail_documents(true);
    let reply = publish(&desk, SINGLE).await;
    assert!(!reply.header("retry-after").is_empty());
    reply.problem(503, "storage-failed");
    store.fail_documents(false);
    assert!(publishes(&desk).await.is_empty());
    let reply = publish(&desk, SINGLE).await.expect(202);
    assert!(reply.get("duplicate").is_none(), "{reply}");
}

#[tokio::test]
async fn results_appear_whole_in_the_operators_folder() {
    let folder = tempdir().unwrap();
    let server = TestServer::publishing_to(folder.path().to_str().unwrap()).await;
    let desk = server.meet().await;
    let reply = publish(&desk, SINGLE).await.expect(202);
    assert_eq!(reply["status"], "queued");
    let id = reply["publishId"].as_str().unwrap();
    let told = until_status(&desk, id, "handed-over").await;
    assert_eq!((&told["attempts"], told.get("reason")), (&json!(1), None));
    assert!(told["handedOverAt"].as_str().unwrap() >= told["at"].as_str().unwrap());
    let stem = format!("{}-{id}", desk.meet);
    assert_eq!(names(folder.path()), [format!("{stem}.json"), format!("{stem}.opl.csv")]);
    let file = folder.path().join(format!("{stem}.opl.csv"));
    assert_eq!(fs::read_to_string(&file).unwrap(), SINGLE);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o007, 0, "dates of birth are not for everybody");
    let facts: Value = serde_json::from_str(&fs::read_to_string(folder.path().join(format!("{stem}.json"))).unwrap()).unwrap();
    let expected = json!({
        "meetId": desk.session["meetId"], "meetName": "Test Open", "publishId": id, "publishedAt": told["at"],
        "locationName": "desk", "returnEmail": EMAIL, "lifters": 34, "sha256": told["sha256"],
    });
    assert_eq!(facts, expected);
    assert_eq!(publish(&desk, SINGLE).await.expect(202)["status"], "handed-over");
    assert_eq!(
        fs::read_to_string(server.file(&desk.meet, &format!("publishes/{id}.opl.csv"))).unwrap(),
        SINGLE,
        "the meet keeps its own copy"
    );
}

/// As under the unit, whose umask leaves nothing to the group.
#[tokio::test]
async fn the_group_may_read_them_whatever_the_umask() {
    let (folder, results) = (tempdir().unwrap(), tempdir().unwrap());
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "umask 077; exec \"$0\" \"$@\""]).arg(liftrelay().get_program());
    let process = Process::launch(folder.path(), command, &["--publish-to", results.path().to_str().unwrap()]);
    let desk = process.stranger().create_as("desk").await;
    let id = published(&desk, SINGLE).await;
    until_status(&desk, &id, "handed-over").await;
    let found = names(results.path());
    assert_eq!(found.len(), 2, "the probe of the start is gone: {found:?}");
    for name in found {
        assert_eq!(fs::metadata(results.path().join(&name)).unwrap().permissions().mode() & 0o777, 0o640, "{name}");
    }
}

#[tokio::test]
async fn a_folder_that_is_away_for_a_while_gets_them_later() {
    let outer = tempdir().unwrap();
    let folder = outer.path().join("results");
    fs::create_dir(&folder).unwrap();
    let server = TestServer::publishing_to(folder.to_str().unwrap()).await;
    let desk = server.meet().await;
    fs::remove_dir(&folder).unwrap();
    let id = published(&desk, SINGLE).await;
    let told = until(&desk, &id, |publish| publish["attempts"] == 1).await;
    assert_eq!(
        (&told["status"], &told["reason"]),
        (&json!("queued"), &json!("the folder for published results cannot be written; the server's log says why"))
    );
    assert_eq!(publish(&desk, SINGLE).await.expect(202)["status"], "queued");
    fs::create_dir(&folder).unwrap();
    let told = until_status(&desk, &id, "handed-over").await;
    assert!(told.get("reason").is_none() && told["attempts"].as_u64() >= Some(2), "{told}");
    assert_eq!(names(&folder).len(), 2);
}

/// Starts with a destination; gives what is said about it.
fn refused(destination: &str) -> String {
    let folder = tempdir().unwrap();
    let mut command = liftrelay();
    command.args(["serve", "--listen", ":0", "--publish-to", destination, "--data-dir"]).arg(folder.path().join("data"));
    let (code, _, stderr) = run(&mut command);
    assert_eq!(code, 2, "{stderr}");
    stderr
}

#[test]
fn a_destination_that_cannot_be_is_told_at_the_start() {
    assert!(refused("/no/such/folder").contains("there is no such folder; make it first"));
    let told = refused("/proc");
    assert!(told.contains("--publish-to /proc: nothing can be written there (") && told.contains("ReadWritePaths=/proc"), "{told}");
    for wrong in ["ftp://example.org", "https://"] {
        assert!(refused(wrong).contains("a destination is a folder, or an address like https://results.example.org/meets"), "{wrong}");
    }
}

#[tokio::test]
async fn the_start_says_where_results_go_and_no_secret() {
    let folder = tempdir().unwrap();
    let process =
        Process::start_with(folder.path(), &["--publish-to", "http://192.0.2.1/results?token=opensesame", "--keep-finished", "30"]);
    process.signal("TERM");
    let (status, _, stderr) = process.wait();
    assert!(status.success());
    assert!(stderr.contains("published results go to http://192.0.2.1\n"), "{stderr}");
    assert!(stderr.contains("finished meets are removed after 30 days"), "{stderr}");
    assert!(stderr.contains("results are published by plain HTTP"), "{stderr}");
    assert!(!stderr.contains("opensesame"), "{stderr}");
    let process = Process::start_with(folder.path(), &["--keep-finished", "1"]);
    process.signal("TERM");
    let (_, _, stderr) = process.wait();
    assert!(stderr.contains("finished meets are removed after 1 day\n"), "{stderr}");
}

/// A client that gives up may not stop the hand-over, or leave it half begun.
#[tokio::test]
async fn a_publisher_that_goes_away_is_published_all_the_same() {
    let folder = tempdir().unwrap();
    let server = TestServer::publishing_to(folder.path().to_str().unwrap()).await;
    let desk: Client = server.meet().await;
    let pause = std::time::Duration::from_millis;
    for version in 0..20 {
        let export = corrected(version);
        let _ = tokio::time::timeout(pause(version as u64 % 10), publish(&desk, &export)).await;
    }
    // Whatever was taken is handed over; nothing stays queued for ever.
    for publish in publishes(&desk).await {
        until_status(&desk, publish["publishId"].as_str().unwrap(), "handed-over").await;
    }
}

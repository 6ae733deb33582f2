//! The real program under clocks that are wrong, jump and go back (libfaketime): they change timestamps, and when something
//! expires. Nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::Client;
use crate::support::client::PASSWORD;
use crate::support::process::{Process, liftrelay, run};

/// What tells programs another time.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|item| item.unwrap().path().join("faketime/libfaketimeMT.so.1"));
    folders.into_iter().find(|path| path.exists()).expect("libfaketime is missing; tests/run installs it (apt: faketime)")
}

/// A machine whose clock the test sets, by as much as it is wrong.
struct Machine {
    home: TempDir,
}

impl Machine {
    fn new(wrong_by: &str) -> Machine {
        let machine = Machine { home: tempdir().unwrap() };
        machine.set(wrong_by);
        machine
    }

    fn clock(&self) -> PathBuf {
        self.home.path().join("clock")
    }

    /// Sets the clock of everything that runs: for example `-5h` or `+8d`.
    fn set(&self, wrong_by: &str) {
        let fresh = self.home.path().join("clock.new");
        fs::write(&fresh, wrong_by).unwrap();
        fs::rename(fresh, self.clock()).unwrap();
    }

    fn start(&self, arguments: &[&str]) -> Process {
        let mut command = liftrelay();
        // Only the wall clock: the other one is the kernel's, and nobody sets it.
        command.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", self.clock());
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Process::launch(self.home.path(), command, arguments)
    }

    /// `kill -9`, then another one, perhaps without what it had stored.
    fn restart(&self, mut process: Process, loses_data: bool) -> Process {
        process.child.kill().unwrap();
        process.child.wait().unwrap();
        if loses_data {
            fs::remove_dir_all(self.home.path().join("data")).unwrap();
        }
        self.start(&[])
    }
}

/// The server's clock, in hours.
async fn hours(client: &Client) -> i64 {
    let mut stream = client.events("after=now").await;
    let now: jiff::Timestamp = stream.expect("hello").await.json["serverTime"].as_str().unwrap().parse().unwrap();
    now.as_second() / 3600
}

fn numbered(local: u64, after: u64) -> Value {
    json!([{"updateKey": "lot", "updateValue": local, "localSeqNum": local, "afterServerSeqNum": after}])
}

/// The whole log as an editor hands it back, with its ticket.
async fn kept(client: &Client) -> Value {
    let mut page = client.pull(0).await;
    page["updates"] = page["updatesRelayed"].take();
    page["recoveryTicket"] = client.get(&client.of_meet("")).await.expect(200)["recoveryTicket"].clone();
    page
}

#[tokio::test]
async fn sessions_and_view_keys_end_when_their_time_has_come_and_not_before() {
    let machine = Machine::new("+0");
    let process = machine.start(&[]);
    let desk = process.stranger().create_as("desk").await;
    let label = json!({"label": "a day", "expiresIn": 86_400});
    let key = desk.post(&desk.of_meet("/view-keys"), &label).await.expect(201);
    let viewer = desk.with_token(key["viewKey"].as_str().unwrap());
    let for_ever = desk.viewer().await;
    machine.set("+23h");
    viewer.state().await;
    machine.set("+25h");
    viewer.get(&viewer.of_meet("/state")).await.problem(401, "invalid-view-key");
    machine.set("+167h");
    desk.set("lot", json!(1)).await;
    let process = machine.restart(process, false);
    let [desk, for_ever] = [desk.at(&process.url), for_ever.at(&process.url)];
    desk.set("lot", json!(2)).await;
    machine.set("+169h");
    desk.get(&desk.of_meet("/state")).await.problem(401, "invalid-session");
    for_ever.state().await;
    let process = machine.restart(process, false);
    desk.at(&process.url).get(&desk.of_meet("/state")).await.problem(401, "invalid-session");
    assert_eq!(desk.at(&process.url).rejoin().await.set("lot", json!(3)).await, 3);
}

#[tokio::test]
async fn an_old_ticket_restores_and_buys_no_session() {
    for (days, buys) in [("+6d", true), ("+8d", false)] {
        let machine = Machine::new("+0");
        let process = machine.start(&[]);
        let desk = process.stranger().create_as("desk").await;
        desk.set("lot", json!(1)).await;
        let page = kept(&desk).await;
        machine.set(days);
        let process = machine.restart(process, true);
        let desk = desk.at(&process.url);
        let restored = desk.post(&desk.of_meet("/restore"), &page).await.expect(200);
        assert_eq!((restored["serverSeqNum"].as_u64(), restored["sessionToken"].is_string()), (Some(1), buys));
        assert_eq!(desk.rejoin().await.set("lot", json!(2)).await, 2);
    }
}

/// Somebody sets the clock right, while everything runs and across a restart.
#[tokio::test]
async fn a_clock_that_goes_back_changes_nothing_but_timestamps() {
    let machine = Machine::new("+5h");
    let process = machine.start(&["--failed-logins-per-meet", "3"]);
    let desk = process.stranger().create_as("desk").await;
    let platform = desk.join("platform 1").await;
    desk.push(numbered(1, 0)).await.expect(200);
    let wrong = json!({"password": "not the password", "locationName": "desk"});
    let stranger = desk.with_token("");
    for _ in 0..3 {
        stranger.post(&desk.of_meet("/sessions"), &wrong).await.problem(403, "join-rejected");
    }
    let mut stream = platform.events("after=1").await;
    stream.expect("hello").await;
    let before = hours(&desk).await;

    machine.set("-4h");
    let after = hours(&desk).await;
    assert!((8..=10).contains(&(before - after)), "the clock went back: {before} {after}");
    stranger.post(&desk.of_meet("/sessions"), &wrong).await.problem(429, "rate-limited");
    let (waiting, at) = (platform.clone(), Instant::now());
    let poll = tokio::spawn(async move { waiting.get(&waiting.of_meet("/updates?after=1&wait=20")).await.expect(200) });
    let ack = desk.push(numbered(2, 1)).await.expect(200)["updateAcks"].clone();
    assert_eq!(ack, json!([{"localSeqNum": 2, "serverSeqNum": 2}]));
    let news = poll.await.unwrap();
    assert_eq!(news["updatesRelayed"][0]["serverSeqNum"], 2);
    assert!(at.elapsed() < Duration::from_secs(15), "nobody is woken late: {:?}", at.elapsed());
    stream.entries_until(2).await;
    let beat = Instant::now();
    stream.expect("heartbeat").await;
    assert!(beat.elapsed() < Duration::from_secs(25), "heartbeats go on: {:?}", beat.elapsed());
    let idle = Instant::now();
    let nothing = platform.get(&platform.of_meet("/updates?after=2&wait=2")).await.expect(200);
    assert_eq!(nothing["updatesRelayed"], json!([]));
    assert!((2..12).contains(&idle.elapsed().as_secs()), "{:?}", idle.elapsed());

    machine.set("-20h");
    let process = machine.restart(process, false);
    let [desk, platform] = [desk.at(&process.url), platform.at(&process.url)];
    let again = desk.push(numbered(2, 1)).await.expect(200)["updateAcks"].clone();
    assert_eq!(again, json!([{"localSeqNum": 2, "serverSeqNum": 2, "duplicate": true}]));
    assert_eq!(platform.set("lot", json!("on")).await, 3);
    let log = platform.pull(0).await["updatesRelayed"].clone();
    let times: Vec<jiff::Timestamp> = (0..3).map(|n| log[n]["at"].as_str().unwrap().parse().unwrap()).collect();
    assert!(times[0] > times[1] && times[1] > times[2], "only the timestamps tell: {times:?}");
}

/// The clock was ahead when tickets were made, and is right when the meet comes back; or the other way round.
#[tokio::test]
async fn a_lost_meet_comes_back_whatever_the_clocks_say() {
    for (before, after) in [("+9h", "-3h"), ("-9h", "+3h")] {
        let machine = Machine::new(before);
        let process = machine.start(&[]);
        let desk = process.stranger().create_as("desk").await;
        let platform = desk.join("platform 1").await;
        desk.set("lot", json!(1)).await;
        let pages = [(desk.clone(), kept(&desk).await), (platform.clone(), kept(&platform).await)];
        machine.set(after);
        let process = machine.restart(process, true);
        let mut sessions = Vec::new();
        for (client, page) in &pages {
            let client = client.at(&process.url);
            let restored = client.post(&client.of_meet("/restore"), page).await.expect(200);
            sessions.push(client.with_token(restored["sessionToken"].as_str().unwrap()));
        }
        assert_eq!(sessions[0].set("lot", json!(2)).await, 2);
        // A ticket of the meet as it is now was made after the loss, and opens nothing.
        let fresh = kept(&sessions[1]).await;
        machine.set(before);
        sessions[1].with_token("").post(&desk.of_meet("/restore"), &fresh).await.problem(401, "invalid-session");
    }
}

/// The clocks of server and client are a day apart.
#[tokio::test]
async fn a_client_whose_clock_is_wrong_is_served_like_any_other() {
    let machine = Machine::new("+14h");
    let process = machine.start(&[]);
    let desk = process.stranger().create_as("desk").await;
    let wrongly = |body: Value, path: &str| {
        let mut curl = Command::new("curl");
        curl.env("LD_PRELOAD", library()).env("FAKETIME", "-10h").args(["-sS", "-X", "POST", "-H", "Content-Type: application/json"]);
        curl.arg("-H").arg(format!("Authorization: Bearer {}", desk.token)).arg("-d").arg(body.to_string());
        let (code, out, err) = run(curl.arg(format!("{}{}", desk.base, desk.of_meet(path))));
        assert_eq!(code, 0, "{err}");
        serde_json::from_str::<Value>(&out).unwrap()
    };
    let acks = wrongly(json!({"updates": numbered(1, 0)}), "/updates")["updateAcks"].clone();
    assert_eq!(acks, json!([{"localSeqNum": 1, "serverSeqNum": 1}]));
    let joined = wrongly(json!({"password": PASSWORD, "locationName": "desk"}), "/sessions");
    assert_eq!(desk.with_token(joined["sessionToken"].as_str().unwrap()).set("lot", json!(2)).await, 2);
}

/// Without the library the tests would pass for the wrong reason.
#[test]
fn the_library_tells_another_time() {
    let home: &Path = Path::new("/");
    let (_, out, _) =
        run(Command::new("date").arg("+%Y").current_dir(home).env("LD_PRELOAD", library()).env("FAKETIME", "@2001-01-01 00:00:00"));
    assert_eq!(out.trim(), "2001");
}

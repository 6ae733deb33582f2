//! Damage on the disk, as operators and clients meet it: the real program on real files.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::Client;
use crate::support::process::{Process, liftrelay, run};

/// Kills the server, does something to a meet's folder, and starts another one.
fn meanwhile(mut process: Process, meet: &str, what: impl FnOnce(&Path)) -> Process {
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    what(&process.meet_folder(meet));
    Process::start(&process.folder.clone())
}

/// Changes a byte in the middle of a line of the log, counted from the header's 0.
fn damage_line(folder: &Path, line: usize) {
    let path = folder.join("updates.json.log");
    let mut log = fs::read(&path).unwrap();
    let start = log.split_inclusive(|&byte| byte == b'\n').take(line).map(<[u8]>::len).sum::<usize>();
    log[start + 30] ^= 1;
    fs::write(path, log).unwrap();
}

async fn info(client: &Client) -> Value {
    client.get(&client.of_meet("")).await.expect(200)
}

/// Everything that a client has, ready to be handed back.
async fn kept(client: &Client) -> Value {
    let page = client.pull(0).await;
    json!({"updates": page["updatesRelayed"], "cursor": page["cursor"], "chain": page["chain"], "more": false})
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn diag_log(process: &Process) -> String {
    fs::read_to_string(process.folder.join("data/diag.log")).unwrap()
}

fn names_in(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_damaged_log_is_named_at_the_start_and_mended_by_a_client() {
    let home = tempdir().unwrap();
    let process = Process::start(home.path());
    let desk = process.stranger().create_as("desk").await;
    let platform = desk.join("platform 1").await;
    let other = process.stranger().create_as("desk").await;
    for n in 1..=6 {
        platform.set("lot", json!(n)).await;
    }
    other.set("a", json!(1)).await;
    let (before, log) = (desk.state().await, kept(&platform).await);

    let process = meanwhile(process, &desk.meet, |folder| damage_line(folder, 4));
    let (desk, platform, other) = (desk.at(&process.url), platform.at(&process.url), other.at(&process.url));
    // Nobody has asked for it yet.
    until("it is not named", async || diag_log(&process).contains("stored meets are damaged")).await;
    let named = diag_log(&process);
    let line = named.lines().find(|line| line.contains("the log is damaged")).unwrap();
    assert!(line.contains(&desk.meet[..3]) && line.contains("line 5 is damaged"), "{line}");
    let scrape = process.stranger().get("/metrics").await.text;
    assert!(scrape.contains("liftrelay_meets_read_only{reason=\"damage\"} 1"), "{scrape}");
    assert_eq!(info(&desk).await["readOnly"], json!({"reason": "damage", "neededServerSeqNum": 6}));
    assert_eq!(desk.state().await["state"]["lot"], 3);
    desk.push(json!([{"updateKey": "lot", "updateValue": 7}])).await.problem(503, "storage-failed");
    desk.post(&desk.of_meet("/finish"), &json!({})).await.problem(503, "storage-failed");
    assert_eq!((info(&other).await["readOnly"].clone(), other.set("a", json!(2)).await), (Value::Null, 2));

    let mut stream = desk.events(&format!("after={}", before["cursor"].as_str().unwrap())).await;
    stream.expect("hello").await;
    assert_eq!(stream.expect("server-pull").await.json["lastServerSeq"], 3);
    let restored = platform.post(&platform.of_meet("/restore"), &log).await.expect(200);
    assert_eq!((&restored["cursor"], &restored["status"]), (&before["cursor"], &json!("live")));
    assert_eq!((desk.state().await, info(&desk).await["readOnly"].clone()), (before.clone(), Value::Null));
    assert_eq!(desk.set("lot", json!(7)).await, 7);
    assert_eq!(stream.entries_until(7).await.len(), 1, "whoever was ahead goes on where it was");
    let folder = process.meet_folder(&desk.meet);
    assert!(names_in(&folder).contains(&"updates.json.log.damaged-0".to_owned()), "{:?}", names_in(&folder));

    let process = process.crash_and_restart();
    assert_eq!(desk.at(&process.url).pull(0).await["headSeqNum"], 7);
    until("it is not looked at", async || diag_log(&process).contains("looked at and are sound")).await;
    let (code, out, _) = run(liftrelay().args(["verify", "--data-dir"]).arg(home.path().join("data")));
    assert_eq!(code, 0, "{out}");
}

#[tokio::test]
async fn who_may_write_comes_back_with_a_recovery_ticket() {
    for content in [None, Some("{\"version\":1,"), Some("")] {
        let home = tempdir().unwrap();
        let process = Process::start(home.path());
        let desk = process.stranger().create_as("desk").await;
        desk.set("lot", json!(1)).await;
        let mut page = kept(&desk).await;
        let process = meanwhile(process, &desk.meet, |folder| {
            fs::remove_file(folder.join("auth.json")).unwrap();
            if let Some(content) = content {
                fs::write(folder.join("auth.json"), content).unwrap();
            }
        });
        let desk = desk.at(&process.url);
        desk.get(&desk.of_meet("/state")).await.problem(503, "storage-failed");
        desk.post(&desk.of_meet("/restore"), &page).await.problem(503, "storage-failed");
        page["recoveryTicket"] = json!("AAAA");
        desk.post(&desk.of_meet("/restore"), &page).await.problem(503, "storage-failed");
        assert_eq!(desk.get(&desk.of_meet("/state")).await.status, 503, "no other text opens it");
        page["recoveryTicket"] = desk.session["recoveryTicket"].clone();
        let reply = desk.post(&desk.of_meet("/restore"), &page).await;
        assert_eq!(reply.header("retry-after"), "1");
        reply.problem(503, "storage-failed");
        desk.post(&desk.of_meet("/restore"), &page).await.expect(200);
        assert_eq!(desk.set("lot", json!(2)).await, 2, "sessions are what they were");
        desk.join("platform 1").await;
        let aside = names_in(&process.meet_folder(&desk.meet)).contains(&"auth.json.damaged-0".to_owned());
        assert_eq!(aside, content.is_some());
    }
}

#[tokio::test]
async fn whatever_else_is_wrong_is_named_and_touches_no_other_meet() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm, &str); 5] = [
        ("a link", |folder| to_link(&folder.join("updates.json.log")), "a symbolic link"),
        ("a linked folder", to_link, "a symbolic link"),
        ("a pipe", to_pipe, "a pipe"),
        ("a later version", later_version, "a newer liftrelay wrote it"),
        ("no log", |folder| fs::remove_file(folder.join("updates.json.log")).unwrap(), "No such file"),
    ];
    let home = tempdir().unwrap();
    let mut process = Process::start(home.path());
    let sound = process.stranger().create_as("desk").await;
    for (what, harm, words) in harms {
        let meet = process.stranger().create_as("desk").await;
        meet.set("a", json!(1)).await;
        process = meanwhile(process, &meet.meet, harm);
        let (meet, sound) = (meet.at(&process.url), sound.at(&process.url));
        let reply = meet.get(&meet.of_meet("/state")).await;
        let problem = reply.problem(503, "storage-failed");
        assert!(!problem["detail"].as_str().unwrap().contains('/'), "{what}: {problem}");
        until(what, async || diag_log(&process).lines().any(|line| line.contains(&meet.meet[..3]) && line.contains(words))).await;
        sound.set("a", json!(1)).await;
    }
}

fn to_link(path: &Path) {
    let elsewhere = path.with_file_name("elsewhere");
    fs::rename(path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(elsewhere, path).unwrap();
}

fn to_pipe(folder: &Path) {
    let path = folder.join("sessions.json");
    fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn later_version(folder: &Path) {
    let path = folder.join("updates.json.log");
    let later = fs::read_to_string(&path).unwrap().replacen("\"version\":1", "\"version\":2", 1);
    fs::write(path, later).unwrap();
}

/// Sessions are gone, but nothing else is.
#[tokio::test]
async fn lost_sessions_cost_a_login() {
    let home = tempdir().unwrap();
    let process = Process::start(home.path());
    let desk = process.stranger().create_as("desk").await;
    desk.set("lot", json!(1)).await;
    let process = meanwhile(process, &desk.meet, |folder| fs::write(folder.join("sessions.json"), "{\"version\":1").unwrap());
    let desk = desk.at(&process.url);
    desk.get(&desk.of_meet("/state")).await.problem(401, "invalid-session");
    assert_eq!(desk.rejoin().await.set("lot", json!(2)).await, 2);
    assert!(names_in(&process.meet_folder(&desk.meet)).contains(&"sessions.json.damaged-0".to_owned()));
}

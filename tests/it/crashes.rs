//! The real process: killed, stopped, started again on what the last one left.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::support::Client;
use crate::support::process::{Process, liftrelay, run};
use crate::support::stream::assert_gapless;

/// What one client sent and was told.
#[derive(Debug, Default)]
struct Written {
    /// Its own number of each acked update, and the server's.
    acked: Vec<(u64, u64)>,
    /// The first number that it has not used.
    next: u64,
}

fn three(client: &Client, first: u64) -> Value {
    let update = |n| json!({"updateKey": format!("load[\"{}\"].n{n}", client.client_id), "updateValue": n, "localSeqNum": n});
    json!({"updates": (first..first + 3).map(update).collect::<Vec<_>>()})
}

/// Pushes batches of three until the server is gone, and tells each ack to `acks`.
fn write_until_the_end(client: &Client, first: u64, acks: &Arc<Semaphore>) -> JoinHandle<Written> {
    let (client, acks) = (client.clone(), Arc::clone(acks));
    tokio::spawn(async move {
        let mut written = Written { acked: Vec::new(), next: first };
        loop {
            let request = client.request(Method::POST, &client.of_meet("/updates")).json(&three(&client, written.next));
            written.next += 3;
            let Ok(response) = request.send().await else { return written };
            if response.status() != 200 {
                return written;
            }
            let Ok(reply) = response.json::<Value>().await else { return written };
            let number = |ack: &Value| (ack["localSeqNum"].as_u64().unwrap(), ack["serverSeqNum"].as_u64().unwrap());
            written.acked.extend(reply["updateAcks"].as_array().unwrap().iter().map(number));
            acks.add_permits(3);
        }
    })
}

async fn whole_log(client: &Client) -> Vec<Value> {
    let mut log: Vec<Value> = Vec::new();
    loop {
        let page = client.pull(log.len()).await;
        log.extend(page["updatesRelayed"].as_array().unwrap().iter().cloned());
        if page["more"] == false {
            assert_gapless(&log, 1);
            return log;
        }
    }
}

/// Everything that this client was told is there under its number.
fn assert_kept(log: &[Value], client: &Client, written: &Written) {
    for (own, number) in &written.acked {
        let entry = log.get(*number as usize - 1).unwrap_or_else(|| panic!("acked number {number} is gone"));
        assert_eq!((&entry["clientId"], &entry["localSeqNum"]), (&json!(client.client_id), &json!(own)), "number {number}");
    }
}

#[tokio::test]
async fn no_acked_update_is_lost_when_the_process_is_killed_under_load() {
    let folder = tempdir().unwrap();
    let mut process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    let clients = [desk.join("platform 1").await, desk.join("platform 2").await, desk];
    let mut next = [1; 3];
    for _ in 0..5 {
        let acks = Arc::new(Semaphore::new(0));
        let writing: Vec<_> =
            clients.iter().zip(next).map(|(client, next)| write_until_the_end(&client.at(&process.url), next, &acks)).collect();
        let _ = acks.acquire_many(90).await.unwrap();
        process = process.crash_and_restart();
        let log = whole_log(&clients[0].at(&process.url)).await;
        for ((client, next), writing) in clients.iter().zip(&mut next).zip(writing) {
            let written = writing.await.unwrap();
            assert_kept(&log, client, &written);
            *next = written.next;
            // The last batch got no answer: sent again it is there once, at whichever number.
            let again = client.at(&process.url).post(&client.of_meet("/updates"), &three(client, written.next - 3)).await.expect(200);
            assert_eq!(again["updateAcks"].as_array().unwrap().len(), 3, "{again}");
            let Some(&(own, number)) = written.acked.last() else { continue };
            let again = client.at(&process.url).post(&client.of_meet("/updates"), &three(client, own - 2)).await.expect(200);
            assert_eq!(again["updateAcks"][2], json!({"localSeqNum": own, "serverSeqNum": number, "duplicate": true}));
        }
    }
    let log = whole_log(&clients[0].at(&process.url)).await;
    for (client, next) in clients.iter().zip(next) {
        let own = log.iter().filter(|entry| entry["clientId"] == json!(client.client_id));
        let own: Vec<u64> = own.map(|entry| entry["localSeqNum"].as_u64().unwrap()).collect();
        assert_eq!(own, (1..next).collect::<Vec<_>>(), "each update is there once, in the order in which it was made");
    }
    let (code, out, _) = verify(folder.path(), &[]);
    assert_eq!(code, 0, "{out}");
}

#[tokio::test]
async fn a_stop_ends_all_streams_with_a_word_and_keeps_what_was_acked() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    let mut streams = Vec::new();
    for _ in 0..200 {
        let mut stream = desk.events("after=now").await;
        stream.expect("hello").await;
        streams.push(stream);
    }
    let acks = Arc::new(Semaphore::new(0));
    let writing = write_until_the_end(&desk, 1, &acks);
    let _ = acks.acquire_many(30).await.unwrap();
    process.signal("TERM");
    let signalled = Instant::now();
    let mut pauses = Vec::new();
    for stream in &mut streams {
        let end = loop {
            let event = stream.next().await;
            if event.name == "end" {
                break event;
            }
        };
        assert_eq!(end.json["reason"], "shutdown");
        assert!((1..=3).contains(&end.json["retryAfterSeconds"].as_u64().unwrap()), "{}", end.json);
        pauses.push(end.retry.expect("a pause before reconnecting"));
        assert!(stream.try_next().await.is_none());
    }
    pauses.sort();
    pauses.dedup();
    assert!(pauses.len() > 20, "a hall must not come back in one instant: {pauses:?}");
    let written = writing.await.unwrap();
    let (status, _, stderr) = process.wait();
    assert!(status.success(), "{stderr}");
    assert!(signalled.elapsed() < Duration::from_secs(2), "{:?}", signalled.elapsed());
    let process = Process::start(folder.path());
    assert_kept(&whole_log(&desk.at(&process.url)).await, &desk, &written);
}

#[tokio::test]
async fn a_stop_answers_long_polls_and_interrupt_means_the_same() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    let polling = tokio::spawn({
        let desk = desk.clone();
        async move { desk.get(&desk.of_meet("/updates?wait=25")).await.expect(200) }
    });
    let online = async { while desk.get(&desk.of_meet("")).await.expect(200)["locations"][0]["online"] != true {} };
    online.await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let signalled = Instant::now();
    process.signal("INT");
    assert_eq!(polling.await.unwrap()["updatesRelayed"], json!([]));
    assert!(process.wait().0.success());
    assert!(signalled.elapsed() < Duration::from_secs(2), "{:?}", signalled.elapsed());
}

#[tokio::test]
async fn a_restart_changes_nothing_for_those_who_were_there() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    let (platform, viewer) = (desk.join("platform 1").await, desk.viewer().await);
    desk.set("meet.name", json!("Test Open")).await;
    let before = desk.state().await;
    let (cursor, seen) = (before["cursor"].as_str().unwrap(), viewer.state().await);
    let process = Process::start(&process.stop());
    let [desk, platform, viewer] = [desk, platform, viewer].map(|client| client.at(&process.url));
    assert_eq!(desk.state().await, before);
    assert_eq!(viewer.state().await, seen);
    assert_eq!(desk.pull(cursor).await["updatesRelayed"], json!([]));
    let mut events = platform.events(&format!("after={cursor}")).await;
    assert_eq!(events.expect("hello").await.id, cursor);
    let number = platform.set("meet.city", json!("Berlin")).await;
    assert_eq!(number, 2);
    assert_gapless(&events.entries_until(number).await, 2);
    assert_eq!((&desk.session["slot"], &platform.session["slot"]), (&json!(0), &json!(1)));
    assert_eq!(platform.rejoin().await.session["slot"], 1);
    assert_eq!(desk.join("platform 2").await.session["slot"], 2);
}

#[tokio::test]
async fn another_server_key_opens_no_meet_and_the_log_says_why() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    process.stop();
    let other = folder.path().join("other.key");
    fs::write(&other, format!("{}\n", "ab".repeat(32))).unwrap();
    let process = Process::start_with(folder.path(), &["--server-key-file", other.to_str().unwrap()]);
    desk.at(&process.url).get(&desk.of_meet("/state")).await.problem(503, "storage-failed");
    process.signal("TERM");
    let (_, _, stderr) = process.wait();
    assert!(stderr.contains("is it the right --server-key-file?"), "it is told at the start: {stderr}");
    assert!(stderr.contains("another server key") && stderr.contains("--server-key-file"), "{stderr}");
    let (code, out, _) = verify(folder.path(), &["--server-key-file", other.to_str().unwrap()]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("another server key made this meet"), "{out}");
    let process = Process::start(folder.path());
    desk.at(&process.url).state().await;
}

#[tokio::test]
async fn a_lost_server_key_is_not_replaced_in_silence() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    process.stranger().create_as("desk").await;
    process.stop();
    let key = folder.path().join("data.key");
    fs::rename(&key, folder.path().join("kept")).unwrap();
    let (code, _, stderr) = serve(folder.path());
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("data.key is missing") && stderr.contains("put the key back"), "{stderr}");
    assert!(!key.exists(), "no new key was made");
    // Finished meets are worth no less.
    let data = folder.path().join("data");
    fs::remove_dir(data.join("finished-meets")).unwrap();
    fs::rename(data.join("current-meets"), data.join("finished-meets")).unwrap();
    let (code, _, stderr) = serve(folder.path());
    assert_eq!(code, 1, "{stderr}");
    assert!(!key.exists(), "no new key was made");
}

/// A server that is expected to refuse to start.
fn serve(folder: &Path) -> (i32, String, String) {
    run(liftrelay().args(["serve", "--listen", ":0", "--data-dir"]).arg(folder.join("data")))
}

#[tokio::test]
async fn two_servers_never_share_a_folder() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    let (code, _, stderr) = serve(folder.path());
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("another liftrelay uses this data folder"), "{stderr}");
    desk.set("still", json!("there")).await;
}

fn verify(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    run(liftrelay().args(["verify", "--data-dir"]).arg(folder.join("data")).args(arguments))
}

/// A stopped server's folder with two meets of five updates each.
async fn two_meets(folder: &Path) -> [Client; 2] {
    let process = Process::start(folder);
    let meets = [process.stranger().create_as("desk").await, process.stranger().create_as("desk").await];
    for meet in &meets {
        for number in 1..=5 {
            meet.set("count", json!(number)).await;
        }
    }
    process.stop();
    meets
}

fn log_of(folder: &Path, meet: &Client) -> std::path::PathBuf {
    folder.join("data/current-meets").join(&meet.meet).join("updates.json.log")
}

/// Changes one byte of the third entry.
fn damage(log: &Path) {
    let mut bytes = fs::read(log).unwrap();
    let third: usize = bytes.split_inclusive(|&byte| byte == b'\n').take(3).map(<[u8]>::len).sum();
    bytes[third + 100] ^= 1;
    fs::write(log, bytes).unwrap();
}

#[tokio::test]
async fn verify_tells_sound_torn_and_damaged_logs_apart_and_changes_none() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    let [one, two] = two_meets(folder).await;
    let (code, out, _) = verify(folder, &[]);
    assert_eq!((code, out.lines().count()), (0, 2), "{out}");
    assert!(out.lines().all(|line| line.ends_with("sound, 5 entries and 0 remembered answers")), "{out}");
    let log = log_of(folder, &one);
    let torn = tear(&log);
    damage(&log_of(folder, &two));
    let damaged = fs::read(log_of(folder, &two)).unwrap();
    let (code, out, stderr) = verify(folder, &[&one.meet]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("sound, 5 entries") && out.contains("12 bytes of a torn tail"), "{out}");
    assert!(stderr.contains("1 checked, 0 damaged"), "{stderr}");
    let (code, out, stderr) = verify(folder, &[]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("DAMAGED, line 4") && out.contains("entries up to 2 are sound"), "{out}");
    assert!(stderr.contains("2 checked, 1 damaged"), "{stderr}");
    assert_eq!((fs::read(&log).unwrap(), fs::read(log_of(folder, &two)).unwrap()), (torn, damaged));
}

/// Puts 12 bytes of another line into the reserve behind the last one; gives what the log holds then.
pub fn tear(log: &Path) -> Vec<u8> {
    let mut torn = fs::read(log).unwrap();
    let end = torn.iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    torn[end..end + 12].copy_from_slice(b"{\"chain\":\"01");
    fs::write(log, &torn).unwrap();
    torn
}

/// The same lines with sums that fit: the CRC-32 of the sum before and the line up to its own.
pub fn with_new_sums(log: &str) -> String {
    let mut sum = 0_u32;
    let line = |line: &str| {
        let (body, _) = line.rsplit_once(",\"sum\":").unwrap();
        sum = crc32fast::hash(&[&sum.to_be_bytes(), body.as_bytes()].concat());
        format!("{body},\"sum\":\"{sum:08x}\"}}\n")
    };
    log.trim_end_matches(' ').lines().map(line).collect()
}

#[tokio::test]
async fn verify_knows_who_wrote_a_log() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    let [one, two] = two_meets(folder).await;
    // A change that also mends the sums: only the key can tell.
    let log = log_of(folder, &two);
    let changed = fs::read_to_string(&log).unwrap().replacen("\"updateValue\":3", "\"updateValue\":8", 1);
    fs::write(&log, with_new_sums(&changed)).unwrap();
    let (code, out, _) = verify(folder, &[&two.meet]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("the chain of entry 3 does not fit"), "{out}");
    fs::copy(log_of(folder, &one), log_of(folder, &two)).unwrap();
    let (code, out, _) = verify(folder, &[&two.meet]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains(&format!("the log belongs to meet {}", one.meet)), "{out}");
    fs::rename(folder.join("data.key"), folder.join("moved.key")).unwrap();
    let (code, _, stderr) = verify(folder, &[&one.meet]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("no server key was found"), "{stderr}");
}

#[test]
fn verify_tells_a_wrong_question_from_a_bad_answer() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    assert_eq!(verify(folder, &[]).0, 2, "there is no such folder");
    assert!(!folder.join("data").exists(), "asking makes nothing");
    Process::start(folder).stop();
    let (code, out, stderr) = verify(folder, &[]);
    assert_eq!((code, out.as_str()), (0, ""), "{stderr}");
    let (code, _, stderr) = verify(folder, &["123-456-789"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("has no meet 123-456-789"), "{stderr}");
    assert_eq!(verify(folder, &["12345"]).0, 2);
    assert_eq!(verify(folder, &["--server-key-file", "/no/such/key"]).0, 2);
}

#[tokio::test]
async fn a_damaged_meet_still_tells_what_is_sound_and_others_do_not_notice() {
    let folder = tempdir().unwrap();
    let [whole, damaged] = two_meets(folder.path()).await;
    let log = log_of(folder.path(), &damaged);
    damage(&log);
    let bytes = fs::read(&log).unwrap();
    let process = Process::start(folder.path());
    let [whole, damaged] = [whole, damaged].map(|client| client.at(&process.url));
    assert_eq!(whole.set("count", json!(6)).await, 6);
    assert_eq!(damaged.state().await["state"], json!({"count": 2}));
    assert_gapless(damaged.pull(0).await["updatesRelayed"].as_array().unwrap(), 1);
    let reply = damaged.push(json!([{"updateKey": "count", "updateValue": 6}])).await;
    assert!(!reply.header("retry-after").is_empty());
    let problem = reply.problem(503, "storage-failed");
    let told = problem.to_string();
    assert!(!told.contains("data/") && !told.contains("line 4"), "what is inside the server stays there: {told}");
    let mut events = damaged.events("after=0").await;
    events.expect("hello").await;
    assert_gapless(&events.entries_until(2).await, 1);
    drop(events);
    process.stop();
    assert_eq!(fs::read(&log).unwrap(), bytes, "the file is left as it was found");
    let diary = fs::read_to_string(folder.path().join("data/diag.log")).unwrap();
    assert!(diary.contains("the log is damaged") && diary.contains("line 4"), "{diary}");
}

#[tokio::test]
async fn ten_thousand_meets_on_disk_cost_nothing_at_the_start() {
    let folder = tempdir().unwrap();
    let started = |_| {
        let start = Instant::now();
        Process::start(folder.path()).stop();
        start.elapsed()
    };
    let empty = (0..3).map(started).min().unwrap();
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    let meet = process.meet_folder(&desk.meet);
    process.stop();
    for id in 0..10_000 {
        let copy = meet.with_file_name(format!("{id:09}"));
        fs::create_dir(&copy).unwrap();
        fs::hard_link(meet.join("updates.json.log"), copy.join("updates.json.log")).unwrap();
    }
    let full = (0..3).map(started).min().unwrap();
    assert!(full < empty * 2 + Duration::from_millis(250), "{full:?} with ten thousand meets, {empty:?} without");
    let process = Process::start(folder.path());
    desk.at(&process.url).state().await;
}

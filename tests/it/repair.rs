//! `liftrelay verify --repair`: what is sound, in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::tempdir;

use crate::support::Client;
use crate::support::process::{Process, liftrelay, run};

fn verify(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    run(liftrelay().args(["verify", "--data-dir"]).arg(folder.join("data")).args(arguments))
}

fn repair(folder: &Path, to: &Path) -> (i32, String, String) {
    verify(folder, &["--repair", to.to_str().unwrap(), "--server-key-file", folder.join("data.key").to_str().unwrap()])
}

fn log_of(folder: &Path, client: &Client) -> PathBuf {
    folder.join("data/current-meets").join(&client.meet).join("updates.json.log")
}

/// Every file below a folder with what it holds.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut items: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|item| item.unwrap().path()).collect();
    items.sort();
    let below = |path: PathBuf| if path.is_dir() { content(&path) } else { vec![(path.clone(), fs::read(path).unwrap())] };
    items.into_iter().flat_map(below).collect()
}

/// A stopped server's folder with so many meets of five entries in three commits.
async fn meets<const N: usize>(folder: &Path) -> [Client; N] {
    let process = Process::start(folder);
    let mut clients = Vec::new();
    for _ in 0..N {
        let desk = process.stranger().create_as("desk").await;
        desk.set("lot", json!(1)).await;
        desk.push(
            json!([{"updateKey": "a", "updateValue": 2}, {"updateKey": "b", "updateValue": 3}, {"updateKey": "c", "updateValue": 4}]),
        )
        .await
        .expect(200);
        desk.set("lot", json!(5)).await;
        clients.push(desk);
    }
    process.stop();
    clients.try_into().unwrap()
}

/// Changes a byte in the middle of a line of the log, counted from the header's 0.
fn damage_line(log: &Path, line: usize) {
    let mut bytes = fs::read(log).unwrap();
    let start: usize = bytes.split_inclusive(|&byte| byte == b'\n').take(line).map(<[u8]>::len).sum();
    bytes[start + 30] ^= 1;
    fs::write(log, bytes).unwrap();
}

#[tokio::test]
async fn a_repaired_copy_serves_what_was_sound_and_the_original_stays() {
    let home = tempdir().unwrap();
    let folder = home.path();
    let [whole, damaged, torn, headless] = meets::<4>(folder).await;
    damage_line(&log_of(folder, &damaged), 3);
    damage_line(&log_of(folder, &headless), 0);
    crate::crashes::tear(&log_of(folder, &torn));
    let before = content(&folder.join("data"));

    let (code, out, stderr) = repair(folder, &folder.join("copy"));
    assert_eq!(code, 5, "{out}{stderr}");
    let says = |client: &Client, words: &str| {
        let id = format!("{}-{}-{}", &client.meet[..3], &client.meet[3..6], &client.meet[6..]);
        let told: Vec<&str> = out.lines().filter(|line| line.contains(&id)).collect();
        assert!(told.iter().any(|line| line.contains(words)), "{words}: {out}");
    };
    says(&whole, "in the copy are 5 entries and 0 remembered answers");
    says(&damaged, "DAMAGED, line 4 is damaged");
    says(
        &damaged,
        "in the copy are 1 entries and 0 remembered answers; left out is everything from line 4 on, where entries up to 5 had been",
    );
    says(&torn, "12 bytes of a torn tail");
    says(&headless, "NOT IN THE COPY");
    assert!(stderr.contains("holds 2 meets whole and 1 in part; 1 are missing"), "{stderr}");
    assert_eq!(content(&folder.join("data")), before, "nothing of the original was touched");

    let other = tempdir().unwrap();
    fs::rename(folder.join("copy"), other.path().join("data")).unwrap();
    fs::copy(folder.join("data.key"), other.path().join("data.key")).unwrap();
    assert_eq!(verify(other.path(), &[]).0, 0);
    let process = Process::start(other.path());
    for (client, head) in [(&whole, 5), (&torn, 5), (&damaged, 1)] {
        assert_eq!(client.at(&process.url).set("on", json!(true)).await, head + 1);
    }
    headless.at(&process.url).get(&headless.of_meet("")).await.problem(401, "invalid-session");
}

/// Only the key can tell that an entry was changed together with its sums.
#[tokio::test]
async fn what_this_server_has_not_written_is_left_out() {
    let home = tempdir().unwrap();
    let folder = home.path();
    let [one] = meets::<1>(folder).await;
    let log = log_of(folder, &one);
    let changed = fs::read_to_string(&log).unwrap().replacen("\"updateValue\":4", "\"updateValue\":9", 1);
    fs::write(&log, crate::crashes::with_new_sums(&changed)).unwrap();
    let (code, out, stderr) = repair(folder, &folder.join("copy"));
    assert_eq!(code, 5, "{stderr}");
    assert!(out.contains("the chain of entry 4 does not fit") && out.contains("in the copy are 1 entries"), "{out}");
    let (code, out, _) =
        run(liftrelay().args(["verify", "--data-dir"]).arg(folder.join("copy")).arg("--server-key-file").arg(folder.join("data.key")));
    assert_eq!(code, 0, "{out}");
}

#[tokio::test]
async fn a_sound_folder_is_copied_whole() {
    let home = tempdir().unwrap();
    let [one] = meets::<1>(home.path()).await;
    let (code, out, stderr) = repair(home.path(), &home.path().join("copy"));
    assert_eq!(code, 0, "{out}{stderr}");
    let copied = home.path().join("copy/current-meets").join(&one.meet);
    for name in ["auth.json", "sessions.json"] {
        assert_eq!(fs::read(copied.join(name)).unwrap(), fs::read(log_of(home.path(), &one).with_file_name(name)).unwrap());
    }
}

#[tokio::test]
async fn a_copy_is_never_written_over_anything_or_into_the_original() {
    let home = tempdir().unwrap();
    meets::<1>(home.path()).await;
    fs::create_dir(home.path().join("there")).unwrap();
    for (to, words) in [("there", "exists already"), ("data/copy", "lies in the data folder"), ("no/such/copy", "No such file")] {
        let (code, out, stderr) = repair(home.path(), &home.path().join(to));
        assert_eq!((code, out.as_str()), (2, ""), "{to}: {stderr}");
        assert!(stderr.contains(words), "{to}: {stderr}");
    }
    assert!(!home.path().join("data/copy").exists());
}

#[tokio::test]
async fn documents_are_checked_as_well() {
    let harms: [(&str, Option<&str>, &str); 5] = [
        ("auth.json", None, "a client's recovery ticket brings it back"),
        ("auth.json", Some("{"), "auth.json: EOF"),
        ("sessions.json", Some("{\"version\":1"), "sessions.json: EOF"),
        ("sessions.json", Some("{\"version\":9}"), "a newer liftrelay wrote it"),
        ("sessions.json", None, "sound"),
    ];
    let home = tempdir().unwrap();
    let [one] = meets::<1>(home.path()).await;
    for (name, content, words) in harms {
        let path = log_of(home.path(), &one).with_file_name(name);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let (code, out, _) = verify(home.path(), &[]);
        assert_eq!(code, i32::from(words != "sound"), "{name}: {out}");
        assert!(out.contains(words), "{name}: {out}");
        fs::write(&path, whole).unwrap();
    }
    let log = log_of(home.path(), &one);
    fs::rename(&log, home.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(home.path().join("elsewhere"), &log).unwrap();
    let (code, out, _) = verify(home.path(), &[]);
    assert!(code == 1 && out.contains("a symbolic link"), "{out}");
}

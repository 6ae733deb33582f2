//! What docs/operating.md promises an operator, with its own command lines.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::task::JoinHandle;

use crate::support::Client;
use crate::support::process::{Process, liftrelay, run};
use crate::support::stream::assert_gapless;

const OPERATING: &str = include_str!("../../docs/operating.md");
const LIVE: &str = "/var/lib/liftrelay/data";
const COPY: &str = "/srv/backup/liftrelay/data";

/// The shell line of the page that starts with this.
fn line(start: &str) -> &'static str {
    let mut blocks = OPERATING.split("```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    blocks.find(|block| block.starts_with(start)).unwrap_or_else(|| panic!("docs/operating.md has no line with {start}"))
}

/// Runs a line of the page, on the folders of a test.
fn shell(text: &str, live: &Path, copy: &Path) {
    let program = Path::new(liftrelay().get_program()).display().to_string();
    let text = text.replace("liftrelay verify", &format!("'{program}' verify"));
    let text = text.replace(LIVE, &live.display().to_string()).replace(COPY, &copy.display().to_string());
    let (code, out, err) = run(Command::new("bash").args(["-c", &text]));
    assert_eq!(code, 0, "{text}\n{out}{err}\n(tests/run installs what the tests need)");
}

/// Pushes, and joins now and then, until it is told to stop.
fn load(client: &Client, stop: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (mut client, stop) = (client.clone(), Arc::clone(stop));
    tokio::spawn(async move {
        for n in 0.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            client.set("load.n", json!(n)).await;
            if n % 50 == 0 {
                client = client.rejoin().await;
            }
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

async fn head(client: &Client) -> usize {
    usize::try_from(client.state().await["serverSeqNum"].as_u64().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_made_under_load_is_sound_and_serves() {
    let (folder, backup) = (tempdir().unwrap(), tempdir().unwrap());
    let (live, copy) = (folder.path().join("data"), backup.path().join("data"));
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    let stop = Arc::new(AtomicBool::new(false));
    let writing = [load(&desk.join("platform 1").await, &stop), load(&desk.join("platform 2").await, &stop)];
    let mut acked = 0;
    // The first copy is whole, the later ones bring it up to date.
    for _ in 0..4 {
        while head(&desk).await < acked + 30 {}
        acked = head(&desk).await;
        tokio::task::block_in_place(|| shell(line("rsync"), &live, &copy));
        tokio::task::block_in_place(|| shell(line("liftrelay verify"), &live, &copy));
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writing {
        writer.await.unwrap();
    }
    let original = whole_log(&desk).await;
    process.stop();
    std::fs::copy(folder.path().join("data.key"), backup.path().join("data.key")).unwrap();
    let restored = Process::start(backup.path());
    let desk = desk.at(&restored.url);
    let kept = whole_log(&desk).await;
    assert!(kept.len() >= acked, "{} of {acked} acknowledged entries are in the copy", kept.len());
    assert_eq!(kept, original[..kept.len()], "the copy holds the same history");
    assert_eq!(desk.set("after.restore", json!(true)).await as usize, kept.len() + 1);
    desk.join("director").await;
}

/// The line for cron is the one that was tried.
#[test]
fn the_line_for_cron_is_the_same() {
    assert!(OPERATING.contains(&format!("*/5 * * * * {}\n", line("rsync"))));
}

/// Files of the repository that the page names.
#[test]
fn links_lead_to_files() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let missing: Vec<&str> = OPERATING
        .split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap())
        .filter(|link| !link.contains("://") && !docs.join(link).exists())
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

//! A full hall whose server stops: everybody is told, so that all come back by themselves and none takes it for a fault.

use liftrelay::meet::limits::STREAMS_PER_TOKEN;
use tempfile::tempdir;

use crate::support::Client;
use crate::support::process::Process;
use crate::support::raw::RawStream;

const READERS: usize = 2_000;
/// Of each reader the test and the server hold an end.
const DESCRIPTORS: u64 = 2 * READERS as u64 + 500;

async fn readers(desk: &Client, count: usize) -> Vec<RawStream> {
    let (mut readers, mut viewer) = (Vec::new(), desk.viewer().await);
    for nth in 1..=count {
        readers.push(RawStream::open(&viewer, "after=now&format=ndjson").await);
        if nth % STREAMS_PER_TOKEN == 0 {
            viewer = desk.viewer().await;
        }
    }
    readers
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_of_a_full_hall_is_told_that_the_server_stops() {
    let allowed = rlimit::increase_nofile_limit(DESCRIPTORS).unwrap();
    let count = READERS.min(usize::try_from(allowed.saturating_sub(500) / 2).unwrap());
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    let desk = process.stranger().create_as("desk").await;
    let mut readers = readers(&desk, count).await;
    for reader in &mut readers {
        reader.head().await;
        assert_eq!(reader.object().await.expect("HELLO")["msgType"], "HELLO");
    }
    process.signal("TERM");
    for (nth, reader) in readers.iter_mut().enumerate() {
        let mut end = serde_json::Value::Null;
        // On a busy machine it is time for a heartbeat before all have come.
        while end.is_null() || end["msgType"] == "HEARTBEAT" {
            end = reader.object().await.unwrap_or_else(|| panic!("reader {nth} of {count} was cut off without a word"));
        }
        assert_eq!((&end["msgType"], &end["reason"]), (&"END".into(), &"shutdown".into()), "{end}");
        assert!(reader.line().await.is_none(), "nothing follows");
    }
    assert!(process.wait().0.success());
}

/// Whoever is on the way to its place when the server stops is told as well, and keeps nobody waiting.
#[tokio::test(flavor = "multi_thread")]
async fn readers_that_come_while_the_server_stops_are_told_or_never_let_in() {
    for _ in 0..5 {
        let folder = tempdir().unwrap();
        let process = Process::start(folder.path());
        let desk = process.stranger().create_as("desk").await;
        let readers = readers(&desk, 200).await;
        process.signal("TERM");
        for mut reader in readers {
            let mut last = None;
            while let Some(line) = reader.line().await {
                last = Some(line);
            }
            let heard = last.filter(|line| line.starts_with('{'));
            assert!(heard.as_ref().is_none_or(|line| line.contains("\"END\"")), "{heard:?} came last");
        }
        assert!(process.wait().0.success());
    }
}

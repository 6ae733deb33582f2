//! Streams on HTTP/1, whose sockets are written to by one task for all readers of a kind. What a reader gets must not show who
//! carries it.
//!
//! Servers run on several threads here, as the program does, so that lanes have threads of their own; elsewhere they share one.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::raw::RawStream;
use crate::support::stream::assert_gapless;
use crate::support::{Client, TestServer, plain_and_under_tls};

plain_and_under_tls! {
    #[tokio::test(flavor = "multi_thread")]
    readers_of_every_kind_get_every_entry_once_whoever_comes_and_goes_meanwhile,
    a_reader_that_stalls_holds_nobody_up_and_misses_nothing,
    a_reader_that_leaves_is_missed_at_once,
    filtered_readers_hear_of_theirs_alone_and_once,
    whoever_comes_while_a_round_is_under_way_misses_nothing,
}

/// Entries that fill the buffers of a reader that takes nothing.
const FILL: u64 = 64;

async fn fill(desk: &Client) {
    let text = "x".repeat(32 * 1024);
    for _ in 0..FILL {
        desk.set("text", json!(text)).await;
    }
}

/// Reads a stream of lines up to a number and gives the numbers of all entries.
async fn numbers_until(stream: &mut RawStream, last: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.last() != Some(&last) {
        let object = stream.object().await.expect("the stream goes on");
        let entries = object["updatesRelayed"].as_array().cloned().unwrap_or_default();
        numbers.extend(entries.iter().map(|entry| entry["serverSeqNum"].as_u64().unwrap()));
    }
    numbers
}

async fn readers_of_every_kind_get_every_entry_once_whoever_comes_and_goes_meanwhile(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let mut streams = Vec::new();
    for round in 0..10_u64 {
        for client in [&desk, &viewer] {
            for query in ["after=0", "after=now", "after=0&paths=lot"] {
                streams.push((client.events(query).await, if query == "after=now" { round * 5 + 1 } else { 1 }));
            }
        }
        // Half of those who came leave again.
        let stay = streams.len() - 3;
        drop(streams.drain(stay..));
        for lot in 0..5 {
            desk.set("lot", json!(round * 5 + lot)).await;
        }
    }
    for (mut events, first) in streams {
        let entries = events.entries_until(50).await;
        assert_gapless(&entries, first);
        assert_eq!(entries.len() as u64, 51 - first);
    }
}

/// In the same round others get everything at once, and the one that stalled catches up without a gap and sits with them again.
async fn a_reader_that_stalls_holds_nobody_up_and_misses_nothing(server: TestServer) {
    let desk = server.meet().await;
    let mut asleep = RawStream::open_with(&desk, "after=now&format=ndjson", 16 * 1024).await;
    asleep.head().await;
    asleep.line().await.expect("HELLO");
    let mut awake = RawStream::open(&desk, "after=now&format=ndjson").await;
    awake.head().await;
    awake.line().await.expect("HELLO");
    let reading = tokio::spawn(async move {
        let numbers = numbers_until(&mut awake, FILL).await;
        (awake, numbers)
    });
    fill(&desk).await;
    let (mut awake, numbers) = reading.await.unwrap();
    assert_eq!(numbers, (1..=FILL).collect::<Vec<_>>(), "while the other sleeps");
    assert_eq!(numbers_until(&mut asleep, FILL).await, (1..=FILL).collect::<Vec<_>>());
    for more in FILL + 1..=FILL + 3 {
        desk.set("text", json!(more)).await;
        assert_eq!(numbers_until(&mut awake, more).await, [more]);
        assert_eq!(numbers_until(&mut asleep, more).await, [more]);
    }
}

/// Whoever closes a stream is not counted any more, though nothing is written that could fail.
async fn a_reader_that_leaves_is_missed_at_once(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let viewers = async || desk.get(&desk.of_meet("")).await.expect(200)["viewers"].as_u64().unwrap();
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = viewer.events("after=now").await;
        stream.expect("hello").await;
        streams.push(stream);
    }
    assert_eq!(viewers().await, 20);
    streams.truncate(5);
    let left = Instant::now();
    while viewers().await > 5 {
        assert!(left.elapsed() < Duration::from_secs(10), "long before a heartbeat would tell");
    }
    desk.set("lot", json!(1)).await;
    for mut stream in streams {
        assert_eq!(stream.entries_until(1).await.len(), 1, "the others stay");
    }
}

/// A lane that makes a round does not look who comes meanwhile; they are given what they lack of that round once they sit.
async fn whoever_comes_while_a_round_is_under_way_misses_nothing(server: TestServer) {
    const LAST: u64 = 300;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let pushing = {
        let desk = desk.clone();
        tokio::spawn(async move {
            for lot in 1..=LAST {
                desk.set("lot", json!(lot)).await;
            }
        })
    };
    let mut readers = Vec::new();
    while !pushing.is_finished() {
        for client in [&desk, &viewer] {
            let mut events = client.events("after=0").await;
            readers.push(tokio::spawn(async move { events.entries_until(LAST).await }));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(readers.len() > 20, "only {} came meanwhile", readers.len());
    for reader in readers {
        let entries = reader.await.unwrap();
        assert_gapless(&entries, 1);
        assert_eq!(entries.len() as u64, LAST);
    }
}

/// Readers with the same filter share what passes it; what does not pass must neither reach them nor hold them up.
async fn filtered_readers_hear_of_theirs_alone_and_once(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let mut streams = Vec::new();
    for client in [&desk, &viewer, &desk, &viewer] {
        for key in ["lot", "flight"] {
            for format in ["sse", "ndjson"] {
                let query = format!("after=now&paths={key}&format={format}");
                let mut stream = RawStream::open(client, &query).await;
                stream.head().await;
                streams.push((stream, key));
            }
        }
    }
    // Both wanted entries lie between others, so that rounds end, start and go by with nothing to say.
    let wanted = |number: u64| match number % 10 {
        3 => "lot",
        4 | 7 => "flight",
        _ => "other",
    };
    for number in 1..=50 {
        desk.set(wanted(number), json!(number)).await;
    }
    for (mut stream, key) in streams {
        let expected: Vec<u64> = (1..=50).filter(|number| wanted(*number) == key).collect();
        let mut numbers = Vec::new();
        while numbers.last() != expected.last() {
            let line = stream.line().await.expect("the stream goes on");
            let Ok(object) = serde_json::from_str::<Value>(line.strip_prefix("data: ").unwrap_or(&line)) else { continue };
            let entries = object["updatesRelayed"].as_array().cloned().unwrap_or_default();
            numbers.extend(entries.iter().map(|entry| entry["serverSeqNum"].as_u64().unwrap()));
        }
        assert_eq!(numbers, expected, "{key}");
    }
}

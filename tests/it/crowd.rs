//! Many at once: a hall full of readers, some slow and one asleep, and two locations that write a whole meet together.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use liftrelay::meet::limits::STALLED_WRITE;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::clock::StoppedClock;
use crate::support::raw::RawStream;
use crate::support::socket::Socket;
use crate::support::stream::assert_gapless;
use crate::support::{Client, TestServer, plain_and_under_tls, traces};

mod halls {
    use super::*;

    plain_and_under_tls! {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        in_a_full_hall_everyone_gets_everything_and_nobody_waits_for_a_sleeper,
    }
}

mod sleepers {
    use super::*;

    plain_and_under_tls! {
        #[tokio::test]
        whoever_sleeps_too_long_is_cut_off_and_resumes,
    }
}

const WRITERS: usize = 3;
const BATCHES: usize = 80;
const PER_BATCH: usize = 5;
const ALL: u64 = (WRITERS * BATCHES * PER_BATCH) as u64;
/// 1,200 values of 4 KB: far more than socket buffers hold, and than a meet keeps ready for streams.
const VALUE_BYTES: usize = 4_096;
/// Together with the writers' and the stalled reader's clients, 64.
const QUICK: usize = 30;
const SLOW: usize = 30;
/// A server closes who accepts nothing for 30 s; whatever is to happen while one sleeps happens before that.
const STALL_LIMIT: Duration = Duration::from_secs(25);

/// What a reader checks of a line.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(default)]
    updates_relayed: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    server_seq_num: u64,
    update_key: String,
    update_value: String,
}

/// The value that a writer sets as its `number`th.
fn value(writer: usize, number: usize) -> String {
    format!("{writer} {number} {}", "x".repeat(VALUE_BYTES))
}

/// Checks entries as they come: every number once, in order, and so every writer's own order.
#[derive(Default)]
struct Checker {
    seen: u64,
    by_writer: [usize; WRITERS],
}

impl Checker {
    fn take(&mut self, line: &str) {
        for entry in serde_json::from_str::<Line>(line).unwrap().updates_relayed {
            self.seen += 1;
            assert_eq!(entry.server_seq_num, self.seen, "nothing is lost, doubled or in another order");
            let mut parts = entry.update_value.splitn(3, ' ').map(|part| part.parse().ok());
            let (Some(Some(writer)), Some(Some(number))) = (parts.next(), parts.next()) else { panic!("{}", entry.update_value) };
            let writer: usize = writer;
            assert_eq!(number, self.by_writer[writer], "a writer's updates keep their order");
            assert_eq!(entry.update_key, format!("w{writer}.k{}", number % PER_BATCH));
            assert!(entry.update_value == value(writer, number));
            self.by_writer[writer] += 1;
        }
    }
}

/// Reads a stream until everything is there, with a pause after every line.
async fn read_all(mut stream: RawStream, pause: Duration) -> Checker {
    stream.head().await;
    let mut checker = Checker::default();
    while checker.seen < ALL {
        checker.take(&stream.line().await.expect("the stream goes on"));
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    checker
}

async fn write_all(client: Client, writer: usize) {
    for batch in 0..BATCHES {
        let numbers = batch * PER_BATCH..(batch + 1) * PER_BATCH;
        let update = |number: usize| json!({"updateKey": format!("w{writer}.k{}", number % PER_BATCH), "updateValue": value(writer, number), "localSeqNum": number});
        let result = client.push(numbers.map(update).collect()).await.expect(200);
        assert_eq!(result["updateAcks"].as_array().unwrap().len(), PER_BATCH, "{result}");
    }
}

async fn behind_by(editor: &Client, location: &str) -> u64 {
    let info = editor.get(&editor.of_meet("")).await.expect(200);
    let mut locations = info["locations"].as_array().unwrap().iter();
    locations.find(|it| it["locationName"] == location).unwrap()["behindBy"].as_u64().unwrap()
}

async fn in_a_full_hall_everyone_gets_everything_and_nobody_waits_for_a_sleeper(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let sleeper = desk.join("platform 2").await;
    let mut asleep = RawStream::open_with(&sleeper, "format=ndjson", 16 * 1024).await;
    let fell_asleep = Instant::now();
    let mut readers = Vec::new();
    for index in 0..QUICK + SLOW {
        let reader = if index % 3 == 0 { &desk } else { &viewer };
        let (buffer, pause) = if index < SLOW { (16 * 1024, 15) } else { (64 * 1024, 0) };
        let stream = RawStream::open_with(reader, "format=ndjson", buffer).await;
        readers.push(tokio::spawn(read_all(stream, Duration::from_millis(pause))));
    }
    let writers = [desk.clone(), desk.join("platform 1").await, desk.join("director").await];
    let writing = join_all(writers.into_iter().enumerate().map(|(index, client)| tokio::spawn(write_all(client, index))));
    for written in writing.await {
        written.unwrap();
    }
    let live = tokio::time::timeout(STALL_LIMIT, join_all(readers)).await.expect("somebody waits for the sleeper");
    for checker in live {
        let checker = checker.unwrap();
        assert_eq!((checker.seen, checker.by_writer), (ALL, [BATCHES * PER_BATCH; WRITERS]));
    }
    let unsent = behind_by(&desk, "platform 2").await;
    assert!(unsent > ALL / 4, "the sleeper's socket took all but {unsent} of {ALL} entries, so it held nobody up");
    assert!(fell_asleep.elapsed() < STALL_LIMIT, "this machine is too slow for the test: {:?}", fell_asleep.elapsed());
    // It wakes up and has lost nothing.
    asleep.head().await;
    let mut checker = Checker::default();
    while checker.seen < ALL {
        checker.take(&asleep.line().await.expect("the stream goes on"));
    }
    assert_eq!(behind_by(&desk, "platform 2").await, 0);
}

/// The lifter that a key is about.
fn lifter(key: &str) -> Option<u64> {
    let (id, _) = key.strip_prefix("registration.entries[")?.split_once(']')?;
    id.parse().ok()
}

/// Pushes a trace in batches; everything must be acked.
async fn replay(client: &Client, updates: &[(String, Value)]) {
    for (index, batch) in updates.chunks(250).enumerate() {
        let numbered = traces::numbered(batch, index as u64 * 250);
        let result = client.push(Value::Array(numbered)).await.expect(200);
        assert_eq!(result["updatesRejected"], json!([]));
        assert_eq!(result["updateAcks"].as_array().unwrap().len(), batch.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_locations_that_write_a_meet_together_make_the_same_state_as_one() {
    let updates = traces::updates(traces::KG_LARGE_310);
    let server = TestServer::start().await;
    let alone = server.meet().await;
    replay(&alone, &updates).await;
    let desk = server.meet().await;
    let platform = desk.join("platform 1").await;
    let is_odd = |(key, _): &&(String, Value)| lifter(key).is_some_and(|id| id % 2 == 1);
    let (odd, rest): (Vec<_>, Vec<_>) = updates.iter().partition(is_odd);
    let (odd, rest) = (odd.into_iter().cloned().collect::<Vec<_>>(), rest.into_iter().cloned().collect::<Vec<_>>());
    assert!(odd.len() > 3_000 && rest.len() > 3_000, "{} and {}", odd.len(), rest.len());
    let mut watcher = RawStream::open(&platform, "format=ndjson").await;
    tokio::join!(replay(&desk, &rest), replay(&platform, &odd));
    let (one, both) = (alone.state().await, desk.state().await);
    assert_eq!(both["serverSeqNum"], updates.len());
    assert_eq!(one["serverSeqNum"], both["serverSeqNum"]);
    assert_eq!(one["stateHash"], both["stateHash"]);
    assert_eq!(one["state"]["registration"]["entries"].as_object().unwrap().len(), 312);
    watcher.head().await;
    let mut watched = Vec::new();
    while watched.len() < updates.len() {
        let line = watcher.object().await.unwrap();
        watched.extend(line["updatesRelayed"].as_array().into_iter().flatten().cloned());
    }
    assert_gapless(&watched, 1);
    for (location, sent) in [("desk", &rest), ("platform 1", &odd)] {
        let theirs = watched.iter().filter(|entry| entry["locationName"] == location);
        assert!(
            theirs
                .map(|entry| (entry["updateKey"].as_str().unwrap(), &entry["updateValue"]))
                .eq(sent.iter().map(|(key, value)| (&**key, value)))
        );
    }
    assert!(watched.iter().all(|entry| entry.get("overrules").is_none()), "they never met at a key");
}

/// Counts numbers with a fraction; panics where two values differ in any bit of a number.
fn assert_same(a: &Value, b: &Value) -> usize {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert_eq!(a.to_bits(), b.to_bits(), "{a} is not {b}");
            usize::from(a.fract() != 0.0)
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).map(|(a, b)| assert_same(a, b)).sum()
        }
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()), "{a:?} has other members than {b:?}");
            a.values().zip(b.values()).map(|(a, b)| assert_same(a, b)).sum()
        }
        _ => {
            assert_eq!(a, b);
            0
        }
    }
}

/// The fold of plain keys, as simple as it can be said.
fn fold(updates: &[(String, Value)]) -> Value {
    let mut state = json!({});
    for (key, value) in updates {
        let mut place = &mut state;
        for segment in key.split(['.', '[', ']']).filter(|segment| !segment.is_empty()) {
            place = match place {
                Value::Array(items) => {
                    let index: usize = segment.parse().unwrap();
                    items.resize(items.len().max(index + 1), Value::Null);
                    &mut items[index]
                }
                place => &mut place[segment],
            };
        }
        *place = value.clone();
    }
    state
}

/// A meet in pounds keeps its weights in kilograms, so nearly all of them have a long fraction.
#[tokio::test]
async fn weights_keep_every_bit_on_their_way() {
    let updates = traces::updates(traces::LBS_25);
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let mut live = desk.events("").await;
    live.expect("hello").await;
    replay(&desk, &updates).await;
    let streamed = live.entries_until(updates.len() as u64).await;
    let pulled = desk.pull(0).await;
    for relayed in [&streamed, pulled["updatesRelayed"].as_array().unwrap()] {
        assert_gapless(relayed, 1);
        let fractions: usize = relayed.iter().zip(&updates).map(|(entry, (_, value))| assert_same(&entry["updateValue"], value)).sum();
        assert!(fractions > 150, "only {fractions} numbers had a fraction");
    }
    let state = desk.state().await;
    let fractions = assert_same(&state["state"], &fold(&updates));
    assert!(fractions > 100, "only {fractions} numbers had a fraction");
}

/// The clock is moved ahead by as long as a server waits for a sleeper.
async fn whoever_sleeps_too_long_is_cut_off_and_resumes(server: TestServer) {
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let opened = Instant::now();
    let mut asleep = RawStream::open_with(&viewer, "format=ndjson", 16 * 1024).await;
    asleep.head().await;
    asleep.line().await.expect("HELLO");
    let mut dozing = Socket::slow(&viewer, 16 * 1024).await;
    dozing.send(&json!({"msgType": "CLIENT_PULL", "lastServerSeq": 0})).await;
    dozing.expect("HELLO").await;
    write_all(desk.clone(), 0).await;
    write_all(desk.join("platform 1").await, 1).await;
    write_all(desk.join("director").await, 2).await;
    let viewers = async || desk.get(&desk.of_meet("")).await.expect(200)["viewers"].as_u64().unwrap();
    assert_eq!(viewers().await, 2, "nobody is cut off at once");
    let clock = StoppedClock::stop();
    // They have slept for as long as the writing took, at most.
    clock.advance(STALL_LIMIT.saturating_sub(opened.elapsed())).await;
    assert_eq!(viewers().await, 2);
    clock.advance(STALLED_WRITE).await;
    drop(clock);
    let started = Instant::now();
    while viewers().await > 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "the server waits for ever");
    }
    server.scrape_until("liftrelay_connections_stalled_total", 2.0).await;
    server.scrape_until("liftrelay_stream_restarts_total{reason=\"gone\"}", 2.0).await;
    // What lay in the socket's buffers still comes.
    let mut checker = Checker::default();
    while let Some(line) = asleep.line().await {
        checker.take(&line);
    }
    assert!(checker.seen < ALL);
    let mut resumed = RawStream::open(&viewer, &format!("after={}&format=ndjson", checker.seen)).await;
    resumed.head().await;
    while checker.seen < ALL {
        checker.take(&resumed.line().await.expect("the stream goes on"));
    }

    let mut checker = Checker::default();
    while let Some(message) = dozing.try_next().await {
        checker.take(&message.to_string());
    }
    assert!(checker.seen < ALL);
    let mut resumed = Socket::following(&viewer, checker.seen).await;
    while checker.seen < ALL {
        checker.take(&resumed.next().await.to_string());
    }
}

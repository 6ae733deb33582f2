//! `kill -9` under load, hundreds of times: what was acked is there under its number, once, and what was shown stays.
//!
//! `KILLS=10000 SEED=7 cargo test --release --test it -- kills --nocapture` is a campaign; a seed repeats the schedule of a run.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::dice::Dice;
use crate::support::Client;
use crate::support::process::{Process, liftrelay, run};
use crate::support::stream::{Events, assert_gapless};

/// Kills of a run in the suite, shared by the servers that run at the same time.
const KILLS: u64 = 300;
const SERVERS: u64 = 2;
/// Every so many kills, the next server is killed while it starts, and a client joins anew.
const RARE: u64 = 7;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// A client that numbers its updates and sends again what got no answer.
struct Writer {
    client: Client,
    dice: Dice,
    /// The batch that waits for its answer.
    pending: Option<Value>,
    next: u64,
    /// The answer to each of its own numbers.
    acked: HashMap<u64, u64>,
}

impl Writer {
    fn new(client: Client, seed: u64) -> Writer {
        Writer { client, dice: Dice(seed), pending: None, next: 1, acked: HashMap::new() }
    }

    fn batch(&mut self) -> Value {
        let count = 1 + self.dice.below(5);
        let update = |n: u64, shared: bool| {
            let owner = if shared { "all" } else { self.client.client_id.as_str() };
            json!({"updateKey": format!("load[\"{owner}\"].k{}", n % 13), "updateValue": n, "localSeqNum": n})
        };
        let shared = self.dice.below(4) == 0;
        let updates: Vec<Value> = (self.next..self.next + count).map(|n| update(n, shared)).collect();
        self.next += count;
        // With the head as what was seen nothing is refused, so every update is acked.
        if self.dice.below(3) == 0 { json!({"updates": updates, "mode": "atomic"}) } else { json!({ "updates": updates }) }
    }

    /// Pushes until the server is gone. The batch without an answer comes first, again.
    async fn write(&mut self, url: &str) {
        let client = self.client.at(url);
        loop {
            let batch = match self.pending.take() {
                Some(pending) => pending,
                None => self.batch(),
            };
            let sent = client.request(Method::POST, &client.of_meet("/updates")).json(&batch).send().await;
            self.pending = Some(batch);
            let Ok(response) = sent else { return };
            let status = response.status();
            let Ok(reply) = response.json::<Value>().await else { return };
            assert!(status.is_success(), "{reply}");
            assert_eq!(reply["updatesRejected"], json!([]), "{reply}");
            for ack in reply["updateAcks"].as_array().unwrap() {
                let (own, number) = (ack["localSeqNum"].as_u64().unwrap(), ack["serverSeqNum"].as_u64().unwrap());
                assert_eq!(*self.acked.entry(own).or_insert(number), number, "another answer to the same number");
            }
            self.pending = None;
        }
    }
}

/// What a reader has been shown, over all its connections.
struct Reader {
    client: Client,
    cursor: String,
    seen: Vec<Value>,
}

impl Reader {
    fn new(client: &Client) -> Reader {
        Reader { client: client.clone(), cursor: "0".to_owned(), seen: Vec::new() }
    }

    fn take(&mut self, message: &Value) {
        let news = message["updatesRelayed"].as_array().unwrap();
        assert_gapless(news, self.seen.len() as u64 + 1);
        self.seen.extend(news.iter().cloned());
        self.cursor = message["cursor"].as_str().unwrap().to_owned();
    }

    /// Reads a stream until the server is gone.
    async fn stream(&mut self, url: &str) {
        let client = self.client.at(url);
        let request = client.request(Method::GET, &client.of_meet(&format!("/events?after={}", self.cursor)));
        let Ok(response) = request.send().await else { return };
        let mut events = Events::over(response).await;
        while let Some(event) = events.try_next().await {
            match event.name.as_str() {
                "update-relay" => self.take(&event.json),
                "hello" | "heartbeat" | "end" => {}
                other => panic!("a reader that was shown nothing wrong got {other}: {}", event.json),
            }
        }
    }

    /// Polls until the server is gone.
    async fn poll(&mut self, url: &str) {
        let client = self.client.at(url);
        loop {
            let path = client.of_meet(&format!("/updates?after={}&wait=5", self.cursor));
            let Ok(response) = client.request(Method::GET, &path).send().await else { return };
            let status = response.status();
            let Ok(message) = response.json::<Value>().await else { return };
            assert_eq!(status, 200, "{message}");
            self.take(&message);
        }
    }
}

/// One meet, its clients, and the server that is killed under them.
struct Hall {
    process: Process,
    dice: Dice,
    writers: Vec<Writer>,
    streaming: Reader,
    polling: Reader,
    log: Vec<Value>,
    once: HashMap<(String, u64), u64>,
}

impl Hall {
    async fn open(folder: &std::path::Path, seed: u64) -> Hall {
        let process = Process::start(folder);
        let desk = process.stranger().create_as("desk").await;
        let platforms = [desk.join("platform 1").await, desk.join("platform 2").await];
        let (streaming, polling) = (Reader::new(&desk), Reader::new(&platforms[0]));
        let clients = platforms.into_iter().chain([desk]);
        let writers = clients.zip(seed..).map(|(client, seed)| Writer::new(client, seed)).collect();
        Hall { process, dice: Dice(seed), writers, streaming, polling, log: Vec::new(), once: HashMap::new() }
    }

    /// Load, a kill at some instant, a start, and a look at everything.
    async fn cycle(mut self, number: u64) -> Hall {
        let url = self.process.url.clone();
        let (started, done) = (Arc::new(Notify::new()), Duration::from_millis(3 + self.dice.below(40)));
        let writing: Vec<JoinHandle<Writer>> = std::mem::take(&mut self.writers)
            .into_iter()
            .map(|mut writer| {
                let (url, started) = (url.clone(), Arc::clone(&started));
                tokio::spawn(async move {
                    started.notify_one();
                    writer.write(&url).await;
                    writer
                })
            })
            .collect();
        let (mut streaming, mut polling) = (self.streaming, self.polling);
        let (to_stream, to_poll) = (url.clone(), url);
        let streams = tokio::spawn(async move {
            streaming.stream(&to_stream).await;
            streaming
        });
        let polls = tokio::spawn(async move {
            polling.poll(&to_poll).await;
            polling
        });
        started.notified().await;
        tokio::time::sleep(done).await;
        let hasty = number.is_multiple_of(RARE).then(|| Duration::from_millis(self.dice.below(30)));
        self.process = tokio::task::block_in_place(|| restart(self.process, hasty));
        for writer in writing {
            self.writers.push(writer.await.unwrap());
        }
        (self.streaming, self.polling) = (streams.await.unwrap(), polls.await.unwrap());
        self.read_on().await;
        self.check();
        if number.is_multiple_of(RARE) {
            let writer = &mut self.writers[0];
            writer.client = writer.client.at(&self.process.url).rejoin().await;
        }
        self
    }

    /// Reads the log from where it was known; its cursor must still be good.
    async fn read_on(&mut self) {
        let client = self.writers[0].client.at(&self.process.url);
        let mut after = self.log.len().to_string();
        loop {
            let page = client.pull(&after).await;
            let news = page["updatesRelayed"].as_array().unwrap();
            assert_gapless(news, self.log.len() as u64 + 1);
            for entry in news {
                let own = (entry["clientId"].as_str().unwrap().to_owned(), entry["localSeqNum"].as_u64().unwrap());
                assert_eq!(self.once.insert(own, entry["serverSeqNum"].as_u64().unwrap()), None, "committed twice: {entry}");
            }
            self.log.extend(news.iter().cloned());
            after = page["cursor"].as_str().unwrap().to_owned();
            if page["more"] == false {
                return;
            }
        }
    }

    fn check(&self) {
        for writer in &self.writers {
            for (own, number) in &writer.acked {
                let found = self.once.get(&(writer.client.client_id.clone(), *own));
                assert_eq!(found, Some(number), "update {own} of {} was acked", writer.client.client_id);
            }
        }
        for reader in [&self.streaming, &self.polling] {
            assert_eq!(reader.seen[..], self.log[..reader.seen.len()], "what was shown is what is there");
        }
    }
}

/// Kills the server, and perhaps the next one while it starts; then starts one that stays.
fn restart(mut process: Process, hasty: Option<Duration>) -> Process {
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    let folder = process.folder.clone();
    if let Some(after) = hasty {
        let mut command = liftrelay();
        command.args(["serve", "--listen", ":0", "--data-dir"]).arg(folder.join("data"));
        let quiet = || std::process::Stdio::null();
        let mut child = command.stdout(quiet()).stderr(quiet()).spawn().unwrap();
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    Process::start(&folder)
}

async fn kill_again_and_again(kills: u64, seed: u64) -> (usize, usize) {
    let folder = tempdir().unwrap();
    let mut hall = Hall::open(folder.path(), seed).await;
    for number in 1..=kills {
        hall = hall.cycle(number).await;
    }
    let acked = hall.writers.iter().map(|writer| writer.acked.len()).sum();
    assert!(acked as u64 > kills, "hardly anything was written: {acked}");
    hall.process.stop();
    let (code, out, _) = run(liftrelay().args(["verify", "--data-dir"]).arg(folder.path().join("data")));
    assert_eq!(code, 0, "{out}");
    (acked, hall.log.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acked_or_shown_is_lost_by_kill_9() {
    let (kills, seed) = (from_environment("KILLS").unwrap_or(KILLS), from_environment("SEED").unwrap_or(1));
    eprintln!("{kills} kills from seed {seed}");
    let started = Instant::now();
    let servers = (0..SERVERS).map(|server| tokio::spawn(kill_again_and_again(kills / SERVERS, seed + 1000 * server)));
    let (mut acked, mut entries) = (0, 0);
    for server in servers.collect::<Vec<_>>() {
        let (more, log) = server.await.unwrap();
        (acked, entries) = (acked + more, entries + log);
    }
    eprintln!("{kills} kills in {:.0?}: {acked} acked updates, {entries} entries, none lost, none twice", started.elapsed());
}

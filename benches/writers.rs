//! How well many writers share one meet: what is refused or has to be sent again, how soon everybody has the same, and
//! what it costs on the line.
//!
//! `cargo bench --bench writers` prints a table. `SECONDS=3` shortens each row, which takes 10 seconds by itself. Writers
//! and server are in this process, with TCP between them; the server syncs its disk before it answers.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use liftrelay::client::api::{Create, Join, Location, Server, Session};
use liftrelay::client::channel::ladder::Ladder;
use liftrelay::client::channel::{Answer, Channel, Fault, Link, Pull, Push, RestorePage, Update};
use liftrelay::client::live::{self, Live, Status};
use liftrelay::client::replica::chain::Decision;
use liftrelay::client::replica::{Edit, Replica};
use liftrelay::client::schedule::ManualScheduler;
use liftrelay::client::store::{MemoryStore, ReplicaStore};
use liftrelay::http::serve::{listen, serve};
use liftrelay::http::{App, Options};
use liftrelay::meet::chain::ServerKey;
use liftrelay::meet::update::Op;
use liftrelay::relay::clock::Clock;
use liftrelay::relay::registry::Registry;
use liftrelay::store::files::{FileStore, Fsync};
use liftrelay::wire::reply::ReceivedRestored;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{interval, sleep};

/// Writers, and updates a second of each.
const SIZES: [(u64, u64); 6] = [(2, 10), (5, 20), (8, 20), (10, 20), (20, 20), (50, 20)];
const PASSWORD: &str = "a long password";
/// Keys of one writer.
const KEYS: u64 = 20;
/// After that it is not settled and says so.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the columns say.
const LEGEND: &str = "
Each row is a meet of its own. On own keys nothing should be refused; on one key all have the same priority, so that the
first of two who have not seen each other wins.

  made      updates that the writers made in the time
  in log    entries that came of them: of those of one key that had not been sent yet, only the last goes
  refused   updates that somebody overruled
  stales    atomic batches that were late: ifHead named a head that had moved
  again     updates that were sent more than once, after a stale, a refusal of their batch or a fault
  equal     milliseconds from the last update until all replicas have the server's state, compared by its hash
  requests  what carried updates, for each update made; a message of a WebSocket is one as well
  B up      bytes from the writers, B down to all of them, for each update made, TCP payload
";

/// How writers send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The loop, each writer on its own keys.
    Loop,
    /// Atomic batches with `ifHead`, each writer on its own keys.
    Chain,
    /// The loop, all writers on one key.
    OneKey,
    /// A request for each update, each writer on its own keys.
    Alone,
}

impl Way {
    const ALL: [(Way, &'static str); 4] = [
        (Way::Loop, "own keys, by the loop"),
        (Way::Chain, "own keys, atomic with ifHead"),
        (Way::OneKey, "one key, by the loop"),
        (Way::Alone, "own keys, each update by itself"),
    ];
}

/// What happened on the way to the server.
#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    sent: AtomicU64,
    refused: AtomicU64,
    stales: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
}

fn add(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}

/// A ladder whose pushes are counted.
struct Counted {
    ladder: Ladder,
    counts: Arc<Counts>,
}

impl Counted {
    fn sent(&self, push: &Push) {
        add(&self.counts.requests, 1);
        add(&self.counts.sent, push.updates.len());
    }

    fn answered(&self, answer: Result<Answer, Fault>) -> Result<Answer, Fault> {
        match &answer {
            Ok(Answer::Done(reply)) => add(&self.counts.refused, reply.rejections.len()),
            Ok(Answer::Conflict(..)) => add(&self.counts.refused, 1),
            Ok(Answer::Stale(_)) => add(&self.counts.stales, 1),
            _ => {}
        }
        answer
    }
}

impl Channel for Counted {
    fn push(&self, push: Push) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.sent(&push);
        async move { self.answered(self.ladder.push(push).await) }.boxed()
    }

    fn pull(&self, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.ladder.pull(pull)
    }

    fn sync(&self, push: Push, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.sent(&push);
        async move { self.answered(self.ladder.sync(push, pull).await) }.boxed()
    }

    fn restore(&self, page: RestorePage) -> BoxFuture<'_, Result<ReceivedRestored, Fault>> {
        self.ladder.restore(page)
    }

    fn link(&self) -> Link {
        self.ladder.link()
    }
}

/// One writer of the meet.
struct Writer {
    live: Live,
    channel: Arc<Counted>,
    way: Way,
    index: u64,
}

impl Writer {
    fn key(&self, number: u64) -> String {
        match self.way {
            Way::OneKey => "lot".to_owned(),
            _ => format!("registration.entries[{}].squatKg", self.index * KEYS + number % KEYS),
        }
    }

    /// Makes so many updates a second; what is made late is not left out.
    async fn write(&self, rate: u64, updates: u64) {
        let mut beat = interval(Duration::from_secs(1) / u32::try_from(rate).unwrap());
        for number in 1..=updates {
            beat.tick().await;
            match self.way {
                Way::Alone => self.send(number).await,
                _ => drop(self.live.edit(vec![Edit::set(&self.key(number), &value(self.index, number)).unwrap()]).await.unwrap()),
            }
        }
    }

    async fn send(&self, number: u64) {
        let update = Update {
            update_key: self.key(number).into(),
            update_value: RawValue::from_string(value(self.index, number)).ok(),
            op: Op::Set,
            local_seq_num: number,
            after_server_seq_num: self.live.read(Replica::cursor),
        };
        let push = Push { updates: vec![update], ..Push::default() };
        while self.channel.push(push.clone()).await.is_err() {
            sleep(Duration::from_millis(250)).await;
        }
    }

    /// Sends what waits as chains, one after the other.
    async fn chains(&self) {
        loop {
            if self.live.read(|replica| replica.status().unanswered) > 0 {
                self.live.sync_chain(&*self.channel, |_, _| Decision::DropThis).await.unwrap();
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}

fn value(writer: u64, number: u64) -> String {
    format!("{}.5", writer * 1_000_000 + number)
}

/// A server of its own, on a new folder.
fn server(folder: &std::path::Path) -> (Arc<App>, SocketAddr) {
    let store = FileStore::open(folder, Fsync::Always).unwrap();
    let registry = Registry::new(Arc::new(store), ServerKey::new([7; 32]), Clock::default());
    let app = App::new(registry, Options::default());
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, app.front(None)));
    (app, address)
}

/// A line to the server on which bytes are counted.
async fn line(to: SocketAddr, counts: Arc<Counts>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let (Ok(far), counts) = (TcpStream::connect(to).await, Arc::clone(&counts)) else { continue };
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            let (near, far) = (near.into_split(), far.into_split());
            let up = Arc::clone(&counts);
            tokio::spawn(async move { carry(near.0, far.1, &up.bytes_up).await });
            tokio::spawn(async move { carry(far.0, near.1, &counts.bytes_down).await });
        }
    });
    address
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, bytes: &AtomicU64) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        add(bytes, length);
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

/// A meet at the other end of the line, and its writers.
async fn meet(url: &str, counts: &Arc<Counts>, writers: u64, way: Way) -> (Session, Vec<Writer>) {
    let server = Server::new(url.parse().unwrap(), Default::default()).unwrap();
    let locations = [Location { location_name: "platform".to_owned(), priority: 10 }];
    let create = Create { this_location_name: "platform", password: PASSWORD, locations: &locations, meet_name: None, client_id: None };
    let desk = server.session(&server.create(&create, None).await.unwrap()).unwrap();
    let joining = (0..writers).map(|index| {
        let (server, meet) = (server.clone(), desk.meet());
        async move {
            let join = Join { password: PASSWORD, location_name: "platform", client_id: None };
            let joined = server.join(meet, &join).await.unwrap();
            let mut store = MemoryStore::default();
            store.append(&Replica::default().join(&joined).unwrap()).unwrap();
            let ladder = Ladder::new(server.session(&joined).unwrap());
            let channel = Arc::new(Counted { ladder, counts: Arc::clone(counts) });
            let live = Live::start(Box::new(store), Arc::clone(&channel) as Arc<dyn Channel>, options(way)).unwrap();
            Writer { live, channel, way, index }
        }
    });
    let mut writers = Vec::new();
    // Each login takes a core for a while, and requests give up after some seconds.
    for joining in joining {
        writers.push(joining.await);
    }
    join_all(writers.iter().map(|writer| writer.live.settled())).await;
    (desk, writers)
}

/// Where chains send, the loop only listens.
fn options(way: Way) -> live::Options {
    if way != Way::Chain {
        return live::Options::default();
    }
    let listens = ManualScheduler::default();
    listens.set(|choice| choice.window = Duration::from_secs(86_400));
    live::Options { scheduler: Box::new(listens), ..Default::default() }
}

/// Waits until everybody has the server's state; gives the length of the log.
async fn agree(desk: &Session, writers: &[Writer]) -> u64 {
    for writer in writers {
        writer.live.status().wait_for(|status| status.replica.pending == 0).await.unwrap();
    }
    let state = desk.state(None, None).await.unwrap();
    let is_there = |status: &Status| status.replica.last_number == state.server_seq_num;
    for writer in writers {
        writer.live.status().wait_for(is_there).await.unwrap();
        assert_eq!(writer.live.read(|replica| replica.state().hash()), state.state_hash);
    }
    state.server_seq_num
}

async fn row(writers: u64, rate: u64, seconds: u64, (way, name): (Way, &str)) {
    let folder = tempfile::tempdir().unwrap();
    let (app, address) = server(folder.path());
    let counts = Arc::new(Counts::default());
    let url = format!("http://{}", line(address, Arc::clone(&counts)).await);
    let (desk, all) = meet(&url, &counts, writers, way).await;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (up, down) = (count(&counts.bytes_up), count(&counts.bytes_down));
    let work = async {
        join_all(all.iter().map(|writer| writer.write(rate, rate * seconds))).await;
        let written = Instant::now();
        let head = tokio::time::timeout(PATIENCE, agree(&desk, &all)).await;
        (head.ok(), written.elapsed())
    };
    // They never end; the work does.
    let chains = join_all(all.iter().filter(|_| way == Way::Chain).map(Writer::chains)).then(|_| std::future::pending::<()>());
    let (head, settled) = tokio::select! {
        () = chains => return,
        done = work => done,
    };
    app.stopping.cancel();
    let updates = writers * rate * seconds;
    let each = |counter: u64| counter as f64 / updates as f64;
    let settled = if head.is_some() { format!("{}", settled.as_millis()) } else { "never".to_owned() };
    let (sent, refused) = (count(&counts.sent), count(&counts.refused));
    println!(
        "{writers:>7} {rate:>4} {name:<32} {updates:>7} {:>7} {refused:>7} {:>6} {:>6} {settled:>8} {:>8.2} {:>7.0} {:>8.0}",
        head.unwrap_or_default(),
        count(&counts.stales),
        sent.saturating_sub(head.unwrap_or(sent) + refused),
        each(count(&counts.requests)),
        each(count(&counts.bytes_up) - up),
        each(count(&counts.bytes_down) - down),
    );
}

#[tokio::main]
async fn main() {
    println!("{LEGEND}");
    let seconds = std::env::var("SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(10);
    println!(
        "{:>7} {:>4} {:<32} {:>7} {:>7} {:>7} {:>6} {:>6} {:>8} {:>8} {:>7} {:>8}",
        "writers", "a s", "how", "made", "in log", "refused", "stales", "again", "equal", "requests", "B up", "B down"
    );
    for (writers, rate) in SIZES {
        for way in Way::ALL {
            row(writers, rate, seconds, way).await;
        }
    }
}

//! A replica in a file that the library keeps in step over a ladder, as a program has it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use liftrelay::client::channel::ladder::Ladder;
use liftrelay::client::channel::{Answer, Channel, Fault, Link, Pull, Push, RestorePage};
use liftrelay::client::live::access::{Access, PasswordAccess};
use liftrelay::client::live::{Live, Options, Status};
use liftrelay::client::replica::{Edit, Replica};
use liftrelay::client::store::{FileStore, ReplicaStore};
use liftrelay::wire::reply::{ReceivedRestored, ReceivedSession};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use super::channels::session;
use crate::support::Client;
use crate::support::client::PASSWORD;

/// Longer than any pause between attempts, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Member {
    pub live: Live,
    pub counts: Arc<Counts>,
    client: Client,
    folder: TempDir,
    password: &'static str,
}

/// What went to the server.
#[derive(Debug, Default)]
pub struct Counts {
    pub pushes: AtomicUsize,
    pub restores: AtomicUsize,
    pub logins: AtomicUsize,
}

impl Member {
    /// A new replica of a client of the tests, which reaches the server at `base`.
    pub fn new(client: &Client, base: &str) -> Member {
        Member::knowing(client, base, PASSWORD)
    }

    /// The same with a password of its own for the next login.
    pub fn knowing(client: &Client, base: &str, password: &'static str) -> Member {
        let folder = tempfile::tempdir().unwrap();
        let joined: ReceivedSession = serde_json::from_value(client.session.clone()).unwrap();
        FileStore::open(&file(&folder)).unwrap().append(&Replica::default().join(&joined).unwrap()).unwrap();
        Member::open(client, base, folder, password)
    }

    fn open(client: &Client, base: &str, folder: TempDir, password: &'static str) -> Member {
        let (session, counts) = (session(client, base), Arc::new(Counts::default()));
        let by_password = PasswordAccess::new(session.clone(), password.to_owned(), client.location.clone(), client.client_id.clone());
        let access = Counted { inner: by_password, counts: Arc::clone(&counts) };
        let channel = Counted { inner: Ladder::new(session), counts: Arc::clone(&counts) };
        let options = Options { access: Some(Arc::new(access)), ..Options::default() };
        let store = Box::new(FileStore::open(&file(&folder)).unwrap());
        let live = Live::start(store, Arc::new(channel), options).unwrap();
        Member { live, counts, client: client.clone(), folder, password }
    }

    /// Ends the program and starts it again, with the server at `base`.
    pub async fn restart(self, base: &str) -> Member {
        self.live.close().await;
        Member::open(&self.client, base, self.folder, self.password)
    }

    pub async fn set(&self, key: &str, value: &Value) {
        self.live.edit(vec![Edit::set(key, &value.to_string()).unwrap()]).await.unwrap();
    }

    pub async fn wait_for(&self, what: impl FnMut(&Status) -> bool) {
        let mut status = self.live.status();
        let waited = timeout(PATIENCE, status.wait_for(what)).await.is_ok();
        assert!(waited, "{:?}", *self.live.status().borrow());
    }

    pub async fn settled(&self) {
        self.wait_for(Status::is_settled).await;
    }
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("meet.replica")
}

/// Waits until everything is everywhere; then the state is the same everywhere, every edit is in the log once, and none
/// was refused. Gives the state, and the log.
pub async fn agreed(desk: &Client, members: &[&Member]) -> (Value, Vec<Value>) {
    for member in members {
        member.settled().await;
    }
    // Nobody has anything to say any more, so this is the last word.
    let state = desk.state().await;
    let head = state["serverSeqNum"].as_u64().unwrap();
    for member in members {
        member.wait_for(|status| status.is_settled() && status.replica.last_number == head).await;
        assert_eq!(member.live.read(|replica| replica.state().hash()), state["stateHash"].as_str().unwrap());
        assert!(member.live.read(|replica| replica.set_aside().is_empty()));
    }
    let log = desk.pull(0).await["updatesRelayed"].as_array().unwrap().clone();
    assert_eq!(log.len() as u64, head);
    let numbers: BTreeSet<_> = log.iter().map(|entry| (entry["clientId"].to_string(), entry["localSeqNum"].as_u64())).collect();
    assert_eq!(numbers.len(), log.len(), "no edit is there twice");
    (state["state"].clone(), log)
}

pub fn object(items: impl IntoIterator<Item = (String, Value)>) -> Value {
    json!(items.into_iter().collect::<serde_json::Map<_, _>>())
}

/// Counts on the way.
struct Counted<T> {
    inner: T,
    counts: Arc<Counts>,
}

impl Channel for Counted<Ladder> {
    fn push(&self, push: Push) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.counts.pushes.fetch_add(1, Ordering::SeqCst);
        self.inner.push(push)
    }

    fn pull(&self, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.inner.pull(pull)
    }

    fn sync(&self, push: Push, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.counts.pushes.fetch_add(1, Ordering::SeqCst);
        self.inner.sync(push, pull)
    }

    fn restore(&self, page: RestorePage) -> BoxFuture<'_, Result<ReceivedRestored, Fault>> {
        self.counts.restores.fetch_add(1, Ordering::SeqCst);
        self.inner.restore(page)
    }

    fn link(&self) -> Link {
        self.inner.link()
    }
}

impl Access for Counted<PasswordAccess> {
    fn login(&self) -> BoxFuture<'_, Result<ReceivedSession, Fault>> {
        self.counts.logins.fetch_add(1, Ordering::SeqCst);
        self.inner.login()
    }

    fn ticket(&self) -> BoxFuture<'_, Result<(String, u64), Fault>> {
        self.inner.ticket()
    }
}

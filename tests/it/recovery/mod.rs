//! A server that has lost something gets it back from its clients.

mod behind;
mod crashes;
mod forked;
mod gone;
mod long;
mod refused;
mod superseding;
mod tickets;
mod unproven;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use liftrelay::store::memory::MemoryStore;
use serde_json::{Value, json};

use crate::support::client::Reply;
use crate::support::process::{Process, liftrelay, run};
use crate::support::server::options;
use crate::support::{Client, TestServer};

/// What a client has kept of a log above `after`: pages of about `limit` entries, ready to be handed back.
async fn kept(client: &Client, after: u64, limit: usize) -> Vec<Value> {
    let (mut pages, mut after) = (Vec::new(), after);
    loop {
        let page = client.get(&client.of_meet(&format!("/updates?after={after}&limit={limit}"))).await.expect(200);
        after = page["serverSeqNum"].as_u64().unwrap();
        let more = page["more"].clone();
        pages.push(json!({"updates": page["updatesRelayed"], "cursor": page["cursor"], "chain": page["chain"], "more": more}));
        if more == false {
            return pages;
        }
    }
}

async fn restore(client: &Client, page: &Value) -> Reply {
    client.post(&client.of_meet("/restore"), page).await
}

/// Hands pages back, each of which must be taken; gives the last reply.
async fn hand_back(client: &Client, pages: &[Value]) -> Value {
    let mut last = Value::Null;
    for page in pages {
        last = restore(client, page).await.expect(200);
    }
    last
}

/// The same pages with a ticket in place of a session.
fn with_ticket(pages: &[Value], ticket: &Value) -> Vec<Value> {
    let mut pages = pages.to_vec();
    pages.iter_mut().for_each(|page| page["recoveryTicket"] = ticket.clone());
    pages
}

/// Everything that a client needs to bring the meet back.
struct Keeper {
    client: Client,
    pages: Vec<Value>,
}

impl Keeper {
    /// With a ticket.
    async fn of(client: &Client, upto: usize) -> Keeper {
        let pages = with_ticket(&whole(client, upto).await, &ticket(client).await);
        Keeper { client: client.clone(), pages }
    }

    /// With a password in place of a proof.
    async fn without_proof(client: &Client, upto: usize) -> Keeper {
        Keeper { client: client.clone(), pages: unproven::claimed(&whole(client, upto).await, client) }
    }

    /// Brings everything; gives the client with its new session, and the last reply.
    async fn brings(&self, url: &str) -> (Client, Value) {
        let client = self.client.at(url);
        client.get(&client.of_meet("")).await.problem(401, "invalid-session");
        let restored = hand_back(&client, &self.pages).await;
        (client.with_token(restored["sessionToken"].as_str().unwrap()), restored)
    }
}

/// The first pages of a log, as if that was all of it.
async fn whole(client: &Client, upto: usize) -> Vec<Value> {
    let mut pages = kept(client, 0, 3).await;
    pages.truncate(upto);
    pages.last_mut().unwrap()["more"] = json!(false);
    pages
}

/// The newest ticket of a client.
async fn ticket(client: &Client) -> Value {
    client.get(&client.of_meet("")).await.expect(200)["recoveryTicket"].clone()
}

/// What the meet says that it is.
async fn status(client: &Client) -> Value {
    client.get(&client.of_meet("")).await.expect(200)["status"].clone()
}

/// One update of a client that numbers its own.
fn update(key: &str, value: Value, local: u64, after: u64) -> Value {
    json!({"updateKey": key, "updateValue": value, "localSeqNum": local, "afterServerSeqNum": after})
}

/// A server in memory whose log can be set back, as by an older copy of the disk.
struct Disk {
    store: MemoryStore,
}

impl Disk {
    async fn start() -> (Disk, TestServer) {
        let (server, store) = TestServer::in_memory().await;
        (Disk { store }, server)
    }

    fn log(&self, meet: &str) -> Vec<u8> {
        self.store.log(meet.parse().unwrap())
    }

    /// Another server on this disk, with an older log of one meet.
    async fn set_back(&self, meet: &str, log: &[u8]) -> TestServer {
        self.store.set_log(meet.parse().unwrap(), log.to_vec());
        TestServer::on(Arc::new(self.store.clone()), options()).await
    }
}

/// The files of a meet's folder.
fn copy_of(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(folder).unwrap().map(|item| item.unwrap().path());
    files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Kills the server, puts an older copy of a meet's folder in its place, and starts it again.
fn put_back(mut process: Process, folder: &Path, copy: &[(PathBuf, Vec<u8>)]) -> Process {
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    fs::remove_dir_all(folder).unwrap();
    fs::create_dir(folder).unwrap();
    for (path, bytes) in copy {
        fs::write(path, bytes).unwrap();
    }
    Process::start(&process.folder.clone())
}

/// Kills the server, takes its data folder away, and starts it again: only the key is left.
fn lose_everything(mut process: Process) -> Process {
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    fs::remove_dir_all(process.folder.join("data")).unwrap();
    Process::start(&process.folder.clone())
}

/// The logs of a process's data folder are sound, and this server's.
#[track_caller]
fn assert_sound(process: &Process) {
    let (code, out, err) = run(liftrelay()
        .arg("verify")
        .arg("--data-dir")
        .arg(process.folder.join("data"))
        .arg("--server-key-file")
        .arg(process.folder.join("data.key")));
    assert_eq!(code, 0, "{out}{err}");
}

//! A browser as the design's stories tell of it: a canonical log, a pending log, and a flag that says "out of sync".

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::Client;
use crate::support::socket::Socket;
use crate::support::stream::{Events, assert_gapless};

/// How a browser reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Requests and a stream.
    Rest,
    /// The design's messages over a WebSocket.
    Socket,
}

/// A network that works.
enum Link {
    Events(Box<Events>),
    Socket(Box<Socket>),
}

pub struct Browser {
    pub client: Client,
    /// What the server has ordered, by number.
    pub canonical: BTreeMap<u64, Value>,
    /// What was done here and is not answered yet, oldest first.
    pub pending: Vec<Value>,
    /// Answers that said no.
    pub rejected: Vec<Value>,
    /// Entries of others that went over entries made here.
    pub overruled_by: Vec<Value>,
    /// What the pop-up "out of sync" stands for.
    pub need_resync: bool,
    over: Over,
    /// `None` without a network.
    link: Option<Link>,
    /// Up to where the stream has come.
    heard: u64,
    /// Cursor and chain there: with them, the canonical log proves itself.
    place: Value,
    last_local: u64,
}

impl Browser {
    pub async fn open(client: Client) -> Browser {
        Browser::open_over(Over::Rest, client).await
    }

    pub async fn open_over(over: Over, client: Client) -> Browser {
        let mut browser = Browser {
            client,
            over,
            canonical: BTreeMap::new(),
            pending: Vec::new(),
            rejected: Vec::new(),
            overruled_by: Vec::new(),
            need_resync: false,
            link: None,
            heard: 0,
            place: Value::Null,
            last_local: 0,
        };
        browser.listen().await;
        browser
    }

    /// The last number up to which the canonical log has no gap.
    pub fn seen(&self) -> u64 {
        (1..).take_while(|number| self.canonical.contains_key(number)).count() as u64
    }

    /// A person changes something: it shows at once, and waits to be sent.
    pub fn edit(&mut self, key: &str, value: impl Into<Value>) {
        self.note(json!({"updateKey": key, "updateValue": value.into()}));
    }

    pub fn remove(&mut self, key: &str) {
        self.note(json!({"updateKey": key, "op": "remove"}));
    }

    fn note(&mut self, mut update: Value) {
        self.last_local += 1;
        update["localSeqNum"] = self.last_local.into();
        update["afterServerSeqNum"] = self.seen().into();
        self.pending.push(update);
    }

    /// Sends the pending log and works the answers in; gives the reply.
    pub async fn send(&mut self) -> Value {
        let reply = match &mut self.link {
            Some(Link::Socket(socket)) => initiate(socket, &self.client.token, &self.pending).await,
            _ => self.client.push(json!(self.pending)).await.expect(200),
        };
        self.take_answers(&reply);
        reply
    }

    /// Acked updates move to the canonical log under the server's numbers, rejected ones are dropped.
    pub fn take_answers(&mut self, reply: &Value) {
        for ack in reply["updateAcks"].as_array().unwrap() {
            let mut update = self.take_pending(ack);
            update["clientId"] = json!(self.client.client_id);
            update["locationName"] = json!(self.client.location);
            if ack["merged"] != true {
                self.canonical.insert(ack["serverSeqNum"].as_u64().unwrap(), update);
            }
        }
        for rejection in reply["updatesRejected"].as_array().unwrap() {
            self.take_pending(rejection);
            self.rejected.push(rejection.clone());
        }
    }

    fn take_pending(&mut self, answer: &Value) -> Value {
        let place = self.pending.iter().position(|update| update["localSeqNum"] == answer["localSeqNum"]);
        self.pending.remove(place.unwrap_or_else(|| panic!("nobody asked for {answer}")))
    }

    /// Works entries in that the server sent. They overwrite what was there only on this side.
    pub fn take_relayed(&mut self, entries: &[Value]) {
        for entry in entries {
            let number = entry["serverSeqNum"].as_u64().unwrap();
            if let Some(known) = self.canonical.get(&number) {
                assert_eq!(named(known), named(entry), "two histories under number {number}");
            }
            let mine = |seq: &&Value| self.canonical.get(&seq.as_u64().unwrap()).is_some_and(|entry| self.made_here(entry));
            if !self.made_here(entry) && entry["overrules"].as_array().is_some_and(|seqs| seqs.iter().any(|seq| mine(&seq))) {
                self.overruled_by.push(entry.clone());
            }
            self.canonical.insert(number, entry.clone());
        }
    }

    fn made_here(&self, entry: &Value) -> bool {
        entry["clientId"] == self.client.client_id.as_str() && entry["locationName"] == self.client.location.as_str()
    }

    /// Listens until the stream has come to `upto`.
    pub async fn hear(&mut self, upto: u64) {
        while self.heard < upto {
            let news = match self.link.as_mut().expect("no network") {
                Link::Events(events) => events.next().await.json,
                Link::Socket(socket) => socket.next().await,
            };
            if news["msgType"] == "UPDATE_RELAY" {
                let entries = news["updatesRelayed"].as_array().unwrap();
                assert_gapless(entries, self.heard + 1);
                self.take_relayed(entries);
                self.heard = news["serverSeqNum"].as_u64().unwrap();
                self.place = json!({"cursor": news["cursor"], "chain": news["chain"]});
            }
        }
    }

    /// The hall's network drops.
    pub fn lose_network(&mut self) {
        self.link = None;
        self.need_resync = true;
    }

    /// The network is back: what waited is sent, what was missed is pulled, and the stream goes on.
    /// Gives the entries that were pulled.
    pub async fn come_back(&mut self) -> Vec<Value> {
        let after = self.seen();
        if !self.pending.is_empty() {
            self.send().await;
        }
        let missed = self.pull(after).await;
        self.need_resync = false;
        self.listen().await;
        missed
    }

    /// All that was heard, as the body that hands it back.
    pub fn canonical_log(&self, ticket: &Value) -> Value {
        let entries: Vec<_> = self.canonical.range(..=self.heard).map(|(_, entry)| entry).collect();
        json!({"recoveryTicket": ticket, "updates": entries, "cursor": self.place["cursor"], "chain": self.place["chain"]})
    }

    /// Everything above `after`, in pages of two, as a small device would.
    pub async fn pull(&mut self, after: u64) -> Vec<Value> {
        let (mut missed, mut cursor) = (Vec::new(), json!(after.to_string()));
        loop {
            let path = format!("/updates?limit=2&after={}", cursor.as_str().unwrap());
            let page = self.client.get(&self.client.of_meet(&path)).await.expect(200);
            let entries = page["updatesRelayed"].as_array().unwrap();
            self.take_relayed(entries);
            missed.extend(entries.iter().cloned());
            cursor = page["cursor"].clone();
            if page["more"] == false {
                assert_gapless(&missed, after + 1);
                return missed;
            }
        }
    }

    async fn listen(&mut self) {
        self.heard = self.seen();
        self.link = Some(match self.over {
            Over::Rest => Link::Events(Box::new(self.client.events(&format!("after={}", self.heard)).await)),
            Over::Socket => Link::Socket(Box::new(Socket::following(&self.client, self.heard).await)),
        });
    }

    /// What its user sees: the canonical log, and the pending log on top.
    pub fn screen(&self) -> Value {
        let mut state = json!({});
        self.canonical.values().chain(&self.pending).for_each(|update| put(&mut state, update));
        state
    }
}

/// Sends the pending log as one message; gives its one or two answers as a push has them.
async fn initiate(socket: &mut Socket, token: &str, pending: &[Value]) -> Value {
    let mut reply = socket.ask(&json!({"msgType": "UPDATE_INIT", "sessionToken": token, "updates": pending})).await;
    let refused = pending.len() > reply["updateAcks"].as_array().unwrap().len();
    reply["updatesRejected"] = if refused { socket.answer().await["updatesRejected"].clone() } else { json!([]) };
    reply
}

/// What must agree between an own update and the entry that the server made of it.
fn named(update: &Value) -> [&Value; 3] {
    [&update["updateKey"], &update["updateValue"], &update["op"]]
}

/// A fold of its own, so that the server's is not compared with itself.
fn put(state: &mut Value, update: &Value) {
    let key = update["updateKey"].as_str().unwrap().replace('[', ".").replace(']', "");
    let (above, last) = key.rsplit_once('.').unwrap_or(("", &key));
    let names = above.split('.').filter(|name| !name.is_empty());
    let parent = names.fold(state, |place, name| step(place, name));
    if update["op"] == "remove" {
        parent.as_object_mut().unwrap().remove(last);
    } else {
        *step(parent, last) = update["updateValue"].clone();
    }
}

fn step<'a>(place: &'a mut Value, name: &str) -> &'a mut Value {
    match place {
        Value::Object(members) => members.entry(name).or_insert_with(|| json!({})),
        Value::Array(items) => {
            let index: usize = name.parse().unwrap();
            if index == items.len() {
                items.push(Value::Null);
            }
            &mut items[index]
        }
        scalar => panic!("nothing stands below {scalar}"),
    }
}

/// Checks that everybody has the same log and sees the same meet as the server.
pub async fn assert_all_agree(browsers: &[&Browser]) {
    let first = browsers[0];
    let head = first.client.state().await;
    for browser in browsers {
        assert_eq!(browser.seen(), head["serverSeqNum"].as_u64().unwrap(), "{}", browser.client.location);
        let logs = |browser: &Browser| browser.canonical.values().map(|entry| json!(named(entry))).collect::<Vec<_>>();
        assert_eq!(logs(browser), logs(first));
        assert!(browser.pending.is_empty() && !browser.need_resync);
        assert_eq!(browser.screen(), head["state"], "{}", browser.client.location);
    }
}

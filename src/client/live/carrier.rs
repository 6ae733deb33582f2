//! A member that carries: it gives others the log that it holds, and hands their edits on to where they get ordered.
//!
//! One authority orders; a carrier changes nothing that it carries and adds nothing of its own. So members may be joined
//! to each other in any way, in rings too: news are entries of one log, which each takes once, and what is on its way
//! through a member already goes through it no second time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout};

use crate::client::channel::Link as ChannelLink;
use crate::client::channel::{Answer, Channel, Fault, Hints, Pull, Push, Reply, RestorePage, Transport, lock};
use crate::client::replica::{Carried, Replica};
use crate::meet::chain::Cursor;
use crate::meet::limits::{CLIENT_CARRIES_FOR, WAIT_MAX};
use crate::wire::reply::{ReceivedPage, ReceivedRestored};

use super::core::Core;
use super::status::{Link, Status};

const STOPPED: &str = "the member that carries has stopped";

/// A way to the authority through another member, for one client; see [`Live::carrier`](super::Live::carrier).
///
/// Its pulls are answered from what the member holds. Pushes and logs that are handed back go on over a channel of the
/// client's own, for only the client can say who it is. However many ways lead a client to a member, one carrier serves them all.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use liftrelay::client::channel::memory::MemoryServer;
/// use liftrelay::client::live::{Live, Options};
/// use liftrelay::client::replica::{Edit, Identity, Record};
/// use liftrelay::client::store::{MemoryStore, ReplicaStore};
///
/// fn store(name: &str) -> Result<Box<MemoryStore>, Box<dyn std::error::Error>> {
///     let mut store = MemoryStore::default();
///     let (meet_id, name) = ("123-456-789".into(), name.into());
///     store.append(&[Record::Joined(Identity { meet_id, location_name: name, client_id: "1".into() })])?;
///     Ok(Box::new(store))
/// }
///
/// let server = MemoryServer::new();
/// let desk = Live::start(store("desk")?, Arc::new(server.channel("desk", "1", 2)), Options::default())?;
/// // The platform reads from the desk alone; what it writes goes through the desk as its own.
/// let way = desk.carrier(Arc::new(server.channel("platform", "1", 1)));
/// let platform = Live::start(store("platform")?, Arc::new(way), Options::default())?;
/// platform.edit(vec![Edit::set("lot", "7")?]).await?;
/// platform.settled().await;
/// assert_eq!(server.state().canonical(), r#"{"lot":7}"#);
/// # Ok(()) }
/// ```
pub struct Carrier {
    member: Arc<Core>,
    /// Where this client's edits go on.
    onward: Arc<dyn Channel>,
    passing: Mutex<BTreeSet<Passing>>,
}

/// What is on its way through a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Passing {
    /// An edit, by its `localSeqNum`.
    Edit(u64),
    /// A page of a log that is handed back, by its end.
    Page(u64),
}

/// Lets its load pass again, however the call ends.
struct Pass<'a> {
    carrier: &'a Carrier,
    load: Vec<Passing>,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        lock(&self.carrier.passing).retain(|passing| !self.load.contains(passing));
    }
}

impl Carrier {
    pub(super) fn new(member: Arc<Core>, onward: Arc<dyn Channel>) -> Carrier {
        Carrier { member, onward, passing: Mutex::default() }
    }

    /// Lets a load through, unless some of it is on its way: then it came back to where it has been.
    fn pass(&self, load: Vec<Passing>) -> Result<Pass<'_>, Fault> {
        if self.member.stopping.is_cancelled() {
            return Err(Fault::Unreachable(STOPPED.to_owned()));
        }
        let mut passing = lock(&self.passing);
        if load.iter().any(|one| passing.contains(one)) {
            return Err(Fault::Unreachable("this is on its way through the same member already".to_owned()));
        }
        passing.extend(&load);
        Ok(Pass { carrier: self, load })
    }

    async fn hand_on(&self, push: Push) -> Result<Answer, Fault> {
        let load = push.updates.iter().map(|update| Passing::Edit(update.local_seq_num)).collect();
        let _pass = self.pass(load)?;
        self.onward.push(push).await
    }

    /// Waits for news. Only where none come the answer says what that means.
    async fn read(&self, pull: Pull) -> Result<Answer, Fault> {
        let _pass = self.pass(Vec::new())?;
        let asked_at = Instant::now();
        // A place that is not known here takes a while to judge, however short the reader wants it.
        let is_known = matches!(self.member.read(|replica| replica.carry(pull.after)), Carried::News(_) | Carried::Nothing);
        let wait = if is_known { pull.wait } else { WAIT_MAX };
        tokio::select! {
            news = timeout(wait, self.news(pull.after)) => news.unwrap_or_else(|_| self.without_news(pull.after, asked_at)),
            () = self.member.stopping.cancelled() => Err(Fault::Unreachable(STOPPED.to_owned())),
        }
    }

    async fn news(&self, after: Cursor) -> Result<Answer, Fault> {
        let mut status = self.member.status.subscribe();
        loop {
            let age = age(&status.borrow_and_update());
            if let Carried::News(page) = self.member.read(|replica| replica.carry(after)) {
                return Ok(done(page, age.unwrap_or(CLIENT_CARRIES_FOR)));
            }
            if age.is_none() || status.changed().await.is_err() {
                return Err(unheard());
            }
        }
    }

    /// A member speaks for the authority where it has heard it since it was asked: others may know better than its log.
    fn without_news(&self, after: Cursor, asked_at: Instant) -> Result<Answer, Fault> {
        let age = age(&self.member.status.borrow()).ok_or_else(unheard)?;
        let speaks = age < asked_at.elapsed();
        self.member.read(|replica| match replica.carry(after) {
            Carried::News(page) => Ok(done(page, age)),
            Carried::Nothing => Ok(done(nothing(replica, after), age)),
            Carried::Behind if speaks => Ok(Answer::ServerBehind { head: replica.cursor() }),
            Carried::Foreign if speaks => Ok(Answer::HistoryChanged { head: replica.cursor() }),
            // To say that there is nothing would be to say that the reader's place is one of the authority's.
            Carried::Behind | Carried::Foreign => Err(unheard()),
        })
    }
}

/// How old the authority's word is that a member has; `None` where that is too long ago.
fn age(status: &Status) -> Option<Duration> {
    let age = status.heard_at.filter(|_| status.link == Link::Up)?.elapsed();
    (age < CLIENT_CARRIES_FOR).then_some(age)
}

fn unheard() -> Fault {
    Fault::Unreachable("the member that carries does not hear the server".to_owned())
}

fn nothing(replica: &Replica, after: Cursor) -> ReceivedPage {
    let status = replica.status();
    ReceivedPage {
        updates_relayed: Vec::new(),
        server_seq_num: after.seq,
        cursor: after,
        chain: None,
        head_seq_num: status.head.max(after.seq),
        more: false,
        status: status.meet,
    }
}

fn done(page: ReceivedPage, age: Duration) -> Answer {
    let hints = Hints { status: page.status, age, ..Hints::default() };
    Answer::Done(Reply { page: Some(page), hints, ..Reply::default() })
}

impl Channel for Carrier {
    fn push(&self, push: Push) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.hand_on(push).boxed()
    }

    fn pull(&self, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.read(pull).boxed()
    }

    fn sync(&self, push: Push, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        if push.updates.is_empty() { self.read(pull).boxed() } else { self.hand_on(push).boxed() }
    }

    fn restore(&self, page: RestorePage) -> BoxFuture<'_, Result<ReceivedRestored, Fault>> {
        async move {
            let _pass = self.pass(vec![Passing::Page(page.cursor.seq)])?;
            self.onward.restore(page).await
        }
        .boxed()
    }

    /// As the member stands: to ask onward would go round a ring for ever.
    fn link(&self) -> ChannelLink {
        ChannelLink { transport: Transport::Memory, round_trip: self.member.status.borrow().round_trip }
    }
}

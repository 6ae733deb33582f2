//! A server and channels to it in one process: for tests, examples, and programs that share a meet among their own parts.
//!
//! The server is the core itself, without passwords, disk or network. Channels fail as they are told to.

mod told;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::meet::chain::{Cursor, ServerKey};
use crate::meet::id::MeetId;
use crate::meet::limits::PAGE_DEFAULT_ENTRIES;
use crate::meet::log::Log;
use crate::meet::outcome::Decision;
use crate::meet::restore::{Handed, Restored, Upload};
use crate::meet::settings::TieBreak;
use crate::meet::time::Timestamp;
use crate::meet::update::{Batch, Proposal, Writer};
use crate::meet::{Meet, state::State};
use crate::wire::message::Status;
use crate::wire::problem::Code;
use crate::wire::reply::{ReceivedConflict, ReceivedEntry, ReceivedPage, ReceivedRestored};

use super::{Answer, Channel, Fault, Hints, Link, Pull, Push, Reply, RestorePage, Transport, lock};
use told::{lost_answer, refused, told};

/// The one authority of a meet.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::channel::{Channel, memory::MemoryServer};
///
/// let server = MemoryServer::new();
/// # let push = hall::push("meet.name", "\"Spring Open\"")?;
/// server.channel("desk", "laptop", 1).push(push).await?;
/// assert_eq!(server.state().canonical(), r#"{"meet":{"name":"Spring Open"}}"#);
/// assert_eq!(server.with_log(|log| log.head()), 1);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MemoryServer {
    inner: Mutex<Inner>,
    head: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    meet: Meet,
    /// Grows by a millisecond with everything that happens: as good as any clock, and the same in every run.
    now: i64,
    uploads: HashMap<Writer, Upload>,
}

/// What goes wrong with the next call.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::channel::{Answer, Channel, memory::{MemoryServer, Trouble}};
///
/// let channel = MemoryServer::new().channel("desk", "laptop", 1);
/// # let push = hall::push("lot", "7")?;
/// channel.trouble([Trouble::LostReply]);
/// assert!(channel.push(push.clone()).await.is_err());
/// // It had taken effect, so sending it again gets the old answer.
/// let Answer::Done(reply) = channel.push(push).await? else { unreachable!("nobody else writes") };
/// assert!(reply.acks[0].duplicate);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing arrives, and nothing takes effect.
    LostRequest,
    /// It takes effect, and nobody hears of it.
    LostReply,
    /// It arrives twice, and is answered once.
    Doubled,
    /// The server, or something before it, asks to come back later.
    Busy(u16),
    /// It takes longer.
    Slow(Duration),
    /// It goes well.
    None,
}

/// A way to a [`MemoryServer`], for one client of one location.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::channel::{Channel, Fault, memory::MemoryServer};
///
/// let channel = MemoryServer::new().channel("desk", "laptop", 1);
/// # let push = hall::push("lot", "7")?;
/// channel.set_online(false);
/// assert!(matches!(channel.push(push.clone()).await, Err(Fault::Unreachable(_))));
/// channel.set_online(true);
/// assert!(channel.push(push).await.is_ok());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MemoryChannel {
    server: Arc<MemoryServer>,
    writer: Writer,
    priority: i64,
    troubles: Mutex<VecDeque<Trouble>>,
    is_online: watch::Sender<bool>,
}

impl MemoryServer {
    /// An empty meet.
    pub fn new() -> Arc<MemoryServer> {
        MemoryServer::with(TieBreak::Incumbent)
    }

    /// An empty meet in which equals are told apart in this way.
    pub fn with(tie_break: TieBreak) -> Arc<MemoryServer> {
        let key = ServerKey::new([1; 32]);
        let start = key.chain_start(MeetId::from_random(1), &[1; 16]);
        let inner = Inner { meet: Meet::new(key, start, tie_break), now: 0, uploads: HashMap::new() };
        Arc::new(MemoryServer { inner: Mutex::new(inner), head: watch::Sender::new(0) })
    }

    /// A channel for a client.
    pub fn channel(self: &Arc<Self>, location_name: &str, client_id: &str, priority: i64) -> MemoryChannel {
        let writer = Writer { location_name: location_name.into(), client_id: client_id.into() };
        let (troubles, is_online) = (Mutex::default(), watch::Sender::new(true));
        MemoryChannel { server: Arc::clone(self), writer, priority, troubles, is_online }
    }

    /// The state at the head.
    pub fn state(&self) -> State {
        lock(&self.inner).meet.state().clone()
    }

    /// Looks at the log.
    pub fn with_log<T>(&self, look: impl FnOnce(&Log) -> T) -> T {
        look(lock(&self.inner).meet.log())
    }

    /// From now on nothing is committed.
    pub fn finish(&self) {
        lock(&self.inner).meet.finish();
    }

    /// Loses everything behind the first `kept` entries, as a server does that comes back from an older copy of its disk.
    pub fn lose_after(&self, kept: u64) {
        let mut inner = lock(&self.inner);
        let key = ServerKey::new([1; 32]);
        let start = key.chain_start(MeetId::from_random(1), &[1; 16]);
        let mut meet = Meet::new(key, start, TieBreak::Incumbent);
        let entries: Vec<_> = inner.meet.log().after(0).iter().take(kept as usize).map(|entry| entry.fields.clone()).collect();
        if let Some(chain) = inner.meet.log().chain(entries.len() as u64) {
            let place = entries.len() as u64;
            meet.restore(None, Handed { entries, place, chain, more: false }, Timestamp::from_millis(inner.now));
        }
        inner.meet = meet;
        inner.uploads.clear();
        self.head.send_replace(kept);
    }

    fn push(&self, writer: &Writer, priority: i64, push: &Push, after: Option<Cursor>, wants_page: Option<&Pull>) -> Answer {
        let mut inner = lock(&self.inner);
        inner.now += 1;
        let now = Timestamp::from_millis(inner.now);
        let read = |update: &super::Update| {
            let (value, after) = (update.update_value.as_deref(), Some(update.after_server_seq_num));
            Proposal::read(&update.update_key, value, update.op, Some(update.local_seq_num), after)
        };
        let updates = push.updates.iter().map(read).collect();
        let batch = Batch { writer: writer.clone(), priority, updates, mode: push.mode, if_head: push.if_head, after };
        let decision = inner.meet.apply(&batch, now);
        self.head.send_replace(inner.meet.log().head());
        let news = |since| inner.page(since, PAGE_DEFAULT_ENTRIES);
        match decision {
            Decision::Applied { outcomes, .. } => {
                Answer::Done(Reply { page: wants_page.map(|pull| inner.page_for(pull)), ..told(outcomes) })
            }
            Decision::Conflict { processed, problem, remaining, since } => {
                Answer::Conflict(Box::new(ReceivedConflict { processed, problem: refused(*problem), remaining }), news(since))
            }
            Decision::Stale { since } => Answer::Stale(news(since)),
            Decision::Finished { known } => Answer::Finished(told(known)),
            Decision::Lost(lost) => lost_answer(inner.meet.log(), lost),
        }
    }

    fn pull(&self, pull: &Pull) -> Answer {
        let inner = lock(&self.inner);
        match inner.meet.log().check(pull.after) {
            Ok(()) => {
                let page = inner.page_for(pull);
                let hints = Hints { status: page.status, ..Hints::default() };
                Answer::Done(Reply { page: Some(page), hints, ..Reply::default() })
            }
            Err(lost) => lost_answer(inner.meet.log(), lost),
        }
    }

    fn knows(&self, cursor: Cursor) -> bool {
        lock(&self.inner).meet.log().check(cursor).is_ok()
    }

    fn restore(&self, writer: &Writer, page: RestorePage) -> Result<ReceivedRestored, Fault> {
        let mut inner = lock(&self.inner);
        inner.now += 1;
        let (now, upload) = (Timestamp::from_millis(inner.now), inner.uploads.remove(writer));
        let handed = Handed { entries: page.updates, place: page.cursor.seq, chain: page.chain, more: page.more };
        let refuse = |code: Code, detail: &str| Fault::Refused { code: Some(code), status: code.facts().status, detail: detail.to_owned() };
        match inner.meet.restore(upload, handed, now) {
            Restored::Taken { forked, upload, .. } => {
                if let Some(upload) = upload {
                    inner.uploads.insert(writer.clone(), upload);
                }
                let (server_seq_num, cursor) = (inner.meet.log().head(), inner.meet.log().head_cursor());
                self.head.send_replace(server_seq_num);
                Ok(ReceivedRestored {
                    server_seq_num,
                    cursor,
                    status: Status::Live,
                    history_changed: forked,
                    session_token: None,
                    expires_at: None,
                    slot: None,
                })
            }
            Restored::Apart => Err(refuse(Code::HistoryChanged, "these entries do not join the log")),
            Restored::Finished => Err(refuse(Code::MeetFinished, "the meet is finished")),
            Restored::Forged => Err(refuse(Code::InvalidRequest, "the chain does not fit")),
        }
    }
}

impl Inner {
    fn page_for(&self, pull: &Pull) -> ReceivedPage {
        self.page(pull.after.seq, pull.limit.map_or(PAGE_DEFAULT_ENTRIES, |limit| limit as usize))
    }

    /// About `limit` entries after `since`; never a part of a commit.
    fn page(&self, since: u64, limit: usize) -> ReceivedPage {
        let log = self.meet.log();
        let all = log.after(since);
        let mut count = all.len().min(limit.max(1));
        while count < all.len() && all[count].fields.commit == all[count - 1].fields.commit {
            count += 1;
        }
        let updates_relayed = all[..count].iter().map(|entry| ReceivedEntry::Shown(Box::new(entry.fields.clone()))).collect();
        let server_seq_num = since + count as u64;
        let chain = log.chain(server_seq_num);
        let cursor = chain.map_or(Cursor { seq: server_seq_num, tag: None }, |chain| Cursor::at(server_seq_num, &chain));
        let (head_seq_num, more) = (log.head(), count < all.len());
        ReceivedPage { updates_relayed, server_seq_num, cursor, chain, head_seq_num, more, status: Some(Status::Live) }
    }
}

impl MemoryChannel {
    /// What goes wrong with the next calls, one after the other.
    pub fn trouble(&self, troubles: impl IntoIterator<Item = Trouble>) {
        lock(&self.troubles).extend(troubles);
    }

    /// Pulls the plug, or puts it back.
    pub fn set_online(&self, is_online: bool) {
        self.is_online.send_replace(is_online);
    }

    /// Carries out a call under the next trouble.
    async fn call<T>(&self, call: impl Fn() -> T) -> Result<T, Fault> {
        let gone = |what: &str| Fault::Unreachable(what.to_owned());
        if !*self.is_online.borrow() {
            return Err(gone("the plug is out"));
        }
        // Taken before anything is waited for: the lock is held for a look.
        let trouble = lock(&self.troubles).pop_front().unwrap_or(Trouble::None);
        match trouble {
            Trouble::LostRequest => Err(gone("the request was lost")),
            Trouble::Busy(status) => Err(Fault::Busy { retry_after: None, status, detail: "come back later".to_owned() }),
            Trouble::LostReply => {
                call();
                Err(gone("the reply was lost"))
            }
            Trouble::Doubled => {
                call();
                Ok(call())
            }
            Trouble::Slow(pause) => {
                sleep(pause).await;
                Ok(call())
            }
            Trouble::None => Ok(call()),
        }
    }

    /// Waits for news after `after`, or until the plug is out.
    async fn wait(&self, after: u64) {
        let (mut head, mut is_online) = (self.server.head.subscribe(), self.is_online.subscribe());
        tokio::select! {
            _ = head.wait_for(|head| *head > after) => {}
            _ = is_online.wait_for(|is_online| !is_online) => {}
        }
    }
}

impl Channel for MemoryChannel {
    fn push(&self, push: Push) -> BoxFuture<'_, Result<Answer, Fault>> {
        async move { self.call(|| self.server.push(&self.writer, self.priority, &push, None, None)).await }.boxed()
    }

    fn pull(&self, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        async move {
            // Without news the answer is an empty page; a cursor of another history is told of at once.
            if self.server.knows(pull.after) {
                let _ = timeout(pull.wait, self.wait(pull.after.seq)).await;
            }
            self.call(|| self.server.pull(&pull)).await
        }
        .boxed()
    }

    fn sync(&self, push: Push, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        async move {
            if push.updates.is_empty() {
                return self.pull(pull).await;
            }
            self.call(|| self.server.push(&self.writer, self.priority, &push, Some(pull.after), Some(&pull))).await
        }
        .boxed()
    }

    fn restore(&self, page: RestorePage) -> BoxFuture<'_, Result<ReceivedRestored, Fault>> {
        async move { self.call(|| self.server.restore(&self.writer, page.clone())).await? }.boxed()
    }

    fn link(&self) -> Link {
        Link { transport: Transport::Memory, round_trip: None }
    }
}

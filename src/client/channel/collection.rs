//! Several ways to the same meet at once.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::task::JoinSet;

use crate::meet::chain::Cursor;
use crate::wire::reply::ReceivedRestored;

use super::{Answer, Channel, Fault, Link, Pull, Push, Reply, RestorePage, lock};

/// Channels as one: pushes go to all of them, pulls take from whichever has news first, and one that fails stops no other.
///
/// All of them lead to the same authority, directly or through members that carry its log. Each has a cursor of its own,
/// for one that carries may be behind.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::{sync::Arc, time::Duration};
/// use liftrelay::client::channel::{Answer, Channel, Pull, collection::ChannelCollection, memory::MemoryServer};
/// use liftrelay::meet::chain::Cursor;
///
/// let server = MemoryServer::new();
/// let [cable, wireless] = [0, 1].map(|_| Arc::new(server.channel("platform 1", "scoreboard", 1)));
/// cable.set_online(false);
/// let both = ChannelCollection::new([cable as Arc<dyn Channel>, wireless]);
/// let answer = both.pull(Pull { after: Cursor::START, wait: Duration::ZERO, limit: None }).await?;
/// assert!(matches!(answer, Answer::Done(_)));
/// # Ok(()) }
/// ```
#[derive(Default)]
pub struct ChannelCollection {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    members: Vec<Member>,
    /// Up to where the client was when it last asked.
    place: u64,
    /// Whose answer it got last.
    last: Option<usize>,
    /// A client that starts over has heard of another history from this member. It is read to its end before any other is
    /// asked, which may still hold the old one.
    teller: Option<usize>,
}

#[derive(Clone)]
struct Member {
    channel: Arc<dyn Channel>,
    /// Up to where it has told of the log, where that is less than the client has.
    cursor: Option<Cursor>,
}

impl ChannelCollection {
    /// A collection of these.
    pub fn new(members: impl IntoIterator<Item = Arc<dyn Channel>>) -> ChannelCollection {
        let all = ChannelCollection::default();
        members.into_iter().for_each(|member| all.add(member));
        all
    }

    /// One more way, from the next call on.
    pub fn add(&self, channel: Arc<dyn Channel>) {
        lock(&self.inner).members.push(Member { channel, cursor: None });
    }

    fn channels(&self) -> Vec<Arc<dyn Channel>> {
        lock(&self.inner).members.iter().map(|member| Arc::clone(&member.channel)).collect()
    }

    /// Whoever is still behind says so again.
    fn forget_cursors(&self) {
        lock(&self.inner).members.iter_mut().for_each(|member| member.cursor = None);
    }

    fn to_ask(&self, place: u64) -> Range<usize> {
        let mut inner = lock(&self.inner);
        if place < inner.place {
            inner.teller = inner.last;
        }
        inner.place = place;
        inner.teller.map_or(0..inner.members.len(), |teller| teller..teller + 1)
    }

    /// The client hears a member.
    fn told(&self, member: usize, answer: &Answer) {
        let mut inner = lock(&self.inner);
        inner.last = Some(member);
        inner.members[member].cursor = match answer {
            // The client mends that, once: from then on this member is asked from where it is.
            Answer::ServerBehind { head } => Some(*head),
            _ => None,
        };
        let goes_on = matches!(answer, Answer::Done(Reply { page: Some(page), .. }) if page.more);
        inner.teller = inner.teller.filter(|_| goes_on);
    }

    /// Asks one member for what follows its own cursor.
    async fn ask(&self, member: usize, pull: Pull) -> (usize, Result<Answer, Fault>) {
        let Member { channel, cursor } = lock(&self.inner).members[member].clone();
        let own = cursor.filter(|own| own.seq < pull.after.seq);
        (member, channel.pull(Pull { after: own.unwrap_or(pull.after), ..pull }).await)
    }

    async fn pull_any(&self, pull: Pull) -> Result<Answer, Fault> {
        let mut asked: FuturesUnordered<_> = self.to_ask(pull.after.seq).map(|member| self.ask(member, pull)).collect();
        let mut best = Err(Fault::Unreachable("there is no way to the server".to_owned()));
        while let Some((member, answer)) = asked.next().await {
            match &answer {
                Ok(Answer::Done(Reply { page: Some(page), .. })) if page.server_seq_num < pull.after.seq => {
                    lock(&self.inner).members[member].cursor = Some(page.cursor);
                    // This one comes after the client.
                    if page.more || !page.updates_relayed.is_empty() {
                        asked.push(self.ask(member, pull));
                    }
                }
                Ok(told) => {
                    self.told(member, told);
                    return answer;
                }
                Err(_) => lock(&self.inner).teller = None,
            }
            if rank(&answer) > rank(&best) {
                best = answer;
            }
        }
        best
    }

    /// The first answer; the calls to the other members go on.
    async fn first<T: Send + 'static>(&self, call: impl Fn(Arc<dyn Channel>) -> BoxFuture<'static, Result<T, Fault>>) -> Result<T, Fault> {
        let mut calls = JoinSet::new();
        for member in self.channels() {
            calls.spawn(call(member));
        }
        let mut fault = Fault::Unreachable("there is no way to the server".to_owned());
        while let Some(result) = calls.join_next().await {
            match result {
                Ok(Ok(answer)) => {
                    calls.detach_all();
                    return Ok(answer);
                }
                Ok(Err(error)) => fault = weightier(fault, error),
                Err(_) => {}
            }
        }
        Err(fault)
    }
}

/// Which answer says most, where none has news.
fn rank(answer: &Result<Answer, Fault>) -> u8 {
    match answer {
        Ok(_) => 4,
        Err(Fault::NotAuthorised(_)) => 3,
        Err(Fault::Refused { .. }) => 2,
        Err(Fault::Busy { .. }) => 1,
        Err(_) => 0,
    }
}

fn weightier(one: Fault, other: Fault) -> Fault {
    let rank = |fault: &Fault| rank(&Err(fault.clone()));
    if rank(&other) >= rank(&one) { other } else { one }
}

impl Channel for ChannelCollection {
    fn push(&self, push: Push) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.first(move |member| {
            let push = push.clone();
            async move { member.push(push).await }.boxed()
        })
        .boxed()
    }

    fn pull(&self, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.pull_any(pull).boxed()
    }

    /// Through members that may be behind there is no push inside a pull: first the one, then the other.
    fn sync(&self, push: Push, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        async move {
            if push.updates.is_empty() {
                return self.pull_any(pull).await;
            }
            self.push(push).await
        }
        .boxed()
    }

    fn restore(&self, page: RestorePage) -> BoxFuture<'_, Result<ReceivedRestored, Fault>> {
        async move {
            let restored = self.first(move |member| {
                let page = page.clone();
                async move { member.restore(page).await }.boxed()
            });
            restored.await.inspect_err(|_| self.forget_cursors())
        }
        .boxed()
    }

    /// The best of the members' links.
    fn link(&self) -> Link {
        self.channels().iter().map(|member| member.link()).max_by_key(|link| link.transport).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::memory::{MemoryChannel, MemoryServer, Trouble};
    use super::super::{Transport, Update};
    use super::*;
    use crate::meet::update::{Mode, Op};

    const AT_ONCE: Pull = Pull { after: Cursor::START, wait: Duration::ZERO, limit: None };

    fn update(local_seq_num: u64) -> Push {
        let update_value = serde_json::value::to_raw_value(&local_seq_num).ok();
        let update = Update { update_key: "lot".into(), update_value, op: Op::Set, local_seq_num, after_server_seq_num: Cursor::START };
        Push { updates: vec![update], mode: Mode::Each, if_head: None }
    }

    fn two(server: &Arc<MemoryServer>) -> (Arc<MemoryChannel>, Arc<MemoryChannel>, ChannelCollection) {
        let [one, other] = [0, 1].map(|_| Arc::new(server.channel("platform 1", "a", 1)));
        let both = ChannelCollection::new([Arc::clone(&one) as Arc<dyn Channel>, Arc::clone(&other) as Arc<dyn Channel>]);
        (one, other, both)
    }

    #[tokio::test]
    async fn a_push_to_all_commits_once() {
        let server = MemoryServer::new();
        let (_, _, both) = two(&server);
        for number in 1..=5 {
            assert!(matches!(both.push(update(number)).await, Ok(Answer::Done(reply)) if reply.acks.len() == 1));
        }
        tokio::task::yield_now().await;
        assert_eq!(server.with_log(|log| log.head()), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_fails_stops_no_other() {
        let server = MemoryServer::new();
        let (one, other, both) = two(&server);
        for trouble in [Trouble::LostRequest, Trouble::LostReply, Trouble::Busy(503), Trouble::Slow(Duration::from_secs(9))] {
            one.trouble([trouble]);
            assert!(both.push(update(1)).await.is_ok());
            one.trouble([trouble]);
            assert!(matches!(both.pull(AT_ONCE).await, Ok(Answer::Done(reply)) if reply.page.is_some()), "{trouble:?}");
        }
        one.set_online(false);
        other.set_online(false);
        assert!(matches!(both.pull(AT_ONCE).await, Err(Fault::Unreachable(_))));
        assert_eq!(both.link().transport, Transport::Memory);
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_has_lost_something_says_so_once_and_stops_no_other() {
        let (server, old) = (MemoryServer::new(), MemoryServer::new());
        let fresh = Arc::new(server.channel("platform 1", "a", 1));
        let behind = Arc::new(old.channel("platform 1", "a", 1));
        for number in 1..=3 {
            fresh.push(update(number)).await.unwrap();
        }
        behind.push(update(1)).await.unwrap();
        let Ok(Answer::Done(reply)) = fresh.pull(AT_ONCE).await else { panic!() };
        let after = reply.page.unwrap().cursor;
        let both = ChannelCollection::new([behind as Arc<dyn Channel>, fresh as Arc<dyn Channel>]);
        let pull = Pull { after, wait: Duration::from_secs(1), limit: None };
        assert!(matches!(both.pull(pull).await, Ok(Answer::ServerBehind { head }) if head.seq == 1));
        assert!(matches!(both.pull(pull).await, Ok(Answer::Done(_))));
    }
}

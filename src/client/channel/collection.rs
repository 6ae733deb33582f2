//! Several ways to the same meet at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::task::JoinSet;

use crate::meet::chain::Cursor;
use crate::wire::reply::ReceivedRestored;

use super::{Answer, Channel, Fault, Link, Pull, Push, RestorePage};

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
pub struct ChannelCollection {
    members: Vec<Arc<dyn Channel>>,
    /// Up to where each member has told of the log, where that is less than the client has.
    cursors: Mutex<Vec<Option<Cursor>>>,
}

impl ChannelCollection {
    /// A collection of these; at least one.
    pub fn new(members: impl IntoIterator<Item = Arc<dyn Channel>>) -> ChannelCollection {
        let members: Vec<_> = members.into_iter().collect();
        let cursors = Mutex::new(vec![None; members.len()]);
        ChannelCollection { members, cursors }
    }

    fn cursors(&self) -> MutexGuard<'_, Vec<Option<Cursor>>> {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks one member for what follows its own cursor.
    async fn ask(&self, member: usize, pull: Pull) -> (usize, Result<Answer, Fault>) {
        let own = self.cursors()[member].filter(|own| own.seq < pull.after.seq);
        (member, self.members[member].pull(Pull { after: own.unwrap_or(pull.after), ..pull }).await)
    }

    async fn pull_any(&self, pull: Pull) -> Result<Answer, Fault> {
        let mut asked: FuturesUnordered<_> = (0..self.members.len()).map(|member| self.ask(member, pull)).collect();
        let mut best = Err(Fault::Unreachable("there is no way to the server".to_owned()));
        while let Some((member, answer)) = asked.next().await {
            match &answer {
                Ok(Answer::Done(reply)) => {
                    let Some(page) = &reply.page else { return answer };
                    self.cursors()[member] = Some(page.cursor);
                    if page.server_seq_num >= pull.after.seq {
                        return answer;
                    }
                    // This one carries, and comes after the client.
                    if page.more || !page.updates_relayed.is_empty() {
                        asked.push(self.ask(member, pull));
                    }
                }
                // The others may have what this one has not.
                Ok(Answer::ServerBehind { head }) => self.cursors()[member] = Some(*head),
                _ => self.cursors()[member] = None,
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
        for member in &self.members {
            calls.spawn(call(Arc::clone(member)));
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
        Ok(Answer::Done(_)) => 6,
        Ok(Answer::HistoryChanged { .. }) => 5,
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
        self.first(move |member| {
            let page = page.clone();
            async move { member.restore(page).await }.boxed()
        })
        .boxed()
    }

    /// The best of the members' links.
    fn link(&self) -> Link {
        self.members.iter().map(|member| member.link()).max_by_key(|link| link.transport).unwrap_or_default()
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
    async fn a_member_that_is_behind_calls_for_no_recovery() {
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
        assert!(matches!(both.pull(pull).await, Ok(Answer::Done(_))));
    }
}

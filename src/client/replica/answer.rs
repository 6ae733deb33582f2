//! What an answer of the server means.

use std::sync::Arc;

use crate::client::channel::{Answer, Reply};
use crate::meet::key::Key;
use crate::wire::message::Status;
use crate::wire::reply::{ReceivedConflict, ReceivedEntry, ReceivedPage, ReceivedRejection};

use super::Replica;
use super::canonical::is_same;
use super::record::{Acked, Answered, Page, Record, Refused, Standing};

/// What an answer means to a replica.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use liftrelay::client::channel::{Channel, memory::MemoryServer};
/// use liftrelay::client::replica::{Need, Replica};
///
/// let (mut replica, channel) = (Replica::default(), MemoryServer::new().channel("desk", "laptop", 1));
/// let answer = channel.pull(replica.pull(Duration::ZERO)).await?;
/// let heard = replica.answered(answer)?;
/// if let Some(record) = heard.record {
///     replica.apply(&record); // Stored first.
/// }
/// assert!(matches!(heard.need, Need::Nothing));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Heard {
    /// To be stored and applied; `None` where there is nothing new.
    pub record: Option<Record>,
    /// What has to happen then.
    pub need: Need,
}

/// What has to happen after an answer.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::channel::memory::MemoryServer;
/// use liftrelay::client::replica::Need;
///
/// let server = MemoryServer::new();
/// let channel = server.channel("desk", "laptop", 1);
/// # let mut desk = hall::member("desk");
/// # hall::set(&mut desk, "lot", "7")?;
/// # hall::exchange(&mut desk, &channel).await?;
/// # hall::exchange(&mut desk, &channel).await?;
/// server.lose_after(0);
/// let need = hall::exchange(&mut desk, &channel).await?;
/// let told = match need {
///     Need::Nothing => "go on",
///     Need::Again => "send the batch again",
///     Need::Decision(_) => "ask the user",
///     Need::Restore { .. } => "hand back what the server has lost",
///     Need::Reset => "hand all of it back, then read the server's history",
/// };
/// assert_eq!(told, "hand back what the server has lost");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub enum Need {
    /// Nothing: go on.
    Nothing,
    /// The user decides: an atomic batch met a refusal.
    Decision(Box<ReceivedConflict>),
    /// An atomic batch was late; send it again on top of the news.
    Again,
    /// The server has lost entries: hand back what lies above this number ([`Replica::restore_page`]), then go on.
    Restore {
        /// The server's head.
        after: u64,
    },
    /// The server's history is another one: hand the whole log back, then store and apply [`Record::Reset`], and pull.
    Reset,
}

/// An answer that does not fit the replica. It has no effect; asking again is right.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::channel::{Answer, Channel, memory::MemoryServer};
/// use liftrelay::client::replica::Unfit;
/// # use {liftrelay::client::channel::Pull, std::time::Duration};
///
/// # let (replica, channel) = (hall::member("desk"), MemoryServer::new().channel("desk", "laptop", 1));
/// # channel.push(hall::push("lot", "7")?).await?;
/// # let pull = replica.pull(Duration::ZERO);
/// let Answer::Done(mut reply) = channel.pull(pull).await? else { unreachable!("the log starts there") };
/// reply.page.iter_mut().for_each(|page| page.updates_relayed.clear()); // Says that it ends with entry 1.
/// assert_eq!(replica.answered(Answer::Done(reply)).map(drop), Err(Unfit::Gap { expected: 1, found: 1 }));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The page starts behind what is here.
    #[error("the page starts with entry {found} where {expected} belongs")]
    Gap {
        /// The number that belongs there.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The page ends with another entry than it says.
    #[error("the page says that it ends with entry {said}, and ends with {found}")]
    End {
        /// The number in the page's cursor.
        said: u64,
        /// The number of its last entry.
        found: u64,
    },
    /// Entry of another history.
    #[error("entry {0} is another one here")]
    Foreign(u64),
    /// A replica folds the log, so it needs the whole of every entry.
    #[error("entry {0} is private: a replica needs an editor's session, not a view key")]
    Opaque(u64),
    /// The key of an entry cannot be read.
    #[error("the key of entry {0} cannot be read")]
    Key(u64),
}

impl Replica {
    /// What an answer means. The replica is not changed: that is what the record in the result is for.
    ///
    /// # Errors
    /// [`Unfit`] where its page does not go on where the replica is, as one that was under way for too long.
    pub fn answered(&self, answer: Answer) -> Result<Heard, Unfit> {
        let (answered, need) = match answer {
            Answer::Done(reply) => (self.reply(reply)?, Need::Nothing),
            Answer::Finished(reply) => (self.finished(self.reply(reply)?), Need::Nothing),
            Answer::Conflict(conflict, page) => (self.news(page)?, Need::Decision(conflict)),
            Answer::Stale(page) => (self.news(page)?, Need::Again),
            Answer::ServerBehind { head } => (Answered::default(), Need::Restore { after: head.seq.min(self.canonical.head()) }),
            Answer::HistoryChanged { .. } => (Answered::default(), Need::Reset),
        };
        let record = (!self.says_nothing_new(&answered)).then_some(Record::Answered(answered));
        Ok(Heard { record, need })
    }

    fn reply(&self, reply: Reply) -> Result<Answered, Unfit> {
        let acked =
            reply.acks.iter().filter_map(|ack| Some(Acked { number: ack.local_seq_num?, seq: ack.server_seq_num, merged: ack.merged }));
        let answered = Answered {
            acked: acked.filter(|acked| self.pending.get(acked.number).is_some_and(|pending| pending.acked.is_none())).collect(),
            refused: reply.rejections.into_iter().filter_map(|rejection| self.refused(rejection)).collect(),
            page: None,
            meet: reply.hints.status,
        };
        let Some(page) = reply.page else { return Ok(answered) };
        let news = self.news(page)?;
        Ok(Answered { page: news.page, meet: news.meet.or(answered.meet), ..answered })
    }

    /// Whatever the meet had not answered when it was finished is refused.
    fn finished(&self, mut answered: Answered) -> Answered {
        let is_told = |number: u64| {
            answered.acked.iter().any(|acked| acked.number == number) || answered.refused.iter().any(|refused| refused.number == number)
        };
        let left = self.pending.iter().filter(|pending| pending.acked.is_none() && !is_told(pending.number));
        let refuse = |number| Refused {
            number,
            reason: "the meet was finished before this change reached it".to_owned(),
            code: None,
            standing: None,
        };
        let left: Vec<_> = left.map(|pending| refuse(pending.number)).collect();
        answered.refused.extend(left);
        Answered { meet: Some(Status::Finished), ..answered }
    }

    fn refused(&self, rejection: ReceivedRejection) -> Option<Refused> {
        let number = rejection.local_seq_num.filter(|&number| self.pending.get(number).is_some())?;
        Some(Refused::new(number, rejection))
    }

    fn news(&self, page: ReceivedPage) -> Result<Answered, Unfit> {
        let status = page.status;
        Ok(Answered { page: Some(self.fitting(page)?), meet: status, ..Answered::default() })
    }

    /// The page without what is here already.
    fn fitting(&self, page: ReceivedPage) -> Result<Page, Unfit> {
        let log = self.rebuild.as_ref().unwrap_or(&self.canonical);
        let (mut entries, mut last) = (Vec::new(), log.head());
        for received in page.updates_relayed {
            let seq = received.seq();
            let ReceivedEntry::Shown(fields) = received else { return Err(Unfit::Opaque(seq)) };
            if seq > last + 1 {
                return Err(Unfit::Gap { expected: last + 1, found: seq });
            }
            if seq <= last {
                // Within the page a number that comes twice is as foreign as one that is another entry here.
                let known = log.get(seq).filter(|known| is_same(known, &fields));
                known.ok_or(Unfit::Foreign(seq))?;
                continue;
            }
            Key::parse(&fields.update_key).map_err(|_| Unfit::Key(seq))?;
            entries.push(Arc::from(fields));
            last = seq;
        }
        match page.cursor.seq {
            said if said == last || (said < last && entries.is_empty()) => {}
            said if said > last && entries.is_empty() => return Err(Unfit::Gap { expected: last + 1, found: said }),
            said => return Err(Unfit::End { said, found: last }),
        }
        Ok(Page { entries, cursor: page.cursor, chain: page.chain, head: page.head_seq_num, more: page.more })
    }

    fn says_nothing_new(&self, answered: &Answered) -> bool {
        let is_old = |page: &Page| {
            let log = self.rebuild.as_ref().unwrap_or(&self.canonical);
            let is_known = page.cursor.seq < log.head() || (log.cursor() == page.cursor && log.chains().contains_key(&page.cursor.seq));
            let shows_loss =
                || self.pending.iter().filter_map(|pending| pending.acked).any(|acked| self.canonical.has_lost(&acked, page.head));
            page.entries.is_empty()
                && is_known
                && page.head == self.head
                && self.rebuild.is_none()
                && !(page.tells_the_head() && shows_loss())
        };
        let has_news =
            answered.meet.is_some_and(|meet| self.meet != Some(meet)) || answered.page.as_ref().is_some_and(|page| !is_old(page));
        answered.acked.is_empty() && answered.refused.is_empty() && !has_news
    }
}

impl Refused {
    pub(super) fn new(number: u64, rejection: ReceivedRejection) -> Refused {
        let standing = rejection.standing.map(|standing| Standing {
            seq: standing.server_seq_num,
            key: standing.update_key.into(),
            value: standing.update_value,
            location_name: standing.location_name.into(),
            priority: standing.priority,
        });
        Refused { number, reason: rejection.reason, code: Some(rejection.code), standing }
    }
}

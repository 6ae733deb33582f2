//! The loop: activity leads to more at once, failures to pauses, and a local edit ends any pause but those.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use crate::client::channel::{Answer, Channel, Fault, Transport};
use crate::client::replica::{Need, Outgoing, Replica, Unfit};
use crate::client::retry::random;
use crate::client::schedule::{Choice, Measured, Scheduler};
use crate::meet::limits::BATCH_MAX_UPDATES;

use super::LiveError;
use super::access::Access;
use super::core::Core;
use super::meter::Rate;
use super::recovery::hints;
use super::status::Link;

/// For so long after an ack a log without its entry shows nothing but that this answer is older, or comes from a member that is behind.
const LOSS_SHOWS: Duration = Duration::from_secs(5);

/// Keeps one replica in step.
pub(super) struct Driver {
    pub(super) core: Arc<Core>,
    pub(super) channel: Arc<dyn Channel>,
    pub(super) access: Option<Arc<dyn Access>>,
    scheduler: Box<dyn Scheduler>,
    edits: Rate,
    news: Rate,
    pub(super) failures: u32,
    pub(super) retry_after: Option<Duration>,
    more: bool,
    /// Nothing is sent before.
    pub(super) not_before: Option<Instant>,
    /// When the first of the edits that wait was made.
    waiting_since: Option<Instant>,
    known_edits: u64,
    /// A batch that was refused as a whole goes on in parts.
    pub(super) batch_max: usize,
    /// A login was refused; it is not asked for again until something came through.
    pub(super) has_asked: bool,
    /// When the last ack was heard.
    acked_at: Option<Instant>,
    /// When edits were refused by something that is not our server.
    pub(super) refused_at: Option<Instant>,
    /// When the session was last replaced.
    pub(super) renewed: Option<Instant>,
}

/// An exchange under way, with the edits that it carries.
struct Exchange {
    sent: Option<Outgoing>,
    /// Of one that carries edits.
    turn: Option<OwnedMutexGuard<()>>,
    answer: Pin<Box<dyn Future<Output = Result<Answer, Fault>> + Send>>,
}

impl Driver {
    pub(super) fn new(
        core: Arc<Core>,
        channel: Arc<dyn Channel>,
        scheduler: Box<dyn Scheduler>,
        access: Option<Arc<dyn Access>>,
    ) -> Driver {
        Driver {
            core,
            channel,
            access,
            scheduler,
            edits: Rate::default(),
            news: Rate::default(),
            failures: 0,
            retry_after: None,
            more: false,
            not_before: None,
            waiting_since: None,
            known_edits: 0,
            batch_max: BATCH_MAX_UPDATES,
            has_asked: false,
            acked_at: None,
            refused_at: None,
            renewed: None,
        }
    }

    /// Runs until it is stopped, or the store fails.
    pub(super) async fn run(mut self) {
        let core = Arc::clone(&self.core);
        let ended = tokio::select! {
            () = core.stopping.cancelled() => return,
            error = self.go_on() => error,
        };
        core.set_link(Link::Broken { why: ended.to_string() });
    }

    async fn go_on(&mut self) -> LiveError {
        let (mut pulling, mut pushing): (Option<Exchange>, Option<Exchange>) = (None, None);
        loop {
            let choice = self.choose();
            let next = match self.start(&choice, &mut pulling, &mut pushing).await {
                Ok(next) => next,
                Err(error) => return error,
            };
            let core = Arc::clone(&self.core);
            let done = tokio::select! {
                answer = answered(&mut pushing) => {
                    let done = self.finish(&mut pushing, answer).await;
                    // A held pull would be long in telling whether the server is in reach.
                    pulling = pulling.filter(|_| !self.is_in_doubt());
                    done
                }
                answer = answered(&mut pulling) => self.finish(&mut pulling, answer).await,
                () = core.wake.notified() => {
                    self.note_edits();
                    Ok(())
                }
                () = sleep_until(next) => Ok(()),
            };
            if let Err(error) = done {
                return error;
            }
        }
    }

    fn choose(&mut self) -> Choice {
        let (now, link) = (Instant::now(), self.channel.link());
        self.note_edits();
        let (unsent, bytes) = self.core.read(|replica| {
            let waiting = replica.pending().filter(|pending| pending.acked.is_none());
            waiting.fold((0, 0), |(count, bytes), pending| (count + 1, bytes + pending.edit.key.as_str().len()))
        });
        let last = self.edits.last().max(self.news.last());
        let measured = Measured {
            transport: link.transport,
            round_trip: link.round_trip,
            unsent,
            update_bytes: bytes.checked_div(unsent).unwrap_or_default(),
            edits_per_second: self.edits.per_second(now),
            news_per_second: self.news.per_second(now),
            idle: last.map_or(Duration::MAX, |last| now.duration_since(last)),
            more: self.more,
            failures: self.failures,
            retry_after: self.retry_after,
            longest_wait: None,
            random: random(),
        };
        let choice = self.scheduler.choose(&measured);
        self.core.status.send_modify(|status| {
            (status.transport, status.round_trip) = (link.transport, link.round_trip);
            (status.measured, status.choice) = (measured, Some(choice));
        });
        choice
    }

    fn note_edits(&mut self) {
        let now = Instant::now();
        let (last, waits) = self.core.read(|replica| {
            let newest = replica.pending().map(|pending| pending.number).max().unwrap_or_default();
            (newest, replica.pending().any(|pending| pending.acked.is_none()))
        });
        if last > self.known_edits {
            self.edits.add(usize::try_from(last - self.known_edits).unwrap_or(usize::MAX), now);
            self.known_edits = last;
        }
        if !waits {
            self.waiting_since = None;
        } else if self.waiting_since.is_none() {
            self.waiting_since = Some(now);
        }
    }

    /// Starts what is due; gives the instant at which to look again.
    async fn start(
        &mut self,
        choice: &Choice,
        pulling: &mut Option<Exchange>,
        pushing: &mut Option<Exchange>,
    ) -> Result<Option<Instant>, LiveError> {
        let now = Instant::now();
        if let Some(not_before) = self.not_before.filter(|at| *at > now) {
            return Ok(Some(not_before));
        }
        let push_at = self.waiting_since.map(|since| since + choice.window);
        let is_due = push_at.is_some_and(|at| at <= now);
        // Where nothing is held, edits ride inside the pull; held pulls are left alone.
        let is_free = pushing.is_none() && (pulling.is_none() || !self.is_short());
        if let Some((outgoing, turn)) = if is_due && is_free { self.outgoing().await? } else { None } {
            let exchange = self.push(outgoing, turn, self.is_short());
            *if self.is_short() { &mut *pulling } else { &mut *pushing } = Some(exchange);
        }
        if pulling.is_none() {
            // In a quiet meet a held pull tells for long not even that the server is there.
            let wait = if self.core.status.borrow().link == Link::Up { choice.wait } else { Duration::ZERO };
            let (channel, pull) = (Arc::clone(&self.channel), self.core.read(|replica| replica.pull(wait)));
            *pulling = Some(Exchange { sent: None, turn: None, answer: Box::pin(async move { channel.pull(pull).await }) });
        }
        Ok(push_at.filter(|at| *at > now))
    }

    fn is_short(&self) -> bool {
        self.channel.link().transport == Transport::ShortPoll
    }

    /// The next batch, once it is written down that it goes. A sync chain that is under way goes first.
    async fn outgoing(&mut self) -> Result<Option<(Outgoing, OwnedMutexGuard<()>)>, LiveError> {
        let Ok(turn) = Arc::clone(&self.core.sending).try_lock_owned() else { return Ok(None) };
        let limit = self.batch_max;
        let Some(mut outgoing) = self.core.read(Replica::push) else { return Ok(None) };
        outgoing.push.updates.truncate(limit);
        if let Some(record) = outgoing.record.clone() {
            self.core.change(move |_| Ok::<_, LiveError>(vec![record])).await?;
        }
        Ok(Some((outgoing, turn)))
    }

    fn push(&self, outgoing: Outgoing, turn: OwnedMutexGuard<()>, inside_a_pull: bool) -> Exchange {
        let (channel, push) = (Arc::clone(&self.channel), outgoing.push.clone());
        let pull = self.core.read(|replica| replica.pull(Duration::ZERO));
        let answer = async move { if inside_a_pull { channel.sync(push, pull).await } else { channel.push(push).await } };
        Exchange { sent: Some(outgoing), turn: Some(turn), answer: Box::pin(answer) }
    }

    /// Takes what an exchange came to.
    async fn finish(&mut self, exchange: &mut Option<Exchange>, answer: Result<Answer, Fault>) -> Result<(), LiveError> {
        let (sent, _turn) = exchange.take().map_or((None, None), |exchange| (exchange.sent, exchange.turn));
        match answer {
            Ok(answer) => self.heard(answer).await,
            Err(fault) => self.failed(sent, fault).await,
        }
    }

    async fn heard(&mut self, mut answer: Answer) -> Result<(), LiveError> {
        self.doubt_loss(&mut answer);
        let hints = hints(&answer);
        if matches!(answer, Answer::Done(_) | Answer::Finished(_)) {
            self.core.heard(hints.age);
        }
        let before = self.core.read(|replica| replica.status().last_number);
        let heard = match self.core.read(|replica| replica.answered(answer)) {
            Ok(heard) => heard,
            Err(unfit) => return self.unfit(&unfit).await,
        };
        if let Some(record) = heard.record {
            self.core.change(move |_| Ok::<_, LiveError>(vec![record])).await?;
        }
        self.came_through();
        let status = self.core.read(Replica::status);
        self.more = status.last_number < status.head;
        self.news.add(usize::try_from(status.last_number.saturating_sub(before)).unwrap_or_default(), Instant::now());
        self.note_edits();
        match heard.need {
            Need::Restore { after } => self.hand_back(after).await?,
            Need::Reset => self.hand_back_all().await?,
            Need::Nothing | Need::Again | Need::Decision(_) => {}
        }
        self.renew_ticket(&hints).await?;
        self.pause();
        Ok(())
    }

    /// An ack without its entry is believed for a while: the edit is sent again only where the log stays without it.
    fn doubt_loss(&mut self, answer: &mut Answer) {
        let Answer::Done(reply) = answer else { return };
        if !reply.acks.is_empty() {
            (self.acked_at, self.refused_at) = (Some(Instant::now()), None);
        }
        if let Some(page) = &mut reply.page
            && self.acked_at.is_some_and(|at| at.elapsed() < LOSS_SHOWS)
        {
            let acked = self.core.read(|replica| replica.pending().filter_map(|pending| Some(pending.acked?.seq)).max());
            page.head_seq_num = page.head_seq_num.max(acked.unwrap_or_default());
        }
    }

    pub(super) fn came_through(&mut self) {
        (self.failures, self.retry_after, self.has_asked) = (0, None, false);
        self.core.set_link(Link::Up);
    }

    /// Between requests that are answered at once there is a pause; a local edit ends it.
    pub(super) fn pause(&mut self) {
        let choice = self.choose();
        self.not_before = (!choice.pause.is_zero()).then(|| Instant::now() + choice.pause);
        if self.failures == 0 && self.waiting_since.is_some() {
            self.not_before = None;
        }
    }

    async fn unfit(&mut self, unfit: &Unfit) -> Result<(), LiveError> {
        match unfit {
            // The same place in the log holds something else here: one of the two histories is another one.
            Unfit::Foreign(_) => self.hand_back_all().await,
            _ => {
                self.failures += 1;
                self.core.set_link(Link::Down { why: unfit.to_string() });
                self.pause();
                Ok(())
            }
        }
    }
}

/// The answer of an exchange; never without one.
async fn answered(exchange: &mut Option<Exchange>) -> Result<Answer, Fault> {
    match exchange {
        Some(exchange) => exchange.answer.as_mut().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

//! The ladder: WebSocket, Server-Sent Events, lines of JSON, held requests, short ones. It climbs by evidence while it carries.

pub mod climb;
mod trial;

use std::sync::Mutex;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::client::api::Session;
use crate::wire::reply::ReceivedRestored;
use crate::wire::stream::Format;

use super::http::{leaves, restore};
use super::socket::Socket;
use super::stream::Stream;
use super::{Answer, Channel, Fault, Link, Pull, Push, Reply, RestorePage, Transport, lock};
use climb::{Climb, RungReport};
use trial::{Trial, brought};

/// A channel that finds the best way by itself.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use liftrelay::client::channel::{Channel, Pull, Transport, ladder::Ladder};
/// use liftrelay::meet::chain::Cursor;
///
/// # let session = hall::session().await?;
/// let ladder = Ladder::new(session);
/// // The first answer comes by a request. Better rungs are tried beside the pulls.
/// ladder.pull(Pull { after: Cursor::START, wait: Duration::from_millis(200), limit: None }).await?;
/// assert!(ladder.link().transport >= Transport::LongPoll);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Ladder {
    session: Session,
    climb: Mutex<Climb>,
    carrier: tokio::sync::Mutex<Carrying>,
    /// Carries pushes while a socket is what carries.
    socket: Mutex<Option<Socket>>,
    round_trips: Mutex<RoundTrips>,
}

/// The stream that carries, and the one that is probed.
#[derive(Debug, Default)]
struct Carrying {
    carrier: Option<Carrier>,
    probe: Option<(Transport, JoinHandle<Result<Carrier, Fault>>)>,
}

#[derive(Debug)]
struct Carrier {
    transport: Transport,
    since: Instant,
    stream: Stream,
    trial: Trial,
    /// Where the stream is a socket's.
    socket: Option<Socket>,
}

/// What a pull has, and from where.
enum Taken {
    /// From the stream that carries; nothing where the pull's time is over.
    Stream(Option<Result<Answer, Fault>>),
    /// From a request beside a stream on trial.
    Request(Answer),
    /// A probe has come to its end.
    Probe((Transport, Result<Carrier, Fault>)),
    /// The stream owes what a request has brought.
    HeldBack,
}

impl Drop for Carrying {
    fn drop(&mut self) {
        if let Some((_, probe)) = &self.probe {
            probe.abort();
        }
    }
}

impl Carrier {
    async fn open(session: Session, transport: Transport, pull: Pull) -> Result<Carrier, Fault> {
        let since = Instant::now();
        let (stream, socket) = match transport {
            Transport::Socket => {
                let (socket, stream) = Socket::open(&session, Some(pull.after)).await?;
                (stream, Some(socket))
            }
            Transport::Ndjson => (Stream::open(&session, pull.after, Format::Ndjson).await?, None),
            _ => (Stream::open(&session, pull.after, Format::Sse).await?, None),
        };
        let trial = Trial::since(stream.head());
        Ok(Carrier { transport, since, stream, trial, socket })
    }
}

/// The last round trips of requests that were not held.
#[derive(Debug, Default)]
struct RoundTrips(Vec<Duration>);

impl RoundTrips {
    const KEPT: usize = 9;

    fn add(&mut self, took: Duration) {
        if self.0.len() == RoundTrips::KEPT {
            self.0.remove(0);
        }
        self.0.push(took);
    }

    fn median(&self) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

impl Ladder {
    /// A ladder for a session, or for a view key that only pulls.
    pub fn new(session: Session) -> Ladder {
        Ladder::with(session, Climb::default())
    }

    /// A ladder whose climb begins with what is known already: a program that keeps [`Link::transport`] from one run to the next
    /// begins with [`Climb::from_memory`].
    pub fn with(session: Session, climb: Climb) -> Ladder {
        Ladder {
            session,
            climb: Mutex::new(climb),
            carrier: Default::default(),
            socket: Default::default(),
            round_trips: Default::default(),
        }
    }

    /// The session that it carries for.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What is known of each kind of stream.
    pub fn report(&self) -> Vec<RungReport> {
        lock(&self.climb).report()
    }

    async fn follow(&self, pull: Pull) -> Result<Answer, Fault> {
        let mut carrying = self.carrier.lock().await;
        let until = Instant::now() + pull.wait;
        loop {
            self.probe(&mut carrying, pull);
            if carrying.carrier.as_ref().is_some_and(|carrier| carrier.stream.comes_to(pull.after)) {
                let left = until.saturating_duration_since(Instant::now());
                if let Some(answer) = self.take(&mut carrying, pull, left).await {
                    return answer;
                }
                continue;
            }
            if let Some(Carrier { transport, .. }) = carrying.carrier.take() {
                let why = "the client goes on from elsewhere in the log".to_owned();
                lock(&self.climb).ended(transport, Duration::MAX, why, Instant::now());
                self.probe(&mut carrying, pull);
            }
            let left = until.saturating_duration_since(Instant::now());
            let Carrying { probe, .. } = &mut *carrying;
            tokio::select! {
                // A proven stream starts where this pull does, so giving the request up loses nothing.
                biased;
                proven = proven(probe) => self.judge(&mut carrying, proven),
                answer = self.request(Pull { wait: left, ..pull }) => return answer,
            }
        }
    }

    /// Starts the next probe where one is due. It goes on between pulls.
    fn probe(&self, carrying: &mut Carrying, pull: Pull) {
        let Some(transport) = lock(&self.climb).probe(Instant::now()).filter(|_| carrying.probe.is_none()) else { return };
        carrying.probe = Some((transport, tokio::spawn(Carrier::open(self.session.clone(), transport, pull))));
    }

    fn judge(&self, carrying: &mut Carrying, (transport, opened): (Transport, Result<Carrier, Fault>)) {
        carrying.probe = None;
        let mut climb = lock(&self.climb);
        match opened {
            Ok(carrier) => {
                climb.proven(transport);
                *lock(&self.socket) = carrier.socket.clone();
                carrying.carrier = Some(carrier);
            }
            Err(fault) => climb.failed(transport, fault.to_string(), Instant::now()),
        }
    }

    /// What the stream that carries has; `None` where it has ended, or a better one is there.
    async fn take(&self, carrying: &mut Carrying, pull: Pull, left: Duration) -> Option<Result<Answer, Fault>> {
        match self.wait(carrying, pull, left).await? {
            Taken::Stream(None) => Some(Ok(Answer::Done(Reply::default()))),
            Taken::Stream(Some(answer)) => self.came(carrying, answer),
            Taken::Request(answer) => {
                if let (Some(current), Some(seq)) = (&mut carrying.carrier, brought(&answer)) {
                    current.trial.request_came(seq, Instant::now());
                }
                self.came(carrying, Ok(answer))
            }
            Taken::Probe(proven) => {
                self.judge(carrying, proven);
                None
            }
            Taken::HeldBack => {
                let transport = carrying.carrier.take()?.transport;
                lock(&self.climb).held_back(transport, Instant::now());
                None
            }
        }
    }

    async fn wait(&self, carrying: &mut Carrying, pull: Pull, left: Duration) -> Option<Taken> {
        let Carrying { carrier, probe } = carrying;
        let current = carrier.as_mut()?;
        let (deadline, is_tried) = (current.trial.deadline(), !current.trial.is_over());
        let held_back = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let taken = tokio::select! {
            biased;
            answer = timeout(left, current.stream.next(pull.after)) => Taken::Stream(answer.ok()),
            proven = proven(probe) => Taken::Probe(proven),
            () = held_back => Taken::HeldBack,
            answer = self.beside(Pull { wait: left, ..pull }), if is_tried => Taken::Request(answer),
        };
        if let Taken::Stream(Some(Ok(answer))) = &taken
            && let Some(seq) = brought(answer)
        {
            current.trial.stream_came(seq, Instant::now());
        }
        Some(taken)
    }

    /// The same by a request, where that tells anything.
    async fn beside(&self, pull: Pull) -> Answer {
        match self.request(pull).await {
            Ok(answer) if leaves(&Ok(answer.clone())) || brought(&answer).is_some() => answer,
            // The stream carries, so a request that brings nothing need not be made again at once.
            _ => std::future::pending().await,
        }
    }

    /// What an answer means to the stream that carries, and to the pull; `None` where requests have to go on.
    fn came(&self, carrying: &mut Carrying, answer: Result<Answer, Fault>) -> Option<Result<Answer, Fault>> {
        let ended = match &answer {
            Err(Fault::Cut(why) | Fault::Unreadable(why)) => Some(why.clone()),
            _ => None,
        };
        if leaves(&answer) {
            let Carrier { transport, since, .. } = carrying.carrier.take()?;
            let lived = if ended.is_some() { since.elapsed() } else { Duration::MAX };
            let why = ended.clone().unwrap_or_else(|| "the client goes on from elsewhere in the log".to_owned());
            lock(&self.climb).ended(transport, lived, why, Instant::now());
        }
        // Requests go on at once where a stream broke; whether the server is there at all, they tell.
        if ended.is_some() { None } else { Some(answer) }
    }

    async fn request(&self, pull: Pull) -> Result<Answer, Fault> {
        let wait = pull.wait.min(lock(&self.climb).wait());
        let started = Instant::now();
        let answer = self.session.pull(Pull { wait, ..pull }).await;
        let took = started.elapsed();
        match &answer {
            Ok(_) => lock(&self.climb).answered(wait, took),
            Err(Fault::Cut(_)) if lock(&self.climb).cut(wait, took) => return Ok(Answer::Done(Reply::default())),
            Err(_) => {}
        }
        if wait.is_zero() && answer.is_ok() {
            lock(&self.round_trips).add(took);
        }
        answer
    }

    async fn hand_over(&self, push: Push) -> Result<Answer, Fault> {
        let started = Instant::now();
        let socket = lock(&self.socket).clone().filter(|socket| !socket.is_closed());
        let answer = match socket {
            Some(socket) => match socket.push(&push).await {
                // Whatever became of it, the same updates get the same answers.
                Err(Fault::Cut(_) | Fault::Unreadable(_)) => self.session.push(&push).await,
                answer => answer,
            },
            None => self.session.push(&push).await,
        };
        if answer.is_ok() {
            lock(&self.round_trips).add(started.elapsed());
        }
        answer
    }
}

/// What the probe came to; never without one.
async fn proven(probe: &mut Option<(Transport, JoinHandle<Result<Carrier, Fault>>)>) -> (Transport, Result<Carrier, Fault>) {
    match probe {
        Some((transport, opening)) => {
            let opened = opening.await.unwrap_or_else(|error| Err(Fault::Cut(error.to_string())));
            (*transport, opened)
        }
        None => std::future::pending().await,
    }
}

impl Channel for Ladder {
    fn push(&self, push: Push) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.hand_over(push).boxed()
    }

    fn pull(&self, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.follow(pull).boxed()
    }

    fn sync(&self, push: Push, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        async move {
            let started = Instant::now();
            let is_held = push.updates.is_empty() && !pull.wait.is_zero();
            let answer = self.session.sync(&push, pull).await;
            if answer.is_ok() && !is_held {
                lock(&self.round_trips).add(started.elapsed());
            }
            answer
        }
        .boxed()
    }

    fn restore(&self, page: RestorePage) -> BoxFuture<'_, Result<ReceivedRestored, Fault>> {
        async move { restore(&self.session, &page).await }.boxed()
    }

    fn link(&self) -> Link {
        Link { transport: lock(&self.climb).transport(), round_trip: lock(&self.round_trips).median() }
    }
}

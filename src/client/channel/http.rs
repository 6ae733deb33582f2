//! A channel over HTTP that carries in one way only; [`Ladder`](super::ladder::Ladder) chooses the way by itself.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::client::api::Session;
use crate::wire::reply::ReceivedRestored;
use crate::wire::stream::Format;

use super::stream::Stream;
use super::{Answer, Channel, Fault, Link, Pull, Push, Reply, RestorePage, Transport};

/// Requests, and streams where the transport is one.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use liftrelay::client::channel::{Answer, Channel, Pull, Transport, http::HttpChannel};
/// use liftrelay::meet::chain::Cursor;
///
/// # let (session, push) = (hall::session().await?, hall::push("lot", "7")?);
/// let channel = HttpChannel::new(session, Transport::LongPoll);
/// channel.push(push).await?;
/// let pull = Pull { after: Cursor::START, wait: Duration::from_secs(25), limit: None };
/// let Answer::Done(reply) = channel.pull(pull).await? else { unreachable!("the log starts there") };
/// assert!(reply.page.is_some_and(|page| page.head_seq_num == 1));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct HttpChannel {
    session: Session,
    transport: Transport,
    stream: Mutex<Option<Stream>>,
}

impl HttpChannel {
    /// A channel of a session, by `transport`. A socket is no HTTP, so that is Server-Sent Events here.
    pub fn new(session: Session, transport: Transport) -> HttpChannel {
        let transport = if transport > Transport::Sse { Transport::Sse } else { transport };
        HttpChannel { session, transport, stream: Mutex::new(None) }
    }

    async fn follow(&self, pull: Pull, format: Format) -> Result<Answer, Fault> {
        let mut slot = self.stream.lock().await;
        if !slot.as_ref().is_some_and(|stream| stream.is_at(pull.after)) {
            *slot = None;
            *slot = Some(Stream::open(&self.session, pull.after, format).await?);
        }
        let Some(stream) = slot.as_mut() else { return Ok(Answer::Done(Reply::default())) };
        let Ok(answer) = timeout(pull.wait, stream.next(pull.after)).await else { return Ok(Answer::Done(Reply::default())) };
        if leaves(&answer) {
            *slot = None;
        }
        answer
    }
}

/// Whether a stream is of no use behind this: it broke, or the client will come back from elsewhere in the log.
pub(super) fn leaves(answer: &Result<Answer, Fault>) -> bool {
    !matches!(answer, Ok(Answer::Done(_)))
}

impl Channel for HttpChannel {
    fn push(&self, push: Push) -> BoxFuture<'_, Result<Answer, Fault>> {
        async move { self.session.push(&push).await }.boxed()
    }

    fn pull(&self, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        async move {
            match self.transport {
                Transport::ShortPoll => self.session.pull(Pull { wait: std::time::Duration::ZERO, ..pull }).await,
                Transport::Ndjson => self.follow(pull, Format::Ndjson).await,
                Transport::Sse => self.follow(pull, Format::Sse).await,
                _ => self.session.pull(pull).await,
            }
        }
        .boxed()
    }

    fn sync(&self, push: Push, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        async move { self.session.sync(&push, pull).await }.boxed()
    }

    fn restore(&self, page: RestorePage) -> BoxFuture<'_, Result<ReceivedRestored, Fault>> {
        async move { restore(&self.session, &page).await }.boxed()
    }

    fn link(&self) -> Link {
        Link { transport: self.transport, round_trip: None }
    }
}

/// Hands a page back; a session that a ticket has bought is used from then on.
pub(super) async fn restore(session: &Session, page: &RestorePage) -> Result<ReceivedRestored, Fault> {
    let restored = session.restore(page).await?;
    if let Some(token) = &restored.session_token {
        session.set_token(token.clone());
    }
    Ok(restored)
}

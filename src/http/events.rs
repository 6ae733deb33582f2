//! Streams: one meet's events as they become durable.

mod interrupts;
mod opening;
mod request;
mod sharing;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use tokio::time::Instant;

use crate::auth::roster::{Grant, Share};
use crate::meet::chain::Cursor;
use crate::meet::limits::HEARTBEAT_EVERY;
use crate::metrics::{self, Restart, Transport};
use crate::mutant::{Mutant, planted};
use crate::relay::follower::Follower;
use crate::relay::live::LiveMeet;
use crate::relay::presence;
use crate::wire::audience::Audience;
use crate::wire::message::{End, EndReason, Heartbeat, Message, Position};
use crate::wire::problem::Problem;
use crate::wire::stream::Format;

use super::App;
use super::access::Access;
use super::lanes::handover::Handover;
use super::measure::Waited;
use super::params::Params;
use super::reply::Answer;
use interrupts::Interrupts;
use opening::{Opening, Pieces, place_of, reset, retry};

pub(super) use request::{Request, Start};

/// `GET /v1/meets/{meetId}/events`
pub(super) async fn stream(
    State(app): State<Arc<App>>,
    access: Access,
    handover: Option<Extension<Handover>>,
    headers: HeaderMap,
    params: Params,
) -> Answer {
    let request = Request::read(&headers, &params)?;
    let format = request.format;
    let stream = EventStream::open(app, access, &request, format.into()).await?;
    let is_taken = handover.is_some();
    let mut response = Response::new(match handover {
        Some(Extension(handover)) => handover.body(stream),
        None => body(stream),
    });
    response.extensions_mut().insert(Waited);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    if is_taken {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// A stream as a body that is asked for its next piece when the connection has taken the last one.
fn body(stream: EventStream) -> Body {
    Body::from_stream(futures_util::stream::unfold(stream, |mut stream| async {
        let bytes = stream.next().await?;
        Some((Ok::<_, Infallible>(bytes), stream))
    }))
}

/// One open stream. It is asked for its next piece only when the reader has taken the last one.
pub(super) struct EventStream {
    app: Arc<App>,
    live: Arc<LiveMeet>,
    /// What its token allows, and its part of that.
    share: Share,
    format: Format,
    follower: Follower,
    /// Where a reader is that has more than the log: nothing is sent until the log has come there again. Hardly anyone is.
    ahead: Option<Box<Cursor>>,
    /// What comes before the log's own events; gone once it is sent, for most streams have a long life behind it.
    opening: Option<Box<Pieces>>,
    next_heartbeat: Instant,
    presence: presence::Stream,
    counted: metrics::Stream,
    /// When the reader wanted it to end.
    deadline: Option<Instant>,
    /// When the grant has lived its time.
    expiry: Option<Instant>,
    /// Why the stream has ended, once its reader was told.
    ended: Option<EndReason>,
    /// Whether the reader knows that nothing but heartbeats will come.
    told_finished: bool,
    /// Once it had to wait.
    interrupts: Option<Interrupts>,
}

/// What a stream waits for.
enum Wake {
    News,
    CaughtUp(Cursor),
    Heartbeat,
    Deadline,
    Finished,
    End(EndReason),
}

impl EventStream {
    pub(super) async fn open(app: Arc<App>, access: Access, request: &Request, transport: Transport) -> Result<EventStream, Problem> {
        let share = access.stream()?;
        if let Start::After(cursor) = request.start {
            access.live.reach(cursor.seq).await?;
        }
        let audience = access.audience();
        let live = &access.live;
        let opening = Opening::new(&access, &audience, request);
        let (start, ahead) = (opening.position.server_seq_num, opening.ahead);
        let counted = app.metrics.streams.open_stream(transport, access.role());
        if let Some(notice) = &opening.notice {
            counted.starts_over(notice);
        }
        let follower = Follower::new(Arc::clone(&live.committed), audience, start).filtered(request.paths.clone().into());
        Ok(EventStream {
            format: request.format,
            follower,
            ahead: ahead.map(Box::new),
            opening: Some(Box::new(opening.encode(&access, request))),
            next_heartbeat: Instant::now() + HEARTBEAT_EVERY,
            presence: live.presence.stream(&access.grant.holder, start),
            counted,
            deadline: request.max.map(|max| Instant::now() + max),
            expiry: access.grant.expires_at.map(|end| Instant::now() + end.since(live.now())),
            ended: None,
            told_finished: false,
            interrupts: None,
            app,
            share,
            live: access.live,
        })
    }

    /// Why the stream has ended, once its reader was told.
    pub(super) fn ended(&self) -> Option<EndReason> {
        self.ended
    }

    /// The reader goes on in another stream.
    pub(super) fn replaced(mut self) {
        self.counted.ends(Restart::Replaced);
    }

    /// The next piece, when there is one; `None` at the end. Giving up waiting for it loses nothing.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        let piece = self.next_piece().await?;
        self.counted.sent(piece.len(), self.follower.lag());
        Some(piece)
    }

    async fn next_piece(&mut self) -> Option<Bytes> {
        if self.ended.is_some() {
            return None;
        }
        if let Some(bytes) = self.opening.as_mut().and_then(|opening| opening.0.pop_front()) {
            return Some(bytes);
        }
        self.forget_opening();
        loop {
            match self.wait().await {
                Wake::CaughtUp(cursor) => {
                    self.ahead = None;
                    if let Some(piece) = self.start_over_if_lost(cursor) {
                        return Some(piece);
                    }
                }
                Wake::News => {
                    let event = self.follower.next_event(self.format);
                    self.presence.sent(self.follower.cursor(), self.live.now());
                    if event.is_some() {
                        return event;
                    }
                }
                Wake::Heartbeat => {
                    self.beats(self.live.now());
                    return Some(self.heartbeat());
                }
                Wake::Deadline => {
                    self.counted.ends(Restart::MaxSeconds);
                    return None;
                }
                Wake::Finished => {
                    self.told_finished = true;
                    self.interrupts = None;
                    self.counted.finished();
                    return Some(self.end(EndReason::Finished));
                }
                Wake::End(reason) => return Some(self.ends(reason)),
            }
        }
    }

    /// Gives back what the opening took, once it is sent.
    fn forget_opening(&mut self) {
        let opening = self.opening.take();
        if planted(Mutant::SubscribeAfterSnapshot) && opening.is_some() {
            let committed = Arc::clone(&self.live.committed);
            let head = committed.head();
            self.follower = Follower::new(committed, self.audience(), head);
        }
    }

    async fn wait(&mut self) -> Wake {
        loop {
            if let Some(wake) = self.wake() {
                return wake;
            }
            let due = self.due_at();
            let EventStream { app, live, share, told_finished, .. } = self;
            let interrupts = self.interrupts.get_or_insert_with(|| Interrupts::new(app, live, share.grant(), due, *told_finished));
            tokio::select! {
                biased;
                () = news(&self.follower, self.ahead.as_deref().copied()) => {}
                () = interrupts => self.interrupts = None,
            }
        }
    }

    /// What there is to do, without waiting.
    fn wake(&self) -> Option<Wake> {
        let (live, grant) = (&self.live, self.grant());
        if self.app.stopping.is_cancelled() {
            return Some(Wake::End(EndReason::Shutdown));
        }
        if grant.ended.is_cancelled() || live.ended.is_cancelled() {
            let is_back = live.is_opened_again() && !grant.ended.is_cancelled();
            return Some(Wake::End(if is_back { EndReason::Shutdown } else { EndReason::Revoked }));
        }
        if self.due_at() <= Instant::now() {
            return Some(self.due());
        }
        // What is durable by then is all that there will be, so this is asked before the log.
        let is_finished = live.committed.finished_at().is_some();
        match self.ahead.as_deref().copied() {
            Some(cursor) if live.committed.head() >= cursor.seq => return Some(Wake::CaughtUp(cursor)),
            None if !self.follower.is_at_head() => return Some(Wake::News),
            _ => {}
        }
        // Only behind all news. The stream stays open, for a closed one would make an EventSource come back for ever.
        (!self.told_finished && is_finished).then_some(Wake::Finished)
    }

    fn due_at(&self) -> Instant {
        self.ends_at().map_or(self.next_heartbeat, |end| end.min(self.next_heartbeat))
    }

    /// What its time has come for.
    fn due(&self) -> Wake {
        let is_past = |end: Option<Instant>| end.is_some_and(|end| end <= Instant::now());
        if is_past(self.expiry) {
            return Wake::End(EndReason::Expired);
        }
        if is_past(self.deadline) { Wake::Deadline } else { Wake::Heartbeat }
    }

    /// Where the log has come to a reader's place by another way, the reader gets RESET and the state.
    fn start_over_if_lost(&mut self, cursor: Cursor) -> Option<Bytes> {
        let committed = &self.live.committed;
        let lost = committed.check(cursor).err()?;
        let (notice, position, state) = reset(committed, &self.audience(), self.follower.paths(), lost);
        self.counted.starts_over(&notice);
        self.follower.jump(position.server_seq_num);
        self.opening.get_or_insert_default().0.push_back(self.format.encode(&Message::State(state), position.cursor, None));
        Some(self.format.encode(&notice, position.cursor, None))
    }

    /// What this reader has been sent, or brought along.
    fn position(&self) -> Position {
        self.ahead.as_deref().copied().map_or_else(|| self.follower.position(), place_of)
    }

    pub(super) fn heartbeat(&self) -> Bytes {
        let (live, position) = (&self.live, self.position());
        let is_editor = self.audience().is_editor();
        let state_hash = if is_editor && self.follower.paths().is_empty() { self.state_hash(&position) } else { None };
        let id = position.cursor;
        let heartbeat = Heartbeat {
            position,
            head_seq_num: live.committed.head(),
            status: live.committed.status(),
            server_time: live.now(),
            state_hash,
            ticket_version: is_editor.then(|| live.roster().auth().ticket_version),
        };
        self.format.encode(&Message::Heartbeat(heartbeat), id, None)
    }

    fn audience(&self) -> Audience {
        self.live.audience(&self.grant().holder)
    }

    fn grant(&self) -> &Arc<Grant> {
        self.share.grant()
    }

    /// What the reader's fold must come to, where that is known: at the head.
    fn state_hash(&self, position: &Position) -> Option<String> {
        let (text, head) = self.live.committed.state(&Audience::Editor);
        (head.server_seq_num == position.server_seq_num).then(|| text.hash.clone())
    }

    /// The last piece.
    fn ends(&mut self, reason: EndReason) -> Bytes {
        self.ended = Some(reason);
        self.counted.ends(reason.into());
        self.end(reason)
    }

    /// A server that stops will be back; a grant that ended will not, and a finished meet goes on as it is.
    fn end(&self, reason: EndReason) -> Bytes {
        let retry = retry();
        let seconds = u32::try_from(retry.as_secs()).unwrap_or(1).max(1);
        let cursor = self.position().cursor;
        let end = End { reason, cursor, retry_after_seconds: (reason == EndReason::Shutdown).then_some(seconds) };
        self.format.encode(&Message::End(end), cursor, (reason != EndReason::Finished).then_some(retry))
    }
}

/// Waits for something above the cursor, or until the log has come to where a reader is ahead of it.
async fn news(follower: &Follower, ahead: Option<Cursor>) {
    match ahead {
        Some(cursor) => follower.reached(cursor.seq).await,
        None => follower.news().await,
    }
}

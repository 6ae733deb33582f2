//! One connection on which somebody polls: waiting for an answer, or about to ask again.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll as Polled, Waker};
use std::time::{Duration, Instant as SystemInstant};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::debug;

use super::Held;
use super::head::{AnswerHead, Particulars, Question};
use super::poll::{Poll, Waiting};
use crate::http::access::Access;
use crate::http::lanes::line::{Framing, Line};
use crate::http::request_id::request_id;
use crate::http::serve::connection::{Home, has_stalled};
use crate::http::serve::socket::Socket;
use crate::http::{App, Options};
use crate::meet::limits::{AHEAD_MAX_BYTES, HEAD_TIMEOUT, ROUND_MAX_BYTES};
use crate::metrics::Method;
use crate::relay::follower::Follower;
use crate::relay::live::LiveMeet;

/// The route that polls ask, as the table of paths has it.
const ROUTE: &str = "/v1/meets/{meetId}/updates";

/// A connection on which somebody polls.
pub(in crate::http::lanes) struct Caller {
    pub(super) app: Arc<App>,
    socket: Socket,
    access: Access,
    after: u64,
    limit: usize,
    wait: Duration,
    /// Until it is answered.
    waiting: Option<Waiting>,
    /// When a further poll was heard.
    asked: Option<SystemInstant>,
    answer: AnswerHead,
    /// What it asks; `None` where its next request is looked at by others.
    question: Option<Question>,
    /// What the operator chose when the head of the answers was made.
    options: Arc<Options>,
    /// What was read and not understood yet.
    heard: Vec<u8>,
    home: Home,
    /// When it is answered at the latest, or its connection has been idle for too long.
    pub(super) due: Instant,
}

/// What became of an answer.
pub(super) enum Given {
    All,
    /// The socket takes no more for now; this is left.
    NotAll([Bytes; 2]),
    Gone,
}

impl Caller {
    pub(super) fn new(held: Held, rest: Bytes, home: Home) -> Option<Caller> {
        let Held { socket, poll, head, heard, ahead } = held;
        let Poll { app, access, after, limit, wait, waiting } = *poll;
        let answer = AnswerHead::read(&head)?;
        let question = heard.and_then(|heard| Question::read(heard.strip_suffix(&*rest)?));
        Some(Caller {
            socket,
            access,
            after,
            limit,
            wait,
            waiting: Some(waiting),
            asked: None,
            answer,
            question,
            options: app.options(),
            heard: [rest, ahead].concat(),
            home,
            due: Instant::now() + wait,
            app,
        })
    }

    pub(super) fn live(&self) -> &Arc<LiveMeet> {
        &self.access.live
    }

    /// The same with its socket watched by the thread that this runs on: one that answers need not be woken for what a lane hears.
    pub(super) fn moved_here(self: Box<Self>) -> io::Result<Box<Caller>> {
        let socket = self.socket.moved_here()?;
        Ok(Box::new(Caller { socket, ..*self }))
    }

    /// The address of the open meet, which its lane keeps open.
    pub(super) fn meet(&self) -> usize {
        Arc::as_ptr(self.live()) as usize
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whether it waits for something that has come, or for nothing that could come.
    pub(super) fn is_answerable(&self, head: u64) -> bool {
        let Some(waiting) = &self.waiting else { return false };
        self.after < head || self.is_taken_away() || (waiting.is_live && self.live().committed.finished_at().is_some())
    }

    /// Whether its server, its meet or its grant has come to an end.
    fn is_taken_away(&self) -> bool {
        self.access.grant.ended.is_cancelled() || self.live().ended.is_cancelled() || self.app.stopping.is_cancelled()
    }

    /// Reads what there is; `bell` rings when there is more. Tells whether the other end is there.
    pub(super) fn hear(&mut self, bell: &Waker, buffer: &mut [u8]) -> bool {
        while self.heard.len() < AHEAD_MAX_BYTES {
            let mut read = ReadBuf::new(buffer);
            match Pin::new(&mut self.socket).poll_read(&mut Context::from_waker(bell), &mut read) {
                Polled::Pending => return true,
                Polled::Ready(Ok(())) if !read.filled().is_empty() => self.heard.extend_from_slice(read.filled()),
                Polled::Ready(_) => return false,
            }
        }
        true
    }

    pub(super) fn has_heard(&self) -> bool {
        !self.heard.is_empty()
    }

    /// Takes what it has heard for the same question from another cursor on; tells whether it is.
    pub(super) fn asks_again(&mut self) -> bool {
        let asked = SystemInstant::now();
        let (live, now) = (&self.access.live, self.access.live.now());
        let Some(cursor) = self.question.as_ref().and_then(|question| question.asked(&self.heard)) else { return false };
        let may = !self.is_taken_away() && !self.access.grant.has_expired(now) && Arc::ptr_eq(&self.options, &self.app.options());
        // What is still on the disk is waited for elsewhere.
        if !may || !live.committed.has_from(cursor.seq) || live.committed.check(cursor).is_err() {
            return false;
        }
        if live.committed.head() <= cursor.seq {
            let Ok(waiting) = Waiting::begin(&self.app, &self.access) else { return false };
            self.waiting = Some(waiting);
        }
        live.presence.saw(&self.access.grant.holder, Some(cursor.seq), now);
        self.after = cursor.seq;
        self.asked = Some(asked);
        self.heard.clear();
        self.due = Instant::now() + self.wait;
        true
    }

    /// Gives the answer: what there is by now. `out` is room to write in.
    pub(super) fn give(&mut self, date: &str, closes: bool, out: &mut Vec<u8>) -> Given {
        let waited = self.waiting.take().is_some();
        let committed = Arc::clone(&self.access.live.committed);
        let body = Follower::new(committed, self.access.audience(), self.after).pulled(self.limit);
        let id = self.answer.take_first_id().unwrap_or_else(request_id);
        self.count(&id, waited);
        self.due = Instant::now() + HEAD_TIMEOUT;
        out.clear();
        self.answer.append(&Particulars { id: &id, date, length: body.len(), closes }, out);
        let is_small = body.len() <= ROUND_MAX_BYTES;
        if is_small {
            out.extend_from_slice(&body);
        }
        let rest = |taken: usize| [Bytes::copy_from_slice(&out[taken..]), if is_small { Bytes::new() } else { body.clone() }];
        match self.socket.try_give(out) {
            Ok(given) if given == out.len() && is_small && self.socket.is_drained() => Given::All,
            Ok(given) => Given::NotAll(rest(given)),
            Err(_) => Given::Gone,
        }
    }

    /// The first answer was counted when its head was made.
    fn count(&mut self, id: &str, waited: bool) {
        let Some(asked) = self.asked.take() else { return };
        self.app.metrics.requests.answered(ROUTE, Method::Get, 200, (!waited).then(|| asked.elapsed()));
        debug!(request_id = id, method = "GET", path = self.question.as_ref().map(Question::path), status = 200, "request");
    }

    /// Gives the rest of an answer, however long the socket takes, and the socket back to hyper.
    pub(super) fn serve_alone(self: Box<Self>, rest: [Bytes; 2], closes: bool, runtime: &Handle) {
        runtime.spawn(async move {
            let Caller { app, socket, heard, home, .. } = *self;
            let given = async {
                let mut line = Line::new(socket.moved_here()?, Framing::UntilClosed);
                for piece in rest {
                    line.put(piece);
                    line.flush().await?;
                }
                if closes { line.end().await.map(|()| None) } else { Ok(Some(line.into_socket())) }
            };
            match given.await {
                Ok(Some(socket)) => home.take_back(socket, heard.into()).await,
                Ok(None) => {}
                Err(error) => {
                    if has_stalled(&error) {
                        app.metrics.connections.stalled();
                    }
                    debug!(%error, "a long-poll ended");
                }
            }
        });
    }

    /// Gives the socket back to hyper, with what was read of it.
    pub(super) fn go_home(self: Box<Self>, runtime: &Handle) {
        let Caller { socket, heard, home, .. } = *self;
        runtime.spawn(async move {
            match socket.moved_here() {
                Ok(socket) => home.take_back(socket, heard.into()).await,
                Err(error) => debug!(%error, "a connection ended"),
            }
        });
    }
}

//! How a socket comes back from hyper.
//!
//! hyper gives a socket away only after an upgrade, and a stream is a plain answer. So the answer has a body that gives nothing: what
//! hyper writes is the head and not a byte more. hyper flushes a connection when it has nothing left to write; so when it does that
//! after it has asked for the body, the head is with the kernel, and the [`Tap`] between hyper and the socket lets the socket go.
//! The connection is dropped then, with its buffers.
//!
//! A long-poll that has to wait leaves in the same way, but its answer is not known yet. So the tap keeps the head to itself, and what
//! hyper has read of the next request comes out with the socket: after the answer hyper goes on where it was.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{Request, Version};
use bytes::Bytes;
use hyper::body::Frame;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::line::{Framing, Line};
use super::polls::{Held, Poll as LongPoll};
use crate::http::events::EventStream;
use crate::http::serve::socket::Socket;
use crate::meet::limits::HEARD_MAX_BYTES;

/// Comes with a request whose connection's socket may be taken.
#[derive(Clone)]
pub(in crate::http) struct Handover {
    framing: Framing,
    /// Whether the connection is of use after the answer.
    goes_on: bool,
    slot: Slot,
}

/// What a handler leaves for whoever takes the socket.
enum Left {
    Stream(Box<EventStream>, Framing),
    Poll(Box<LongPoll>),
}

/// Where it is left.
#[derive(Clone, Default)]
pub(in crate::http) struct Slot(Arc<Mutex<Shared>>);

/// What a connection's handlers and its tap know of each other.
#[derive(Default)]
struct Shared {
    left: Option<Left>,
    /// Whether the socket has not taken all of an earlier answer: the next head that hyper writes would stand behind its rest.
    is_full: bool,
}

impl Slot {
    /// What goes with a request.
    pub(in crate::http) fn handover<B>(&self, request: &Request<B>) -> Handover {
        let (version, headers) = (request.version(), request.headers());
        let stays = headers.get_all(CONNECTION).iter().all(|said| said.as_bytes().eq_ignore_ascii_case(b"keep-alive"));
        let is_bare = ![CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| headers.contains_key(name));
        Handover { framing: Framing::of(version), goes_on: version == Version::HTTP_11 && stays && is_bare, slot: self.clone() }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket with what it is for from now on.
pub(in crate::http) enum Taken {
    Stream(StreamTaken),
    Poll(Held),
}

/// A stream with its socket.
pub(in crate::http) struct StreamTaken {
    pub(super) line: Line,
    pub(super) stream: Box<EventStream>,
}

impl Handover {
    /// The body of an answer with which the socket goes to `stream`.
    pub(in crate::http) fn body(self, stream: EventStream) -> Body {
        let left = Left::Stream(Box::new(stream), self.framing);
        Body::new(Nothing { left: Some(left), slot: self.slot })
    }

    /// Whether it takes long-polls.
    pub(in crate::http) fn takes_polls(&self) -> bool {
        self.goes_on && !self.slot.shared().is_full
    }

    /// The body of an answer that waits elsewhere, for what `poll` waits for.
    pub(in crate::http) fn waiting(self, poll: LongPoll) -> Body {
        Body::new(Nothing { left: Some(Left::Poll(Box::new(poll))), slot: self.slot })
    }
}

/// A body that gives nothing, and shows by being asked that hyper has come to the end of the head.
struct Nothing {
    left: Option<Left>,
    slot: Slot,
}

impl HttpBody for Nothing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(left) = self.left.take() {
            self.slot.shared().left = Some(left);
        }
        Poll::Pending
    }
}

/// A socket that hyper uses until it is handed over; there is nothing to read or to write from then on.
pub(in crate::http) struct Tap {
    socket: Option<Socket>,
    slot: Slot,
    taken: Option<oneshot::Sender<Taken>>,
    /// What was read of the socket before and is still to be given to hyper.
    ahead: Bytes,
    /// All that hyper was given, until it writes its first answer or this becomes too much.
    heard: Option<Vec<u8>>,
    /// The head of an answer that waits.
    head: Vec<u8>,
}

impl Tap {
    /// A tap at a socket of which `ahead` was read already, where handlers leave what it is taken for, and where it comes out.
    pub(in crate::http) fn new(socket: Socket, ahead: Bytes) -> (Tap, Slot, oneshot::Receiver<Taken>) {
        let (slot, (taken, receiver)) = (Slot::default(), oneshot::channel());
        let tap = Tap { socket: Some(socket), slot: slot.clone(), taken: Some(taken), ahead, heard: Some(Vec::new()), head: Vec::new() };
        (tap, slot, receiver)
    }

    fn socket(&mut self) -> io::Result<Pin<&mut Socket>> {
        self.socket.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn hand_over(&mut self) {
        let Some(left) = self.slot.shared().left.take() else { return };
        let (Some(socket), Some(taken)) = (self.socket.take(), self.taken.take()) else { return };
        let for_what = match left {
            Left::Stream(stream, framing) => Taken::Stream(StreamTaken { line: Line::new(socket, framing), stream }),
            Left::Poll(poll) => Taken::Poll(Held {
                socket,
                poll,
                head: std::mem::take(&mut self.head),
                heard: self.heard.take(),
                ahead: std::mem::take(&mut self.ahead),
            }),
        };
        // Where nobody waits for it the connection is being dropped.
        let _ = taken.send(for_what);
    }

    /// hyper was given these bytes.
    fn gave(&mut self, bytes: &[u8]) {
        if let Some(heard) = &mut self.heard {
            heard.extend_from_slice(bytes);
        }
        if self.heard.as_ref().is_some_and(|heard| heard.len() > HEARD_MAX_BYTES) {
            self.heard = None;
        }
    }

    /// The socket was given so many bytes and has taken these.
    fn took(&self, taken: Poll<io::Result<usize>>, given: usize) -> Poll<io::Result<usize>> {
        self.slot.shared().is_full = !matches!(taken, Poll::Ready(Ok(length)) if length == given);
        taken
    }

    /// Keeps what hyper writes where it is the head of an answer that waits.
    fn keeps(&mut self, pieces: &[IoSlice<'_>]) -> Option<usize> {
        if !matches!(self.slot.shared().left, Some(Left::Poll(_))) {
            self.heard = None;
            return None;
        }
        pieces.iter().for_each(|piece| self.head.extend_from_slice(piece));
        Some(pieces.iter().map(|piece| piece.len()).sum())
    }
}

impl AsyncRead for Tap {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let length = self.ahead.len().min(buffer.remaining());
            let bytes = self.ahead.split_to(length);
            buffer.put_slice(&bytes);
            self.gave(&bytes);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let Some(socket) = &mut self.socket else { return Poll::Pending };
        ready!(Pin::new(socket).poll_read(context, buffer))?;
        self.gave(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.keeps(&[IoSlice::new(bytes)]) {
            Some(kept) => Poll::Ready(Ok(kept)),
            None => {
                let taken = self.socket()?.poll_write(context, bytes);
                self.took(taken, bytes.len())
            }
        }
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self.keeps(pieces) {
            Some(kept) => Poll::Ready(Ok(kept)),
            None => {
                let taken = self.socket()?.poll_write_vectored(context, pieces);
                self.took(taken, pieces.iter().map(|piece| piece.len()).sum())
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.socket.is_some() {
            ready!(self.socket()?.poll_flush(context))?;
            self.hand_over();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(context)
    }
}

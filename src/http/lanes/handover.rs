//! How a socket comes back from hyper.
//!
//! hyper gives a socket away only after an upgrade, and a stream is a plain answer. So the answer has a body that gives nothing: what
//! hyper writes is the head and not a byte more. hyper flushes a connection when it has nothing left to write; so when it does that
//! after it has asked for the body, the head is with the kernel, and the [`Tap`] between hyper and the socket lets the socket go.
//! The connection is dropped then, with its buffers.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use axum::http::Version;
use bytes::Bytes;
use hyper::body::Frame;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::line::{Framing, Line};
use crate::http::events::EventStream;

/// Comes with a request whose connection's socket may be taken.
#[derive(Clone)]
pub(in crate::http) struct Handover {
    framing: Framing,
    slot: Slot,
}

/// What a handler leaves for whoever takes the socket.
struct Left {
    stream: EventStream,
    framing: Framing,
}

/// Where it is left.
#[derive(Clone, Default)]
pub(in crate::http) struct Slot(Arc<Mutex<Option<Left>>>);

impl Slot {
    /// What goes with a request of this version of HTTP.
    pub(in crate::http) fn handover(&self, version: Version) -> Handover {
        Handover { framing: Framing::of(version), slot: self.clone() }
    }

    fn left(&self) -> MutexGuard<'_, Option<Left>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream with its socket.
pub(in crate::http) struct Taken {
    pub(super) line: Line,
    pub(super) stream: EventStream,
}

impl Handover {
    /// The body of an answer with which the socket goes to `stream`.
    pub(in crate::http) fn body(self, stream: EventStream) -> Body {
        let Handover { framing, slot } = self;
        Body::new(Nothing { left: Some(Left { stream, framing }), slot })
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
            *self.slot.left() = Some(left);
        }
        Poll::Pending
    }
}

/// A socket that hyper uses until it is handed over; there is nothing to read or to write from then on.
pub(in crate::http) struct Tap {
    socket: Option<TcpStream>,
    slot: Slot,
    taken: Option<oneshot::Sender<Taken>>,
}

impl Tap {
    /// A tap at a socket, where handlers leave their streams, and where the socket comes out.
    pub(in crate::http) fn new(socket: TcpStream) -> (Tap, Slot, oneshot::Receiver<Taken>) {
        let (slot, (taken, receiver)) = (Slot::default(), oneshot::channel());
        (Tap { socket: Some(socket), slot: slot.clone(), taken: Some(taken) }, slot, receiver)
    }

    fn socket(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.socket.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn hand_over(&mut self) {
        let Some(Left { stream, framing }) = self.slot.left().take() else { return };
        if let (Some(socket), Some(taken)) = (self.socket.take(), self.taken.take()) {
            // Where nobody waits for it the connection is being dropped.
            let _ = taken.send(Taken { line: Line::new(socket, framing), stream });
        }
    }
}

impl AsyncRead for Tap {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Some(socket) => Pin::new(socket).poll_read(context, buffer),
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.socket()?.poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.socket()?.poll_write_vectored(context, pieces)
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

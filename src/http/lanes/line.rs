//! A socket that carries the pieces of one stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::http::Version;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use crate::http::serve::socket::Socket;

/// How the pieces of a body are put on a socket (RFC 9112, section 6).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Framing {
    Chunked,
    /// HTTP/1.0 has no chunks; the end of the connection is the end of the body.
    UntilClosed,
}

impl Framing {
    pub(super) fn of(version: Version) -> Framing {
        if version == Version::HTTP_10 { Framing::UntilClosed } else { Framing::Chunked }
    }

    /// Appends a piece as it travels.
    pub(super) fn append(self, piece: &[u8], out: &mut Vec<u8>) {
        match self {
            // A chunk without bytes would be the end.
            Framing::Chunked if piece.is_empty() => {}
            Framing::Chunked => {
                out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                out.extend_from_slice(piece);
                out.extend_from_slice(b"\r\n");
            }
            Framing::UntilClosed => out.extend_from_slice(piece),
        }
    }

    /// A piece as it travels.
    pub(super) fn frame(self, piece: Bytes) -> Bytes {
        if self == Framing::UntilClosed {
            return piece;
        }
        let mut out = Vec::with_capacity(piece.len() + 12);
        self.append(&piece, &mut out);
        out.into()
    }

    /// What says that nothing follows.
    pub(super) fn end(self) -> Bytes {
        Bytes::from_static(if self == Framing::Chunked { b"0\r\n\r\n" } else { b"" })
    }
}

/// A socket, and what it has not taken yet of the piece that it was given last.
pub(super) struct Line {
    socket: Socket,
    pub(super) framing: Framing,
    rest: Bytes,
    /// Whether its other end said something: nobody is going to listen, so its end shows only when it is written to.
    is_deaf: bool,
}

impl Line {
    pub(super) fn new(socket: Socket, framing: Framing) -> Line {
        Line { socket, framing, rest: Bytes::new(), is_deaf: false }
    }

    /// Gives it the end of `bytes`, all of which has to be taken before there may be more. Tells whether that is so already.
    pub(super) fn give(&mut self, bytes: &Bytes, from: usize) -> io::Result<bool> {
        if from == bytes.len() {
            return Ok(true);
        }
        let given = self.socket.try_give(&bytes[from..])?;
        if from + given < bytes.len() {
            self.rest = bytes.slice(from + given..);
        }
        Ok(self.rest.is_empty() && self.socket.is_drained())
    }

    /// Gives it a piece for [`Line::flush`].
    pub(super) fn put(&mut self, piece: Bytes) {
        self.rest = self.framing.frame(piece);
    }

    /// Waits until all is taken that it was given.
    ///
    /// # Errors
    /// What the system says, and [`io::ErrorKind::TimedOut`] where the other end accepts nothing for too long.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.socket.write_all_buf(&mut self.rest).await?;
        // An end of nothing would keep the bytes before it.
        self.rest = Bytes::new();
        self.socket.flush().await
    }

    /// The socket, for something else.
    pub(super) fn into_socket(self) -> Socket {
        self.socket
    }

    /// Says that nothing follows.
    pub(super) async fn end(&mut self) -> io::Result<()> {
        self.rest = self.framing.end();
        self.flush().await?;
        self.socket.shutdown().await
    }

    /// Says at once that nothing follows, to whoever takes it.
    pub(super) fn hang_up(&mut self) {
        if let Ok(true) = self.give(&self.framing.end(), 0) {
            self.socket.hang_up();
        }
    }

    /// Whether the other end is gone; whoever is behind `context` is woken when it may be.
    pub(super) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut byte = [0];
        while !self.is_deaf {
            let mut read = ReadBuf::new(&mut byte);
            match ready!(Pin::new(&mut self.socket).poll_read(context, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {
                    self.socket.forget();
                    self.is_deaf = true;
                }
                _ => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }
}

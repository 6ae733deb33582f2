//! A socket that carries the pieces of one stream.

use std::io;
use std::task::{Context, Poll};

use axum::http::Version;
use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::meet::limits::STALLED_WRITE;

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
    socket: TcpStream,
    pub(super) framing: Framing,
    rest: Bytes,
    /// Whether its other end said something: nobody is going to listen, so its end shows only when it is written to.
    is_deaf: bool,
}

impl Line {
    pub(super) fn new(socket: TcpStream, framing: Framing) -> Line {
        Line { socket, framing, rest: Bytes::new(), is_deaf: false }
    }

    /// Gives it the end of `bytes`, all of which has to be taken before there may be more. Tells whether that is so already.
    pub(super) fn give(&mut self, bytes: &Bytes, from: usize) -> io::Result<bool> {
        if from == bytes.len() {
            return Ok(true);
        }
        let taken = match self.socket.try_write(&bytes[from..]) {
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let is_all = from + taken == bytes.len();
        if !is_all {
            self.rest = bytes.slice(from + taken..);
        }
        Ok(is_all)
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
        loop {
            let rest = std::mem::take(&mut self.rest);
            if rest.is_empty() || self.give(&rest, 0)? {
                return Ok(());
            }
            timeout(STALLED_WRITE, self.socket.writable()).await??;
        }
    }

    /// The socket, for something else.
    pub(super) fn into_socket(self) -> TcpStream {
        self.socket
    }

    /// Says that nothing follows.
    pub(super) async fn end(&mut self) -> io::Result<()> {
        self.rest = self.framing.end();
        self.flush().await?;
        self.socket.shutdown().await
    }

    /// Whether the other end is gone; whoever is behind `context` is woken when it may be.
    pub(super) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.is_deaf {
            match self.socket.poll_read_ready(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {}
            }
            match self.socket.try_read(&mut [0; 64]) {
                Ok(0) => return Poll::Ready(()),
                Ok(_) => self.is_deaf = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }
}

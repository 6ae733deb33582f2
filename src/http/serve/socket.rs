//! The socket of a connection, plain or under TLS, to which whoever takes it writes in the same way.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::tls::Session;
use crate::meet::limits::STALLED_WRITE;

/// A socket whose writes may not stall: they end with [`io::ErrorKind::TimedOut`] where the other end takes nothing for too long.
pub(in crate::http) struct Socket {
    tcp: TcpStream,
    tls: Option<Box<Session>>,
    /// Ends the wait for the other end to take something.
    stall: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub(super) fn plain(tcp: TcpStream) -> Socket {
        Socket { tcp, tls: None, stall: None }
    }

    /// A socket under a session that has just begun, after its handshake.
    pub(super) async fn under_tls(tcp: TcpStream, session: Session) -> io::Result<Socket> {
        let mut socket = Socket { tcp, tls: Some(Box::new(session)), stall: None };
        poll_fn(|context| socket.poll_handshake(context)).await?;
        socket.flush().await?;
        Ok(socket)
    }

    /// Whether both ends have agreed to speak this protocol.
    pub(super) fn speaks(&self, protocol: &[u8]) -> bool {
        self.tls.as_ref().is_some_and(|session| session.speaks(protocol))
    }

    /// Gives what can be given without waiting; tells how much that is. What a session has sealed counts as given.
    pub(in crate::http) fn try_give(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(session) = &mut self.tls else { return taken(self.tcp.try_write(bytes)) };
        let mut given = 0;
        while drain(session, &self.tcp)? && given < bytes.len() {
            given += session.seal_pieces(&[IoSlice::new(&bytes[given..])])?;
        }
        session.tidy();
        Ok(given)
    }

    /// Whether the kernel has all that was given.
    pub(in crate::http) fn is_drained(&self) -> bool {
        self.tls.as_ref().is_none_or(|session| session.outgoing().is_empty())
    }

    /// Says that nothing follows, where there is a word for it and room for the word.
    pub(in crate::http) fn hang_up(&mut self) {
        if let Some(session) = &mut self.tls {
            let _ = session.close().and_then(|()| drain(session, &self.tcp));
        }
    }

    /// Forgets what was heard and nobody has read.
    pub(in crate::http) fn forget(&mut self) {
        self.tls.iter_mut().for_each(|session| session.forget());
    }

    /// The same watched by the thread that this runs on.
    pub(in crate::http) fn moved_here(self) -> io::Result<Socket> {
        let tcp = TcpStream::from_std(self.tcp.into_std()?)?;
        Ok(Socket { tcp, ..self })
    }

    fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_drain(context))?;
            let Some(session) = self.tls.as_mut().filter(|session| session.is_handshaking()) else { return Poll::Ready(Ok(())) };
            ready!(poll_hear(session, &self.tcp, context))?;
        }
    }

    /// Waits until the socket has taken all that is sealed.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Socket { tcp, tls, stall } = self;
        let Some(session) = tls else { return Poll::Ready(Ok(())) };
        while !session.outgoing().is_empty() {
            let length = ready!(guarded(stall, context, |context| Pin::new(&mut *tcp).poll_write(context, session.outgoing())))?;
            session.sent(length);
        }
        // What was waited for may have gone out behind something that was read.
        *stall = None;
        Poll::Ready(Ok(()))
    }

    /// Seals some of these bytes and gives what the socket takes.
    fn poll_seal(&mut self, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        ready!(self.poll_drain(context))?;
        let sealed = self.tls.as_mut().map_or(Ok(0), |session| session.seal_pieces(pieces))?;
        match self.poll_drain(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(sealed)),
        }
    }
}

/// How much a socket has taken that may be full.
fn taken(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}

/// Gives a socket what is sealed, without waiting; tells whether that is all.
fn drain(session: &mut Session, tcp: &TcpStream) -> io::Result<bool> {
    while !session.outgoing().is_empty() {
        let length = taken(tcp.try_write(session.outgoing()))?;
        if length == 0 {
            return Ok(false);
        }
        session.sent(length);
    }
    Ok(true)
}

/// Waits for something to come and takes it in.
fn poll_hear(session: &mut Session, tcp: &TcpStream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
    ready!(tcp.poll_read_ready(context))?;
    let heard = session.hear(tcp);
    // It may demand an answer, or deserve one.
    let answered = drain(session, tcp);
    Poll::Ready(heard.and(answered.map(drop)))
}

/// Asks whether something is written, and cuts it short where the other end has taken nothing for too long.
fn guarded<T>(
    stall: &mut Option<Pin<Box<Sleep>>>,
    context: &mut Context<'_>,
    write: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<T>>,
) -> Poll<io::Result<T>> {
    let written = write(context);
    if written.is_ready() {
        *stall = None;
        return written;
    }
    ready!(stall.get_or_insert_with(|| Box::pin(sleep(STALLED_WRITE))).as_mut().poll(context));
    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Socket { tcp, tls, stall } = &mut *self;
        let Some(session) = tls else { return Pin::new(tcp).poll_read(context, buffer) };
        while !session.tell(buffer) {
            let waiting = session.outgoing().len();
            ready!(poll_hear(session, tcp, context))?;
            if session.outgoing().len() < waiting {
                *stall = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.tls.is_some() {
            return self.poll_seal(context, &[IoSlice::new(bytes)]);
        }
        let Socket { tcp, stall, .. } = &mut *self;
        guarded(stall, context, |context| Pin::new(tcp).poll_write(context, bytes))
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.tls.is_some() {
            return self.poll_seal(context, pieces);
        }
        let Socket { tcp, stall, .. } = &mut *self;
        guarded(stall, context, |context| Pin::new(tcp).poll_write_vectored(context, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(context))?;
        self.tls.iter_mut().for_each(|session| session.tidy());
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tls.as_mut().map_or(Ok(()), |session| session.close())?;
        ready!(self.poll_drain(context))?;
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

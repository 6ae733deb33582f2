//! From a request to a socket (RFC 6455, section 4.2).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::meet::limits::BODY_MAX_BYTES;
use crate::wire::problem::Problem;

use super::super::budget::{Budget, Full, Share};
use super::super::reply::invalid_at;

/// The frames of a socket.
pub(super) type Frames = WebSocketStream<Counted>;

/// Answers the handshake; the socket comes when the connection has left HTTP behind.
pub(super) fn accept(request: &mut Request) -> Result<(Response, OnUpgrade), Problem> {
    let response = create_response_with_body(request, Body::empty).map_err(|error| {
        let detail = format!("this address speaks WebSocket ({error}); open one, or POST the same messages one by one to /v1/messages");
        invalid_at("/header/upgrade", detail)
    })?;
    Ok((response, hyper::upgrade::on(request)))
}

/// Reads and writes frames, of which none is larger than a request's body.
pub(super) async fn frames(upgraded: Upgraded, budget: &Budget) -> Frames {
    let config = WebSocketConfig::default().max_message_size(Some(BODY_MAX_BYTES)).max_frame_size(Some(BODY_MAX_BYTES));
    let counted = Counted { io: TokioIo::new(upgraded), share: budget.share() };
    WebSocketStream::from_raw_socket(counted, Role::Server, Some(config)).await
}

/// A connection whose bytes are counted until the message that they belong to is whole.
pub(super) struct Counted {
    io: TokioIo<Upgraded>,
    pub(super) share: Share,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        Poll::Ready(self.share.grow(read).map_err(|full: Full| io::Error::new(io::ErrorKind::OutOfMemory, full)))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

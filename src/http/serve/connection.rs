//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::iter::successors;
use std::pin::{Pin, pin};

use axum::Router;
use axum::body::Body;
use axum::http::Method;
use axum::response::Response;
use bytes::Bytes;
use futures_util::TryFutureExt;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tower::ServiceExt;
use tracing::debug;

use crate::meet::limits::{
    CLOSING_GRACE, CONNECTION_BUFFER_BYTES, HEAD_TIMEOUT, HTTP2_EARLY_RESETS_MAX, HTTP2_ERROR_RESETS_MAX, HTTP2_PING_EVERY,
    HTTP2_PING_TIMEOUT, HTTP2_STREAM_BUFFER_BYTES, HTTP2_STREAMS_MAX,
};

use super::super::access::Peer;
use super::super::lanes::handover::{Slot, Taken, Tap};
use super::super::lanes::seat::Seat;
use super::Front;
use super::http2::{Pieces, Streams};
use super::promptly::promptly;
use super::room::Place;
use super::socket::Socket;

type Ended = Result<(), Box<dyn Error + Send + Sync>>;

/// Who is at the other end, and what lets them in.
#[derive(Clone)]
pub(super) struct Visitor {
    pub(super) peer: Peer,
    pub(super) place: Place,
}

/// Where a socket of HTTP/1 comes from, and goes again.
#[derive(Clone)]
pub(in crate::http) struct Home {
    visitor: Visitor,
    front: Front,
}

impl Home {
    /// Serves the connection from here on; `ahead` was read of it already.
    pub(in crate::http) async fn take_back(self, socket: Socket, ahead: Bytes) {
        let Home { visitor, front } = self.clone();
        self.watch(over_socket(socket, ahead, visitor, front)).await;
    }

    /// Serves until the connection ends or has to make room.
    async fn watch(self, served: impl Future<Output = Ended>) {
        let Home { visitor: Visitor { peer: Peer(peer), place }, front } = self;
        let ended = tokio::select! {
            ended = promptly(served) => ended,
            () = place.sent_away() => {
                debug!(%peer, "a connection that showed no token made room for another");
                return;
            }
        };
        if let Err(error) = ended {
            if has_stalled(&*error) {
                front.metrics.connections.stalled();
            }
            debug!(%peer, %error, "a connection ended");
        }
    }
}

/// Serves a connection to its end.
pub(super) async fn serve(stream: TcpStream, visitor: Visitor, front: Front) {
    let home = Home { visitor: visitor.clone(), front: front.clone() };
    home.watch(over_tcp(stream, visitor, front)).await;
}

/// Whether a connection was cut because its other end accepted nothing; whoever asks nothing is another case.
pub(in crate::http) fn has_stalled(error: &(dyn Error + 'static)) -> bool {
    let mut causes = successors(Some(error), |error| (*error).source());
    causes.any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut))
}

async fn over_tcp(stream: TcpStream, visitor: Visitor, front: Front) -> Ended {
    let socket = match front.tls.clone() {
        None => Socket::plain(stream),
        Some(tls) => {
            let accepted = tokio::select! {
                // Nobody is owed an answer before the handshake is over.
                () = front.stopping.cancelled() => return Ok(()),
                accepted = tls.accept(stream) => accepted?,
            };
            match accepted {
                (socket, true) => return over_http2(socket, visitor, front).await,
                (socket, false) => socket,
            }
        }
    };
    // Boxed, so that a connection of HTTP/2 does not hold room for it.
    Box::pin(over_socket(socket, Bytes::new(), visitor, front)).await
}

/// HTTP/1 on a socket that may go to a stream, or to a long-poll for a while.
async fn over_socket(socket: Socket, ahead: Bytes, visitor: Visitor, front: Front) -> Ended {
    let (tap, slot, taken) = Tap::new(socket, ahead);
    let mut connection = http1().serve_connection(TokioIo::new(tap), service(&visitor, &front, Some(slot))).with_upgrades();
    let shut = |connection: Pin<&mut &mut http1::UpgradeableConnection<_, _>>| Pin::new(&mut **connection.get_mut()).graceful_shutdown();
    let taken = tokio::select! {
        ended = until(&mut connection, front.stopping.cancelled(), shut) => return Ok(ended?),
        Ok(taken) = taken => taken,
    };
    match taken {
        Taken::Stream(taken) => Seat::start(taken, visitor.place),
        Taken::Poll(held) => {
            let rest = connection.into_parts().map(|parts| parts.read_buf).unwrap_or_default();
            held.wait(rest, Home { visitor, front });
        }
    }
    Ok(())
}

/// HTTP/1 on anything else.
pub(super) async fn over_http1<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, visitor: Visitor, front: Front) -> Ended {
    let connection = http1().serve_connection(TokioIo::new(stream), service(&visitor, &front, None)).with_upgrades();
    Ok(until(connection, front.stopping.cancelled(), http1::UpgradeableConnection::graceful_shutdown).await?)
}

fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(CONNECTION_BUFFER_BYTES);
    builder
}

/// What answers on a connection of HTTP/1, whose socket is taken by way of `slot` where there is one.
fn service(
    visitor: &Visitor,
    front: &Front,
    slot: Option<Slot>,
) -> impl Service<hyper::Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + use<> {
    let (router, visitor) = (front.router.clone(), visitor.clone());
    service_fn(move |mut request: hyper::Request<Incoming>| {
        // An answer to HEAD has no body, and leaves the connection as it is.
        if let Some(slot) = slot.as_ref().filter(|_| request.method() == Method::GET) {
            let handover = slot.handover(&request);
            request.extensions_mut().insert(handover);
        }
        answer(&router, &visitor, request)
    })
}

/// Boxes hold what is large for as long as it is of use: a future keeps room for all that was ever moved into it, and a quiet stream
/// lives for hours.
fn over_http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    visitor: Visitor,
    front: Front,
) -> impl Future<Output = Ended> + Send {
    let Front { router, stopping, .. } = front;
    let streams = Streams::default();
    let service = service_fn(move |request| {
        let answer = Box::pin(answer(&router, &visitor, request));
        answer.map_ok(|response| response.map(Pieces::of))
    });
    let connection = http2::Builder::new(streams.clone())
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(CONNECTION_BUFFER_BYTES).unwrap_or(u32::MAX))
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_pending_accept_reset_streams(HTTP2_EARLY_RESETS_MAX)
        .max_local_error_reset_streams(HTTP2_ERROR_RESETS_MAX)
        .max_send_buf_size(HTTP2_STREAM_BUFFER_BYTES)
        .keep_alive_interval(HTTP2_PING_EVERY)
        .keep_alive_timeout(HTTP2_PING_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let connection = Box::pin(connection);
    let end = Box::pin(async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = streams.idle_for(HEAD_TIMEOUT) => {}
        }
    });
    async { Ok(until(connection, end, |connection| connection.get_mut().as_mut().graceful_shutdown()).await?) }
}

/// Runs a connection until it ends by itself, or ends it in order: what is being answered is answered, nothing new is taken.
async fn until<C: Future<Output = hyper::Result<()>>>(
    connection: C,
    end: impl Future<Output = ()>,
    shut: fn(Pin<&mut C>),
) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = end => {}
    }
    shut(connection.as_mut());
    tokio::time::timeout(CLOSING_GRACE, connection).await.unwrap_or(Ok(()))
}

/// Asks the router, which learns who asks.
fn answer(
    router: &Router,
    visitor: &Visitor,
    request: hyper::Request<Incoming>,
) -> impl Future<Output = Result<Response, Infallible>> + use<> {
    let mut request = request.map(Body::new);
    visitor.place.speaks(request.version());
    request.extensions_mut().insert(visitor.peer);
    request.extensions_mut().insert(visitor.place.clone());
    router.clone().oneshot(request)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::http::serve::listen;
    use crate::http::serve::room::Room;
    use axum::http::{StatusCode, header};
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_util::sync::CancellationToken;

    /// Answers one line, over and over, on a socket of its own that holds on to its place.
    async fn echo(mut request: axum::extract::Request) -> Response {
        let place = request.extensions_mut().remove::<Place>().unwrap();
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut socket = TokioIo::new(upgrade.await.unwrap());
            let mut line = [0; 5];
            while socket.read_exact(&mut line).await.is_ok() {
                socket.write_all(&line).await.unwrap();
            }
            drop(place);
        });
        let head = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
        head.header(header::UPGRADE, "echo").header(header::CONNECTION, "upgrade").body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn a_socket_after_an_upgrade_counts_as_a_connection_and_is_waited_for() {
        let (room, stopping) = (Arc::new(Room::new(1)), CancellationToken::new());
        let router = Router::new().route("/echo", get(echo)).route("/", get(async || "free"));
        let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let front = Front { router, room, tls: None, metrics: Arc::default(), stopping: stopping.clone() };
        let server = tokio::spawn(crate::http::serve::serve(listener, front));
        let connect = async || TcpStream::connect(address).await.unwrap();
        let mut socket = connect().await;
        socket.write_all(b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n").await.unwrap();
        let mut head = [0; 12];
        socket.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 101");
        let mut waiting = connect().await;
        waiting.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        let mut reply = String::new();
        let answer = tokio::time::timeout(std::time::Duration::from_millis(300), waiting.read_to_string(&mut reply)).await;
        assert!(answer.is_err(), "there is room for one: {reply}");
        drop(socket);
        waiting.read_to_string(&mut reply).await.unwrap();
        assert!(reply.ends_with("free"), "{reply}");
        let mut socket = connect().await;
        socket.write_all(b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n").await.unwrap();
        socket.read_exact(&mut head).await.unwrap();
        stopping.cancel();
        tokio::task::yield_now().await;
        assert!(!server.is_finished(), "the socket gets its moment");
        drop(socket);
        server.await.unwrap();
    }
}

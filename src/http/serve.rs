//! The listener: connections with time limits, a cap, and an end.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::meet::limits::{
    CONNECTION_BUFFER_BYTES, CONNECTIONS_MAX, DESCRIPTORS_RESERVED, HEAD_TIMEOUT, SEND_BUFFER_BYTES, SHUTDOWN_GRACE, STALLED_WRITE,
};
use crate::metrics::{Metrics, OpenConnection};

use super::access::Peer;

/// Connections that the kernel holds while all are in use.
const BACKLOG: u32 = 1_024;
/// Pause after a failure to accept, which is mostly a lack of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Listens on an address. Every connection inherits the size of the send buffer.
///
/// # Errors
/// What the system says: the port is taken, or the address is not this machine's.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `stopping` is cancelled, then gives open requests a moment to end.
pub async fn serve(listener: TcpListener, router: Router, metrics: Arc<Metrics>, stopping: CancellationToken) {
    let connections = Arc::new(Semaphore::new(connections_max()));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = graceful.watch(connection(stream, peer, router.clone(), metrics.connections.accept()));
        let metrics = Arc::clone(&metrics);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                if has_stalled(&error) {
                    metrics.connections.stalled();
                }
                debug!(%peer, %error, "a connection ended");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(SHUTDOWN_GRACE, graceful.shutdown()).await.is_err() {
        warn!("some connections did not end in time and were cut");
    }
}

/// As many as the system gives descriptors for, some kept back so that disks go on working.
fn connections_max() -> usize {
    let wanted = CONNECTIONS_MAX as u64 + DESCRIPTORS_RESERVED;
    let given = rlimit::increase_nofile_limit(wanted).unwrap_or(DESCRIPTORS_RESERVED * 2);
    let room = usize::try_from(given.saturating_sub(DESCRIPTORS_RESERVED)).unwrap_or(CONNECTIONS_MAX);
    // A hall has some hundreds of connections; below that the operator should know.
    if room < CONNECTIONS_MAX / 4 {
        warn!(connections = room, "the system's limit on open files (ulimit -n) allows fewer connections than liftrelay would take");
    }
    room.clamp(1, CONNECTIONS_MAX)
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Events are small and must not wait for each other.
    stream.set_nodelay(true)?;
    Ok((stream, peer, permit))
}

type Io = TokioIo<std::pin::Pin<Box<TimeoutStream<TcpStream>>>>;

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    open: OpenConnection,
) -> http1::Connection<Io, impl hyper::service::HttpService<Incoming, ResBody = Body, Error = std::convert::Infallible, Future: Send>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALLED_WRITE));
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        open.speaks(request.version());
        router.clone().oneshot(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(CONNECTION_BUFFER_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
}

/// Whether a connection was cut because its other end accepted nothing; whoever asks nothing is another case.
fn has_stalled(error: &hyper::Error) -> bool {
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| cause.kind() == io::ErrorKind::TimedOut)
}

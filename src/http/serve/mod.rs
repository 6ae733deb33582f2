//! The listener: connections with time limits, a cap, and an end.

pub(super) mod connection;
mod http2;
mod plain_on_tls;
mod promptly;
pub mod room;
pub(super) mod socket;
pub mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::meet::limits::{SEND_BUFFER_BYTES, SHUTDOWN_GRACE, SHUTDOWN_MAX};
use crate::metrics::Metrics;

use super::access::Peer;
use connection::Visitor;
use room::{Place, Room};
use tls::Tls;

/// Connections that the kernel holds while all are in use.
const BACKLOG: u32 = 1_024;
/// Pause after a failure to accept, which is mostly a lack of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all connections of a listener share.
#[derive(Clone)]
pub struct Front {
    /// What answers requests.
    pub router: Router,
    /// How many there may be.
    pub room: Arc<Room>,
    /// HTTPS with HTTP/2 and HTTP/1.1; `None` for plain HTTP/1.1.
    pub tls: Option<Tls>,
    /// Where connections are counted.
    pub metrics: Arc<Metrics>,
    /// Cancelled when the server stops.
    pub stopping: CancellationToken,
}

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

/// Serves until `front.stopping` is cancelled, then gives open requests, and sockets that came of upgrades, a moment to end.
pub async fn serve(listener: TcpListener, front: Front) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = front.stopping.cancelled() => break,
            accepted = accept(&listener, &front.room) => accepted,
        };
        match accepted {
            Ok((stream, peer, permit)) => {
                let place = Place::new(Arc::clone(&front.room), permit, connections.token(), front.metrics.connections.accept());
                let visitor = Visitor { peer: Peer(peer), place };
                tokio::spawn(connection::serve(stream, visitor, front.clone()));
            }
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if !all_end(&connections).await {
        warn!(connections = connections.len(), "some connections did not end in time and were cut");
    }
}

/// Waits for connections to end, as long as one after the other does: a full hall takes longer to tell than a few. Tells whether all did.
async fn all_end(connections: &TaskTracker) -> bool {
    let started = Instant::now();
    while started.elapsed() < SHUTDOWN_MAX {
        let before = connections.len();
        if tokio::time::timeout(SHUTDOWN_GRACE, connections.wait()).await.is_ok() {
            return true;
        }
        if connections.len() == before {
            break;
        }
    }
    connections.is_empty()
}

/// Serves one connection that no listener of ours has taken, to its end: plain HTTP/1.1.
pub async fn serve_stream<S>(stream: S, peer: SocketAddr, front: Front)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok(permit) = front.room.permit().await else { return };
    let place = Place::new(Arc::clone(&front.room), permit, TaskTracker::new().token(), front.metrics.connections.accept());
    if let Err(error) = connection::over_http1(stream, Visitor { peer: Peer(peer), place }, front).await {
        debug!(%peer, %error, "a connection ended");
    }
}

/// The next connection, once there is room for it. Nobody is sent away before somebody has come.
async fn accept(listener: &TcpListener, room: &Room) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let (stream, peer) = listener.accept().await?;
    let permit = room.permit().await.map_err(io::Error::other)?;
    // Events are small and must not wait for each other.
    stream.set_nodelay(true)?;
    Ok((stream, peer, permit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections that end one after the other with a pause, as a machine that has more to do lets them; `stay` of them never do.
    async fn stop(count: usize, pause: Duration, stay: usize) -> (bool, Duration) {
        let connections = TaskTracker::new();
        for nth in 0..count {
            connections.spawn(tokio::time::sleep(pause * u32::try_from(nth).unwrap()));
        }
        for _ in 0..stay {
            connections.spawn(std::future::pending::<()>());
        }
        connections.close();
        let started = Instant::now();
        (all_end(&connections).await, started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn connections_are_waited_for_as_long_as_they_go_on_ending() {
        let pause = SHUTDOWN_GRACE / 10;
        assert_eq!(stop(41, pause, 0).await, (true, 4 * SHUTDOWN_GRACE), "a hall");
        assert_eq!(stop(0, pause, 1).await, (false, SHUTDOWN_GRACE), "nobody goes");
        let (all, took) = stop(11, pause, 1).await;
        assert!(!all && took <= 3 * SHUTDOWN_GRACE, "one stays: {took:?}");
        let (all, took) = stop(1_000, pause, 0).await;
        assert!(!all && took <= SHUTDOWN_MAX + SHUTDOWN_GRACE, "too slow: {took:?}");
    }
}

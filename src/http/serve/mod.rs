//! The listener: connections with time limits, a cap, and an end.

pub(super) mod connection;
mod http2;
mod plain_on_tls;
pub mod room;
pub mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::meet::limits::{SEND_BUFFER_BYTES, SHUTDOWN_GRACE};
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
                let visitor =
                    Visitor { peer: Peer(peer), place: Place::new(permit, connections.token(), front.metrics.connections.accept()) };
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
    if tokio::time::timeout(SHUTDOWN_GRACE, connections.wait()).await.is_err() {
        warn!("some connections did not end in time and were cut");
    }
}

/// Serves one connection that no listener of ours has taken, to its end: plain HTTP/1.1.
pub async fn serve_stream<S>(stream: S, peer: SocketAddr, front: Front)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok(permit) = front.room.permit().await else { return };
    let place = Place::new(permit, TaskTracker::new().token(), front.metrics.connections.accept());
    if let Err(error) = connection::over_http1(stream, Visitor { peer: Peer(peer), place }, front).await {
        debug!(%peer, %error, "a connection ended");
    }
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, room: &Room) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = room.permit().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Events are small and must not wait for each other.
    stream.set_nodelay(true)?;
    Ok((stream, peer, permit))
}

//! A connection of a test's own to a server, plain or under TLS as its client speaks.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;

use super::Client;
use super::tls::shake_hands;

/// A connection of any kind.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub type Wire = Box<dyn Duplex>;

/// Connects with a receive buffer of about so many bytes, where it is to have a certain size.
pub async fn connect(client: &Client, receive_buffer: Option<u32>) -> Wire {
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    let socket = socket.connect(host(client).parse().unwrap()).await.unwrap();
    match &client.tls {
        None => Box::new(socket),
        Some(config) => Box::new(shake_hands(config.clone(), socket).await),
    }
}

/// Address and port of a client's server.
pub fn host(client: &Client) -> &str {
    client.base.split_once("://").unwrap().1
}

//! A connection to what is measured, plain or under TLS.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::Measured;
use super::http2::ALPN;

#[derive(Debug)]
pub enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    pub fn plain(address: SocketAddr) -> Measured<Wire> {
        Ok(Wire::Plain(TcpStream::connect(address)?))
    }

    pub fn socket(&self) -> &TcpStream {
        match self {
            Wire::Plain(socket) => socket,
            Wire::Tls(stream) => &stream.sock,
        }
    }

    /// Whether a read that has not filled the buffer may have left something behind.
    pub fn keeps_records(&self) -> bool {
        matches!(self, Wire::Tls(_))
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.read(buffer),
            Wire::Tls(stream) => match stream.read(buffer) {
                // It was cut off without a word: an end all the same.
                Err(fault) if fault.kind() == ErrorKind::UnexpectedEof => Ok(0),
                read => read,
            },
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.write(bytes),
            Wire::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(socket) => socket.flush(),
            Wire::Tls(stream) => stream.flush(),
        }
    }
}

/// What a client believes of a server on this machine.
#[derive(Clone, Debug)]
pub struct Trust {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

impl Trust {
    /// Makes a certificate and its key, `tls.pem` and `tls.key` in that folder, and believes it.
    pub fn found(folder: &Path) -> Measured<Trust> {
        let made = rcgen::generate_simple_self_signed([Ipv4Addr::LOCALHOST.to_string()])?;
        fs::write(folder.join("tls.pem"), made.cert.pem())?;
        fs::write(folder.join("tls.key"), made.signing_key.serialize_pem())?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let http1 = config.with_root_certificates(roots).with_no_client_auth();
        let mut http2 = http1.clone();
        http2.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Trust { http1: Arc::new(http1), http2: Arc::new(http2) })
    }

    pub fn connect(&self, address: SocketAddr) -> Measured<Wire> {
        connect(&self.http1, address)
    }

    /// The same for a client that speaks HTTP/2 alone.
    pub fn connect_http2(&self, address: SocketAddr) -> Measured<Wire> {
        connect(&self.http2, address)
    }
}

fn connect(config: &Arc<ClientConfig>, address: SocketAddr) -> Measured<Wire> {
    let connection = ClientConnection::new(Arc::clone(config), ServerName::IpAddress(address.ip().into()))?;
    Ok(Wire::Tls(Box::new(StreamOwned::new(connection, TcpStream::connect(address)?))))
}

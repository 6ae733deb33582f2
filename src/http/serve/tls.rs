//! TLS: HTTP/2 and HTTP/1.1 by ALPN, with a certificate that may be replaced while streams are open.

mod certificate;
mod session;

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;

use crate::meet::limits::TLS_HANDSHAKE_TIMEOUT;

use super::plain_on_tls;
use super::socket::Socket;

pub use certificate::{Certificate, CertificateError};
pub(super) use session::Session;

const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Speaks TLS with whoever connects.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    shown: Arc<Shown>,
}

impl Tls {
    /// TLS with a certificate.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub fn new(certificate: &Certificate) -> Result<Tls, rustls::Error> {
        let shown = Arc::new(Shown(RwLock::new(Arc::clone(&certificate.key))));
        let resolver = Arc::clone(&shown) as Arc<dyn ResolvesServerCert>;
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        // A hall that reconnects at once resumes without the server having to remember anyone.
        config.ticketer = ring::Ticketer::new()?;
        Ok(Tls { config: Arc::new(config), shown })
    }

    /// Shows another certificate from now on. Open connections stay as they are.
    pub fn show(&self, certificate: &Certificate) {
        *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&certificate.key);
    }

    /// A connection after its handshake, and whether it speaks HTTP/2.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<(Socket, bool)> {
        let handshake = async {
            if plain_on_tls::is_plain(&stream).await? {
                plain_on_tls::refuse(stream).await?;
                return Err(io::Error::other("plain HTTP was spoken where TLS is"));
            }
            Socket::under_tls(stream, Session::new(Arc::clone(&self.config))?).await
        };
        let socket = tokio::time::timeout(TLS_HANDSHAKE_TIMEOUT, handshake).await??;
        let speaks_http2 = socket.speaks(HTTP2);
        Ok((socket, speaks_http2))
    }
}

/// The certificate that is shown now.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

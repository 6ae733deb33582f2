//! Certificates that tests make, and clients that trust them.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Once};

use liftrelay::http::serve::tls::{Certificate, Tls};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Client;

/// What reqwest asks for before it makes a client.
pub fn use_ring() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A certificate for this machine, signed by itself, and its key, in two files.
pub struct Identity {
    folder: TempDir,
    pub pem: String,
}

impl Identity {
    pub fn new() -> Identity {
        let mut identity = Identity { folder: tempfile::tempdir().unwrap(), pem: String::new() };
        identity.renew();
        identity
    }

    /// Puts another certificate with another key into the files.
    pub fn renew(&mut self) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        self.pem = params.self_signed(&key).unwrap().pem();
        fs::write(self.certificate_file(), &self.pem).unwrap();
        fs::write(self.key_file(), key.serialize_pem()).unwrap();
    }

    pub fn certificate_file(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    pub fn read(&self) -> Certificate {
        Certificate::read(&self.certificate_file(), &self.key_file()).unwrap()
    }

    pub fn tls(&self) -> Tls {
        Tls::new(&self.read()).unwrap()
    }

    /// A client that trusts this certificate and no other, with HTTP/2 where the server has it.
    pub fn client(&self, url: &str) -> Client {
        Client::over(self.http().build().unwrap(), url)
    }

    /// The same with HTTP/1.1, over TLS that tests can speak for themselves too.
    pub fn client_of_http1(&self, url: &str) -> Client {
        Client::over(self.http().http1_only().build().unwrap(), url).speaking(self.config(&[b"http/1.1"]))
    }

    pub fn http(&self) -> reqwest::ClientBuilder {
        use_ring();
        let certificate = reqwest::Certificate::from_pem(self.pem.as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([certificate])
    }

    /// What trusts this certificate and offers these protocols.
    pub fn config(&self, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        self.config_of(rustls::DEFAULT_VERSIONS, protocols)
    }

    /// The same with these versions of TLS alone.
    pub fn config_of(&self, versions: &[&'static SupportedProtocolVersion], protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }

    /// A connection after its handshake.
    pub async fn connect(&self, url: &str, protocols: &[&[u8]]) -> TlsStream<TcpStream> {
        let socket = TcpStream::connect(url.trim_start_matches("https://")).await.unwrap();
        socket.set_nodelay(true).unwrap();
        shake_hands(self.config(protocols), socket).await
    }
}

/// Makes a TLS connection of a socket.
pub async fn shake_hands(config: Arc<ClientConfig>, socket: TcpStream) -> TlsStream<TcpStream> {
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(config).connect(name, socket).await.unwrap()
}

//! A server in this process, on a real socket, that stops when it is dropped.

use std::sync::Arc;

use liftrelay::http::serve::tls::Tls;
use liftrelay::http::serve::{listen, serve};
use liftrelay::http::{App, Options};
use liftrelay::meet::chain::ServerKey;
use liftrelay::publish::publisher::Publisher;
use liftrelay::relay::clock::Clock;
use liftrelay::relay::registry::Registry;
use liftrelay::store::Store;
use liftrelay::store::files::{FileStore, Fsync};
use liftrelay::store::memory::MemoryStore;
use tempfile::TempDir;

use super::Client;
use super::tls::Identity;

pub struct TestServer {
    pub url: String,
    pub app: Arc<App>,
    /// Moves the time of this server.
    pub clock: Clock,
    /// The data folder, where the server has one.
    pub folder: Option<TempDir>,
    /// What its clients have to trust, where it speaks TLS.
    pub identity: Option<Identity>,
}

pub fn options() -> Options {
    Options::default()
}

impl TestServer {
    /// On files in a folder of its own.
    pub async fn start() -> TestServer {
        TestServer::with(options()).await
    }

    pub async fn with(options: Options) -> TestServer {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
        let mut server = TestServer::on(Arc::new(store), options).await;
        server.folder = Some(folder);
        server
    }

    /// On files in a folder of its own, with published results going to a folder or a webhook.
    pub async fn publishing_to(destination: &str) -> TestServer {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
        let clock = Clock::default();
        let registry = Arc::new(Registry::new(Arc::new(store), ServerKey::new([7; 32]), clock.clone()));
        let publisher = Publisher::new(Arc::clone(&registry), &destination.parse().unwrap()).unwrap();
        let app = App::with_publisher(registry, publisher, options());
        let mut server = TestServer::serving(app, clock, None);
        server.folder = Some(folder);
        server
    }

    /// In memory, with a store that can be told to fail.
    pub async fn in_memory() -> (TestServer, MemoryStore) {
        let store = MemoryStore::default();
        (TestServer::on(Arc::new(store.clone()), options()).await, store)
    }

    pub async fn on(store: Arc<dyn Store>, options: Options) -> TestServer {
        TestServer::listening(store, options, None)
    }

    /// On files in a folder of its own, with HTTPS; its clients speak HTTP/1.1.
    pub async fn under_tls() -> TestServer {
        let (folder, identity) = (tempfile::tempdir().unwrap(), Identity::new());
        let store = FileStore::open(folder.path(), Fsync::Always).unwrap();
        let mut server = TestServer::listening(Arc::new(store), options(), Some(identity.tls()));
        (server.folder, server.identity) = (Some(folder), Some(identity));
        server
    }

    /// In memory, with HTTPS.
    pub fn secure(tls: &Tls, options: Options) -> TestServer {
        TestServer::listening(Arc::new(MemoryStore::default()), options, Some(tls.clone()))
    }

    fn listening(store: Arc<dyn Store>, options: Options, tls: Option<Tls>) -> TestServer {
        let clock = Clock::default();
        let registry = Registry::new(store, ServerKey::new([7; 32]), clock.clone());
        TestServer::serving(App::new(registry, options), clock, tls)
    }

    fn serving(app: Arc<App>, clock: Clock, tls: Option<Tls>) -> TestServer {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, app.front(tls)));
        TestServer { url, app, clock, folder: None, identity: None }
    }

    /// A file of a meet, wherever the meet is.
    pub fn file(&self, meet: &str, name: &str) -> std::path::PathBuf {
        let data = self.folder.as_ref().expect("a server on files").path();
        let places = ["current-meets", "finished-meets"].map(|stage| data.join(stage).join(meet));
        places.into_iter().find(|folder| folder.exists()).expect("a meet").join(name)
    }

    /// Somebody who is no member of any meet.
    pub fn stranger(&self) -> Client {
        self.identity.as_ref().map_or_else(|| Client::new(&self.url), |identity| identity.client_of_http1(&self.url))
    }

    /// Creates a meet with the locations `desk` (priority 10), `platform 1` and `platform 2` (20 both) and `director` (30), as the desk.
    pub async fn meet(&self) -> Client {
        self.stranger().create_as("desk").await
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.app.stopping.cancel();
    }
}

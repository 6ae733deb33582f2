//! HTTP: routes, and nothing that decides. A handler extracts, makes one call, gives a wire type.

mod access;
mod body;
mod cors;
mod demo;
mod events;
mod finish;
mod health;
mod meets;
mod pages;
mod params;
mod publish;
mod pushes;
mod reply;
pub mod routes;
pub mod serve;
mod sessions;
mod state;
mod updates;
mod view_keys;

use std::sync::Arc;

use ipnet::IpNet;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::auth::attempts::Attempts;
use crate::auth::password::Passwords;
use crate::auth::token::Token;
use crate::meet::limits::FOLDS_MAX;
use crate::publish::publisher::Publisher;
use crate::relay::registry::Registry;
use crate::store::files::Fsync;

/// Everything that handlers share.
pub struct App {
    /// All meets.
    pub registry: Arc<Registry>,
    /// Takes results and hands them over.
    pub publisher: Arc<Publisher>,
    /// The pool that hashes passwords.
    pub passwords: Passwords,
    /// Failed logins.
    pub attempts: Attempts,
    /// Turns for folding earlier states.
    pub folds: Semaphore,
    /// What the operator chose.
    pub options: Options,
    /// Cancelled when the server stops: streams and long-polls end.
    pub stopping: CancellationToken,
    /// The demo meet of this lap, where there is a demo.
    pub demo: watch::Sender<Option<DemoLap>>,
}

/// What the operator chose about HTTP.
#[derive(Clone, Debug)]
pub struct Options {
    /// What creating a meet needs; anyone may where there is none.
    pub create_key: Option<String>,
    /// Origins of pages that may use sessions from elsewhere.
    pub allow_origins: Vec<String>,
    /// Whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Told by `/health/ready`.
    pub fsync: Fsync,
}

/// Where the demo is.
#[derive(Clone, Debug)]
pub struct DemoLap {
    /// Counts from one.
    pub lap: u64,
    /// A view key for this lap's meet.
    pub view_key: Token,
    /// The meet's name.
    pub meet_name: String,
}

impl App {
    /// An application without a demo, which leaves published results in the folders of their meets.
    pub fn new(registry: Registry, options: Options) -> Arc<App> {
        let registry = Arc::new(registry);
        let publisher = Publisher::in_place(Arc::clone(&registry));
        App::with_publisher(registry, publisher, options)
    }

    /// An application without a demo.
    pub fn with_publisher(registry: Arc<Registry>, publisher: Arc<Publisher>, options: Options) -> Arc<App> {
        Arc::new(App {
            registry,
            publisher,
            passwords: Passwords::default(),
            attempts: Attempts::default(),
            folds: Semaphore::new(FOLDS_MAX),
            options,
            stopping: CancellationToken::new(),
            demo: watch::Sender::new(None),
        })
    }
}

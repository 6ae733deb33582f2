//! HTTP: routes, and nothing that decides. A handler extracts, makes one call, gives a wire type.

mod access;
mod app_dir;
mod around;
mod body;
mod budget;
mod cors;
mod demo;
mod events;
mod feed;
mod finish;
mod health;
mod lanes;
mod measure;
mod meets;
mod messages;
mod pages;
mod params;
mod problems;
mod publish;
mod pushes;
mod reply;
mod request_id;
mod restore;
pub mod routes;
pub mod serve;
mod sessions;
mod socket;
mod state;
mod unproven;
mod updates;
mod view_keys;

pub use app_dir::check as check_app_dir;
pub use pages::OPENAPI;

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use ipnet::IpNet;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::auth::attempts::Attempts;
use crate::auth::password::Passwords;
use crate::auth::token::Token;
use crate::meet::limits::{CONNECTIONS_MAX, FAILED_LOGINS_PER_ADDRESS, FAILED_LOGINS_PER_MEET, FOLDS_MAX, OPERATOR_CONNECTIONS_MAX};
use crate::metrics::Metrics;
use crate::publish::publisher::Publisher;
use crate::relay::registry::Registry;
use crate::store::files::Fsync;

pub use budget::Budget;

use lanes::Lanes;
use serve::Front;
use serve::room::Room;
use serve::tls::Tls;

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
    /// Room for what has not arrived whole.
    pub budget: Budget,
    /// Places for connections.
    pub room: Arc<Room>,
    /// What is counted, of the meets too.
    pub metrics: Arc<Metrics>,
    /// Cancelled when the server stops: streams and long-polls end.
    pub stopping: CancellationToken,
    /// The demo meet of this lap, where there is a demo.
    pub demo: watch::Sender<Option<DemoLap>>,
    /// Streams on sockets of their own.
    lanes: Lanes,
    options: watch::Sender<Arc<Options>>,
}

/// What the operator chose about HTTP. It may change while the server runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// What creating a meet needs; anyone may where there is none.
    pub create_key: Option<String>,
    /// Origins of pages that may use sessions from elsewhere.
    pub allow_origins: Vec<String>,
    /// Whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether meets are taken back at the word of those who know their password, without this server's seal.
    pub accept_unproven_restore: bool,
    /// Told by `/health/ready`; the store was opened with it, so it stays.
    pub fsync: Fsync,
    /// Where an OpenLifter build is, which is served at `/app/`.
    pub app_dir: Option<PathBuf>,
    /// Metrics have an address of their own, so they are not among the routes for everyone.
    pub metrics_apart: bool,
    /// Connections at once, as far as the system gives descriptors.
    pub max_connections: NonZeroUsize,
    /// Failed logins that one address may make on one meet, per minute.
    pub failed_logins_per_meet: NonZeroU32,
    /// Failed logins that one address may make, per minute.
    pub failed_logins_per_address: NonZeroU32,
}

impl Default for Options {
    /// Nobody has chosen anything.
    fn default() -> Options {
        Options {
            create_key: None,
            allow_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            accept_unproven_restore: false,
            fsync: Fsync::Always,
            app_dir: None,
            metrics_apart: false,
            max_connections: CONNECTIONS_MAX,
            failed_logins_per_meet: FAILED_LOGINS_PER_MEET,
            failed_logins_per_address: FAILED_LOGINS_PER_ADDRESS,
        }
    }
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
            metrics: Arc::clone(registry.metrics()),
            registry,
            publisher,
            passwords: Passwords::default(),
            attempts: Attempts::new(options.failed_logins_per_meet, options.failed_logins_per_address),
            folds: Semaphore::new(FOLDS_MAX),
            budget: Budget::default(),
            lanes: Lanes::default(),
            room: Arc::new(Room::new(options.max_connections.get())),
            options: watch::Sender::new(Arc::new(options)),
            stopping: CancellationToken::new(),
            demo: watch::Sender::new(None),
        })
    }

    /// What the operator chose, as of now.
    pub fn options(&self) -> Arc<Options> {
        Arc::clone(&self.options.borrow())
    }

    /// Goes on with other options. Nobody is sent away for them.
    pub fn choose(&self, options: Options) {
        self.attempts.allow(options.failed_logins_per_meet, options.failed_logins_per_address);
        self.room.resize(options.max_connections.get());
        self.options.send_replace(Arc::new(options));
    }

    /// What a listener for this application serves, with TLS or without.
    pub fn front(self: &Arc<Self>, tls: Option<Tls>) -> Front {
        self.front_of(routes::router(Arc::clone(self)), Arc::clone(&self.room), tls)
    }

    /// The same for the address of metrics, which has a room of its own: a full hall must not keep the operator out.
    pub fn operators_front(self: &Arc<Self>) -> Front {
        self.front_of(routes::operators_router(Arc::clone(self)), Arc::new(Room::new(OPERATOR_CONNECTIONS_MAX)), None)
    }

    fn front_of(&self, router: Router, room: Arc<Room>, tls: Option<Tls>) -> Front {
        Front { router, room, tls, metrics: Arc::clone(&self.metrics), stopping: self.stopping.clone() }
    }
}

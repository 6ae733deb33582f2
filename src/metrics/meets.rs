//! Meets, and who gets into them.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::label::{Each, HandOver, Login, ReadOnly};

/// Meets, sessions and view keys.
#[derive(Clone, Debug, Default)]
pub struct Meets {
    open: Gauge,
    read_only: Each<ReadOnly, Gauge>,
    largest_lag: Gauge,
    created: Counter,
    finished: Counter,
    hand_overs: Each<HandOver, Counter>,
    logins: Each<Login, Counter>,
    sessions: Counter,
    view_keys: Counter,
}

/// What is so at the moment of a scrape: looked at then, rather than counted on every way there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Meets in memory.
    pub open: usize,
    /// Those among them whose disk failed.
    pub failed: usize,
    /// Those among them whose log is damaged.
    pub damaged: usize,
    /// Entries between the reader furthest behind and the head of its meet.
    pub largest_lag: u64,
}

impl Meets {
    pub(super) fn register(registry: &mut Registry) -> Meets {
        let meets = Meets::default();
        let Meets { open, read_only, largest_lag, created, finished, hand_overs, logins, sessions, view_keys } = &meets;
        registry.register("meets_open", "Meets in memory; others open when somebody asks for them", open.clone());
        registry.register("meets_read_only", "Meets that take no updates", read_only.clone());
        let help = "Entries that the stream furthest behind lacks at this moment";
        registry.register_with_unit("stream_largest_lag", help, Unit::Other("entries".to_owned()), largest_lag.clone());
        registry.register("meets_created", "Meets created", created.clone());
        registry.register("meets_finished", "Meets finished", finished.clone());
        registry.register("hand_overs", "Attempts to hand published results over", hand_overs.clone());
        registry.register("logins", "Attempts to join a meet by password", logins.clone());
        registry.register("sessions_opened", "Sessions opened by creating or joining a meet", sessions.clone());
        registry.register("view_keys_created", "View keys created", view_keys.clone());
        meets
    }

    pub(super) fn show(&self, overview: &Overview) {
        self.open.set(number(overview.open as u64));
        self.read_only.of(ReadOnly::Disk).set(number(overview.failed as u64));
        self.read_only.of(ReadOnly::Damage).set(number(overview.damaged as u64));
        self.largest_lag.set(number(overview.largest_lag));
    }

    /// A meet was created.
    pub fn created(&self) {
        self.created.inc();
    }

    /// A meet was finished.
    pub fn finished(&self) {
        self.finished.inc();
    }

    /// Published results were to be handed over.
    pub fn hand_over(&self, result: HandOver) {
        self.hand_overs.of(result).inc();
    }

    /// Somebody tried to join a meet.
    pub fn login(&self, result: Login) {
        self.logins.of(result).inc();
    }

    /// A session was opened.
    pub fn session_opened(&self) {
        self.sessions.inc();
    }

    /// A view key was created.
    pub fn view_key_created(&self) {
        self.view_keys.inc();
    }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

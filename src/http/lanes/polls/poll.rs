//! A long-poll that waits.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::roster::Share;
use crate::http::App;
use crate::http::access::Access;
use crate::metrics::{self, Transport};
use crate::relay::presence;
use crate::wire::problem::Problem;

/// A pull that has nothing to give yet.
pub(in crate::http) struct Poll {
    pub(in crate::http) app: Arc<App>,
    pub(in crate::http) access: Access,
    /// What its reader has.
    pub(in crate::http) after: u64,
    pub(in crate::http) limit: usize,
    pub(in crate::http) wait: Duration,
    pub(in crate::http) waiting: Waiting,
}

/// Somebody who waits for news, as long as it lasts: who is there, and what their token may have.
pub(in crate::http) struct Waiting {
    _share: Share,
    _counted: metrics::Reader,
    _connected: presence::Connection,
    /// That the meet is finished is news once; from then on waiting takes its time, so that a client that polls in a loop does not spin.
    pub(in crate::http) is_live: bool,
}

impl Waiting {
    pub(in crate::http) fn begin(app: &App, access: &Access) -> Result<Waiting, Problem> {
        Ok(Waiting {
            _share: access.stream()?,
            _counted: app.metrics.streams.open(Transport::LongPoll, access.role()),
            _connected: access.live.presence.connect(&access.grant.holder),
            is_live: access.live.committed.finished_at().is_none(),
        })
    }
}

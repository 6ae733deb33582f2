//! What a lane does for its streams: pieces that many readers are sent are made once, and each stream is told that it was sent them.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::http::App;
use crate::meet::key::Key;
use crate::meet::limits::HEARTBEAT_EVERY;
use crate::meet::time::Timestamp;
use crate::relay::follower::Follower;
use crate::relay::live::LiveMeet;
use crate::wire::stream::Format;

use super::{EventStream, Wake};

impl EventStream {
    /// Whether it has everything that there is, and the next thing to come is what all readers of its kind are sent.
    pub(in crate::http) fn is_settled(&mut self) -> bool {
        let is_settled = self.is_plain() && self.follower.is_at_head();
        if is_settled {
            // Somebody else waits for it from now on.
            self.interrupts = None;
        }
        is_settled
    }

    /// Whether all that it lacks is what all readers of its kind are sent.
    pub(in crate::http) fn is_plain(&mut self) -> bool {
        if self.opening.as_ref().is_some_and(|opening| !opening.0.is_empty()) {
            return false;
        }
        self.forget_opening();
        let knows_the_end = self.told_finished == self.live().committed.finished_at().is_some();
        self.ahead.is_none() && knows_the_end && !self.must_end()
    }

    /// Whether its time is over, or the server or its grant ends it.
    pub(in crate::http) fn must_end(&self) -> bool {
        let is_taken_away = self.grant().ended.is_cancelled() || self.live().ended.is_cancelled();
        let is_past = self.ends_at().is_some_and(|end| end <= Instant::now());
        self.ended.is_some() || is_taken_away || is_past || self.app.stopping.is_cancelled()
    }

    /// The last piece, where its time has come for one.
    pub(in crate::http) fn last_words(&mut self) -> Option<Bytes> {
        let Some(Wake::End(reason)) = self.wake() else { return None };
        let words = self.ends(reason);
        self.counted.sent(words.len(), self.follower.lag());
        Some(words)
    }

    /// When it ends by itself.
    pub(in crate::http) fn ends_at(&self) -> Option<Instant> {
        [self.expiry, self.deadline].into_iter().flatten().min()
    }

    /// When its next heartbeat is due.
    pub(in crate::http) fn next_heartbeat(&self) -> Instant {
        self.next_heartbeat
    }

    /// What it has been sent.
    pub(in crate::http) fn cursor(&self) -> u64 {
        self.follower.cursor()
    }

    /// It has been sent everything up to `cursor`.
    pub(in crate::http) fn sent(&mut self, cursor: u64, now: Timestamp) {
        self.follower.jump(cursor);
        self.presence.sent(cursor, now);
    }

    /// It is sent a heartbeat.
    pub(in crate::http) fn beats(&mut self, now: Timestamp) {
        self.next_heartbeat = Instant::now() + HEARTBEAT_EVERY;
        let cursor = self.ahead.as_ref().map_or(self.follower.cursor(), |ahead| ahead.seq);
        self.presence.sent(cursor, now);
    }

    /// What else follows the same of the same meet with the same eyes, from the same place.
    pub(in crate::http) fn pilot(&self) -> Follower {
        Follower::new(Arc::clone(&self.live().committed), self.audience(), self.cursor()).filtered(Arc::clone(self.follower.paths()))
    }

    /// The meet that it shows.
    pub(in crate::http) fn live(&self) -> &Arc<LiveMeet> {
        &self.live
    }

    /// Whether its reader sees what editors see.
    pub(in crate::http) fn is_editors(&self) -> bool {
        self.audience().is_editor()
    }

    /// What its reader wants to hear of; empty for everything.
    pub(in crate::http) fn paths(&self) -> &Arc<[Key]> {
        self.follower.paths()
    }

    /// How it is written.
    pub(in crate::http) fn format(&self) -> Format {
        self.format
    }

    /// The server that it belongs to.
    pub(in crate::http) fn app(&self) -> &Arc<App> {
        &self.app
    }
}

//! Followers: a cursor over the committed log and a wake-up.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::meet::key::Key;
use crate::wire::audience::Audience;
use crate::wire::message::{Page, Position};
use crate::wire::stream::Format;

use super::committed::{Chunk, Committed};

/// One reader on its way through a log. It holds no entries: what it has not been sent yet
/// stays in the log, however far behind it falls.
#[derive(Debug)]
pub struct Follower {
    committed: Arc<Committed>,
    audience: Audience,
    /// Empty keeps everything.
    paths: Arc<[Key]>,
    cursor: u64,
    /// The head when the cursor last moved.
    seen_head: u64,
}

impl Follower {
    /// A follower that has everything up to `cursor`.
    pub fn new(committed: Arc<Committed>, audience: Audience, cursor: u64) -> Follower {
        let seen_head = committed.head();
        Follower { committed, audience, paths: Arc::default(), cursor, seen_head }
    }

    /// Keeps only entries that overlap one of `paths`.
    #[must_use]
    pub fn filtered(mut self, paths: Arc<[Key]>) -> Follower {
        // All who keep everything share one empty list.
        if !paths.is_empty() {
            self.paths = paths;
        }
        self
    }

    /// What it keeps; empty for everything.
    pub fn paths(&self) -> &Arc<[Key]> {
        &self.paths
    }

    /// What this reader has been sent.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Entries that it still lacked when it was last given something.
    pub fn lag(&self) -> u64 {
        self.seen_head.saturating_sub(self.cursor)
    }

    /// The place that it has been sent.
    pub fn position(&self) -> Position {
        self.committed.position(self.cursor, &self.audience)
    }

    /// Whether it has been sent everything.
    pub fn is_at_head(&self) -> bool {
        self.committed.head() <= self.cursor
    }

    /// Waits until the log has reached a number.
    pub async fn reached(&self, seq: u64) {
        self.head(|head| head >= seq).await;
    }

    /// Waits for a head. Only who waits subscribes: most readers sit in a lane, which waits for them.
    async fn head(&self, is_it: impl Fn(u64) -> bool) {
        if self.committed.subscribe().wait_for(|head| is_it(*head)).await.is_err() {
            // The meet's view lives as long as the follower, so its sender does too.
            std::future::pending::<()>().await;
        }
    }

    /// Goes on from another place.
    pub fn jump(&mut self, cursor: u64) {
        self.cursor = cursor;
    }

    /// Waits until there is something above the cursor. Returns at once where there is already.
    pub async fn news(&self) {
        let cursor = self.cursor;
        self.head(|head| head > cursor).await;
    }

    /// Waits like [`Follower::news`], but for `wait` at most.
    pub async fn news_within(&self, wait: Duration) {
        let _ = tokio::time::timeout(wait, self.news()).await;
    }

    /// About `limit` entries above the cursor, which moves behind them.
    pub fn page(&mut self, limit: usize) -> Page {
        let page = self.committed.page(self.cursor, limit, &self.audience);
        self.cursor = page.position.server_seq_num;
        page
    }

    /// The same as the body of an answer.
    pub fn pulled(&mut self, limit: usize) -> Bytes {
        let (body, last) = self.committed.pulled(self.cursor, limit, &self.audience);
        self.cursor = last;
        body
    }

    /// The next event of a stream, without waiting. The cursor moves even over what a filter drops.
    pub fn next_event(&mut self, format: Format) -> Option<Bytes> {
        loop {
            let (chunk, head) = self.committed.chunk(self.cursor, &self.audience)?;
            self.seen_head = head;
            let event = match chunk {
                Chunk::Frame(frame) => {
                    self.cursor = frame.last;
                    frame.event(&self.audience, format, &self.paths)
                }
                Chunk::Page(mut page) => {
                    self.cursor = page.position.server_seq_num;
                    page.keep(&self.paths);
                    page.event(format)
                }
            };
            if event.is_some() {
                return event;
            }
        }
    }
}

//! Followers: a cursor over the committed log and a wake-up.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

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
    head: watch::Receiver<u64>,
}

impl Follower {
    /// A follower that has everything up to `cursor`.
    pub fn new(committed: Arc<Committed>, audience: Audience, cursor: u64) -> Follower {
        let (head, seen_head) = (committed.subscribe(), committed.head());
        Follower { committed, audience, paths: Arc::default(), cursor, seen_head, head }
    }

    /// Keeps only entries that overlap one of `paths`.
    #[must_use]
    pub fn filtered(mut self, paths: Arc<[Key]>) -> Follower {
        self.paths = paths;
        self
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
    pub async fn reached(&mut self, seq: u64) {
        if self.head.wait_for(|head| *head >= seq).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Goes on from another place.
    pub fn jump(&mut self, cursor: u64) {
        self.cursor = cursor;
    }

    /// Waits until there is something above the cursor. Returns at once where there is already.
    pub async fn news(&mut self) {
        let cursor = self.cursor;
        if self.head.wait_for(|head| *head > cursor).await.is_err() {
            // The meet's view lives as long as the follower, so its sender does too.
            std::future::pending::<()>().await;
        }
    }

    /// Waits like [`Follower::news`], but for `wait` at most.
    pub async fn news_within(&mut self, wait: Duration) {
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

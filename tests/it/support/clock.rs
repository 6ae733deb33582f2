//! tokio's clock in the hands of a test, while real bytes go over real sockets.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// The clock stands until it is advanced, and goes on by itself when this is dropped.
pub struct StoppedClock {
    /// tokio moves a stopped clock by itself when nothing is left to do but wait, unless some thread is at work.
    _at_work: Sender<()>,
}

impl StoppedClock {
    pub fn stop() -> StoppedClock {
        let (at_work, done) = channel();
        tokio::task::spawn_blocking(move || done.recv());
        tokio::time::pause();
        StoppedClock { _at_work: at_work }
    }

    pub async fn advance(&self, by: Duration) {
        tokio::time::advance(by).await;
    }
}

impl Drop for StoppedClock {
    fn drop(&mut self) {
        tokio::time::resume();
    }
}

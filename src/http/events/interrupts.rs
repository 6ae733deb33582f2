//! What ends a stream's wait though there is no news.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::{Instant, sleep_until};

use crate::auth::roster::Grant;
use crate::http::App;
use crate::relay::live::LiveMeet;

/// Comes once, when the server stops, the grant or the meet ends, or something is due; the stream looks which. Kept from event to
/// event: listening to all of these anew for each would cost more than the event.
pub(super) struct Interrupts(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Interrupts {
    /// `told_finished` tells that the end of the meet is no news.
    pub(super) fn new(app: &App, live: &Arc<LiveMeet>, grant: &Grant, due: Instant, told_finished: bool) -> Interrupts {
        let (stopping, revoked, live) = (app.stopping.clone(), grant.ended.clone(), Arc::clone(live));
        Interrupts(Box::pin(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = revoked.cancelled() => {}
                () = live.ended.cancelled() => {}
                () = live.committed.until_finished(), if !told_finished => {}
                () = sleep_until(due) => {}
            }
        }))
    }
}

impl Future for Interrupts {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

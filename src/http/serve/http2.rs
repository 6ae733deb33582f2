//! What HTTP/2 lacks where one connection carries many streams: a look at whether any is open, and an end for each that
//! its reader has stopped taking, while the others go on.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use hyper::rt::Executor;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::debug;

use crate::meet::limits::{HTTP2_STREAM_BUFFER_BYTES, STALLED_WRITE};

tokio::task_local! {
    /// Since when the piece that this stream gave last has not been taken.
    static UNTAKEN_SINCE: Cell<Option<Instant>>;
}

/// The open streams of one connection. hyper hands each over as a future.
#[derive(Clone, Default)]
pub(super) struct Streams {
    open: watch::Sender<usize>,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let open = Open::new(self.open.clone());
        // A future that is moved into another one would have its room there twice.
        let stream = Box::pin(stream);
        let task = async move {
            tokio::select! {
                () = stream => {}
                () = stalled() => debug!("a stream was not read and is reset"),
            }
            drop(open);
        };
        tokio::spawn(UNTAKEN_SINCE.scope(Cell::new(None), task));
    }
}

impl Streams {
    /// Waits until no stream has been open for so long.
    pub(super) async fn idle_for(&self, time: Duration) {
        let mut open = self.open.subscribe();
        loop {
            let _ = open.wait_for(|open| *open == 0).await;
            if tokio::time::timeout(time, open.changed()).await.is_err() {
                return;
            }
        }
    }
}

/// Counts a stream for as long as it is open.
struct Open(watch::Sender<usize>);

impl Open {
    fn new(count: watch::Sender<usize>) -> Open {
        count.send_modify(|open| *open += 1);
        Open(count)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// Waits until this task's stream has left its last piece untaken for too long.
async fn stalled() {
    loop {
        let since = UNTAKEN_SINCE.with(Cell::get);
        if since.is_some_and(|since| since.elapsed() >= STALLED_WRITE) {
            return;
        }
        tokio::time::sleep_until(since.unwrap_or_else(Instant::now) + STALLED_WRITE).await;
    }
}

/// A body in pieces no larger than a stream may buffer: hyper asks for the next one when its reader has made room, so a
/// reader that stops is noticed, and holds no more than one of them.
pub(super) struct Pieces {
    body: Body,
    /// What is left of the frame that the body gave last.
    rest: Bytes,
}

impl Pieces {
    pub(super) fn of(body: Body) -> Pieces {
        Pieces { body, rest: Bytes::new() }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let _ = UNTAKEN_SINCE.try_with(|since| since.set(None));
        if self.rest.is_empty() {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)?) else { return Poll::Ready(None) };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let _ = UNTAKEN_SINCE.try_with(|since| since.set(Some(Instant::now())));
        let bytes = self.rest.len().min(HTTP2_STREAM_BUFFER_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, mut hint) = (self.rest.len() as u64, self.body.size_hint());
        // Upper first: it may never be below the lower one.
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn pieces_are_small_and_lose_nothing() {
        let bytes: Vec<u8> = (0..3 * HTTP2_STREAM_BUFFER_BYTES + 7).map(|n| n as u8).collect();
        let mut pieces = Pieces::of(Body::from(bytes.clone()));
        assert_eq!(pieces.size_hint().exact(), Some(bytes.len() as u64));
        let mut read = Vec::new();
        while let Some(frame) = pieces.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            assert!(data.len() <= HTTP2_STREAM_BUFFER_BYTES);
            read.extend_from_slice(&data);
            assert_eq!(pieces.size_hint().lower(), (bytes.len() - read.len()) as u64);
        }
        assert!(read == bytes && pieces.is_end_stream());
        assert!(Pieces::of(Body::empty()).is_end_stream());
    }

    #[tokio::test]
    async fn a_connection_is_idle_when_no_stream_was_open_for_so_long() {
        let streams = Streams::default();
        let started = Instant::now();
        let moment = Duration::from_millis(20);
        streams.execute(tokio::time::sleep(5 * moment));
        let others = streams.clone();
        tokio::spawn(async move {
            tokio::time::sleep(10 * moment).await;
            others.execute(async {});
        });
        streams.idle_for(7 * moment).await;
        assert!(started.elapsed() >= 17 * moment, "even a short one counts: {:?}", started.elapsed());
    }
}

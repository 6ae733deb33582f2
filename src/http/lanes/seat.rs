//! One reader: its stream, and the line that carries it.

use std::future::poll_fn;
use std::io;

use bytes::Bytes;
use tokio::runtime::Handle;
use tracing::debug;

use super::handover::StreamTaken;
use super::line::Line;
use super::round::Round;
use crate::http::events::EventStream;
use crate::http::serve::connection::has_stalled;
use crate::http::serve::room::Place;
use crate::meet::time::Timestamp;

/// A reader on a socket of its own.
pub(in crate::http) struct Seat {
    pub(super) line: Line,
    pub(super) stream: EventStream,
    /// It is a connection like any other.
    _place: Place,
}

/// What became of something that all readers of a lane were given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// The reader has it, or has had it before.
    All,
    /// It has to be served alone for a while.
    NotAll,
    Gone,
}

impl From<io::Result<bool>> for Given {
    fn from(given: io::Result<bool>) -> Given {
        match given {
            Ok(true) => Given::All,
            Ok(false) => Given::NotAll,
            Err(_) => Given::Gone,
        }
    }
}

impl Seat {
    /// Serves a stream whose socket has been taken, to its end.
    pub(in crate::http) fn start(taken: StreamTaken, place: Place) {
        let StreamTaken { line, stream } = taken;
        Box::new(Seat { line, stream: *stream, _place: place }).serve_alone(&Handle::current());
    }

    /// Serves it in a task of its own until it has everything.
    pub(super) fn serve_alone(self: Box<Self>, home: &Handle) {
        home.spawn(self.alone());
    }

    async fn alone(mut self: Box<Self>) {
        let ended = match self.catch_up().await {
            Ok(true) => {
                let app = self.stream.app().clone();
                return app.lanes.join(self);
            }
            Ok(false) => self.line.end().await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            if has_stalled(&error) {
                self.stream.app().metrics.connections.stalled();
            }
            debug!(%error, "a stream ended");
        }
    }

    /// Sends piece by piece what the stream gives. Tells whether the reader has everything then, or else its stream has ended.
    async fn catch_up(&mut self) -> io::Result<bool> {
        let Seat { line, stream, .. } = self;
        loop {
            line.flush().await?;
            if stream.is_settled() {
                return Ok(true);
            }
            let piece = tokio::select! {
                piece = stream.next() => piece,
                () = poll_fn(|context| line.poll_gone(context)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
            let Some(piece) = piece else { return Ok(false) };
            line.put(piece);
        }
    }

    /// Its next heartbeat, as it travels.
    pub(super) fn heartbeat(&self) -> Bytes {
        self.line.framing.frame(self.stream.heartbeat())
    }

    /// Gives it a heartbeat that was made for its place in the log.
    pub(super) fn beat(&mut self, heartbeat: &Bytes, now: Timestamp) -> Given {
        self.stream.beats(now);
        self.line.give(heartbeat, 0).into()
    }

    /// Ends its stream with a word; whoever has taken that is gone.
    pub(super) fn say_goodbye(&mut self) -> Given {
        let Some(words) = self.stream.last_words() else { return Given::NotAll };
        match self.line.give(&self.line.framing.frame(words), 0) {
            Ok(true) => {
                // It knows that nothing follows, whether it takes this or not.
                self.line.hang_up();
                Given::Gone
            }
            given => given.into(),
        }
    }

    /// Gives it what it lacks of a round.
    pub(super) fn give(&mut self, round: &mut Round, now: Timestamp) -> Given {
        let cursor = self.stream.cursor();
        let Some(from) = round.starts_after(cursor) else {
            return if cursor >= round.to() { Given::All } else { Given::NotAll };
        };
        let given = self.line.give(round.bytes(), from);
        self.stream.sent(round.to(), now);
        given.into()
    }
}

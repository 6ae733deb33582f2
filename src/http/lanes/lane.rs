//! One lane: the readers of a meet that have everything and are sent the same bytes.

use std::sync::Arc;
use std::task::Context;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::Kind;
use super::bells::Bells;
use super::round::Round;
use super::seat::{Given, Seat};
use super::threads::give_way;
use crate::http::App;
use crate::meet::limits::{HEARTBEAT_EVERY, ROUND_SLICE};
use crate::metrics::Transport;
use crate::relay::follower::Follower;
use crate::relay::live::LiveMeet;

pub(super) struct Lane {
    kind: Kind,
    app: Arc<App>,
    live: Arc<LiveMeet>,
    /// Where readers are served alone: their sockets belong there, and rounds do not wait for them.
    home: Handle,
    /// Goes ahead of all readers: what it is given all are given.
    pilot: Follower,
    /// Some of it may not have reached those who were just coming.
    last: Round,
    seats: Vec<Option<Box<Seat>>>,
    free: Vec<usize>,
    bells: Bells,
    next_beat: Instant,
    /// Not after the first of its streams ends by itself.
    next_end: Option<Instant>,
    told_finished: bool,
}

/// What a lane waits for.
enum Wake {
    Comer(Option<Box<Seat>>),
    /// Some readers may be gone.
    Bells,
    /// Some streams have to end.
    End,
    Finished,
    Beat,
    News,
}

impl Lane {
    /// A lane for readers like this one.
    pub(super) fn new(kind: Kind, first: &Seat) -> Lane {
        let stream = &first.stream;
        Lane {
            kind,
            app: Arc::clone(stream.app()),
            live: Arc::clone(stream.live()),
            home: Handle::current(),
            pilot: stream.pilot(),
            last: Round::nothing(stream.cursor()),
            seats: Vec::new(),
            free: Vec::new(),
            bells: Bells::default(),
            next_beat: stream.next_heartbeat(),
            next_end: None,
            told_finished: stream.live().committed.finished_at().is_some(),
        }
    }

    /// Serves readers until there are none.
    pub(super) async fn run(mut self, mut comers: mpsc::UnboundedReceiver<Box<Seat>>) {
        let mut revoked = self.live.revoked.subscribe();
        loop {
            match self.wait(&mut comers, &mut revoked).await {
                Wake::Comer(Some(seat)) => self.admit(seat),
                Wake::Comer(None) => return,
                Wake::Bells => self.look_around(),
                Wake::End => {
                    self.end_streams().await;
                    // A server that stops is not asked again who came.
                    while let Ok(seat) = comers.try_recv() {
                        self.admit(seat);
                    }
                }
                Wake::Finished => {
                    self.told_finished = true;
                    self.dismiss();
                }
                Wake::Beat => self.beat().await,
                Wake::News => self.round().await,
            }
            if self.free.len() == self.seats.len() && self.app.lanes.close(&self.kind, &comers) {
                return;
            }
        }
    }

    async fn wait(&mut self, comers: &mut mpsc::UnboundedReceiver<Box<Seat>>, revoked: &mut watch::Receiver<()>) -> Wake {
        let next_end = self.next_end;
        let end = async {
            match next_end {
                Some(end) => sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.app.stopping.cancelled() => Wake::End,
            () = self.live.ended.cancelled() => Wake::End,
            _ = revoked.changed() => Wake::End,
            () = end => Wake::End,
            () = sleep_until(self.next_beat) => Wake::Beat,
            comer = comers.recv() => Wake::Comer(comer),
            () = self.bells.rung() => Wake::Bells,
            () = self.pilot.news() => Wake::News,
            // Only behind all news.
            () = self.live.committed.until_finished(), if !self.told_finished => Wake::Finished,
        }
    }

    /// Seats a reader. Where the lane has gone on while the reader was on its way, the last round has what it lacks.
    fn admit(&mut self, mut seat: Box<Seat>) {
        if !seat.stream.is_plain() {
            return seat.serve_alone(&self.home);
        }
        let now = self.live.now();
        let mut given = seat.give(&mut self.last, now);
        self.last.count(&self.app.metrics.streams, self.transport());
        if given == Given::All && seat.stream.next_heartbeat() < self.next_beat {
            // Its own would be due before the lane's.
            let heartbeat = seat.heartbeat();
            self.app.metrics.streams.sent(self.transport(), 1, heartbeat.len(), 0);
            given = seat.beat(&heartbeat, now);
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.seats.push(None);
            self.seats.len() - 1
        });
        self.next_end = [self.next_end, seat.stream.ends_at()].into_iter().flatten().min();
        self.seats[place] = Some(seat);
        self.settle(place, given);
        self.listen_to(place);
    }

    /// Gives everybody what has become durable, and gives way in between.
    async fn round(&mut self) {
        let mut round = Round::collect(&mut self.pilot, self.kind.format, self.kind.framing);
        let (now, mut sent) = (self.live.now(), 0_usize);
        for place in 0..self.seats.len() {
            let Some(seat) = &mut self.seats[place] else { continue };
            let given = seat.give(&mut round, now);
            self.settle(place, given);
            sent += 1;
            if sent.is_multiple_of(ROUND_SLICE) {
                give_way().await;
            }
        }
        round.count(&self.app.metrics.streams, self.transport());
        self.last = round;
    }

    /// One heartbeat for all: at the same place of the log it says the same to everyone.
    async fn beat(&mut self) {
        self.next_beat = Instant::now() + HEARTBEAT_EVERY;
        self.last = Round::nothing(self.pilot.cursor());
        let (now, mut sent, mut shared) = (self.live.now(), 0_usize, None::<(u64, Bytes)>);
        for place in 0..self.seats.len() {
            let Some(seat) = &mut self.seats[place] else { continue };
            let cursor = seat.stream.cursor();
            let (_, heartbeat) = match shared.take().filter(|(at, _)| *at == cursor) {
                Some(shared) => shared,
                None => (cursor, seat.heartbeat()),
            };
            self.app.metrics.streams.sent(self.kind.format.into(), 1, heartbeat.len(), 0);
            let given = seat.beat(&heartbeat, now);
            shared = Some((cursor, heartbeat));
            self.settle(place, given);
            sent += 1;
            if sent.is_multiple_of(ROUND_SLICE) {
                give_way().await;
            }
        }
    }

    /// Looks who of those whose bell has rung is gone.
    fn look_around(&mut self) {
        for place in self.bells.answer() {
            self.listen_to(place);
        }
    }

    /// Gives up a seat where its reader is gone; its bell rings when that may have changed.
    fn listen_to(&mut self, place: usize) {
        let Some(seat) = &mut self.seats[place] else { return };
        let bell = self.bells.bell(place);
        if seat.line.poll_gone(&mut Context::from_waker(&bell)).is_ready() {
            drop(self.leave(place));
        }
    }

    /// Streams that have to end say so, and give way in between.
    async fn end_streams(&mut self) {
        let mut said = 0_usize;
        for place in 0..self.seats.len() {
            let Some(seat) = self.seats[place].as_mut().filter(|seat| seat.stream.must_end()) else { continue };
            let given = seat.say_goodbye();
            self.settle(place, given);
            said += 1;
            if said.is_multiple_of(ROUND_SLICE) {
                give_way().await;
            }
        }
        self.next_end = self.seats.iter().flatten().filter_map(|seat| seat.stream.ends_at()).min();
    }

    /// All have to be told something of their own.
    fn dismiss(&mut self) {
        for place in 0..self.seats.len() {
            self.settle(place, Given::NotAll);
        }
    }

    /// Whoever could not take what it was given leaves.
    fn settle(&mut self, place: usize, given: Given) {
        match given {
            Given::All => {}
            Given::NotAll => {
                if let Some(seat) = self.leave(place) {
                    seat.serve_alone(&self.home);
                }
            }
            Given::Gone => drop(self.leave(place)),
        }
    }

    fn leave(&mut self, place: usize) -> Option<Box<Seat>> {
        let seat = self.seats[place].take()?;
        self.free.push(place);
        Some(seat)
    }

    fn transport(&self) -> Transport {
        self.kind.format.into()
    }
}

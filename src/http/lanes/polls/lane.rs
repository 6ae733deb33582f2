//! One lane: all who poll for news of a meet.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::Waker;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::caller::{Caller, Given};
use super::date::Date;
use crate::http::App;
use crate::http::lanes::bells::Bells;
use crate::http::lanes::threads::give_way;
use crate::meet::limits::ROUND_SLICE;
use crate::relay::live::LiveMeet;

/// Bytes that are read at once: a few heads.
const READ_BYTES: usize = 4 * 1024;

pub(super) struct Lane {
    meet: usize,
    app: Arc<App>,
    live: Arc<LiveMeet>,
    /// Where hyper serves connections.
    home: Handle,
    head: watch::Receiver<u64>,
    /// The head that all have been answered for.
    seen: u64,
    known: Known,
    callers: Vec<Option<(Box<Caller>, Waker)>>,
    free: Vec<usize>,
    bells: Bells,
    /// When somebody is due, and who.
    due: BTreeSet<(Instant, usize)>,
    date: Date,
    out: Vec<u8>,
    buffer: Vec<u8>,
}

/// What has happened to a meet and its server for good, as far as all have been told.
#[derive(Clone, Copy)]
struct Known {
    stopping: bool,
    ended: bool,
    finished: bool,
}

impl Known {
    fn now(app: &App, live: &LiveMeet) -> Known {
        let finished = live.committed.finished_at().is_some();
        Known { stopping: app.stopping.is_cancelled(), ended: live.ended.is_cancelled(), finished }
    }
}

/// What a lane waits for.
enum Wake {
    Caller(Option<Box<Caller>>),
    /// Some may have said something, or be gone.
    Bells,
    Due,
    /// News, or the end of something.
    News,
}

impl Lane {
    /// A lane for the meet of this caller.
    pub(super) fn new(meet: usize, first: &Caller) -> Lane {
        let (app, live) = (Arc::clone(&first.app), Arc::clone(first.live()));
        Lane {
            meet,
            home: Handle::current(),
            head: live.committed.subscribe(),
            seen: live.committed.head(),
            known: Known::now(&app, &live),
            callers: Vec::new(),
            free: Vec::new(),
            bells: Bells::default(),
            due: BTreeSet::new(),
            date: Date::default(),
            out: Vec::new(),
            buffer: vec![0; READ_BYTES],
            app,
            live,
        }
    }

    /// Serves callers until there are none.
    pub(super) async fn run(mut self, mut callers: mpsc::UnboundedReceiver<Box<Caller>>) {
        let mut revoked = self.live.revoked.subscribe();
        loop {
            match self.wait(&mut callers, &mut revoked).await {
                Wake::Caller(Some(caller)) => self.admit(caller),
                Wake::Caller(None) => return,
                Wake::Bells => self.listen().await,
                Wake::Due => self.end_waits(),
                Wake::News => self.round().await,
            }
            if self.free.len() == self.callers.len() && self.app.lanes.close_polls(self.meet, &callers) {
                return;
            }
        }
    }

    async fn wait(&mut self, callers: &mut mpsc::UnboundedReceiver<Box<Caller>>, revoked: &mut watch::Receiver<()>) -> Wake {
        let Lane { app, live, head, seen, known, due, bells, .. } = self;
        let first_due = async {
            match due.first() {
                Some((due, _)) => sleep_until(*due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            caller = callers.recv() => Wake::Caller(caller),
            _ = head.wait_for(|head| *head > *seen) => Wake::News,
            () = app.stopping.cancelled(), if !known.stopping => Wake::News,
            () = live.ended.cancelled(), if !known.ended => Wake::News,
            () = live.committed.until_finished(), if !known.finished => Wake::News,
            _ = revoked.changed() => Wake::News,
            () = first_due => Wake::Due,
            () = bells.rung() => Wake::Bells,
        }
    }

    fn admit(&mut self, caller: Box<Caller>) {
        let caller = match caller.moved_here() {
            Ok(caller) => caller,
            Err(error) => return debug!(%error, "a connection ended"),
        };
        let place = self.free.pop().unwrap_or_else(|| {
            self.callers.push(None);
            self.callers.len() - 1
        });
        self.due.insert((caller.due, place));
        let is_answerable = caller.is_answerable(self.live.committed.head());
        self.callers[place] = Some((caller, self.bells.bell(place)));
        if is_answerable {
            self.answer(place);
        }
        self.listen_to(place);
    }

    /// Answers everybody whom something has happened for, and gives way in between.
    async fn round(&mut self) {
        self.known = Known::now(&self.app, &self.live);
        self.seen = self.live.committed.head();
        let mut answered = 0_usize;
        for place in 0..self.callers.len() {
            let Some((caller, _)) = &self.callers[place] else { continue };
            if caller.is_answerable(self.seen) {
                self.answer(place);
                answered += 1;
                if answered.is_multiple_of(ROUND_SLICE) {
                    give_way().await;
                }
            } else if self.known.stopping {
                self.leave(place);
            }
        }
    }

    /// Looks who of those whose bell has rung has asked again or is gone.
    async fn listen(&mut self) {
        for (nth, place) in self.bells.answer().into_iter().enumerate() {
            self.listen_to(place);
            if nth % ROUND_SLICE == ROUND_SLICE - 1 {
                give_way().await;
            }
        }
    }

    fn listen_to(&mut self, place: usize) {
        let Some((caller, bell)) = &mut self.callers[place] else { return };
        if !caller.hear(bell, &mut self.buffer) {
            self.leave(place);
            return;
        }
        if caller.has_heard() && !caller.is_waiting() {
            self.understand(place);
        }
    }

    /// Somebody who waits for nothing has said something.
    fn understand(&mut self, place: usize) {
        let Some((caller, _)) = &mut self.callers[place] else { return };
        let due = caller.due;
        if !caller.asks_again() {
            if let Some(caller) = self.leave(place) {
                caller.go_home(&self.home);
            }
            return;
        }
        self.due.remove(&(due, place));
        self.due.insert((caller.due, place));
        if !caller.is_waiting() || caller.is_answerable(self.live.committed.head()) {
            self.answer(place);
        }
    }

    fn answer(&mut self, place: usize) {
        let Some((caller, _)) = &mut self.callers[place] else { return };
        let (due, closes) = (caller.due, self.known.stopping);
        match caller.give(self.date.now(), closes, &mut self.out) {
            Given::All if !closes => {
                self.due.remove(&(due, place));
                self.due.insert((caller.due, place));
                if caller.has_heard() {
                    self.understand(place);
                }
            }
            Given::NotAll(rest) => {
                caller.due = due;
                if let Some(caller) = self.leave(place) {
                    caller.serve_alone(rest, closes, &self.home);
                }
            }
            Given::All | Given::Gone => {
                caller.due = due;
                self.leave(place);
            }
        }
    }

    /// Answers those who have waited for long enough, and closes connections on which nobody has asked for too long.
    fn end_waits(&mut self) {
        let now = Instant::now();
        while let Some(&(due, place)) = self.due.first()
            && due <= now
        {
            if self.callers[place].as_ref().is_some_and(|(caller, _)| caller.is_waiting()) {
                self.answer(place);
            } else {
                self.leave(place);
            }
        }
    }

    fn leave(&mut self, place: usize) -> Option<Box<Caller>> {
        let (caller, _) = self.callers[place].take()?;
        self.due.remove(&(caller.due, place));
        self.free.push(place);
        Some(caller)
    }
}

//! Streams on sockets of their own: one task writes to all readers of a meet that are sent the same bytes.
//!
//! A stream on HTTP/1 begins like every other: a handler answers through axum and hyper. Once the head of the answer is out, the
//! socket is taken back from hyper ([`handover`]) and becomes, with its [`EventStream`], a [`seat::Seat`]. The stream alone says what is
//! sent; who carries it changes:
//!
//! - A reader that lacks something, has to be told something of its own, or whose socket is full, is served **alone**, by a
//!   small task that asks its stream piece by piece and waits for the socket as long as any connection may.
//! - A reader that has everything sits in a **lane**, with all that are sent the same ([`lane`]). What is committed while a lane makes
//!   its **round** goes out together in the next one: encoded once, one write for each reader. Whoever is not where the round starts,
//!   or does not take all of it, is served alone until it is. Lanes run on [`threads`] that do nothing else.
//!
//! Under TLS the session comes along with the socket ([`Socket`]), and seals the bytes of a round anew for each reader. HTTP/2 cannot be
//! written to from outside, so its streams stay bodies of hyper's. What reaches a reader is the same.
//!
//! [`Socket`]: super::serve::socket::Socket

mod bells;
pub(super) mod handover;
mod lane;
mod line;
pub(super) mod polls;
mod round;
pub(super) mod seat;
mod threads;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::meet::key::Key;
use crate::wire::stream::Format;

use lane::Lane;
use line::Framing;
use seat::Seat;
use threads::Threads;

/// The lanes of all meets.
#[derive(Default)]
pub(super) struct Lanes {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    lanes: HashMap<Kind, mpsc::UnboundedSender<Box<Seat>>>,
    /// Those who poll, by the address of the open meet.
    polls: HashMap<usize, mpsc::UnboundedSender<Box<polls::Caller>>>,
    threads: Threads,
}

/// What readers have in common that are sent the same bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    /// The address of the open meet, which its lanes keep open.
    meet: usize,
    is_editor: bool,
    /// What they want to hear of; empty for everything.
    paths: Arc<[Key]>,
    format: Format,
    framing: Framing,
}

impl Kind {
    fn of(seat: &Seat) -> Kind {
        let stream = &seat.stream;
        Kind {
            meet: Arc::as_ptr(stream.live()) as usize,
            is_editor: stream.is_editors(),
            paths: Arc::clone(stream.paths()),
            format: stream.format(),
            framing: seat.line.framing,
        }
    }
}

impl Lanes {
    /// Gives a reader that has everything a seat in its lane. No more wait for one than there are connections.
    fn join(&self, seat: Box<Seat>) {
        let kind = Kind::of(&seat);
        let mut open = self.open();
        let seat = match open.lanes.get(&kind) {
            None => seat,
            Some(lane) => match lane.send(seat) {
                Ok(()) => return,
                Err(mpsc::error::SendError(seat)) => seat,
            },
        };
        let (lane, (joins, comers)) = (Lane::new(kind.clone(), &seat), mpsc::unbounded_channel());
        // Nobody has dropped the other end yet.
        let _ = joins.send(seat);
        open.lanes.insert(kind, joins);
        open.threads.next().spawn(lane.run(comers));
    }

    /// Closes a lane, unless somebody is about to come.
    fn close(&self, kind: &Kind, comers: &mpsc::UnboundedReceiver<Box<Seat>>) -> bool {
        let mut open = self.open();
        let is_over = comers.is_empty();
        if is_over {
            open.lanes.remove(kind);
        }
        is_over
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

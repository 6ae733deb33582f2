//! Long-polls on HTTP/1: one task answers all that wait for news of a meet, and hears who asks again.
//!
//! A poll begins like every request. Where it has to wait, its socket is taken back from hyper ([`super::handover`]) with the head of its
//! answer as hyper has written it, and becomes a [`caller::Caller`] of its meet's [`lane::Lane`]. Its answer is that head with what is
//! different each time: length, date and id ([`head::AnswerHead`]).
//!
//! Who then asks the same from the next cursor on, byte for byte ([`head::Question`]), is asking with the same rights in the same words,
//! so the poll needs no second look: it waits again. Anything else that comes, even in part, goes back to hyper with the socket.

mod caller;
mod date;
mod head;
mod lane;
mod poll;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::Lanes;
use crate::http::serve::connection::Home;
use crate::http::serve::socket::Socket;
use lane::Lane;

pub(super) use caller::Caller;
pub(in crate::http) use poll::{Poll, Waiting};

/// A poll with the socket on which it waits.
pub(in crate::http) struct Held {
    pub(super) socket: Socket,
    pub(super) poll: Box<Poll>,
    /// The head of its answer.
    pub(super) head: Vec<u8>,
    /// What hyper has read up to here, where that is all that it has read.
    pub(super) heard: Option<Vec<u8>>,
    /// What was read before, and not by hyper again.
    pub(super) ahead: Bytes,
}

impl Held {
    /// Waits for the answer. `rest` is what was read beyond the request, and `home` where the socket goes afterwards.
    pub(in crate::http) fn wait(self, rest: Bytes, home: Home) {
        let app = Arc::clone(&self.poll.app);
        if let Some(caller) = Caller::new(self, rest, home) {
            app.lanes.call(Box::new(caller));
        }
    }
}

impl Lanes {
    /// Gives a caller to the lane of its meet.
    fn call(&self, caller: Box<Caller>) {
        let meet = caller.meet();
        let mut open = self.open();
        let caller = match open.polls.get(&meet) {
            None => caller,
            Some(lane) => match lane.send(caller) {
                Ok(()) => return,
                Err(mpsc::error::SendError(caller)) => caller,
            },
        };
        let (lane, (calls, callers)) = (Lane::new(meet, &caller), mpsc::unbounded_channel());
        // Nobody has dropped the other end yet.
        let _ = calls.send(caller);
        open.polls.insert(meet, calls);
        open.threads.next().spawn(lane.run(callers));
    }

    /// Closes the lane of a meet, unless somebody is about to come.
    fn close_polls(&self, meet: usize, callers: &mpsc::UnboundedReceiver<Box<Caller>>) -> bool {
        let mut open = self.open();
        let is_over = callers.is_empty();
        if is_over {
            open.polls.remove(&meet);
        }
        is_over
    }
}

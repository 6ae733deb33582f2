//! What a meet's mailbox holds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::meet::outcome::Decision;
use crate::meet::restore::Handed;
use crate::meet::time::Timestamp;
use crate::meet::update::{Batch, Writer};

use super::live::Fault;

/// Something for the meet's writer to do, and where to answer.
pub(super) enum Order {
    Push(Push),
    Finish(Finish),
    Restore(Restore),
    Bring(Bring),
    /// Nobody is waited for any longer: what was brought is applied.
    Settle,
    Carry(Carry),
    /// The meet is to leave a checkpoint.
    Rest(oneshot::Sender<()>),
    /// Another meet takes the place of this one: nothing is written any more.
    Retire(oneshot::Sender<()>),
}

/// A batch on its way to the writer.
pub(super) struct Push {
    pub(super) batch: Batch,
    /// When it came.
    pub(super) came: Instant,
    pub(super) reply: oneshot::Sender<Result<Decision, Fault>>,
    pub(super) _pending: Pending,
}

/// The meet is to be finished; answered with when it was.
pub(super) struct Finish {
    /// Who wants it.
    pub(super) by: Writer,
    pub(super) reply: oneshot::Sender<Result<Timestamp, Fault>>,
    pub(super) _pending: Pending,
}

/// A page of a log that a client hands back.
pub(super) struct Restore {
    /// Whose log it is.
    pub(super) by: Writer,
    pub(super) page: Handed,
    /// Locations that somebody has joined from, so that may have something to hand back.
    pub(super) expected: Vec<Arc<str>>,
    pub(super) reply: oneshot::Sender<Result<Restoration, Fault>>,
    pub(super) _pending: Pending,
}

/// A page of a log that no key vouches for.
pub(super) struct Bring {
    /// Whose log it is.
    pub(super) by: Writer,
    pub(super) page: Handed,
    /// Every location, each of which may bring something, with its priority.
    pub(super) locations: HashMap<Arc<str>, i64>,
    pub(super) reply: oneshot::Sender<Result<Restoration, Fault>>,
    pub(super) _pending: Pending,
}

/// Somebody has shown a password of the meet, and whether the one whose place it took had the same.
pub(super) struct Carry {
    pub(super) is_same: bool,
    pub(super) reply: oneshot::Sender<Result<(), Fault>>,
    pub(super) _pending: Pending,
}

/// What became of a page that a client handed back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restoration {
    /// What is new in it is durable.
    Taken {
        /// Whether the client's history has left the log's.
        forked: bool,
    },
    /// It does not join the log.
    Apart,
    /// The meet is finished, and there is something new in the page.
    Finished,
    /// The chain is not what this server's key gives.
    Forged,
    /// The meet has collected as much as it may.
    Full,
}

/// Keeps the meet open until an order is answered, even where nobody waits for the answer any more.
pub(super) type Pending = Arc<()>;

impl Push {
    /// A client that went away hears nothing; its updates are in the log all the same.
    pub(super) fn answer(self, decision: Result<Decision, Fault>) {
        let Push { reply, _pending: pending, .. } = self;
        // Before anybody hears it: who has its answer must not find the meet still at work on it.
        drop(pending);
        let _ = reply.send(decision);
    }
}

impl Order {
    /// A client that went away hears nothing.
    pub(super) fn refuse(self, fault: Fault) {
        match self {
            Order::Push(push) => push.answer(Err(fault)),
            Order::Finish(finish) => drop(finish.reply.send(Err(fault))),
            Order::Restore(restore) => drop(restore.reply.send(Err(fault))),
            Order::Bring(bring) => drop(bring.reply.send(Err(fault))),
            Order::Carry(carry) => drop(carry.reply.send(Err(fault))),
            Order::Settle | Order::Rest(_) | Order::Retire(_) => {}
        }
    }
}

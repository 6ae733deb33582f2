//! Edits that the log does not have yet, shown on top of it.

use std::collections::BTreeMap;

use crate::meet::chain::Cursor;
use crate::meet::key::Key;
use crate::meet::state::{State, Undo};
use crate::meet::update::Op;

use super::record::{Acked, Edit, Edited};

/// An edit on its way into the log.
///
/// ```
/// use liftrelay::client::replica::{Edit, Replica};
///
/// let mut replica = Replica::default();
/// let record = replica.edit(Edit::set("lot", "7")?)?;
/// replica.apply(&record);
/// let pending = replica.pending().next().ok_or("one waits")?;
/// assert_eq!((pending.number, pending.edit.key.as_str(), pending.acked), (1, "lot", None));
/// assert!(pending.is_shown());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pending {
    /// Its `localSeqNum`.
    pub number: u64,
    /// What the user wants.
    pub edit: Edit,
    /// What the user had seen.
    pub after: Cursor,
    /// Number of the first edit made in one go with it: they ride in one batch.
    pub group: u64,
    /// The server's answer, where its entry is all that is missing.
    pub acked: Option<Acked>,
    /// Whether something stood around its key when it was made.
    parent_stood: bool,
    /// How to take it back; `None` while it cannot be shown.
    undo: Option<Undo>,
}

impl Pending {
    /// Whether the shown state holds it. One that cannot apply to what the log says now shows nothing, and stays pending.
    pub fn is_shown(&self) -> bool {
        self.undo.is_some()
    }

    fn show(&mut self, state: &mut State) {
        self.undo = fits(state, &self.edit, self.parent_stood).then(|| match &self.edit.value {
            Some(value) => state.set(&self.edit.key, value.clone()),
            None => state.remove(&self.edit.key),
        });
    }
}

/// The pending log, by `localSeqNum`, which is the order in which edits were made.
#[derive(Debug, Default)]
pub(super) struct PendingLog(BTreeMap<u64, Pending>);

impl PendingLog {
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Pending> {
        self.0.values()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.0.values_mut()
    }

    pub(super) fn get(&self, number: u64) -> Option<&Pending> {
        self.0.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Pending> {
        self.0.get_mut(&number)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes edits in. `state` is the shown state, which tells what they were made on.
    pub(super) fn add(&mut self, edited: &Edited, state: &mut State) {
        for (number, edit) in (edited.first..).zip(&edited.edits) {
            let parent_stood = parent(&edit.key).is_some_and(|key| state.get(&key).is_some());
            let mut pending =
                Pending { number, edit: edit.clone(), after: edited.after, group: edited.first, acked: None, parent_stood, undo: None };
            pending.show(state);
            self.0.insert(number, pending);
        }
    }

    /// Takes an edit back in whose entry the server has lost. To be shown again with the others.
    pub(super) fn add_lost(&mut self, number: u64, edit: Edit, after: Cursor) {
        self.0.insert(number, Pending { number, edit, after, group: number, acked: None, parent_stood: false, undo: None });
    }

    /// Takes an edit out while none is shown.
    pub(super) fn remove(&mut self, number: u64) -> Option<Pending> {
        self.0.remove(&number)
    }

    /// Takes all edits off the shown state, newest first: what is left is the canonical state.
    pub(super) fn hide_all(&mut self, state: &mut State) {
        for pending in self.0.values_mut().rev() {
            if let Some(undo) = pending.undo.take() {
                state.undo(&pending.edit.key, undo);
            }
        }
    }

    /// Puts all edits onto the state again, as far as they can apply.
    pub(super) fn show_all(&mut self, state: &mut State) {
        self.0.values_mut().for_each(|pending| pending.show(state));
    }
}

/// Whether an edit would change the state in the way its author meant.
fn fits(state: &State, edit: &Edit, parent_stood: bool) -> bool {
    let stands = state.get(&edit.key).is_some();
    let means_it = match edit.op {
        Op::Create => !stands,
        Op::Remove => stands,
        // A field of an object that is gone meanwhile must not bring back a ghost of it.
        Op::Set => stands || !parent_stood || parent(&edit.key).is_some_and(|key| state.get(&key).is_some()),
    };
    means_it && state.check(&edit.key, edit.op).is_ok()
}

fn parent(key: &Key) -> Option<Key> {
    key.above(key.segments().len() - 1)
}

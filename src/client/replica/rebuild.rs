//! A server whose history is another one: its log is read from the start, and takes the old one's place when it is whole.

use std::sync::Arc;

use crate::meet::chain::Cursor;
use crate::meet::entry::EntryFields;
use crate::meet::state::State;

use super::canonical::{Canonical, content};
use super::news::News;
use super::record::{Edit, Page};
use super::{Replica, fold};

impl Replica {
    pub(super) fn reset(&mut self) {
        self.rebuild = Some(Canonical::default());
        self.pending.iter_mut().for_each(|pending| pending.acked = None);
    }

    pub(super) fn rebuild_page(&mut self, page: &Page, news: &mut News) {
        let Some(fresh) = &mut self.rebuild else { return };
        for entry in &page.entries {
            fresh.push(entry, self.identity.as_ref());
        }
        fresh.end_page(page);
        if !page.more && page.cursor.seq == fresh.head() && fresh.head() >= page.head {
            self.swap(news);
        }
    }

    /// The new history takes the old one's place. No pending edit is shown meanwhile.
    ///
    /// What this client had seen is now the part that both histories share. Its own entries that the new one does not
    /// have are edits once more: sent again under their old numbers they are committed, or their refusal is told.
    fn swap(&mut self, news: &mut News) {
        let Some(fresh) = self.rebuild.take() else { return };
        let fork = fresh.shared(&self.canonical);
        let former = std::mem::replace(&mut self.canonical, fresh);
        self.state = State::default();
        for entry in self.canonical.entries() {
            fold(&mut self.state, entry);
        }
        for pending in self.pending.iter_mut() {
            pending.after = Cursor { seq: pending.after.seq.min(fork), tag: None };
        }
        self.take_back_lost(former.after(fork), fork);
        news.everything = true;
    }

    fn take_back_lost(&mut self, former: &[Arc<EntryFields>], fork: u64) {
        let own = former.iter().filter(|entry| self.identity.as_ref().is_some_and(|identity| identity.wrote(entry)));
        let lost = own.filter_map(|entry| Some((entry, entry.local_seq_num?)));
        let lost: Vec<_> = lost.filter(|(_, number)| self.canonical.own(*number).is_none()).collect();
        for (entry, number) in lost {
            if let Some((key, value)) = content(entry) {
                self.pending.add_lost(number, Edit { op: entry.op, key, value }, Cursor { seq: fork, tag: None });
            }
        }
    }
}

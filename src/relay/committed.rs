//! The committed view of a meet: what is durable, so what anyone may see.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::meet::Meet;
use crate::meet::chain::Cursor;
use crate::meet::entry::Entry;
use crate::meet::key::Key;
use crate::meet::limits::{EVENT_MAX_BYTES, PAGE_DEFAULT_ENTRIES, PAGE_MAX_BYTES};
use crate::meet::log::Log;
use crate::meet::outcome::LostCursor;
use crate::meet::settings::PrivatePaths;
use crate::meet::state::State;
use crate::meet::time::Timestamp;
use crate::meet::value::{Value, hash_hex};
use crate::wire::audience::{Audience, Relayed};
use crate::wire::message::{Message, Page, Position, StateReply, Status};

use super::frames::{Frame, Frames, position};
use super::pulled::{self, Asked, Pulled};

/// The durable log and its fold, shared by all readers of a meet.
#[derive(Debug)]
pub struct Committed {
    view: RwLock<View>,
    head: watch::Sender<u64>,
    /// Cancelled once the log is there from its first entry on.
    whole: CancellationToken,
    private: Arc<PrivatePaths>,
    recovering: AtomicBool,
    finished_at: OnceLock<Timestamp>,
    /// Cancelled once `finished_at` is set.
    finished: CancellationToken,
}

#[derive(Debug)]
struct View {
    log: Log,
    state: State,
    frames: Frames,
    /// The state at the head as text, for editors and for viewers, once somebody asked.
    texts: [Option<Arc<StateText>>; 2],
    /// Pages that somebody asked for since the head moved.
    pulled: Pulled,
}

/// The state at one number as one kind of reader sees it.
#[derive(Debug)]
pub struct StateText {
    /// Canonical JSON.
    pub text: Box<RawValue>,
    /// Its lower-case hex SHA-256.
    pub hash: String,
    /// The body of an answer with it, once somebody asked.
    body: OnceLock<Bytes>,
}

impl StateText {
    #[expect(clippy::expect_used, reason = "canonical JSON is JSON")]
    fn new(canonical: String) -> StateText {
        let (hash, body) = (hash_hex(&canonical), OnceLock::new());
        StateText { hash, text: RawValue::from_string(canonical).expect("canonical JSON"), body }
    }

    /// The reply that carries it.
    pub fn reply(&self, position: Position) -> StateReply {
        StateReply { state: self.text.clone(), position, state_hash: self.hash.clone() }
    }

    /// The same as the body of an answer. A text has one place and one kind of reader, so it is written once for all who ask.
    pub fn body(&self, position: Position) -> Bytes {
        self.body.get_or_init(|| (Message::State(self.reply(position)).to_json() + "\n").into()).clone()
    }
}

/// What comes next for a follower.
pub(super) enum Chunk {
    /// A whole frame, shared with other followers.
    Frame(Arc<Frame>),
    /// Entries that no frame holds any more.
    Page(Page),
}

impl Committed {
    /// The view of a log and its fold.
    pub fn new(log: Log, state: State, private: PrivatePaths) -> Committed {
        let head = watch::Sender::new(log.head());
        let view = View { log, state, frames: Frames::default(), texts: [None, None], pulled: Pulled::default() };
        let (whole, recovering, finished_at, finished) = <(CancellationToken, _, _, _)>::default();
        if view.log.first() == 0 {
            whole.cancel();
        }
        Committed { view: RwLock::new(view), head, whole, private: Arc::new(private), recovering, finished_at, finished }
    }

    /// Whether a log that was read tells the same as this view of its end.
    pub(super) fn is_of(&self, meet: &Meet) -> bool {
        let view = self.view();
        view.log.head() == meet.log().head() && view.log.head_chain() == meet.log().head_chain() && view.state == *meet.state()
    }

    /// The log is there from its first entry on.
    pub(super) fn complete(&self, log: Log) {
        self.view_mut().log = log;
        self.whole.cancel();
    }

    /// Whether the log is there from its first entry on.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.is_cancelled()
    }

    /// Waits until it is.
    pub(super) async fn until_whole(&self) {
        self.whole.cancelled().await;
    }

    /// Whether the log is there from behind a number on.
    pub fn has_from(&self, seq: u64) -> bool {
        self.is_whole() || self.view().log.first() <= seq
    }

    /// Shows entries that have become durable, as one frame, and wakes all followers.
    pub(super) fn publish(&self, entries: &[Arc<Entry>]) {
        // A key that was committed can be read.
        let read = |entry: &Arc<Entry>| Some((Key::parse(&entry.fields.update_key).ok()?, entry.value()));
        let read: Vec<_> = entries.iter().filter_map(read).collect();
        self.show(entries.to_vec(), read.iter().map(|(key, value)| (key, value.clone())));
    }

    /// The same where key and value of each are at hand.
    pub(super) fn show<'a>(&self, entries: Vec<Arc<Entry>>, changes: impl Iterator<Item = (&'a Key, Option<Value>)>) {
        let Some(last) = entries.last().map(|entry| entry.seq()) else { return };
        // Copying values may take long, so it happens before anybody has to wait.
        let (status, changes) = (self.status(), changes.collect::<Vec<_>>());
        debug_assert_eq!(changes.len(), entries.len(), "each entry changes the state");
        {
            let mut view = self.view_mut();
            changes.into_iter().for_each(|(key, value)| view.state.fold(key, value));
            entries.iter().for_each(|entry| view.log.push(Arc::clone(entry)));
            view.frames.push(entries, status);
            view.texts = [None, None];
            view.pulled.forget();
        }
        self.head.send_replace(last);
    }

    /// Whether the meet comes back from its clients.
    pub(super) fn set_recovering(&self, recovering: bool) {
        self.recovering.store(recovering, Ordering::Release);
        self.view_mut().forget_encoded();
    }

    /// Nothing comes behind what is there. Wakes all followers.
    pub(super) fn finish(&self, finished_at: Timestamp) {
        if self.finished_at.set(finished_at).is_ok() {
            self.view_mut().forget_encoded();
            self.finished.cancel();
        }
    }

    /// When the meet was finished; `None` while it takes updates.
    pub fn finished_at(&self) -> Option<Timestamp> {
        self.finished_at.get().copied()
    }

    /// Whether the meet takes updates. What is read after it said `finished` is all that there will be.
    pub fn status(&self) -> Status {
        match self.finished_at() {
            Some(_) => Status::Finished,
            None if self.recovering.load(Ordering::Acquire) => Status::Recovering,
            None => Status::Live,
        }
    }

    /// Waits until the meet is finished. Returns at once where it is.
    pub async fn until_finished(&self) {
        self.finished.cancelled().await;
    }

    /// The audience of view keys.
    pub fn viewers(&self) -> Audience {
        Audience::Viewer(Arc::clone(&self.private))
    }

    /// The number of the last entry.
    pub fn head(&self) -> u64 {
        *self.head.borrow()
    }

    /// Tells when the head moves.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Checks that a cursor lies in this log.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, cursor: Cursor) -> Result<(), LostCursor> {
        self.view().log.check(cursor)
    }

    /// The place of the last entry.
    pub fn head_position(&self, audience: &Audience) -> Position {
        self.view().head(audience)
    }

    /// The place of an entry; the head's for a number above it.
    pub fn position(&self, seq: u64, audience: &Audience) -> Position {
        self.view().position(seq, audience)
    }

    /// About `limit` entries above `after`: a page never splits a commit.
    pub fn page(&self, after: u64, limit: usize, audience: &Audience) -> Page {
        let status = self.status();
        Page { status, ..self.view().page(after, limit, PAGE_MAX_BYTES, audience) }
    }

    /// The same as the body of an answer, and the number of its last entry. Encoded once for all who ask.
    pub(super) fn pulled(&self, after: u64, limit: usize, audience: &Audience) -> (Bytes, u64) {
        let asked = Asked { after, limit, is_editor: audience.is_editor() };
        let (known, edition) = self.view().pulled.find(asked);
        let body = known.unwrap_or_else(|| {
            let page = self.page(after, limit, audience);
            let last = page.position.server_seq_num;
            let body = pulled::Body { bytes: Bytes::from(Message::UpdateRelay(page).to_json() + "\n"), last };
            self.view_mut().pulled.keep(asked, body.clone(), edition);
            body
        });
        (body.bytes, body.last)
    }

    /// What a stream sends next, small enough to be held for a reader that stalls, and the number of the last entry.
    pub(super) fn chunk(&self, after: u64, audience: &Audience) -> Option<(Chunk, u64)> {
        let head = self.head();
        if head <= after {
            return None;
        }
        let status = self.status();
        let view = self.view();
        let chunk = match view.frames.after(after) {
            Some(frame) => Chunk::Frame(Arc::clone(frame)),
            None => Chunk::Page(Page { status, ..view.page(after, PAGE_DEFAULT_ENTRIES, EVENT_MAX_BYTES, audience) }),
        };
        Some((chunk, head))
    }

    /// The state at the head, and where that is. Folded and written once per head and kind of reader.
    pub fn state(&self, audience: &Audience) -> (Arc<StateText>, Position) {
        let kind = usize::from(audience.is_editor());
        let (text, position) = {
            let view = self.view();
            let position = view.head(audience);
            if let Some(text) = &view.texts[kind] {
                return (Arc::clone(text), position);
            }
            (Arc::new(StateText::new(visible(&view.state, audience))), position)
        };
        let mut view = self.view_mut();
        if view.log.head() == position.server_seq_num {
            view.texts[kind] = Some(Arc::clone(&text));
        }
        (text, position)
    }

    /// The value at `path` in the state at the head; `None` where nothing stands that the reader may see.
    pub fn state_part(&self, path: &Key, audience: &Audience) -> (Option<StateText>, Position) {
        let view = self.view();
        let position = view.head(audience);
        (part(&view.state, path, audience), position)
    }

    /// The state at an earlier number, or the value at `path` in it. Folds the log, so its cost grows with `seq`.
    pub fn state_at(&self, seq: u64, path: Option<&Key>, audience: &Audience) -> (Option<StateText>, Position) {
        let (entries, position) = {
            let view = self.view();
            let upto = usize::try_from(seq).unwrap_or(usize::MAX).min(view.log.after(0).len());
            (view.log.after(0)[..upto].to_vec(), view.position(seq, audience))
        };
        let mut state = State::default();
        entries.iter().for_each(|entry| fold(&mut state, entry));
        let text = match path {
            Some(path) => part(&state, path, audience),
            None => Some(StateText::new(visible(&state, audience))),
        };
        (text, position)
    }

    /// The state at the head cut to some keys.
    pub fn state_cut(&self, paths: &[Key], audience: &Audience) -> (StateText, Position) {
        let view = self.view();
        let mut cut = State::default();
        // The parents of a private key would tell that something stands there.
        for path in paths.iter().filter(|path| audience.sees(path.as_str())) {
            let path = shown_path(&view.state, path);
            if let Some(value) = view.state.get(&path) {
                cut.fold(&path, Some(value.clone()));
            }
        }
        let text = visible(&cut, audience);
        (StateText::new(text), view.head(audience))
    }

    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    /// What was encoded before has another status of the meet.
    fn forget_encoded(&mut self) {
        self.frames = Frames::default();
        self.pulled.forget();
    }

    fn head(&self, audience: &Audience) -> Position {
        position(self.log.head(), &self.log.head_chain(), audience)
    }

    fn position(&self, seq: u64, audience: &Audience) -> Position {
        let seq = seq.min(self.log.head());
        position(seq, &self.log.chain(seq).unwrap_or_else(|| self.log.head_chain()), audience)
    }

    /// A page of a meet that takes updates.
    fn page(&self, after: u64, limit: usize, max_bytes: usize, audience: &Audience) -> Page {
        let rest = self.log.after(after);
        let end = page_end(rest, limit, max_bytes);
        let entries = rest[..end].to_vec();
        let last = entries.last().map_or(after.min(self.log.head()), |entry| entry.seq());
        Page {
            updates_relayed: Relayed { entries, audience: audience.clone() },
            position: self.position(last, audience),
            head_seq_num: self.log.head(),
            more: end < rest.len(),
            status: Status::Live,
        }
    }
}

/// How many entries a page of about `limit` takes: whole commits, and not too many bytes.
fn page_end(entries: &[Arc<Entry>], limit: usize, max_bytes: usize) -> usize {
    let mut bytes = 0;
    let mut end = 0;
    for commit in entries.chunk_by(|a, b| a.fields.commit == b.fields.commit) {
        bytes += commit.iter().map(|entry| entry.text.len()).sum::<usize>();
        if end > 0 && (end + commit.len() > limit || bytes > max_bytes) {
            break;
        }
        end += commit.len();
        if end >= limit {
            break;
        }
    }
    end
}

fn fold(state: &mut State, entry: &Entry) {
    if let Ok(key) = Key::parse(&entry.fields.update_key) {
        state.fold(&key, entry.value());
    }
}

/// The canonical text of what a reader sees of the state.
fn visible(state: &State, audience: &Audience) -> String {
    let Audience::Viewer(paths) = audience else { return state.canonical() };
    let mut value = state.root().clone();
    paths.redact(&[], &mut value);
    value.canonical()
}

fn part(state: &State, path: &Key, audience: &Audience) -> Option<StateText> {
    let mut value = state.get(path)?.clone();
    if let Audience::Viewer(paths) = audience {
        if paths.hides(path) {
            return None;
        }
        paths.redact(path.segments(), &mut value);
    }
    Some(StateText::new(value.canonical()))
}

/// The part of `path` that can be shown by itself: an element alone would become a member, so an array is shown whole.
fn shown_path(state: &State, path: &Key) -> Key {
    let mut above = (1..path.segments().len()).filter_map(|depth| path.above(depth));
    above.find(|above| matches!(state.get(above), Some(Value::Array(_)))).unwrap_or_else(|| path.clone())
}

//! Frames: what was committed together, encoded once for each kind of reader and stream.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;

use crate::meet::chain::{ChainValue, Cursor};
use crate::meet::entry::Entry;
use crate::meet::key::Key;
use crate::meet::limits::{FRAME_FILTERS_MAX, FRAMES_MAX_BYTES};
use crate::wire::audience::{Audience, Relayed};
use crate::wire::message::{Page, Position, Status};
use crate::wire::stream::Format;

/// The entries of one sync.
#[derive(Debug)]
pub(super) struct Frame {
    /// The number before its first entry.
    after: u64,
    /// The number of its last entry.
    pub(super) last: u64,
    chain: ChainValue,
    entries: Vec<Arc<Entry>>,
    /// What the meet was when they were committed.
    status: Status,
    encoded: [OnceLock<Bytes>; 4],
    /// The same for readers with a filter.
    filtered: Mutex<Vec<Filtered>>,
}

/// What passes a filter.
#[derive(Debug)]
struct Filtered {
    kind: usize,
    paths: Arc<[Key]>,
    event: Option<Bytes>,
}

impl Frame {
    /// The frame's event; `None` where nothing of it passes the filter. All readers of a kind share the bytes.
    pub(super) fn event(&self, audience: &Audience, format: Format, paths: &Arc<[Key]>) -> Option<Bytes> {
        let kind = usize::from(audience.is_editor()) * 2 + usize::from(format == Format::Sse);
        if paths.is_empty() {
            let encode = || self.page(audience).event(format).unwrap_or_default();
            return Some(self.encoded[kind].get_or_init(encode).clone());
        }
        let mut filtered = self.filtered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = filtered.iter().find(|known| known.kind == kind && known.paths == *paths) {
            return known.event.clone();
        }
        let mut page = self.page(audience);
        page.keep(paths);
        let event = page.event(format);
        if filtered.len() < FRAME_FILTERS_MAX {
            filtered.push(Filtered { kind, paths: Arc::clone(paths), event: event.clone() });
        }
        event
    }

    fn page(&self, audience: &Audience) -> Page {
        Page {
            updates_relayed: Relayed { entries: self.entries.clone(), audience: audience.clone() },
            position: position(self.last, &self.chain, audience),
            head_seq_num: self.last,
            more: false,
            status: self.status,
        }
    }
}

/// A place in the log, with the whole chain value for editors.
pub(super) fn position(seq: u64, chain: &ChainValue, audience: &Audience) -> Position {
    Position { server_seq_num: seq, cursor: Cursor::at(seq, chain), chain: audience.is_editor().then_some(*chain) }
}

/// The newest frames of a meet, as many as fit.
#[derive(Debug, Default)]
pub(super) struct Frames {
    ring: VecDeque<Arc<Frame>>,
    bytes: usize,
}

impl Frames {
    pub(super) fn push(&mut self, entries: Vec<Arc<Entry>>, status: Status) {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        self.bytes += size(&entries);
        self.ring.push_back(Arc::new(Frame {
            after: first.seq() - 1,
            last: last.seq(),
            chain: last.chain,
            entries,
            status,
            encoded: Default::default(),
            filtered: Mutex::default(),
        }));
        // The newest stays however large it is: everybody is about to be sent it.
        while self.bytes > FRAMES_MAX_BYTES && self.ring.len() > 1 {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.bytes -= size(&oldest.entries);
        }
    }

    /// The frame that comes right after a number.
    pub(super) fn after(&self, seq: u64) -> Option<&Arc<Frame>> {
        let place = self.ring.binary_search_by_key(&seq, |frame| frame.after).ok()?;
        self.ring.get(place)
    }
}

fn size(entries: &[Arc<Entry>]) -> usize {
    entries.iter().map(|entry| entry.text.len()).sum()
}

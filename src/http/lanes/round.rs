//! What a lane sends to all its readers at once.

use bytes::Bytes;

use super::line::Framing;
use crate::meet::limits::ROUND_MAX_BYTES;
use crate::metrics::{self, Transport};
use crate::relay::follower::Follower;
use crate::wire::stream::Format;

/// Events that have become durable since the round before, as they travel.
pub(super) struct Round {
    bytes: Bytes,
    events: Vec<Event>,
    /// The number of the last entry of the last event.
    heard: u64,
    /// The number of the last entry. What comes behind `heard` does not pass the filter.
    to: u64,
}

/// One event of a round.
struct Event {
    /// The number before its first entry.
    after: u64,
    /// Where it starts in the round's bytes.
    start: usize,
    length: usize,
    /// Entries that its readers still lack after it.
    lag: u64,
    /// Readers whose first event of the round it is.
    starters: u64,
}

impl Round {
    /// A round of nobody, behind which everything up to `to` lies.
    pub(super) fn nothing(to: u64) -> Round {
        Round { bytes: Bytes::new(), events: Vec::new(), heard: to, to }
    }

    /// What `pilot` lacks, up to about [`ROUND_MAX_BYTES`].
    pub(super) fn collect(pilot: &mut Follower, format: Format, framing: Framing) -> Round {
        let (mut bytes, mut events, mut after) = (Vec::new(), Vec::new(), pilot.cursor());
        while bytes.len() < ROUND_MAX_BYTES
            && let Some(event) = pilot.next_event(format)
        {
            events.push(Event { after, start: bytes.len(), length: event.len(), lag: pilot.lag(), starters: 0 });
            framing.append(&event, &mut bytes);
            after = pilot.cursor();
        }
        Round { bytes: bytes.into(), events, heard: after, to: pilot.cursor() }
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(super) fn to(&self) -> u64 {
        self.to
    }

    /// Where the bytes start for a reader that has been sent everything up to `cursor`. Nearly all have come as far as the pilot.
    pub(super) fn starts_after(&mut self, cursor: u64) -> Option<usize> {
        if let Some(event) = self.events.iter_mut().find(|event| event.after == cursor) {
            event.starters += 1;
            return Some(event.start);
        }
        (cursor == self.heard).then_some(self.bytes.len())
    }

    /// Counts what was sent since it was last asked to.
    pub(super) fn count(&mut self, metrics: &metrics::Streams, transport: Transport) {
        let mut readers = 0;
        for event in &mut self.events {
            readers += std::mem::take(&mut event.starters);
            if readers > 0 {
                metrics.sent(transport, readers, event.length, event.lag);
            }
        }
    }
}

//! How a stream starts, and how it starts over.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::auth::random_bytes;
use crate::meet::chain::Cursor;
use crate::meet::key::Key;
use crate::meet::limits::{HEARTBEAT_EVERY, RETRY_JITTER, RETRY_MIN};
use crate::meet::outcome::LostCursor;
use crate::relay::committed::Committed;
use crate::wire::audience::Audience;
use crate::wire::message::{Hello, Message, Position, Reset, ServerPull, StateReply};

use super::{Request, Start};
use crate::http::access::Access;

/// What a stream says before the log's own events.
pub(super) struct Opening {
    /// Where the log's events go on.
    pub(super) position: Position,
    /// The same, where the log has not come there yet.
    pub(super) ahead: Option<Cursor>,
    pub(super) notice: Option<Message>,
    state: Option<StateReply>,
}

/// What is still to be sent of it.
#[derive(Default)]
pub(super) struct Pieces(pub(super) VecDeque<Bytes>);

impl Opening {
    pub(super) fn new(access: &Access, audience: &Audience, request: &Request) -> Opening {
        let committed = &access.live.committed;
        let from = |position| Opening { position, ahead: None, notice: None, state: None };
        let with_state = || {
            let (state, position) = snapshot(committed, audience, &request.paths);
            Opening { state: Some(state), ..from(position) }
        };
        let Start::After(cursor) = request.start else {
            return if request.snapshot { with_state() } else { from(committed.head_position(audience)) };
        };
        match committed.check(cursor) {
            Ok(()) if request.snapshot => with_state(),
            Ok(()) => from(committed.position(cursor.seq, audience)),
            Err(LostCursor::AboveHead(_)) if audience.is_editor() => {
                let head = committed.head_position(audience);
                let pull = ServerPull { last_server_seq: head.server_seq_num, cursor: head.cursor };
                // The reader keeps its own place: with the head's nobody could tell later whether its entries are the log's.
                // A bare number does not tell either, so its reader is sent whatever comes above the head.
                let ahead = cursor.tag.map(|_| cursor);
                Opening { ahead, notice: Some(Message::ServerPull(pull)), ..from(ahead.map_or(head, place_of)) }
            }
            Err(lost) => {
                let (notice, position, state) = reset(committed, audience, &request.paths, lost);
                Opening { notice: Some(notice), state: Some(state), ..from(position) }
            }
        }
    }

    pub(super) fn encode(self, access: &Access, request: &Request) -> Pieces {
        let (live, format, id) = (&access.live, request.format, self.position.cursor);
        let audience = access.audience();
        let (meet_name, version) = {
            let roster = live.roster();
            (roster.auth().meet_name.clone(), roster.auth().ticket_version)
        };
        let hello = Message::Hello(Box::new(Hello {
            meet_id: live.id.to_string(),
            meet_name,
            status: live.committed.status(),
            role: audience.role(),
            position: self.position,
            head_seq_num: live.committed.head(),
            server_time: live.now(),
            heartbeat_seconds: HEARTBEAT_EVERY.as_secs(),
            ticket_version: audience.is_editor().then_some(version),
        }));
        let mut opening = VecDeque::from([format.encode(&hello, id, Some(retry()))]);
        if request.padding > 0 {
            opening.push_back(format.padding(request.padding));
        }
        opening.extend(self.notice.map(|notice| format.encode(&notice, id, None)));
        opening.extend(self.state.map(|state| format.encode(&Message::State(state), id, None)));
        Pieces(opening)
    }
}

/// A pause before reconnecting, different for every reader.
pub(super) fn retry() -> Duration {
    let jitter = u64::from(u16::from_be_bytes(random_bytes())) * RETRY_JITTER.as_millis() as u64 / u64::from(u16::MAX);
    RETRY_MIN + Duration::from_millis(jitter)
}

/// The state, whole or cut to some keys, and where that is.
fn snapshot(committed: &Committed, audience: &Audience, paths: &[Key]) -> (StateReply, Position) {
    if paths.is_empty() {
        let (text, position) = committed.state(audience);
        return (text.reply(position), position);
    }
    let (text, position) = committed.state_cut(paths, audience);
    (text.reply(position), position)
}

/// What a reader is told whose cursor cannot be served, and where it goes on.
pub(super) fn reset(committed: &Committed, audience: &Audience, paths: &[Key], lost: LostCursor) -> (Message, Position, StateReply) {
    let (LostCursor::AboveHead(cursor) | LostCursor::Foreign(cursor)) = lost;
    let reason = format!("cursor {cursor} belongs to another history than this log's; the state follows");
    let (state, position) = snapshot(committed, audience, paths);
    (Message::Reset(Reset { reason, cursor: position.cursor }), position, state)
}

/// A place that this log does not have, so that there is no chain to show.
pub(super) fn place_of(cursor: Cursor) -> Position {
    Position { server_seq_num: cursor.seq, cursor, chain: None }
}

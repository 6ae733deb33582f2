//! Messages that are written straight, for each update brings an ack to one and an entry to another: a general serialiser takes
//! several times as long.

use crate::meet::entry::write_number;
use crate::meet::outcome::Ack;

use super::audience::Relayed;
use super::message::{Page, Status, UpdateResult};

/// More than most acks take.
const ACK_BYTES: usize = 48;
/// More than the rest of a message takes, with room for the end of a line.
const REST_BYTES: usize = 256;

impl UpdateResult {
    /// `UPDATE_RESULT` as `Serialize` would give it.
    #[expect(clippy::expect_used, reason = "strings, numbers and raw JSON always serialise")]
    pub(super) fn to_json(&self) -> String {
        let UpdateResult { update_acks, updates_rejected, server_seq_num, cursor } = self;
        let mut out = String::with_capacity(REST_BYTES + ACK_BYTES * update_acks.len());
        out.push_str("{\"msgType\":\"UPDATE_RESULT\",\"updateAcks\":[");
        for (place, ack) in update_acks.iter().enumerate() {
            out.push_str(if place > 0 { ",{" } else { "{" });
            write_ack(ack, &mut out);
        }
        out.push_str("],\"updatesRejected\":");
        match &updates_rejected[..] {
            [] => out.push_str("[]"),
            some => out.push_str(&serde_json::to_string(some).expect("plain members")),
        }
        out.push_str(",\"serverSeqNum\":");
        write_number(*server_seq_num, &mut out);
        out.push_str(",\"cursor\":\"");
        cursor.write(&mut out);
        out.push_str("\"}");
        out
    }
}

impl Page {
    /// `UPDATE_RELAY` as `Serialize` would give it.
    pub(super) fn to_json(&self) -> String {
        let Page { updates_relayed: Relayed { entries, audience }, position, head_seq_num, more, status } = self;
        let texts: usize = entries.iter().map(|entry| entry.text.len() + 1).sum();
        let mut out = String::with_capacity(REST_BYTES + texts);
        out.push_str("{\"msgType\":\"UPDATE_RELAY\",\"updatesRelayed\":[");
        for (place, entry) in entries.iter().enumerate() {
            out.push_str(if place > 0 { "," } else { "" });
            out.push_str(&audience.text(entry));
        }
        out.push_str("],\"serverSeqNum\":");
        write_number(position.server_seq_num, &mut out);
        out.push_str(",\"cursor\":\"");
        position.cursor.write(&mut out);
        if let Some(chain) = &position.chain {
            out.push_str("\",\"chain\":\"");
            chain.with_hex(|chain| out.push_str(chain));
        }
        out.push_str("\",\"headSeqNum\":");
        write_number(*head_seq_num, &mut out);
        out.push_str(if *more { ",\"more\":true" } else { ",\"more\":false" });
        out.push_str(match status {
            Status::Live => ",\"status\":\"live\"}",
            Status::Recovering => ",\"status\":\"recovering\"}",
            Status::Finished => ",\"status\":\"finished\"}",
        });
        out
    }
}

/// The members of an ack and its closing brace.
fn write_ack(ack: &Ack, out: &mut String) {
    let Ack { local_seq_num, index, server_seq_num, duplicate, merged, overrules } = ack;
    if let Some(number) = local_seq_num {
        out.push_str("\"localSeqNum\":");
        write_number(*number, out);
        out.push(',');
    }
    if let Some(index) = index {
        out.push_str("\"index\":");
        write_number(*index as u64, out);
        out.push(',');
    }
    out.push_str("\"serverSeqNum\":");
    write_number(*server_seq_num, out);
    if *duplicate {
        out.push_str(",\"duplicate\":true");
    }
    if *merged {
        out.push_str(",\"merged\":true");
    }
    for (place, number) in overrules.iter().enumerate() {
        out.push_str(if place > 0 { "," } else { ",\"overrules\":[" });
        write_number(*number, out);
    }
    out.push_str(if overrules.is_empty() { "}" } else { "]}" });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::value::RawValue;

    use crate::meet::Meet;
    use crate::meet::chain::{Cursor, ServerKey};
    use crate::meet::id::MeetId;
    use crate::meet::outcome::{Rejection, UpdateCode};
    use crate::meet::settings::TieBreak;
    use crate::meet::time::Timestamp;
    use crate::meet::update::{Batch, Mode, Op, Proposal, Writer};
    use crate::wire::audience::Audience;
    use crate::wire::message::{Message, Position};

    use super::*;

    fn check(message: &Message) {
        assert_eq!(message.to_json(), serde_json::to_string(message).unwrap());
    }

    #[test]
    fn results_are_what_the_serialiser_would_write() {
        let ack = |local_seq_num, index, duplicate, merged, overrules: &[u64]| Ack {
            local_seq_num,
            index,
            server_seq_num: 17,
            duplicate,
            merged,
            overrules: overrules.into(),
        };
        let all = [
            ack(Some(1), None, false, false, &[]),
            ack(None, Some(0), true, false, &[5]),
            ack(Some(u64::MAX), None, true, true, &[5, 1_000_000, 7]),
            ack(None, None, false, true, &[]),
        ];
        let (conflict, reason, code) = (true, "\"no\"\n".to_owned(), UpdateCode::Absent);
        let rejection = Rejection { local_seq_num: Some(2), index: None, conflict, reason, code, standing: None };
        for (acks, rejected) in [(0, 0), (1, 0), (4, 1), (0, 2)] {
            for cursor in ["431-0a3ac2d1", "0-00000000", "9"] {
                check(&Message::UpdateResult(UpdateResult {
                    update_acks: all[..acks].to_vec(),
                    updates_rejected: vec![rejection.clone(); rejected],
                    server_seq_num: 431,
                    cursor: cursor.parse::<Cursor>().unwrap(),
                }));
            }
        }
    }

    #[test]
    fn pages_are_what_the_serialiser_would_write() {
        let key = ServerKey::new([7; 32]);
        let mut meet = Meet::new(key.clone(), key.chain_start(MeetId::from_random(1), &[0; 16]), TieBreak::default());
        let value = RawValue::from_string("[1,\"é\"]".to_owned()).unwrap();
        let update = |at: &str| Proposal::read(at, Some(&value), Op::Set, None, None);
        let updates = vec![update("a.b"), update("c[\"\\\"\"]")];
        let writer = Writer { location_name: "desk".into(), client_id: "laptop".into() };
        meet.apply(&Batch { writer, priority: -1, updates, mode: Mode::Each, if_head: None, after: None }, Timestamp::from_millis(1));
        let entries = meet.log().after(0);
        assert_eq!(entries.len(), 2);
        let (cursor, chain) = (meet.log().head_cursor(), meet.log().head_chain());
        for (audience, chain) in [(Audience::Editor, Some(chain)), (Audience::Viewer(Arc::default()), None)] {
            for (length, status) in [(0, Status::Live), (1, Status::Recovering), (2, Status::Finished)] {
                check(&Message::UpdateRelay(Page {
                    updates_relayed: Relayed { entries: entries[..length].to_vec(), audience: audience.clone() },
                    position: Position { server_seq_num: 2, cursor, chain },
                    head_seq_num: 2,
                    more: length == 1,
                    status,
                }));
            }
        }
    }
}

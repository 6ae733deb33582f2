//! Handing a log back to a server that has lost some of it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::meet::limits::RESTORE_MAX_ENTRIES;
use crate::meet::restore::Handed;
use crate::relay::live::LiveMeet;
use crate::relay::orders::Restoration;
use crate::wire::audience::Audience;
use crate::wire::message::{Message, Restored};
use crate::wire::problem::{Code, Extra, Problem};
use crate::wire::request::RestoreMeet;

use super::App;
use super::access::{Address, Editor};
use super::body::Json;
use super::reply::{Answer, invalid_at, json};
use super::sessions::check_attempts;

/// `POST /v1/meets/{meetId}/restore`
pub(super) async fn post(
    State(app): State<Arc<App>>,
    editor: Editor,
    Address(address): Address,
    Json(request): Json<RestoreMeet>,
) -> Answer {
    Ok(json(StatusCode::OK, &restore(&app, &editor, address, request).await?))
}

/// Takes a page of the log that a client has.
pub(super) async fn restore(app: &App, editor: &Editor, address: IpAddr, request: RestoreMeet) -> Result<Message, Problem> {
    let live = &editor.access.live;
    check_attempts(app, Some(live.id), address)?;
    let page = read_page(request)?;
    match live.restore(editor.writer.clone(), page).await? {
        Restoration::Taken { forked } => Ok(restored(live, forked)),
        Restoration::Apart => Err(apart(live)),
        Restoration::Finished => {
            let detail = "the meet is finished, and the page holds entries that it does not have; it takes no more";
            let extra = Extra::Finished { update_acks: Vec::new(), updates_rejected: Vec::new() };
            Err(Problem::new(Code::MeetFinished, detail).with(extra))
        }
        Restoration::Forged => {
            app.attempts.failed(Some(live.id), address);
            Err(forged())
        }
    }
}

fn restored(live: &LiveMeet, forked: bool) -> Message {
    let head = live.committed.head_position(&Audience::Editor);
    Message::Restored(Restored { head, status: live.committed.status(), history_changed: forked })
}

fn apart(live: &LiveMeet) -> Problem {
    let cursor = live.committed.head_position(&Audience::Editor).cursor;
    let detail = format!("these entries do not join the server's log, whose head is {cursor}; send the whole log from entry 1 on");
    Problem::new(Code::HistoryChanged, detail).with(Extra::HistoryChanged { cursor })
}

fn forged() -> Problem {
    let detail = "not what this server's key gives for these entries: send them as they were relayed to an editor, in order, with the chain that came with the last one";
    invalid_at("/chain", detail)
}

/// Checks what can be told from the page alone.
fn read_page(request: RestoreMeet) -> Result<Handed, Problem> {
    let RestoreMeet { updates: entries, cursor, chain, more, .. } = request;
    if entries.len() > RESTORE_MAX_ENTRIES {
        let detail = format!(
            "{} entries; at most {RESTORE_MAX_ENTRIES} are taken in one page, with more set to true before the last one",
            entries.len()
        );
        return Err(invalid_at("/updates", detail));
    }
    let first = entries.first().map_or(1, |entry| entry.server_seq_num);
    for (index, (entry, expected)) in entries.iter().zip(first.max(1)..).enumerate() {
        if entry.server_seq_num != expected {
            let detail = format!("{} stands where {expected} belongs; entries are numbered from 1 on without gaps", entry.server_seq_num);
            return Err(invalid_at(format!("/updates/{index}/serverSeqNum"), detail));
        }
    }
    if let Some(last) = entries.last().map(|entry| entry.server_seq_num).filter(|last| *last != cursor.seq) {
        return Err(invalid_at(
            "/cursor",
            format!("names {}, and the last entry is {last}; send the cursor of the last entry", cursor.seq),
        ));
    }
    if cursor.tag.is_some_and(|tag| tag != chain.tag()) {
        return Err(invalid_at("/cursor", "does not go with chain; send the two that came with the last entry"));
    }
    Ok(Handed { entries, place: cursor.seq, chain, more })
}

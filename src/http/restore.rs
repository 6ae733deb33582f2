//! Handing a log back to a server that has lost some of it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::auth::roster::Holder;
use crate::auth::ticket::Ticket;
use crate::meet::chain::Cursor;
use crate::meet::id::MeetId;
use crate::meet::limits::{
    RESTORE_MAX_ENTRIES, SESSION_LIFE, UNPROVEN_ALL_MAX_BYTES, UNPROVEN_MAX_BYTES, UNPROVEN_MAX_ENTRIES, UPLOADS_MAX,
};
use crate::meet::restore::Handed;
use crate::meet::update::Writer;
use crate::relay::live::LiveMeet;
use crate::relay::orders::Restoration;
use crate::relay::recovery::Recovered;
use crate::wire::audience::Audience;
use crate::wire::message::{BoughtSession, Message, Restored};
use crate::wire::problem::{Code, Extra, Problem};
use crate::wire::request::RestoreMeet;

use super::App;
use super::access::{Access, Address, Editor, MeetInPath};
use super::body::Json;
use super::reply::{Answer, invalid_at, json};
use super::sessions::{check_attempts, open_session};
use super::unproven::{self, Claim};

/// `POST /v1/meets/{meetId}/restore`
pub(super) async fn post(
    State(app): State<Arc<App>>,
    MeetInPath(meet): MeetInPath,
    access: Result<Access, Problem>,
    Address(address): Address,
    Json(request): Json<RestoreMeet>,
) -> Answer {
    Ok(json(StatusCode::OK, &restore(&app, meet, access, address, request).await?))
}

/// Somebody who hands back a log.
struct Giver {
    live: Arc<LiveMeet>,
    writer: Writer,
    /// A ticket in place of a session: it may buy a new one.
    ticket: Option<Ticket>,
}

/// Takes a page of the log that a client has: of a session or, where the server does not know that any more, of a ticket's holder.
pub(super) async fn restore(
    app: &App,
    meet: Option<MeetId>,
    access: Result<Access, Problem>,
    address: IpAddr,
    mut request: RestoreMeet,
) -> Result<Message, Problem> {
    let (shown, claim) = (request.recovery_ticket.take(), Claim::of(&mut request));
    let editor = match access {
        Ok(access) => Ok(access.into_editor()?),
        Err(problem) if problem.code == Code::InvalidSession && (shown.is_some() || claim.is_some()) => Err(problem),
        Err(problem) if problem.code == Code::StorageFailed && shown.is_some() => Err(problem),
        Err(problem) => return Err(problem),
    };
    let meet = editor.as_ref().map_or(meet, |editor| Some(editor.access.live.id));
    check_attempts(app, meet, address)?;
    let ticket = shown.and_then(|text| app.registry.ticket(&text)).zip(meet).filter(|(ticket, meet)| ticket.auth.meet_id == meet.digits());
    let page = read_page(request)?;
    let giver = match editor {
        Ok(Editor { access, writer, .. }) if access.live.collects() && access.live.check_recovered().is_err() => {
            return unproven::bring(app, access.live, writer, address, page, false).await;
        }
        Ok(editor) => member(editor, ticket.map(|(ticket, _)| ticket)).await?,
        Err(unknown) => {
            let Some((ticket, meet)) = ticket else {
                if let Some(claim) = claim {
                    return unproven::claim(app, meet, address, claim, page).await;
                }
                app.attempts.failed(meet, address);
                return Err(unknown);
            };
            if unknown.code == Code::StorageFailed && !app.registry.gives_way(meet, &ticket).await? {
                app.registry.mend_roster(meet, &ticket).await?;
                return Err(unknown.retry_after(1));
            }
            let giver = holder(app, meet, ticket, address, unknown, &page).await?;
            if let Some(claim) = claim {
                claim.vouch(app, &giver.live).await;
            }
            giver
        }
    };
    give(app, giver, address, page).await
}

/// A session that shows a ticket as well may have a newer one than those that were shown before.
async fn member(editor: Editor, ticket: Option<Ticket>) -> Result<Giver, Problem> {
    let Editor { access, writer, .. } = editor;
    if let Some(ticket) = ticket {
        access.live.adopt(&ticket).await?;
    }
    Ok(Giver { live: access.live, writer, ticket: None })
}

/// Whoever shows a ticket of a meet that was lost. Any other ticket opens what the session opened: nothing.
async fn holder(app: &App, meet: MeetId, ticket: Ticket, address: IpAddr, unknown: Problem, page: &Handed) -> Result<Giver, Problem> {
    match app.registry.recover(meet, &ticket, page).await? {
        Recovered::Meet(live) => {
            live.adopt(&ticket).await?;
            Ok(Giver { live, writer: ticket.writer.clone(), ticket: Some(ticket) })
        }
        Recovered::NotLost => Err(unknown),
        Recovered::Refused(restoration) => Err(refused(app, meet, address, restoration, Cursor::at(0, &ticket.auth.chain))),
    }
}

async fn give(app: &App, giver: Giver, address: IpAddr, page: Handed) -> Result<Message, Problem> {
    let Giver { live, writer, ticket } = giver;
    let more = page.more;
    let restoration = live.restore(writer, page).await?;
    let head = live.committed.head_position(&Audience::Editor);
    let Restoration::Taken { forked: history_changed } = restoration else {
        return Err(refused(app, live.id, address, restoration, head.cursor));
    };
    let session = match ticket {
        Some(ticket) if !more => buy(app, &live, ticket).await?,
        _ => None,
    };
    Ok(Message::Restored(Restored { head, status: live.committed.status(), history_changed, session }))
}

/// A ticket that is no older than a session may be buys one.
async fn buy(app: &App, live: &Arc<LiveMeet>, ticket: Ticket) -> Result<Option<BoughtSession>, Problem> {
    let is_young = live.now() < ticket.issued_at.plus(SESSION_LIFE);
    let is_known = ticket.auth.clients.contains(&ticket.writer) && live.roster().location(&ticket.writer.location_name).is_some();
    if !is_young || !is_known {
        return Ok(None);
    }
    let Access { grant, token, .. } = open_session(app, Arc::clone(live), ticket.writer).await?;
    let slot = if let Holder::Editor { slot, .. } = grant.holder { slot } else { 0 };
    Ok(Some(BoughtSession { session_token: token.reveal(), expires_at: grant.expires_at.unwrap_or_default(), slot }))
}

/// Why a page was not taken by a log with this head.
pub(super) fn refused(app: &App, meet: MeetId, address: IpAddr, restoration: Restoration, head: Cursor) -> Problem {
    match restoration {
        Restoration::Taken { .. } | Restoration::Apart => {
            let detail = format!("these entries do not join the server's log, whose head is {head}; send the whole log from entry 1 on");
            Problem::new(Code::HistoryChanged, detail).with(Extra::HistoryChanged { cursor: head })
        }
        Restoration::Full => {
            let detail = format!(
                "the meet has collected as much as it holds without proof: {UNPROVEN_MAX_ENTRIES} entries, {UNPROVEN_MAX_BYTES} bytes ({UNPROVEN_ALL_MAX_BYTES} with all other meets) and {UPLOADS_MAX} clients; try again when it is live"
            );
            Problem::new(Code::Overloaded, detail).retry_after(10)
        }
        Restoration::Finished => {
            let detail = "the meet is finished, and the page holds entries that it does not have; it takes no more";
            let extra = Extra::Finished { update_acks: Vec::new(), updates_rejected: Vec::new() };
            Problem::new(Code::MeetFinished, detail).with(extra)
        }
        Restoration::Forged => {
            app.attempts.failed(Some(meet), address);
            let detail = "not what this server's key gives for these entries: send them as they were relayed to an editor, in order, with the chain that came with the last one";
            invalid_at("/chain", detail)
        }
    }
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

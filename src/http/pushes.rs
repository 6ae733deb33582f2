//! Pushing: batches of updates, alone or inside a pull.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::meet::chain::Cursor;
use crate::meet::limits::{BATCH_MAX_UPDATES, PAGE_DEFAULT_ENTRIES, PAGE_MAX_ENTRIES, STANDING_MAX_BYTES};
use crate::meet::outcome::{Ack, Decision, Outcome, Rejection};
use crate::meet::update::{Batch, Mode, Op};
use crate::wire::audience::Audience;
use crate::wire::message::{Message, SyncResult, UpdateResult};
use crate::wire::problem::{Code, Extra, FieldError, Problem};
use crate::wire::request::{Push, Sync, Update};

use super::App;
use super::access::Editor;
use super::body::Json;
use super::measure::Waited;
use super::params;
use super::reply::{Answer, invalid, invalid_at, json, lost};
use super::updates::{follow, long_poll};

/// What became of the updates of a batch.
type Outcomes = (Vec<Ack>, Vec<Rejection>);

/// `POST /v1/meets/{meetId}/updates`
pub(super) async fn push(editor: Editor, Json(request): Json<Push>) -> Answer {
    Ok(ok(&Message::UpdateResult(push_updates(&editor, request).await?)))
}

/// Pushes a batch and says what became of it.
pub(super) async fn push_updates(editor: &Editor, request: Push) -> Result<UpdateResult, Problem> {
    let Push { updates, mode, if_head } = request;
    let batch = batch(editor, updates, mode, if_head, None)?;
    let (update_acks, updates_rejected) = commit(editor, batch, PAGE_DEFAULT_ENTRIES).await?;
    let head = editor.access.live.committed.head_position(&Audience::Editor);
    Ok(UpdateResult { update_acks, updates_rejected, server_seq_num: head.server_seq_num, cursor: head.cursor })
}

/// `POST /v1/meets/{meetId}/sync`
pub(super) async fn sync(State(app): State<Arc<App>>, editor: Editor, Json(request): Json<Sync>) -> Answer {
    let (result, waited) = sync_updates(&app, &editor, request).await?;
    Ok((waited.map(Extension), ok(&Message::SyncResult(result))).into_response())
}

/// Pushes what came along, or waits for news where nothing did, and gives the page behind `after`.
pub(super) async fn sync_updates(app: &App, editor: &Editor, request: Sync) -> Result<(SyncResult, Option<Waited>), Problem> {
    let Sync { updates, after, wait, limit, mode, if_head } = request;
    let wait = body_wait(wait)?;
    let limit = page_limit(limit)?;
    let mut follower = follow(&editor.access, after).await?;
    let mut waited = None;
    let (update_acks, updates_rejected) = if updates.is_empty() && if_head.is_none() {
        waited = long_poll(app, &editor.access, &mut follower, wait).await?;
        Outcomes::default()
    } else {
        let batch = batch(editor, updates, mode, if_head, Some(after))?;
        commit(editor, batch, limit).await?
    };
    Ok((SyncResult { update_acks, updates_rejected, page: follower.page(limit) }, waited))
}

fn ok(message: &Message) -> Response {
    json(StatusCode::OK, message)
}

/// `wait` of a body.
pub(super) fn body_wait(seconds: f64) -> Result<Duration, Problem> {
    params::wait(seconds).ok_or_else(|| invalid_at("/wait", "must be a number of seconds from 0 up"))
}

/// `limit` of a body.
pub(super) fn page_limit(limit: Option<u64>) -> Result<usize, Problem> {
    let Some(limit) = limit else { return Ok(PAGE_DEFAULT_ENTRIES) };
    let fits = usize::try_from(limit).ok().filter(|limit| (1..=PAGE_MAX_ENTRIES).contains(limit));
    fits.ok_or_else(|| invalid_at("/limit", format!("must be from 1 to {PAGE_MAX_ENTRIES}")))
}

fn batch(editor: &Editor, updates: Vec<Update>, mode: Mode, if_head: Option<Cursor>, after: Option<Cursor>) -> Result<Batch, Problem> {
    if updates.len() > BATCH_MAX_UPDATES {
        return Err(invalid_at("/updates", format!("{} updates; at most {BATCH_MAX_UPDATES} are taken in one batch", updates.len())));
    }
    let valueless = |(index, update): (usize, &Update)| {
        let missing = update.proposal.op != Op::Remove && !update.has_value;
        let detail = || "missing; set and create carry a value, which may be null".to_owned();
        missing.then(|| FieldError { pointer: format!("/updates/{index}/updateValue"), detail: detail() })
    };
    let errors: Vec<_> = updates.iter().enumerate().filter_map(valueless).collect();
    if !errors.is_empty() {
        return Err(invalid(errors));
    }
    let updates = updates.into_iter().map(|update| update.proposal).collect();
    Ok(Batch { writer: editor.writer.clone(), priority: editor.priority, updates, mode, if_head, after })
}

/// Gives a batch to the meet's writer and sorts what comes back.
async fn commit(editor: &Editor, batch: Batch, limit: usize) -> Result<Outcomes, Problem> {
    let live = &editor.access.live;
    let news = |since| live.committed.page(since, limit, &Audience::Editor);
    match live.push(batch).await? {
        Decision::Applied { outcomes, .. } => Ok(sort(outcomes)),
        Decision::Lost(cursor) => Err(lost(live, cursor, &Audience::Editor)),
        Decision::Finished { known } => {
            let (update_acks, updates_rejected) = sort(known);
            let detail = "the meet is finished and takes no more updates; reading, view keys and publishing go on";
            Err(Problem::new(Code::MeetFinished, detail).with(Extra::Finished { update_acks, updates_rejected }))
        }
        Decision::Stale { since } => {
            let detail = "ifHead names a head that has moved; apply updatesRelayed and send the batch again with the new cursor";
            Err(Problem::new(Code::SyncStale, detail).with(Extra::Stale(Box::new(news(since).into()))))
        }
        Decision::Conflict { processed, problem, remaining, since } => {
            let detail = format!("nothing of the atomic batch took effect: {}", problem.reason);
            let extra = Extra::Conflict { processed, problem, remaining, news: Box::new(news(since).into()) };
            Err(Problem::new(Code::SyncConflict, detail).with(extra))
        }
    }
}

fn sort(outcomes: Vec<Outcome>) -> Outcomes {
    let (mut acks, mut rejections) = (Vec::with_capacity(outcomes.len()), Vec::new());
    let mut shown = 0;
    for outcome in outcomes {
        match outcome {
            Outcome::Acked(ack) => acks.push(ack),
            Outcome::Refused(mut rejection) => {
                if let Some(standing) = &mut rejection.standing {
                    // One large value may refuse thousands of updates; whoever wants it again can pull its number.
                    shown += standing.entry.fields.update_value.get().len();
                    standing.without_value = shown > STANDING_MAX_BYTES;
                }
                rejections.push(rejection);
            }
        }
    }
    (acks, rejections)
}

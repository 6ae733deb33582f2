//! Pulling: pages of the log, at once or when there is news.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;

use crate::meet::chain::Cursor;
use crate::relay::follower::Follower;
use crate::wire::message::Page;
use crate::wire::problem::Problem;

use super::App;
use super::access::Access;
use super::lanes::handover::Handover;
use super::lanes::polls::{Poll, Waiting};
use super::measure::Waited;
use super::params::Params;
use super::reply::{Answer, json_body, lost};

/// `GET /v1/meets/{meetId}/updates`
pub(super) async fn pull(State(app): State<Arc<App>>, access: Access, handover: Option<Extension<Handover>>, params: Params) -> Answer {
    let after = params.cursor("after")?.unwrap_or(Cursor::START);
    let (limit, wait) = (params.limit()?, params.wait()?);
    let mut follower = follow(&access, after).await?;
    if let Some(Extension(handover)) = handover.filter(|Extension(handover)| handover.takes_polls() && must_wait(&follower, wait)) {
        let waiting = Waiting::begin(&app, &access)?;
        let poll = Poll { app, access, after: after.seq, limit, wait, waiting };
        return Ok((Extension(Waited), json_body(StatusCode::OK, handover.waiting(poll))).into_response());
    }
    let waited = long_poll(&app, &access, &mut follower, wait).await?;
    Ok((waited.map(Extension), json_body(StatusCode::OK, follower.pulled(limit))).into_response())
}

/// About `limit` entries above `after`, once there are any or `wait` is over.
pub(super) async fn page(
    app: &App,
    access: &Access,
    after: Cursor,
    limit: usize,
    wait: Duration,
) -> Result<(Page, Option<Waited>), Problem> {
    let mut follower = follow(access, after).await?;
    let waited = long_poll(app, access, &mut follower, wait).await?;
    Ok((follower.page(limit), waited))
}

/// Refuses a cursor that is none of this log.
pub(super) async fn check(access: &Access, cursor: Cursor) -> Result<(), Problem> {
    access.live.reach(cursor.seq).await?;
    access.live.committed.check(cursor).map_err(|error| lost(&access.live, error, &access.audience()))
}

/// A follower that goes on from a cursor of this log; its holder has everything up to there.
pub(super) async fn follow(access: &Access, after: Cursor) -> Result<Follower, Problem> {
    check(access, after).await?;
    let live = &access.live;
    live.presence.saw(&access.grant.holder, Some(after.seq), live.now());
    Ok(Follower::new(Arc::clone(&live.committed), access.audience(), after.seq))
}

/// Whether a reader who would wait for so long has nothing to be sent yet.
fn must_wait(follower: &Follower, wait: Duration) -> bool {
    !wait.is_zero() && follower.is_at_head()
}

/// Waits for news, but no longer than `wait`, and not while the server stops or the grant ends. Tells whether it had to.
pub(super) async fn long_poll(app: &App, access: &Access, follower: &mut Follower, wait: Duration) -> Result<Option<Waited>, Problem> {
    if !must_wait(follower, wait) {
        return Ok(None);
    }
    let waiting = Waiting::begin(app, access)?;
    tokio::select! {
        () = follower.news_within(wait) => {}
        () = access.live.committed.until_finished(), if waiting.is_live => {}
        () = app.stopping.cancelled() => {}
        () = access.grant.ended.cancelled() => {}
        () = access.live.ended.cancelled() => {}
    }
    Ok(Some(Waited))
}

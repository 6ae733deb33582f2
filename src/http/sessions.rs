//! Joining and leaving.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use tracing::{info, warn};
use uuid::Uuid;

use crate::auth::password::{Busy, Login};
use crate::auth::roster::Joined;
use crate::meet::id::MeetId;
use crate::meet::name::check_name;
use crate::meet::update::Writer;
use crate::metrics;
use crate::relay::live::LiveMeet;
use crate::wire::message::Message;
use crate::wire::problem::{Code, Extra, Problem};
use crate::wire::request::JoinMeet;

use super::App;
use super::access::{Access, Address, Editor, MeetInPath};
use super::body::Json;
use super::meets::session;
use super::reply::{Answer, invalid_at, json};
use super::unproven::vouch;

/// `POST /v1/meets/{meetId}/sessions`
pub(super) async fn join(
    State(app): State<Arc<App>>,
    MeetInPath(id): MeetInPath,
    Address(address): Address,
    Json(request): Json<JoinMeet>,
) -> Answer {
    let member = join_meet(&app, id, address, request).await?;
    Ok(json(StatusCode::CREATED, &Message::MeetJoined(Box::new(session(&member)))))
}

/// Checks the password and opens a session. `id` is `None` for what is no meet id at all.
pub(super) async fn join_meet(app: &App, id: Option<MeetId>, address: IpAddr, request: JoinMeet) -> Result<Access, Problem> {
    if let Some(Err(error)) = request.client_id.as_deref().map(check_name) {
        return Err(invalid_at("/clientId", error.to_string()));
    }
    let live = log_in(app, id, address, request.password, &request.location_name).await?;
    let writer = Writer { location_name: request.location_name.into(), client_id: client_id(request.client_id).into() };
    info!(meet = %live.id, location = ?writer.location_name, client = ?writer.client_id, %address, "joined");
    let member = open_session(app, live, writer).await?;
    app.metrics.meets.login(metrics::Login::Ok);
    Ok(member)
}

/// Opens a meet for whoever knows its password and one of its locations.
pub(super) async fn log_in(
    app: &App,
    id: Option<MeetId>,
    address: IpAddr,
    password: String,
    location: &str,
) -> Result<Arc<LiveMeet>, Problem> {
    check_attempts(app, id, address)?;
    // An unknown meet costs a hash too, so that ids cannot be told by time.
    let live = match id {
        Some(id) => app.registry.open(id).await?,
        None => None,
    };
    let stored = live.as_ref().map(|live| live.roster().auth().password.clone());
    let counted = |result| app.metrics.meets.login(result);
    let vouches = live.as_ref().is_some_and(|live| live.has_superseded()).then(|| password.clone());
    let login = app.passwords.verify(password, stored).await.map_err(|full| {
        counted(metrics::Login::Busy);
        busy(full)
    })?;
    // Those that were sent at once count as well: what came of them is not told when others have failed meanwhile.
    check_attempts(app, id, address)?;
    let (Login::Right { renewed }, Some(live)) = (login, live) else {
        app.attempts.failed(id, address);
        counted(metrics::Login::Failed);
        warn!(meet = ?id, %address, "a login failed");
        return Err(rejected("invalid meetId/Password", "meet id and password do not go together; a meet id has nine digits"));
    };
    if live.roster().location(location).is_none() {
        counted(metrics::Login::NoLocation);
        return Err(rejected("invalid locationName", "the meet has no location of that name; names count letter by letter"));
    }
    if let Some(renewed) = renewed {
        live.edit_roster(move |roster| roster.renew_password(*renewed)).await?;
    }
    if let Some(password) = vouches {
        vouch(app, &live, password).await;
    }
    Ok(live)
}

/// Refuses an address that has failed too often.
pub(super) fn check_attempts(app: &App, id: Option<MeetId>, address: IpAddr) -> Result<(), Problem> {
    let Some(wait) = app.attempts.wait(id, address) else { return Ok(()) };
    app.metrics.meets.login(metrics::Login::Limited);
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    let detail = format!("too many failed attempts from your address; try again in {seconds} s");
    Err(Problem::new(Code::RateLimited, detail).retry_after(seconds))
}

/// `DELETE /v1/meets/{meetId}/session`
pub(super) async fn leave(editor: Editor) -> Answer {
    let token = editor.access.token.clone();
    editor.access.live.edit_roster(move |roster| roster.end(&token)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Opens a session for a writer whose location exists.
pub(super) async fn open_session(app: &App, live: Arc<LiveMeet>, writer: Writer) -> Result<Access, Problem> {
    let (id, now) = (live.id, live.now());
    let joined = live.edit_roster(move |roster| roster.join(id, writer, now)).await?;
    let Joined { token, grant } = joined.map_err(|full| Problem::new(Code::Overloaded, full.to_string()).retry_after(60))?;
    live.presence.saw(&grant.holder, None, now);
    app.metrics.meets.session_opened();
    Ok(Access { live, grant, token })
}

/// The client's own id, or one made up for it.
pub(super) fn client_id(given: Option<String>) -> String {
    given.unwrap_or_else(|| Uuid::new_v4().to_string())
}

fn rejected(reason: &'static str, detail: &str) -> Problem {
    Problem::new(Code::JoinRejected, detail).with(Extra::Join { reason })
}

pub(super) fn busy(_: Busy) -> Problem {
    Problem::new(Code::Overloaded, "too many passwords are being checked; try again in a moment").retry_after(2)
}

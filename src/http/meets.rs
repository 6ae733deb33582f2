//! Creating meets, and what a meet is.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::response::IntoResponse;

use crate::auth::password::check_password;
use crate::auth::roster::{Holder, Location};
use crate::auth::token::equal;
use crate::meet::limits::{LOCATIONS_MAX, PRIORITY_MAX};
use crate::meet::name::check_name;
use crate::meet::update::Writer;
use crate::relay::registry::MeetSpec;
use crate::wire::audience::Audience;
use crate::wire::message::{MeetInfo, Message, ReadOnly, Session};
use crate::wire::problem::{Code, FieldError, Problem};
use crate::wire::request::{CreateMeet, LocationSpec};

use super::App;
use super::access::{Access, bearer};
use super::body::Json;
use super::reply::{Answer, invalid, json};
use super::sessions::{busy, client_id, open_session};

/// `POST /v1/meets`
pub(super) async fn create(State(app): State<Arc<App>>, _: MayCreate, Json(request): Json<CreateMeet>) -> Answer {
    let creator = create_meet(&app, request).await?;
    let location = [(LOCATION, format!("/v1/meets/{}", creator.live.id.digits()))];
    let reply = json(StatusCode::CREATED, &Message::MeetCreated(Box::new(session(&creator))));
    Ok((location, reply).into_response())
}

/// Makes a meet and opens its creator's session.
pub(super) async fn create_meet(app: &App, request: CreateMeet) -> Result<Access, Problem> {
    check(&request, "/thisLocationName")?;
    let (spec, writer) = spec(app, request).await?;
    let live = app.registry.create(spec).await?;
    open_session(app, live, writer).await
}

/// What a checked request asks for, its password hashed, and who asks.
pub(super) async fn spec(app: &App, request: CreateMeet) -> Result<(MeetSpec, Writer), Problem> {
    let password = app.passwords.hash(request.password).await.map_err(busy)?;
    let location = |spec: LocationSpec| Location { location_name: spec.location_name.into(), priority: spec.priority };
    let spec = MeetSpec {
        meet_name: request.meet_name.unwrap_or_default(),
        password,
        locations: request.locations.into_iter().map(location).collect(),
        settings: request.settings,
    };
    let writer = Writer { location_name: request.this_location_name.into(), client_id: client_id(request.client_id).into() };
    Ok((spec, writer))
}

/// Somebody who may create meets: where the operator asks for a key, only those who have it. Told before the body is read.
pub(super) struct MayCreate;

impl FromRequestParts<Arc<App>> for MayCreate {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<MayCreate, Problem> {
        may_create(app, bearer(&parts.headers)).map(|()| MayCreate)
    }
}

/// Compares what is shown with the operator's key, where there is one.
pub(super) fn may_create(app: &App, shown: Option<&str>) -> Result<(), Problem> {
    let Some(key) = &app.options().create_key else { return Ok(()) };
    if shown.is_some_and(|shown| equal(shown.as_bytes(), key.as_bytes())) {
        return Ok(());
    }
    let detail = "creating a meet on this server needs its operator's key; send it as Authorization: Bearer KEY";
    Err(Problem::new(Code::InvalidSession, detail))
}

/// Everything that is wrong with a request, at once; `own` is where it names its own location.
pub(super) fn check(request: &CreateMeet, own: &str) -> Result<(), Problem> {
    let mut errors = Vec::new();
    let mut wrong = |pointer: String, detail: String| errors.push(FieldError { pointer, detail });
    if let Err(error) = check_password(&request.password) {
        wrong("/password".to_owned(), error.to_string());
    }
    if !(1..=LOCATIONS_MAX).contains(&request.locations.len()) {
        wrong("/locations".to_owned(), format!("{} locations; 1 to {LOCATIONS_MAX} are taken", request.locations.len()));
    }
    let mut names = HashSet::new();
    for (index, location) in request.locations.iter().enumerate().take(LOCATIONS_MAX) {
        if let Err(error) = check_name(&location.location_name) {
            wrong(format!("/locations/{index}/locationName"), error.to_string());
        }
        if !names.insert(location.location_name.as_str()) {
            wrong(format!("/locations/{index}/locationName"), "another location has this name already".to_owned());
        }
        if location.priority.abs() > PRIORITY_MAX {
            wrong(format!("/locations/{index}/priority"), format!("must be from -{PRIORITY_MAX} to {PRIORITY_MAX}"));
        }
    }
    if !names.contains(request.this_location_name.as_str()) {
        wrong(own.to_owned(), "must be the name of one of the locations".to_owned());
    }
    // An empty meet name is the same as none.
    for (pointer, name) in
        [("/meetName", request.meet_name.as_deref().filter(|name| !name.is_empty())), ("/clientId", request.client_id.as_deref())]
    {
        if let Some(Err(error)) = name.map(check_name) {
            wrong(pointer.to_owned(), error.to_string());
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(invalid(errors)) }
}

/// What a client learns about its session.
pub(super) fn session(access: &Access) -> Session {
    let (live, grant) = (&access.live, &access.grant);
    let Holder::Editor { writer, priority, slot } = grant.holder.clone() else { unreachable!("only editors join") };
    let (recovery_ticket, ticket_version) = live.ticket(&grant.holder).unwrap_or_default();
    Session {
        meet_id: live.id.to_string(),
        meet_name: live.roster().auth().meet_name.clone(),
        session_token: access.token.reveal(),
        expires_at: grant.expires_at.unwrap_or_default(),
        location_name: writer.location_name.to_string(),
        priority,
        client_id: writer.client_id.to_string(),
        slot,
        head: live.committed.head_position(&Audience::Editor),
        recovery_ticket,
        ticket_version,
    }
}

/// `GET /v1/meets/{meetId}`
pub(super) async fn info(access: Access) -> Answer {
    let live = &access.live;
    let auth = Arc::clone(live.roster().auth());
    let finished_at = live.committed.finished_at();
    let head = live.committed.head_position(&access.audience());
    let (recovery_ticket, ticket_version) = live.ticket(&access.grant.holder).unzip();
    Ok(json(
        StatusCode::OK,
        &Message::MeetInfo(Box::new(MeetInfo {
            meet_id: live.id.to_string(),
            meet_name: auth.meet_name.clone(),
            status: live.committed.status(),
            server_seq_num: head.server_seq_num,
            cursor: head.cursor,
            created_at: auth.created_at,
            finished_at,
            locations: live.presence.locations(&auth.locations, head.server_seq_num, live.now()),
            viewers: live.presence.viewers(),
            settings: auth.settings.clone(),
            read_only: match live.needed() {
                Some(needed_server_seq_num) => Some(ReadOnly::Damage { needed_server_seq_num }),
                None => live.has_failed().then_some(ReadOnly::Disk),
            },
            provenance: live.is_unproven().then_some("unproven"),
            recovery_ticket,
            ticket_version,
        })),
    ))
}

//! The design's own messages. A transport only carries them: each does what the resource of the same name does,
//! by the same code, and says in itself who speaks.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use crate::auth::token::{Kind, Token};
use crate::meet::chain::Cursor;
use crate::meet::id::MeetId;
use crate::wire::message::Message;
use crate::wire::problem::{Code, Extra, Problem};
use crate::wire::request::{ClientPull, Envelope, FinishMeet, JoinMeet, RestoreMeet, Sync};

use super::App;
use super::access::{Access, Address, Editor, bearer, refuse_sessions_in, refused};
use super::body::{Text, parse};
use super::finish::finish;
use super::measure::Waited;
use super::meets::{create_meet, may_create, session};
use super::params::Params;
use super::publish::publish;
use super::pushes::{body_wait, page_limit, push_updates, sync_updates};
use super::reply::{Answer, invalid_at, json};
use super::restore::restore;
use super::serve::room::Place;
use super::sessions::join_meet;
use super::updates;

/// Characters of an unknown `msgType` that the answer repeats.
const TYPE_SHOWN_CHARS: usize = 64;

/// Who sends messages, as far as the transport tells.
pub(super) struct Caller {
    address: IpAddr,
    /// Speaks where a message names no token.
    pub(super) token: Option<Token>,
    /// What creating a meet may need.
    create_key: Option<String>,
    /// A page from elsewhere: it reads with a view key, and nothing else.
    pub(super) only_views: bool,
    /// Whether it hears of news anyway, so that nothing waits for them.
    pub(super) follows: bool,
    /// The connection.
    place: Option<Place>,
}

/// What a message comes to.
pub(super) enum Reply {
    /// Answered, with the status that the resource has.
    Said(StatusCode, Vec<Message>, Option<Waited>),
    /// A session was opened, when the log's head was here.
    Joined(Access, Cursor, Message),
    /// News are wanted: one page of them by POST, all of them over a socket.
    Pull(Access, ClientPull),
}

impl Reply {
    fn said(status: StatusCode, message: Message) -> Reply {
        Reply::Said(status, vec![message], None)
    }
}

/// `POST /v1/messages`
pub(super) async fn post(State(app): State<Arc<App>>, caller: Caller, Text(text): Text) -> Answer {
    match answer(&app, &caller, &text).await? {
        Reply::Said(status, messages, waited) => Ok((waited.map(Extension), said(status, &messages)).into_response()),
        Reply::Joined(_, _, message) => Ok(json(StatusCode::CREATED, &message)),
        Reply::Pull(access, pull) => {
            let after = pull.last_server_seq.unwrap_or_else(|| access.live.committed.head_position(&access.audience()).cursor);
            let (limit, wait) = (page_limit(pull.limit)?, body_wait(pull.wait)?);
            let (page, waited) = updates::page(&app, &access, after, limit, wait).await?;
            Ok((waited.map(Extension), json(StatusCode::OK, &Message::UpdateRelay(page))).into_response())
        }
    }
}

/// One message is an object, several are an array.
fn said(status: StatusCode, messages: &[Message]) -> Response {
    if let [message] = messages {
        return json(status, message);
    }
    let texts: Vec<String> = messages.iter().map(Message::to_json).collect();
    (status, [(CONTENT_TYPE, "application/json")], format!("[{}]\n", texts.join(","))).into_response()
}

/// Carries out one message.
pub(super) async fn answer(app: &Arc<App>, caller: &Caller, text: &[u8]) -> Result<Reply, Problem> {
    let envelope: Envelope = parse(text)?;
    match envelope.msg_type.as_str() {
        "CREATE_MEET" => {
            caller.may_write()?;
            may_create(app, envelope.create_key.as_deref().or(caller.create_key.as_deref()))?;
            let creator = create_meet(app, parse(text)?).await?.on(caller.place.as_ref())?;
            let session = session(&creator);
            Ok(Reply::Joined(creator, session.head.cursor, Message::MeetCreated(Box::new(session))))
        }
        "JOIN_MEET" => {
            caller.may_write()?;
            let request: JoinMeet = parse(text)?;
            let meet = envelope.meet_id.as_deref().ok_or_else(|| invalid_at("/meetId", "missing; a meet id has nine digits"))?;
            let member = join_meet(app, meet.parse::<MeetId>().ok(), caller.address, request).await?.on(caller.place.as_ref())?;
            let session = session(&member);
            Ok(Reply::Joined(member, session.head.cursor, Message::MeetJoined(Box::new(session))))
        }
        "UPDATE_INIT" => {
            let editor = caller.editor(app, &envelope).await?;
            let result = push_updates(&editor, parse(text)?).await?;
            Ok(Reply::Said(StatusCode::OK, result.into_messages(), None))
        }
        "SYNC" => {
            let editor = caller.editor(app, &envelope).await?;
            let mut request: Sync = parse(text)?;
            if caller.follows {
                request.wait = 0.0;
            }
            let (result, waited) = sync_updates(app, &editor, request).await?;
            Ok(Reply::Said(StatusCode::OK, vec![Message::SyncResult(result)], waited))
        }
        "FINISH_MEET" => {
            let editor = caller.editor(app, &envelope).await?;
            Ok(Reply::said(StatusCode::OK, finish(&editor, FinishMeet {}).await?))
        }
        "PUBLISH_MEET" => {
            let editor = caller.editor(app, &envelope).await?;
            Ok(Reply::said(StatusCode::ACCEPTED, publish(app, &editor, parse(text)?).await?))
        }
        "RESTORE" => {
            caller.may_write()?;
            let (request, access) = (parse(text)?, caller.access(app, &envelope).await);
            let meet = envelope.meet_id.as_deref().map_or_else(|| meet_of(app, &request), |meet| meet.parse().ok());
            Ok(Reply::said(StatusCode::OK, restore(app, meet, access, caller.address, request).await?))
        }
        "CLIENT_PULL" => Ok(Reply::Pull(caller.access(app, &envelope).await?, parse(text)?)),
        other => Err(unknown(other)),
    }
}

/// Whoever has no session any more names its meet by its ticket.
fn meet_of(app: &App, request: &RestoreMeet) -> Option<MeetId> {
    app.registry.ticket(request.recovery_ticket.as_deref()?)?.auth.meet_id.parse().ok()
}

fn unknown(msg_type: &str) -> Problem {
    let shown: String = msg_type.chars().take(TYPE_SHOWN_CHARS).collect();
    let detail = format!("{shown:?} is no message that a client sends; /openapi.yaml lists those under ClientMessage");
    Problem::new(Code::UnknownMessageType, detail).with(Extra::UnknownType { unknown_msg_type: shown })
}

impl Caller {
    /// Refuses pages of origins that the operator has not allowed.
    fn may_write(&self) -> Result<(), Problem> {
        if self.only_views {
            let detail = "a page of another origin only reads, with a view key; the operator can let it write with --allow-origin";
            return Err(Problem::new(Code::ReadOnly, detail));
        }
        Ok(())
    }

    /// Whoever the message says that it is from.
    async fn access(&self, app: &App, envelope: &Envelope) -> Result<Access, Problem> {
        let shown = envelope.session_token.as_deref();
        let token = match shown {
            Some(text) => text.parse().map_err(|_| refused(Kind::Session)),
            None => self.token.clone().ok_or_else(|| if self.create_key.is_some() { refused(Kind::Session) } else { no_token() }),
        };
        let token = token.map_err(|problem| show(problem, shown))?;
        if token.kind == Kind::Session {
            self.may_write()?;
        }
        let access = Access::open(app, token).await.map_err(|problem| show(problem, shown))?;
        access.on(self.place.as_ref())
    }

    async fn editor(&self, app: &App, envelope: &Envelope) -> Result<Editor, Problem> {
        self.access(app, envelope).await?.into_editor()
    }
}

fn no_token() -> Problem {
    Problem::new(Code::InvalidSession, "no token came along; put the session token into the message as sessionToken")
}

/// The design's INVALID_SESSION names the token that it is about.
fn show(problem: Problem, token: Option<&str>) -> Problem {
    match token {
        Some(token) if problem.code == Code::InvalidSession => problem.with(Extra::Session { session_token: token.to_owned() }),
        _ => problem,
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    /// A bearer that is no token may be the operator's key.
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Caller, Problem> {
        let Address(address) = Address::from_request_parts(parts, app).await?;
        let params = Params::from_request_parts(parts, app).await?;
        refuse_sessions_in(&params)?;
        let bearer = bearer(&parts.headers);
        let token = match (bearer, params.get("key")) {
            (Some(text), _) => text.parse().ok(),
            (None, Some(key)) => Some(key.parse().map_err(|_| refused(Kind::View))?),
            (None, None) => None,
        };
        Ok(Caller {
            address,
            token,
            create_key: bearer.map(str::to_owned),
            only_views: false,
            follows: false,
            place: parts.extensions.get().cloned(),
        })
    }
}

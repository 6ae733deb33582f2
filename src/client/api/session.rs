//! What a session, or a view key, can do with its meet.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde_json::Value;

use crate::client::channel::{Answer, Fault, Pull, Push, RestorePage, Update};
use crate::meet::chain::Cursor;
use crate::meet::id::MeetId;
use crate::meet::update::Mode;
use crate::wire::reply::{ReceivedRestored, ReceivedState};
use crate::wire::stream::Format;

use super::judge::Arrived;
use super::{ANSWER_TIMEOUT, Server, send, unreachable};

/// A meet on a server, and what lets one in. Clones share the token.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let session = hall::session().await?;
/// # let push = hall::push("meet.name", "\"Spring Open\"")?;
/// session.push(&push).await?;
/// let name = session.state(Some("meet.name"), None).await?;
/// assert_eq!((name.state.get(), name.server_seq_num), ("\"Spring Open\"", 1));
/// session.leave().await?;
/// assert!(session.info().await.is_err());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Session {
    server: Server,
    meet: MeetId,
    token: Arc<RwLock<String>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Session").field("meet", &self.meet).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PushBody<'a> {
    updates: &'a [Update],
    mode: Mode,
    #[serde(skip_serializing_if = "Option::is_none")]
    if_head: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SyncBody<'a> {
    #[serde(flatten)]
    push: PushBody<'a>,
    after: String,
    wait: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
}

impl<'a> PushBody<'a> {
    fn new(push: &'a Push) -> PushBody<'a> {
        PushBody { updates: &push.updates, mode: push.mode, if_head: push.if_head.map(|cursor| cursor.to_string()) }
    }
}

impl Session {
    /// A session, or a view key, of a meet.
    pub fn new(server: Server, meet: MeetId, token: String) -> Session {
        Session { server, meet, token: Arc::new(RwLock::new(token)) }
    }

    /// Which meet.
    pub fn meet(&self) -> MeetId {
        self.meet
    }

    /// Where it is.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The token that is used now.
    pub fn token(&self) -> String {
        self.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on this token is used.
    pub fn set_token(&self, token: String) {
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = token;
    }

    fn path(&self, rest: &str) -> String {
        format!("v1/meets/{}{rest}", self.meet.digits())
    }

    fn with_token(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(self.token())
    }

    async fn get(&self, rest: &str, timeout: Duration) -> Result<Arrived, Fault> {
        send(self.with_token(self.server.request(Method::GET, &self.path(rest))), timeout).await
    }

    async fn post(&self, rest: &str, body: &impl Serialize, timeout: Duration) -> Result<Arrived, Fault> {
        send(self.with_token(self.server.post(&self.path(rest), body)?), timeout).await
    }

    /// `POST …/updates`
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn push(&self, push: &Push) -> Result<Answer, Fault> {
        self.post("/updates", &PushBody::new(push), ANSWER_TIMEOUT).await?.answer()
    }

    /// The same with a body that is sent as it is.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn push_raw(&self, body: &impl Serialize) -> Result<Answer, Fault> {
        self.post("/updates", body, ANSWER_TIMEOUT).await?.answer()
    }

    /// `GET …/updates`
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn pull(&self, pull: Pull) -> Result<Answer, Fault> {
        let limit = pull.limit.map(|limit| format!("&limit={limit}")).unwrap_or_default();
        let path = format!("/updates?after={}&wait={}{limit}", pull.after, pull.wait.as_secs_f64());
        self.get(&path, pull.wait + ANSWER_TIMEOUT).await?.answer()
    }

    /// `POST …/sync`
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn sync(&self, push: &Push, pull: Pull) -> Result<Answer, Fault> {
        let Pull { after, wait, limit } = pull;
        let body = SyncBody { push: PushBody::new(push), after: after.to_string(), wait: wait.as_secs_f64(), limit };
        self.post("/sync", &body, wait + ANSWER_TIMEOUT).await?.answer()
    }

    /// The same with a body that is sent as it is, and that asks to wait for so long.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn sync_raw(&self, body: &impl Serialize, wait: Duration) -> Result<Answer, Fault> {
        self.post("/sync", body, wait + ANSWER_TIMEOUT).await?.answer()
    }

    /// `POST …/restore`
    ///
    /// # Errors
    /// [`Fault`]; a log that does not join the server's comes back as [`Fault::Refused`].
    pub async fn restore(&self, page: &RestorePage) -> Result<ReceivedRestored, Fault> {
        self.post("/restore", page, ANSWER_TIMEOUT).await?.read()
    }

    /// `GET …/events`: a stream from `after` on, or from the head where that is `None`. Its head must arrive within `timeout`.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn events(&self, after: Option<Cursor>, format: Format, timeout: Duration) -> Result<Response, Fault> {
        let after = after.map_or_else(|| "now".to_owned(), |cursor| cursor.to_string());
        let request = self.with_token(self.server.request(Method::GET, &self.path(&format!("/events?after={after}"))));
        let opening = request.header(ACCEPT, format.content_type()).send();
        let late = || Fault::Cut("the head of the stream did not arrive in time".to_owned());
        let response = tokio::time::timeout(timeout, opening).await.map_err(|_| late())?.map_err(|error| unreachable(&error))?;
        let kind = response.headers().get(reqwest::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if response.status().is_success() && kind.starts_with(format.content_type()) {
            return Ok(response);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let body = tokio::time::timeout(timeout, response.bytes()).await.map_err(|_| late())?.map_err(|error| unreachable(&error))?;
        match (Arrived { status, headers, body: body.into() }) {
            arrived if arrived.status.is_success() => Err(Fault::Unreadable("the answer is no stream".to_owned())),
            arrived => Err(arrived.fault()),
        }
    }

    /// `GET …/state`, or the part at `path`, now or after the entry `at`.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn state(&self, path: Option<&str>, at: Option<u64>) -> Result<ReceivedState, Fault> {
        let path = path.map(|path| format!("path={}", encoded(path)));
        let parts: Vec<String> = path.into_iter().chain(at.map(|at| format!("at={at}"))).collect();
        let query = if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) };
        self.get(&format!("/state{query}"), ANSWER_TIMEOUT).await?.read()
    }

    /// `GET /v1/meets/{id}`
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn info(&self) -> Result<Value, Fault> {
        self.get("", ANSWER_TIMEOUT).await?.read()
    }

    /// `POST …/publish`
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn publish(&self, return_email: &str, opl_csv: &str) -> Result<Value, Fault> {
        let body = serde_json::json!({"returnEmail": return_email, "oplCsv": opl_csv});
        self.post("/publish", &body, ANSWER_TIMEOUT).await?.read()
    }

    /// `GET …/publish`
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn publishes(&self) -> Result<Value, Fault> {
        self.get("/publish", ANSWER_TIMEOUT).await?.read()
    }

    /// `DELETE …/session`
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn leave(&self) -> Result<(), Fault> {
        let arrived = send(self.with_token(self.server.request(Method::DELETE, &self.path("/session"))), ANSWER_TIMEOUT).await?;
        if arrived.status.is_success() { Ok(()) } else { Err(arrived.fault()) }
    }
}

/// A part of a query: everything but unreserved characters as `%` and two hex digits (RFC 3986).
fn encoded(text: &str) -> String {
    reqwest::Url::parse_with_params("http://h/", [("q", text)])
        .map(|url| url.query().unwrap_or_default().trim_start_matches("q=").to_owned())
        .unwrap_or_default()
}

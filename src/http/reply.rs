//! Wire types to responses.

use std::any::Any;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tracing::error;

use crate::meet::outcome::LostCursor;
use crate::relay::live::{Fault, LiveMeet};
use crate::wire::audience::Audience;
use crate::wire::message::{Message, ServerPull};
use crate::wire::problem::{Code, Extra, FieldError, Problem};

/// A handler's answer.
pub(super) type Answer = Result<Response, Problem>;

/// A message as a response. It ends its line, so that replies in a shell do not run together.
pub(super) fn json(status: StatusCode, message: &Message) -> Response {
    json_body(status, message.to_json() + "\n")
}

/// The same for text that is JSON already.
pub(super) fn json_body(status: StatusCode, body: impl Into<Body>) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body.into()).into_response()
}

impl IntoResponse for Problem {
    /// The body waits for `around`, which knows the request's id.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.facts().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// The body of a problem. Faults of the server are logged, since only the operator can mend them.
pub(super) fn problem_text(problem: &Problem, id: &str, method: &Method, path: &str) -> String {
    if matches!(problem.code, Code::Internal | Code::StorageFailed) {
        error!(request_id = id, %method, path, code = problem.code.facts().code, detail = problem.detail, "request failed");
    }
    problem.to_json(id) + "\n"
}

/// Gives the answer to a request that was refused its body.
pub(super) fn fill(response: &mut Response, problem: &Problem, text: String) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = problem.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.code.facts().status == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"liftrelay\""));
    }
    // What the router said about its empty body is no longer true.
    headers.remove(axum::http::header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(text);
}

/// No such address.
pub(super) async fn not_found(uri: Uri) -> Problem {
    Problem::new(Code::NotFound, format!("nothing is served at {}; see /openapi.yaml for what is", uri.path()))
}

/// The address has other methods; the router names them in `Allow`.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(Code::MethodNotAllowed, format!("{} does not take {method}; the Allow header names what it takes", uri.path()))
}

/// A fault in this program is logged, and told without its text.
#[expect(clippy::needless_pass_by_value, reason = "the layer calls it so")]
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    error!(panic = text.unwrap_or("no text"), "a handler panicked");
    internal().into_response()
}

fn internal() -> Problem {
    Problem::new(Code::Internal, "the server failed; the operator finds this requestId in the log").retry_after(1)
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        match fault {
            Fault::StorageFailed => Problem::new(
                Code::StorageFailed,
                "the server's disk failed for this meet; it takes no changes until the disk works again. Keep your updates: sending them again later is safe",
            )
            .retry_after(5),
            Fault::Overloaded => Problem::new(Code::Overloaded, "too many requests wait for this meet; send this one again").retry_after(1),
            Fault::Recovering => Problem::new(
                Code::Recovering,
                "the server had lost this meet and takes it back from its clients; send this again in a moment, and hand back what you have of the log",
            )
            .retry_after(2),
            Fault::Internal => internal(),
        }
    }
}

/// A request whose parts do not fit.
pub(super) fn invalid(errors: Vec<FieldError>) -> Problem {
    let told =
        |FieldError { pointer, detail }: &FieldError| if pointer.is_empty() { detail.clone() } else { format!("{pointer}: {detail}") };
    let told: Vec<String> = errors.iter().map(told).collect();
    Problem::new(Code::InvalidRequest, told.join("; ")).with(Extra::Errors { errors })
}

/// As [`invalid`], for one place.
pub(super) fn invalid_at(pointer: impl Into<String>, detail: impl Into<String>) -> Problem {
    invalid(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
}

/// A cursor that cannot be served. A viewer cannot give anything back, so it only starts over.
pub(super) fn lost(live: &LiveMeet, lost: LostCursor, audience: &Audience) -> Problem {
    let head = live.committed.head_position(audience);
    match lost {
        LostCursor::AboveHead(cursor) if audience.is_editor() => {
            let detail = format!(
                "cursor {cursor} is above the server's head {}: the server has lost entries; hand back those above {}",
                head.server_seq_num, head.server_seq_num
            );
            let server = ServerPull { last_server_seq: head.server_seq_num, cursor: head.cursor };
            Problem::new(Code::ServerBehind, detail).with(Extra::Behind(server))
        }
        LostCursor::AboveHead(cursor) | LostCursor::Foreign(cursor) => {
            let detail = format!("cursor {cursor} belongs to another history than this log's; take the state and go on from its cursor");
            Problem::new(Code::HistoryChanged, detail).with(Extra::HistoryChanged { cursor: head.cursor })
        }
    }
}

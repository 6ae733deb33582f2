//! Problems (RFC 9457): the closed list of errors, each with a fixed status.

use serde::Serialize;

use crate::meet::chain::Cursor;
use crate::meet::outcome::{Ack, Rejection};

use super::message::{News, ServerPull, text};

/// Why a request was refused: a closed list (wire contract, section 8).
///
/// ```
/// use liftrelay::wire::problem::Code;
///
/// let facts = Code::Overloaded.facts();
/// assert_eq!((facts.code, facts.status, facts.retry), ("overloaded", 503, true));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is explained by its `cause`")]
pub enum Code {
    MalformedMessage,
    UnknownMessageType,
    InvalidCursor,
    InvalidSession,
    InvalidViewKey,
    TokenInUrl,
    JoinRejected,
    ReadOnly,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    SyncConflict,
    SyncStale,
    ServerBehind,
    HistoryChanged,
    MeetFinished,
    TooLarge,
    UnsupportedMediaType,
    InvalidRequest,
    RateLimited,
    Internal,
    StorageFailed,
    Recovering,
    Overloaded,
}

/// What is fixed about a [`Code`].
#[derive(Clone, Copy, Debug)]
pub struct CodeFacts {
    /// The code on the wire.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// In a few words.
    pub title: &'static str,
    /// What leads here.
    pub cause: &'static str,
    /// What to do about it.
    pub cure: &'static str,
    /// Whether the same request may succeed later.
    pub retry: bool,
    /// Whether the request may have had effects all the same.
    pub effects: bool,
}

impl Code {
    /// Every code.
    pub const ALL: [Code; 24] = [
        Code::MalformedMessage,
        Code::UnknownMessageType,
        Code::InvalidCursor,
        Code::InvalidSession,
        Code::InvalidViewKey,
        Code::TokenInUrl,
        Code::JoinRejected,
        Code::ReadOnly,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::NotAcceptable,
        Code::SyncConflict,
        Code::SyncStale,
        Code::ServerBehind,
        Code::HistoryChanged,
        Code::MeetFinished,
        Code::TooLarge,
        Code::UnsupportedMediaType,
        Code::InvalidRequest,
        Code::RateLimited,
        Code::Internal,
        Code::StorageFailed,
        Code::Recovering,
        Code::Overloaded,
    ];

    /// The code with this name on the wire.
    pub fn named(name: &str) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.facts().code == name)
    }

    /// The `msgType` of the problem, where the design of the messages names one.
    pub const fn msg_type(self) -> Option<&'static str> {
        Some(match self {
            Code::MalformedMessage => "MALFORMED_MESSAGE",
            Code::UnknownMessageType => "UNKNOWN_MESSAGE_TYPE",
            Code::InvalidSession => "INVALID_SESSION",
            Code::JoinRejected => "JOIN_REJECTED",
            Code::ServerBehind => "SERVER_PULL",
            Code::SyncConflict => "SYNC_CONFLICT",
            Code::SyncStale => "SYNC_STALE",
            _ => return None,
        })
    }

    /// What is fixed about it.
    #[rustfmt::skip]
    pub const fn facts(self) -> CodeFacts {
        match self {
            Code::MalformedMessage => fact("malformed-message", 400, "The body is not JSON", "The body cannot be read as JSON text in UTF-8.", "Send JSON. errMsg says where reading stopped.", false, false),
            Code::UnknownMessageType => fact("unknown-message-type", 400, "Unknown msgType", "The message has a msgType that this server does not know.", "See openapi.yaml for the types that exist.", false, false),
            Code::InvalidCursor => fact("invalid-cursor", 400, "Not a cursor", "A cursor is a number, or a number, a hyphen and eight hex digits.", "Send back a cursor as the server gave it, or 0 to start over.", false, false),
            Code::InvalidSession => fact("invalid-session", 401, "No valid session", "The session token is missing, has expired, was ended, belongs to another meet, or the meet does not exist.", "Join the meet again with its id and password. Where the server has lost the meet, hand your log back with its recovery ticket.", false, false),
            Code::InvalidViewKey => fact("invalid-view-key", 401, "No valid view key", "The view key was deleted, has expired, belongs to another meet, or the meet does not exist.", "Ask an editor of the meet for a new view key.", false, false),
            Code::TokenInUrl => fact("token-in-url", 401, "Session token in the URL", "URLs end up in logs and histories, so a session token in one is refused.", "Send it as Authorization: Bearer, or use a view key, which may ride in a URL.", false, false),
            Code::JoinRejected => fact("join-rejected", 403, "Joining was refused", "Meet id and password do not go together, or the location is not one of the meet's.", "Check the nine digits, the password and the location's name.", false, false),
            Code::ReadOnly => fact("read-only", 403, "View keys only read", "The request writes or manages, and a view key may not.", "Join with the meet's password and use the session token.", false, false),
            Code::NotFound => fact("not-found", 404, "Nothing there", "No such address, or nothing stands at that path.", "See openapi.yaml for the addresses that exist.", false, false),
            Code::MethodNotAllowed => fact("method-not-allowed", 405, "Wrong method", "The address exists, but not with this method.", "Use a method that the Allow header names.", false, false),
            Code::NotAcceptable => fact("not-acceptable", 406, "No acceptable format", "The Accept header takes none of the formats that this address has.", "Accept text/event-stream or application/x-ndjson.", false, false),
            Code::SyncConflict => fact("sync-conflict", 409, "The atomic batch was refused", "One update of the batch was refused, so none took effect.", "Drop or change the named update, then send the rest with the new cursor.", false, false),
            Code::SyncStale => fact("sync-stale", 409, "The head has moved", "ifHead names a head that is no longer the newest.", "Apply the news that came along, then send the batch again with the new cursor.", false, false),
            Code::ServerBehind => fact("server-behind", 409, "The client is ahead of the server", "The cursor is above the server's head: the server has lost entries.", "Hand back the entries above lastServerSeq.", false, false),
            Code::HistoryChanged => fact("history-changed", 409, "Another history", "The cursor's chain is not this log's: it comes from another meet or from before a recovery.", "Take the state resource and go on from its cursor.", false, false),
            Code::MeetFinished => fact("meet-finished", 409, "The meet is finished", "A finished meet takes no more updates.", "Read it, publish its results, or create a new meet. Updates that had been answered before are answered again, in updateAcks and updatesRejected.", false, false),
            Code::TooLarge => fact("too-large", 413, "The body is too large", "A request body can have 4 MiB.", "Split the batch.", false, false),
            Code::UnsupportedMediaType => fact("unsupported-media-type", 415, "Not JSON by its type", "The body's Content-Type is not JSON.", "Send Content-Type: application/json.", false, false),
            Code::InvalidRequest => fact("invalid-request", 422, "The request does not fit", "A member or parameter is missing, has the wrong type or is out of range.", "errors names each place and what would be right.", false, false),
            Code::RateLimited => fact("rate-limited", 429, "Too many attempts or streams", "Too many failed attempts came from this address (logins, or logs handed back that this server has not written), or one token has too many streams and waiting requests open.", "Wait as long as Retry-After says; close streams that nobody reads.", true, false),
            Code::Internal => fact("internal", 500, "A fault in the server", "The server failed in a way that it should not.", "Send the same request again; updates with a localSeqNum are safe to resend. The operator finds the requestId in the log.", true, true),
            Code::StorageFailed => fact("storage-failed", 503, "The disk failed", "The server cannot write this meet to its disk, so it takes no updates; reading goes on.", "Keep the updates and send them again later: writing resumes when the disk works. The operator may have to look at it.", true, true),
            Code::Recovering => fact("recovering", 503, "The meet is being recovered", "The server lost this meet and is taking it back from its clients.", "Send the same request again after Retry-After.", true, false),
            Code::Overloaded => fact("overloaded", 503, "The server is busy", "Too many requests wait for the same thing.", "Send the same request again after Retry-After.", true, false),
        }
    }
}

const fn fact(
    code: &'static str,
    status: u16,
    title: &'static str,
    cause: &'static str,
    cure: &'static str,
    retry: bool,
    effects: bool,
) -> CodeFacts {
    CodeFacts { code, status, title, cause, cure, retry, effects }
}

/// A refused request.
#[derive(Debug)]
pub struct Problem {
    /// Which kind.
    pub code: Code,
    /// For a person: what was wrong, what would be right.
    pub detail: String,
    /// What this kind carries besides.
    pub extra: Extra,
    /// Seconds until a retry makes sense.
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem that carries nothing besides its text.
    pub fn new(code: Code, detail: impl Into<String>) -> Problem {
        Problem { code, detail: detail.into(), extra: Extra::None {}, retry_after: None }
    }

    /// With what its kind carries besides.
    pub fn with(mut self, extra: Extra) -> Problem {
        self.extra = extra;
        self
    }

    /// With the seconds until a retry makes sense.
    pub fn retry_after(mut self, seconds: u32) -> Problem {
        self.retry_after = Some(seconds);
        self
    }

    /// The body.
    #[expect(clippy::expect_used, reason = "strings, numbers and raw JSON always serialise")]
    pub fn to_json(&self, request_id: &str) -> String {
        let facts = self.code.facts();
        let body = Body {
            r#type: format!("/problems/{}", facts.code),
            title: facts.title,
            status: facts.status,
            detail: &self.detail,
            code: self.code,
            msg_type: self.code.msg_type(),
            request_id,
            retry_after_seconds: self.retry_after,
            extra: &self.extra,
        };
        serde_json::to_string(&body).expect("plain members")
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: Code,
    #[serde(skip_serializing_if = "Option::is_none")]
    msg_type: Option<&'static str>,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u32>,
    #[serde(flatten)]
    extra: &'a Extra,
}

/// What a kind of problem carries besides its text.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "named as in the wire contract")]
pub enum Extra {
    None {},
    Malformed {
        err_msg: String,
    },
    /// `INVALID_SESSION` shows the token that a message carried.
    Session {
        session_token: String,
    },
    UnknownType {
        unknown_msg_type: String,
    },
    Join {
        reason: &'static str,
    },
    Behind(ServerPull),
    HistoryChanged {
        #[serde(serialize_with = "text")]
        cursor: Cursor,
    },
    Conflict {
        processed: Vec<u64>,
        problem: Box<Rejection>,
        remaining: Vec<u64>,
        #[serde(flatten)]
        news: Box<News>,
    },
    Stale(Box<News>),
    Finished {
        update_acks: Vec<Ack>,
        updates_rejected: Vec<Rejection>,
    },
    Errors {
        errors: Vec<FieldError>,
    },
}

/// One place of an `invalid-request`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// A JSON pointer into the body, or `/query/<name>`.
    pub pointer: String,
    /// What was wrong there, what would be right.
    pub detail: String,
}

//! What a stream tells, whichever way its messages are carried.

use serde_json::value::RawValue;

use crate::wire::message::{EndReason, Status};
use crate::wire::reply::{Kind, ReceivedEnd, ReceivedHeartbeat, ReceivedHello, ReceivedPage, ReceivedReset, ReceivedServerPull};

use super::{Answer, Fault, Hints, Reply};

/// One message of a stream.
#[derive(Debug)]
pub(super) enum News {
    Hello(ReceivedHello),
    Page(Box<ReceivedPage>),
    Heartbeat(ReceivedHeartbeat),
    ServerBehind(ReceivedServerPull),
    HistoryChanged(ReceivedReset),
    End(ReceivedEnd),
    /// No news of the log: an answer, a problem, or a kind that this version does not know.
    Other {
        kind: String,
        text: Box<RawValue>,
    },
}

impl News {
    /// Reads a message.
    pub(super) fn read(text: &str) -> Result<News, Fault> {
        read(text).map_err(|error| Fault::Unreadable(error.to_string()))
    }
}

fn read(text: &str) -> Result<News, serde_json::Error> {
    let Kind { msg_type, code } = serde_json::from_str(text)?;
    if code.is_some() {
        // A refused request; some have the type of a stream's message.
        return Ok(News::Other { kind: String::new(), text: serde_json::from_str(text)? });
    }
    Ok(match msg_type.as_str() {
        "HELLO" => News::Hello(serde_json::from_str(text)?),
        "UPDATE_RELAY" => News::Page(serde_json::from_str(text)?),
        "HEARTBEAT" => News::Heartbeat(serde_json::from_str(text)?),
        "SERVER_PULL" => News::ServerBehind(serde_json::from_str(text)?),
        "RESET" => News::HistoryChanged(serde_json::from_str(text)?),
        "END" => News::End(serde_json::from_str(text)?),
        _ => News::Other { kind: msg_type, text: serde_json::from_str(text)? },
    })
}

/// What a message means to whoever pulls; `None` where it means nothing to them.
pub(super) fn answer(news: News) -> Result<Option<Answer>, Fault> {
    Ok(Some(match news {
        News::Page(page) => {
            let hints = Hints { status: page.status, ..Hints::default() };
            Answer::Done(Reply { page: Some(*page), hints, ..Reply::default() })
        }
        News::Hello(hello) => {
            let hints = Hints { ticket_version: hello.ticket_version, status: Some(hello.status), ..Hints::default() };
            Answer::Done(Reply { hints, ..Reply::default() })
        }
        News::Heartbeat(beat) => {
            let hints =
                Hints { ticket_version: beat.ticket_version, state_hash: beat.state_hash, status: Some(beat.status), ..Hints::default() };
            let page = ReceivedPage {
                updates_relayed: Vec::new(),
                server_seq_num: beat.server_seq_num,
                cursor: beat.cursor,
                chain: beat.chain,
                head_seq_num: beat.head_seq_num,
                more: beat.head_seq_num > beat.server_seq_num,
                status: Some(beat.status),
            };
            Answer::Done(Reply { page: Some(page), hints, ..Reply::default() })
        }
        News::ServerBehind(pull) => Answer::ServerBehind { head: pull.cursor },
        News::HistoryChanged(reset) => Answer::HistoryChanged { head: reset.cursor },
        News::End(end) => return ended(&end).map(Some),
        News::Other { .. } => return Ok(None),
    }))
}

fn ended(end: &ReceivedEnd) -> Result<Answer, Fault> {
    match end.reason {
        // The stream stays open, and nothing but heartbeats comes.
        EndReason::Finished => {
            let hints = Hints { status: Some(Status::Finished), ..Hints::default() };
            Ok(Answer::Done(Reply { hints, ..Reply::default() }))
        }
        EndReason::Expired => Err(Fault::NotAuthorised("the session has expired".to_owned())),
        EndReason::Revoked => Err(Fault::NotAuthorised("the session was ended".to_owned())),
        EndReason::Shutdown => {
            let retry_after = end.retry_after_seconds.map(|seconds| std::time::Duration::from_secs(u64::from(seconds)));
            Err(Fault::Busy { retry_after, status: 503, detail: "the server stops".to_owned() })
        }
    }
}

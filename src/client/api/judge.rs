//! What a response means.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde::de::DeserializeOwned;

use crate::client::channel::{Answer, Fault, Hints, Reply};
use crate::wire::problem::Code;
use crate::wire::reply::{ReceivedAnswers, ReceivedConflict, ReceivedPage, ReceivedProblem, ReceivedReset, ReceivedServerPull};

/// A response that has arrived whole.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Arrived {
    /// The body of a success.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        if !self.status.is_success() {
            return Err(self.fault());
        }
        self.parse()
    }

    /// Whether it speaks JSON: whatever else answers is not our server.
    fn is_json(&self) -> bool {
        let named = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        named.starts_with("application/json") || named.starts_with("application/problem+json")
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        if !self.is_json() {
            return Err(Fault::Unreadable("something on the way answered in the server's place".to_owned()));
        }
        serde_json::from_slice(&self.body).map_err(|error| Fault::Unreadable(error.to_string()))
    }

    /// What a push, a pull or both came to.
    pub(crate) fn answer(&self) -> Result<Answer, Fault> {
        if self.status.is_success() {
            return self.reply(true).map(Answer::Done);
        }
        if self.status != StatusCode::CONFLICT || !self.is_json() {
            return Err(self.fault());
        }
        match self.parse::<ReceivedProblem>()?.code {
            Some(Code::SyncConflict) => Ok(Answer::Conflict(Box::new(self.parse::<ReceivedConflict>()?), self.parse()?)),
            Some(Code::SyncStale) => self.parse().map(Answer::Stale),
            Some(Code::MeetFinished) => self.reply(false).map(Answer::Finished),
            Some(Code::ServerBehind) => self.parse::<ReceivedServerPull>().map(|pull| Answer::ServerBehind { head: pull.cursor }),
            Some(Code::HistoryChanged) => self.parse::<ReceivedReset>().map(|reset| Answer::HistoryChanged { head: reset.cursor }),
            _ => Err(self.fault()),
        }
    }

    fn reply(&self, may_hold_page: bool) -> Result<Reply, Fault> {
        let answers: ReceivedAnswers = self.parse()?;
        // An UPDATE_RESULT has no entries, and its number is no pull position.
        let page = if may_hold_page && contains_page(&self.body) { Some(self.parse::<ReceivedPage>()?) } else { None };
        let hints = Hints { status: page.as_ref().and_then(|page| page.status), ..Hints::default() };
        Ok(Reply { acks: answers.update_acks, rejections: answers.updates_rejected, page, hints })
    }

    /// What a response that is no success says.
    pub(crate) fn fault(&self) -> Fault {
        let problem = if self.is_json() { self.parse::<ReceivedProblem>().ok() } else { None };
        let status = self.status.as_u16();
        let told = problem.as_ref().map(|problem| problem.detail.clone()).filter(|detail| !detail.is_empty());
        let detail = told.unwrap_or_else(|| format!("HTTP {status} {}", self.status.canonical_reason().unwrap_or_default()));
        match status {
            401 if problem.is_some() => Fault::NotAuthorised(detail),
            // Said by something in between, these mean that it did not get, or did not wait for, the server's answer.
            500 | 502..=504 if problem.is_none() => Fault::Cut(detail),
            408 | 425 | 429 | 500..=599 => Fault::Busy { retry_after: self.retry_after(problem.as_ref()), status, detail },
            _ if problem.is_none() && !self.status.is_client_error() => Fault::Unreadable(detail),
            _ => Fault::Refused { code: problem.and_then(|problem| problem.code), status, detail },
        }
    }

    fn retry_after(&self, problem: Option<&ReceivedProblem>) -> Option<Duration> {
        let header = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|text| text.trim().parse().ok());
        let told = problem.and_then(|problem| problem.retry_after_seconds).map(u64::from);
        header.or(told).map(Duration::from_secs)
    }
}

fn contains_page(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entries {
        updates_relayed: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_slice::<Entries>(body).is_ok_and(|entries| entries.updates_relayed.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn arrived(status: u16, kind: &'static str, body: &str) -> Arrived {
        let headers = [(CONTENT_TYPE, HeaderValue::from_static(kind))].into_iter().collect();
        Arrived { status: StatusCode::from_u16(status).unwrap(), headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn what_a_proxy_says_is_not_what_the_server_says() {
        let fault = |status, kind, body| arrived(status, kind, body).answer().unwrap_err();
        assert!(matches!(fault(504, "text/html", "<html>"), Fault::Cut(_)));
        let overloaded = r#"{"code":"overloaded","status":503,"detail":"busy","retryAfterSeconds":2}"#;
        let Fault::Busy { retry_after, .. } = fault(503, "application/problem+json", overloaded) else { panic!() };
        assert_eq!(retry_after, Some(Duration::from_secs(2)));
        assert!(matches!(fault(401, "text/html", "log in to the hall's network"), Fault::Refused { code: None, .. }));
        assert!(matches!(fault(401, "application/problem+json", r#"{"code":"invalid-session","status":401}"#), Fault::NotAuthorised(_)));
        assert!(matches!(fault(200, "text/html", "<html>welcome to our WLAN"), Fault::Unreadable(_)));
        assert!(matches!(fault(302, "text/html", ""), Fault::Unreadable(_)));
        assert!(matches!(fault(409, "text/html", ""), Fault::Refused { .. }));
    }

    #[test]
    fn a_push_result_is_no_pull_position() {
        let body = r#"{"msgType":"UPDATE_RESULT","updateAcks":[{"localSeqNum":1,"serverSeqNum":7}],"updatesRejected":[],"serverSeqNum":9,"cursor":"9-00000000"}"#;
        let Ok(Answer::Done(reply)) = arrived(200, "application/json", body).answer() else { panic!() };
        assert_eq!((reply.acks[0].server_seq_num, reply.page.is_none()), (7, true));
    }

    #[test]
    fn an_unknown_code_is_still_a_refusal() {
        let fault = arrived(409, "application/problem+json", r#"{"code":"of-tomorrow","status":409,"detail":"no"}"#).answer().unwrap_err();
        assert!(matches!(fault, Fault::Refused { code: None, status: 409, .. }), "{fault:?}");
    }
}

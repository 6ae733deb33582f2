//! Handing over by HTTP.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url, redirect};
use serde::Serialize;
use tracing::warn;

use crate::meet::limits::HANDOVER_TIMEOUT;

use super::destination::is_on_this_machine;
use super::handover::{Attempt, Facts, Parcel};

/// A program that takes results by HTTP.
pub(super) struct Webhook {
    client: Client,
    url: Url,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(flatten)]
    facts: Facts<'a>,
    opl_csv: &'a str,
}

impl Webhook {
    pub(super) fn new(url: &Url) -> Result<Webhook, String> {
        // Another part of the program may have chosen already, and then the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("liftrelay/", env!("CARGO_PKG_VERSION")))
            .timeout(HANDOVER_TIMEOUT)
            .redirect(redirect::Policy::none())
            .referer(false);
        // Without TLS a machine that knows no certificates will do.
        let client = if url.scheme() == "http" { client.tls_certs_only([]) } else { client };
        // A proxy elsewhere would look for it on its own machine, and see the results.
        let client = if is_on_this_machine(url) { client.no_proxy() } else { client };
        let client =
            client.build().map_err(|error| format!("--publish-to: the machine cannot send anything by HTTPS ({})", chain(&error)))?;
        Ok(Webhook { client, url: url.clone() })
    }

    /// Sends the results. The id in `Idempotency-Key` tells an attempt that came twice.
    pub(super) async fn send(&self, parcel: &Parcel) -> Attempt {
        let Ok(body) = serde_json::to_vec(&Body { facts: parcel.facts(), opl_csv: &parcel.opl_csv }) else {
            return Attempt::Refused("the results cannot be written as JSON".to_owned());
        };
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        match request.header("idempotency-key", parcel.publish.publish_id.to_string()).body(body).send().await {
            Ok(response) => judge(response.status(), response.headers()),
            Err(error) => {
                let reason = in_words(&error);
                // The address may hold secrets, and the log is no place for them.
                let error = error.without_url();
                warn!(host = self.url.host_str(), error = chain(&error), "published results could not be sent to the webhook");
                Attempt::Later { reason, after: None }
            }
        }
    }
}

fn judge(status: StatusCode, headers: &HeaderMap) -> Attempt {
    let reason = format!("the webhook answered {status}");
    match status.as_u16() {
        200..=299 => Attempt::HandedOver,
        408 | 425 | 429 | 500..=599 => {
            Attempt::Later { reason, after: headers.get(RETRY_AFTER).and_then(|value| wait(value.to_str().ok()?)) }
        }
        300..=399 => {
            Attempt::Refused(format!("{reason}: redirects are not followed, the operator has to give the address that takes results"))
        }
        _ => Attempt::Refused(reason),
    }
}

/// `Retry-After`: seconds, or a date.
fn wait(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    Some(Duration::try_from(until.duration_since(jiff::Timestamp::now())).unwrap_or(Duration::ZERO))
}

fn in_words(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        format!("did not answer within {} s", HANDOVER_TIMEOUT.as_secs())
    } else if error.is_connect() {
        "cannot be reached".to_owned()
    } else {
        "broke off the connection".to_owned()
    };
    format!("the webhook {what}; the server's log says more")
}

/// An error with all that it came from.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, retry_after: Option<&str>) -> Attempt {
        let headers = retry_after.map(|value| (RETRY_AFTER, value.parse().unwrap()));
        judge(StatusCode::from_u16(status).unwrap(), &HeaderMap::from_iter(headers))
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_is_said_for_good_is_not() {
        for taken in [200, 201, 202, 204] {
            assert_eq!(judged(taken, None), Attempt::HandedOver);
        }
        for later in [408, 425, 429, 500, 502, 503, 504] {
            assert!(matches!(judged(later, None), Attempt::Later { after: None, .. }), "{later}");
        }
        for refused in [301, 302, 307, 400, 401, 403, 404, 409, 410, 413, 422] {
            assert!(matches!(judged(refused, Some("1")), Attempt::Refused(reason) if reason.contains(&refused.to_string())), "{refused}");
        }
    }

    #[test]
    fn the_other_end_may_say_when() {
        let after = |text| match judged(503, Some(text)) {
            Attempt::Later { after, .. } => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        assert_eq!(after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let later = after("Fri, 31 Dec 2100 23:59:59 GMT").unwrap();
        assert!(later > Duration::from_secs(86_400 * 365), "{later:?}");
        assert_eq!((after("soon"), after("-1")), (None, None));
    }
}

//! Who asks: a session's token or a view key, and the meet that it opens.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use tokio::time::Instant;

use crate::auth::roster::{Grant, Holder, Share, TooManyStreams};
use crate::auth::token::{Kind, Token};
use crate::meet::id::MeetId;
use crate::meet::limits::{REFUSAL_AFTER, STALLED_WRITE};
use crate::meet::update::Writer;
use crate::metrics::Role;
use crate::relay::live::LiveMeet;
use crate::wire::audience::Audience;
use crate::wire::problem::{Code, Problem};

use super::App;
use super::params::Params;
use super::serve::room::Place;

/// Somebody who may read a meet.
pub(super) struct Access {
    pub(super) live: Arc<LiveMeet>,
    pub(super) grant: Arc<Grant>,
    pub(super) token: Token,
}

impl Access {
    /// Opens the meet that a token belongs to.
    pub(super) async fn open(app: &App, token: Token) -> Result<Access, Problem> {
        let arrived = Instant::now();
        let live = app.registry.open(token.meet).await?;
        let granted = live.and_then(|live| live.grant(&token).map(|grant| (live, grant)));
        let Some((live, grant)) = granted else {
            // A meet that is open is found at once, for another one the disk is asked: the time must not tell.
            tokio::time::sleep_until(arrived + REFUSAL_AFTER).await;
            return Err(refused(token.kind));
        };
        live.presence.saw(&grant.holder, None, live.now());
        Ok(Access { live, grant, token })
    }

    /// The same on a connection, which is no stranger's from now on.
    pub(super) fn on(self, place: Option<&Place>) -> Result<Access, Problem> {
        place.map_or(Ok(()), |place| place.shows(self.role())).map(|()| self)
    }

    pub(super) fn audience(&self) -> Audience {
        self.live.audience(&self.grant.holder)
    }

    pub(super) fn role(&self) -> Role {
        match self.grant.holder {
            Holder::Editor { .. } => Role::Editor,
            Holder::Viewer { .. } => Role::Viewer,
        }
    }

    /// One of the streams that a token may have at once.
    pub(super) fn stream(&self) -> Result<Share, Problem> {
        self.grant.stream().map_err(|full: TooManyStreams| {
            // By then those whose readers are gone have been cut off.
            let seconds = u32::try_from(STALLED_WRITE.as_secs()).unwrap_or(u32::MAX);
            let detail = format!("{full}; close some, or let each display have a view key of its own");
            Problem::new(Code::RateLimited, detail).retry_after(seconds)
        })
    }

    /// The same as someone who may also write.
    pub(super) fn into_editor(self) -> Result<Editor, Problem> {
        let Holder::Editor { writer, priority, .. } = self.grant.holder.clone() else {
            return Err(Problem::new(Code::ReadOnly, "a view key only reads; join with the meet's password and use the session token"));
        };
        Ok(Editor { access: self, writer, priority })
    }
}

impl FromRequestParts<Arc<App>> for Access {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Access, Problem> {
        let params = Params::from_request_parts(parts, app).await?;
        let token = credentials(&parts.headers, &params)?.ok_or_else(no_token)?;
        let MeetInPath(meet) = MeetInPath::from_request_parts(parts, app).await?;
        if meet != Some(token.meet) {
            return Err(refused(token.kind));
        }
        Access::open(app, token).await?.on(parts.extensions.get())
    }
}

/// Somebody who may read the meet that their token names, where the path names none.
pub(super) struct Reader(pub(super) Access);

impl FromRequestParts<Arc<App>> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Reader, Problem> {
        let params = Params::from_request_parts(parts, app).await?;
        let token = credentials(&parts.headers, &params)?.ok_or_else(no_token)?;
        Access::open(app, token).await?.on(parts.extensions.get()).map(Reader)
    }
}

/// Somebody who may write.
pub(super) struct Editor {
    pub(super) access: Access,
    pub(super) writer: Writer,
    pub(super) priority: i64,
}

impl FromRequestParts<Arc<App>> for Editor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Editor, Problem> {
        Access::from_request_parts(parts, app).await?.into_editor()
    }
}

/// The same for a token that is wrong and a meet that does not exist, so that ids cannot be tried.
pub(super) fn refused(kind: Kind) -> Problem {
    match kind {
        Kind::Session => {
            Problem::new(Code::InvalidSession, "this session token opens no meet here; join again with the meet's id and password")
        }
        Kind::View => Problem::new(Code::InvalidViewKey, "this view key opens no meet here; ask an editor of the meet for a new one"),
    }
}

fn no_token() -> Problem {
    Problem::new(Code::InvalidSession, "no token came along; send Authorization: Bearer TOKEN, or a view key as ?key=")
}

/// The token of a request: from the header, or a view key from `?key=`; `None` where there is neither.
fn credentials(headers: &HeaderMap, params: &Params) -> Result<Option<Token>, Problem> {
    refuse_sessions_in(params)?;
    if let Some(text) = bearer(headers) {
        return text.parse().map(Some).map_err(|_| refused(Kind::Session));
    }
    params.get("key").map(|key| key.parse().map_err(|_| refused(Kind::View))).transpose()
}

/// URLs end up in logs.
pub(super) fn refuse_sessions_in(params: &Params) -> Result<(), Problem> {
    let is_session = |text: &str| text.parse::<Token>().is_ok_and(|token| token.kind == Kind::Session);
    if params.values().any(is_session) {
        let detail =
            "a session token in a URL ends up in logs, so it is refused; send it as Authorization: Bearer, or use a view key as ?key=";
        return Err(Problem::new(Code::TokenInUrl, detail));
    }
    Ok(())
}

/// What stands behind `Authorization: Bearer`. Another scheme is for a proxy in front of us.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(AUTHORIZATION)?.to_str().unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The meet that a path names, if it is an id at all.
pub(super) struct MeetInPath(pub(super) Option<MeetId>);

impl<S: Send + Sync> FromRequestParts<S> for MeetInPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<MeetInPath, Problem> {
        let path = RawPathParams::from_request_parts(parts, state).await.ok();
        let id = path.as_ref().and_then(|path| path.iter().find(|(name, _)| *name == "meetId"));
        Ok(MeetInPath(id.and_then(|(_, id)| id.parse().ok())))
    }
}

/// The other end of a request's connection.
#[derive(Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// The address that a request comes from.
pub(super) struct Address(pub(super) IpAddr);

impl FromRequestParts<Arc<App>> for Address {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Address, Problem> {
        let peer = parts.extensions.get::<Peer>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(peer)| peer.ip().to_canonical());
        Ok(Address(forwarded(&parts.headers, peer, &app.options().trusted_proxies)))
    }
}

/// Walks `X-Forwarded-For` back from the peer as long as each step is a trusted proxy:
/// whatever stands further left may be forged.
fn forwarded(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let lines: Vec<&str> = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    let mut steps = lines.iter().rev().flat_map(|line| line.rsplit(','));
    let mut address = peer;
    while is_trusted(&address) {
        match steps.next().map(|step| step.trim().parse::<IpAddr>()) {
            Some(Ok(step)) => address = step.to_canonical(),
            _ => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, forwarded_for: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded_for {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let trusted = ["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        forwarded(&headers, peer.parse().unwrap(), &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(from("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(from("127.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(from("127.0.0.1", &["203.0.113.9, 198.51.100.7", "10.1.1.1"]), "198.51.100.7");
        assert_eq!(from("127.0.0.1", &["nonsense"]), "127.0.0.1");
        assert_eq!(from("127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn bearer_is_a_scheme_in_any_case() {
        let bearer_of = |text: &str| bearer(&HeaderMap::from_iter([(AUTHORIZATION, text.parse().unwrap())])).map(str::to_owned);
        assert_eq!(bearer_of("bearer  x "), Some("x".to_owned()));
        assert_eq!(bearer_of("Basic x"), None);
        assert_eq!(bearer_of("Bearer"), Some(String::new()));
    }
}

//! The resources of a server, call by call: each sends one request and reads its answer. Nothing is retried here.

pub(crate) mod judge;
mod session;
mod words;

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Certificate, Method, Proxy, RequestBuilder, Url, redirect};
use serde::Serialize;

use crate::meet::id::MeetId;
use crate::wire::reply::ReceivedSession;

use super::channel::Fault;
use judge::Arrived;
pub use session::Session;
use words::in_words;

/// How long connecting may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request may take besides what the server was asked to wait: a hall's network is slow, a black hole is silent.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A server.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::api::{Create, Join, Location, Options, Server};
///
/// # let url = hall::url()?; // "https://sync.example.org" elsewhere
/// let server = Server::new(url.parse()?, Options::default())?;
/// let locations = [Location { location_name: "desk".to_owned(), priority: 1 }];
/// let password = "a long password";
/// let create = Create { this_location_name: "desk", password, locations: &locations, meet_name: None, client_id: None };
/// let meet = server.create(&create, None).await?.meet_id.parse()?;
///
/// let join = Join { password, location_name: "desk", client_id: Some("scoreboard") };
/// let session = server.session(&server.join(meet, &join).await?)?;
/// assert_eq!(session.state(None, None).await?.state.get(), "{}");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    client: reqwest::Client,
    base: Url,
}

/// How a server is reached.
///
/// ```
/// use liftrelay::client::api::{Options, Server};
///
/// let through = Options { proxy: Some("http://10.0.0.1:3128".parse()?), ..Options::default() };
/// assert!(Server::new("https://sync.example.org".parse()?, through).is_ok());
///
/// let odd = Options { root_certificate: Some(b"no PEM".to_vec()), ..Options::default() };
/// assert!(Server::new("https://sync.example.org".parse()?, odd).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A certificate that is trusted besides those of the machine, in PEM.
    pub root_certificate: Option<Vec<u8>>,
    /// A proxy for everything. Without it the environment's `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` count, but not for this machine.
    pub proxy: Option<Url>,
}

/// A meet to create.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::api::{Create, Location, Options, Server};
///
/// # let server = Server::new(hall::url()?.parse()?, Options::default())?;
/// let locations = [("desk", 1), ("platform 1", 2)].map(|(name, priority)| Location { location_name: name.to_owned(), priority });
/// let create = Create {
///     this_location_name: "desk",
///     password: "a long password",
///     locations: &locations,
///     meet_name: Some("Spring Open"),
///     client_id: Some("laptop"),
/// };
/// let created = server.create(&create, None).await?;
/// assert_eq!((created.meet_name.as_str(), created.priority), ("Spring Open", 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Create<'a> {
    /// Which of `locations` the creator is.
    pub this_location_name: &'a str,
    /// 10 to 1,024 characters.
    pub password: &'a str,
    /// Everyone who may write.
    pub locations: &'a [Location],
    /// A name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meet_name: Option<&'a str>,
    /// The creator's client id; made up where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<&'a str>,
}

/// A writer of a meet.
///
/// ```
/// use liftrelay::client::api::Location;
///
/// let platform = Location { location_name: "platform 1".to_owned(), priority: 2 };
/// assert_eq!(serde_json::to_string(&platform)?, r#"{"locationName":"platform 1","priority":2}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// Its name.
    pub location_name: String,
    /// Larger numbers overrule smaller ones.
    pub priority: i64,
}

/// What joining takes.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::{api::Join, channel::Fault};
/// use liftrelay::wire::problem::Code;
///
/// # let session = hall::session().await?;
/// # let (server, meet) = (session.server(), session.meet());
/// let join = Join { password: "a long guess", location_name: "desk", client_id: None };
/// let refused = server.join(meet, &join).await;
/// assert!(matches!(refused, Err(Fault::Refused { code: Some(Code::JoinRejected), .. })), "{refused:?}");
///
/// let join = Join { password: "a long password", ..join };
/// assert_eq!(server.join(meet, &join).await?.location_name, "desk");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Join<'a> {
    /// The meet's password.
    pub password: &'a str,
    /// Which location this client writes for.
    pub location_name: &'a str,
    /// Its client id; made up where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<&'a str>,
}

impl Server {
    /// A server at `base`.
    ///
    /// # Errors
    /// What is wrong with the options, for a person.
    pub fn new(base: Url, options: Options) -> Result<Server, String> {
        // Another part of the program may have chosen already, and then the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("liftrelay/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .referer(false)
            // Sockets are upgrades of HTTP/1.1.
            .http1_only()
            .tcp_nodelay(true);
        // Without TLS a machine that knows no certificates will do.
        let client = if base.scheme() == "http" { client.tls_certs_only([]) } else { client };
        let client = match &options.root_certificate {
            Some(pem) => client.tls_certs_merge(certificates(pem).map_err(|problem| format!("the root certificate: {problem}"))?),
            None => client,
        };
        let client = match options.proxy {
            Some(proxy) => client.proxy(Proxy::all(proxy).map_err(|error| format!("the proxy: {error}"))?),
            None if is_this_machine(&base) => client.no_proxy(),
            None => client,
        };
        let client = client.build().map_err(|error| format!("nothing can be sent by HTTPS from this machine: {error}"))?;
        Ok(Server { client, base })
    }

    /// The address below which the resources are.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Creates a meet. An operator may ask for a key.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn create(&self, create: &Create<'_>, create_key: Option<&str>) -> Result<ReceivedSession, Fault> {
        let request = self.post("v1/meets", create)?;
        let request = match create_key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        send(request, ANSWER_TIMEOUT).await?.read()
    }

    /// Joins a meet.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn join(&self, meet: MeetId, join: &Join<'_>) -> Result<ReceivedSession, Fault> {
        send(self.post(&format!("v1/meets/{}/sessions", meet.digits()), join)?, ANSWER_TIMEOUT).await?.read()
    }

    /// The session that was joined or created.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] where the server named no meet.
    pub fn session(&self, joined: &ReceivedSession) -> Result<Session, Fault> {
        let meet = joined.meet_id.parse().map_err(|_| Fault::Unreadable(format!("{:?} is no meet's id", joined.meet_id)))?;
        Ok(Session::new(self.clone(), meet, joined.session_token.clone()))
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.base.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        url.set_query(query);
        self.client.request(method, url)
    }

    /// Every body is sent with its length: some proxies take no chunked requests.
    pub(crate) fn post(&self, path: &str, body: &impl Serialize) -> Result<RequestBuilder, Fault> {
        let body = serde_json::to_vec(body).map_err(|error| Fault::Unreadable(error.to_string()))?;
        Ok(self.request(Method::POST, path).header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body))
    }
}

/// Sends a request and reads the whole answer, within `timeout`.
pub(crate) async fn send(request: RequestBuilder, timeout: Duration) -> Result<Arrived, Fault> {
    let request = request.header(ACCEPT, HeaderValue::from_static("application/json, application/problem+json")).timeout(timeout);
    let response = request.send().await.map_err(|error| unreachable(&error))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.map_err(|error| cut(&error))?;
    Ok(Arrived { status, headers, body: body.into() })
}

pub(crate) fn unreachable(error: &reqwest::Error) -> Fault {
    let text = in_words(error);
    // A connection that stood and then broke may have broken for waiting too long.
    if error.is_connect() { Fault::Unreachable(text) } else { Fault::Cut(text) }
}

pub(crate) fn cut(error: &reqwest::Error) -> Fault {
    Fault::Cut(in_words(error))
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    match Certificate::from_pem_bundle(pem) {
        Ok(found) if found.is_empty() => Err("no certificate in PEM (-----BEGIN CERTIFICATE-----) is in it".to_owned()),
        found => found.map_err(|error| error.to_string()),
    }
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

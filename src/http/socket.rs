//! The WebSocket: messages both ways, and a stream of news once its client has joined a meet or pulled.

use std::error::Error;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::ws::{
    CloseFrame, Message as Frame, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code, rejection::WebSocketUpgradeRejection,
};
use axum::extract::{Extension, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_tungstenite::tungstenite;
use tracing::debug;

use crate::meet::key::Key;
use crate::meet::limits::{BODY_MAX_BYTES, HEARTBEAT_EVERY, PATHS_MAX, SOCKET_CLOSING, SOCKET_IDLE, SOCKET_SILENT};
use crate::metrics::Transport;
use crate::wire::message::EndReason;
use crate::wire::problem::Problem;
use crate::wire::request::ClientPull;
use crate::wire::stream::Format;

use super::App;
use super::access::Access;
use super::body::{malformed, too_large};
use super::events::{EventStream, Request, Start};
use super::messages::{Caller, Reply, answer};
use super::reply::{Answer, invalid_at, problem_text, request_id};
use super::serve::connection::has_stalled;
use super::serve::room::Place;

/// `GET /v1/socket`
pub(super) async fn open(
    State(app): State<Arc<App>>,
    mut caller: Caller,
    headers: HeaderMap,
    place: Option<Extension<Place>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer {
    let upgrade = upgrade.map_err(|_| {
        let detail = "this address speaks WebSocket; open one, or POST the same messages one by one to /v1/messages";
        invalid_at("/header/upgrade", detail)
    })?;
    caller.only_views = is_foreign(&headers, &app.options().allow_origins);
    let upgrade = upgrade.max_message_size(BODY_MAX_BYTES).max_frame_size(BODY_MAX_BYTES);
    Ok(upgrade.on_upgrade(move |socket| async move {
        // The connection keeps its place among all connections until the socket is gone.
        let _place = place;
        Socket::new(app, caller, socket).run().await;
    }))
}

/// Whether a page of another origin opens the socket. Browsers do not ask beforehand as they do for requests.
fn is_foreign(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default().to_ascii_lowercase()) else { return false };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
    let is_own = !host.is_empty() && authority.eq_ignore_ascii_case(host);
    !is_own && !allowed.contains(&origin)
}

/// One open socket. Messages are carried out one after the other, in the order in which they came.
struct Socket {
    app: Arc<App>,
    caller: Caller,
    socket: WebSocket,
    /// What this client follows.
    stream: Option<EventStream>,
    pings: Interval,
    /// When the client last said anything, a pong included.
    heard: Instant,
    /// When it last was of use: news went out, or a message was answered.
    used: Instant,
}

/// What a socket waits for.
enum Wake {
    Frame(Option<Result<Frame, axum::Error>>),
    /// The next piece of the stream; `None` at its end.
    Piece(Option<Bytes>),
    Ping,
    Stop,
}

/// Why a socket closes: a close code of RFC 6455, and the reason for a person.
type Closing = (u16, &'static str);

impl Socket {
    fn new(app: Arc<App>, caller: Caller, socket: WebSocket) -> Socket {
        let mut pings = tokio::time::interval_at(Instant::now() + HEARTBEAT_EVERY, HEARTBEAT_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let now = Instant::now();
        Socket { app, caller, socket, stream: None, pings, heard: now, used: now }
    }

    async fn run(mut self) {
        loop {
            let wake = self.wait().await;
            match self.go_on(wake).await {
                Ok(None) => {}
                Ok(Some(closing)) => return self.close(closing).await,
                Err(error) => return self.gone(&error),
            }
        }
    }

    /// The other end is gone, or takes nothing any more.
    fn gone(&self, error: &axum::Error) {
        if has_stalled(error) {
            self.app.metrics.connections.stalled();
        }
        debug!(%error, "a socket ended");
    }

    async fn wait(&mut self) -> Wake {
        let Socket { app, socket, stream, pings, .. } = self;
        let follows = stream.is_some();
        let piece = async {
            match stream {
                Some(stream) => stream.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            frame = socket.recv() => Wake::Frame(frame),
            piece = piece => Wake::Piece(piece),
            _ = pings.tick() => Wake::Ping,
            // A stream tells its reader itself.
            () = app.stopping.cancelled(), if !follows => Wake::Stop,
        }
    }

    async fn go_on(&mut self, wake: Wake) -> Result<Option<Closing>, axum::Error> {
        match wake {
            Wake::Piece(Some(piece)) => {
                self.used = Instant::now();
                self.send(piece).await?;
            }
            Wake::Piece(None) => {
                return Ok(Some(self.stream.as_ref().and_then(EventStream::ended).map_or((close_code::NORMAL, ""), closing)));
            }
            Wake::Ping => return self.ping().await,
            Wake::Stop => return Ok(Some(closing(EndReason::Shutdown))),
            Wake::Frame(None | Some(Ok(Frame::Close(_)))) => return Ok(Some((close_code::NORMAL, ""))),
            Wake::Frame(Some(Err(error))) => return self.broken(error).await.map(Some),
            Wake::Frame(Some(Ok(frame))) => {
                self.heard = Instant::now();
                match frame {
                    Frame::Text(text) => self.message(text.as_bytes()).await?,
                    Frame::Binary(_) => self.refuse(&malformed("the frame is binary; send JSON as a text frame")).await?,
                    // Pings are answered by the library.
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    /// Carries out a message of the client and answers it.
    async fn message(&mut self, text: &[u8]) -> Result<(), axum::Error> {
        let reply = match answer(&self.app, &self.caller, text).await {
            Ok(reply) => reply,
            Err(problem) => return self.refuse(&problem).await,
        };
        self.used = Instant::now();
        match reply {
            Reply::Said(_, messages, _) => {
                for message in messages {
                    self.send(message.to_json().into()).await?;
                }
            }
            Reply::Joined(access, message) => {
                self.send(message.to_json().into()).await?;
                self.caller.token = Some(access.token.clone());
                self.follow(access, &request(Start::Head, false, Vec::new()));
            }
            Reply::Pull(access, pull) => match read_pull(&pull) {
                Ok(request) => self.follow(access, &request),
                Err(problem) => self.refuse(&problem).await?,
            },
        }
        Ok(())
    }

    /// From now on this client hears of this meet, and of no other.
    fn follow(&mut self, access: Access, request: &Request) {
        if let Some(before) = self.stream.take() {
            before.replaced();
        }
        self.stream = Some(EventStream::open(Arc::clone(&self.app), access, request, Transport::Socket));
    }

    async fn refuse(&mut self, problem: &Problem) -> Result<(), axum::Error> {
        self.send(problem_text(problem, &request_id(), &Method::CONNECT, "/v1/socket").into()).await
    }

    /// Finds out whether the other end is still there, and whether it wants anything.
    async fn ping(&mut self) -> Result<Option<Closing>, axum::Error> {
        if self.heard.elapsed() > SOCKET_SILENT {
            debug!("a socket does not answer pings");
            return Ok(Some((close_code::POLICY, "no pong came")));
        }
        if self.stream.is_none() && self.used.elapsed() > SOCKET_IDLE {
            return Ok(Some((close_code::POLICY, "join a meet or pull; POST /v1/messages takes single messages")));
        }
        self.socket.send(Frame::Ping(Bytes::new())).await?;
        Ok(None)
    }

    /// After a frame that cannot be read nothing behind it can be read.
    async fn broken(&mut self, error: axum::Error) -> Result<Closing, axum::Error> {
        let Some(tungstenite::Error::Capacity(_)) = error.source().and_then(|source| source.downcast_ref()) else { return Err(error) };
        self.refuse(&too_large()).await?;
        Ok((close_code::SIZE, "the message is too large"))
    }

    /// Sends JSON, which lines of a stream end with a line feed.
    async fn send(&mut self, json: Bytes) -> Result<(), axum::Error> {
        let line = json.strip_suffix(b"\n").map_or(json.len(), <[u8]>::len);
        let text = Utf8Bytes::try_from(json.slice(..line)).map_err(axum::Error::new)?;
        self.socket.send(Frame::Text(text)).await
    }

    /// Says why, and gives the other end a moment to say the same.
    async fn close(mut self, (code, reason): Closing) {
        self.stream = None;
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let closing = async {
            self.socket.send(Frame::Close(Some(frame))).await?;
            while let Some(Ok(_)) = self.socket.recv().await {}
            Ok::<_, axum::Error>(())
        };
        let _ = tokio::time::timeout(SOCKET_CLOSING, closing).await;
    }
}

fn closing(reason: EndReason) -> Closing {
    match reason {
        EndReason::Finished => (close_code::NORMAL, "the meet is finished"),
        EndReason::Shutdown => (close_code::AWAY, "the server stops"),
        EndReason::Expired => (close_code::POLICY, "the session or view key has expired"),
        EndReason::Revoked => (close_code::POLICY, "the session or view key was ended"),
    }
}

fn read_pull(pull: &ClientPull) -> Result<Request, Problem> {
    let paths = &pull.paths;
    if paths.len() > PATHS_MAX {
        return Err(invalid_at("/paths", format!("{} keys; at most {PATHS_MAX} are taken", paths.len())));
    }
    let read = |(index, path): (usize, &String)| Key::parse(path).map_err(|error| invalid_at(format!("/paths/{index}"), error.to_string()));
    let paths = paths.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(request(pull.last_server_seq.map_or(Start::Head, Start::After), pull.snapshot, paths))
}

/// A socket carries the lines of an NDJSON stream, which other readers share.
fn request(start: Start, snapshot: bool, paths: Vec<Key>) -> Request {
    Request { format: Format::Ndjson, start, snapshot, paths, padding: 0, max: None }
}

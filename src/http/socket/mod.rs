//! The WebSocket: messages both ways, and a stream of news once its client has joined a meet or pulled.

mod handshake;

use std::io;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request as HttpRequest, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method};
use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message as Frame, Utf8Bytes};
use tracing::debug;

use crate::meet::key::Key;
use crate::meet::limits::{BODY_TIMEOUT, HEARTBEAT_EVERY, SOCKET_CLOSING, SOCKET_IDLE, SOCKET_SILENT};
use crate::metrics::Transport;
use crate::wire::message::EndReason;
use crate::wire::problem::Problem;
use crate::wire::request::ClientPull;
use crate::wire::stream::Format;

use super::App;
use super::access::Access;
use super::body::{malformed, slow, too_large};
use super::budget::Full;
use super::events::{EventStream, Request, Start};
use super::messages::{Caller, Reply, answer};
use super::params::check_number_of_paths;
use super::reply::{Answer, invalid_at, problem_text};
use super::request_id::request_id;
use super::serve::connection::has_stalled;
use super::serve::room::Place;
use handshake::Frames;

/// `GET /v1/socket`
pub(super) async fn open(State(app): State<Arc<App>>, mut caller: Caller, mut request: HttpRequest) -> Answer {
    let (response, upgrade) = handshake::accept(&mut request)?;
    caller.only_views = is_foreign(request.headers(), &app.options().allow_origins);
    caller.follows = true;
    let place = request.extensions_mut().remove::<Place>();
    let socket = async move {
        match upgrade.await {
            Ok(upgraded) => {
                let frames = handshake::frames(upgraded, &app.budget).await;
                Socket::new(app, caller, frames).run().await;
            }
            Err(error) => debug!(%error, "a connection ended before it became a socket"),
        }
    };
    tokio::spawn(async move {
        // The connection keeps its place among all connections until the socket is gone.
        let Some(place) = place else { return socket.await };
        tokio::select! {
            () = socket => {}
            () = place.sent_away() => debug!("a socket that showed no token made room for another connection"),
        }
    });
    Ok(response)
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
    socket: Frames,
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
    Frame(Option<Result<Frame, Error>>),
    /// The next piece of the stream; `None` at its end.
    Piece(Option<Bytes>),
    Ping,
    Stop,
}

/// More than the head of any frame takes.
const FRAME_HEAD_MAX_BYTES: usize = 14;

/// Why a socket closes: a close code of RFC 6455, and the reason for a person.
type Closing = (CloseCode, &'static str);

impl Socket {
    fn new(app: Arc<App>, caller: Caller, socket: Frames) -> Socket {
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
    fn gone(&self, error: &Error) {
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
            frame = socket.next() => Wake::Frame(frame),
            piece = piece => Wake::Piece(piece),
            _ = pings.tick() => Wake::Ping,
            // A stream tells its reader itself.
            () = app.stopping.cancelled(), if !follows => Wake::Stop,
        }
    }

    async fn go_on(&mut self, wake: Wake) -> Result<Option<Closing>, Error> {
        match wake {
            Wake::Piece(Some(piece)) => {
                self.used = Instant::now();
                self.send(piece).await?;
            }
            Wake::Piece(None) => {
                return Ok(Some(self.stream.as_ref().and_then(EventStream::ended).map_or((CloseCode::Normal, ""), closing)));
            }
            Wake::Ping => return self.ping().await,
            Wake::Stop => return Ok(Some(closing(EndReason::Shutdown))),
            Wake::Frame(None | Some(Ok(Frame::Close(_)))) => return Ok(Some((CloseCode::Normal, ""))),
            Wake::Frame(Some(Err(error))) => return self.broken(error).await.map(Some),
            Wake::Frame(Some(Ok(frame))) => self.frame(frame).await?,
        }
        Ok(None)
    }

    async fn frame(&mut self, frame: Frame) -> Result<(), Error> {
        self.heard = Instant::now();
        let share = &mut self.socket.get_mut().share;
        match frame {
            Frame::Text(text) => {
                share.finish();
                self.message(text.as_bytes()).await
            }
            Frame::Binary(_) => {
                share.finish();
                self.refuse(&malformed("the frame is binary; send JSON as a text frame")).await
            }
            // Pings are answered by the library. They may come in the middle of a message.
            other => {
                share.shrink(other.len() + FRAME_HEAD_MAX_BYTES);
                Ok(())
            }
        }
    }

    /// Carries out a message of the client and answers it.
    async fn message(&mut self, text: &[u8]) -> Result<(), Error> {
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
            Reply::Joined(access, head, message) => {
                self.send(message.to_json().into()).await?;
                self.caller.token = Some(access.token.clone());
                // From the head that the client was told: others may have gone on since.
                self.follow(access, request(Start::After(head), false, Vec::new())).await?;
            }
            Reply::Pull(access, pull) => match read_pull(&pull) {
                Ok(request) => self.follow(access, request).await?,
                Err(problem) => self.refuse(&problem).await?,
            },
        }
        Ok(())
    }

    /// From now on this client hears of this meet, and of no other.
    async fn follow(&mut self, access: Access, request: Request) -> Result<(), Error> {
        if let Some(before) = self.stream.take() {
            before.replaced();
        }
        match EventStream::open(Arc::clone(&self.app), access, &request, Transport::Socket).await {
            Ok(stream) => self.stream = Some(stream),
            Err(problem) => self.refuse(&problem).await?,
        }
        Ok(())
    }

    async fn refuse(&mut self, problem: &Problem) -> Result<(), Error> {
        self.app.metrics.requests.refused(problem.code);
        self.send(problem_text(problem, &request_id(), &Method::CONNECT, "/v1/socket").into()).await
    }

    /// Finds out whether the other end is still there, and whether it wants anything.
    async fn ping(&mut self) -> Result<Option<Closing>, Error> {
        if self.heard.elapsed() > SOCKET_SILENT {
            debug!("a socket does not answer pings");
            return Ok(Some((CloseCode::Policy, "no pong came")));
        }
        if self.stream.is_none() && self.used.elapsed() > SOCKET_IDLE {
            return Ok(Some((CloseCode::Policy, "join a meet or pull; POST /v1/messages takes single messages")));
        }
        if self.socket.get_ref().share.large_since().is_some_and(|since| since.elapsed() > BODY_TIMEOUT) {
            self.refuse(&slow()).await?;
            return Ok(Some((CloseCode::Policy, "the message did not arrive in time")));
        }
        self.socket.send(Frame::Ping(Bytes::new())).await?;
        Ok(None)
    }

    /// After a frame that cannot be read nothing behind it can be read.
    async fn broken(&mut self, error: Error) -> Result<Closing, Error> {
        let is_full = |error: &io::Error| error.get_ref().is_some_and(|inner| inner.is::<Full>());
        let (problem, closing) = match error {
            Error::Capacity(_) => (too_large(), (CloseCode::Size, "the message is too large")),
            Error::Utf8(_) => (malformed("the text is not UTF-8"), (CloseCode::Invalid, "the text is not UTF-8")),
            Error::Io(error) if is_full(&error) => (Full.into(), (CloseCode::Again, "too much arrives at once")),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return Err(error),
            Error::Protocol(_) => return Ok((CloseCode::Protocol, "a frame is not as RFC 6455 has it")),
            error => return Err(error),
        };
        self.refuse(&problem).await?;
        Ok(closing)
    }

    /// Sends JSON, which lines of a stream end with a line feed.
    async fn send(&mut self, json: Bytes) -> Result<(), Error> {
        let line = json.strip_suffix(b"\n").map_or(json.len(), <[u8]>::len);
        let text = Utf8Bytes::try_from(json.slice(..line)).map_err(|_| Error::Utf8("what was to be sent".to_owned()))?;
        self.socket.send(Frame::Text(text)).await
    }

    /// Says why, and gives the other end a moment to say the same.
    async fn close(mut self, (code, reason): Closing) {
        self.stream = None;
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let closing = async {
            // Where the other end has begun this fails, and reading on sends the answer that is owed.
            let _ = self.socket.send(Frame::Close(Some(frame))).await;
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        let _ = tokio::time::timeout(SOCKET_CLOSING, closing).await;
    }
}

fn closing(reason: EndReason) -> Closing {
    match reason {
        EndReason::Finished => (CloseCode::Normal, "the meet is finished"),
        EndReason::Shutdown => (CloseCode::Away, "the server stops"),
        EndReason::Expired => (CloseCode::Policy, "the session or view key has expired"),
        EndReason::Revoked => (CloseCode::Policy, "the session or view key was ended"),
    }
}

fn read_pull(pull: &ClientPull) -> Result<Request, Problem> {
    let paths = &pull.paths;
    check_number_of_paths("/paths", paths.len())?;
    let read = |(index, path): (usize, &String)| Key::parse(path).map_err(|error| invalid_at(format!("/paths/{index}"), error.to_string()));
    let paths = paths.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(request(pull.last_server_seq.map_or(Start::Head, Start::After), pull.snapshot, paths))
}

/// A socket carries the lines of an NDJSON stream, which other readers share.
fn request(start: Start, snapshot: bool, paths: Vec<Key>) -> Request {
    Request { format: Format::Ndjson, start, snapshot, paths, padding: 0, max: None }
}

//! A WebSocket: the design's messages both ways (wire contract, section 9).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, SinkExt, StreamExt};
use reqwest::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use reqwest::{Method, StatusCode, Upgraded};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::client::api::judge::Arrived;
use crate::client::api::{ANSWER_TIMEOUT, Session, unreachable};
use crate::meet::chain::Cursor;
use crate::meet::update::Mode;
use crate::wire::reply::{ReceivedAnswers, ReceivedProblem, ReceivedRestored};

use super::http::{leaves, restore};
use super::news::News;
use super::stream::{HELLO_TIMEOUT, READ_AHEAD, Stream};
use super::{Answer, Channel, Fault, Link, Pull, Push, Reply, RestorePage, Transport, Update};

/// The end of an open socket at which pushes go in. Clones share the socket, which closes with the last of them
/// or with its stream.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    asks: mpsc::Sender<Ask>,
}

/// A push, and who waits for its answer.
#[derive(Debug)]
struct Ask {
    text: String,
    updates: usize,
    answer: oneshot::Sender<Result<Answer, Fault>>,
}

#[derive(Serialize)]
#[serde(tag = "msgType", rename = "UPDATE_INIT", rename_all = "camelCase")]
struct UpdateInit<'a> {
    updates: &'a [Update],
    mode: Mode,
    #[serde(skip_serializing_if = "Option::is_none")]
    if_head: Option<String>,
}

impl Socket {
    /// Opens a socket that follows the meet from `after` on, or from its head, and waits for its HELLO.
    pub(super) async fn open(session: &Session, after: Option<Cursor>) -> Result<(Socket, Stream), Fault> {
        let opening = async {
            let mut frames = handshake(session).await?;
            let pull = serde_json::json!({"msgType": "CLIENT_PULL", "lastServerSeq": after.map(|cursor| cursor.to_string())});
            frames.send(Frame::text(pull.to_string())).await.map_err(|error| Fault::Cut(error.to_string()))?;
            let ((asks, asked), (sender, news)) = (mpsc::channel(READ_AHEAD), mpsc::channel(READ_AHEAD));
            let carrier = tokio::spawn(Carrier { frames, asked, news: sender, waiting: None }.run()).abort_handle();
            Ok((Socket { asks }, Stream::greeted(news, carrier, after.unwrap_or(Cursor::START)).await?))
        };
        let late = |_| Err(Fault::Cut("the socket's first word did not arrive in time: something swallows it".to_owned()));
        timeout(HELLO_TIMEOUT, opening).await.unwrap_or_else(late)
    }

    /// Hands updates over. One push after the other is answered.
    pub(super) async fn push(&self, push: &Push) -> Result<Answer, Fault> {
        let Push { updates, mode, if_head } = push;
        let message = UpdateInit { updates, mode: *mode, if_head: if_head.map(|cursor| cursor.to_string()) };
        let text = serde_json::to_string(&message).map_err(|error| Fault::Unreadable(error.to_string()))?;
        let (answer, answered) = oneshot::channel();
        let gone = || Fault::Cut("the socket has closed".to_owned());
        let asking = async {
            self.asks.send(Ask { text, updates: updates.len(), answer }).await.map_err(|_| gone())?;
            answered.await.map_err(|_| gone())?
        };
        timeout(ANSWER_TIMEOUT, asking).await.unwrap_or_else(|_| Err(Fault::Cut("no answer came over the socket".to_owned())))
    }

    /// Whether nothing goes through any more.
    pub(super) fn is_closed(&self) -> bool {
        self.asks.is_closed()
    }
}

/// The upgrade of RFC 6455, by the client that makes all other requests: the same certificates and proxies count.
async fn handshake(session: &Session) -> Result<WebSocketStream<Upgraded>, Fault> {
    let key = generate_key();
    let header = |text: &str| HeaderValue::from_str(text).map_err(|error| Fault::Unreadable(error.to_string()));
    let request = session
        .server()
        .request(Method::GET, "v1/socket")
        .bearer_auth(session.token())
        .header(CONNECTION, HeaderValue::from_static("Upgrade"))
        .header(UPGRADE, HeaderValue::from_static("websocket"))
        .header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
        .header(SEC_WEBSOCKET_KEY, header(&key)?);
    let response = request.send().await.map_err(|error| unreachable(&error))?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(|error| unreachable(&error))?;
        return Err(match (Arrived { status, headers, body: body.into() }) {
            arrived if arrived.status.is_success() => Fault::Unreadable("the upgrade to a WebSocket was ignored".to_owned()),
            arrived => arrived.fault(),
        });
    }
    let accepted =
        response.headers().get(SEC_WEBSOCKET_ACCEPT).is_some_and(|value| value.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes());
    if !accepted {
        return Err(Fault::Unreadable("something that is no WebSocket server took the upgrade".to_owned()));
    }
    let upgraded = response.upgrade().await.map_err(|error| unreachable(&error))?;
    Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await)
}

/// Carries messages both ways until either end is gone.
struct Carrier {
    frames: WebSocketStream<Upgraded>,
    asked: mpsc::Receiver<Ask>,
    news: mpsc::Sender<Result<News, Fault>>,
    /// Who waits for an answer, and what of it has come.
    waiting: Option<(Ask, ReceivedAnswers)>,
}

impl Carrier {
    async fn run(mut self) {
        loop {
            let is_free = self.waiting.is_none();
            tokio::select! {
                frame = self.frames.next() => match frame {
                    Some(Ok(Frame::Text(text))) => if !self.message(&text).await { return },
                    Some(Ok(Frame::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => {}
                },
                ask = self.asked.recv(), if is_free => match ask {
                    Some(ask) => {
                        if self.frames.send(Frame::text(ask.text.clone())).await.is_err() {
                            return;
                        }
                        self.waiting = Some((ask, ReceivedAnswers::default()));
                    }
                    None => return,
                },
                () = self.news.closed() => return,
            }
        }
    }

    /// Takes a message of the server; tells whether anybody still wants them.
    async fn message(&mut self, text: &str) -> bool {
        match News::read(text) {
            Ok(News::Other { text, .. }) if self.waiting.is_none() => match problem(&text) {
                // The pull itself was refused.
                Err(fault) => self.news.send(Err(fault)).await.is_ok(),
                Ok(_) => true,
            },
            Ok(News::Other { kind, text }) => {
                self.answer(&kind, &text);
                true
            }
            news => self.news.send(news).await.is_ok(),
        }
    }

    /// The server answers in the order in which it was asked, and the second half of an answer follows the first.
    fn answer(&mut self, kind: &str, text: &RawValue) {
        let Some((ask, mut so_far)) = self.waiting.take() else { return };
        let read = |text: &RawValue| serde_json::from_str::<ReceivedAnswers>(text.get());
        let outcome = match kind {
            "UPDATE_ACK" | "UPDATE_REJECTED" => match read(text) {
                Ok(answers) => {
                    so_far.update_acks.extend(answers.update_acks);
                    so_far.updates_rejected.extend(answers.updates_rejected);
                    if so_far.update_acks.len() + so_far.updates_rejected.len() < ask.updates {
                        self.waiting = Some((ask, so_far));
                        return;
                    }
                    Ok(Answer::Done(Reply { acks: so_far.update_acks, rejections: so_far.updates_rejected, ..Reply::default() }))
                }
                Err(error) => Err(Fault::Unreadable(error.to_string())),
            },
            _ => problem(text),
        };
        // Whoever asked may have given up; the effect stays.
        let _ = ask.answer.send(outcome);
    }
}

/// A problem says the same over a socket as over HTTP.
fn problem(text: &RawValue) -> Result<Answer, Fault> {
    let problem: ReceivedProblem = serde_json::from_str(text.get()).map_err(|error| Fault::Unreadable(error.to_string()))?;
    let json = HeaderValue::from_static("application/problem+json");
    let status = StatusCode::from_u16(problem.status).map_err(|error| Fault::Unreadable(error.to_string()))?;
    Arrived { status, headers: [(reqwest::header::CONTENT_TYPE, json)].into_iter().collect(), body: text.get().as_bytes().to_vec() }
        .answer()
}

/// A channel over a WebSocket only; [`Ladder`](super::ladder::Ladder) uses one where it works.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use liftrelay::client::channel::{Answer, Channel, Pull, socket::SocketChannel};
/// use liftrelay::meet::chain::Cursor;
///
/// # let (session, push) = (hall::session().await?, hall::push("lot", "7")?);
/// let channel = SocketChannel::new(session);
/// channel.push(push).await?;
/// let pull = Pull { after: Cursor::START, wait: Duration::from_secs(25), limit: None };
/// // Each message is an answer of its own, until there is nothing more for now.
/// let Answer::Done(reply) = channel.pull(pull).await? else { unreachable!("the log starts there") };
/// assert!(reply.page.is_some_and(|page| page.head_seq_num == 1));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SocketChannel {
    session: Session,
    stream: tokio::sync::Mutex<Option<Stream>>,
    socket: Mutex<Option<Socket>>,
}

impl SocketChannel {
    /// A channel of a session. The socket is opened by the first pull; pushes before that go by themselves.
    pub fn new(session: Session) -> SocketChannel {
        SocketChannel { session, stream: tokio::sync::Mutex::default(), socket: Mutex::default() }
    }

    fn open_socket(&self) -> Option<Socket> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|socket| !socket.is_closed())
    }

    async fn follow(&self, pull: Pull) -> Result<Answer, Fault> {
        let mut slot = self.stream.lock().await;
        if !slot.as_ref().is_some_and(|stream| stream.is_at(pull.after)) {
            *slot = None;
            let (socket, stream) = Socket::open(&self.session, Some(pull.after)).await?;
            *self.socket.lock().unwrap_or_else(PoisonError::into_inner) = Some(socket);
            *slot = Some(stream);
        }
        let Some(stream) = slot.as_mut() else { return Ok(Answer::Done(Reply::default())) };
        let Ok(answer) = timeout(pull.wait, stream.next(pull.after)).await else { return Ok(Answer::Done(Reply::default())) };
        if leaves(&answer) {
            *slot = None;
        }
        answer
    }
}

impl Channel for SocketChannel {
    fn push(&self, push: Push) -> BoxFuture<'_, Result<Answer, Fault>> {
        async move {
            match self.open_socket() {
                Some(socket) => socket.push(&push).await,
                None => {
                    // The stream keeps the socket open; nobody reads it.
                    let (socket, _stream) = Socket::open(&self.session, None).await?;
                    socket.push(&push).await
                }
            }
        }
        .boxed()
    }

    fn pull(&self, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.follow(pull).boxed()
    }

    /// Two messages: what is new comes by itself.
    fn sync(&self, push: Push, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        async move {
            if push.updates.is_empty() {
                return self.follow(pull).await;
            }
            match self.push(push).await? {
                Answer::Done(answers) => match self.follow(Pull { wait: Duration::ZERO, ..pull }).await? {
                    Answer::Done(news) => Ok(Answer::Done(Reply { acks: answers.acks, rejections: answers.rejections, ..news })),
                    // The answers are given again when the updates are sent again.
                    other => Ok(other),
                },
                other => Ok(other),
            }
        }
        .boxed()
    }

    fn restore(&self, page: RestorePage) -> BoxFuture<'_, Result<ReceivedRestored, Fault>> {
        async move { restore(&self.session, &page).await }.boxed()
    }

    fn link(&self) -> Link {
        Link { transport: Transport::Socket, round_trip: None }
    }
}

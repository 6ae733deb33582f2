//! A stream that is read ahead: pulls take from it what has arrived.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::client::api::Session;
use crate::meet::chain::Cursor;
use crate::wire::sse::Decoder;
use crate::wire::stream::Format;

use super::news::{News, answer};
use super::{Answer, Fault};

/// Within this time HELLO must arrive: proxies that buffer delay even the head of a stream.
pub(super) const HELLO_TIMEOUT: Duration = Duration::from_secs(3);
/// What pulls beside a stream have brought already must come by it, too, within this time.
const CATCH_UP: Duration = Duration::from_secs(2);
/// A stream without a word for so many of its heartbeats is dead.
const HEARTBEATS_MISSED: f64 = 2.5;
/// Messages that are read ahead of the pulls; further ones wait in the socket.
pub(super) const READ_AHEAD: usize = 64;

/// An open stream whose HELLO has arrived.
#[derive(Debug)]
pub(super) struct Stream {
    news: mpsc::Receiver<Result<News, Fault>>,
    /// Up to where it was taken from.
    position: Cursor,
    /// The head of the log at its HELLO.
    head: u64,
    /// The longest silence of a healthy stream.
    patience: Duration,
    reader: AbortHandle,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Stream {
    /// Opens a stream from `after` on and waits for its HELLO.
    pub(super) async fn open(session: &Session, after: Cursor, format: Format) -> Result<Stream, Fault> {
        let opening = async {
            let response = session.events(Some(after), format, HELLO_TIMEOUT).await?;
            let (sender, news) = mpsc::channel(READ_AHEAD);
            let reader = tokio::spawn(read(response, format, sender)).abort_handle();
            Stream::greeted(news, reader, after).await
        };
        let late = |_| Err(Fault::Cut("the stream's first word did not arrive in time: something holds it back".to_owned()));
        tokio::time::timeout(HELLO_TIMEOUT, opening).await.unwrap_or_else(late)
    }

    /// A stream whose messages arrive in `news`, once it has said HELLO.
    pub(super) async fn greeted(news: mpsc::Receiver<Result<News, Fault>>, reader: AbortHandle, after: Cursor) -> Result<Stream, Fault> {
        let mut stream = Stream { news, position: after, head: after.seq, patience: HELLO_TIMEOUT, reader };
        match stream.receive(HELLO_TIMEOUT).await? {
            News::Hello(hello) => {
                stream.head = hello.head_seq_num;
                stream.patience = Duration::from_secs(hello.heartbeat_seconds.max(1)).mul_f64(HEARTBEATS_MISSED);
                Ok(stream)
            }
            other => Err(Fault::Unreadable(format!("the stream does not begin with HELLO but with {other:?}"))),
        }
    }

    /// The head of the log at its HELLO: what is above it came while the stream was open.
    pub(super) fn head(&self) -> u64 {
        self.head
    }

    /// Whether what comes next from it follows `after`.
    pub(super) fn is_at(&self, after: Cursor) -> bool {
        self.position == after
    }

    /// Whether what comes next from it follows `after`, or what came before that does: pulls beside it may have gone further.
    pub(super) fn comes_to(&self, after: Cursor) -> bool {
        self.is_at(after) || self.position.seq < after.seq
    }

    /// What follows `after`. Dropping the future loses nothing.
    pub(super) async fn next(&mut self, after: Cursor) -> Result<Answer, Fault> {
        loop {
            let is_behind = self.position.seq < after.seq;
            let patience = if is_behind { self.patience.min(CATCH_UP) } else { self.patience };
            let Some(answer) = answer(self.receive(patience).await?)? else { continue };
            let Answer::Done(reply) = &answer else { return Ok(answer) };
            let Some(page) = &reply.page else { return Ok(answer) };
            self.position = page.cursor;
            if page.server_seq_num >= after.seq {
                return Ok(answer);
            }
        }
    }

    async fn receive(&mut self, patience: Duration) -> Result<News, Fault> {
        match tokio::time::timeout(patience, self.news.recv()).await {
            Ok(Some(news)) => news,
            Ok(None) => Err(Fault::Cut("the stream ended".to_owned())),
            Err(_) => Err(Fault::Cut("the stream has fallen silent".to_owned())),
        }
    }
}

/// Reads until the stream ends or nobody takes from it any more.
async fn read(mut response: reqwest::Response, format: Format, news: mpsc::Sender<Result<News, Fault>>) {
    let mut texts = Texts::new(format);
    loop {
        let piece = match response.chunk().await {
            Ok(Some(piece)) => piece,
            Ok(None) => return,
            Err(error) => {
                let _ = news.send(Err(crate::client::api::cut(&error))).await;
                return;
            }
        };
        for text in texts.push(&piece) {
            if news.send(News::read(&text)).await.is_err() {
                return;
            }
        }
    }
}

/// Cuts a stream into the texts of its messages.
enum Texts {
    Sse(Decoder),
    /// Bytes of a line that has not ended yet.
    Ndjson(Vec<u8>),
}

impl Texts {
    fn new(format: Format) -> Texts {
        match format {
            Format::Sse => Texts::Sse(Decoder::default()),
            Format::Ndjson => Texts::Ndjson(Vec::new()),
        }
    }

    fn push(&mut self, piece: &[u8]) -> Vec<String> {
        match self {
            Texts::Sse(decoder) => decoder.push(piece).into_iter().map(|event| event.data).collect(),
            Texts::Ndjson(rest) => {
                rest.extend_from_slice(piece);
                let Some(end) = rest.iter().rposition(|&byte| byte == b'\n') else { return Vec::new() };
                let behind = rest.split_off(end + 1);
                let lines = String::from_utf8_lossy(&std::mem::replace(rest, behind)).into_owned();
                lines.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_they_are_cut() {
        let text = "{\"a\":1}\n\n   \n{\"b\":\"ä\"}\n{\"c\"";
        for cut in 0..text.len() {
            let mut texts = Texts::new(Format::Ndjson);
            let mut lines = texts.push(&text.as_bytes()[..cut]);
            lines.extend(texts.push(&text.as_bytes()[cut..]));
            assert_eq!(lines, ["{\"a\":1}", "{\"b\":\"ä\"}"]);
        }
    }
}

//! What one reader has seen of the log, whatever ways it came by: always a front part of it, without gaps or doubles.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use liftrelay::wire::sse::Decoder;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::dice::Dice;
use crate::web::{ANSWER_WAIT, Lost, Web};

/// A reader and what it knows.
pub struct View {
    pub web: Web,
    pub entries: Vec<Value>,
    /// Behind the last entry.
    pub cursor: String,
    /// The highest number that it was told of.
    pub known: u64,
    /// Numbers at which the server told the hash of the state.
    pub hashes: Vec<(u64, String)>,
    /// As the last page told it.
    pub status: String,
}

impl View {
    pub fn new(web: Web) -> View {
        View { web, entries: Vec::new(), cursor: "0".to_owned(), known: 0, hashes: Vec::new(), status: String::new() }
    }

    fn is_viewer(&self) -> bool {
        self.web.token.starts_with("lrv_")
    }

    /// How many entries it has.
    pub fn head(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The server tells how long the log is: never less than it told before.
    pub fn hear(&mut self, head: &Value) {
        let head = head.as_u64().unwrap();
        assert!(head >= self.known, "reader {} knew of {} and is told of {head}", self.web.place, self.known);
        self.known = head;
    }

    /// Takes a page that goes on from the cursor.
    pub fn take(&mut self, page: &Value) {
        self.go_on(page);
        self.hear(&page["headSeqNum"]);
        page["status"].as_str().unwrap().clone_into(&mut self.status);
    }

    /// Takes what goes on from the cursor. What a stream relays was put into words once for everyone, so the head that it
    /// tells is the head of that time.
    fn go_on(&mut self, message: &Value) {
        for entry in message["updatesRelayed"].as_array().unwrap() {
            let next = self.head() + 1;
            assert_eq!(entry["serverSeqNum"], next, "reader {} has {} entries and is sent {entry}", self.web.place, self.head());
            self.entries.push(entry.clone());
            self.web.sim.tell_news();
        }
        assert_eq!(message["serverSeqNum"], self.head(), "{message}");
        self.cursor = message["cursor"].as_str().unwrap().to_owned();
        self.known = self.known.max(message["headSeqNum"].as_u64().unwrap());
    }

    /// Takes what may begin before the cursor: what is known already must be the same.
    pub fn overlap(&mut self, entries: &Value) {
        for entry in entries.as_array().unwrap() {
            let at = entry["serverSeqNum"].as_u64().unwrap() as usize;
            if let Some(known) = self.entries.get(at - 1) {
                assert_eq!(known, entry, "reader {} has seen something else", self.web.place);
            }
        }
    }

    /// Reads on in one of the ways there are.
    pub async fn read(&mut self, dice: &mut Dice) -> Result<(), Lost> {
        match dice.below(8) {
            0 => self.pull(dice).await,
            1 => self.long_poll(dice).await,
            2 if !self.is_viewer() => self.sync(dice).await,
            3 => self.follow("", dice).await,
            4 => self.follow("&format=ndjson", dice).await,
            5 | 6 => self.follow_socket(dice).await,
            _ => self.state(dice).await,
        }
    }

    /// One page.
    pub async fn pull(&mut self, dice: &mut Dice) -> Result<(), Lost> {
        let limit = dice.pick(&[1, 3, 1000]);
        let path = format!("/updates?after={}&limit={limit}", self.cursor);
        let page = self.answered("GET", &path, None, ANSWER_WAIT, dice).await?;
        self.take(&page);
        Ok(())
    }

    async fn long_poll(&mut self, dice: &mut Dice) -> Result<(), Lost> {
        let wait = dice.between(1, 10);
        let path = format!("/updates?after={}&wait={wait}", self.cursor);
        let page = self.answered("GET", &path, None, ANSWER_WAIT + Duration::from_secs(wait), dice).await?;
        self.take(&page);
        Ok(())
    }

    async fn sync(&mut self, dice: &mut Dice) -> Result<(), Lost> {
        let body = json!({"after": self.cursor, "wait": dice.between(0, 3)});
        let page = self.answered("POST", "/sync", Some(&body), ANSWER_WAIT, dice).await?;
        self.take(&page);
        Ok(())
    }

    /// The state and its hash, which is compared with the fold of the log in the end.
    pub async fn state(&mut self, dice: &mut Dice) -> Result<(), Lost> {
        let state = self.answered("GET", "/state", None, ANSWER_WAIT, dice).await?;
        self.hear(&state["serverSeqNum"]);
        self.hashes.push((self.known, state["stateHash"].as_str().unwrap().to_owned()));
        Ok(())
    }

    /// A stream, for a while.
    async fn follow(&mut self, format: &str, dice: &mut Dice) -> Result<(), Lost> {
        let path = format!("/events?after={}{format}", self.cursor);
        let mut stream = self.web.stream(&path, dice).await?;
        let until = self.web.sim.now() + dice.between(50, 20_000);
        let (mut decoder, mut line) = (Decoder::default(), Vec::new());
        while let Some(left) = until.checked_sub(self.web.sim.now()).filter(|left| *left > 0) {
            let Some(piece) = stream.piece(Duration::from_millis(left)).await else { break };
            let texts: Vec<String> = match format {
                "" => decoder.push(&piece).into_iter().map(|event| event.data).collect(),
                _ => lines(&mut line, &piece),
            };
            for text in texts.iter().filter(|text| !text.is_empty()) {
                self.web.sim.note(format_args!("client {} is sent {text}", self.web.place));
                self.event(&serde_json::from_str(text).unwrap());
            }
        }
        Ok(())
    }

    /// A WebSocket, for a while.
    async fn follow_socket(&mut self, dice: &mut Dice) -> Result<(), Lost> {
        let mut socket = self.web.socket(dice).await?;
        let pull = json!({"msgType": "CLIENT_PULL", "sessionToken": self.web.token, "lastServerSeq": self.cursor});
        socket.send(Message::text(pull.to_string())).await.map_err(|_| Lost)?;
        let until = self.web.sim.now() + dice.between(50, 20_000);
        while let Some(left) = until.checked_sub(self.web.sim.now()).filter(|left| *left > 0) {
            let Ok(Some(Ok(message))) = tokio::time::timeout(Duration::from_millis(left), socket.next()).await else { break };
            if let Message::Text(text) = message {
                self.web.sim.note(format_args!("client {} is sent {text}", self.web.place));
                self.event(&serde_json::from_str(&text).unwrap());
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &Value) {
        match event["msgType"].as_str().unwrap() {
            "UPDATE_RELAY" => self.go_on(event),
            "HELLO" => self.hear(&event["headSeqNum"]),
            "HEARTBEAT" => {
                self.hear(&event["headSeqNum"]);
                if let Some(hash) = event["stateHash"].as_str() {
                    self.hashes.push((self.known, hash.to_owned()));
                }
            }
            "END" => assert!(["shutdown", "finished"].iter().any(|reason| event["reason"] == *reason), "{event}"),
            other => panic!("reader {} is sent {other}, and nothing was lost: {event}", self.web.place),
        }
    }

    /// Asks for what is always answered with 200, but by a server that cannot.
    async fn answered(&self, method: &str, path: &str, body: Option<&Value>, wait: Duration, dice: &mut Dice) -> Result<Value, Lost> {
        match self.web.ask(method, path, body, wait, dice).await? {
            (200, answer) => Ok(answer),
            (503, _) => Err(Lost),
            (status, answer) => panic!("client {} asked {method} {path} and got {status}: {answer}", self.web.place),
        }
    }
}

/// Whole lines from pieces of a text.
fn lines(rest: &mut Vec<u8>, piece: &[u8]) -> Vec<String> {
    rest.extend_from_slice(piece);
    let mut lines = Vec::new();
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let line: Vec<u8> = rest.drain(..=end).collect();
        lines.push(String::from_utf8(line).unwrap().trim().to_owned());
    }
    lines
}

//! An editor as a client should be: what it does is pending until it is answered, and is sent again as it was.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::dice::Dice;
use crate::keys::Keys;
use crate::view::View;
use crate::web::{ANSWER_WAIT, Lost, MESSAGES};

/// Keys that meet each other often.
pub const KEYS: [&str; 12] = [
    "a",
    "a",
    "a.x",
    "a.x",
    "a.x.y",
    "a.list",
    "a.list[0]",
    "b",
    "b.x",
    "b.x.y",
    "registration.entries[1].notes",
    "registration.entries[1]",
];
/// What is put there.
pub const VALUES: [&str; 10] =
    ["1", "2", "null", "{}", "{\"x\":1}", "{\"x\":{\"y\":1}}", "{\"y\":1}", "[1,2]", "\"text\"", "{\"list\":[{\"y\":1}],\"x\":{}}"];
const OPS: [&str; 10] = ["set", "set", "set", "set", "set", "set", "create", "create", "remove", "remove"];

/// One update, as it is sent every time.
#[derive(Clone, Debug)]
pub struct Change {
    pub number: u64,
    pub after: u64,
    pub op: &'static str,
    pub key: &'static str,
    pub value: &'static str,
}

/// What became of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Acked { seq: u64, merged: bool, overrules: Vec<u64> },
    Refused { code: String, standing: Option<u64> },
}

pub struct Editor {
    pub view: View,
    pub location: &'static str,
    pub client_id: &'static str,
    /// All that it ever made.
    pub changes: BTreeMap<u64, Change>,
    pub answers: BTreeMap<u64, Answer>,
    pub keys: Keys,
}

impl Change {
    fn json(&self) -> Value {
        let value: Value = serde_json::from_str(self.value).unwrap();
        let mut update = json!({"updateKey": self.key, "op": self.op, "localSeqNum": self.number, "afterServerSeqNum": self.after});
        if self.op != "remove" {
            update["updateValue"] = value;
        }
        update
    }
}

impl Editor {
    /// Does something; a lost answer is no end.
    pub async fn act(&mut self, dice: &mut Dice) {
        match dice.below(10) {
            0..5 => {
                let batch = self.make(dice);
                self.deliver(&batch, dice).await;
            }
            5 if !self.answers.is_empty() => self.ask_again(dice).await,
            6 if dice.chance(50) => drop(self.keys.act(&self.view.web, dice).await),
            _ => drop(self.view.read(dice).await),
        }
    }

    /// New updates, made of what it knows.
    fn make(&mut self, dice: &mut Dice) -> Vec<Change> {
        let count = dice.between(1, 3);
        let change =
            |number| Change { number, after: self.view.head(), op: dice.pick(&OPS), key: dice.pick(&KEYS), value: dice.pick(&VALUES) };
        let first = self.changes.len() as u64;
        let batch: Vec<Change> = (first..first + count).map(change).collect();
        self.changes.extend(batch.iter().map(|change| (change.number, change.clone())));
        batch
    }

    /// Sends a batch, by one way or another, until it is answered.
    async fn deliver(&mut self, batch: &[Change], dice: &mut Dice) {
        let (mut batch, is_atomic) = (batch.to_vec(), dice.chance(20));
        while !batch.is_empty() {
            let sent = match dice.chance(10) && !is_atomic {
                true => self.twice_at_once(&batch, dice).await,
                false => self.send(&batch, is_atomic, dice).await,
            };
            match sent {
                Ok(None) => return,
                // The author takes back what cannot be, and sends the rest.
                Ok(Some(refused)) => batch.retain(|change| change.number != refused),
                Err(Lost) => self.view.web.sim.sleep(dice.between(20, 1_500)).await,
            }
        }
    }

    /// Ends the meet. Whoever is told so can rely on it.
    pub async fn finish(&mut self, dice: &mut Dice) {
        loop {
            match self.view.web.ask("POST", "/finish", None, ANSWER_WAIT, dice).await {
                Ok((200, _)) => return self.view.web.sim.tell_news(),
                Ok((503, _)) | Err(Lost) => self.view.web.sim.sleep(dice.between(20, 1_500)).await,
                Ok((status, answer)) => panic!("finishing was answered with {status}: {answer}"),
            }
        }
    }

    /// All that was answered is answered in the same way once more, by a finished meet too; that takes nothing new.
    pub async fn ask_all_again(&mut self, is_finished: bool, dice: &mut Dice) {
        let batch: Vec<Change> = self.answers.keys().map(|number| self.changes[number].clone()).collect();
        let (status, answer) = self.insist(&batch, dice).await;
        assert_eq!(status, 200, "{answer}");
        self.answered(&batch, &answer);
        if is_finished {
            let more = self.make(dice);
            let (status, answer) = self.insist(&more, dice).await;
            assert_eq!((status, &answer["code"]), (409, &json!("meet-finished")), "{answer}");
        }
    }

    /// Pushes until there is an answer.
    async fn insist(&self, batch: &[Change], dice: &mut Dice) -> (u16, Value) {
        let body = json!({"updates": updates(batch)});
        loop {
            match self.view.web.ask("POST", "/updates", Some(&body), ANSWER_WAIT, dice).await {
                Ok((503, _)) | Err(Lost) => self.view.web.sim.sleep(100).await,
                Ok(told) => return told,
            }
        }
    }

    /// Something that was answered before gets the same answer once more.
    async fn ask_again(&mut self, dice: &mut Dice) {
        let answered: Vec<u64> = self.answers.keys().copied().collect();
        let change = self.changes[&dice.pick(&answered)].clone();
        let _ = self.send(&[change], false, dice).await;
    }

    /// The same request over two connections at the same time.
    async fn twice_at_once(&mut self, batch: &[Change], dice: &mut Dice) -> Result<Option<u64>, Lost> {
        let body = json!({"updates": updates(batch)});
        let (mut one, mut other) = (Dice::new(dice.below(u64::MAX), "one"), Dice::new(dice.below(u64::MAX), "other"));
        let web = &self.view.web;
        let (first, second) = tokio::join!(
            web.ask("POST", "/updates", Some(&body), ANSWER_WAIT, &mut one),
            web.ask("POST", "/updates", Some(&body), ANSWER_WAIT, &mut other),
        );
        let answers = [first, second].into_iter().flatten().filter_map(|(status, answer)| applied(status, answer)).collect::<Vec<_>>();
        answers.iter().for_each(|answer| self.answered(batch, answer));
        if answers.is_empty() { Err(Lost) } else { Ok(None) }
    }

    /// Sends a batch once. Gives the number that an atomic one failed for.
    async fn send(&mut self, batch: &[Change], is_atomic: bool, dice: &mut Dice) -> Result<Option<u64>, Lost> {
        let mut body = json!({"updates": updates(batch)});
        if is_atomic {
            body["mode"] = json!("atomic");
        }
        let path = dice.pick(&["/updates", "/sync", MESSAGES]);
        if path == "/sync" {
            body["after"] = json!(self.view.cursor);
        } else if path == MESSAGES {
            body["msgType"] = json!("UPDATE_INIT");
            body["sessionToken"] = json!(self.view.web.token);
        }
        let (status, answer) = self.view.web.ask("POST", path, Some(&body), ANSWER_WAIT, dice).await?;
        if status == 409 && answer["msgType"] == "SYNC_CONFLICT" {
            self.view.overlap(&answer["updatesRelayed"]);
            return Ok(answer["problem"]["localSeqNum"].as_u64());
        }
        let answer = applied(status, answer).ok_or(Lost)?;
        self.answered(batch, &answer);
        if path == "/sync" {
            self.view.take(&answer);
        } else {
            self.view.hear(&answer["serverSeqNum"]);
        }
        Ok(None)
    }

    /// Every update of the batch has its answer, and the one that it had before where it had one.
    fn answered(&mut self, batch: &[Change], reply: &Value) {
        let each = |list: &str| reply[list].as_array().unwrap().clone();
        let told = each("updateAcks").into_iter().chain(each("updatesRejected"));
        let told: BTreeMap<u64, Value> = told.map(|one| (one["localSeqNum"].as_u64().unwrap(), one)).collect();
        assert!(told.keys().eq(batch.iter().map(|change| &change.number)), "asked {batch:?}, answered {reply}");
        self.view.web.sim.tell_news();
        for (number, one) in told {
            let answer = Answer::read(&one);
            if let Some(before) = self.answers.insert(number, answer.clone()) {
                assert_eq!(before, answer, "{} was told something else about update {number}", self.client_id);
            }
        }
    }
}

impl Answer {
    fn read(one: &Value) -> Answer {
        match one["code"].as_str() {
            Some(code) => Answer::Refused { code: code.to_owned(), standing: one["standing"]["serverSeqNum"].as_u64() },
            None => Answer::Acked {
                seq: one["serverSeqNum"].as_u64().unwrap(),
                merged: one["merged"] == true,
                overrules: one["overrules"].as_array().into_iter().flatten().map(|seq| seq.as_u64().unwrap()).collect(),
            },
        }
    }
}

fn updates(batch: &[Change]) -> Vec<Value> {
    batch.iter().map(Change::json).collect()
}

/// The answer of a server that could, as one; nothing else may come but that it cannot now.
fn applied(status: u16, answer: Value) -> Option<Value> {
    match status {
        200 if answer["msgType"] == "UPDATE_ACK" || answer.is_array() => {
            let messages = answer.as_array().cloned().unwrap_or_else(|| vec![answer]);
            let rejected = messages.get(1).map_or(json!([]), |rejected| rejected["updatesRejected"].clone());
            let mut result = messages[0].clone();
            result["updatesRejected"] = rejected;
            Some(result)
        }
        200 => Some(answer),
        503 => None,
        _ => panic!("a push was answered with {status}: {answer}"),
    }
}

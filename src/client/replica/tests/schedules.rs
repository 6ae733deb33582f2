//! Golden schedules: what a replica is asked and hears, step by step, and how it stands then. Replicas in other languages
//! have to come to the same (`tests/vectors/replica.json`).
//!
//! `UPDATE_VECTORS=1` writes the file; `REPLICA_SCHEDULES=FILE` writes more of them, from other seeds, to compare by hand.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::hall::{Authority, Member};
use crate::client::channel::{Answer, Push, Reply, Update};
use crate::client::replica::chain::{Decision, SyncChain};
use crate::client::replica::{ConflictFree, Edit, Need, Record, Replica};
use crate::client::store::ReplicaStore;
use crate::meet::time::Timestamp;
use crate::meet::update::{Batch, Mode, Op, Proposal, Writer};
use crate::wire::reply::{ReceivedConflict, ReceivedPage, ReceivedRejection};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/replica.json");
const MEMBERS: [(&str, i64); 3] = [("one", 1), ("two", 2), ("three", 2)];
const STEPS: usize = 60;
const KEYS: [&str; 9] = ["a", "a.x", "a.x.y", "a.z", "b", "b[0]", "b[1].q", "c", "e[5003]"];
const VALUES: [&str; 7] = ["1", "2", "{}", "null", "[1]", "{\"x\":{\"y\":1}}", "\"Åsa\""];

/// Chance from a seed (splitmix64), the same everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// A member, what the network still holds of it, and what happened to it.
struct Seat {
    member: Member,
    replies: Vec<Answer>,
    steps: Vec<Value>,
    chain: Option<SyncChain>,
    /// What the user has to decide about before the chain goes on.
    conflict: Option<ReceivedConflict>,
}

impl Seat {
    fn new((location, priority): (&'static str, i64)) -> Seat {
        Seat { member: Member::new(location, priority), replies: Vec::new(), steps: Vec::new(), chain: None, conflict: None }
    }

    fn tell(&mut self, mut step: Value) {
        let replica = &self.member.replica;
        let status = replica.status();
        step["then"] = json!({
            "state": serde_json::from_str::<Value>(&replica.state().canonical()).unwrap(),
            "pending": replica.pending().map(|pending| json!([pending.number, pending.after.to_string(), pending.is_shown()])).collect::<Vec<_>>(),
            "setAside": replica.set_aside().iter().map(|(number, aside)| json!([number, aside.refused.code])).collect::<Vec<_>>(),
            "cursor": replica.cursor().to_string(),
            "numbers": [status.unanswered, status.last_number, status.head],
            "meet": status.meet,
            "rebuilding": status.rebuilding,
        });
        self.steps.push(step);
    }

    fn edit(&mut self, edits: Vec<(&str, &str, &str)>) {
        let told: Vec<_> = edits.iter().map(|edit| told_edit(*edit)).collect();
        let edits = edits.into_iter().map(|(op, key, value)| match op {
            "create" => Edit::create(key, value).unwrap(),
            "remove" => Edit::remove(key).unwrap(),
            _ => Edit::set(key, value).unwrap(),
        });
        let record = self.member.replica.edit_all(edits.collect());
        let is_taken = record.is_ok();
        record.into_iter().for_each(|record| drop(self.member.keep(&record)));
        self.tell(json!({"edit": told, "taken": is_taken}));
    }

    fn batch(&mut self) -> Push {
        let push = self.member.batch();
        self.tell(json!({"batch": push.updates.iter().map(update).collect::<Vec<_>>()}));
        push
    }

    fn request(&mut self, authority: &mut Authority, limit: u64) -> Answer {
        let push = self.batch();
        self.exchange(authority, &push, limit)
    }

    fn exchange(&mut self, authority: &mut Authority, push: &Push, limit: u64) -> Answer {
        let mut pull = self.member.replica.pull(Duration::ZERO);
        pull.limit = Some(limit);
        let answer = authority.sync(&self.member, push, Some(pull));
        self.replies.push(answer.clone());
        answer
    }

    fn hear(&mut self, answer: Answer) {
        let told = answered(&answer);
        match self.member.hear(answer) {
            Ok((news, need)) => {
                let overruled: Vec<_> = news.overruled.iter().map(|told| json!([told.number, told.by_key, told.seq])).collect();
                let news = json!({"settled": news.settled, "refused": news.refused, "overruled": overruled, "everything": news.everything});
                self.tell(json!({"hear": told, "need": needed(&need), "news": news}));
                match need {
                    Need::Reset | Need::Restore { .. } => {
                        self.member.keep(&Record::Reset);
                        self.tell(json!({"reset": true}));
                    }
                    Need::Decision(conflict) => self.conflict = Some(*conflict),
                    Need::Again => self.chain.iter_mut().for_each(|chain| chain.stale(&self.member.replica)),
                    Need::Nothing => {}
                }
            }
            Err(_) => self.tell(json!({"hear": told, "unfit": true})),
        }
    }

    fn decide(&mut self, wants_it: bool) {
        let Some(number) = self.member.replica.set_aside().keys().next().copied() else { return };
        let record = if wants_it { self.member.replica.retry(number) } else { self.member.replica.drop_refused(number) };
        let is_taken = record.is_ok();
        record.into_iter().for_each(|record| drop(self.member.keep(&record)));
        self.tell(json!({(if wants_it { "retry" } else { "drop" }): number, "taken": is_taken}));
    }

    fn restart(&mut self) {
        self.member.replica = Replica::open(self.member.store.load().unwrap());
        (self.chain, self.conflict) = (None, None);
        self.tell(json!({"restart": true}));
    }

    fn set_conflict_free(&mut self, mode: ConflictFree) {
        self.member.replica.set_conflict_free(mode);
        self.tell(json!({"conflictFree": if mode == ConflictFree::Offline { "offline" } else { "off" }}));
    }

    /// The next step of a chain: it begins, the user decides, or what is left is sent and perhaps answered.
    fn chain(&mut self, authority: &mut Authority, chance: &mut Chance) {
        let Some(chain) = &self.chain else {
            let waits = self.member.replica.push().is_some();
            if !waits && chance.below(4) > 0 {
                return self.edit(vec![("set", chance.of(&KEYS), chance.of(&VALUES))]);
            }
            self.chain = Some(SyncChain::start(&self.member.replica));
            return self.tell(json!({"chain": true}));
        };
        if let Some(conflict) = self.conflict.take() {
            let decision = decision(&conflict, chance);
            let records = chain.decide(&self.member.replica, &conflict, &decision);
            records.iter().for_each(|record| drop(self.member.keep(record)));
            return self.tell(json!({"decide": told_decision(&decision)}));
        }
        let Some(outgoing) = chain.push(&self.member.replica) else {
            let is_interrupted = chain.interruption(&self.member.replica).is_some();
            self.chain = None;
            return self.tell(json!({"chainBatch": [], "interrupted": is_interrupted}));
        };
        let Push { updates, mode, if_head } = &outgoing.push;
        let if_head = if_head.map(|cursor| cursor.to_string());
        let told = json!({"chainBatch": updates.iter().map(update).collect::<Vec<_>>(), "mode": mode, "ifHead": if_head});
        outgoing.record.iter().for_each(|record| drop(self.member.keep(record)));
        self.tell(told);
        let answer = authority.sync(&self.member, &outgoing.push, None);
        if chance.below(5) > 0 {
            self.hear(answer);
        }
    }

    fn play(&mut self, authority: &mut Authority, chance: &mut Chance, kind: Kind) {
        match chance.below(if kind == Kind::WithChains { 30 } else { 20 }) {
            0..8 => {
                let edit = (chance.of(&["set", "set", "set", "create", "remove"]), chance.of(&KEYS), chance.of(&VALUES));
                self.edit(vec![edit]);
            }
            8 => self.edit(vec![("create", chance.of(&KEYS), "{\"z\":1}"), ("set", chance.of(&KEYS), "3"), ("remove", "c", "")]),
            9 => self.edit(vec![("set", chance.of(&KEYS), "{\"z\":1}"), ("set", chance.of(&KEYS), "3")]),
            10..14 => {
                let limit = chance.of(&[1, 2, 1_000]);
                // A chain needs edits that have not gone by themselves.
                let only_pulls = kind == Kind::WithChains && chance.below(4) > 0;
                let answer = if only_pulls { self.exchange(authority, &Push::default(), limit) } else { self.request(authority, limit) };
                self.hear(answer);
            }
            14 => drop(self.request(authority, 1_000)),
            15 => drop(self.batch()),
            16 if !self.replies.is_empty() => {
                let answer = self.replies[self.replies.len() - 1 - chance.below(self.replies.len().min(8))].clone();
                self.hear(answer);
            }
            17 => self.restart(),
            18 => self.decide(true),
            20 => self.set_conflict_free(chance.of(&[ConflictFree::Offline, ConflictFree::Off])),
            21.. => self.chain(authority, chance),
            _ => self.decide(false),
        }
    }

    fn finish(self, name: &str) -> Value {
        let location = self.member.location;
        json!({"name": format!("{name}, {location}"), "identity": self.member.replica.identity(), "steps": self.steps})
    }
}

fn told_edit((op, key, value): (&str, &str, &str)) -> Value {
    let mut told = json!({"op": op, "key": key});
    if op != "remove" {
        told["value"] = serde_json::from_str(value).unwrap();
    }
    told
}

fn update(update: &Update) -> Value {
    serde_json::to_value(update).unwrap()
}

fn decision(conflict: &ReceivedConflict, chance: &mut Chance) -> Decision {
    let all = conflict.problem.local_seq_num.iter().chain(&conflict.remaining);
    match chance.below(4) {
        0 => Decision::DropThis,
        1 => Decision::DropRest,
        _ => Decision::Keep(all.copied().filter(|_| chance.below(4) > 0).collect()),
    }
}

fn told_decision(decision: &Decision) -> Value {
    match decision {
        Decision::DropThis => json!("drop-this"),
        Decision::DropRest => json!("drop-rest"),
        Decision::Keep(keep) => json!({"keep": keep}),
    }
}

fn needed(need: &Need) -> Value {
    match need {
        Need::Restore { after } => json!({"restoreAfter": after}),
        Need::Reset => json!({"reset": true}),
        _ => json!({}),
    }
}

fn answered(answer: &Answer) -> Value {
    match answer {
        Answer::Done(reply) => answers("done", reply),
        Answer::Finished(reply) => answers("finished", reply),
        Answer::ServerBehind { head } => json!({"kind": "behind", "head": head.to_string()}),
        Answer::HistoryChanged { head } => json!({"kind": "history", "head": head.to_string()}),
        Answer::Conflict(conflict, news) => {
            let ReceivedConflict { processed, problem, remaining } = &**conflict;
            let standing = problem.standing.as_ref().map(|standing| json!({"serverSeqNum": standing.server_seq_num}));
            let mut problem = rejection(problem);
            problem["standing"] = json!(standing);
            json!({"kind": "conflict", "processed": processed, "problem": problem, "remaining": remaining, "page": page(news)})
        }
        Answer::Stale(news) => json!({"kind": "stale", "page": page(news)}),
    }
}

fn answers(kind: &str, reply: &Reply) -> Value {
    let rejections: Vec<_> = reply.rejections.iter().map(rejection).collect();
    json!({"kind": kind, "acks": reply.acks, "rejections": rejections, "page": reply.page.as_ref().map(page)})
}

fn rejection(told: &ReceivedRejection) -> Value {
    json!({"localSeqNum": told.local_seq_num, "code": told.code, "reason": "because"})
}

fn page(page: &ReceivedPage) -> Value {
    json!({
        "updatesRelayed": page.updates_relayed, "serverSeqNum": page.server_seq_num, "cursor": page.cursor.to_string(),
        "chain": page.chain, "headSeqNum": page.head_seq_num, "more": page.more, "status": page.status,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// Conflict-free mode and sync chains, too.
    WithChains,
}

/// One schedule, as its members saw it. In the middle some servers lose the end of their log, and others write on.
fn schedule((seed, kind): (u64, Kind)) -> Vec<Value> {
    let mut chance = Chance(seed);
    let mut authority = Authority::new();
    let mut seats = MEMBERS.map(Seat::new);
    let loss = if seed.is_multiple_of(3) { STEPS / 2 + chance.below(STEPS / 4) } else { usize::MAX };
    for step in 0..STEPS {
        if step == loss {
            authority = forgetful(&authority, &mut chance);
        }
        authority.is_finished = seed % 5 == 4 && step > STEPS - 10;
        if authority.is_finished {
            authority.meet.finish();
        }
        let who = chance.below(seats.len());
        seats[who].play(&mut authority, &mut chance, kind);
    }
    for seat in &mut seats {
        let answer = seat.request(&mut authority, 1_000);
        seat.hear(answer);
    }
    seats.map(|seat| seat.finish(&format!("seed {seed}"))).into()
}

fn forgetful(authority: &Authority, chance: &mut Chance) -> Authority {
    let mut older = Authority::new();
    let log = authority.meet.log().after(0);
    let commits: Vec<_> = log.iter().filter(|entry| entry.fields.commit == entry.seq()).map(|entry| entry.seq()).collect();
    let kept = if commits.is_empty() { 1 } else { chance.of(&commits) };
    for entry in log.iter().take_while(|entry| entry.seq() < kept) {
        older.meet.replay(entry.fields.clone(), entry.text.clone(), entry.chain).unwrap();
    }
    let value = RawValue::from_string("\"four\"".to_owned()).unwrap();
    let batch = Batch {
        writer: Writer { location_name: "four".into(), client_id: "four".into() },
        priority: 3,
        updates: vec![Proposal::read("a.x", Some(&*value), Op::Set, None, None)],
        mode: Mode::Each,
        if_head: None,
        after: None,
    };
    older.meet.apply(&batch, Timestamp::from_millis(1_777_627_850_000));
    older
}

/// One step a line, so that a change can be read.
fn text(plain: impl Iterator<Item = u64>, with_chains: impl Iterator<Item = u64>) -> String {
    let seeds = plain.map(|seed| (seed, Kind::Plain)).chain(with_chains.map(|seed| (seed, Kind::WithChains)));
    let mut out = String::from("{\"cases\": [");
    for (place, case) in seeds.flat_map(schedule).enumerate() {
        let separator = if place == 0 { "" } else { "," };
        let steps: Vec<_> = case["steps"].as_array().unwrap().iter().map(Value::to_string).collect();
        write!(out, "{separator}\n{{\"name\": {}, \"identity\": {}, \"steps\": [\n", case["name"], case["identity"]).unwrap();
        write!(out, "{}\n]}}", steps.join(",\n")).unwrap();
    }
    out + "\n]}\n"
}

#[test]
fn replicas_go_through_the_golden_schedules_as_written() {
    // One of the further seeds is there for the ghost of a removed object. Those with chains have all that can happen to one.
    let now = text((0..9).chain([1_011]), [5_001, 5_325, 5_851, 5_684].into_iter());
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(FILE, &now).unwrap();
    }
    if let Some(file) = std::env::var_os("REPLICA_SCHEDULES") {
        std::fs::write(file, text(1_000..3_000, 5_000..6_000)).unwrap();
    }
    assert!(std::fs::read_to_string(FILE).unwrap() == now, "read what changed, then write it with UPDATE_VECTORS=1");
}

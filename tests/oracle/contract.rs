//! The conflict rules once more, read from the wire contract (sections 4 and 5) and written as
//! plainly as they stand there: one list of entries, everything else found by scanning it.

use serde_json::{Map, Value as Json};

use super::request::{Answer, Change, Reply, Request, Who};
use super::tree::{doubles, look, position, put, take};
use liftrelay::meet::key::Key;
use liftrelay::meet::outcome::UpdateCode;
use liftrelay::meet::settings::TieBreak;
use liftrelay::meet::update::{Mode, Op};
use liftrelay::meet::value::Value;

/// A meet without any index.
#[derive(Clone)]
pub(crate) struct Oracle {
    tie_break: TieBreak,
    /// Entry n is at n − 1.
    entries: Vec<Update>,
    known: Vec<Known>,
}

/// An update that could be read.
#[derive(Clone)]
struct Update {
    who: Who,
    op: Op,
    path: Vec<String>,
    /// `None` for a removal.
    value: Option<Json>,
}

/// An answer that a resend gets.
#[derive(Clone)]
struct Known {
    who: Who,
    number: u64,
    /// `None` where key or value could not be read.
    update: Option<Update>,
    answer: Answer,
}

impl Oracle {
    pub(crate) fn new(tie_break: TieBreak) -> Oracle {
        Oracle { tie_break, entries: Vec::new(), known: Vec::new() }
    }

    fn head(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The state as canonical text.
    pub(crate) fn canonical_state(&self) -> String {
        Value::parse_unbounded(&self.fold().to_string()).unwrap().canonical()
    }

    /// The answer to a request, which takes its effect.
    pub(crate) fn answer(&mut self, request: &Request) -> Reply {
        let afters = request.changes.iter().map(|change| change.after);
        if afters.chain([request.after, request.if_head]).flatten().any(|seq| seq > self.head()) {
            return Reply::Lost;
        }
        let known = |change: &Change| change.number.is_some_and(|number| self.known(request.who, number).is_some());
        if let Some(if_head) = request.if_head
            && if_head != self.head()
            && (request.changes.is_empty() || !request.changes.iter().all(known))
        {
            return Reply::Stale { since: request.after.unwrap_or(if_head) };
        }
        match request.mode {
            Mode::Each => self.each(request),
            Mode::Atomic => self.all_or_nothing(request),
        }
    }

    fn each(&mut self, request: &Request) -> Reply {
        let head = self.head();
        let one = |change| self.one(request, change, head);
        Reply::Applied(request.changes.iter().map(one).collect())
    }

    fn all_or_nothing(&mut self, request: &Request) -> Reply {
        let before = self.clone();
        let mut answers = Vec::new();
        for (at, change) in request.changes.iter().enumerate() {
            let answer = self.one(request, change, before.head());
            if matches!(answer, Answer::Refused { .. }) {
                *self = before;
                let numbers = |changes: &[Change]| changes.iter().filter_map(|change| change.number).collect();
                let lowest = request.changes.iter().filter_map(|change| change.after).min();
                return Reply::Conflict {
                    processed: numbers(&request.changes[..at]),
                    problem: answer,
                    remaining: numbers(&request.changes[at + 1..]),
                    since: request.after.or(lowest).unwrap_or(self.head()),
                };
            }
            answers.push(answer);
        }
        Reply::Applied(answers)
    }

    /// Judges one update in the contract's order and remembers the answer.
    fn one(&mut self, request: &Request, change: &Change, head: u64) -> Answer {
        let who = request.who;
        let update = match read(who, change) {
            Ok(update) => update,
            Err(code) => {
                let answer = refused(code, None);
                self.remember(who, change.number, None, &answer);
                return answer;
            }
        };
        if let Some(known) = change.number.and_then(|number| self.known(who, number)) {
            return known.again(&update);
        }
        let after = change.after.or(request.after).unwrap_or(head);
        let answer = self.judge(&update, after);
        if let Answer::Acked { merged: false, .. } = answer {
            self.entries.push(update.clone());
        }
        self.remember(who, change.number, Some(update), &answer);
        answer
    }

    fn known(&self, who: Who, number: u64) -> Option<&Known> {
        self.known.iter().find(|known| same_client(known.who, who) && known.number == number)
    }

    fn remember(&mut self, who: Who, number: Option<u64>, update: Option<Update>, answer: &Answer) {
        if let Some(number) = number.filter(|&number| self.known(who, number).is_none()) {
            self.known.push(Known { who, number, update, answer: answer.clone() });
        }
    }

    fn judge(&self, update: &Update, after: u64) -> Answer {
        let above = self.newest_at_or_above(&update.path);
        if let Some(removal) = above.filter(|&seq| self.is_removal(seq) && self.path(seq).len() < update.path.len()) {
            return if update.op == Op::Remove { merged(removal) } else { refused(UpdateCode::Removed, Some(removal)) };
        }
        let state = self.fold();
        if let Some(code) = obstacle(&state, update) {
            return refused(code, None);
        }
        let present = look(&state, &update.path);
        if update.op == Op::Create && present.is_some() {
            let number = above.or(self.standing_below(&update.path).max()).unwrap();
            return if present == update.value.as_ref() { merged(number) } else { refused(UpdateCode::Exists, Some(number)) };
        }
        if update.op == Op::Remove && present.is_none() {
            let removal = above.filter(|&seq| self.is_removal(seq));
            return removal.map_or(refused(UpdateCode::Absent, None), merged);
        }
        self.by_priority(update, after)
    }

    fn by_priority(&self, update: &Update, after: u64) -> Answer {
        let mut conflicts = self.conflicts(update, after);
        let Some(highest) = conflicts.iter().map(|&seq| (self.entry(seq).who.priority, seq)).max() else {
            return committed(self.head() + 1, Vec::new());
        };
        // Only a higher priority makes something again at a key where a removal stands.
        let brings_back = conflicts
            .iter()
            .any(|&seq| self.is_removal(seq) && self.entry(seq).who.priority == highest.0 && look_from(update, self.path(seq)).is_some());
        let wins = match update.who.priority {
            own if own != highest.0 => own > highest.0,
            _ if update.op == Op::Remove => true,
            _ => self.tie_break == TieBreak::Latest && !brings_back,
        };
        if !wins {
            return refused(UpdateCode::Overruled, Some(highest.1));
        }
        conflicts.sort_unstable();
        committed(self.head() + 1, conflicts)
    }

    /// Met entries that another client made, unseen, with another value at the deeper key.
    fn conflicts(&self, update: &Update, after: u64) -> Vec<u64> {
        let met = self.newest_at_or_above(&update.path).into_iter().chain(self.standing_below(&update.path));
        met.filter(|&seq| {
            let entry = self.entry(seq);
            let deeper = if entry.path.len() > update.path.len() { &entry.path } else { &update.path };
            let (theirs, ours) = (look_from(entry, deeper), look_from(update, deeper));
            let agree = theirs.is_some() && theirs == ours;
            !same_client(entry.who, update.who) && seq > after && !agree
        })
        .collect()
    }

    fn entry(&self, seq: u64) -> &Update {
        &self.entries[seq as usize - 1]
    }

    fn path(&self, seq: u64) -> &[String] {
        &self.entry(seq).path
    }

    fn is_removal(&self, seq: u64) -> bool {
        self.entry(seq).op == Op::Remove
    }

    /// Numbers of the entries that no later one on their key or on an ancestor replaced.
    fn standing(&self) -> impl Iterator<Item = u64> {
        (1..=self.head()).filter(|&seq| !(seq + 1..=self.head()).any(|later| self.path(seq).starts_with(self.path(later))))
    }

    fn newest_at_or_above(&self, path: &[String]) -> Option<u64> {
        self.standing().filter(|&seq| path.starts_with(self.path(seq))).max()
    }

    fn standing_below(&self, path: &[String]) -> impl Iterator<Item = u64> {
        self.standing().filter(move |&seq| self.path(seq).len() > path.len() && self.path(seq).starts_with(path))
    }

    fn fold(&self) -> Json {
        let mut state = Json::Object(Map::new());
        for entry in &self.entries {
            match &entry.value {
                Some(value) => put(&mut state, &entry.path, value.clone()),
                None => take(&mut state, &entry.path),
            }
        }
        state
    }
}

impl Known {
    /// The same answer for the same update.
    fn again(&self, update: &Update) -> Answer {
        let same = |known: &Update| (known.op, &known.path, &known.value) == (update.op, &update.path, &update.value);
        if !self.update.as_ref().is_some_and(same) {
            return refused(UpdateCode::IdReuse, None);
        }
        match self.answer.clone() {
            Answer::Acked { seq, merged, overrules, .. } => Answer::Acked { seq, merged, overrules, duplicate: true },
            refusal => refusal,
        }
    }
}

fn read(who: Who, change: &Change) -> Result<Update, UpdateCode> {
    let key = Key::parse(&change.key).map_err(|_| UpdateCode::InvalidKey)?;
    let path = key.segments().iter().map(|segment| segment.as_str().to_owned()).collect();
    let value: Option<Json> = (change.op != Op::Remove).then(|| doubles(serde_json::from_str(&change.value).unwrap()));
    if value.as_ref().is_some_and(|value| value.to_string().contains("__proto__")) {
        return Err(UpdateCode::InvalidValue);
    }
    Ok(Update { who, op: change.op, path, value })
}

fn same_client(a: Who, b: Who) -> bool {
    (a.location, a.client) == (b.location, b.client)
}

fn refused(code: UpdateCode, standing: Option<u64>) -> Answer {
    Answer::Refused { code, standing }
}

fn merged(seq: u64) -> Answer {
    Answer::Acked { seq, duplicate: false, merged: true, overrules: Vec::new() }
}

fn committed(seq: u64, overrules: Vec<u64>) -> Answer {
    Answer::Acked { seq, duplicate: false, merged: false, overrules }
}

/// What in the state keeps an update from applying.
fn obstacle(state: &Json, update: &Update) -> Option<UpdateCode> {
    for depth in 0..update.path.len() {
        let segment = &update.path[depth];
        match look(state, &update.path[..depth])? {
            Json::Object(_) => {}
            Json::Array(items) => match position(segment) {
                None => return Some(UpdateCode::NotAContainer),
                Some(_) if depth + 1 == update.path.len() && update.op != Op::Set => return Some(UpdateCode::ArrayElement),
                Some(index) if index > items.len() => return Some(UpdateCode::OutOfRange),
                Some(_) => {}
            },
            _ => return Some(UpdateCode::NotAContainer),
        }
    }
    None
}

/// What an update put at a key at or below its own.
fn look_from<'a>(update: &'a Update, path: &[String]) -> Option<&'a Json> {
    look(update.value.as_ref()?, &path[update.path.len()..])
}

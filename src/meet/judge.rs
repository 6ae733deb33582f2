//! The conflict table (wire contract, section 5): what becomes of one update.

use std::borrow::Borrow;
use std::collections::HashSet;

use crate::mutant::{Mutant, planted};

use super::answers::WriterId;
use super::key::{Key, Segment};
use super::outcome::UpdateCode;
use super::settings::TieBreak;
use super::standing::{Found, Standing, StandingIndex};
use super::state::{Obstacle, State, step};
use super::update::Op;
use super::value::Value;

/// What an update is judged against.
pub(super) struct Judge<'a> {
    pub(super) state: &'a State,
    pub(super) standing: &'a StandingIndex,
    pub(super) tie_break: TieBreak,
}

/// An update that could be read and was not known.
pub(super) struct Incoming<'a> {
    pub(super) key: &'a Key,
    pub(super) op: Op,
    /// `None` for a removal.
    pub(super) value: Option<&'a Value>,
    pub(super) writer: WriterId,
    pub(super) priority: i64,
    /// What its client had seen.
    pub(super) after: u64,
    /// What it had seen above that, where it comes from another branch of the log.
    pub(super) carried: Option<&'a HashSet<u64>>,
}

impl Incoming<'_> {
    /// Whether another client made an update that this one's had not seen.
    fn had_not_seen(&self, standing: &Standing) -> bool {
        let is_seen = |seq| seq <= self.after || self.carried.is_some_and(|carried| carried.contains(&seq));
        standing.writer != self.writer && !is_seen(standing.seq)
    }
}

/// What becomes of it.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// It goes into the log, over these unseen ones.
    Commit { overrules: Vec<u64> },
    /// What it wants stands already, as this entry.
    Merged(u64),
    /// It takes no effect, because of this entry where one is named.
    Refused { code: UpdateCode, because: Option<u64>, reason: Reason },
}

/// Why an update is refused, before it is put into words.
#[derive(Debug, PartialEq)]
pub(super) enum Reason {
    HigherPriority,
    SamePriority,
    RemovedAbove,
    StandsAlready,
    NothingThere,
    Obstacle(Obstacle),
}

impl Judge<'_> {
    pub(super) fn judge(&self, update: &Incoming) -> Verdict {
        let (found, present) = self.look(update);
        if let Some(verdict) = removed_above(update, found) {
            return verdict;
        }
        match present {
            Ok(present) => presence(update, present, found).unwrap_or_else(|| self.priorities(update, found)),
            Err(obstacle) => obstructed(obstacle),
        }
    }

    /// Who stands along the key, and what is there. Both trees are walked in step: where they are wider than a cache,
    /// the processor then waits for both places at once.
    fn look(&self, update: &Incoming) -> (Found<'_>, Result<Option<&Value>, Obstacle>) {
        let (mut found, mut present) = (self.standing.top(), Ok(Some(self.state.root())));
        for (depth, segment) in update.key.segments().iter().enumerate() {
            found = found.step(segment, depth);
            present = present.and_then(|place| step(place, update.key, depth, update.op));
        }
        (found, present)
    }

    fn priorities(&self, update: &Incoming, found: Found) -> Verdict {
        let conflicts = conflicts(update, found);
        let Some(highest) = conflicts.iter().map(|conflict| conflict.with).max_by_key(|standing| (standing.priority, standing.seq)) else {
            return Verdict::Commit { overrules: Vec::new() };
        };
        let overruled = |reason| refused(UpdateCode::Overruled, Some(highest.seq), reason);
        let brings_back = || conflicts.iter().any(|conflict| conflict.with.priority == update.priority && conflict.brings_back());
        let order = update.priority.cmp(&highest.priority);
        match if planted(Mutant::PriorityReversed) { order.reverse() } else { order } {
            std::cmp::Ordering::Less => return overruled(Reason::HigherPriority),
            std::cmp::Ordering::Equal if update.op == Op::Remove => {}
            std::cmp::Ordering::Equal if self.tie_break == TieBreak::Latest && !brings_back() => {}
            std::cmp::Ordering::Equal => return overruled(Reason::SamePriority),
            std::cmp::Ordering::Greater => {}
        }
        let mut overrules: Vec<u64> = conflicts.iter().map(|conflict| conflict.with.seq).collect();
        overrules.sort_unstable();
        Verdict::Commit { overrules }
    }
}

/// Below a removed object nothing is set, and everything is removed already.
fn removed_above(update: &Incoming, found: Found) -> Option<Verdict> {
    let (depth, standing) = found.above?;
    if standing.value.is_some() || depth == update.key.segments().len() {
        return None;
    }
    Some(match update.op {
        Op::Remove => Verdict::Merged(standing.seq),
        Op::Set | Op::Create => refused(UpdateCode::Removed, Some(standing.seq), Reason::RemovedAbove),
    })
}

fn obstructed(obstacle: Obstacle) -> Verdict {
    let code = match obstacle {
        Obstacle::NotAContainer { .. } => UpdateCode::NotAContainer,
        Obstacle::OutOfRange { .. } => UpdateCode::OutOfRange,
        Obstacle::ArrayElement { .. } => UpdateCode::ArrayElement,
    };
    refused(code, None, Reason::Obstacle(obstacle))
}

/// `create` wants nothing there, `remove` something.
fn presence(update: &Incoming, present: Option<&Value>, found: Found) -> Option<Verdict> {
    match (update.op, present) {
        (Op::Create, Some(present)) => {
            // There or above, or else what was put below it.
            let number = found.above.map(|(_, standing)| standing.seq).or_else(|| found.newest_below());
            Some(match number {
                Some(number) if update.value == Some(present) => Verdict::Merged(number),
                _ => refused(UpdateCode::Exists, number, Reason::StandsAlready),
            })
        }
        (Op::Remove, None) => Some(match found.above {
            Some((depth, removal)) if removal.value.is_none() && depth == update.key.segments().len() => Verdict::Merged(removal.seq),
            _ => refused(UpdateCode::Absent, None, Reason::NothingThere),
        }),
        _ => None,
    }
}

/// Unseen updates by others with which this one does not agree.
fn conflicts<'a>(update: &Incoming<'a>, found: Found<'a>) -> Vec<Conflict<'a>> {
    let mut conflicts = Vec::new();
    if let Some((depth, with)) = found.above {
        let below = &update.key.segments()[depth..];
        if update.had_not_seen(with) && differ(value_at(with.value.as_ref(), below), update.value) {
            conflicts.push(Conflict { with, wanted: update.value });
        }
    }
    found.below(update.after, &mut |below, with| {
        let wanted = value_at(update.value, below);
        if update.had_not_seen(with) && differ(with.value.as_ref(), wanted) {
            conflicts.push(Conflict { with, wanted });
        }
    });
    conflicts
}

/// A standing update that disagrees with the incoming one.
struct Conflict<'a> {
    with: &'a Standing,
    /// What the incoming update has at the deeper of the two keys.
    wanted: Option<&'a Value>,
}

impl Conflict<'_> {
    /// Whether something would stand again where something was removed.
    fn brings_back(&self) -> bool {
        self.with.value.is_none() && self.wanted.is_some()
    }
}

fn refused(code: UpdateCode, because: Option<u64>, reason: Reason) -> Verdict {
    Verdict::Refused { code, because, reason }
}

/// What a standing or incoming value has at a deeper key; `None` where it is absent, removed or hidden by a scalar.
fn value_at<'a, S: Borrow<Segment>>(value: Option<&'a Value>, below: &[S]) -> Option<&'a Value> {
    value.and_then(|value| value.get(below))
}

/// Nothing agrees with what is absent, not even another absence.
fn differ(a: Option<&Value>, b: Option<&Value>) -> bool {
    a.is_none() || b.is_none() || a != b
}

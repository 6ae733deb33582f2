//! What is pushed, what becomes of it, and how long the disk takes.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::{Registry, Unit};

use crate::meet::outcome::{Ack, Decision, Outcome, Record, UpdateCode};

use super::histogram::Histogram;
use super::label::{Acked, Each, Verdict};

/// Pushes and appends.
#[derive(Clone, Debug)]
pub struct Writing {
    pushes: Each<Verdict, Counter>,
    push_updates: Histogram,
    push_written: Histogram,
    acked: Each<Acked, Counter>,
    refused: Each<UpdateCode, Counter>,
    overruling: Counter,
    commits: Counter,
    entries: Counter,
    sync_records: Histogram,
    sync: Histogram,
    failures: Counter,
    renewals: Counter,
}

impl Writing {
    pub(super) fn register(registry: &mut Registry) -> Writing {
        let writing = Writing {
            pushes: Each::default(),
            push_updates: Histogram::counts(),
            push_written: Histogram::times(),
            acked: Each::default(),
            refused: Each::default(),
            overruling: Counter::default(),
            commits: Counter::default(),
            entries: Counter::default(),
            sync_records: Histogram::counts(),
            sync: Histogram::times(),
            failures: Counter::default(),
            renewals: Counter::default(),
        };
        writing.register_pushes(registry);
        writing.register_log(registry);
        writing
    }

    fn register_pushes(&self, registry: &mut Registry) {
        registry.register("pushes", "Batches that were answered", self.pushes.clone());
        let help = "Updates in each batch that was answered";
        registry.register_with_unit("push", help, Unit::Other("updates".to_owned()), self.push_updates.clone());
        let help = "Time from a batch's arrival at its meet's writer until what it committed was durable";
        registry.register_with_unit("push_written", help, Unit::Seconds, self.push_written.clone());
        registry.register("updates_acked", "Updates that took effect, now or before", self.acked.clone());
        registry.register("updates_refused", "Updates that took no effect, told again to whoever resends one", self.refused.clone());
        registry.register("updates_overruling", "Updates that went over what others had set", self.overruling.clone());
    }

    fn register_log(&self, registry: &mut Registry) {
        registry.register("commits", "Batches that were committed, each whole", self.commits.clone());
        registry.register("committed_entries", "Entries that were added to logs", self.entries.clone());
        let help = "Records that were made durable by one append to a log: entries, and answers that no entry tells";
        registry.register_with_unit("log_sync", help, Unit::Other("records".to_owned()), self.sync_records.clone());
        let help = "Time that one append to a log took, from the write to the end of its fdatasync";
        registry.register_with_unit("log_sync", help, Unit::Seconds, self.sync.clone());
        registry.register("log_failures", "Appends that failed, each of which made a meet read-only", self.failures.clone());
        registry.register("log_renewals", "Meets that took updates again after a failed append", self.renewals.clone());
    }

    /// One append made records durable; the batches among them had waited so long since they had come.
    pub fn synced(&self, records: &[Record], took: Duration, waited: impl Iterator<Item = Duration>) {
        let entries = records.iter().filter_map(|record| match record {
            Record::Entry { entry, commit_end } => Some((entry.seq(), *commit_end)),
            Record::Answer(_) => None,
        });
        self.entries.inc_by(entries.clone().count() as u64);
        self.commits.inc_by(entries.filter(|(seq, commit_end)| seq == commit_end).count() as u64);
        self.sync_records.observe(records.len() as u64);
        self.sync.observe_time(took);
        waited.for_each(|waited| self.push_written.observe_time(waited));
    }

    /// A batch of so many updates is answered.
    pub fn answered(&self, updates: usize, decision: &Decision) {
        self.push_updates.observe(updates as u64);
        let verdict = match decision {
            Decision::Applied { outcomes, .. } => {
                outcomes.iter().for_each(|outcome| self.outcome(outcome));
                Verdict::Applied
            }
            Decision::Conflict { problem, .. } => {
                self.refused.of(problem.code).inc();
                Verdict::Conflict
            }
            Decision::Stale { .. } => Verdict::Stale,
            Decision::Finished { known } => {
                known.iter().for_each(|outcome| self.outcome(outcome));
                Verdict::Finished
            }
            Decision::Lost(_) => Verdict::Lost,
        };
        self.pushes.of(verdict).inc();
    }

    fn outcome(&self, outcome: &Outcome) {
        let ack = match outcome {
            Outcome::Acked(ack) => ack,
            Outcome::Refused(rejection) => {
                self.refused.of(rejection.code).inc();
                return;
            }
        };
        let (acked, is_new) = match ack {
            Ack { duplicate: true, .. } => (Acked::Duplicate, false),
            Ack { merged: true, .. } => (Acked::Merged, true),
            _ => (Acked::Committed, true),
        };
        self.acked.of(acked).inc();
        if is_new && !ack.overrules.is_empty() {
            self.overruling.inc();
        }
    }

    /// An append failed.
    pub fn failed(&self) {
        self.failures.inc();
    }

    /// A meet takes updates again.
    pub fn renewed(&self) {
        self.renewals.inc();
    }
}

//! One stored meet: what is sound about it, what is wrong, and what could be kept.

use std::path::Path;

use crate::auth::roster::Roster;
use crate::meet::Meet;
use crate::meet::chain::ServerKey;
use crate::meet::entry::Entry;
use crate::meet::id::MeetId;
use crate::meet::outcome::Record;
use crate::meet::settings::TieBreak;
use crate::store::Document;
use crate::store::durable::read_file;
use crate::store::line::{Header, whole_log};
use crate::store::scan::{Rest, Scan, StoredRecord, scan};

/// What there is to say about a stored meet.
#[derive(Default)]
pub(super) struct Finding {
    /// What is wrong, in words; empty for a sound meet.
    pub(super) faults: Vec<String>,
    /// What its log holds, in words.
    pub(super) log: String,
    /// What a repaired log would be; `None` where nothing of it can be kept.
    pub(super) kept: Option<Kept>,
}

/// The sound part of a log.
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    /// What it holds, and what of the old log is left out, in words.
    pub(super) words: String,
}

/// Looks at the meet whose log is here.
pub(super) fn examine(id: MeetId, log: &Path, key: Option<&ServerKey>) -> Finding {
    let mut finding = Finding::default();
    match read_file(log) {
        Ok(bytes) => match scan(&bytes) {
            Ok(scan) if scan.header.meet_id != id.digits() => {
                finding.faults.push(format!("the log belongs to meet {}", scan.header.meet_id));
            }
            Ok(scan) if key.is_some_and(|key| !scan.header.is_of(key, id)) => {
                finding.faults.push("another server key made this meet".to_owned());
            }
            Ok(scan) => finding.read(scan, key),
            Err(error) => finding.faults.push(error.to_string()),
        },
        Err(error) => finding.faults.push(format!("the log cannot be read: {error}")),
    }
    finding.faults.extend(documents(log));
    finding
}

/// What is wrong with the documents beside a log.
fn documents(log: &Path) -> Option<String> {
    let read = |document: Document| read_file(&log.with_file_name(&*document.file_name()));
    let auth = match read(Document::Auth) {
        Ok(auth) => auth,
        Err(error) => return Some(format!("auth.json cannot be read: {error}; a client's recovery ticket brings it back")),
    };
    match read(Document::Sessions) {
        Ok(sessions) => Roster::read(&auth, Some(&sessions)).err().map(|error| error.to_string()),
        // Everybody joins again, that is all.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Roster::read(&auth, None).err().map(|error| error.to_string()),
        Err(error) => Some(format!("sessions.json cannot be read: {error}")),
    }
}

impl Finding {
    fn read(&mut self, scan: Scan, key: Option<&ServerKey>) {
        let Scan { header, records, rest, .. } = scan;
        let stored = records.len();
        let (mut records, broken) = genuine(&header, records, key);
        if let Rest::Damage(damage) = &rest {
            self.faults.push(damage.to_string());
        }
        self.faults.extend(broken);
        keep_whole_commits(&mut records);
        let entries = records.iter().filter(|record| matches!(record, Record::Entry { .. })).count();
        let answers = records.len() - entries;
        self.log = format!("{entries} entries and {answers} remembered answers");
        let left_out = match rest {
            Rest::Damage(damage) => {
                format!("; left out is everything from line {} on, where entries up to {} had been", damage.line, damage.had.upto)
            }
            _ if records.len() < stored => format!("; left out are {} records behind them", stored - records.len()),
            Rest::TornTail { bytes } => {
                self.log += &format!("; {bytes} bytes of a torn tail, which nobody was told of, would be cut and kept aside");
                format!("; left out are {bytes} bytes of a torn tail, which nobody was told of")
            }
            Rest::Nothing => String::new(),
        };
        let words = format!("{entries} entries and {answers} remembered answers{left_out}");
        self.kept = Some(Kept { bytes: whole_log(&header, &records).0, words });
    }
}

/// The records up to the first that this server has not written, and what is wrong with that one. Without a key all count.
fn genuine(header: &Header, records: Vec<StoredRecord>, key: Option<&ServerKey>) -> (Vec<Record>, Option<String>) {
    let mut meet = key.map(|key| Meet::new(key.clone(), header.chain, TieBreak::default()));
    let mut kept = Vec::new();
    for record in records {
        let StoredRecord::Entry { fields, text, chain, commit_end } = record else {
            let StoredRecord::Answer(answer) = record else { continue };
            kept.push(Record::Answer(answer));
            continue;
        };
        let entry = match &mut meet {
            Some(meet) => meet.replay(fields, text, chain),
            None => Ok(Entry { fields, chain, text: text.into() }.into()),
        };
        match entry {
            Ok(entry) => kept.push(Record::Entry { entry, commit_end }),
            Err(broken) => return (kept, Some(broken.to_string())),
        }
    }
    (kept, None)
}

/// A part of a commit is nothing that anybody was ever shown.
fn keep_whole_commits(records: &mut Vec<Record>) {
    let Some((last, end)) = records.iter().rev().find_map(|record| match record {
        Record::Entry { entry, commit_end } => Some((entry.seq(), *commit_end)),
        Record::Answer(_) => None,
    }) else {
        return;
    };
    if last < end {
        let is_of_it = |record: &Record| matches!(record, Record::Entry { commit_end, .. } if *commit_end == end);
        let start = records.iter().position(is_of_it).unwrap_or(records.len());
        records.truncate(start);
    }
}

//! `liftrelay verify`

use std::path::{Path, PathBuf};

use clap::Args;

use crate::meet::Meet;
use crate::meet::chain::ServerKey;
use crate::meet::id::MeetId;
use crate::meet::settings::TieBreak;
use crate::store::Stage;
use crate::store::files::{FileStore, name_of};
use crate::store::scan::{Rest, Scan, StoredRecord, scan};

use super::{Exit, config, print, server_key, tell};

/// Options of `liftrelay verify`.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Folder that holds the meets [default: ./liftrelay-data]
    #[arg(long, env = "LIFTRELAY_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// The server's secret; without it sums are checked, but not who wrote the log [default: beside the data folder]
    #[arg(long, env = "LIFTRELAY_SERVER_KEY_FILE", value_name = "FILE")]
    server_key_file: Option<PathBuf>,

    /// Meets to check, by id; all of them where none is named
    meet: Vec<MeetId>,
}

/// Checks logs and says in words what is there. Changes nothing, so a running server does not mind.
pub(super) fn run(args: &VerifyArgs) -> Exit {
    let data_dir = args.data_dir.clone().unwrap_or_else(config::default_data_dir);
    let prepared = key(args, &data_dir).and_then(|key| meets(args, &data_dir).map(|meets| (key, meets)));
    let (key, meets) = match prepared {
        Ok(prepared) => prepared,
        Err(problem) => {
            tell(&format!("liftrelay: {problem}"));
            return Exit::Usage;
        }
    };
    if key.is_none() {
        tell("no server key was found, so it is not checked that this server wrote the logs");
    }
    let (mut checked, mut damaged, mut doubles) = (0, 0, 0);
    for (id, logs) in &meets {
        for (stage, path) in logs {
            let verdict = std::fs::read(path).map_err(|error| error.to_string()).and_then(|bytes| check(*id, &bytes, key.as_ref()));
            checked += 1;
            damaged += usize::from(verdict.is_err());
            let place = name_of(*stage);
            print(&match verdict {
                Ok(words) => format!("{id} in {place}: sound, {words}"),
                Err(words) => format!("{id} in {place}: DAMAGED, {words}"),
            });
        }
        if let [(taken, _), (other, _)] = logs[..] {
            doubles += 1;
            let [taken, other] = [taken, other].map(name_of);
            print(&format!("{id}: IN BOTH FOLDERS, and a server takes the one in {taken}; move the one in {other} away"));
        }
    }
    let both = if doubles == 0 { String::new() } else { format!(", {doubles} in both folders") };
    tell(&format!("{checked} checked, {damaged} damaged{both}"));
    if damaged + doubles == 0 { Exit::Done } else { Exit::Refused }
}

/// Where the logs of a meet are, the one that counts first.
type Logs = Vec<(Stage, PathBuf)>;

fn key(args: &VerifyArgs, data_dir: &Path) -> Result<Option<ServerKey>, String> {
    let default = || server_key::default_path(data_dir);
    let found = server_key::load(&args.server_key_file.clone().unwrap_or_else(default))?;
    match (&args.server_key_file, found) {
        (Some(path), None) => Err(format!("there is no server key {}", path.display())),
        (_, found) => Ok(found),
    }
}

fn meets(args: &VerifyArgs, data_dir: &Path) -> Result<Vec<(MeetId, Logs)>, String> {
    let ids = if args.meet.is_empty() {
        FileStore::all_meets(data_dir).map_err(|error| format!("{}: {error}", data_dir.display()))?
    } else {
        args.meet.clone()
    };
    let place = |id| match FileStore::logs(data_dir, id) {
        logs if logs.is_empty() => Err(format!("{} has no meet {id}", data_dir.display())),
        logs => Ok((id, logs)),
    };
    ids.into_iter().map(place).collect()
}

/// What is sound about a log, or what is damaged.
fn check(id: MeetId, bytes: &[u8], key: Option<&ServerKey>) -> Result<String, String> {
    let scan = scan(bytes).map_err(|error| error.to_string())?;
    if scan.header.meet_id != id.digits() {
        return Err(format!("the log belongs to meet {}", scan.header.meet_id));
    }
    if let Rest::Damage(damage) = &scan.rest {
        return Err(damage.to_string());
    }
    let rest = scan.rest.clone();
    let count = |wanted: fn(&StoredRecord) -> bool| scan.records.iter().filter(|record| wanted(record)).count();
    let entries = count(|record| matches!(record, StoredRecord::Entry { .. }));
    let answers = count(|record| matches!(record, StoredRecord::Answer(_)));
    if let Some(key) = key {
        check_chain(id, scan, key)?;
    }
    let tail = match rest {
        Rest::TornTail { bytes } => format!("; {bytes} bytes of a torn tail, which nobody was told of, would be cut and kept aside"),
        Rest::Nothing | Rest::Damage(_) => String::new(),
    };
    Ok(format!("{entries} entries and {answers} remembered answers{tail}"))
}

fn check_chain(id: MeetId, scan: Scan, key: &ServerKey) -> Result<(), String> {
    if !scan.header.is_of(key, id) {
        return Err("another server key made this meet".to_owned());
    }
    let mut meet = Meet::new(key.clone(), scan.header.chain, TieBreak::default());
    for record in scan.records {
        if let StoredRecord::Entry { fields, text, chain, .. } = record {
            meet.replay(fields, text, chain).map_err(|broken| broken.to_string())?;
        }
    }
    Ok(())
}

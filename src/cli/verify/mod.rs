//! `liftrelay verify`

use std::path::{Path, PathBuf};

use clap::Args;

mod examine;
mod repair;

use crate::meet::chain::ServerKey;
use crate::meet::id::MeetId;
use crate::store::Stage;
use crate::store::files::{FileStore, name_of};

use super::{Exit, config, print, server_key, tell};
use examine::{Finding, examine};
use repair::Repair;

/// Options of `liftrelay verify`.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Folder that holds the meets [default: ./liftrelay-data]
    #[arg(long, env = "LIFTRELAY_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// The server's secret; without it sums are checked, but not who wrote the log [default: beside the data folder]
    #[arg(long, env = "LIFTRELAY_SERVER_KEY_FILE", value_name = "FILE")]
    server_key_file: Option<PathBuf>,

    /// Write a repaired copy of the meets to this new folder: of each log what is sound, everything else as it is. The originals stay as they are
    #[arg(long, value_name = "DIR")]
    repair: Option<PathBuf>,

    /// Meets to check, by id; all of them where none is named
    meet: Vec<MeetId>,
}

/// Checks meets and says in words what is there. Changes nothing, so a running server does not mind.
pub(super) fn run(args: &VerifyArgs) -> Exit {
    match prepare(args) {
        Ok((key, meets, mut repair)) => {
            if key.is_none() {
                tell("no server key was found, so it is not checked that this server wrote the logs");
            }
            let count = check_all(&meets, key.as_ref(), repair.as_mut());
            let Count { checked, damaged, doubles } = count;
            let both = if doubles == 0 { String::new() } else { format!(", {doubles} in both folders") };
            tell(&format!("{checked} checked, {damaged} damaged{both}"));
            match repair {
                Some(repair) => repair.end(),
                None if damaged + doubles == 0 => Exit::Done,
                None => Exit::Refused,
            }
        }
        Err(problem) => {
            tell(&format!("liftrelay: {problem}"));
            Exit::Usage
        }
    }
}

type Prepared = (Option<ServerKey>, Vec<(MeetId, Logs)>, Option<Repair>);

fn prepare(args: &VerifyArgs) -> Result<Prepared, String> {
    let data_dir = args.data_dir.clone().unwrap_or_else(config::default_data_dir);
    let key = key(args, &data_dir)?;
    let meets = meets(args, &data_dir)?;
    let repair = args.repair.as_deref().map(|to| Repair::start(&data_dir, to)).transpose()?;
    Ok((key, meets, repair))
}

#[derive(Default)]
struct Count {
    checked: usize,
    damaged: usize,
    doubles: usize,
}

fn check_all(meets: &[(MeetId, Logs)], key: Option<&ServerKey>, mut repair: Option<&mut Repair>) -> Count {
    let mut count = Count::default();
    for (id, logs) in meets {
        for (place, (stage, path)) in logs.iter().enumerate() {
            let finding = examine(*id, path, key);
            count.checked += 1;
            count.damaged += usize::from(!finding.faults.is_empty());
            print(&format!("{id} in {}: {}", name_of(*stage), told(&finding)));
            // Of a meet in both folders the one that counts is copied.
            if let Some(repair) = repair.as_deref_mut().filter(|_| place == 0) {
                print(&format!("{id}: {}", repair.meet(*id, *stage, path, &finding)));
            }
        }
        if let [(taken, _), (other, _)] = logs[..] {
            count.doubles += 1;
            let [taken, other] = [taken, other].map(name_of);
            print(&format!("{id}: IN BOTH FOLDERS, and a server takes the one in {taken}; move the one in {other} away"));
        }
    }
    count
}

fn told(finding: &Finding) -> String {
    if finding.faults.is_empty() { format!("sound, {}", finding.log) } else { format!("DAMAGED, {}", finding.faults.join("; ")) }
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

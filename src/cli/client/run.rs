//! `liftrelay run`

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::cli::{Exit, print, tell};
use crate::client::api::{Join, Session};
use crate::client::channel::ladder::Ladder;
use crate::client::live::access::PasswordAccess;
use crate::client::live::{Link, Live, LiveError, Options};
use crate::client::replica::{Edit, News, Replica};
use crate::client::store::{FileStore, ReplicaStore, StoreError};
use crate::meet::id::MeetId;
use crate::meet::update::Op;

use super::password::PasswordArgs;
use super::rung::Rung;
use super::target::ServerArgs;
use super::{Ended, usage};

/// Lines of stdin that are read ahead.
const LINES_AHEAD: usize = 64;

/// Options of `liftrelay run`.
///
/// Reads edits from stdin, one JSON object a line, and prints what changes, one JSON object a line.
#[derive(Debug, Args)]
pub(in crate::cli) struct RunArgs {
    /// The file that holds this client's copy of the meet, its edits included; made when missing. It holds secrets. REPLICA.rung
    /// beside it remembers which way to the server worked, so that the next run tries that one first
    #[arg(value_name = "REPLICA")]
    replica: PathBuf,

    #[command(flatten)]
    server: ServerArgs,

    /// The meet's nine digits; a replica that has joined knows them
    #[arg(long, env = "LIFTRELAY_MEET", value_name = "ID", help_heading = "Joining")]
    meet: Option<MeetId>,

    /// Which of the meet's locations this is
    #[arg(long, value_name = "NAME", help_heading = "Joining")]
    location: Option<String>,

    /// What this client is called among its location's [default: made up]
    #[arg(long, env = "LIFTRELAY_CLIENT", value_name = "ID", help_heading = "Joining")]
    client: Option<String>,

    #[command(flatten)]
    password: PasswordArgs,

    /// While the server is out of reach, what existed before is read-only
    #[arg(long)]
    conflict_free: bool,

    /// End when stdin has ended and every edit was answered [default: go on until it is interrupted]
    #[arg(long)]
    drain: bool,
}

/// An edit as a program writes it; the names are those of the contract.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    update_key: String,
    update_value: Option<Box<RawValue>>,
    #[serde(default)]
    op: Op,
}

/// Keeps a replica in step with its server, and with whoever is at the other end of the pipes.
pub(super) async fn run(args: &RunArgs) -> Result<Exit, Ended> {
    let mut store = FileStore::open(&args.replica).map_err(|error| kept(&error))?;
    let replica = Replica::open(store.load().map_err(|error| kept(&error))?);
    let (session, access) = open(args, &mut store, &replica).await?;
    drop(replica);
    let mut rung = Rung::beside(&args.replica);
    let ladder = Arc::new(Ladder::with(session, rung.climb()));
    let options = Options { access: Some(Arc::new(access)), conflict_free: args.conflict_free, ..Options::default() };
    let live = Live::start(Box::new(store), ladder, options).map_err(|error| kept(&error))?;
    let ended = follow(&live, args.drain, &mut rung).await;
    let (pending, refused) = live.read(|replica| (replica.status().pending, replica.status().conflicts));
    live.close().await;
    if pending > 0 {
        tell(&format!("{pending} edits wait in {} and go when it runs again", args.replica.display()));
    }
    if refused > 0 {
        tell(&format!("{refused} edits were refused and are kept in {}", args.replica.display()));
    }
    ended?;
    Ok(match (pending, refused) {
        (0, 0) => Exit::Done,
        _ => Exit::Partly,
    })
}

/// The session: the replica's own, or a new one where it has not joined yet.
async fn open(args: &RunArgs, store: &mut FileStore, replica: &Replica) -> Result<(Session, PasswordAccess), Ended> {
    let server = args.server.open()?;
    if let Some((identity, credentials)) = replica.identity().zip(replica.credentials()) {
        let meet = identity.meet_id.parse().map_err(|error| usage(format!("{}: {error}", args.replica.display())))?;
        if args.meet.is_some_and(|asked| asked != meet) {
            return Err(usage(format!("{} belongs to meet {meet}; name another file for another meet", args.replica.display())));
        }
        let session = Session::new(server, meet, credentials.session_token.clone());
        let access = match args.password.given() {
            Some(password) => {
                let (location, client) = (identity.location_name.to_string(), identity.client_id.to_string());
                PasswordAccess::new(session.clone(), password.map_err(usage)?, location, client)
            }
            None => PasswordAccess::without_password(session.clone()),
        };
        return Ok((session, access));
    }
    let (Some(meet), Some(location)) = (args.meet, &args.location) else {
        return Err(usage(format!("{} has joined no meet yet; use --meet and --location", args.replica.display())));
    };
    let password = args.password.read(false).map_err(usage)?;
    let join = Join { password: &password, location_name: location, client_id: args.client.as_deref() };
    let joined = server.join(meet, &join).await?;
    let records = replica.join(&joined).map_err(|stranger| usage(stranger.to_string()))?;
    store.append(&records).map_err(|error| kept(&error))?;
    tell(&format!("joined meet {} as {}", joined.meet_id, joined.location_name));
    let session = server.session(&joined)?;
    let access = PasswordAccess::new(session.clone(), password, joined.location_name, joined.client_id);
    Ok((session, access))
}

async fn follow(live: &Live, drains: bool, rung: &mut Rung) -> Result<(), Ended> {
    let (mut news, mut status) = (live.news(), live.status());
    let mut lines = stdin();
    let (mut is_open, mut link) = (true, None);
    live.read(print_state);
    loop {
        tokio::select! {
            line = lines.recv(), if is_open => match line {
                Some(line) => take(live, &line).await?,
                None => is_open = false,
            },
            heard = news.recv() => match heard {
                Ok(news) => live.read(|replica| print_news(replica, &news)),
                // So much at once that it is easier to say everything.
                Err(_) => live.read(print_state),
            },
            () = live.settled(), if drains && !is_open => {
                while let Ok(news) = news.try_recv() {
                    live.read(|replica| print_news(replica, &news));
                }
                return Ok(());
            }
            changed = status.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let now = status.borrow_and_update().clone();
                rung.carries(now.transport);
                if link.as_ref() != Some(&now.link) {
                    tell(&in_words(&now.link, &now.transport.to_string()));
                    if let Link::Broken { why } = &now.link {
                        return Err(usage(why.clone()));
                    }
                    link = Some(now.link);
                }
            }
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// The lines of stdin. A thread of its own reads them, for nothing else can leave a read of a terminal when the program ends.
fn stdin() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(LINES_AHEAD);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn in_words(link: &Link, transport: &str) -> String {
    match link {
        Link::Connecting => "connecting".to_owned(),
        Link::Up => format!("in step with the server, by {transport}"),
        Link::Down { why } => format!("working without the server: {why}"),
        Link::NotAuthorised => "the session has ended; start again with --password-file to log in".to_owned(),
        Link::Broken { why } => why.clone(),
    }
}

/// One line of stdin. What is wrong with it concerns that line alone.
async fn take(live: &Live, line: &str) -> Result<(), Ended> {
    if line.trim().is_empty() {
        return Ok(());
    }
    let edits = match read(line) {
        Ok(edits) => edits,
        Err(problem) => {
            print_problem(line, &problem);
            return Ok(());
        }
    };
    match live.edit(edits).await {
        Ok(_) => Ok(()),
        Err(LiveError::Edit(error)) => {
            print_problem(line, &error.to_string());
            Ok(())
        }
        Err(LiveError::Store(error)) => Err(kept(&error)),
    }
}

/// An edit, or an array of those that belong together.
fn read(line: &str) -> Result<Vec<Edit>, String> {
    let wrong = |error: serde_json::Error| format!("{error}; an edit looks like {{\"updateKey\":\"a.b\",\"updateValue\":1}}");
    let lines: Vec<Line> = if line.trim_start().starts_with('[') {
        serde_json::from_str(line).map_err(wrong)?
    } else {
        vec![serde_json::from_str(line).map_err(wrong)?]
    };
    lines.into_iter().map(edit).collect()
}

fn edit(line: Line) -> Result<Edit, String> {
    let Line { update_key: key, update_value: value, op } = line;
    let value = || value.as_deref().map(RawValue::get).ok_or_else(|| "updateValue is missing".to_owned());
    let edit = match op {
        Op::Set => Edit::set(&key, value()?),
        Op::Create => Edit::create(&key, value()?),
        Op::Remove => Edit::remove(&key),
    };
    edit.map_err(|error| error.to_string())
}

fn print_problem(line: &str, problem: &str) {
    print(&serde_json::json!({"event": "refused-here", "line": line, "reason": problem}).to_string());
}

/// Everything that stands.
fn print_state(replica: &Replica) {
    print(&format!("{{\"event\":\"state\",\"state\":{}}}", replica.state().canonical()));
}

/// What stands now at the keys that have changed, and what became of own edits.
fn print_news(replica: &Replica, news: &News) {
    if news.everything {
        return print_state(replica);
    }
    for key in &news.keys {
        let key_text = serde_json::Value::from(key.as_str());
        print(&match replica.state().get(key) {
            Some(value) => format!("{{\"event\":\"changed\",\"updateKey\":{key_text},\"updateValue\":{}}}", value.canonical()),
            None => format!("{{\"event\":\"removed\",\"updateKey\":{key_text}}}"),
        });
    }
    for number in &news.refused {
        if let Some(aside) = replica.set_aside().get(number) {
            let by = aside.refused.standing.as_ref().map(|standing| standing.location_name.clone());
            let told = serde_json::json!({
                "event": "rejected",
                "updateKey": aside.edit.key.as_str(),
                "reason": aside.refused.reason,
                "code": aside.refused.code.map(|code| code.as_str()),
                "by": by,
            });
            print(&told.to_string());
        }
    }
    for overruled in &news.overruled {
        let told = serde_json::json!({"event": "overruled", "updateKey": overruled.key, "old": overruled.old, "new": overruled.new, "by": overruled.location_name});
        print(&told.to_string());
    }
}

fn kept(error: &StoreError) -> Ended {
    usage(error.to_string())
}

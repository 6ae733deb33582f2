//! `liftrelay sync`

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::cli::{Exit, print, tell};
use crate::client::channel::Answer;
use crate::meet::chain::Cursor;
use crate::meet::limits::WAIT_MAX;
use crate::wire::reply::ReceivedPage;

use super::edits::{Body, EditArgs, line};
use super::target::MeetArgs;
use super::{Ended, persistently, seconds, usage};

/// Options of `liftrelay sync`.
#[derive(Debug, Args)]
pub(in crate::cli) struct SyncArgs {
    #[command(flatten)]
    edits: EditArgs,

    #[command(flatten)]
    meet: MeetArgs,

    /// Read what comes after this cursor [default: from the start, or what --cursor-file holds]
    #[arg(long, value_name = "CURSOR", help_heading = "News")]
    after: Option<Cursor>,

    /// Keep the cursor in this file, so that the next call goes on where this one ended
    #[arg(long, value_name = "FILE", help_heading = "News")]
    cursor_file: Option<PathBuf>,

    /// Wait so many seconds for news, where there are none and nothing is changed; 25 at most
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds, help_heading = "News")]
    wait: Duration,

    /// How often to try where the server cannot be reached; sending an update twice changes nothing
    #[arg(long, value_name = "TIMES", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    attempts: u32,
}

#[derive(Serialize)]
struct SyncBody<'a> {
    #[serde(flatten)]
    push: &'a Body,
    after: String,
    wait: f64,
}

/// Pushes and pulls until everything is here.
pub(super) async fn run(args: &SyncArgs) -> Result<Exit, Ended> {
    let (session, mut body) = (args.meet.open()?, args.edits.body()?);
    let mut after = match (&args.after, &args.cursor_file) {
        (Some(after), _) => *after,
        (None, Some(path)) => read_cursor(path)?,
        (None, None) => Cursor::START,
    };
    let mut exit = Exit::Done;
    let mut wait = args.wait.min(WAIT_MAX);
    loop {
        let request = SyncBody { push: &body, after: after.to_string(), wait: wait.as_secs_f64() };
        let answer = persistently(args.attempts, || session.sync_raw(&request, wait)).await?;
        exit = worse(exit, if body.is_empty() { said(&answer) } else { body.tell(&answer, false) });
        let Some(page) = page(&answer) else { break };
        page.updates_relayed.iter().for_each(|entry| print(&line(entry)));
        after = page.cursor;
        let is_done = matches!(answer, Answer::Done(_) | Answer::Finished(_));
        if !page.more || !is_done {
            break;
        }
        (wait, body) = (Duration::ZERO, Body::default());
    }
    if let Some(path) = &args.cursor_file {
        std::fs::write(path, format!("{after}\n")).map_err(|error| usage(format!("{}: {error}", path.display())))?;
    }
    tell(&format!("cursor {after}"));
    Ok(exit)
}

fn said(answer: &Answer) -> Exit {
    match answer {
        Answer::Done(_) => Exit::Done,
        Answer::HistoryChanged { head } | Answer::ServerBehind { head } => {
            tell(&format!("liftrelay: the server's history is another one, now at {head}; start over with --after 0"));
            Exit::Refused
        }
        _ => Exit::Refused,
    }
}

fn worse(one: Exit, other: Exit) -> Exit {
    if one == Exit::Done { other } else { one }
}

fn page(answer: &Answer) -> Option<&ReceivedPage> {
    match answer {
        Answer::Done(reply) | Answer::Finished(reply) => reply.page.as_ref(),
        Answer::Conflict(_, page) | Answer::Stale(page) => Some(page),
        Answer::ServerBehind { .. } | Answer::HistoryChanged { .. } => None,
    }
}

fn read_cursor(path: &Path) -> Result<Cursor, Ended> {
    match std::fs::read_to_string(path) {
        Ok(text) => text.trim().parse().map_err(|error| usage(format!("{}: {error}", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Cursor::START),
        Err(error) => Err(usage(format!("{}: {error}", path.display()))),
    }
}

//! `liftrelay tail`

use std::time::Duration;

use clap::Args;

use crate::cli::{Exit, print, tell};
use crate::client::channel::ladder::Ladder;
use crate::client::channel::{Answer, Channel, Pull};
use crate::client::retry::{Retry, may_succeed_later};
use crate::meet::chain::Cursor;
use crate::meet::limits::WAIT_MAX;
use crate::wire::message::Status;

use super::edits::line;
use super::target::MeetArgs;
use super::{Ended, pause};

/// Options of `liftrelay tail`.
#[derive(Debug, Args)]
pub(in crate::cli) struct TailArgs {
    #[command(flatten)]
    meet: MeetArgs,

    /// Begin after this cursor; `now` is the end of the log [default: the start of the log]
    #[arg(long, value_name = "CURSOR", default_value = "0")]
    after: After,

    /// End when everything that is there has been printed
    #[arg(long)]
    no_follow: bool,
}

/// Where to begin.
#[derive(Clone, Copy, Debug)]
enum After {
    Now,
    Cursor(Cursor),
}

impl std::str::FromStr for After {
    type Err = String;

    fn from_str(text: &str) -> Result<After, String> {
        if text == "now" { Ok(After::Now) } else { text.parse().map(After::Cursor).map_err(|error| format!("{error}, or now")) }
    }
}

/// Prints entries as they come, each once and in order, until it is interrupted.
pub(super) async fn run(args: &TailArgs) -> Result<Exit, Ended> {
    let session = args.meet.open()?;
    let mut after = match args.after {
        After::Cursor(cursor) => cursor,
        After::Now => session.state(None, None).await?.cursor,
    };
    let ladder = Ladder::new(session);
    let (mut retry, mut transport) = (Retry::default(), None);
    loop {
        let next = async {
            if args.no_follow {
                return ladder.session().pull(Pull { after, wait: Duration::ZERO, limit: None }).await;
            }
            ladder.pull(Pull { after, wait: WAIT_MAX, limit: None }).await
        };
        let answer = tokio::select! {
            answer = next => answer,
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
        };
        if !args.no_follow && transport != Some(ladder.link().transport) {
            transport = Some(ladder.link().transport);
            tell(&format!("by {}", transport.unwrap_or_default()));
        }
        match answer {
            Ok(Answer::Done(reply)) => {
                retry.succeeded();
                if let Some(page) = reply.page {
                    for entry in page.updates_relayed.iter().filter(|entry| entry.seq() > after.seq) {
                        print(&line(entry));
                    }
                    after = if page.server_seq_num >= after.seq { page.cursor } else { after };
                    if args.no_follow && !page.more {
                        return Ok(Exit::Done);
                    }
                }
                if reply.hints.status == Some(Status::Finished) {
                    tell("the meet is finished");
                    return Ok(Exit::Done);
                }
            }
            Ok(Answer::HistoryChanged { head } | Answer::ServerBehind { head }) => {
                let words = format!("the server's history is another one, now at {head}; begin again with --after 0");
                return Err(Ended(Exit::Refused, words));
            }
            Ok(_) => {}
            Err(fault) if may_succeed_later(&fault) => pause(&mut retry, &fault).await,
            Err(fault) => return Err(fault.into()),
        }
    }
}

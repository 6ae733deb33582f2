//! `liftrelay state`

use clap::Args;

use crate::cli::{Exit, print};

use super::target::MeetArgs;
use super::{Ended, persistently};

/// Options of `liftrelay state`.
#[derive(Debug, Args)]
pub(in crate::cli) struct StateArgs {
    /// Only what stands at this key [default: everything]
    #[arg(value_name = "KEY")]
    path: Option<String>,

    #[command(flatten)]
    meet: MeetArgs,

    /// As it was after the entry of this number
    #[arg(long, value_name = "NUMBER")]
    at: Option<u64>,

    /// Print the server's whole answer: number, cursor and hash with the state
    #[arg(long)]
    json: bool,
}

/// Prints the state.
pub(super) async fn run(args: &StateArgs) -> Result<Exit, Ended> {
    let session = args.meet.open()?;
    let state = persistently(3, || session.state(args.path.as_deref(), args.at)).await?;
    print(&if args.json { serde_json::to_string(&state).unwrap_or_default() } else { state.state.get().to_owned() });
    Ok(Exit::Done)
}

//! `liftrelay push`

use clap::Args;

use crate::cli::Exit;

use super::edits::EditArgs;
use super::target::MeetArgs;
use super::{Ended, persistently, usage};

/// Options of `liftrelay push`.
#[derive(Debug, Args)]
pub(in crate::cli) struct PushArgs {
    #[command(flatten)]
    edits: EditArgs,

    #[command(flatten)]
    meet: MeetArgs,

    /// How often to try where the server cannot be reached; sending an update twice changes nothing
    #[arg(long, value_name = "TIMES", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    attempts: u32,

    /// Print one JSON object for each update
    #[arg(long)]
    json: bool,
}

/// Pushes.
pub(super) async fn run(args: &PushArgs) -> Result<Exit, Ended> {
    let (body, session) = (args.edits.body()?, args.meet.open()?);
    if body.is_empty() {
        return Err(usage("there is nothing to push; use --set, --create, --remove or --file"));
    }
    let answer = persistently(args.attempts, || session.push_raw(&body)).await?;
    Ok(body.tell(&answer, args.json))
}

//! `liftrelay publish`

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use crate::cli::{Exit, print, tell};

use super::target::MeetArgs;
use super::{Ended, seconds, usage};

/// How often it is asked whether results were handed over.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Options of `liftrelay publish`.
#[derive(Debug, Args)]
pub(in crate::cli) struct PublishArgs {
    /// The results as OpenLifter exports them for OpenPowerlifting
    #[arg(value_name = "CSV")]
    csv: PathBuf,

    #[command(flatten)]
    meet: MeetArgs,

    /// Where answers go
    #[arg(long, value_name = "ADDRESS")]
    return_email: String,

    /// Wait so many seconds for the results to be handed over; 0 does not wait
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    wait: Duration,
}

/// Hands the results in, once: a lost answer is not tried again by itself, for then they might go out twice.
pub(super) async fn run(args: &PublishArgs) -> Result<Exit, Ended> {
    let csv = std::fs::read_to_string(&args.csv).map_err(|error| usage(format!("{}: {error}", args.csv.display())))?;
    let session = args.meet.open()?;
    let ack = session.publish(&args.return_email, &csv).await?;
    let id = ack["publishId"].clone();
    print(&ack.to_string());
    let until = Instant::now() + args.wait;
    while Instant::now() < until {
        let all = session.publishes().await?;
        let own = all["publishes"].as_array().and_then(|all| all.iter().find(|publish| publish["publishId"] == id));
        match own.and_then(|publish| publish["status"].as_str()) {
            Some("handed-over") => {
                tell("handed over");
                return Ok(Exit::Done);
            }
            Some("failed") => {
                let reason = own.map_or(Value::Null, |publish| publish["reason"].clone());
                return Err(Ended(
                    Exit::Refused,
                    format!("the results were not handed over: {}", reason.as_str().unwrap_or("no reason was given")),
                ));
            }
            _ => tokio::time::sleep(ASK_EVERY).await,
        }
    }
    if !args.wait.is_zero() {
        tell("queued; the server goes on trying to hand it over");
    }
    Ok(Exit::Done)
}

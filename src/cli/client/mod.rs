//! The client commands: what a script does with a meet.
//!
//! stdout carries data, stderr is for people. Passwords never ride in arguments, for every user of the machine sees those.

mod edits;
mod export;
mod join;
mod password;
mod publish;
mod push;
mod run;
mod rung;
mod state;
mod sync;
mod tail;
mod target;

use std::future::Future;
use std::time::Duration;

use clap::Subcommand;

use crate::client::channel::Fault;
use crate::client::retry::{Retry, may_succeed_later, random};
use crate::wire::problem::Code;

use super::{Exit, tell};

/// Commands that talk to a server.
#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Create a meet; prints what the other commands need in the environment
    Create(join::CreateArgs),
    /// Join a meet; prints what the other commands need in the environment
    Join(join::JoinArgs),
    /// Change a meet
    Push(push::PushArgs),
    /// Change a meet and read what is new, in one request
    Sync(sync::SyncArgs),
    /// Follow a meet: one JSON object a line, whatever is between here and the server
    Tail(tail::TailArgs),
    /// Keep a copy of a meet in a file and in step with the server, and go on without it: edits come in on stdin, one JSON object a line,
    /// and changes go out on stdout
    Run(run::RunArgs),
    /// Print the state of a meet, or a part of it
    State(state::StateArgs),
    /// Hand in the results of a meet
    Publish(publish::PublishArgs),
    /// Save the log or the state of a meet in a file
    Export(export::ExportArgs),
}

/// Why a command ended early: the exit code, and words for a person.
pub(super) struct Ended(pub(super) Exit, pub(super) String);

impl From<Fault> for Ended {
    fn from(fault: Fault) -> Ended {
        let exit = match &fault {
            Fault::Unreachable(_) | Fault::Cut(_) | Fault::Busy { .. } | Fault::Unreadable(_) => Exit::Unreachable,
            Fault::NotAuthorised(_) | Fault::Refused { code: Some(Code::JoinRejected | Code::ReadOnly), .. } => Exit::NotAuthorised,
            Fault::Refused { .. } => Exit::Refused,
        };
        Ended(exit, fault.to_string())
    }
}

/// Wrong input.
pub(super) fn usage(problem: impl Into<String>) -> Ended {
    Ended(Exit::Usage, problem.into())
}

/// Runs a command to its end.
pub(super) fn run(command: ClientCommand) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&format!("liftrelay: {error}"));
            return Exit::Usage;
        }
    };
    let ended = runtime.block_on(async {
        match command {
            ClientCommand::Create(args) => join::create(&args).await,
            ClientCommand::Join(args) => join::join(&args).await,
            ClientCommand::Push(args) => push::run(&args).await,
            ClientCommand::Sync(args) => sync::run(&args).await,
            ClientCommand::Tail(args) => tail::run(&args).await,
            ClientCommand::Run(args) => run::run(&args).await,
            ClientCommand::State(args) => state::run(&args).await,
            ClientCommand::Publish(args) => publish::run(&args).await,
            ClientCommand::Export(args) => export::run(&args).await,
        }
    });
    ended.unwrap_or_else(|Ended(exit, words)| {
        tell(&format!("liftrelay: {words}"));
        exit
    })
}

/// Calls until it comes through, or has failed `attempts` times, or fails for good. Whoever calls makes sure that
/// doing it twice does no harm.
async fn persistently<T, F: Future<Output = Result<T, Fault>>>(attempts: u32, call: impl Fn() -> F) -> Result<T, Fault> {
    let mut retry = Retry::default();
    for _ in 1..attempts {
        match call().await {
            Err(fault) if may_succeed_later(&fault) => pause(&mut retry, &fault).await,
            result => return result,
        }
    }
    call().await
}

async fn pause(retry: &mut Retry, fault: &Fault) {
    let pause = retry.pause(fault, random());
    tell(&format!("{fault}; trying again in {:.1} s", pause.as_secs_f64()));
    tokio::time::sleep(pause).await;
}

/// Seconds with a fraction, in arguments.
fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "a number of seconds, for example 25 or 0.5".to_owned())?;
    Duration::try_from_secs_f64(number).map_err(|_| "a number of seconds from 0 up".to_owned())
}

//! The program: `liftrelay serve` and its companions. stdout carries data, stderr is for people.

mod certificates;
mod client;
mod completions;
mod config;
mod demo;
mod doctor;
mod greet;
mod logging;
mod proxy;
mod reload;
mod serve;
mod server_key;
mod systemd;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand};

/// What a command comes to (wire contract, section 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Done = 0,
    Refused = 1,
    Usage = 2,
    Unreachable = 3,
    NotAuthorised = 4,
    Partly = 5,
}

/// Keeps any number of browsers on the same powerlifting meet.
#[derive(Debug, Parser)]
#[command(name = "liftrelay", version, about, long_about = None, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server; needs no configuration
    Serve(Box<config::ServeArgs>),
    /// Check meets on disk: exit code 0 for sound, 1 for damaged; --repair writes a copy of what is sound
    Verify(verify::VerifyArgs),
    #[command(flatten)]
    Client(Box<client::ClientCommand>),
    /// Print the script that completes commands in a shell
    Completions(completions::CompletionsArgs),
    /// Print the server's contract (OpenAPI 3.1)
    Openapi,
    /// Find out what is between here and a server, and which way of carrying gets through
    Doctor(Box<doctor::DoctorArgs>),
}

/// Runs the program with the process's arguments.
pub fn run() -> ExitCode {
    let exit = match Cli::try_parse().unwrap_or_else(|error| without_secrets(error).exit()).command {
        Command::Serve(args) => serve::run(*args),
        Command::Verify(args) => verify::run(&args),
        Command::Client(command) => client::run(*command),
        Command::Completions(args) => completions::run(&args),
        Command::Openapi => openapi(),
        Command::Doctor(args) => doctor::run(&args),
    };
    ExitCode::from(exit as u8)
}

/// Prints the contract as the server serves it.
fn openapi() -> Exit {
    print(crate::http::OPENAPI.trim_end());
    Exit::Done
}

/// An error shows the value that is wrong, and that of a secret option must not be seen.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    if config::SECRET.iter().any(|name| argument.contains(&format!("--{name} "))) {
        error.insert(ContextKind::InvalidValue, ContextValue::String("(not shown)".to_owned()));
    }
    error
}

/// Tells a person; a closed stderr is no reason to stop.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Gives data to whoever reads stdout.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that went away wants no more.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

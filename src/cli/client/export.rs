//! `liftrelay export`

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::{Exit, tell};
use crate::client::api::Session;
use crate::client::channel::{Answer, Pull};
use crate::meet::chain::Cursor;

use super::edits::line;
use super::target::MeetArgs;
use super::{Ended, persistently, usage};

/// Options of `liftrelay export`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    /// What to save: the log, one update a line, or the state
    what: What,

    #[command(flatten)]
    meet: MeetArgs,

    /// Save it in this new file; `-` is stdout
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Log,
    State,
}

/// Saves what was asked for. The file is there whole or not at all.
pub(super) async fn run(args: &ExportArgs) -> Result<Exit, Ended> {
    let session = args.meet.open()?;
    if args.output.as_os_str() == "-" {
        let mut out = io::stdout().lock();
        return write(args.what, &session, &mut out).await;
    }
    let failed = |error: io::Error| usage(format!("{}: {error}", args.output.display()));
    if args.output.exists() {
        return Err(usage(format!("{} is there already; name a new file", args.output.display())));
    }
    let partial = partial(&args.output);
    let mut file = BufWriter::new(File::create_new(&partial).map_err(failed)?);
    let written = write(args.what, &session, &mut file).await;
    match written {
        Ok(exit) => {
            file.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)?;
            std::fs::rename(&partial, &args.output).map_err(failed)?;
            Ok(exit)
        }
        Err(ended) => {
            let _ = std::fs::remove_file(&partial);
            Err(ended)
        }
    }
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

async fn write(what: What, session: &Session, out: &mut dyn Write) -> Result<Exit, Ended> {
    match what {
        What::Log => write_log(session, out).await,
        What::State => {
            let state = persistently(5, || session.state(None, None)).await?;
            written(writeln!(out, "{}", state.state.get()))?;
            Ok(Exit::Done)
        }
    }
}

async fn write_log(session: &Session, out: &mut dyn Write) -> Result<Exit, Ended> {
    let (mut after, bar) = (Cursor::START, bar());
    loop {
        let pull = Pull { after, wait: Duration::ZERO, limit: None };
        let Answer::Done(reply) = persistently(5, || session.pull(pull)).await? else {
            return Err(Ended(Exit::Refused, "the server's history has changed meanwhile; start the export again".to_owned()));
        };
        let Some(page) = reply.page else { break };
        for entry in &page.updates_relayed {
            written(writeln!(out, "{}", line(entry)))?;
        }
        after = page.cursor;
        bar.set_length(page.head_seq_num);
        bar.set_position(after.seq);
        if !page.more {
            break;
        }
    }
    bar.finish_and_clear();
    written(out.flush())?;
    tell(&format!("{} updates, up to {after}", after.seq));
    Ok(Exit::Done)
}

fn written(result: io::Result<()>) -> Result<(), Ended> {
    result.map_err(|error| usage(format!("writing: {error}")))
}

/// Shows progress to a person, and nothing to a program.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} updates").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style)
}

//! `liftrelay doctor`

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::Url;
use serde::Serialize;

use crate::client::doctor::{Diagnosis, Evidence, Outcome, Reader, Sight, Visit, diagnose, examine, told};
use crate::meet::id::MeetId;

use super::proxy::ProxyText;
use super::{Exit, print, tell};

/// Options of `liftrelay doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Address of the server, or of what stands in front of it, like https://meet.example.org
    #[arg(value_name = "URL", value_parser = address)]
    server: Url,

    /// The meet to read; where none is named, the demo is read if one runs
    #[arg(long, env = "LIFTRELAY_MEET", value_name = "ID")]
    meet: Option<MeetId>,

    /// A session token or view key of the meet (better set by environment than here)
    #[arg(long, env = "LIFTRELAY_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// Trust this certificate besides those of the machine; PEM
    #[arg(long, env = "LIFTRELAY_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Go through this proxy [default: HTTP_PROXY and HTTPS_PROXY, but not for this machine]
    #[arg(long, env = "LIFTRELAY_PROXY", value_name = "URL", hide_env_values = true)]
    proxy: Option<ProxyText>,

    /// How long answers are held, to see what becomes of them; idle limits above it are not found
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..=25))]
    hold: u64,

    /// Print diagnosis and evidence as one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    diagnosis: &'a Diagnosis,
    evidence: &'a Evidence,
}

/// Looks at the way to a server and says what is there. Changes nothing.
pub(super) fn run(args: &DoctorArgs) -> Exit {
    let visit = match visit(args) {
        Ok(visit) => visit,
        Err(problem) => return wrong(&problem),
    };
    tell(&format!("trying every way to {}; this takes about {} s", args.server.origin().ascii_serialization(), args.hold));
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return wrong(&error.to_string()),
    };
    match runtime.block_on(examine(&visit, &mut |sight: &Sight| tell(&told(sight)))) {
        Ok(evidence) => report(&evidence, args.json),
        Err(problem) => wrong(&problem),
    }
}

fn visit(args: &DoctorArgs) -> Result<Visit, String> {
    let reader = match (args.meet, &args.token) {
        (Some(meet), Some(token)) if !token.is_empty() => Some(Reader { meet, token: token.clone() }),
        (Some(_), _) => return Err("a meet is read with a session token or view key: set LIFTRELAY_TOKEN".to_owned()),
        (None, _) => None,
    };
    let read = |file: &PathBuf| std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()));
    let root_certificate = args.ca_file.as_ref().map(read).transpose()?;
    let hold = Duration::from_secs(args.hold);
    let proxy = args.proxy.as_ref().map(ProxyText::url).transpose()?;
    Ok(Visit { server: args.server.clone(), proxy, root_certificate, reader, hold })
}

fn wrong(problem: &str) -> Exit {
    tell(&format!("liftrelay: {problem}"));
    Exit::Usage
}

fn report(evidence: &Evidence, as_json: bool) -> Exit {
    let diagnosis = diagnose(evidence);
    if as_json {
        print(&serde_json::to_string(&Report { diagnosis: &diagnosis, evidence }).unwrap_or_default());
    } else {
        let mut text = diagnosis.summary.clone();
        // The first is in the summary.
        for finding in diagnosis.findings.iter().skip(1) {
            let _ = write!(text, "\n- {}", finding.words);
        }
        print(&text);
    }
    match diagnosis.outcome {
        Outcome::Carries => Exit::Done,
        Outcome::Unreachable => Exit::Unreachable,
        Outcome::SomethingElse => Exit::Refused,
        Outcome::NotAuthorised => Exit::NotAuthorised,
    }
}

/// An address that begins with `http://` or `https://`.
fn address(text: &str) -> Result<Url, String> {
    let example = "an address begins with http:// or https://, like https://meet.example.org";
    let url: Url = text.parse().map_err(|error| format!("{error}; {example}"))?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() { Ok(url) } else { Err(example.to_owned()) }
}

//! `liftrelay create` and `liftrelay join`

use clap::Args;

use crate::cli::{Exit, print, tell};
use crate::client::api::{Create, Join, Location};
use crate::meet::id::MeetId;
use crate::wire::reply::ReceivedSession;

use super::password::PasswordArgs;
use super::target::ServerArgs;
use super::{Ended, usage};

/// Options of `liftrelay create`.
#[derive(Debug, Args)]
pub(in crate::cli) struct CreateArgs {
    #[command(flatten)]
    server: ServerArgs,

    /// A location that writes, with its priority; larger numbers overrule smaller ones. May be repeated; the first is this one
    #[arg(long = "location", value_name = "NAME=PRIORITY", value_parser = location, required = true)]
    locations: Vec<Location>,

    /// A name for people
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,

    /// What this client is called among its location's; kept for later sessions [default: made up]
    #[arg(long, env = "LIFTRELAY_CLIENT", value_name = "ID")]
    client: Option<String>,

    /// What the operator asks for (better set by environment than here)
    #[arg(long, env = "LIFTRELAY_CREATE_KEY", value_name = "KEY", hide_env_values = true)]
    create_key: Option<String>,

    #[command(flatten)]
    password: PasswordArgs,

    /// Print the server's whole answer
    #[arg(long)]
    json: bool,
}

/// Options of `liftrelay join`.
#[derive(Debug, Args)]
pub(in crate::cli) struct JoinArgs {
    #[command(flatten)]
    server: ServerArgs,

    /// The meet's nine digits
    #[arg(long, env = "LIFTRELAY_MEET", value_name = "ID")]
    meet: MeetId,

    /// Which of the meet's locations this is
    #[arg(long, value_name = "NAME")]
    location: String,

    /// What this client is called among its location's; one that comes back under the same name goes on where it was
    /// [default: made up]
    #[arg(long, env = "LIFTRELAY_CLIENT", value_name = "ID")]
    client: Option<String>,

    #[command(flatten)]
    password: PasswordArgs,

    /// Print the server's whole answer
    #[arg(long)]
    json: bool,
}

/// Creates a meet.
pub(super) async fn create(args: &CreateArgs) -> Result<Exit, Ended> {
    let (server, password) = (args.server.open()?, args.password.read(true).map_err(usage)?);
    let create = Create {
        this_location_name: args.locations.first().map(|location| location.location_name.as_str()).unwrap_or_default(),
        password: &password,
        locations: &args.locations,
        meet_name: args.name.as_deref(),
        client_id: args.client.as_deref(),
    };
    let session = server.create(&create, args.create_key.as_deref()).await?;
    tell(&format!("created meet {} as {}", session.meet_id, session.location_name));
    show(&args.server, &session, args.json);
    Ok(Exit::Done)
}

/// Joins a meet.
pub(super) async fn join(args: &JoinArgs) -> Result<Exit, Ended> {
    let (server, password) = (args.server.open()?, args.password.read(false).map_err(usage)?);
    let join = Join { password: &password, location_name: &args.location, client_id: args.client.as_deref() };
    let session = server.join(args.meet, &join).await?;
    tell(&format!("joined meet {} as {}; {} updates so far", session.meet_id, session.location_name, session.server_seq_num));
    show(&args.server, &session, args.json);
    Ok(Exit::Done)
}

/// What a shell can take up: `eval "$(liftrelay join …)"`.
fn show(server: &ServerArgs, session: &ReceivedSession, as_json: bool) {
    if as_json {
        return print(&serde_json::to_string(session).unwrap_or_default());
    }
    tell("the session lasts for 7 days; its token is a secret");
    let url = server.url().as_str().trim_end_matches('/');
    for (name, value) in [("SERVER", url), ("MEET", &session.meet_id), ("CLIENT", &session.client_id), ("TOKEN", &session.session_token)] {
        print(&format!("export LIFTRELAY_{name}={}", quoted(value)));
    }
}

/// A word for a POSIX shell.
fn quoted(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte));
    if is_plain && !text.is_empty() { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn location(text: &str) -> Result<Location, String> {
    const RIGHT: &str = "a location looks like 'platform 1=20'";
    let (name, priority) = text.rsplit_once('=').ok_or(RIGHT)?;
    let priority = priority.trim().parse().map_err(|_| format!("its priority is no whole number; {RIGHT}"))?;
    Ok(Location { location_name: name.trim().to_owned(), priority })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read() {
        assert_eq!(location("platform 1=20"), Ok(Location { location_name: "platform 1".to_owned(), priority: 20 }));
        assert_eq!(location("a=b=-3").map(|location| location.location_name), Ok("a=b".to_owned()));
        for wrong in ["platform 1", "platform 1=", "platform 1=high"] {
            assert!(location(wrong).unwrap_err().contains("platform 1=20"), "{wrong}");
        }
    }

    #[test]
    fn a_shell_takes_words_as_they_are() {
        assert_eq!((quoted("123-456-789"), quoted("it's me; rm -rf /")), ("123-456-789".to_owned(), r"'it'\''s me; rm -rf /'".to_owned()));
        assert_eq!(quoted(""), "''");
    }
}

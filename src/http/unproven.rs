//! Logs of a meet whose key is lost as well: taken at their clients' word, where the operator wants that.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use tracing::warn;

use crate::auth::password::Login;
use crate::meet::id::MeetId;
use crate::meet::name::check_name;
use crate::meet::restore::Handed;
use crate::meet::settings::Settings;
use crate::meet::update::Writer;
use crate::relay::live::LiveMeet;
use crate::relay::orders::Restoration;
use crate::wire::audience::Audience;
use crate::wire::message::{BoughtSession, Message, Restored};
use crate::wire::problem::{Code, Extra, Problem};
use crate::wire::request::{CreateMeet, LocationSpec, RestoreMeet};

use super::App;
use super::meets::{check, may_create, session, spec};
use super::reply::invalid_at;
use super::restore::refused;
use super::sessions::{client_id, log_in, open_session};

/// What stands in place of a proof, as it was sent. What it lacks is told only where it counts.
pub(super) struct Claim {
    password: String,
    location_name: Option<String>,
    locations: Option<Vec<LocationSpec>>,
    meet_name: Option<String>,
    client_id: Option<String>,
    create_key: Option<String>,
}

impl Claim {
    /// What a request claims; `None` for one without a password.
    pub(super) fn of(request: &mut RestoreMeet) -> Option<Claim> {
        Some(Claim {
            password: request.password.take()?,
            location_name: request.location_name.take(),
            locations: request.locations.take(),
            meet_name: request.meet_name.take(),
            client_id: request.client_id.take(),
            create_key: request.create_key.take(),
        })
    }

    /// A password beside a ticket vouches for a superseded meet, where it is this one's.
    pub(super) async fn vouch(self, app: &App, live: &LiveMeet) {
        let stored = live.roster().auth().password.clone();
        if live.has_superseded() && matches!(app.passwords.verify(self.password.clone(), Some(stored)).await, Ok(Login::Right { .. })) {
            vouch(app, live, self.password).await;
        }
    }

    /// The meet as this client would have created it.
    fn creation(self) -> Result<CreateMeet, Problem> {
        let missing =
            |what: &str| invalid_at(format!("/{what}"), format!("missing; whoever sends a password to restore a meet sends {what} too"));
        Ok(CreateMeet {
            this_location_name: self.location_name.ok_or_else(|| missing("locationName"))?,
            password: self.password,
            locations: self.locations.ok_or_else(|| missing("locations"))?,
            meet_name: self.meet_name,
            client_id: self.client_id,
            settings: Settings::default(),
        })
    }
}

/// The first client decides what locations there are. Were it otherwise, the outcome would hang on who comes when.
fn check_locations(named: &[LocationSpec], live: &LiveMeet) -> Result<(), Problem> {
    let auth = Arc::clone(live.roster().auth());
    let known: HashMap<&str, i64> = auth.locations.iter().map(|known| (&*known.location_name, known.priority)).collect();
    let named: HashMap<&str, i64> = named.iter().map(|named| (named.location_name.as_str(), named.priority)).collect();
    if known == named {
        return Ok(());
    }
    let detail =
        "another client has brought this meet back with other locations or priorities; send the same as it did (GET the meet shows them)";
    Err(invalid_at("/locations", detail))
}

/// Takes a page from whoever knows the password of a meet that came back unproven. The first one makes the meet anew.
pub(super) async fn claim(app: &App, meet: Option<MeetId>, address: IpAddr, mut claim: Claim, page: Handed) -> Result<Message, Problem> {
    if !app.options().accept_unproven_restore {
        let detail = "this server takes a log back for its own key's seal alone: show a session or a recovery ticket of it. \
            Where the key is lost, its operator can start it with --accept-unproven-restore, and clients bring the meet back with its password";
        return Err(Problem::new(Code::InvalidSession, detail));
    }
    let create_key = claim.create_key.take();
    let creation = claim.creation()?;
    let id = meet.ok_or_else(|| invalid_at("/meetId", "not a meet id; one has nine digits"))?;
    check(&creation, "/locationName")?;
    check_names(&page)?;
    if page.more && creation.client_id.is_none() {
        return Err(invalid_at("/clientId", "missing; a log of several pages needs it, so that its pages find together"));
    }
    let live = match app.registry.open(id).await? {
        Some(_) => None,
        None => make(app, id, address, creation.clone(), create_key.as_deref(), &page).await?,
    };
    let live = match live {
        Some(made) => made,
        None => log_in(app, Some(id), address, creation.password, &creation.this_location_name).await?,
    };
    if !live.collects() {
        let head = live.committed.head_position(&Audience::Editor).cursor;
        let detail = "this meet is here and proven, so nothing is taken for it without proof; join it, take its state, and push what you have on top";
        return Err(Problem::new(Code::HistoryChanged, detail).with(Extra::HistoryChanged { cursor: head }));
    }
    check_locations(&creation.locations, &live)?;
    let writer = Writer { location_name: creation.this_location_name.into(), client_id: client_id(creation.client_id).into() };
    bring(app, live, writer, address, page, true).await
}

/// Somebody has shown the password of a meet that took another one's place: where it is that one's as well, what was done there is
/// carried over. What goes wrong is no matter of theirs; the next login tries it again.
pub(super) async fn vouch(app: &App, live: &LiveMeet, password: String) {
    let Ok(Some(stored)) = live.superseded_password().await else { return };
    let Ok(login) = app.passwords.verify(password, Some(stored)).await else { return };
    if let Err(fault) = live.carry(login != Login::Wrong).await {
        warn!(meet = %live.id, ?fault, "the superseded meet waits for the next login");
    }
}

/// Gives a page to a meet that came back unproven; the last one may buy a session.
pub(super) async fn bring(
    app: &App,
    live: Arc<LiveMeet>,
    writer: Writer,
    address: IpAddr,
    page: Handed,
    buys: bool,
) -> Result<Message, Problem> {
    check_names(&page)?;
    let more = page.more;
    let restoration = live.bring(writer.clone(), page).await?;
    let head = live.committed.head_position(&Audience::Editor);
    let Restoration::Taken { forked } = restoration else {
        return Err(refused(app, live.id, address, restoration, head.cursor));
    };
    let session = if buys && !more {
        let opened = session(&open_session(app, Arc::clone(&live), writer).await?);
        Some(BoughtSession { session_token: opened.session_token, expires_at: opened.expires_at, slot: opened.slot })
    } else {
        None
    };
    let head = live.committed.head_position(&Audience::Editor);
    Ok(Message::Restored(Restored { head, status: live.committed.status(), history_changed: forked, session }))
}

/// Makes the meet anew; `None` where another client was faster.
async fn make(
    app: &App,
    id: MeetId,
    address: IpAddr,
    creation: CreateMeet,
    create_key: Option<&str>,
    page: &Handed,
) -> Result<Option<Arc<LiveMeet>>, Problem> {
    may_create(app, create_key)?;
    if page.entries.first().map_or(page.place + 1, |entry| entry.server_seq_num) != 1 {
        return Err(invalid_at("/updates", "this server has nothing of the meet; send the whole log from entry 1 on"));
    }
    let location = creation.this_location_name.clone();
    let (spec, _) = spec(app, creation).await?;
    let made = app.registry.create_unproven(id, &spec).await?;
    if made.is_some() {
        warn!(meet = %id, %address, ?location, "a meet is made anew at the word of a client, without proof");
    }
    Ok(made)
}

/// Nothing vouches for these names, and they are shown to everyone.
fn check_names(page: &Handed) -> Result<(), Problem> {
    for (index, entry) in page.entries.iter().enumerate() {
        for (member, name) in [("locationName", &entry.location_name), ("clientId", &entry.client_id)] {
            check_name(name).map_err(|error| invalid_at(format!("/updates/{index}/{member}"), error.to_string()))?;
        }
    }
    Ok(())
}

//! Who belongs to a meet: `auth.json` (what a recovery ticket seals) and `sessions.json`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::meet::chain::ChainValue;
use crate::meet::id::MeetId;
use crate::meet::limits::{CLIENTS_MAX, SESSION_LIFE, SESSIONS_MAX, STREAMS_PER_TOKEN, VIEW_KEYS_MAX};
use crate::meet::settings::Settings;
use crate::meet::time::Timestamp;
use crate::meet::update::Writer;
use crate::mutant::{Mutant, planted};

use super::password::PasswordHash;
use super::token::{Kind, Token, TokenHash};

/// Version of both documents; a higher one is refused.
pub const VERSION: u32 = 1;

/// `auth.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthFile {
    /// [`VERSION`]
    pub version: u32,
    /// The meet's nine digits.
    pub meet_id: String,
    /// A name for people; empty where none was given.
    pub meet_name: String,
    /// When the meet was created.
    pub created_at: Timestamp,
    /// `chain(0)`.
    pub chain: ChainValue,
    /// What joining takes.
    pub password: PasswordHash,
    /// Everyone who may write.
    pub locations: Vec<Location>,
    /// Conflicts and privacy.
    pub settings: Settings,
    /// View keys that have not been deleted.
    pub view_keys: Vec<ViewKey>,
    /// Every client that ever joined; its place is its slot.
    pub clients: Vec<Writer>,
    /// Grows with every change of this file.
    pub ticket_version: u64,
}

/// A named writer and what its word weighs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// Its name.
    pub location_name: Arc<str>,
    /// Larger numbers overrule smaller ones.
    pub priority: i64,
}

/// A view key as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewKey {
    /// What to call and delete it by.
    pub key_id: String,
    /// What it is for.
    pub label: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// What its holder's secret hashes to.
    pub hash: TokenHash,
}

impl ViewKey {
    fn grant(&self) -> Arc<Grant> {
        Grant::new(Holder::Viewer { key_id: self.key_id.clone() }, self.expires_at)
    }
}

/// `sessions.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SessionsFile {
    version: u32,
    sessions: Vec<StoredSession>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredSession {
    hash: TokenHash,
    client_id: Arc<str>,
    location_name: Arc<str>,
    expires_at: Timestamp,
}

/// Both documents in memory, ready for look-ups.
#[derive(Clone, Debug)]
pub struct Roster {
    auth: Arc<AuthFile>,
    slots: HashMap<Writer, u32>,
    grants: HashMap<TokenHash, Arc<Grant>>,
}

/// What a token or view key allows.
#[derive(Debug)]
pub struct Grant {
    /// Who holds it.
    pub holder: Holder,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// Cancelled when it is ended before that.
    pub ended: CancellationToken,
    /// What is left of [`STREAMS_PER_TOKEN`].
    streams: Semaphore,
}

/// One of the streams that a [`Grant`] may have, given back when dropped.
#[derive(Debug)]
pub struct Share(Arc<Grant>);

impl Share {
    /// Whose it is.
    pub fn grant(&self) -> &Arc<Grant> {
        &self.0
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.streams.add_permits(1);
    }
}

/// Who holds a [`Grant`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A client at a location.
    Editor {
        /// The client and its location.
        writer: Writer,
        /// The location's priority.
        priority: i64,
        /// The client's block of entry ids.
        slot: u32,
    },
    /// The holder of a view key.
    Viewer {
        /// The key's name.
        key_id: String,
    },
}

impl Grant {
    fn new(holder: Holder, expires_at: Option<Timestamp>) -> Arc<Grant> {
        Arc::new(Grant { holder, expires_at, ended: CancellationToken::new(), streams: Semaphore::new(STREAMS_PER_TOKEN) })
    }

    /// Takes one of its streams, for as long as what is returned is kept.
    ///
    /// # Errors
    /// [`TooManyStreams`]
    pub fn stream(self: &Arc<Grant>) -> Result<Share, TooManyStreams> {
        self.streams.try_acquire().map_err(|_| TooManyStreams)?.forget();
        Ok(Share(Arc::clone(self)))
    }

    /// Whether it has lived its time.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now) && !planted(Mutant::NoExpiry)
    }
}

/// A document of a meet makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct BadDocument {
    /// Which file.
    pub file: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// Whether a later version of this program wrote it, so that nothing is wrong.
    pub is_newer: bool,
}

/// There is no room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the meet has {limit} {what} already, which is the most it can have")]
pub struct Full {
    /// Of what.
    pub what: &'static str,
    /// The limit.
    pub limit: usize,
}

/// A token reads in too many places at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this token has {STREAMS_PER_TOKEN} streams and waiting requests already, which is the most it can have")]
pub struct TooManyStreams;

/// What joining gave a client.
#[derive(Debug)]
pub struct Joined {
    /// Its secret.
    pub token: Token,
    /// What the secret allows.
    pub grant: Arc<Grant>,
}

impl Roster {
    /// The roster of a new meet: nobody has joined.
    pub fn new(auth: AuthFile) -> Roster {
        Roster::assemble(auth, Vec::new())
    }

    /// Reads both documents; without `sessions` everybody joins again.
    ///
    /// # Errors
    /// [`BadDocument`]
    pub fn read(auth: &[u8], sessions: Option<&[u8]>) -> Result<Roster, BadDocument> {
        let auth: AuthFile = read("auth.json", auth)?;
        let sessions = sessions.map(|bytes| read::<SessionsFile>("sessions.json", bytes)).transpose()?;
        Ok(Roster::assemble(auth, sessions.map(|file| file.sessions).unwrap_or_default()))
    }

    fn assemble(auth: AuthFile, sessions: Vec<StoredSession>) -> Roster {
        let slots = slots(&auth);
        let mut roster = Roster { auth: Arc::new(auth), slots, grants: HashMap::new() };
        for session in sessions {
            let writer = Writer { location_name: session.location_name, client_id: session.client_id };
            if let Some(holder) = roster.editor(writer) {
                roster.grants.insert(session.hash, Grant::new(holder, Some(session.expires_at)));
            }
        }
        for key in &Arc::clone(&roster.auth).view_keys {
            roster.grants.insert(key.hash, key.grant());
        }
        roster
    }

    /// What the meet is and who may write.
    pub fn auth(&self) -> &Arc<AuthFile> {
        &self.auth
    }

    /// `auth.json`.
    pub fn auth_document(&self) -> Vec<u8> {
        document(&*self.auth)
    }

    /// `sessions.json`.
    pub fn sessions_document(&self) -> Vec<u8> {
        let sessions = self.grants.iter().filter_map(|(hash, grant)| match (&grant.holder, grant.expires_at) {
            (Holder::Editor { writer, .. }, Some(expires_at)) => {
                let Writer { location_name, client_id } = writer.clone();
                Some(StoredSession { hash: *hash, client_id, location_name, expires_at })
            }
            _ => None,
        });
        let mut sessions: Vec<_> = sessions.collect();
        sessions.sort_by_key(|session| session.expires_at);
        document(&SessionsFile { version: VERSION, sessions })
    }

    /// What a token allows at the instant `now`.
    pub fn grant(&self, token: &Token, now: Timestamp) -> Option<&Arc<Grant>> {
        let grant = self.grants.get(&token.hash()).filter(|grant| !grant.has_expired(now))?;
        let kind = match grant.holder {
            Holder::Editor { .. } => Kind::Session,
            Holder::Viewer { .. } => Kind::View,
        };
        (kind == token.kind).then_some(grant)
    }

    /// The location with this name.
    pub fn location(&self, name: &str) -> Option<&Location> {
        self.auth.locations.iter().find(|location| &*location.location_name == name)
    }

    /// Opens a session for a client at one of the meet's locations.
    /// A client that was there before keeps its slot.
    ///
    /// # Errors
    /// [`Full`] where no slot is left.
    pub fn join(&mut self, meet: MeetId, writer: Writer, now: Timestamp) -> Result<Joined, Full> {
        if !self.slots.contains_key(&writer) {
            let slot = self.auth.clients.len();
            if slot >= CLIENTS_MAX {
                return Err(Full { what: "clients", limit: CLIENTS_MAX });
            }
            self.slots.insert(writer.clone(), u32::try_from(slot).unwrap_or(u32::MAX));
            self.change().clients.push(writer.clone());
        }
        let full = Full { what: "locations", limit: self.auth.locations.len() };
        let holder = self.editor(writer).ok_or(full)?;
        self.make_room(now);
        let token = Token::generate(Kind::Session, meet);
        let grant = Grant::new(holder, Some(now.plus(SESSION_LIFE)));
        self.grants.insert(token.hash(), Arc::clone(&grant));
        Ok(Joined { token, grant })
    }

    /// Drops sessions that have ended by themselves and, where there are too many, the one that ends first.
    fn make_room(&mut self, now: Timestamp) {
        self.grants.retain(|_, grant| !grant.has_expired(now));
        if self.grants.len() < SESSIONS_MAX + VIEW_KEYS_MAX {
            return;
        }
        let sessions = self.grants.iter().filter(|(_, grant)| matches!(grant.holder, Holder::Editor { .. }));
        let first = sessions.min_by_key(|(_, grant)| grant.expires_at).map(|(hash, _)| *hash);
        if let Some(first) = first {
            self.grants.remove(&first);
        }
    }

    /// Ends what a token allows. Tells whether it allowed anything.
    pub fn end(&mut self, token: &Token) -> bool {
        self.grants.remove(&token.hash()).is_some()
    }

    /// Ends the streams of every grant that is here and not in `after`. Tells how many there are.
    pub fn cancel_missing(&self, after: &Roster) -> usize {
        let missing = self.grants.iter().filter(|(hash, _)| !after.grants.contains_key(hash));
        missing.inspect(|(_, grant)| grant.ended.cancel()).count()
    }

    /// Replaces the password's hash by a stronger one.
    pub fn renew_password(&mut self, password: PasswordHash) {
        self.change().password = password;
    }

    /// Takes over what a newer ticket says. Clients that joined meanwhile stay, with slots behind those that it hands out.
    pub fn adopt(&mut self, newer: &AuthFile) {
        let mut auth = newer.clone();
        auth.clients.extend(self.auth.clients.iter().filter(|client| !newer.clients.contains(client)).cloned());
        auth.ticket_version = newer.ticket_version.max(self.auth.ticket_version) + 1;
        self.slots = slots(&auth);
        let is_kept = |hash: &TokenHash| auth.view_keys.iter().any(|key| key.hash == *hash);
        self.grants.retain(|hash, grant| matches!(grant.holder, Holder::Editor { .. }) || is_kept(hash));
        for key in &auth.view_keys {
            self.grants.entry(key.hash).or_insert_with(|| key.grant());
        }
        self.auth = Arc::new(auth);
    }

    /// Makes a view key that lives for `life`, or until it is deleted.
    ///
    /// # Errors
    /// [`Full`]
    pub fn create_view_key(
        &mut self,
        meet: MeetId,
        label: String,
        life: Option<Duration>,
        now: Timestamp,
    ) -> Result<(Token, ViewKey), Full> {
        let is_alive = |key: &ViewKey| key.expires_at.is_none_or(|end| end > now);
        if self.auth.view_keys.iter().filter(|key| is_alive(key)).count() >= VIEW_KEYS_MAX {
            return Err(Full { what: "view keys", limit: VIEW_KEYS_MAX });
        }
        self.grants.retain(|_, grant| !grant.has_expired(now));
        let token = Token::generate(Kind::View, meet);
        let expires_at = life.map(|life| now.plus(life));
        let key_id = hex::encode(super::random_bytes::<6>());
        let key = ViewKey { key_id, label, created_at: now, expires_at, hash: token.hash() };
        let auth = self.change();
        auth.view_keys.retain(is_alive);
        auth.view_keys.push(key.clone());
        self.grants.insert(key.hash, key.grant());
        Ok((token, key))
    }

    /// Deletes a view key. Tells whether there was one.
    pub fn delete_view_key(&mut self, key_id: &str) -> bool {
        let Some(place) = self.auth.view_keys.iter().position(|key| key.key_id == key_id) else { return false };
        let key = self.change().view_keys.remove(place);
        self.grants.remove(&key.hash).is_some()
    }

    /// Every change of `auth.json` renews the recovery tickets.
    fn change(&mut self) -> &mut AuthFile {
        let auth = Arc::make_mut(&mut self.auth);
        auth.ticket_version += 1;
        auth
    }

    fn editor(&self, writer: Writer) -> Option<Holder> {
        let priority = self.location(&writer.location_name)?.priority;
        let slot = *self.slots.get(&writer)?;
        Some(Holder::Editor { writer, priority, slot })
    }
}

fn slots(auth: &AuthFile) -> HashMap<Writer, u32> {
    auth.clients.iter().zip(0..).map(|(writer, slot)| (writer.clone(), slot)).collect()
}

fn read<T: for<'de> Deserialize<'de>>(file: &'static str, bytes: &[u8]) -> Result<T, BadDocument> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let bad = |problem: String| BadDocument { file, problem, is_newer: false };
    let Version { version } = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
    if version > VERSION {
        let problem = format!("format version {version}, and this program reads up to {VERSION}; a newer liftrelay wrote it");
        return Err(BadDocument { file, problem, is_newer: true });
    }
    serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))
}

/// JSON that opens well in a text editor.
#[expect(clippy::expect_used, reason = "strings and numbers always serialise")]
fn document(content: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(content).expect("plain members");
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meet::chain::ServerKey;

    const NOW: i64 = 1_777_627_800_000;

    fn meet() -> MeetId {
        MeetId::from_random(123_456_789)
    }

    fn roster() -> Roster {
        let password: PasswordHash = serde_json::from_str(&format!(
            r#"{{"algorithm":"scrypt","logN":14,"r":8,"p":5,"salt":"{}","hash":"{}"}}"#,
            "00".repeat(16),
            "00".repeat(32)
        ))
        .unwrap();
        Roster::new(AuthFile {
            version: VERSION,
            meet_id: meet().digits(),
            meet_name: String::new(),
            created_at: Timestamp::from_millis(NOW),
            chain: ServerKey::new([0; 32]).chain_start(meet(), &[0; 16]),
            password,
            locations: vec![Location { location_name: "desk".into(), priority: 10 }],
            settings: Settings::default(),
            view_keys: Vec::new(),
            clients: Vec::new(),
            ticket_version: 1,
        })
    }

    fn writer(client: &str) -> Writer {
        Writer { location_name: "desk".into(), client_id: client.into() }
    }

    fn reread(roster: &Roster) -> Roster {
        Roster::read(&roster.auth_document(), Some(&roster.sessions_document())).unwrap()
    }

    #[test]
    fn sessions_survive_a_restart_and_expire() {
        let mut roster = roster();
        let now = Timestamp::from_millis(NOW);
        let joined = roster.join(meet(), writer("a"), now).unwrap();
        let again = reread(&roster);
        let grant = again.grant(&joined.token, now).unwrap();
        assert_eq!(grant.holder, Holder::Editor { writer: writer("a"), priority: 10, slot: 0 });
        let week = SESSION_LIFE.as_millis() as i64;
        assert!(again.grant(&joined.token, Timestamp::from_millis(NOW + week - 1)).is_some());
        assert!(again.grant(&joined.token, Timestamp::from_millis(NOW + week)).is_none());
        assert!(Roster::read(&roster.auth_document(), None).unwrap().grant(&joined.token, now).is_none());
    }

    #[test]
    fn a_client_keeps_its_slot_and_others_get_their_own() {
        let mut roster = roster();
        let now = Timestamp::from_millis(NOW);
        let slot = |roster: &mut Roster, client| match roster.join(meet(), writer(client), now).unwrap().grant.holder {
            Holder::Editor { slot, .. } => slot,
            Holder::Viewer { .. } => unreachable!(),
        };
        assert_eq!((slot(&mut roster, "a"), slot(&mut roster, "b"), slot(&mut roster, "a")), (0, 1, 0));
        let version = roster.auth().ticket_version;
        let mut roster = reread(&roster);
        assert_eq!(slot(&mut roster, "b"), 1);
        assert_eq!(roster.auth().ticket_version, version, "a client that is known changes no ticket");
        assert_eq!(slot(&mut roster, "c"), 2);
        assert_eq!(roster.auth().ticket_version, version + 1);
    }

    #[test]
    fn view_keys_are_told_from_sessions_and_can_be_deleted() {
        let mut roster = roster();
        let now = Timestamp::from_millis(NOW);
        let (token, key) = roster.create_view_key(meet(), "OBS".into(), Some(Duration::from_secs(60)), now).unwrap();
        let mut roster = reread(&roster);
        assert!(roster.grant(&token, now).is_some());
        assert!(roster.grant(&token, now.plus(Duration::from_secs(60))).is_none());
        let forged: Token = token.reveal().replace("lrv", "lrs").parse().unwrap();
        assert!(roster.grant(&forged, now).is_none());
        assert!(!roster.delete_view_key("no such key"));
        assert!(roster.delete_view_key(&key.key_id));
        assert!(reread(&roster).grant(&token, now).is_none());
    }

    #[test]
    fn no_secret_is_stored() {
        let mut roster = roster();
        let now = Timestamp::from_millis(NOW);
        let session = roster.join(meet(), writer("a"), now).unwrap().token;
        let (view, _) = roster.create_view_key(meet(), "OBS".into(), None, now).unwrap();
        let stored = [roster.auth_document(), roster.sessions_document()].concat();
        let stored = String::from_utf8(stored).unwrap();
        for token in [session, view] {
            assert!(!stored.contains(&token.reveal()[14..]));
        }
    }

    #[test]
    fn a_newer_ticket_is_taken_over_and_whoever_joined_meanwhile_stays() {
        let now = Timestamp::from_millis(NOW);
        let mut older = roster();
        older.join(meet(), writer("a"), now).unwrap();
        let (kept, _) = older.create_view_key(meet(), "kept".into(), None, now).unwrap();
        let (deleted, key) = older.create_view_key(meet(), "deleted".into(), None, now).unwrap();
        let mut newer = reread(&older);
        newer.join(meet(), writer("b"), now).unwrap();
        newer.delete_view_key(&key.key_id);
        let (made, _) = newer.create_view_key(meet(), "made".into(), None, now).unwrap();

        let mut recovered = Roster::new(AuthFile::clone(older.auth()));
        let session = recovered.join(meet(), writer("c"), now).unwrap().token;
        recovered.adopt(newer.auth());
        let recovered = reread(&recovered);
        let clients: Vec<_> = ["a", "b", "c"].map(writer).into();
        assert_eq!(recovered.auth().clients, clients);
        assert!(recovered.auth().ticket_version > newer.auth().ticket_version);
        let works = |token| recovered.grant(token, now).is_some();
        assert_eq!([works(&session), works(&kept), works(&made), works(&deleted)], [true, true, true, false]);
    }

    #[test]
    fn documents_of_the_future_are_refused() {
        let document = String::from_utf8(roster().auth_document()).unwrap().replace("\"version\": 1", "\"version\": 2");
        let error = Roster::read(document.as_bytes(), None).unwrap_err().to_string();
        assert!(error.contains("version 2"), "{error}");
    }
}

//! Meets on a disk, made without a server: thousands in a moment.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use liftrelay::auth::password::PasswordHash;
use liftrelay::auth::roster::{AuthFile, Location, Roster, VERSION};
use liftrelay::meet::Meet;
use liftrelay::meet::chain::ServerKey;
use liftrelay::meet::id::MeetId;
use liftrelay::meet::outcome::Decision;
use liftrelay::meet::settings::Settings;
use liftrelay::meet::time::Timestamp;
use liftrelay::meet::update::{Batch, Mode, Op, Proposal, Writer};
use liftrelay::store::files::{FileStore, Fsync};
use liftrelay::store::line::{Encoder, Header};
use liftrelay::store::log_writer::LogWriter;
use liftrelay::store::{NewMeet, Store};
use serde_json::value::RawValue;

use super::Measured;
use super::product::PASSWORD;

const KEY: [u8; 32] = [7; 32];
const NONCE: [u8; 16] = [9; 16];

/// A meet, and the token of its editor.
#[derive(Clone, Debug)]
pub struct Meeting {
    pub path: String,
    pub token: String,
}

/// What all seeded meets have in common.
struct Seed {
    key: ServerKey,
    password: PasswordHash,
    now: Timestamp,
}

/// So many meets in `folder/data`, each with so many entries; their values are of so many bytes.
pub fn meets(folder: &Path, count: u64, entries: u64, bytes: usize) -> Measured<Vec<Meeting>> {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let seed = Seed { key: ServerKey::new(KEY), password: PasswordHash::new(PASSWORD), now: Timestamp::from_millis(now) };
    std::fs::write(folder.join("data.key"), format!("{}\n", KEY.map(|byte| format!("{byte:02x}")).concat()))?;
    let store = FileStore::open(&folder.join("data"), Fsync::Never)?;
    let meets = (0..count).map(|nth| seed.meet(&store, MeetId::from_random(100_000_000 + nth), entries, bytes)).collect();
    store.close()?;
    meets
}

impl Seed {
    fn meet(&self, store: &FileStore, id: MeetId, entries: u64, bytes: usize) -> Measured<Meeting> {
        let chain = self.key.chain_start(id, &NONCE);
        let location = Location { location_name: "desk".into(), priority: 1 };
        let auth = AuthFile {
            version: VERSION,
            meet_id: id.digits(),
            meet_name: String::new(),
            created_at: self.now,
            chain,
            password: self.password.clone(),
            locations: vec![location],
            settings: Settings::default(),
            view_keys: Vec::new(),
            clients: Vec::new(),
            ticket_version: 1,
        };
        let mut roster = Roster::new(auth);
        let writer = Writer { location_name: "desk".into(), client_id: "seed".into() };
        let token = roster.join(id, writer.clone(), self.now)?.token.reveal();
        let (mut encoder, mut header) = (Encoder::default(), Vec::new());
        encoder.header(&Header::new(id, chain, NONCE, self.now), &mut header);
        let new = NewMeet { header, auth: roster.auth_document(), sessions: roster.sessions_document(), recovery: None };
        let mut log = LogWriter::new(store.create(id, &new)?, encoder, 0);
        let mut meet = Meet::new(self.key.clone(), chain, Settings::default().tie_break);
        for number in 0..entries {
            let decision = meet.apply(&update(&writer, number, bytes), self.now);
            let Decision::Applied { records, .. } = decision else { return Err("a seeded update was not committed".into()) };
            log.append(&records)?;
        }
        Ok(Meeting { path: format!("/v1/meets/{}", id.digits()), token })
    }
}

fn update(writer: &Writer, number: u64, bytes: usize) -> Batch {
    let value = RawValue::from_string(format!("\"{number:0>bytes$}\"")).ok();
    let key = format!("entries[{}].note", number % 400);
    let update = Proposal::read(&key, value.as_deref(), Op::Set, Some(number), None);
    Batch { writer: writer.clone(), priority: 1, updates: vec![update], mode: Mode::Each, if_head: None, after: None }
}

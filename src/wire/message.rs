//! What the server sends: every object carries its `msgType`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::meet::chain::{ChainValue, Cursor};
use crate::meet::key::{Key, overlap};
use crate::meet::outcome::{Ack, Rejection};
use crate::meet::settings::Settings;
use crate::meet::time::Timestamp;

use super::audience::Relayed;
use super::publish::{PublishAck, Publishes};
use super::stream::Format;

/// Any object that the server sends, problems aside.
#[derive(Debug, Serialize)]
#[serde(tag = "msgType", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the variants are the documented types that they hold")]
pub enum Message {
    MeetCreated(Box<Session>),
    MeetJoined(Box<Session>),
    MeetInfo(Box<MeetInfo>),
    MeetFinished(MeetFinished),
    PublishAck(PublishAck),
    Publishes(Publishes),
    UpdateResult(UpdateResult),
    UpdateAck(UpdateAck),
    UpdateRejected(UpdateRejected),
    UpdateRelay(Page),
    SyncResult(SyncResult),
    Restored(Restored),
    State(StateReply),
    ViewKeyCreated(Box<ViewKeyCreated>),
    ViewKeys(ViewKeys),
    Hello(Box<Hello>),
    Heartbeat(Heartbeat),
    ServerPull(ServerPull),
    Reset(Reset),
    End(End),
    Health(Health),
    Demo(Box<Demo>),
}

impl Message {
    /// The SSE event name: the `msgType` in lower case with hyphens.
    pub fn event_name(&self) -> &'static str {
        match self {
            Message::MeetCreated(_) => "meet-created",
            Message::MeetJoined(_) => "meet-joined",
            Message::MeetInfo(_) => "meet-info",
            Message::MeetFinished(_) => "meet-finished",
            Message::PublishAck(_) => "publish-ack",
            Message::Publishes(_) => "publishes",
            Message::UpdateResult(_) => "update-result",
            Message::UpdateAck(_) => "update-ack",
            Message::UpdateRejected(_) => "update-rejected",
            Message::UpdateRelay(_) => "update-relay",
            Message::SyncResult(_) => "sync-result",
            Message::Restored(_) => "restored",
            Message::State(_) => "state",
            Message::ViewKeyCreated(_) => "view-key-created",
            Message::ViewKeys(_) => "view-keys",
            Message::Hello(_) => "hello",
            Message::Heartbeat(_) => "heartbeat",
            Message::ServerPull(_) => "server-pull",
            Message::Reset(_) => "reset",
            Message::End(_) => "end",
            Message::Health(_) => "health",
            Message::Demo(_) => "demo",
        }
    }

    /// The JSON text.
    #[expect(clippy::expect_used, reason = "strings, numbers and raw JSON always serialise")]
    pub fn to_json(&self) -> String {
        match self {
            Message::UpdateResult(result) => result.to_json(),
            Message::UpdateRelay(page) => page.to_json(),
            _ => serde_json::to_string(self).expect("plain members"),
        }
    }
}

/// Life of a meet, as clients see it.
///
/// ```
/// use liftrelay::wire::message::Status;
///
/// assert_eq!(serde_json::to_string(&Status::Recovering)?, "\"recovering\"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Takes updates.
    Live,
    /// Comes back from its clients; takes updates once that is over.
    Recovering,
    /// Takes no more updates; reading goes on.
    Finished,
}

/// A place in the log: number, cursor and, for editors, the whole chain value.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// The number.
    pub server_seq_num: u64,
    /// The cursor there.
    #[serde(serialize_with = "text")]
    pub cursor: Cursor,
    /// The chain there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<ChainValue>,
}

/// `MEET_CREATED` and `MEET_JOINED`: a session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The meet's id in groups of three.
    pub meet_id: String,
    /// Its name, empty where none was given.
    pub meet_name: String,
    /// The bearer token.
    pub session_token: String,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// The location that the session writes for.
    pub location_name: String,
    /// That location's priority.
    pub priority: i64,
    /// The client's id.
    pub client_id: String,
    /// The client's block of entry ids.
    pub slot: u32,
    /// The head.
    #[serde(flatten)]
    pub head: Position,
    /// What the client needs to bring the meet back if the server loses it.
    pub recovery_ticket: String,
    /// Grows with every renewal of the ticket.
    pub ticket_version: u64,
}

/// `MEET_INFO`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeetInfo {
    /// The meet's id in groups of three.
    pub meet_id: String,
    /// Its name, empty where none was given.
    pub meet_name: String,
    /// Whether it takes updates.
    pub status: Status,
    /// The head.
    pub server_seq_num: u64,
    /// Cursor of the head.
    #[serde(serialize_with = "text")]
    pub cursor: Cursor,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Everyone who may write.
    pub locations: Vec<LocationInfo>,
    /// View keys and sessions that only read, connected now.
    pub viewers: usize,
    /// Conflicts and privacy.
    pub settings: Settings,
    /// Why it takes no updates, where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<ReadOnly>,
    /// `unproven` where nothing but its clients' word vouches for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<&'static str>,
    /// For editors: the newest ticket of this client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_ticket: Option<String>,
    /// For editors: its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_version: Option<u64>,
}

/// Why a meet that is not finished takes no updates.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason", rename_all_fields = "camelCase")]
pub enum ReadOnly {
    /// The disk failed; it is tried again by itself.
    Disk,
    /// The log is damaged behind the head.
    Damage {
        /// The number up to which editors must hand entries back.
        needed_server_seq_num: u64,
    },
}

/// One location of [`MeetInfo`].
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LocationInfo {
    /// Its name.
    pub location_name: String,
    /// Its priority.
    pub priority: i64,
    /// Whether a client of it is connected, or was within the last 40 seconds.
    pub online: bool,
    /// When it was last heard; `null` for not since the server opened the meet.
    pub last_seen_at: Option<Timestamp>,
    /// Entries between the head and the client of it that is furthest behind; `null` while unknown.
    pub behind_by: Option<u64>,
}

/// `MEET_FINISHED`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeetFinished {
    /// The meet's id in groups of three.
    pub meet_id: String,
    /// Always [`Status::Finished`].
    pub status: Status,
    /// When it was finished; the same for everyone who asks.
    pub finished_at: Timestamp,
    /// The head, which stays.
    pub server_seq_num: u64,
    /// Cursor of the head.
    #[serde(serialize_with = "text")]
    pub cursor: Cursor,
}

/// `UPDATE_RESULT`: answers to a push.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateResult {
    /// What took effect.
    pub update_acks: Vec<Ack>,
    /// What did not.
    pub updates_rejected: Vec<Rejection>,
    /// The head; good for `ifHead`, never a pull position.
    pub server_seq_num: u64,
    /// Cursor of the head.
    #[serde(serialize_with = "text")]
    pub cursor: Cursor,
}

/// `UPDATE_ACK`: what took effect of an `UPDATE_INIT`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateAck {
    /// What took effect; empty where nothing did.
    pub update_acks: Vec<Ack>,
    /// The head; good for `ifHead`, never a pull position.
    pub server_seq_num: u64,
    /// Cursor of the head.
    #[serde(serialize_with = "text")]
    pub cursor: Cursor,
}

/// `UPDATE_REJECTED`: what did not take effect of an `UPDATE_INIT`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateRejected {
    /// At least one.
    pub updates_rejected: Vec<Rejection>,
}

impl UpdateResult {
    /// The same as answers to an `UPDATE_INIT`: one message, or two where anything was refused.
    pub fn into_messages(self) -> Vec<Message> {
        let UpdateResult { update_acks, updates_rejected, server_seq_num, cursor } = self;
        let mut messages = vec![Message::UpdateAck(UpdateAck { update_acks, server_seq_num, cursor })];
        if !updates_rejected.is_empty() {
            messages.push(Message::UpdateRejected(UpdateRejected { updates_rejected }));
        }
        messages
    }
}

/// `UPDATE_RELAY`: a page of the log.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// The entries; never a part of a commit.
    pub updates_relayed: Relayed,
    /// Where the reader is after this page.
    #[serde(flatten)]
    pub position: Position,
    /// The head of the log.
    pub head_seq_num: u64,
    /// Whether the log goes on behind this page.
    pub more: bool,
    /// Whether the meet takes updates.
    pub status: Status,
}

impl Page {
    /// Keeps only entries that overlap one of `paths`; everything where there are none.
    pub fn keep(&mut self, paths: &[Key]) {
        let Relayed { entries, audience } = &mut self.updates_relayed;
        // What passed a filter would tell a viewer the key of an opaque entry.
        let wanted = |key: &str| paths.iter().any(|path| overlap(path.as_str(), key)) && audience.sees(key);
        entries.retain(|entry| paths.is_empty() || wanted(&entry.fields.update_key));
    }

    /// The page as an event of a stream; `None` where no entry is left.
    pub fn event(self, format: Format) -> Option<Bytes> {
        let id = self.position.cursor;
        (!self.updates_relayed.entries.is_empty()).then(|| format.encode(&Message::UpdateRelay(self), id, None))
    }
}

/// News that come along with a refusal; a page without its `status`, which a problem has of another kind.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct News {
    /// The entries; never a part of a commit.
    pub updates_relayed: Relayed,
    /// Where the reader is after these.
    #[serde(flatten)]
    pub position: Position,
    /// The head of the log.
    pub head_seq_num: u64,
    /// Whether the log goes on behind these.
    pub more: bool,
}

impl From<Page> for News {
    fn from(page: Page) -> News {
        let Page { updates_relayed, position, head_seq_num, more, status: _ } = page;
        News { updates_relayed, position, head_seq_num, more }
    }
}

/// `SYNC_RESULT`: answers to a push and a page of the log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncResult {
    /// What took effect.
    pub update_acks: Vec<Ack>,
    /// What did not.
    pub updates_rejected: Vec<Rejection>,
    /// News for the client, its own updates included.
    #[serde(flatten)]
    pub page: Page,
}

/// `RESTORED`: a page of a log that was handed back is durable, as far as it was new.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// The head of the log.
    #[serde(flatten)]
    pub head: Position,
    /// Whether the meet takes updates.
    pub status: Status,
    /// Whether the client's history has left the log's: its changes are in the log under other numbers, as far as they prevailed.
    pub history_changed: bool,
    /// What a ticket has bought.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub session: Option<BoughtSession>,
}

/// A session that a recovery ticket has bought.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BoughtSession {
    /// The bearer token.
    pub session_token: String,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// The client's block of entry ids.
    pub slot: u32,
}

/// `STATE`: the fold of the log, or a part of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateReply {
    /// Canonical JSON.
    pub state: Box<RawValue>,
    /// Up to where the log was folded.
    #[serde(flatten)]
    pub position: Position,
    /// Lower-case hex SHA-256 of the canonical JSON of the whole state as this reader sees it.
    pub state_hash: String,
}

/// `VIEW_KEY_CREATED`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewKeyCreated {
    /// The secret, shown only now.
    pub view_key: String,
    /// What to call and delete it by.
    #[serde(flatten)]
    pub info: ViewKeyInfo,
    /// Ready-made addresses, relative to the server.
    pub urls: ViewUrls,
}

/// A view key without its secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewKeyInfo {
    /// Its name in URLs.
    pub key_id: String,
    /// What it is for.
    pub label: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working; `null` for not by itself.
    pub expires_at: Option<Timestamp>,
}

/// Addresses of a [`ViewKeyCreated`].
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewUrls {
    /// The stream.
    pub events: String,
    /// The state.
    pub state: String,
    /// The overlay page, with the key in the fragment.
    pub overlay: String,
}

/// `VIEW_KEYS`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewKeys {
    /// The keys alive, oldest first.
    pub view_keys: Vec<ViewKeyInfo>,
}

/// `HELLO`: the first event of a stream.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// The meet's id in groups of three.
    pub meet_id: String,
    /// Its name.
    pub meet_name: String,
    /// Whether it takes updates.
    pub status: Status,
    /// `editor` or `viewer`.
    pub role: &'static str,
    /// Where the stream starts from.
    #[serde(flatten)]
    pub position: Position,
    /// The head of the log.
    pub head_seq_num: u64,
    /// The server's clock.
    pub server_time: Timestamp,
    /// Pause between heartbeats.
    pub heartbeat_seconds: u64,
    /// For editors: version of the newest recovery ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_version: Option<u64>,
}

/// `HEARTBEAT`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// What this reader has been sent.
    #[serde(flatten)]
    pub position: Position,
    /// The head of the log.
    pub head_seq_num: u64,
    /// Whether it takes updates: nothing else tells a stream that a recovery is over.
    pub status: Status,
    /// The server's clock.
    pub server_time: Timestamp,
    /// For editors' unfiltered streams that are at the head: hash of the state there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_hash: Option<String>,
    /// For editors: version of the newest recovery ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_version: Option<u64>,
}

/// `SERVER_PULL`: the client has more than the server.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerPull {
    /// The server's head.
    pub last_server_seq: u64,
    /// Cursor of the server's head.
    #[serde(serialize_with = "text")]
    pub cursor: Cursor,
}

/// `RESET`: the client's history is not the server's; the state follows.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reset {
    /// Why, for a person.
    pub reason: String,
    /// Cursor of the server's head.
    #[serde(serialize_with = "text")]
    pub cursor: Cursor,
}

/// `END`: the last event of a stream.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    /// Why.
    pub reason: EndReason,
    /// What this reader has been sent.
    #[serde(serialize_with = "text")]
    pub cursor: Cursor,
    /// When to come back; left out where coming back does not help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
}

/// Why a stream ends; after `finished` it stays open all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndReason {
    /// The meet is finished: nothing but heartbeats will come.
    Finished,
    /// The session or view key has lived its time.
    Expired,
    /// The session was ended or the view key deleted.
    Revoked,
    /// The server stops.
    Shutdown,
}

/// `HEALTH`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok`; anything else is a problem.
    pub status: &'static str,
    /// Version of the server.
    pub version: &'static str,
    /// `always`, or `never` in benchmarks; only from `/health/ready`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fsync: Option<&'static str>,
}

/// `DEMO`: where the demo meet is in this lap.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Demo {
    /// The meet's id in groups of three.
    pub meet_id: String,
    /// Its name.
    pub meet_name: String,
    /// A view key for it.
    pub view_key: String,
    /// Counts the meets that the demo has replayed.
    pub lap: u64,
    /// Addresses that stay the same from lap to lap.
    pub urls: DemoUrls,
}

/// Addresses of a [`Demo`].
#[derive(Debug, Serialize)]
pub struct DemoUrls {
    /// The stream.
    pub events: &'static str,
    /// The state.
    pub state: &'static str,
    /// The log, in pages.
    pub updates: &'static str,
    /// What the meet of this lap is; needs its view key.
    pub info: String,
}

pub(super) fn text<S: serde::Serializer>(cursor: &Cursor, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(cursor)
}

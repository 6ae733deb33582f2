//! Where meets live: journals that only grow, and small documents beside each.
//!
//! The duties of a store, which one suite of tests holds every implementation to:
//!
//! - What [`Journal::append`] accepted is there after any crash; what it refused may be there or not,
//!   but never in front of something accepted.
//! - [`Store::save`] replaces a document whole: a crash leaves the old one or the new one.
//! - [`Store::create`] makes a meet whole or not at all, and never over another one.
//! - [`Store::finish`] moves a meet whole: after any crash it is current or finished, never both or neither.
//!   Where somebody put it into both places, the longer log counts, and it is not moved or removed.
//!   Everything that can be done with a current meet can be done with a finished one, but for appending.
//! - One process at a time: a second store on the same folder is refused.
//! - It knows nothing of HTTP, sessions or conflicts.

mod doubles;
pub(crate) mod durable;
mod exact;
pub mod files;
mod journal;
pub mod line;
pub mod log_end;
pub mod log_writer;
mod making;
pub mod memory;
pub mod scan;
#[cfg(test)]
pub(crate) mod tests;
mod unclean;

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use crate::meet::id::MeetId;
use crate::meet::time::Timestamp;
use scan::Scan;

/// A set of meets.
pub trait Store: Send + Sync + 'static {
    /// Makes a meet from its first log line and its documents.
    ///
    /// # Errors
    /// [`StoreError::Exists`] where the id is taken, by a finished meet too; [`StoreError::Io`].
    fn create(&self, id: MeetId, new: &NewMeet) -> Result<Box<dyn Journal>, StoreError>;

    /// Puts a new meet in the place of a current one, which is kept whole: its log and its roster are documents of the new one,
    /// and what was published stays published. After any crash it is one or the other.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::InBoth`]; the old one is there then.
    fn supersede(&self, id: MeetId, new: &NewMeet) -> Result<Box<dyn Journal>, StoreError>;

    /// Reads a meet, current or finished; `None` where there is none of that id. A torn tail is put aside and cut,
    /// so that the next append continues a sound log; a damaged log is left as it is.
    ///
    /// # Errors
    /// [`StoreError::Io`] where it cannot be read, [`StoreError::Unreadable`] where it makes no sense.
    fn open(&self, id: MeetId) -> Result<Option<StoredMeet>, StoreError>;

    /// The log of a meet from byte `from` on, for who knows what stands before; `None` where it does not end at byte `upto`, or
    /// where what it shows may not be on the disk.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    fn log_end(&self, id: MeetId, from: u64, upto: u64) -> Result<Option<(Stage, Vec<u8>)>, StoreError>;

    /// After a failed append: puts the sound part of the log into a new file, which takes the
    /// place of the old one. What the page cache showed and the disk had lost is durable then.
    ///
    /// # Errors
    /// [`StoreError`]; the old file is still there then.
    fn renew(&self, id: MeetId) -> Result<(), StoreError>;

    /// Puts a damaged log aside, under a name of its own, and `log` in its place, whole. Gives the end to append to;
    /// [`Closed`] for a finished meet.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the damaged log may be put aside then, but nothing of it is lost.
    fn rebuild(&self, id: MeetId, log: &[u8]) -> Result<Box<dyn Journal>, StoreError>;

    /// Puts a document that cannot be read aside, under a name of its own.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    fn set_aside(&self, id: MeetId, document: Document) -> Result<(), StoreError>;

    /// Replaces a document. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the old document stands then.
    fn save(&self, id: MeetId, document: Document, content: &[u8]) -> Result<(), StoreError>;

    /// Reads a document; `None` where the meet has none.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    fn load(&self, id: MeetId, document: Document) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes a document; one that is not there is no error.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    fn discard(&self, id: MeetId, document: Document) -> Result<(), StoreError>;

    /// Moves a meet, whole, to the finished ones, with `finish` as its [`Document::Finish`].
    /// Doing it again only replaces that document. Nobody may save a document of the meet meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::InBoth`]; the meet has not moved then.
    fn finish(&self, id: MeetId, finish: &[u8]) -> Result<(), StoreError>;

    /// The ids of all meets at one stage, in no order.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    fn meets(&self, stage: Stage) -> Result<Vec<MeetId>, StoreError>;

    /// When a document of the meet was last saved or the meet moved; `None` where there is no such meet.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    fn changed_at(&self, id: MeetId) -> Result<Option<Timestamp>, StoreError>;

    /// Deletes a meet with everything that belongs to it.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::InBoth`]
    fn remove(&self, id: MeetId) -> Result<(), StoreError>;

    /// Whether a small write would succeed now.
    ///
    /// # Errors
    /// [`StoreError::Io`] says why not.
    fn probe(&self) -> Result<(), StoreError>;
}

/// The log of one meet, open for appending. Dropping it closes it.
pub trait Journal: Send {
    /// Appends whole lines and returns when they are durable.
    ///
    /// # Errors
    /// Whatever the medium says. After an error nothing is known about the end of the log,
    /// so the caller must not append again: the page cache may show what the disk lost.
    fn append(&mut self, lines: &[u8]) -> io::Result<()>;
}

/// What a new meet consists of.
#[derive(Debug)]
pub struct NewMeet {
    /// First line of the log.
    pub header: Vec<u8>,
    /// First [`Document::Auth`].
    pub auth: Vec<u8>,
    /// First [`Document::Sessions`].
    pub sessions: Vec<u8>,
    /// [`Document::Recovery`] of a meet that comes back from clients.
    pub recovery: Option<Vec<u8>>,
}

/// What a stored meet consists of.
pub struct StoredMeet {
    /// The log, read and checked.
    pub scan: Scan,
    /// Whether it is finished.
    pub stage: Stage,
    /// For appending; `None` for a log that is damaged, [`Closed`] for a finished one.
    pub journal: Option<Box<dyn Journal>>,
    /// [`Document::Auth`]; empty where it is missing.
    pub auth: Vec<u8>,
    /// [`Document::Sessions`]; `None` where it is missing, so that everyone joins again.
    pub sessions: Option<Vec<u8>>,
}

/// Where a meet is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its log grows.
    Current,
    /// It takes no more updates.
    Finished,
}

/// The log of a finished meet: it never grows again.
#[derive(Debug)]
pub struct Closed;

impl Journal for Closed {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::Error::other("the meet is finished, so its log does not grow"))
    }
}

/// A small file beside the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Document {
    /// Password hash, locations, settings, view keys, slots.
    Auth,
    /// Hashes of session tokens.
    Sessions,
    /// When and by whom the meet was finished. It decides nothing: the stage does.
    Finish,
    /// What the log came to when the meet was last closed. It is believed only for the log that it names, and can be done without.
    Checkpoint,
    /// When the meet was made anew from what clients had, and whether that is over.
    Recovery,
    /// The log of the meet whose place this one took.
    SupersededLog,
    /// What [`Document::Auth`] was of that.
    SupersededAuth,
    /// Every publish with its status: the outbox.
    Publishes,
    /// The results of one publish, as they were sent; named by its id.
    Results([u8; 16]),
}

impl Document {
    /// Its file name, relative to the meet's folder.
    pub fn file_name(self) -> Cow<'static, str> {
        match self {
            Document::Auth => "auth.json".into(),
            Document::Sessions => "sessions.json".into(),
            Document::Finish => "finished.json".into(),
            Document::Checkpoint => "checkpoint.json".into(),
            Document::Recovery => "recovery.json".into(),
            Document::SupersededLog => "superseded/updates.json.log".into(),
            Document::SupersededAuth => "superseded/auth.json".into(),
            Document::Publishes => "publishes.json".into(),
            Document::Results(publish) => format!("publishes/{}.opl.csv", hex::encode(publish)).into(),
        }
    }
}

/// A store could not do its duty. Its text is for operators and reaches no client.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The id is taken.
    #[error("the meet exists already")]
    Exists,
    /// The first line of a log cannot be read, so nothing behind it counts.
    #[error("{log}: {header}")]
    Headless {
        /// Which log.
        log: String,
        /// What is wrong with its first line.
        header: scan::BadHeader,
        /// What it still tells of its entries.
        had: scan::Had,
    },
    /// A file holds something else than it should.
    #[error("{0}")]
    Unreadable(String),
    /// The meet is current and finished, as after a backup that was taken while it was finished.
    #[error("the meet is in both {} and {}, and neither may take the other's place; stop the server, look at both with liftrelay verify, and move one of them away", .current.display(), .finished.display())]
    InBoth {
        /// Its folder among the current meets.
        current: PathBuf,
        /// Its folder among the finished ones.
        finished: PathBuf,
    },
    /// The medium failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with its path.
        doing: String,
        /// What the medium said.
        source: io::Error,
    },
}

impl StoreError {
    /// Whether it may be gone at the next try: the disk refused, and what lies on it may be sound.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, StoreError::Io { source, .. } if source.kind() != io::ErrorKind::InvalidData)
    }
}

/// Reads what a store holds as the log of a meet.
fn scan_log(bytes: &[u8], log: impl FnOnce() -> String) -> Result<Scan, StoreError> {
    scan::scan(bytes).map_err(|header| match header {
        scan::BadHeader::Newer(_) => StoreError::Unreadable(format!("{}: {header}", log())),
        scan::BadHeader::Unreadable(_) => StoreError::Headless { log: log(), header, had: scan::had(bytes) },
    })
}

/// Says what was being done when the medium failed.
pub(crate) fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io { doing: what.into(), source }
}

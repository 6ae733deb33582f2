//! Making edits: what can be told to be wrong is told at once, everything else is for the server to judge.

use crate::meet::key::{InvalidKey, Key};
use crate::meet::limits::{BATCH_MAX_UPDATES, BODY_MAX_BYTES};
use crate::meet::state::{Obstacle, State};
use crate::meet::update::Op;
use crate::meet::value::{InvalidValue, Value};
use crate::wire::message::Status;
use crate::wire::reply::ReceivedSession;

use super::push::bytes;
use super::record::{Credentials, Edit, Edited, Identity, Record};
use super::{ConflictFree, Pending, Replica};

/// Why an edit was not taken. Nothing changed.
///
/// ```
/// use liftrelay::client::replica::{Edit, EditError, Replica};
///
/// let replica = Replica::default();
/// assert!(matches!(Edit::set("meet..name", "1"), Err(EditError::Key(_))));
/// let absent = replica.edit(Edit::remove("meet.name")?).map(drop);
/// assert_eq!(absent, Err(EditError::Absent("meet.name".to_owned())));
/// assert_eq!(replica.retry(7).map(drop), Err(EditError::Unknown(7)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Its key cannot be read.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// Its value cannot be read.
    #[error(transparent)]
    Value(#[from] InvalidValue),
    /// Something is in its way.
    #[error(transparent)]
    Obstacle(#[from] Obstacle),
    /// `create` where something stands.
    #[error("{0} stands already; use set to change it")]
    Exists(String),
    /// `remove` where nothing stands.
    #[error("nothing stands at {0}, so there is nothing to remove")]
    Absent(String),
    /// Conflict-free mode, and the server is out of reach.
    #[error("{0} existed before the connection was lost, so it is read-only until the server is back; own new objects can be changed")]
    ReadOnly(String),
    /// The meet is over.
    #[error("the meet is finished and takes no more changes")]
    Finished,
    /// Edits that belong together have to fit one batch.
    #[error(
        "{edits} edits of {bytes} bytes do not fit one batch of {BATCH_MAX_UPDATES} edits and {BODY_MAX_BYTES} bytes; make them in several goes"
    )]
    TooLarge {
        /// How many there are.
        edits: usize,
        /// How large they are together.
        bytes: usize,
    },
    /// No such edit.
    #[error("no edit {0} waits for a decision")]
    Unknown(u64),
}

/// A session of another meet, location or client.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::api::Join;
/// use liftrelay::client::replica::Stranger;
///
/// # let session = hall::session().await?;
/// # let replica = hall::member("platform 1");
/// // The replica of a platform is given the session of a desk.
/// let join = Join { password: "a long password", location_name: "desk", client_id: None };
/// let joined = session.server().join(session.meet(), &join).await?;
/// let Err(Stranger(owner)) = replica.join(&joined) else { unreachable!("it has joined already") };
/// assert_eq!(&*owner.location_name, "platform 1");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this replica is {} at {:?} in meet {}; another client needs a replica of its own", .0.client_id, .0.location_name, .0.meet_id)]
pub struct Stranger(pub Identity);

impl Edit {
    /// Puts a value, given as JSON text, at a key.
    ///
    /// # Errors
    /// Key or value cannot be read.
    pub fn set(key: &str, value: &str) -> Result<Edit, EditError> {
        Ok(Edit { op: Op::Set, key: Key::parse(key)?, value: Some(Value::parse(value)?) })
    }

    /// As [`Edit::set`], where nothing stands yet.
    ///
    /// # Errors
    /// Key or value cannot be read.
    pub fn create(key: &str, value: &str) -> Result<Edit, EditError> {
        Ok(Edit { op: Op::Create, ..Edit::set(key, value)? })
    }

    /// Takes away what stands at a key.
    ///
    /// # Errors
    /// The key cannot be read.
    pub fn remove(key: &str) -> Result<Edit, EditError> {
        Ok(Edit { op: Op::Remove, key: Key::parse(key)?, value: None })
    }
}

impl Replica {
    /// Says who this replica is, from the answer to creating or joining the meet; a new session of the same client renews it.
    ///
    /// # Errors
    /// [`Stranger`] where the session is another client's.
    pub fn join(&self, session: &ReceivedSession) -> Result<Vec<Record>, Stranger> {
        let identity = Identity {
            meet_id: session.meet_id.clone(),
            location_name: session.location_name.as_str().into(),
            client_id: session.client_id.as_str().into(),
        };
        let credentials = Record::Renewed(Credentials {
            session_token: session.session_token.clone(),
            expires_at: Some(session.expires_at),
            recovery_ticket: session.recovery_ticket.clone(),
            ticket_version: session.ticket_version,
        });
        match &self.identity {
            None => Ok(vec![Record::Joined(identity), credentials]),
            Some(known) if *known == identity => Ok(vec![credentials]),
            Some(known) => Err(Stranger(known.clone())),
        }
    }

    /// Takes an edit. It counts once its record is stored and applied; sending it comes later.
    ///
    /// A value that was set by itself, and not sent yet, is replaced rather than sent twice.
    ///
    /// # Errors
    /// See [`EditError`].
    pub fn edit(&self, edit: Edit) -> Result<Record, EditError> {
        self.edit_all(vec![edit])
    }

    /// Takes edits that belong together: they are stored, shown and sent as one.
    ///
    /// # Errors
    /// See [`EditError`]; one that is wrong refuses them all.
    pub fn edit_all(&self, edits: Vec<Edit>) -> Result<Record, EditError> {
        let size = edits.iter().map(bytes).sum();
        if edits.is_empty() || edits.len() > BATCH_MAX_UPDATES || size > BODY_MAX_BYTES {
            return Err(EditError::TooLarge { edits: edits.len(), bytes: size });
        }
        self.check_all(&edits)?;
        let instead_of = match edits.as_slice() {
            [edit] => self.replaceable(edit).into_iter().collect(),
            _ => Vec::new(),
        };
        Ok(Record::Edited(Edited { first: self.last_number + 1, edits, after: self.canonical.cursor(), instead_of }))
    }

    /// Each is checked against what those before it make of the state.
    fn check_all(&self, edits: &[Edit]) -> Result<(), EditError> {
        let [first, rest @ ..] = edits else { return Ok(()) };
        self.check(&self.state, first)?;
        if rest.is_empty() {
            return Ok(());
        }
        let mut state = self.state.clone();
        state.fold(&first.key, first.value.clone());
        for (at, edit) in (1..).zip(rest) {
            let is_new = edits[..at].iter().any(|before| before.op == Op::Create && is_at_or_above(&before.key, &edit.key));
            self.check_with(&state, edit, is_new)?;
            state.fold(&edit.key, edit.value.clone());
        }
        Ok(())
    }

    pub(super) fn check(&self, state: &State, edit: &Edit) -> Result<(), EditError> {
        self.check_with(state, edit, false)
    }

    fn check_with(&self, state: &State, edit: &Edit, is_new: bool) -> Result<(), EditError> {
        let key = || edit.key.to_string();
        if self.meet == Some(Status::Finished) {
            return Err(EditError::Finished);
        }
        match (edit.op, state.check(&edit.key, edit.op)?.is_some()) {
            (Op::Create, true) => return Err(EditError::Exists(key())),
            (Op::Remove, false) => return Err(EditError::Absent(key())),
            _ => {}
        }
        let is_free = is_new || edit.op == Op::Create || self.conflict_free != ConflictFree::Offline || self.is_own_new(&edit.key);
        if is_free { Ok(()) } else { Err(EditError::ReadOnly(key())) }
    }

    /// Whether a key may be changed now: what conflict-free mode says while the server is out of reach.
    pub fn is_editable(&self, key: &Key) -> bool {
        self.meet != Some(Status::Finished) && (self.conflict_free != ConflictFree::Offline || self.is_own_new(key))
    }

    /// Whether a key is in an object that this client made and that the server has not taken yet.
    fn is_own_new(&self, key: &Key) -> bool {
        let makes_it =
            |pending: &Pending| pending.edit.op == Op::Create && pending.acked.is_none() && is_at_or_above(&pending.edit.key, key);
        self.pending.iter().any(makes_it)
    }

    /// The unsent edit that a later one makes superfluous: the same key set by itself, with nothing in between that concerns it.
    fn replaceable(&self, edit: &Edit) -> Option<u64> {
        let mut unsent = self.pending.iter().rev().take_while(|pending| pending.number > self.sent);
        let earlier = unsent.find(|pending| pending.edit.key.overlaps(&edit.key))?;
        let is_alone = self.pending.iter().filter(|pending| pending.group == earlier.group).count() == 1;
        let both_set = earlier.edit.op == Op::Set && edit.op == Op::Set;
        (both_set && is_alone && earlier.edit.key == edit.key).then_some(earlier.number)
    }
}

fn is_at_or_above(above: &Key, key: &Key) -> bool {
    above.segments().len() <= key.segments().len() && above.overlaps(key)
}

//! Edits that the server refused: the user decides about each, and none stands in the way of others.

use super::record::{Decided, Edit, Edited, Record, Refused};
use super::{EditError, Replica};

/// A refused edit, and why it was refused.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mut desk = hall::overruled().await?;
/// // A desk whose change of `lot` was refused.
/// let aside = &desk.set_aside()[&1];
/// assert_eq!(aside.edit.key.as_str(), "lot");
/// assert!(aside.refused.standing.as_ref().is_some_and(|standing| &*standing.location_name == "platform"));
/// let record = desk.retry(1)?; // Or `drop_refused`.
/// desk.apply(&record);
/// assert!(desk.set_aside().is_empty());
/// assert_eq!(desk.state().canonical(), r#"{"lot":12}"#);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SetAside {
    /// What the user wanted.
    pub edit: Edit,
    /// Why it took no effect; `standing` tells who overruled it and with which value.
    pub refused: Refused,
}

impl SetAside {
    pub(super) fn new(edit: Edit, refused: Refused) -> SetAside {
        SetAside { edit, refused }
    }
}

impl Replica {
    /// Wants a refused edit again, now that what refused it is known: a new edit, under a number of its own.
    ///
    /// # Errors
    /// [`EditError::Unknown`] where no such edit is set aside; else as [`Replica::edit`].
    pub fn retry(&self, number: u64) -> Result<Record, EditError> {
        let aside = self.set_aside.get(&number).ok_or(EditError::Unknown(number))?;
        self.check(&self.state, &aside.edit)?;
        let after = self.canonical.cursor();
        Ok(Record::Edited(Edited { first: self.last_number + 1, edits: vec![aside.edit.clone()], after, instead_of: vec![number] }))
    }

    /// Gives a refused edit up.
    ///
    /// # Errors
    /// [`EditError::Unknown`] where no such edit is set aside.
    pub fn drop_refused(&self, number: u64) -> Result<Record, EditError> {
        let known = self.set_aside.contains_key(&number);
        known.then(|| Record::Decided(Decided { dropped: vec![number], kept: Vec::new() })).ok_or(EditError::Unknown(number))
    }
}

//! Who reads: editors see entries whole, viewers see them redacted.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::meet::entry::Entry;
use crate::meet::key::Key;
use crate::meet::settings::PrivatePaths;

/// A kind of reader.
#[derive(Clone, Debug)]
pub enum Audience {
    /// Holds a session: sees everything.
    Editor,
    /// Holds a view key: sees nothing of these paths.
    Viewer(Arc<PrivatePaths>),
}

impl Audience {
    /// Whether this reader holds a session.
    pub fn is_editor(&self) -> bool {
        matches!(self, Audience::Editor)
    }

    /// `editor` or `viewer`, as HELLO says it.
    pub fn role(&self) -> &'static str {
        if self.is_editor() { "editor" } else { "viewer" }
    }

    /// Whether this reader may know that an entry is about `key`.
    pub fn sees(&self, key: &str) -> bool {
        match self {
            Audience::Editor => true,
            Audience::Viewer(paths) => Key::parse(key).is_ok_and(|key| !paths.hides(&key)),
        }
    }

    /// An entry as this reader sees it.
    pub fn text<'a>(&self, entry: &'a Entry) -> Cow<'a, str> {
        match self {
            Audience::Editor => entry.editor_text(),
            Audience::Viewer(paths) => entry.viewer_text(paths),
        }
    }
}

/// Entries on their way to a reader.
#[derive(Clone, Debug)]
pub struct Relayed {
    /// The entries, in order.
    pub entries: Vec<Arc<Entry>>,
    /// Who will read them.
    pub audience: Audience,
}

impl Serialize for Relayed {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let text = |entry: &Arc<Entry>| RawValue::from_string(self.audience.text(entry).into_owned());
        let texts: Result<Vec<_>, _> = self.entries.iter().map(text).collect();
        out.collect_seq(texts.map_err(S::Error::custom)?)
    }
}

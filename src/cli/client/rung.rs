//! Which stream carried the last time, in a small file beside the replica.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use tokio::time::Instant;

use crate::client::channel::Transport;
use crate::client::channel::ladder::climb::Climb;

/// What is added to the name of the replica's file.
const SUFFIX: &str = ".rung";

/// The stream that carried the last time. Requests are where every climb begins, so they need no remembering.
pub(super) struct Rung {
    path: PathBuf,
    stream: Option<Transport>,
}

impl Rung {
    /// The rung of a replica. What cannot be read says nothing: then the climb begins with the best one.
    pub(super) fn beside(replica: &Path) -> Rung {
        let mut path = OsString::from(replica);
        path.push(SUFFIX);
        let stream = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Rung { path: path.into(), stream }
    }

    /// A climb that begins there.
    pub(super) fn climb(&self) -> Climb {
        self.stream.map_or_else(Climb::default, |stream| Climb::from_memory(stream, Instant::now()))
    }

    /// This carries now.
    pub(super) fn carries(&mut self, transport: Transport) {
        if transport <= Transport::LongPoll || self.stream == Some(transport) {
            return;
        }
        self.stream = Some(transport);
        // Where it cannot be kept, the next run climbs as the first one did.
        let _ = serde_json::to_vec(&transport).map(|text| fs::write(&self.path, text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_carried_is_probed_first_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let replica = folder.path().join("desk.replica");
        let first = || Rung::beside(&replica).climb().probe(Instant::now());
        assert_eq!(first(), Some(Transport::Socket));
        Rung::beside(&replica).carries(Transport::Sse);
        assert_eq!(first(), Some(Transport::Sse));
        Rung::beside(&replica).carries(Transport::LongPoll);
        assert_eq!(first(), Some(Transport::Sse), "requests carry while every climb begins");
        fs::write(folder.path().join("desk.replica.rung"), "\"ss").unwrap();
        assert_eq!(first(), Some(Transport::Socket));
    }
}

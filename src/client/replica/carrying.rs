//! What a replica has for clients that read the log through it.

use crate::meet::chain::Cursor;
use crate::wire::reply::{ReceivedEntry, ReceivedPage};

use super::Replica;
use super::handing_back::Server;

/// What a replica has behind a cursor.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::replica::{Carried, Edit};
/// use liftrelay::meet::chain::Cursor;
///
/// # let (live, _channel, _server) = hall::live()?;
/// live.edit(vec![Edit::set("lot", "7")?]).await?;
/// live.settled().await;
/// let Carried::News(page) = live.read(|replica| replica.carry(Cursor::START)) else { unreachable!("it has an entry") };
/// assert_eq!((page.updates_relayed.len(), page.cursor.seq), (1, 1));
/// assert!(matches!(live.read(|replica| replica.carry(page.cursor)), Carried::Nothing));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub enum Carried {
    /// Entries, up to where the server ended a page.
    News(ReceivedPage),
    /// Nothing, as far as this replica knows.
    Nothing,
    /// The cursor is above what is here.
    Behind,
    /// The cursor is of another history than the one here.
    Foreign,
}

impl Replica {
    /// What is here behind `after`, as the server would give it. The entries are the server's, unchanged.
    pub fn carry(&self, after: Cursor) -> Carried {
        if self.rebuild.is_some() {
            return Carried::Nothing;
        }
        if after.seq > self.canonical.head() {
            return Carried::Behind;
        }
        let Some(known) = self.known_place(after) else { return Carried::Foreign };
        let Some(page) = self.restore_page(known, Server::Knows).filter(|page| page.cursor.seq > after.seq) else {
            return Carried::Nothing;
        };
        Carried::News(ReceivedPage {
            updates_relayed: page.updates.into_iter().map(|entry| ReceivedEntry::Shown(Box::new(entry))).collect(),
            server_seq_num: page.cursor.seq,
            cursor: page.cursor,
            chain: Some(page.chain),
            head_seq_num: self.head.max(page.cursor.seq),
            more: page.more,
            status: self.meet,
        })
    }
    /// The last place up to a cursor where this log can be told from another one; the reader compares what lies between.
    fn known_place(&self, after: Cursor) -> Option<u64> {
        let Some(tag) = after.tag else { return Some(after.seq) };
        match self.canonical.chains().range(..=after.seq).next_back() {
            Some((&seq, chain)) if seq == after.seq => (Cursor::at(seq, chain).tag == Some(tag)).then_some(seq),
            Some((&seq, _)) => Some(seq),
            None => Some(0),
        }
    }
}

//! Handing the log back to a server that has lost it.

use crate::client::channel::RestorePage;
use crate::meet::chain::Cursor;
use crate::meet::entry::EntryFields;
use crate::meet::limits::{BODY_MAX_BYTES, PAGE_DEFAULT_ENTRIES};

use super::Replica;

/// Bytes of a page besides its entries: ticket, cursor, chain.
const FRAME_BYTES: usize = 64 * 1024;
/// Bytes of an entry besides texts of variable length: names of members, times, numbers.
const ENTRY_BYTES: usize = 320;

/// For whom a log is handed back.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::channel::memory::MemoryServer;
/// use liftrelay::client::replica::{Credentials, Record, Server};
///
/// # let (mut desk, channel) = (hall::member("desk"), MemoryServer::new().channel("desk", "laptop", 1));
/// # hall::set(&mut desk, "lot", "7")?;
/// # hall::exchange(&mut desk, &channel).await?;
/// let ticket = Credentials { session_token: String::new(), expires_at: None, recovery_ticket: "sealed".to_owned(), ticket_version: 1 };
/// desk.apply(&Record::Renewed(ticket));
/// let ticket_for = |server| desk.restore_page(0, server).and_then(|page| page.recovery_ticket);
/// assert_eq!(ticket_for(Server::Knows), None);
/// assert_eq!(ticket_for(Server::LostTheMeet).as_deref(), Some("sealed"));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// One that knows the meet.
    Knows,
    /// One that has lost the meet: the recovery ticket goes along.
    LostTheMeet,
}

impl Replica {
    /// The page of the log behind entry `after`; its cursor is where the next one goes on, as long as it says `more`.
    /// A page ends where a page of the server's ended, for only there the chain is known that proves it.
    /// `None` where no chain is known at all, so that nothing can be proved: then there was never anything to lose.
    pub fn restore_page(&self, after: u64, server: Server) -> Option<RestorePage> {
        let chains = self.canonical.chains();
        let (&last, _) = chains.last_key_value()?;
        let ends = chains.range(after.min(last)..).filter(|(end, _)| **end > after || **end == last);
        let (&end, &chain) = ends.clone().take_while(|(end, _)| self.fits_a_page(after, **end)).last().or_else(|| ends.clone().next())?;
        let entries = self.canonical.after(after).iter().take(usize::try_from(end.saturating_sub(after)).unwrap_or(0));
        let ticket = self.credentials.as_ref().filter(|_| server == Server::LostTheMeet);
        Some(RestorePage {
            recovery_ticket: ticket.map(|credentials| credentials.recovery_ticket.clone()),
            updates: entries.map(|entry| EntryFields::clone(entry)).collect(),
            cursor: Cursor::at(end, &chain),
            chain,
            more: end < last,
        })
    }

    fn fits_a_page(&self, after: u64, end: u64) -> bool {
        let count = usize::try_from(end.saturating_sub(after)).unwrap_or(usize::MAX);
        let entries = self.canonical.after(after).iter().take(count.min(PAGE_DEFAULT_ENTRIES + 1));
        count <= PAGE_DEFAULT_ENTRIES && entries.map(|entry| bytes(entry)).sum::<usize>() + FRAME_BYTES <= BODY_MAX_BYTES
    }
}

fn bytes(entry: &EntryFields) -> usize {
    let texts = [&*entry.client_id, &*entry.location_name, &*entry.update_key];
    let values = entry.update_value.get().len() + entry.previous_value.as_ref().map_or(0, |value| value.get().len());
    // Names and keys may need escapes.
    ENTRY_BYTES + values + 20 * entry.overrules.len() + texts.iter().map(|text| 2 * text.len()).sum::<usize>()
}

//! Logs that no key vouches for: collected, and applied all at once.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::{error, info};

use crate::meet::Meet;
use crate::meet::limits::UNPROVEN_ALL_MAX_BYTES;
use crate::meet::outcome::Record;
use crate::meet::restore::Handed;
use crate::meet::time::Timestamp;
use crate::meet::unproven::{Collected, Collecting};
use crate::meet::update;

use super::live::Fault;
use super::orders::{Bring, Restoration};
use super::recovery::Superseded;
use super::writer::Writer;

/// What was brought, and what each location's word weighs.
#[derive(Debug)]
pub(super) struct Collection {
    collected: Collected,
    priorities: HashMap<Arc<str>, i64>,
    /// Its part of what all meets hold.
    held: usize,
    room: Arc<Room>,
}

/// Bytes that all meets hold together while they collect.
#[derive(Debug, Default)]
pub(super) struct Room {
    held: AtomicUsize,
}

impl Collection {
    pub(super) fn new(room: Arc<Room>) -> Collection {
        Collection { collected: Collected::default(), priorities: HashMap::new(), held: 0, room }
    }

    /// Pages that other meets take at this instant are not counted: each is a few megabytes at most.
    fn take(&mut self, by: &update::Writer, page: Handed) -> Collecting {
        let others = self.room.held.load(Ordering::Relaxed).saturating_sub(self.held);
        let collecting = self.collected.take(by, page, UNPROVEN_ALL_MAX_BYTES.saturating_sub(others));
        self.count(self.collected.bytes());
        collecting
    }

    fn apply(&mut self, meet: &mut Meet, now: Timestamp) -> (Vec<Record>, usize) {
        let applied = self.collected.apply(meet, &self.priorities, now);
        self.count(self.collected.bytes());
        applied
    }

    fn count(&mut self, held: usize) {
        self.room.held.fetch_add(held, Ordering::Relaxed);
        self.room.held.fetch_sub(self.held, Ordering::Relaxed);
        self.held = held;
    }
}

impl Drop for Collection {
    fn drop(&mut self) {
        self.count(0);
    }
}

impl Writer {
    /// Collects a page. The last one that was waited for, and each that comes later, is applied: durable, then shown,
    /// then answered. `None` when the disk failed.
    pub(super) async fn bring(mut self, order: Bring) -> Option<Writer> {
        let Bring { by, page, locations, reply, _pending } = order;
        if self.desk.committed.finished_at().is_some() {
            let _ = reply.send(Ok(Restoration::Finished));
            return Some(self);
        }
        let expected: Vec<_> = locations.keys().cloned().collect();
        let (location, more) = (by.location_name.clone(), page.more);
        let desk = self.desk.clone();
        let collected = tokio::task::spawn_blocking(move || {
            self.collecting.priorities = locations;
            let collecting = self.collecting.take(&by, page);
            (self, collecting)
        });
        let Ok((mut writer, collecting)) = collected.await else {
            desk.fail();
            let _ = reply.send(Err(Fault::Internal));
            return None;
        };
        let refused = match collecting {
            Collecting::Taken => None,
            Collecting::Apart => Some(Restoration::Apart),
            Collecting::Full => Some(Restoration::Full),
        };
        if let Some(refused) = refused {
            let _ = reply.send(Ok(refused));
            return Some(writer);
        }
        let is_waiting = writer.desk.recovery.is_some();
        let is_last = if is_waiting { writer.desk.handed_back(location, more, &expected) } else { !more };
        let settled = if is_last { writer.settle().await } else { Some(writer) };
        let answer = settled.as_ref().map(|_| Restoration::Taken { forked: true }).ok_or(Fault::StorageFailed);
        let _ = reply.send(answer);
        settled
    }

    /// Applies what was collected or is to be carried over, each in one commit of the journal, and ends the recovery. `None` when the disk failed.
    pub(super) async fn settle(mut self) -> Option<Writer> {
        let desk = self.desk.clone();
        let settled = tokio::task::spawn_blocking(move || {
            let result = self.apply_collected().and_then(|()| self.carry_vouched());
            (self, result)
        });
        match settled.await {
            Ok((mut writer, Ok(has_carried))) => {
                writer.desk.go_live().await;
                if has_carried {
                    writer.desk.write_down(|file| file.superseded = Some(Superseded::Carried)).await;
                }
                Some(writer)
            }
            Ok((_, Err(error))) => {
                error!(meet = %desk.id, %error, "the log could not be written: the meet takes no updates until the disk works again");
                desk.fail();
                None
            }
            Err(_) => {
                desk.fail();
                None
            }
        }
    }

    fn apply_collected(&mut self) -> io::Result<()> {
        let (records, lost) = self.collecting.apply(&mut self.meet, self.desk.clock.now());
        if records.is_empty() {
            return Ok(());
        }
        self.take_down(&records)?;
        info!(meet = %self.desk.id, records = records.len(), lost, head = self.meet.log().head(), "entries came back unproven");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meet::chain::ServerKey;
    use crate::meet::entry::EntryFields;
    use crate::meet::id::MeetId;
    use crate::meet::settings::TieBreak;
    use crate::meet::update::Op;

    fn page(chain: crate::meet::chain::ChainValue) -> Handed {
        let entry = EntryFields {
            at: Timestamp::from_millis(0),
            client_id: "tablet".into(),
            commit: 1,
            local_seq_num: None,
            location_name: "desk".into(),
            op: Op::Set,
            overrules: Box::default(),
            previous_value: None,
            priority: 10,
            server_seq_num: 1,
            update_key: "lot".into(),
            update_value: serde_json::value::RawValue::from_string("1".to_owned()).unwrap(),
        };
        Handed { entries: vec![entry], place: 1, chain, more: false }
    }

    #[test]
    fn all_meets_share_one_room_and_give_back_what_they_no_longer_hold() {
        let room = Arc::new(Room::default());
        let key = ServerKey::new([7; 32]);
        let chain = key.chain_start(MeetId::from_random(1), &[0; 16]);
        let by = update::Writer { location_name: "desk".into(), client_id: "tablet".into() };
        let [mut one, mut other] = [(); 2].map(|()| Collection::new(Arc::clone(&room)));
        assert_eq!(one.take(&by, page(chain)), Collecting::Taken);
        let size = one.held;
        assert_eq!((one.take(&by, page(chain)), one.held), (Collecting::Taken, size), "the same once more takes no more");
        room.held.store(UNPROVEN_ALL_MAX_BYTES, Ordering::Relaxed);
        assert_eq!(other.take(&by, page(chain)), Collecting::Full);
        assert_eq!(one.take(&by, page(chain)), Collecting::Taken, "its own place is kept");
        room.held.fetch_sub(size, Ordering::Relaxed);
        assert_eq!(other.take(&by, page(chain)), Collecting::Taken);
        let mut meet = Meet::new(key, chain, TieBreak::default());
        assert_eq!(one.apply(&mut meet, Timestamp::from_millis(0)).0.len(), 1);
        drop(other);
        assert_eq!(room.held.load(Ordering::Relaxed), UNPROVEN_ALL_MAX_BYTES - 2 * size);
    }
}

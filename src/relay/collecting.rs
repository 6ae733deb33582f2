//! Logs that no key vouches for: collected, and applied all at once.

use std::collections::HashMap;
use std::io;
use std::time::Instant;

use tracing::{error, info};

use crate::meet::outcome::Record;
use crate::meet::unproven::{Collected, Collecting};

use super::live::Fault;
use super::orders::{Bring, Restoration};
use super::writer::{Writer, entries};

/// What was brought, and what each location's word weighs.
#[derive(Debug, Default)]
pub(super) struct Collection {
    collected: Collected,
    priorities: HashMap<Box<str>, i64>,
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
            let collecting = self.collecting.collected.take(&by, page);
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
        let is_last = if is_waiting { writer.desk.brought(location, more, &expected) } else { !more };
        let settled = if is_last { writer.settle().await } else { Some(writer) };
        let answer = settled.as_ref().map(|_| Restoration::Taken { forked: true }).ok_or(Fault::StorageFailed);
        let _ = reply.send(answer);
        settled
    }

    /// Applies what was collected, all of it in one commit of the journal, and ends the recovery. `None` when the disk failed.
    pub(super) async fn settle(mut self) -> Option<Writer> {
        let desk = self.desk.clone();
        let settled = tokio::task::spawn_blocking(move || {
            let result = self.apply_collected();
            (self, result)
        });
        match settled.await {
            Ok((mut writer, Ok(()))) => {
                writer.desk.go_live().await;
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
        let Collection { collected, priorities } = &mut self.collecting;
        let (records, lost): (Vec<Record>, _) = collected.apply(&mut self.meet, priorities, self.desk.clock.now());
        if records.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        self.log.append(&records)?;
        self.desk.metrics.writing.synced(&records, started.elapsed(), std::iter::empty());
        self.desk.committed.publish(&entries(&records));
        info!(meet = %self.desk.id, records = records.len(), lost, head = self.meet.log().head(), "entries came back unproven");
        Ok(())
    }
}

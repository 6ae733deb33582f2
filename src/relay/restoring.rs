//! Logs that clients hand back, page by page.

use std::collections::HashMap;
use std::io;
use std::time::Instant;

use tracing::{error, info, warn};

use crate::meet::limits::UPLOADS_MAX;
use crate::meet::outcome::Record;
use crate::meet::restore::{Handed, Restored, Upload};
use crate::meet::update;

use super::group::entries;
use super::live::Fault;
use super::orders::{Restoration, Restore};
use super::writer::Writer;

/// How far the clients of one meet have come, one each.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    kept: HashMap<update::Writer, (Instant, Upload)>,
}

impl Uploads {
    fn take(&mut self, by: &update::Writer) -> Option<Upload> {
        self.kept.remove(by).map(|(_, upload)| upload)
    }

    /// The client that was silent longest makes room: it is told to start again.
    fn keep(&mut self, by: update::Writer, upload: Upload) {
        if self.kept.len() >= UPLOADS_MAX
            && let Some(silent) = self.kept.iter().min_by_key(|(_, (at, _))| *at).map(|(by, _)| by.clone())
        {
            self.kept.remove(&silent);
        }
        self.kept.insert(by, (Instant::now(), upload));
    }
}

impl Writer {
    /// Takes a page: durable first, then shown, then answered. `None` when the disk failed, as for pushes.
    pub(super) async fn restore(mut self, order: Restore) -> Option<Writer> {
        let Restore { by, page, expected, reply, _pending } = order;
        let (location, more) = (by.location_name.clone(), page.more);
        let desk = self.desk.clone();
        // A page is thousands of entries to check, and the disk is slow.
        let taken = tokio::task::spawn_blocking(move || {
            let result = self.take_page(by, page);
            (self, result)
        });
        let Ok((mut writer, result)) = taken.await else {
            desk.fail();
            let _ = reply.send(Err(Fault::Internal));
            return None;
        };
        match result {
            Ok(restoration) => {
                let is_taken = matches!(restoration, Restoration::Taken { .. });
                let is_over = is_taken && writer.desk.handed_back(location, more, &expected);
                let settled = if is_over { writer.settle().await } else { Some(writer) };
                let _ = reply.send(settled.as_ref().map(|_| restoration).ok_or(Fault::StorageFailed));
                settled
            }
            Err(error) if writer.mending.is_some() => {
                error!(meet = %desk.id, %error, "the whole log could not be written, so the damaged one stays for now");
                let _ = reply.send(Err(Fault::StorageFailed));
                Some(writer)
            }
            Err(error) => {
                error!(meet = %desk.id, %error, "the log could not be written: the meet takes no updates until the disk works again");
                desk.fail();
                let _ = reply.send(Err(Fault::StorageFailed));
                None
            }
        }
    }

    /// Makes records durable that no push has brought, then shows them.
    pub(super) fn take_down(&mut self, records: &[Record]) -> io::Result<()> {
        let started = Instant::now();
        self.log.append(records)?;
        self.desk.metrics.writing.synced(records, started.elapsed(), std::iter::empty());
        self.desk.committed.publish(&entries(records));
        Ok(())
    }

    fn take_page(&mut self, by: update::Writer, page: Handed) -> io::Result<Restoration> {
        let upload = self.uploads.take(&by);
        let (records, lost, forked, upload) = match self.meet.restore(upload, page, self.desk.clock.now()) {
            Restored::Taken { records, lost, forked, upload } => (records, lost, forked, upload),
            Restored::Apart => return Ok(Restoration::Apart),
            Restored::Finished => return Ok(Restoration::Finished),
            // An editor of the meet whose place this one took had no way to know.
            Restored::Forged if self.desk.file.as_ref().is_some_and(|file| file.superseded.is_some()) => return Ok(Restoration::Apart),
            Restored::Forged => {
                warn!(meet = %self.desk.id, location = ?by.location_name, client = ?by.client_id, "a log was handed back that this server has not written");
                return Ok(Restoration::Forged);
            }
        };
        if self.mending.is_some() {
            self.mend(records)?;
        } else if !records.is_empty() {
            self.take_down(&records)?;
            let head = self.meet.log().head();
            info!(meet = %self.desk.id, location = ?by.location_name, client = ?by.client_id, records = records.len(), lost, forked, head, "entries came back");
        }
        if let Some(upload) = upload {
            self.uploads.keep(by, upload);
        }
        Ok(Restoration::Taken { forked })
    }
}

//! A server that has lost something, or lets nobody in any more.

use tokio::time::Instant;

use crate::client::channel::{Answer, Fault, Hints};
use crate::client::replica::record::Credentials;
use crate::client::replica::{Record, Replica, Server};
use crate::client::retry::may_succeed_later;
use crate::wire::problem::Code;
use crate::wire::reply::ReceivedRestored;

use super::LiveError;
use super::driver::Driver;
use super::status::Link;

/// What handing a log back came to.
enum HandedBack {
    /// The server has it, or its own.
    Taken(Box<ReceivedRestored>),
    /// It is of another history.
    Apart,
    /// It did not come through.
    Failed(Fault),
}

impl Driver {
    /// The server has lost what is behind `after`.
    pub(super) async fn hand_back(&mut self, after: u64) -> Result<(), LiveError> {
        match self.send_log(after, Server::Knows).await {
            HandedBack::Taken(restored) if restored.history_changed => self.start_over().await,
            HandedBack::Taken(_) => Ok(()),
            HandedBack::Apart if after > 0 => self.hand_back_all().await,
            HandedBack::Apart => self.start_over().await,
            HandedBack::Failed(fault) => self.could_not(&fault),
        }
    }

    /// The server's history is another one: it gets the whole of this one, for others may have lost theirs, and is then read anew.
    pub(super) async fn hand_back_all(&mut self) -> Result<(), LiveError> {
        if let HandedBack::Failed(fault) = self.send_log(0, Server::Knows).await {
            return self.could_not(&fault);
        }
        self.start_over().await
    }

    async fn start_over(&mut self) -> Result<(), LiveError> {
        self.core.change(|_| Ok::<_, LiveError>(vec![Record::Reset])).await.map(drop)
    }

    #[expect(clippy::unnecessary_wraps, reason = "an arm among others that can fail")]
    fn could_not(&mut self, fault: &Fault) -> Result<(), LiveError> {
        self.failures += 1;
        self.core.set_link(Link::Down { why: format!("handing the log back to the server: {fault}") });
        Ok(())
    }

    async fn send_log(&self, mut after: u64, server: Server) -> HandedBack {
        loop {
            let Some(page) = self.core.read(|replica| replica.restore_page(after, server)) else { return HandedBack::Apart };
            let (more, end) = (page.more, page.cursor.seq);
            match self.channel.restore(page).await {
                Ok(_) if more => after = end,
                Ok(restored) => return HandedBack::Taken(Box::new(restored)),
                Err(Fault::Refused { code: Some(Code::HistoryChanged | Code::InvalidRequest), .. }) => return HandedBack::Apart,
                Err(fault) => return HandedBack::Failed(fault),
            }
        }
    }

    /// The session opens nothing any more. Either the server has lost the meet, and gets it back with the ticket, or the
    /// session has ended, and a new one is asked for, once.
    pub(super) async fn let_in_again(&mut self) -> Result<(), LiveError> {
        let has_ticket = self.core.read(|replica| replica.credentials().is_some());
        if has_ticket {
            match self.send_log(0, Server::LostTheMeet).await {
                HandedBack::Taken(restored) if self.came_back(&restored).await? => return Ok(()),
                HandedBack::Failed(fault) if may_succeed_later(&fault) => {
                    self.locked_out_for_now(&fault);
                    return Ok(());
                }
                // Where an old ticket has restored the meet, and bought no session, the password opens it.
                HandedBack::Taken(_) | HandedBack::Apart | HandedBack::Failed(_) => {}
            }
        }
        let Some(access) = self.access.clone().filter(|_| !self.has_asked) else {
            self.locked_out();
            return Ok(());
        };
        self.has_asked = true;
        match access.login().await {
            Ok(session) => {
                (self.renewed, self.has_asked) = (Some(Instant::now()), false);
                // The client stays the same, so its identity does.
                let records = self.core.read(|replica| replica.join(&session));
                self.core.change(move |_| Ok::<_, LiveError>(records.unwrap_or_default())).await?;
            }
            Err(later) if may_succeed_later(&later) => {
                self.has_asked = false;
                self.locked_out_for_now(&later);
            }
            Err(_) => self.locked_out(),
        }
        Ok(())
    }

    /// The server has the meet again; tells whether the ticket has bought a session.
    async fn came_back(&mut self, restored: &ReceivedRestored) -> Result<bool, LiveError> {
        let renewed = restored.session_token.clone().and_then(|session_token| {
            let known = self.core.read(|replica| replica.credentials().cloned())?;
            Some(Record::Renewed(Credentials { session_token, expires_at: restored.expires_at, ..known }))
        });
        let is_open = renewed.is_some();
        self.renewed = is_open.then(Instant::now).or(self.renewed);
        let mut records: Vec<_> = renewed.into_iter().collect();
        records.extend(restored.history_changed.then_some(Record::Reset));
        self.core.change(move |_| Ok::<_, LiveError>(records)).await?;
        Ok(is_open)
    }

    /// A newer ticket is there, for instance because a location was added: without it a recovery would bring back the old ones.
    pub(super) async fn renew_ticket(&mut self, hints: &Hints) -> Result<(), LiveError> {
        let Some(version) = hints.ticket_version else { return Ok(()) };
        let known = self.core.read(|replica: &Replica| replica.credentials().cloned());
        let (Some(known), Some(access)) = (known.filter(|known| known.ticket_version < version), &self.access) else { return Ok(()) };
        // Where it does not come now, the next heartbeat asks again.
        if let Ok((recovery_ticket, ticket_version)) = access.ticket().await {
            let renewed = Record::Renewed(Credentials { recovery_ticket, ticket_version, ..known });
            self.core.change(move |_| Ok::<_, LiveError>(vec![renewed])).await?;
        }
        Ok(())
    }
}

pub(super) fn hints(answer: &Answer) -> Hints {
    match answer {
        Answer::Done(reply) | Answer::Finished(reply) => reply.hints.clone(),
        _ => Hints::default(),
    }
}

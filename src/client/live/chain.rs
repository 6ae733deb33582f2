//! Pending edits that take effect together or not at all.

use tokio::sync::MutexGuard;

use crate::client::channel::Channel;
use crate::client::replica::chain::{Decision, SyncChain};
use crate::client::replica::{Need, Replica};
use crate::client::retry::{Retry, may_succeed_later, random};
use crate::wire::reply::ReceivedConflict;

use super::core::Core;
use super::{Live, LiveError};

/// The turn to send edits. Whoever found it taken looks again when it is given back, also where the chain is given up.
struct Turn<'a> {
    core: &'a Core,
    held: Option<MutexGuard<'a, ()>>,
}

impl Turn<'_> {
    async fn take(core: &Core) -> Turn<'_> {
        Turn { core, held: Some(core.sending.lock().await) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.held = None;
        self.core.edited();
    }
}

/// What a sync chain came to.
///
/// ```
/// # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liftrelay::client::live::ChainEnd;
/// use liftrelay::client::replica::{Edit, chain::Decision};
///
/// # let (live, channel, server) = hall::live()?;
/// live.edit(vec![Edit::set("lot", "7")?]).await?;
/// let end = live.sync_chain(&*channel, |_refusal, _replica| Decision::DropThis).await?;
/// assert_eq!(end, ChainEnd::Committed);
/// assert_eq!(server.state().canonical(), r#"{"lot":7}"#);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainEnd {
    /// Everything that was neither given up nor set aside is committed.
    Committed,
    /// The server has lost something, lets nobody in, or takes no more: edits that are left go by themselves once that is over.
    Interrupted(String),
}

impl Live {
    /// Sends what is pending as one [chain](crate::client::replica::chain) over `channel`, asking `decide` about each refusal.
    /// Meanwhile nothing else is sent, so a chain that is begun while the server is out of reach waits for it. What is under way
    /// when it is begun is heard first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sync_chain(
        &self,
        channel: &dyn Channel,
        mut decide: impl FnMut(&ReceivedConflict, &Replica) -> Decision,
    ) -> Result<ChainEnd, LiveError> {
        let _turn = Turn::take(&self.core).await;
        let (mut chain, mut retry) = (self.read(SyncChain::start), Retry::default());
        while let Some(outgoing) = self.read(|replica| chain.push(replica)) {
            if let Some(record) = outgoing.record.clone() {
                self.core.change(move |_| Ok::<_, LiveError>(vec![record])).await?;
            }
            let answer = match channel.push(outgoing.push).await {
                Ok(answer) => answer,
                Err(fault) if may_succeed_later(&fault) => {
                    tokio::time::sleep(retry.pause(&fault, random())).await;
                    continue;
                }
                Err(fault) => return Ok(ChainEnd::Interrupted(fault.to_string())),
            };
            retry.succeeded();
            let heard = match self.read(|replica| replica.answered(answer)) {
                Ok(heard) => heard,
                Err(unfit) => return Ok(ChainEnd::Interrupted(unfit.to_string())),
            };
            if let Some(record) = heard.record {
                self.core.change(move |_| Ok::<_, LiveError>(vec![record])).await?;
            }
            match heard.need {
                Need::Nothing => {}
                Need::Again => self.read(|replica| chain.stale(replica)),
                Need::Decision(conflict) => {
                    let records = self.read(|replica| chain.decide(replica, &conflict, &decide(&conflict, replica)));
                    self.core.change(move |_| Ok::<_, LiveError>(records)).await?;
                }
                Need::Restore { .. } | Need::Reset => {
                    return Ok(ChainEnd::Interrupted("the server has another history; it is settled first".to_owned()));
                }
            }
        }
        let interruption = self.read(|replica| chain.interruption(replica));
        Ok(interruption.map_or(ChainEnd::Committed, |why| ChainEnd::Interrupted(why.to_owned())))
    }
}

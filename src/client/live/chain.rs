//! Pending edits that take effect together or not at all.

use crate::client::channel::Channel;
use crate::client::replica::chain::{Decision, SyncChain};
use crate::client::replica::{Need, Replica};
use crate::client::retry::{Retry, may_succeed_later, random};
use crate::wire::reply::ReceivedConflict;

use super::{Live, LiveError};

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
    /// Everything that was not given up is committed.
    Committed,
    /// The server has lost something, or lets nobody in: the edits wait and go by themselves once that is over.
    Interrupted(String),
}

impl Live {
    /// Sends what is pending as one [chain](crate::client::replica::chain) over `channel`, asking `decide` about each refusal.
    /// Meanwhile nothing else is sent.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sync_chain(
        &self,
        channel: &dyn Channel,
        mut decide: impl FnMut(&ReceivedConflict, &Replica) -> Decision,
    ) -> Result<ChainEnd, LiveError> {
        let _turn = self.core.sending.lock().await;
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
                    let records = self.read(|replica| chain.decide(&conflict, &decide(&conflict, replica)));
                    self.core.change(move |_| Ok::<_, LiveError>(records)).await?;
                }
                Need::Restore { .. } | Need::Reset => {
                    return Ok(ChainEnd::Interrupted("the server has another history; it is settled first".to_owned()));
                }
            }
        }
        self.core.edited();
        Ok(ChainEnd::Committed)
    }
}

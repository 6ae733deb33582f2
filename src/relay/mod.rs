//! One writer per meet, any number of followers.
//!
//! A push goes through its meet's mailbox to the one task that may change the meet. That task
//! carries out all that waits, appends it to the journal with one sync, publishes it to the
//! committed view and only then answers. Followers are a cursor over that view and a wake-up:
//! long-polls, `sync`, SSE and NDJSON all read the same way, so a slow one loses nothing and
//! keeps nobody waiting.
//!
//! Finishing a meet goes through the same mailbox, so that everything acked before is in the finished meet;
//! so do the logs that clients hand back to a server that has lost some of its own.

mod checkpoint;
pub mod clock;
mod collecting;
pub mod committed;
mod finished;
pub mod follower;
mod frames;
mod group;
pub mod live;
mod making;
mod mending;
pub mod orders;
pub mod presence;
mod pulled;
pub mod recovery;
pub mod registry;
mod replay;
mod restoring;
mod resuming;
mod superseding;
pub mod survey;
#[cfg(test)]
mod tests;
mod writer;

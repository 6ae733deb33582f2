//! The client: holds a meet locally, goes on without the network, and comes back without losing or doubling anything.
//!
//! # A meet in twenty lines
//!
//! Most programs need one thing: a [`Live`](live::Live) replica. It shows the meet as one tree, takes edits at any time and
//! keeps itself in step with the server, whatever the network does.
//!
//! ```
//! # mod hall { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared/hall.rs")); }
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use liftrelay::client::api::{Join, Options, Server};
//! use liftrelay::client::channel::ladder::Ladder;
//! use liftrelay::client::live::{self, Live};
//! use liftrelay::client::replica::{Edit, Replica};
//! use liftrelay::client::store::{FileStore, ReplicaStore};
//!
//! # let (url, meet) = hall::session().await.map(|session| (session.server().base().clone(), session.meet()))?;
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("desk.replica");
//! // Join the meet once, and note in a file who this client is.
//! let server = Server::new(url, Options::default())?;
//! let join = Join { password: "a long password", location_name: "desk", client_id: None };
//! let joined = server.join(meet, &join).await?;
//! let mut store = FileStore::open(&path)?;
//! store.append(&Replica::default().join(&joined)?)?;
//!
//! // From here on the file is enough to start, with the network or without it.
//! let ladder = Ladder::new(server.session(&joined)?);
//! let live = Live::start(Box::new(store), Arc::new(ladder), live::Options::default())?;
//! live.edit(vec![Edit::set("meet.name", "\"Spring Open\"")?]).await?;
//! let shown = live.read(|replica| replica.state().canonical());
//! assert_eq!(shown, r#"{"meet":{"name":"Spring Open"}}"#);
//! live.settled().await; // The server has it, and so has everybody else.
//! live.close().await;
//! # Ok(()) }
//! ```
//!
//! `examples/scoreboard.rs` is a whole program of this kind.
//!
//! # From the wire up
//!
//! | layer | what it does | when to use it by itself |
//! |---|---|---|
//! | [`api`] | one request, one answer | to create and join meets; for a script that pushes or reads once |
//! | [`channel`] | carries pushes and pulls, in one way of many; retries nothing and remembers nothing | to bring your own transport, or none: [`MemoryServer`](channel::memory::MemoryServer) is a whole meet in memory, for tests |
//! | [`replica`] | the rules: what an edit, an answer or a lost history means. No I/O, no clock | inside a loop of your own |
//! | [`store`] | keeps what happened to a replica, so that being killed costs nothing | to keep it elsewhere than in a file |
//! | [`schedule`], [`retry`] | when to send, how long to wait | to send on a schedule of your own |
//! | [`live`] | the loop over all of these | nearly always |
//! | [`doctor`] | climbs every rung of the [ladder](channel::ladder) and names what is in between | where a hall's network misbehaves |
//!
//! # What may be relied on
//!
//! - An edit is stored before it is shown, and shown before it is sent. It ends in the log once, or in
//!   [`set_aside`](replica::Replica::set_aside) with the reason: who overruled it, and with what.
//! - Nobody sees half a step: what is new and what is still pending are put together before [`News`](replica::News) tells of it.
//! - The cursor is in the data. Channels may be changed, doubled and dropped between any two calls.
//! - A refused edit stands in nobody's way, and a fault of the network is a [`Status`](live::Status), not an error.
//!
//! Built on [`meet`](crate::meet) and [`wire`](crate::wire) alone, so that what a program gets here is what the server itself
//! believes.

pub mod api;
pub mod channel;
pub mod doctor;
pub mod live;
pub mod replica;
pub mod retry;
pub mod schedule;
pub mod store;

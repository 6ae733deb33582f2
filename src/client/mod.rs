//! The client: holds a meet locally, goes on without the network, and comes back without losing or doubling anything.
//!
//! Built on `meet` and `wire` alone, so that what a program gets here is what the server itself believes.

pub mod api;
pub mod channel;
pub mod doctor;
pub mod live;
pub mod replica;
pub mod retry;
pub mod schedule;
pub mod store;

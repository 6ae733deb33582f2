//! The client library against real servers.

mod channels;
mod hall;
mod ladder;

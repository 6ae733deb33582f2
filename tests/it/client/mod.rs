//! The client library against real servers.

mod cable;
mod channels;
mod ended;
mod hall;
mod ladder;
mod live;
mod member;
mod rung;
mod secure;
mod sessions;
mod traces;

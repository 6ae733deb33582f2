//! Replicas against the pure meet as the authority: no sockets, no clock, every fault on demand.

mod cases;
mod chain;
mod hall;
mod property;
mod schedules;

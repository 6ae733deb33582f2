//! The conflict rules a second time, and requests to try the core with: for the core's own tests, the fuzz targets, and whoever
//! else wants to know what a meet should have answered. Uses the crate as anyone does, and no test's own helpers.
#![allow(dead_code, reason = "each of those that share it uses a part")]

mod contract;
pub(crate) mod hall;
pub(crate) mod request;
pub(crate) mod script;
mod tree;

pub(crate) use contract::Oracle;

//! The lower layers of liftrelay, from the same files: what the targets feed needs no server, and alone they build in a tenth of
//! the time. That they can be taken out like this is the rule of the layers.
#![allow(dead_code, unused_imports, reason = "the layers above use the rest")]

#[path = "../../src/meet/mod.rs"]
pub mod meet;
#[path = "../../src/mutant.rs"]
mod mutant;
#[path = "../../src/store/mod.rs"]
pub mod store;
#[path = "../../src/wire/mod.rs"]
pub mod wire;

//! The naive oracle of the core's own tests, which names the core by its place in the tree.

pub use liftrelay::meet::*;

pub mod tests;

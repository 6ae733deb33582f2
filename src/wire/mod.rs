//! What travels: requests, replies, stream events and problems, as `openapi.yaml` describes them.
//!
//! The same object is a response body, a line of NDJSON, the `data:` of an SSE event and, later,
//! a socket message. Nothing here decides anything.

pub mod audience;
pub mod message;
pub mod problem;
pub mod publish;
pub mod reply;
pub mod request;
pub mod sse;
mod straight;
pub mod stream;

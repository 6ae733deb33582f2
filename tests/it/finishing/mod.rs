//! Finishing a meet: what ends, what goes on, and that nothing is lost on the way.

mod crashes;
mod reading;
mod streams;
mod updates;

use serde_json::{Value, json};

use crate::support::Client;
use crate::support::client::Reply;

async fn finish(client: &Client) -> Reply {
    client.post(&client.of_meet("/finish"), &json!({})).await
}

/// Finishes the meet; gives the reply.
async fn finished(client: &Client) -> Value {
    let reply = finish(client).await.expect(200);
    assert_eq!((&reply["msgType"], &reply["status"]), (&json!("MEET_FINISHED"), &json!("finished")));
    reply
}

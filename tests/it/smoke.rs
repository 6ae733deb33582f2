//! The first minute.

use serde_json::json;

use crate::support::TestServer;
use crate::support::stream::assert_gapless;

#[tokio::test]
async fn a_password_an_update_and_everyone_else_sees_it() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let platform = desk.join("platform 1").await;
    let mut events = platform.events("after=0").await;
    let hello = events.expect("hello").await;
    assert_eq!(hello.json["meetId"], desk.session["meetId"]);
    let number = desk.set("meet.name", json!("Test Open")).await;
    let entries = events.entries_until(number).await;
    assert_gapless(&entries, 1);
    assert_eq!(entries[0]["updateValue"], "Test Open");
    assert_eq!(platform.state().await["state"], json!({"meet": {"name": "Test Open"}}));
}

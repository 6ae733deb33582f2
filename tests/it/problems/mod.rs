//! Everything that can be refused is refused by name, with a text that helps.

mod every_code;
mod every_update_code;
mod invalid;
mod joining;
mod limits;
mod sessions;

use reqwest::header::ORIGIN;
use reqwest::{Body, Method};
use serde_json::Value;

use crate::support::client::Reply;
use crate::support::server::options;
use crate::support::{Client, TestServer};
use liftrelay::http::Options;
use liftrelay::store::memory::MemoryStore;

/// Where a page comes from that may use sessions from elsewhere.
const ORIGIN_OF_PAGE: &str = "https://hall.example";

/// A meet with an editor and a viewer, on a server whose disk can be told to fail.
struct Hall {
    server: TestServer,
    store: MemoryStore,
    desk: Client,
    viewer: Client,
}

impl Hall {
    async fn open() -> Hall {
        let store = MemoryStore::default();
        let options = Options { allow_origins: vec![ORIGIN_OF_PAGE.to_owned()], ..options() };
        let server = TestServer::on(std::sync::Arc::new(store.clone()), options).await;
        let desk = server.meet().await;
        let viewer = desk.viewer().await;
        Hall { server, store, desk, viewer }
    }
}

/// Sends a request as a page from elsewhere does.
async fn ask(client: &Client, method: &str, path: &str) -> Reply {
    client.send(client.request(method.parse().unwrap(), path).header(ORIGIN, ORIGIN_OF_PAGE)).await
}

/// The same with a body, which is JSON or says that it is.
async fn send(client: &Client, path: &str, body: impl Into<Body>) -> Reply {
    let request = client.request(Method::POST, path).header(ORIGIN, ORIGIN_OF_PAGE);
    client.send(request.header("content-type", "application/json").body(body)).await
}

async fn post(client: &Client, path: &str, body: Value) -> Reply {
    send(client, path, body.to_string()).await
}

/// A problem without what is different in every reply.
fn without_id(mut problem: Value) -> Value {
    problem.as_object_mut().unwrap().remove("requestId").unwrap();
    problem
}

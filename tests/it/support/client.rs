//! A client over REST. Every reply is checked against `openapi.yaml`.

use std::net::IpAddr;
use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use rustls::ClientConfig;
use serde_json::{Value, json};

use super::contract;
use super::stream::Events;

pub const PASSWORD: &str = "AStrongerPasswordThanThisHopefully";

/// A client of one server, and of one meet once it has created or joined it.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    /// How it speaks TLS where it speaks for itself.
    pub tls: Option<Arc<ClientConfig>>,
    pub base: String,
    /// Nine digits.
    pub meet: String,
    pub token: String,
    pub location: String,
    pub client_id: String,
    /// The reply that made the session.
    pub session: Value,
}

/// A reply, read whole.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// `Null` where the body is empty or no JSON.
    pub json: Value,
    pub text: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks the status and gives the body.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json
    }

    /// Checks that the reply is a problem of this kind.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        let json = self.expect(status);
        assert_eq!(json["code"], code, "{json}");
        json
    }
}

impl Client {
    pub fn new(base: &str) -> Client {
        super::tls::use_ring();
        Client::over(reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(), base)
    }

    /// A client that connects in a way of its own.
    pub fn over(http: reqwest::Client, base: &str) -> Client {
        let empty = String::new;
        Client {
            http,
            tls: None,
            base: base.to_owned(),
            meet: empty(),
            token: empty(),
            location: empty(),
            client_id: empty(),
            session: Value::Null,
        }
    }

    /// The same client with another way of speaking TLS for itself.
    pub fn speaking(self, tls: Arc<ClientConfig>) -> Client {
        Client { tls: Some(tls), ..self }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    /// Sends a request and checks the reply against the contract.
    pub async fn send(&self, request: RequestBuilder) -> Reply {
        let request = request.build().unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = self.http.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        contract::check(&method, &path, status, &headers, &json);
        Reply { status, headers, json, text }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// A path of this client's meet.
    pub fn of_meet(&self, rest: &str) -> String {
        format!("/v1/meets/{}{rest}", self.meet)
    }

    /// The usual locations; equal priorities twice, so that ties can be had.
    pub fn creation(location: &str) -> Value {
        json!({
            "thisLocationName": location,
            "password": PASSWORD,
            "meetName": "Test Open",
            "locations": [
                {"locationName": "desk", "priority": 10},
                {"locationName": "platform 1", "priority": 20},
                {"locationName": "platform 2", "priority": 20},
                {"locationName": "director", "priority": 30},
            ],
        })
    }

    pub async fn create_as(&self, location: &str) -> Client {
        self.create(&Client::creation(location)).await
    }

    pub async fn create(&self, body: &Value) -> Client {
        let session = self.post("/v1/meets", body).await.expect(201);
        self.with_session(session)
    }

    /// Joins this client's meet from a location, as a new client.
    pub async fn join(&self, location: &str) -> Client {
        self.join_with(json!({"password": PASSWORD, "locationName": location})).await
    }

    /// Opens a new session for the same location and client id, as a browser does after a reload.
    pub async fn rejoin(&self) -> Client {
        self.join_with(json!({"password": PASSWORD, "locationName": self.location, "clientId": self.client_id})).await
    }

    pub async fn join_with(&self, body: Value) -> Client {
        let stranger = Client { token: String::new(), ..self.clone() };
        let session = stranger.post(&self.of_meet("/sessions"), &body).await.expect(201);
        self.with_session(session)
    }

    fn with_session(&self, session: Value) -> Client {
        let text = |name: &str| session[name].as_str().unwrap().to_owned();
        Client {
            http: self.http.clone(),
            tls: self.tls.clone(),
            base: self.base.clone(),
            meet: text("meetId").replace('-', ""),
            token: text("sessionToken"),
            location: text("locationName"),
            client_id: text("clientId"),
            session,
        }
    }

    /// A viewer of this meet; `token` is a new view key.
    pub async fn viewer(&self) -> Client {
        let key = self.post(&self.of_meet("/view-keys"), &json!({"label": "overlay"})).await.expect(201);
        Client { token: key["viewKey"].as_str().unwrap().to_owned(), session: key, ..self.clone() }
    }

    /// The same meet on another address, as after a restart on another port.
    pub fn at(&self, base: &str) -> Client {
        Client { base: base.to_owned(), ..self.clone() }
    }

    /// The same client on another of this machine's addresses.
    pub fn with_address(&self, address: IpAddr) -> Client {
        let http = reqwest::Client::builder().local_address(address).build().unwrap();
        Client { http, ..self.clone() }
    }

    /// The same client with another token; an empty one sends none.
    pub fn with_token(&self, token: &str) -> Client {
        Client { token: token.to_owned(), ..self.clone() }
    }

    pub async fn push(&self, updates: Value) -> Reply {
        self.post(&self.of_meet("/updates"), &json!({ "updates": updates })).await
    }

    /// Pushes one update that must be acked; gives its number.
    #[track_caller]
    pub fn set(&self, key: &str, value: Value) -> impl Future<Output = u64> {
        let update = json!([{"updateKey": key, "updateValue": value}]);
        async move {
            let reply = self.push(update).await.expect(200);
            reply["updateAcks"][0]["serverSeqNum"].as_u64().unwrap_or_else(|| panic!("not acked: {reply}"))
        }
    }

    pub async fn sync(&self, body: &Value) -> Reply {
        self.post(&self.of_meet("/sync"), body).await
    }

    /// Everything above `after`, one page.
    pub async fn pull(&self, after: impl std::fmt::Display) -> Value {
        self.get(&self.of_meet(&format!("/updates?after={after}&limit=10000"))).await.expect(200)
    }

    pub async fn state(&self) -> Value {
        self.get(&self.of_meet("/state")).await.expect(200)
    }

    /// Opens a stream, `query` without the question mark.
    pub async fn events(&self, query: &str) -> Events {
        let request = self.request(Method::GET, &self.of_meet(&format!("/events?{query}")));
        Events::open(request).await
    }
}

//! What attackers do, and what they are answered.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::editors::{Editors, PASSWORD};

const SECONDS: u32 = 15;
const PER_SECOND: u32 = 200;
const PATIENCE: Duration = Duration::from_secs(30);

/// How many attempts were answered with which status; `0` is a connection that was closed without one.
#[derive(Default)]
pub struct Answers(BTreeMap<u16, usize>);

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.0.values().sum::<usize>())?;
        self.0.iter().try_for_each(|(status, count)| write!(f, ", {status}: {count}"))
    }
}

impl Extend<u16> for Answers {
    fn extend<I: IntoIterator<Item = u16>>(&mut self, statuses: I) {
        statuses.into_iter().for_each(|status| *self.0.entry(status).or_default() += 1);
    }
}

/// What editors felt, in milliseconds.
pub struct Told {
    pub pushes: usize,
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Told {
    pub fn of(mut times: Vec<Duration>) -> Told {
        times.sort();
        let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3;
        Told { pushes: times.len(), p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

/// Sends a request `PER_SECOND` times a second, whether or not the others have been answered.
async fn flood(request: impl Fn(u32) -> reqwest::RequestBuilder) -> Answers {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    let mut attempts = JoinSet::new();
    for number in 0..SECONDS * PER_SECOND {
        ticks.tick().await;
        let attempt = request(number).timeout(PATIENCE).send();
        attempts.spawn(async move { attempt.await.map_or(0, |response| response.status().as_u16()) });
    }
    let mut answers = Answers::default();
    answers.extend(attempts.join_all().await);
    answers
}

/// Wrong passwords, each from an address of its own as the proxy tells.
pub async fn logins(url: &str, meet: &str) -> Answers {
    let (http, sessions) = (reqwest::Client::new(), format!("{url}{meet}/sessions"));
    let body = json!({"password": "NotTheRightPasswordAtAll", "locationName": "desk"});
    flood(|number| {
        let [_, a, b, c] = number.to_be_bytes();
        http.post(&sessions).header("x-forwarded-for", format!("10.{a}.{b}.{c}")).json(&body)
    })
    .await
}

/// New meets, each of which costs a hash and a folder.
pub async fn meets(url: &str) -> Answers {
    let (http, meets) = (reqwest::Client::new(), format!("{url}/v1/meets"));
    let body = json!({"password": PASSWORD, "thisLocationName": "desk", "locations": [{"locationName": "desk", "priority": 1}]});
    flood(|_| http.post(&meets).json(&body)).await
}

/// Opens a stream and gives the status, the connection kept open.
async fn subscribe(url: &str, path: &str, key: &str) -> (u16, Option<TcpStream>) {
    let Ok(mut stream) = TcpStream::connect(url.trim_start_matches("http://")).await else { return (0, None) };
    let request = format!("GET {path}/events?after=0&key={key} HTTP/1.1\r\nHost: flood\r\n\r\n");
    let mut head = [0; 12];
    let answered = async {
        stream.write_all(request.as_bytes()).await?;
        stream.read_exact(&mut head).await
    };
    let is_answered = tokio::time::timeout(PATIENCE, answered).await.is_ok_and(|read| read.is_ok());
    let status = std::str::from_utf8(&head[9..]).ok().and_then(|status| status.parse().ok()).filter(|_| is_answered).unwrap_or(0);
    (status, Some(stream))
}

/// Readers that take nothing after the first bytes, while 20 MB are pushed.
pub async fn sleepers(url: &str, editors: &Editors) -> Answers {
    let (mut answers, mut asleep) = (Answers::default(), Vec::new());
    for number in 0..1_000 {
        let (status, stream) = subscribe(url, &editors.meet, &editors.view_keys[number % 2]).await;
        answers.extend([status]);
        asleep.push(stream);
    }
    for number in 0..100 {
        let update = json!({"updateKey": format!("blob{}", number % 5), "updateValue": "x".repeat(200_000)});
        editors.post("/updates", &json!({"updates": [update]})).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    answers
}

/// One view key, over and over.
pub async fn subscriptions(url: &str, editors: &Editors) -> Answers {
    let (mut answers, mut open) = (Answers::default(), Vec::new());
    for _ in 0..2_000 {
        let (status, stream) = subscribe(url, &editors.meet, &editors.view_keys[2]).await;
        answers.extend([status]);
        // Who was refused goes away; the others stay.
        open.push(stream.filter(|_| status == 200));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    answers
}

/// Connections that ask nothing; counts those that the server has closed in the end.
pub async fn idlers(url: &str) -> Answers {
    let address = url.trim_start_matches("http://");
    let mut idle = Vec::new();
    for _ in 0..3_000 {
        idle.extend(TcpStream::connect(address).await);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut answers = Answers::default();
    for mut stream in idle {
        let is_closed = tokio::time::timeout(Duration::from_millis(1), stream.read_u8()).await.is_ok();
        answers.extend(is_closed.then_some(0));
    }
    answers
}

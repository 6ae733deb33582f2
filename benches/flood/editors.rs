//! Editors at work: four of them, each with a push every 50 ms.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::attacks::Answers;
use super::server::Server;

pub const PASSWORD: &str = "AStrongerPasswordThanThisHopefully";
const EDITORS: usize = 4;
const EVERY: Duration = Duration::from_millis(50);
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

pub struct Editors {
    /// As in a path: `/v1/meets/123456789`.
    pub meet: String,
    pub view_keys: Vec<String>,
    url: String,
    token: String,
    http: reqwest::Client,
}

impl Editors {
    pub async fn join(url: &str) -> Editors {
        let http = reqwest::Client::new();
        let creation = json!({"password": PASSWORD, "thisLocationName": "desk", "locations": [{"locationName": "desk", "priority": 1}]});
        let session: Value = http.post(format!("{url}/v1/meets")).json(&creation).send().await.unwrap().json().await.unwrap();
        let text = |name: &str| session[name].as_str().unwrap().to_owned();
        let meet = format!("/v1/meets/{}", text("meetId").replace('-', ""));
        let mut editors = Editors { meet, view_keys: Vec::new(), url: url.to_owned(), token: text("sessionToken"), http };
        for _ in 0..3 {
            let made = editors.post("/view-keys", &json!({"label": "display"})).await.json::<Value>().await.unwrap();
            editors.view_keys.push(made["viewKey"].as_str().unwrap().to_owned());
        }
        editors
    }

    pub async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        let request = self.http.post(format!("{}{}{path}", self.url, self.meet)).bearer_auth(&self.token);
        request.json(body).send().await.unwrap()
    }

    /// The attack's answers, how long each push took until it was on the disk and acked, and the most memory that was seen.
    pub async fn during(&self, server: &Server, attack: impl Future<Output = Answers>) -> (Answers, Vec<Duration>, u64) {
        let is_over = AtomicBool::new(false);
        let attack = async {
            let answers = attack.await;
            is_over.store(true, Ordering::Relaxed);
            answers
        };
        let editors = futures_util::future::join_all((0..EDITORS).map(|editor| self.work(editor, &is_over)));
        let (answers, times, peak) = tokio::join!(attack, editors, watch(server, &is_over));
        (answers, times.concat(), peak)
    }

    async fn work(&self, editor: usize, is_over: &AtomicBool) -> Vec<Duration> {
        let mut times = Vec::new();
        let mut ticks = tokio::time::interval(EVERY);
        while !is_over.load(Ordering::Relaxed) {
            ticks.tick().await;
            let update = json!({"updateKey": format!("entries[{editor}].squatKg[0]"), "updateValue": times.len()});
            let started = Instant::now();
            let status = self.post("/updates", &json!({"updates": [update]})).await.status();
            assert_eq!(status, 200, "an editor is refused");
            times.push(started.elapsed());
        }
        times
    }
}

async fn watch(server: &Server, is_over: &AtomicBool) -> u64 {
    let mut peak = 0;
    while !is_over.load(Ordering::Relaxed) {
        peak = peak.max(server.rss());
        tokio::time::sleep(SAMPLE_EVERY).await;
    }
    peak
}

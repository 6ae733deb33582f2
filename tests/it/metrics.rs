//! What operators see: numbers move as things happen, and only the program's own words are labels.

mod documents;
mod listening;
mod reading;

use reqwest::Method;
use serde_json::{Value, json};

use liftrelay::meet::limits::FAILED_LOGINS_PER_MEET;
use liftrelay::store::memory::Fault;

use crate::support::TestServer;
use crate::support::client::PASSWORD;
use crate::support::metrics::Scrape;
use crate::support::server::options;

/// Checks by how much samples have grown.
#[track_caller]
fn grew(after: &Scrape, before: &Scrape, expected: &[(&str, f64)]) {
    for (sample, by) in expected {
        assert_eq!(after.since(before, sample), *by, "{sample}");
    }
}

#[tokio::test]
async fn a_push_is_counted_and_a_resend_of_it_as_one() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let start = server.scrape().await;
    let updates = json!([
        {"updateKey": "meet.name", "updateValue": "Open", "localSeqNum": 1},
        {"updateKey": "meet.city", "updateValue": "Graz", "localSeqNum": 2},
        {"updateKey": "meet.never", "op": "remove", "localSeqNum": 3},
    ]);
    desk.push(updates.clone()).await.expect(200);
    let pushed = server.scrape().await;
    grew(
        &pushed,
        &start,
        &[
            ("liftrelay_pushes_total{outcome=\"applied\"}", 1.0),
            ("liftrelay_push_updates_count", 1.0),
            ("liftrelay_push_updates_sum", 3.0),
            ("liftrelay_push_updates_bucket{le=\"2\"}", 0.0),
            ("liftrelay_push_updates_bucket{le=\"5\"}", 1.0),
            ("liftrelay_push_written_seconds_count", 1.0),
            ("liftrelay_updates_acked_total{answer=\"committed\"}", 2.0),
            ("liftrelay_updates_acked_total{answer=\"duplicate\"}", 0.0),
            ("liftrelay_updates_refused_total{code=\"absent\"}", 1.0),
            ("liftrelay_commits_total", 1.0),
            ("liftrelay_committed_entries_total", 2.0),
            ("liftrelay_log_sync_seconds_count", 1.0),
            // The refusal is remembered, so it is a record too.
            ("liftrelay_log_sync_records_sum", 3.0),
            ("liftrelay_requests_total{route=\"/v1/meets/{meetId}/updates\",method=\"POST\",status=\"2xx\"}", 1.0),
            ("liftrelay_request_seconds_count{route=\"/v1/meets/{meetId}/updates\",method=\"POST\"}", 1.0),
        ],
    );
    let (sync, written) = (pushed.get("liftrelay_log_sync_seconds_sum"), pushed.get("liftrelay_push_written_seconds_sum"));
    assert!(sync > 0.0 && written >= sync && written < 20.0, "{sync} s of the {written} s were the disk's");

    desk.push(updates).await.expect(200);
    grew(
        &server.scrape().await,
        &pushed,
        &[
            ("liftrelay_pushes_total{outcome=\"applied\"}", 1.0),
            ("liftrelay_updates_acked_total{answer=\"committed\"}", 0.0),
            ("liftrelay_updates_acked_total{answer=\"duplicate\"}", 2.0),
            ("liftrelay_updates_refused_total{code=\"absent\"}", 1.0),
            ("liftrelay_commits_total", 0.0),
            ("liftrelay_log_sync_seconds_count", 0.0),
            ("liftrelay_push_written_seconds_count", 0.0),
        ],
    );
}

#[tokio::test]
async fn conflicts_are_counted_by_what_became_of_them() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let (platform, director) = (desk.join("platform 1").await, desk.join("director").await);
    platform.set("a", json!(1)).await;
    let start = server.scrape().await;
    let unseen = |key: &str, value: Value| json!([{"updateKey": key, "updateValue": value, "afterServerSeqNum": 0}]);
    desk.push(unseen("a", json!(2))).await.expect(200);
    director.push(unseen("a", json!(3))).await.expect(200);
    desk.push(json!([{"updateKey": "b", "op": "remove"}])).await.expect(200);
    director.push(json!([{"updateKey": "a", "op": "remove"}])).await.expect(200);
    desk.push(json!([{"updateKey": "a", "op": "remove"}])).await.expect(200);
    let atomic = json!({"updates": unseen("c", json!(1)).as_array().unwrap().iter().chain(json!([{"updateKey": "", "updateValue": 1}]).as_array().unwrap()).collect::<Vec<_>>(), "mode": "atomic"});
    desk.post(&desk.of_meet("/updates"), &atomic).await.problem(409, "sync-conflict");
    let stale = json!({"updates": unseen("c", json!(1)), "ifHead": 1});
    desk.post(&desk.of_meet("/updates"), &stale).await.problem(409, "sync-stale");
    let lost = json!({"updates": [{"updateKey": "c", "updateValue": 1, "afterServerSeqNum": "1-00000000"}]});
    desk.post(&desk.of_meet("/updates"), &lost).await.problem(409, "history-changed");
    grew(
        &server.scrape().await,
        &start,
        &[
            ("liftrelay_updates_refused_total{code=\"overruled\"}", 1.0),
            ("liftrelay_updates_overruling_total", 1.0),
            ("liftrelay_updates_refused_total{code=\"absent\"}", 1.0),
            ("liftrelay_updates_acked_total{answer=\"merged\"}", 1.0),
            ("liftrelay_updates_acked_total{answer=\"committed\"}", 2.0),
            ("liftrelay_updates_refused_total{code=\"invalid-key\"}", 1.0),
            ("liftrelay_pushes_total{outcome=\"applied\"}", 5.0),
            ("liftrelay_pushes_total{outcome=\"conflict\"}", 1.0),
            ("liftrelay_pushes_total{outcome=\"stale\"}", 1.0),
            ("liftrelay_pushes_total{outcome=\"lost\"}", 1.0),
            ("liftrelay_problems_total{code=\"sync-conflict\"}", 1.0),
            ("liftrelay_problems_total{code=\"sync-stale\"}", 1.0),
            ("liftrelay_problems_total{code=\"history-changed\"}", 1.0),
            ("liftrelay_requests_total{route=\"/v1/meets/{meetId}/updates\",method=\"POST\",status=\"4xx\"}", 3.0),
        ],
    );
}

#[tokio::test]
async fn logins_are_counted_by_result() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.viewer().await;
    let start = server.scrape().await;
    grew(
        &start,
        &Scrape::default(),
        &[
            ("liftrelay_meets_open", 1.0),
            ("liftrelay_meets_created_total", 1.0),
            ("liftrelay_sessions_opened_total", 1.0),
            ("liftrelay_view_keys_created_total", 1.0),
            ("liftrelay_logins_total{result=\"ok\"}", 0.0),
        ],
    );
    let login = async |password: &str, location: &str| {
        let body = json!({"password": password, "locationName": location});
        server.stranger().post(&desk.of_meet("/sessions"), &body).await.status.as_u16()
    };
    assert_eq!(login(PASSWORD, "desk").await, 201);
    assert_eq!(login(PASSWORD, "nowhere").await, 403);
    // A busy machine takes so long over one that another is granted meanwhile.
    let mut failed = 0;
    while login("NotTheRightPasswordAtAll", "desk").await == 403 {
        failed += 1;
    }
    assert!(failed >= FAILED_LOGINS_PER_MEET.get());
    grew(
        &server.scrape().await,
        &start,
        &[
            ("liftrelay_logins_total{result=\"ok\"}", 1.0),
            ("liftrelay_logins_total{result=\"no-location\"}", 1.0),
            ("liftrelay_logins_total{result=\"failed\"}", f64::from(failed)),
            ("liftrelay_logins_total{result=\"limited\"}", 1.0),
            ("liftrelay_sessions_opened_total", 1.0),
            ("liftrelay_problems_total{code=\"join-rejected\"}", f64::from(failed) + 1.0),
            ("liftrelay_problems_total{code=\"rate-limited\"}", 1.0),
        ],
    );
}

#[tokio::test]
async fn a_meet_whose_disk_failed_is_counted_until_it_works_again() {
    let (server, store) = TestServer::in_memory().await;
    let (desk, other) = (server.meet().await, server.meet().await);
    store.fail_documents(true);
    store.fail_next_append(Fault::Write);
    desk.push(json!([{"updateKey": "a", "updateValue": 1}])).await.problem(503, "storage-failed");
    let failed = server.scrape().await;
    grew(
        &failed,
        &Scrape::default(),
        &[
            ("liftrelay_meets_open", 2.0),
            ("liftrelay_meets_read_only{reason=\"disk\"}", 1.0),
            ("liftrelay_meets_read_only{reason=\"damage\"}", 0.0),
            ("liftrelay_log_failures_total", 1.0),
            ("liftrelay_commits_total", 0.0),
            ("liftrelay_problems_total{code=\"storage-failed\"}", 1.0),
        ],
    );
    other.set("a", json!(1)).await;
    store.fail_documents(false);
    server.scrape_until("liftrelay_log_renewals_total", 1.0).await;
    // Gauges are looked at before counters are written out, so the scrape that tells of the renewal may show the gauge of before.
    assert_eq!(server.scrape().await.get("liftrelay_meets_read_only{reason=\"disk\"}"), 0.0);
    desk.set("a", json!(1)).await;
}

#[tokio::test]
async fn a_damaged_meet_is_counted_once_it_is_open() {
    let (server, store) = TestServer::in_memory().await;
    let desk = server.meet().await;
    for number in 1..=3 {
        desk.set("a", json!(number)).await;
    }
    let id = desk.meet.parse().unwrap();
    let mut log = store.log(id);
    let second = log.split_inclusive(|&byte| byte == b'\n').take(2).map(<[u8]>::len).sum::<usize>();
    log[second - 60] ^= 1;
    store.set_log(id, log);
    let restarted = TestServer::on(std::sync::Arc::new(store), options()).await;
    let reopened = desk.at(&restarted.url);
    reopened.push(json!([{"updateKey": "a", "updateValue": 4}])).await.problem(503, "storage-failed");
    let scrape = restarted.scrape().await;
    assert_eq!(scrape.get("liftrelay_meets_read_only{reason=\"damage\"}"), 1.0);
    assert_eq!(scrape.get("liftrelay_meets_read_only{reason=\"disk\"}"), 0.0);
    assert_eq!(scrape.get("liftrelay_log_failures_total"), 0.0);
}

/// Every text that a client can send somewhere, with everything that would break a line of a scrape.
#[tokio::test]
async fn nothing_that_a_client_sends_becomes_a_label() {
    const EVIL: &str = "evil\"} 1\nliftrelay_evil{x=\"\\";
    let one_line = EVIL.replace('\n', " ");
    let server = TestServer::start().await;
    let body = json!({
        "thisLocationName": one_line, "password": PASSWORD, "meetName": one_line, "clientId": one_line,
        "locations": [{"locationName": one_line, "priority": 1}],
    });
    let desk = server.stranger().create(&body).await;
    desk.push(json!([
        {"updateKey": format!("[{}]", json!(EVIL)), "updateValue": EVIL},
        {"updateKey": EVIL, "updateValue": 1},
    ]))
    .await
    .expect(200);
    desk.post(&desk.of_meet("/view-keys"), &json!({"label": one_line})).await.expect(201);
    let stranger = server.stranger();
    for path in ["/evil%22%7D%0A", "/web/evil%22", "/problems/evil%22", "/v1/meets/evil%22/state", "/v1/meets/000000000/view-keys/evil%22"]
    {
        let reply = stranger.send(stranger.request(Method::GET, path)).await;
        assert!(reply.status.is_client_error(), "{path}: {}", reply.status);
    }
    let evil = Method::from_bytes(b"EVIL").unwrap();
    stranger.send(stranger.request(evil, "/v1/meets")).await.problem(405, "method-not-allowed");
    let text = stranger.get("/metrics").await.text;
    assert!(!text.to_lowercase().contains("evil"), "{text}");
    let scrape = Scrape::parse(&text);
    for (sample, count) in [
        ("liftrelay_requests_total{route=\"none\",method=\"GET\",status=\"4xx\"}", 1.0),
        ("liftrelay_requests_total{route=\"/web/{path}\",method=\"GET\",status=\"4xx\"}", 1.0),
        ("liftrelay_requests_total{route=\"/v1/meets\",method=\"other\",status=\"4xx\"}", 1.0),
    ] {
        assert_eq!(scrape.get(sample), count, "{sample}");
    }
}

#[tokio::test]
async fn the_end_of_a_meet_is_counted() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let results = json!({"returnEmail": "director@example.org", "oplCsv": include_str!("../data/lbs-25.opl.csv")});
    for _ in 0..2 {
        desk.post(&desk.of_meet("/publish"), &results).await.expect(202);
        desk.post(&desk.of_meet("/finish"), &json!({})).await.expect(200);
    }
    desk.push(json!([{"updateKey": "a", "updateValue": 1}])).await.problem(409, "meet-finished");
    let scrape = server.scrape().await;
    for (sample, value) in [
        ("liftrelay_hand_overs_total{result=\"handed-over\"}", 1.0),
        ("liftrelay_hand_overs_total{result=\"retried\"}", 0.0),
        ("liftrelay_meets_finished_total", 1.0),
        ("liftrelay_pushes_total{outcome=\"finished\"}", 1.0),
    ] {
        assert_eq!(scrape.get(sample), value, "{sample}");
    }
}

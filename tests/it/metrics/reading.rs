//! Streams, long-polls and connections.

use std::time::Duration;

use liftrelay::meet::limits::SESSION_LIFE;
use reqwest::Method;
use serde_json::json;

use super::grew;
use crate::support::TestServer;
use crate::support::connection::Connection;
use crate::support::metrics::Scrape;
use crate::support::raw::RawStream;

const UPDATES: &str = "route=\"/v1/meets/{meetId}/updates\",method=\"GET\"";
const EVENTS: &str = "route=\"/v1/meets/{meetId}/events\",method=\"GET\"";

#[tokio::test]
async fn streams_are_counted_by_transport_and_reader_while_they_last() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let mut editors = desk.events("").await;
    editors.expect("hello").await;
    let mut viewers = viewer.events("").await;
    viewers.expect("hello").await;
    let mut lines = RawStream::open(&viewer, "format=ndjson").await;
    lines.head().await;
    lines.object().await.expect("HELLO");
    let open = server.scrape().await;
    let kinds = [("sse", "editor"), ("sse", "viewer"), ("ndjson", "viewer")];
    for (transport, role) in kinds {
        assert_eq!(open.get(&format!("liftrelay_streams{{transport=\"{transport}\",role=\"{role}\"}}")), 1.0, "{transport} {role}");
    }
    assert_eq!(open.get("liftrelay_stream_events_total{transport=\"sse\"}"), 2.0);
    // A stream's time says nothing about the server, so it is no request's duration.
    assert_eq!(open.get(&format!("liftrelay_requests_total{{{EVENTS},status=\"2xx\"}}")), 3.0);
    assert_eq!(open.find(&format!("liftrelay_request_seconds_count{{{EVENTS}}}")), None);

    desk.set("lot", json!(1)).await;
    editors.expect("update-relay").await;
    viewers.expect("update-relay").await;
    lines.object().await.expect("UPDATE_RELAY");
    let relayed = server.scrape().await;
    grew(
        &relayed,
        &open,
        &[
            ("liftrelay_stream_events_total{transport=\"sse\"}", 2.0),
            ("liftrelay_stream_events_total{transport=\"ndjson\"}", 1.0),
            ("liftrelay_stream_lag_entries_count", 3.0),
            ("liftrelay_stream_lag_entries_bucket{le=\"0\"}", 3.0),
            ("liftrelay_stream_largest_lag_entries", 0.0),
        ],
    );
    assert!(relayed.since(&open, "liftrelay_stream_sent_bytes_total{transport=\"ndjson\"}") > 150.0);

    drop((editors, viewers, lines));
    server.scrape_until("liftrelay_stream_restarts_total{reason=\"gone\"}", 3.0).await;
    for (transport, role) in kinds {
        let labels = format!("{{transport=\"{transport}\",role=\"{role}\"}}");
        let closed = server.scrape_until(&format!("liftrelay_streams{labels}"), 0.0).await;
        assert_eq!(closed.get(&format!("liftrelay_streams_opened_total{labels}")), 1.0, "{labels}");
    }
}

#[tokio::test]
async fn long_polls_are_counted_while_they_wait_and_time_no_request() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let waiting = |path: &str| {
        let (viewer, path) = (viewer.clone(), viewer.of_meet(path));
        tokio::spawn(async move { viewer.get(&path).await.expect(200) })
    };
    let polls = [waiting("/updates?after=0&wait=20"), waiting("/state?after=0&wait=20")];
    let label = "{transport=\"long-poll\",role=\"viewer\"}";
    server.scrape_until(&format!("liftrelay_streams{label}"), 2.0).await;
    let syncing = {
        let desk = desk.clone();
        tokio::spawn(async move { desk.sync(&json!({"after": 0, "wait": 20})).await.expect(200) })
    };
    server.scrape_until("liftrelay_streams{transport=\"long-poll\",role=\"editor\"}", 1.0).await;
    desk.set("lot", json!(1)).await;
    for poll in polls {
        poll.await.unwrap();
    }
    syncing.await.unwrap();
    let answered = server.scrape_until(&format!("liftrelay_streams{label}"), 0.0).await;
    assert_eq!(answered.get(&format!("liftrelay_streams_opened_total{label}")), 2.0);
    assert_eq!(answered.get(&format!("liftrelay_requests_total{{{UPDATES},status=\"2xx\"}}")), 1.0);
    for route in ["updates", "state"] {
        let took = format!("liftrelay_request_seconds_count{{route=\"/v1/meets/{{meetId}}/{route}\",method=\"GET\"}}");
        assert_eq!(answered.find(&took), None, "{route}");
    }
    assert_eq!(answered.find("liftrelay_request_seconds_count{route=\"/v1/meets/{meetId}/sync\",method=\"POST\"}"), None);
    // What needs no waiting is timed, with `wait` too.
    viewer.get(&viewer.of_meet("/updates?after=0&wait=20")).await.expect(200);
    assert_eq!(server.scrape().await.get(&format!("liftrelay_request_seconds_count{{{UPDATES}}}")), 1.0);
}

#[tokio::test]
async fn whatever_ends_a_stream_or_makes_it_start_over_is_counted() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let restarts = |scrape: &Scrape, reason: &str| scrape.get(&format!("liftrelay_stream_restarts_total{{reason={reason:?}}}"));
    let (mut reset, mut pulled) = (desk.events("after=0-00000000").await, desk.events("after=5").await);
    reset.expect("hello").await;
    reset.expect("reset").await;
    pulled.expect("hello").await;
    pulled.expect("server-pull").await;
    let mut brief = desk.events("maxSeconds=1").await;
    while brief.try_next().await.is_some() {}
    let again = desk.rejoin().await;
    let mut revoked = again.events("").await;
    revoked.expect("hello").await;
    again.delete(&again.of_meet("/session")).await.expect(204);
    while revoked.try_next().await.is_some() {}
    let again = desk.rejoin().await;
    server.clock.set_ahead(i64::try_from(SESSION_LIFE.as_millis()).unwrap() - 2_000);
    let mut expired = again.events("").await;
    while expired.try_next().await.is_some() {}
    let scrape = server.scrape_until("liftrelay_stream_restarts_total{reason=\"expired\"}", 1.0).await;
    for reason in ["reset", "server-pull", "max-seconds", "revoked"] {
        assert_eq!(restarts(&scrape, reason), 1.0, "{reason}");
    }
    assert_eq!((restarts(&scrape, "shutdown"), restarts(&scrape, "gone")), (0.0, 0.0));

    server.app.stopping.cancel();
    while reset.try_next().await.is_some() {}
    while pulled.try_next().await.is_some() {}
    let text = server.app.metrics.render(&server.app.registry.overview()).unwrap();
    assert_eq!(restarts(&Scrape::parse(&text), "shutdown"), 2.0);
}

/// A stream that is not asked for anything cannot say that it falls behind.
#[tokio::test]
async fn a_reader_asleep_shows_as_the_largest_lag() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    let viewer = desk.viewer().await;
    let mut asleep = RawStream::open_with(&viewer, "format=ndjson", 16 * 1024).await;
    asleep.head().await;
    asleep.object().await.expect("HELLO");
    let large = "x".repeat(200_000);
    for number in 0..20 {
        desk.set(&format!("k{number}"), json!(large)).await;
    }
    let behind = server.scrape().await.get("liftrelay_stream_largest_lag_entries");
    assert!((1.0..=20.0).contains(&behind), "{behind}");
    let mut read = 0;
    while read < 20 {
        read = asleep.object().await.expect("the stream goes on")["serverSeqNum"].as_u64().unwrap();
    }
    let caught_up = server.scrape_until("liftrelay_stream_largest_lag_entries", 0.0).await;
    let lag = |what: &str| caught_up.get(&format!("liftrelay_stream_lag_entries_{what}"));
    assert!(lag("sum") > 0.0 && lag("bucket{le=\"0\"}") < lag("count"), "it was behind when it was asked again");
}

#[tokio::test]
async fn connections_are_counted_by_what_they_speak() {
    let server = TestServer::start().await;
    let open = |protocol: &str| format!("liftrelay_connections{{protocol={protocol:?}}}");
    let mut silent = Connection::connect(&server.url).await;
    server.scrape_until(&open("none"), 1.0).await;
    silent.send("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(silent.reply().await.status, 200);
    let speaking = server.scrape().await;
    assert_eq!(speaking.get(&open("none")), 0.0);
    assert!(speaking.get(&open("http/1.1")) >= 2.0, "this scrape's connection is one as well");
    assert!(speaking.get("liftrelay_connections_accepted_total") >= 3.0);
    assert_eq!(speaking.get("liftrelay_connections_stalled_total"), 0.0);
    let before = speaking.get(&open("http/1.1"));
    drop(silent);
    // Scrapes of other clients come and go, so one client asks here.
    let stranger = server.stranger();
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    while stranger.scrape().await.get(&open("http/1.1")) >= before.max(2.0) {
        assert!(tokio::time::Instant::now() < patience, "it counts as open for ever");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Requests of every kind, preflights aside, are counted by the route that answered.
#[tokio::test]
async fn routes_are_templates() {
    let server = TestServer::start().await;
    let desk = server.meet().await;
    desk.get("/web/demo.js").await.expect(200);
    desk.get("/problems/internal").await.expect(200);
    assert_eq!(desk.request(Method::HEAD, "/health/live").send().await.unwrap().status(), 200);
    desk.get(&desk.of_meet("/state?path=nothing.here")).await.problem(404, "not-found");
    let scrape = server.scrape().await;
    for (route, method, status) in [
        ("/v1/meets", "POST", "2xx"),
        ("/web/{path}", "GET", "2xx"),
        ("/problems/{code}", "GET", "2xx"),
        ("/health/live", "HEAD", "2xx"),
        ("/v1/meets/{meetId}/state", "GET", "4xx"),
    ] {
        let labels = format!("{{route={route:?},method={method:?},status={status:?}}}");
        assert_eq!(scrape.get(&format!("liftrelay_requests_total{labels}")), 1.0, "{labels}");
    }
    assert_eq!(scrape.get("liftrelay_problems_total{code=\"not-found\"}"), 1.0);
}

#[tokio::test]
async fn the_process_tells_about_itself() {
    let server = TestServer::start().await;
    let scrape = server.scrape().await;
    assert_eq!(scrape.get(&format!("liftrelay_build_info{{version={:?}}}", env!("CARGO_PKG_VERSION"))), 1.0);
    assert!(scrape.get("liftrelay_process_start_time_seconds") > 1.7e9);
    assert!(scrape.get("liftrelay_process_resident_memory_bytes") > 1e6);
    let (open, most) = (scrape.get("liftrelay_process_open_descriptors"), scrape.get("liftrelay_process_max_descriptors"));
    assert!(open > 3.0 && open < most, "{open} of {most}");
    assert!(scrape.get("liftrelay_process_cpu_seconds_total") >= 0.0);
}

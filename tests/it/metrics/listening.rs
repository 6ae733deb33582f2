//! `--metrics-listen`: where metrics are served.

use std::fs;

use serde_json::json;
use tempfile::tempdir;

use crate::support::Client;
use crate::support::address::free_address;
use crate::support::process::{Process, liftrelay, run};

#[tokio::test]
async fn an_address_of_their_own_keeps_metrics_off_the_other_one() {
    let folder = tempdir().unwrap();
    let metrics = free_address().to_string();
    let process = Process::start_with(folder.path(), &["--metrics-listen", &metrics]);
    let (public, operators) = (process.stranger(), Client::new(&format!("http://{metrics}")));
    public.get("/metrics").await.problem(404, "not-found");
    public.get("/health/ready").await.expect(200);
    let desk = public.create_as("desk").await;
    desk.set("lot", json!(1)).await;
    let scrape = operators.scrape().await;
    assert_eq!(scrape.get("liftrelay_commits_total"), 1.0);
    assert_eq!(scrape.get("liftrelay_requests_total{route=\"none\",method=\"GET\",status=\"4xx\"}"), 1.0);
    operators.get("/health/live").await.expect(200);
    operators.get("/health/ready").await.expect(200);
    for path in ["/", "/v1/demo", "/openapi.yaml"] {
        operators.get(path).await.problem(404, "not-found");
    }
    process.signal("TERM");
    let (status, stdout, stderr) = process.wait();
    assert!(status.success(), "{stderr}");
    assert!(stderr.contains(&format!("metrics are at http://{metrics}/metrics")), "{stderr}");
    assert_eq!(stdout.lines().count(), 1, "scripts read the public address there: {stdout}");
}

#[tokio::test]
async fn without_one_metrics_are_where_everything_is() {
    let folder = tempdir().unwrap();
    let process = Process::start(folder.path());
    assert_eq!(process.stranger().scrape().await.get("liftrelay_meets_open"), 0.0);
}

#[test]
fn the_flag_the_environment_and_the_file_say_where() {
    let folder = tempdir().unwrap();
    let config = folder.path().join("liftrelay.toml");
    let greeted = |process: Process| {
        process.signal("TERM");
        process.wait().2
    };
    fs::write(&config, "metrics-listen = \":0\"\n").unwrap();
    let stderr = greeted(Process::start_with(folder.path(), &["--config", &config.display().to_string()]));
    assert!(stderr.contains("metrics are at http://127.0.0.1:"), "{stderr}");
    let mut command = liftrelay();
    command.env("LIFTRELAY_METRICS_LISTEN", "127.0.0.1:0");
    let stderr = greeted(Process::launch(folder.path(), command, &[]));
    assert!(stderr.contains("metrics are at http://127.0.0.1:"), "{stderr}");
    fs::write(&config, "metrics-listen = \"everywhere\"\n").unwrap();
    let (code, _, stderr) = run(liftrelay().args(["serve", "--config"]).arg(&config));
    assert!(code == 2 && stderr.contains("IP:PORT") && stderr.contains("metrics-listen"), "{stderr}");
    let (code, _, stderr) = run(liftrelay().args(["serve", "--metrics-listen", "9100"]));
    assert!(code == 2 && stderr.contains("127.0.0.1:8455"), "{stderr}");
}

#[tokio::test]
async fn an_address_in_use_is_told_and_exits_1() {
    let folder = tempdir().unwrap();
    let first = Process::start(folder.path());
    let address = first.url.trim_start_matches("http://").to_owned();
    let other = folder.path().join("other");
    let arguments = ["serve", "--listen", ":0", "--metrics-listen", &address, "--data-dir"];
    let (code, out, stderr) = run(liftrelay().args(arguments).arg(&other));
    assert_eq!((code, out.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains(&format!("cannot listen on {address} for metrics")), "{stderr}");
}

//! `doctor` names what is in between, whatever it is, and the way that gets through.

use serde_json::Value;

use crate::support::process::liftrelay;
use crate::{Hall, ways};

/// Long enough to meet every idle limit here.
const HOLD_SECONDS: &str = "7";

/// The report of `liftrelay doctor --json`, run where the hall is.
async fn examine(hall: &Hall) -> Value {
    let mut command = liftrelay();
    command.args(["doctor", &hall.url, "--json", "--hold", HOLD_SECONDS, "--meet", &hall.desk.meet]);
    command.env("LIFTRELAY_TOKEN", &hall.desk.token);
    if let Some(forward) = &hall.forward {
        command.args(["--proxy", forward]);
    }
    if let Some(trusted) = &hall.trusted {
        command.arg("--ca-file").arg(trusted);
    }
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{out}{err}{}", hall.log());
    serde_json::from_str(&out).unwrap()
}

/// That the doctor finds these symptoms and no others, those who only name themselves aside.
async fn finds(hall: Hall, symptoms: &[&str], using: &str) {
    let report = examine(&hall).await;
    let diagnosis = &report["diagnosis"];
    let found = diagnosis["findings"].as_array().unwrap().iter().map(|finding| finding["symptom"].as_str().unwrap());
    let found: Vec<_> = found.filter(|symptom| *symptom != "in-between").collect();
    println!("{diagnosis:#}");
    assert_eq!((&found[..], &diagnosis["using"]), (symptoms, &Value::from(using)));
}

macro_rules! cases {
    ($($name:ident: $hall:expr => $symptoms:expr, $using:literal;)*) => {
        $(#[tokio::test]
        async fn $name() {
            finds($hall.await, &$symptoms, $using).await;
        })*
    };
}

cases! {
    nothing: Hall::plain() => ["clear"], "socket";
    a_black_hole: Hall::behind_a_hole() => ["swallowed"], "long-poll";
    nginx_stock: Hall::behind(ways::NGINX_STOCK) => ["refused"], "sse";
    nginx_with_gzip_that_ignores_hints: Hall::behind(ways::NGINX_GZIP) => ["held-until-size", "refused", "compressed"], "long-poll";
    nginx_tls: Hall::behind(ways::NGINX_TLS) => [], "socket";
    nginx_with_an_idle_limit: Hall::behind(ways::NGINX_IDLE) => ["cut-when-idle"], "long-poll";
    haproxy_stock: Hall::behind(ways::HAPROXY_STOCK) => ["clear"], "socket";
    haproxy_with_an_idle_limit: Hall::behind(ways::HAPROXY_IDLE) => ["cut-when-idle"], "long-poll";
    squid: Hall::behind(ways::SQUID) => ["refused"], "sse";
    tinyproxy: Hall::behind(ways::TINYPROXY) => ["refused"], "sse";
    privoxy_with_a_filter: Hall::behind(ways::PRIVOXY) => ["held-until-end", "swallowed"], "long-poll";
    lighttpd: Hall::behind(ways::LIGHTTPD) => ["held-until-end", "refused"], "long-poll";
    apache_as_http_1_0: Hall::behind(ways::APACHE_OLD) => ["refused", "old-http"], "sse";
    varnish_without_streaming: Hall::behind(ways::VARNISH) => ["held-until-end", "refused"], "long-poll";
    caddy: Hall::behind(ways::CADDY) => [], "socket";
    mitmproxy: Hall::behind(ways::MITMPROXY) => ["held-until-end"], "socket";
}

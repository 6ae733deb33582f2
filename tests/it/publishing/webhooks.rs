//! Handing over by HTTP: what may pass is tried again, what was said for good is not, and nothing is lost on the way.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tempfile::tempdir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

use super::{EMAIL, LARGE, SINGLE, publish, published, publishes, small, until, until_status};
use crate::support::TestServer;
use crate::support::address::free_address;
use crate::support::process::{Process, liftrelay};
use crate::support::webhook::{Answer, Webhook};

#[tokio::test]
async fn a_webhook_is_told_everything_and_knows_what_came_twice() {
    let mut webhook = Webhook::start(&[(503, &[("retry-after", "1")]), (429, &[]), (500, &[])]);
    let server = TestServer::publishing_to(&webhook.url()).await;
    let desk = server.meet().await;
    let id = published(&desk, LARGE).await;
    let told = until_status(&desk, &id, "handed-over").await;
    assert_eq!((&told["attempts"], told.get("reason")), (&json!(4), None));
    let sent = webhook.sent(4).await;
    assert_eq!(sent.len(), 4);
    for sent in sent {
        assert_eq!((sent.header("idempotency-key"), sent.header("content-type")), (&*id, "application/json"));
        assert!(sent.header("user-agent").starts_with("liftrelay/"));
        let expected = json!({
            "meetId": desk.session["meetId"], "meetName": "Test Open", "publishId": id, "publishedAt": told["at"], "locationName": "desk",
            "returnEmail": EMAIL, "lifters": 312, "sha256": told["sha256"], "oplCsv": LARGE,
        });
        assert!(sent.json == expected, "something else was sent");
    }
    assert_eq!(
        publish(&desk, LARGE).await.expect(202),
        json!({"msgType": "PUBLISH_ACK", "publishId": id, "status": "handed-over", "duplicate": true})
    );
}

#[tokio::test]
async fn editors_see_why_it_takes_long_and_no_secret() {
    let address = free_address();
    let server = TestServer::publishing_to(&format!("http://user:opensesame@{address}/results?token=opensesame")).await;
    let desk = server.meet().await;
    let id = published(&desk, SINGLE).await;
    let told = until(&desk, &id, |publish| publish["attempts"].as_u64() >= Some(1)).await;
    assert_eq!((&told["status"], &told["reason"]), (&json!("queued"), &json!("the webhook cannot be reached; the server's log says more")));
    let mut webhook = Webhook::start_at(address, &[(502, &[])]);
    until(&desk, &id, |publish| publish["reason"] == "the webhook answered 502 Bad Gateway").await;
    assert!(webhook.sent(1).await[0].header("authorization").starts_with("Basic "));
    let told = until_status(&desk, &id, "handed-over").await;
    assert!(!told.to_string().contains("opensesame"), "{told}");
}

#[tokio::test]
async fn what_is_refused_for_good_fails_at_once_and_can_be_published_again() {
    let mut webhook = Webhook::start(&[(410, &[]), (302, &[("location", "http://192.0.2.1/")])]);
    let server = TestServer::publishing_to(&webhook.url()).await;
    let desk = server.meet().await;
    let id = published(&desk, SINGLE).await;
    let told = until_status(&desk, &id, "failed").await;
    assert_eq!((&told["reason"], &told["attempts"]), (&json!("the webhook answered 410 Gone"), &json!(1)));
    assert!(told.get("handedOverAt").is_none());
    let again = publish(&desk, SINGLE).await.expect(202);
    assert_eq!(again, json!({"msgType": "PUBLISH_ACK", "publishId": id, "status": "queued", "duplicate": true}));
    let told = until_status(&desk, &id, "failed").await;
    assert!(told["reason"].as_str().unwrap().contains("302 Found: redirects are not followed"), "{told}");
    publish(&desk, SINGLE).await.expect(202);
    until_status(&desk, &id, "handed-over").await;
    assert_eq!(webhook.sent(3).await.len(), 3);
    assert_eq!(publishes(&desk).await.len(), 1, "it is one publish all along");
}

#[tokio::test]
async fn after_three_days_it_is_given_up() {
    let later: Answer = (503, &[("retry-after", "1")]);
    let webhook = Webhook::start(&[later; 64]);
    let server = TestServer::publishing_to(&webhook.url()).await;
    let desk = server.meet().await;
    let id = published(&desk, SINGLE).await;
    until(&desk, &id, |publish| publish["attempts"].as_u64() >= Some(1)).await;
    server.clock.set_ahead(73 * 3_600_000);
    let told = until_status(&desk, &id, "failed").await;
    let reason = told["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("given up after 72 hours (attempts: ") && reason.ends_with("the webhook answered 503 Service Unavailable"),
        "{reason}"
    );
    let again = publish(&desk, SINGLE).await.expect(202);
    assert_eq!(again["status"], "queued", "somebody asked for it, so it begins again");
}

#[tokio::test]
async fn meets_do_not_wait_for_each_other_and_a_finished_one_is_kept_until_it_is_done() {
    let mut webhook = Webhook::start(&[(503, &[("retry-after", "3")])]);
    let server = TestServer::publishing_to(&webhook.url()).await;
    let (slow, quick) = (server.meet().await, server.meet().await);
    slow.post(&slow.of_meet("/finish"), &json!({})).await.expect(200);
    let slow_id = published(&slow, SINGLE).await;
    webhook.sent(1).await;
    let quick_id = published(&quick, SINGLE).await;
    assert_eq!(quick_id, slow_id, "the same results; meets are told apart by their own id");
    until_status(&quick, &quick_id, "handed-over").await;
    server.clock.set_ahead(2 * 86_400_000);
    let keep = std::time::Duration::from_secs(86_400);
    let busy = |id| server.app.publisher.is_busy_with(id);
    assert_eq!(server.app.registry.clear_finished(keep, busy).await, 0, "its results are on their way");
    until_status(&slow, &slow_id, "handed-over").await;
    assert_eq!(server.app.registry.clear_finished(keep, busy).await, 1);
    slow.get(&slow.of_meet("/publish")).await.problem(401, "invalid-session");
}

/// "At once" and a date in the past are no reason to ask hundreds of times a second.
#[tokio::test]
async fn a_webhook_that_wants_it_at_once_is_not_flooded() {
    let (at_once, past): (Answer, Answer) = ((503, &[("retry-after", "0")]), (503, &[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")]));
    let mut webhook = Webhook::start(&[at_once, past]);
    let server = TestServer::publishing_to(&webhook.url()).await;
    let desk = server.meet().await;
    let start = std::time::Instant::now();
    let id = published(&desk, SINGLE).await;
    until_status(&desk, &id, "handed-over").await;
    assert!(start.elapsed() >= std::time::Duration::from_secs(3), "the pauses are one and two seconds at least");
    assert_eq!(webhook.sent(3).await.len(), 3);
}

/// Several meets, current and finished, with results that nobody has taken when the process is killed.
#[tokio::test]
async fn what_was_acked_is_handed_over_after_a_crash() {
    let folder = tempdir().unwrap();
    let address = free_address();
    let url = format!("http://{address}/results");
    let process = Process::start_with(folder.path(), &["--publish-to", &url]);
    let mut meets = Vec::new();
    for number in 0..4 {
        let desk = process.stranger().create_as("desk").await;
        let id = published(&desk, &small().replace("Ada", &format!("Ada {number}"))).await;
        if number % 2 == 0 {
            desk.post(&desk.of_meet("/finish"), &json!({})).await.expect(200);
        }
        meets.push((desk, id));
    }
    let last = published(&meets[3].0, SINGLE).await;
    meets.push((meets[3].0.clone(), last));
    drop(process);
    let mut webhook = Webhook::start_at(address, &[]);
    let process = Process::start_with(folder.path(), &["--publish-to", &url]);
    let sent = webhook.sent(5).await;
    for (desk, id) in &meets {
        let desk = desk.at(&process.url);
        let told = until_status(&desk, id, "handed-over").await;
        let sent = sent.iter().find(|sent| sent.header("idempotency-key") == id).expect("it was sent");
        assert_eq!((&sent.json["meetId"], &sent.json["sha256"]), (&desk.session["meetId"], &told["sha256"]));
    }
    let process = {
        drop(process);
        Process::start_with(folder.path(), &["--publish-to", &url])
    };
    let desk = meets[0].0.at(&process.url);
    assert_eq!(publishes(&desk).await[0]["status"], "handed-over");
    published(&desk, SINGLE).await;
    assert_eq!(webhook.sent(6).await.len(), 6, "what was handed over is not handed over again");
}

/// Killed between the other end's answer and the note of it: the same id comes once more.
#[tokio::test]
async fn a_crash_in_the_middle_repeats_the_id() {
    let folder = tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("http://{address}/");
    let process = Process::start_with(folder.path(), &["--publish-to", &url]);
    let desk = process.stranger().create_as("desk").await;
    let id = published(&desk, SINGLE).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut taken = vec![0; 4_096];
    assert!(stream.read(&mut taken).await.unwrap() > 0);
    drop(process);
    drop((stream, listener));
    let mut webhook = Webhook::start_at(address, &[]);
    let process = Process::start_with(folder.path(), &["--publish-to", &url]);
    assert_eq!(webhook.sent(1).await[0].header("idempotency-key"), id);
    until_status(&desk.at(&process.url), &id, "handed-over").await;
}

/// The environment's proxy is for other machines.
#[tokio::test]
async fn a_webhook_on_this_machine_needs_no_proxy() {
    let folder = tempdir().unwrap();
    let mut webhook = Webhook::start(&[]);
    let mut command = liftrelay();
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        command.env(name, format!("http://{}", free_address()));
    }
    let process = Process::launch(folder.path(), command, &["--publish-to", &webhook.url()]);
    let desk = process.stranger().create_as("desk").await;
    let id = published(&desk, SINGLE).await;
    let told = until_status(&desk, &id, "handed-over").await;
    assert_eq!((&told["attempts"], webhook.sent(1).await.len()), (&json!(1), 1));
}

/// A certificate for this machine's name, and what to trust it by.
fn certificate(folder: &Path) -> (ServerConfig, std::path::PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let trusted = folder.join("trusted.pem");
    std::fs::write(&trusted, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config =
        ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider())).with_safe_default_protocol_versions().unwrap();
    (config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap(), trusted)
}

#[tokio::test]
async fn https_is_spoken_and_certificates_are_looked_at() {
    let folder = tempdir().unwrap();
    let (config, trusted) = certificate(folder.path());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/results", listener.local_addr().unwrap().port());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // Who does not trust the certificate breaks off.
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let mut stream = BufReader::new(stream);
            let (mut line, mut head) = (String::new(), String::new());
            while line != "\r\n" {
                line.clear();
                if stream.read_line(&mut line).await.unwrap() == 0 {
                    break;
                }
                head.push_str(&line);
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            return (head, body);
        }
    });
    let start = |trusted: &Path| {
        let mut command = liftrelay();
        command.env("SSL_CERT_FILE", trusted);
        Process::launch(folder.path(), command, &["--publish-to", &url])
    };
    let other = folder.path().join("other.pem");
    std::fs::write(&other, rcgen::generate_simple_self_signed(vec!["elsewhere.example".to_owned()]).unwrap().cert.pem()).unwrap();
    let process = start(&other);
    let desk = process.stranger().create_as("desk").await;
    let id = published(&desk, SINGLE).await;
    let told = until(&desk, &id, |publish| publish["attempts"].as_u64() >= Some(1)).await;
    assert_eq!((&told["status"], &told["reason"]), (&json!("queued"), &json!("the webhook cannot be reached; the server's log says more")));
    drop(process);
    let process = start(&trusted);
    until_status(&desk.at(&process.url), &id, "handed-over").await;
    let (head, body) = serving.await.unwrap();
    assert!(head.starts_with("POST /results HTTP/1.1\r\n") && head.contains(&format!("idempotency-key: {id}\r\n")), "{head}");
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["oplCsv"], SINGLE);
}

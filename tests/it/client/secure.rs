//! The client over HTTPS, and a certificate that nobody vouches for.

use std::sync::Arc;

use liftrelay::client::api::{Create, Join, Location, Options, Server, Session};
use liftrelay::client::channel::http::HttpChannel;
use liftrelay::client::channel::ladder::Ladder;
use liftrelay::client::channel::socket::SocketChannel;
use liftrelay::client::channel::{Channel, Fault, Transport};
use liftrelay::meet::chain::Cursor;
use tempfile::{TempDir, tempdir};

use super::channels::{done, follow, pull, push, update};
use crate::support::client::PASSWORD;
use crate::support::process::{Process, liftrelay, run_with};
use crate::support::tls::Identity;

/// `liftrelay serve` with a certificate.
struct Secure {
    identity: Identity,
    process: Process,
    _folder: TempDir,
}

impl Secure {
    fn start() -> Secure {
        let (identity, folder) = (Identity::new(), tempdir().unwrap());
        let (certificate, key) = (identity.certificate_file(), identity.key_file());
        let arguments = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
        let process = Process::start_with(folder.path(), &arguments);
        Secure { identity, process, _folder: folder }
    }

    /// The server as somebody has it who trusts this certificate.
    fn trusting(&self, certificate: &Identity) -> Server {
        let options = Options { root_certificate: Some(certificate.pem.clone().into_bytes()), ..Options::default() };
        Server::new(self.process.url.parse().unwrap(), options).unwrap()
    }
}

async fn create(server: &Server) -> Result<Session, Fault> {
    let locations = [("desk", 10), ("platform 1", 20)].map(|(name, priority)| Location { location_name: name.to_owned(), priority });
    let create = Create { this_location_name: "desk", password: PASSWORD, locations: &locations, meet_name: None, client_id: None };
    let created = server.create(&create, None).await?;
    server.session(&created)
}

#[tokio::test]
async fn every_channel_joins_pushes_and_follows() {
    let secure = Secure::start();
    assert!(secure.process.url.starts_with("https://"));
    let server = secure.trusting(&secure.identity);
    let desk = create(&server).await.unwrap();
    let join = Join { password: PASSWORD, location_name: "platform 1", client_id: None };
    let platform = server.session(&server.join(desk.meet(), &join).await.unwrap()).unwrap();
    let http = |transport| Arc::new(HttpChannel::new(platform.clone(), transport)) as Arc<dyn Channel>;
    let channels = [
        http(Transport::ShortPoll),
        http(Transport::LongPoll),
        http(Transport::Ndjson),
        http(Transport::Sse),
        Arc::new(SocketChannel::new(platform.clone())),
    ];
    let (mut after, writer) = (Cursor::START, HttpChannel::new(desk, Transport::LongPoll));
    for (number, channel) in (0..).zip(channels) {
        // One entry waits, the other two come while it follows.
        let (head, transport) = (3 * number, channel.link().transport);
        done(writer.push(push(vec![update(head + 1, "a", after)])).await);
        let (mut numbers, before) = follow(&*channel, after, head + 1).await;
        assert_eq!(done(channel.push(push(vec![update(head + 2, "b", before)])).await).acks.len(), 1, "{transport}");
        done(writer.push(push(vec![update(head + 3, "c", before)])).await);
        let (more, behind) = follow(&*channel, before, head + 3).await;
        numbers.extend(more);
        assert_eq!(numbers, [head + 1, head + 2, head + 3], "{transport}");
        after = behind;
    }
}

#[tokio::test]
async fn the_ladder_ends_at_the_socket() {
    let secure = Secure::start();
    let ladder = Ladder::new(create(&secure.trusting(&secure.identity)).await.unwrap());
    done(ladder.push(push(vec![update(1, "a", Cursor::START)])).await);
    let (_, after) = follow(&ladder, Cursor::START, 1).await;
    while ladder.link().transport != Transport::Socket {
        done(ladder.pull(pull(after, 1)).await);
    }
    done(ladder.push(push(vec![update(2, "a", after)])).await);
    assert_eq!(follow(&ladder, after, 2).await.0, [2]);
    assert_eq!(ladder.link().transport, Transport::Socket);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_named_as_what_is_wrong() {
    let (secure, other) = (Secure::start(), Identity::new());
    let fault = create(&secure.trusting(&other)).await.unwrap_err();
    assert!(matches!(fault, Fault::Unreachable(_)), "{fault:?}");
    assert!(fault.to_string().contains("nobody who is trusted here has signed the server's certificate"), "{fault}");
}

#[test]
fn a_script_is_told_which_certificate_to_trust() {
    let (secure, other) = (Secure::start(), Identity::new());
    let create = |certificate: &Identity| {
        let mut command = liftrelay();
        command.args(["create", "--server", &secure.process.url, "--location", "desk=10", "--password-file", "-"]);
        run_with(command.arg("--ca-file").arg(certificate.certificate_file()), PASSWORD)
    };
    let (code, out, stderr) = create(&other);
    assert!(code == 3 && out.is_empty() && stderr.contains("trust it"), "{code} {stderr}");
    let (code, out, stderr) = create(&secure.identity);
    assert!(code == 0 && out.contains("LIFTRELAY_TOKEN"), "{code} {stderr}");
}

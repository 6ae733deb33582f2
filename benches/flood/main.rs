//! Floods against the real program, with numbers: what editors and memory feel while somebody attacks.
//!
//! `cargo bench --bench flood` prints one row for each attack. Attackers, editors and server share this machine, so a row says what
//! a small server feels, not what a large one would.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod attacks;
mod editors;
mod server;

use std::future::Future;
use std::time::Duration;

use attacks::{Answers, Told};
use editors::Editors;
use server::Server;

const QUIET: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("the only provider");
    let server = Server::start();
    let editors = Editors::join(&server.url).await;
    println!("| attack | attempts, and what they were answered | pushes | p50 ms | p99 ms | max ms | MiB before | at most | after |");
    println!("|---|---|---|---|---|---|---|---|---|");
    row(&server, &editors, "none", async {
        tokio::time::sleep(QUIET).await;
        Answers::default()
    })
    .await;
    row(&server, &editors, "200 wrong logins a second from as many addresses", attacks::logins(&server.url, &editors.meet)).await;
    row(&server, &editors, "200 new meets a second", attacks::meets(&server.url)).await;
    row(&server, &editors, "1,000 subscribers that never read", attacks::sleepers(&server.url, &editors)).await;
    row(&server, &editors, "2,000 streams of one token", attacks::subscriptions(&server.url, &editors)).await;
    row(&server, &editors, "3,000 idle connections where 2,000 fit", attacks::idlers(&server.url)).await;
}

/// Runs an attack while editors push, and prints what they felt.
async fn row(server: &Server, editors: &Editors, name: &str, attack: impl Future<Output = Answers>) {
    let before = server.rss();
    let (answers, times, peak) = editors.during(server, attack).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let Told { pushes, p50, p99, max } = Told::of(times);
    println!("| {name} | {answers} | {pushes} | {p50:.1} | {p99:.1} | {max:.1} | {before} | {peak} | {} |", server.rss());
}

//! Keeps a scoreboard on the terminal: every lifter's total, best first, anew whenever something changes.
//!
//! `eval "$(liftrelay join --server http://127.0.0.1:8455 --meet 123-456-789 --location desk)"; cargo run --example scoreboard`.
//! What it has seen is kept in `scoreboard.replica`: it starts without the network too.
#![allow(clippy::print_stdout)]

use std::{env, error::Error, path::Path, sync::Arc};

use liftrelay::client::api::{Options, Server, Session};
use liftrelay::client::channel::ladder::Ladder;
use liftrelay::client::live::{self, Live};
use liftrelay::client::store::FileStore;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::new(env::var("LIFTRELAY_SERVER")?.parse()?, Options::default())?;
    let session = Session::new(server, env::var("LIFTRELAY_MEET")?.parse()?, env::var("LIFTRELAY_TOKEN")?);
    let store = FileStore::open(Path::new("scoreboard.replica"))?;
    let live = Live::start(Box::new(store), Arc::new(Ladder::new(session)), live::Options::default())?;
    let mut news = live.news();
    loop {
        print_totals(&serde_json::from_str(&live.read(|replica| replica.state().canonical()))?);
        let _ = news.recv().await; // Having missed some news is news as well.
    }
}

fn print_totals(state: &Value) {
    let entries = state["registration"]["entries"].as_object().into_iter().flatten();
    let mut totals: Vec<_> = entries.map(|(_, entry)| (total(entry), entry["name"].as_str().unwrap_or("?"))).collect();
    totals.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("\x1b[2J\x1b[H{}", state["meet"]["name"].as_str().unwrap_or("A meet without a name"));
    totals.iter().for_each(|(total, name)| println!("{total:>8.1}  {name}"));
}

/// The best good attempt of each lift, together.
fn total(entry: &Value) -> f64 {
    let best = |lift| {
        let of = |what| entry[format!("{lift}{what}")].as_array().into_iter().flatten();
        let good = of("Kg").zip(of("Status")).filter(|(_, status)| **status == 1);
        good.filter_map(|(kg, _)| kg.as_f64()).fold(0.0, f64::max)
    };
    ["squat", "bench", "deadlift"].map(best).iter().sum()
}

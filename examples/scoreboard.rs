//! Keeps a scoreboard on the terminal: every lifter's total, best first, anew whenever something changes.
//!
//! `LIFTRELAY_SERVER=http://127.0.0.1:8455 LIFTRELAY_MEET=123-456-789 LIFTRELAY_LOCATION=desk LIFTRELAY_PASSWORD=… \
//! cargo run --example scoreboard`. What it has seen is kept in `scoreboard.replica`: it starts without the network too.
#![allow(clippy::print_stdout)]

use std::{env, error::Error, path::Path, sync::Arc};

use liftrelay::client::api::{Join, Options, Server, Session};
use liftrelay::client::channel::ladder::Ladder;
use liftrelay::client::live::{self, Live, access::PasswordAccess};
use liftrelay::client::replica::Replica;
use liftrelay::client::store::{FileStore, ReplicaStore};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (meet, location, password) = (env::var("LIFTRELAY_MEET")?, env::var("LIFTRELAY_LOCATION")?, env::var("LIFTRELAY_PASSWORD")?);
    let server = Server::new(env::var("LIFTRELAY_SERVER")?.parse()?, Options::default())?;
    let mut store = FileStore::open(Path::new("scoreboard.replica"))?;
    let mut replica = Replica::open(store.load()?);
    if replica.identity().is_none() {
        let join = Join { password: &password, location_name: &location, client_id: None };
        let records = replica.join(&server.join(meet.parse()?, &join).await?)?;
        store.append(&records)?;
        records.iter().for_each(|record| drop(replica.apply(record)));
    }
    let (who, known) = replica.identity().zip(replica.credentials()).ok_or("the replica has not joined")?;
    let session = Session::new(server, who.meet_id.parse()?, known.session_token.clone());
    let access = PasswordAccess::new(session.clone(), password, location, who.client_id.to_string());
    let options = live::Options { access: Some(Arc::new(access)), ..Default::default() };
    let live = Live::start(Box::new(store), Arc::new(Ladder::new(session)), options)?;
    let mut news = live.news();
    loop {
        print_totals(&serde_json::from_str(&live.read(|replica| replica.state().canonical()))?);
        let _ = news.recv().await; // Having missed some news is news as well.
    }
}

fn print_totals(state: &Value) {
    let entries = state["registration"]["entries"].as_object();
    let mut totals: Vec<_> =
        entries.into_iter().flatten().map(|(_, entry)| (total(entry), entry["name"].as_str().unwrap_or("?"))).collect();
    totals.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("\x1b[2J\x1b[H{}", state["meet"]["name"].as_str().unwrap_or("A meet without a name"));
    totals.iter().for_each(|(total, name)| println!("{total:>8.1}  {name}"));
}

/// The best good attempt of each lift, together.
fn total(entry: &Value) -> f64 {
    let best = |(kg, status)| {
        let (kg, status): (&Value, &Value) = (&entry[kg], &entry[status]);
        let attempts = kg.as_array().into_iter().flatten().zip(status.as_array().into_iter().flatten());
        attempts.filter(|(_, status)| **status == 1).filter_map(|(kg, _)| kg.as_f64()).fold(0.0, f64::max)
    };
    [("squatKg", "squatStatus"), ("benchKg", "benchStatus"), ("deadliftKg", "deadliftStatus")].map(best).iter().sum()
}

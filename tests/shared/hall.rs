// What the examples of `liftrelay::client` stand on, and what their readers need not see: a server, members of a meet, one
// round trip. Examples take it in with `mod hall { include!(…); }`.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use liftrelay::client::api::{Create, Location, Options, Server, Session};
use liftrelay::client::channel::memory::{MemoryChannel, MemoryServer};
use liftrelay::client::channel::{Channel, Push};
use liftrelay::client::live::{self, Live};
use liftrelay::client::replica::{Edit, Identity, Need, Record, Replica};
use liftrelay::client::store::{MemoryStore, ReplicaStore};
use liftrelay::http::serve::{listen, serve};
use liftrelay::http::{self, App};
use liftrelay::meet::chain::ServerKey;
use liftrelay::relay::clock::Clock;
use liftrelay::relay::registry::Registry;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub const PASSWORD: &str = "a long password";

/// The address of a server in this process, which ends with it.
pub fn url() -> Result<String> {
    let store = liftrelay::store::memory::MemoryStore::default();
    let registry = Registry::new(Arc::new(store), ServerKey::new([7; 32]), Clock::default());
    let listener = listen("127.0.0.1:0".parse()?)?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(serve(listener, App::new(registry, http::Options::default()).front(None)));
    Ok(url)
}

/// The desk's session in a new meet on such a server.
pub async fn session() -> Result<Session> {
    let server = Server::new(url()?.parse()?, Options::default())?;
    let locations = [Location { location_name: "desk".to_owned(), priority: 1 }];
    let create = Create { this_location_name: "desk", password: PASSWORD, locations: &locations, meet_name: None, client_id: Some("laptop") };
    Ok(server.session(&server.create(&create, None).await?)?)
}

/// A replica that has joined.
pub fn member(location_name: &str) -> Replica {
    let (meet_id, location_name, client_id) = ("123-456-789".to_owned(), location_name.into(), "laptop".into());
    Replica::open([Record::Joined(Identity { meet_id, location_name, client_id })])
}

/// Makes an edit, kept nowhere.
pub fn set(replica: &mut Replica, key: &str, value: &str) -> Result<()> {
    let record = replica.edit(Edit::set(key, value)?)?;
    replica.apply(&record);
    Ok(())
}

/// The push of one edit.
pub fn push(key: &str, value: &str) -> Result<Push> {
    let mut replica = member("desk");
    set(&mut replica, key, value)?;
    Ok(replica.push().ok_or("an edit was made")?.push)
}

/// One round trip.
pub async fn exchange(replica: &mut Replica, channel: &dyn Channel) -> Result<Need> {
    let outgoing = replica.push();
    if let Some(record) = outgoing.as_ref().and_then(|outgoing| outgoing.record.as_ref()) {
        replica.apply(record);
    }
    let push = outgoing.map(|outgoing| outgoing.push).unwrap_or_default();
    let heard = replica.answered(channel.sync(push, replica.pull(Duration::ZERO)).await?)?;
    heard.record.iter().for_each(|record| drop(replica.apply(record)));
    Ok(heard.need)
}

/// A desk whose change of `lot` a platform has overruled before it arrived.
pub async fn overruled() -> Result<Replica> {
    let server = MemoryServer::new();
    let (mut desk, mut platform) = (member("desk"), member("platform"));
    set(&mut platform, "lot", "7")?;
    set(&mut desk, "lot", "12")?;
    exchange(&mut platform, &server.channel("platform", "laptop", 2)).await?;
    exchange(&mut desk, &server.channel("desk", "laptop", 1)).await?;
    Ok(desk)
}

/// A replica that is kept in step, its way, and where that leads.
pub fn live() -> Result<(Live, Arc<MemoryChannel>, Arc<MemoryServer>)> {
    let server = MemoryServer::new();
    let channel = Arc::new(server.channel("desk", "laptop", 1));
    let mut store = MemoryStore::default();
    let who = member("desk").identity().cloned().ok_or("it has joined")?;
    store.append(&[Record::Joined(who)])?;
    let way: Arc<dyn Channel> = channel.clone();
    Ok((Live::start(Box::new(store), way, live::Options::default())?, channel, server))
}

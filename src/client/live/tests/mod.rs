//! Replicas kept in step with a server in memory, in paused time.

mod rings;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::client::channel::collection::ChannelCollection;
use crate::client::channel::memory::{MemoryChannel, MemoryServer, Trouble};
use crate::client::channel::{Answer, Fault, Link as ChannelLink, Pull, Push, RestorePage};
use crate::client::replica::chain::Decision;
use crate::client::replica::{Identity, Record};
use crate::client::schedule::ManualScheduler;
use crate::client::store::{FileStore, MemoryStore};
use crate::meet::limits::CLIENT_RETRY_MAX;
use crate::wire::reply::ReceivedRestored;

const PATIENCE: Duration = Duration::from_secs(300);

struct Member {
    live: Live,
    channel: Arc<MemoryChannel>,
}

fn identity(location: &str, client: &str) -> Identity {
    Identity { meet_id: "123-456-789".into(), location_name: location.into(), client_id: client.into() }
}

fn join(server: &Arc<MemoryServer>, location: &str, priority: i64) -> Member {
    let mut store = MemoryStore::default();
    store.append(&[Record::Joined(identity(location, location))]).unwrap();
    open(server, store, location, priority, Options::default())
}

fn open(server: &Arc<MemoryServer>, store: MemoryStore, location: &str, priority: i64, options: Options) -> Member {
    let channel = Arc::new(server.channel(location, location, priority));
    let live = Live::start(Box::new(store), Arc::clone(&channel) as Arc<dyn Channel>, options).unwrap();
    Member { live, channel }
}

impl Member {
    async fn set(&self, key: &str, value: u64) {
        self.live.edit(vec![Edit::set(key, &value.to_string()).unwrap()]).await.unwrap();
    }

    async fn settled(&self) {
        let status = self.live.status();
        timeout(PATIENCE, self.live.settled()).await.unwrap_or_else(|_| panic!("{:?}", *status.borrow()));
    }

    fn hash(&self) -> String {
        self.live.read(|replica| replica.state().hash())
    }
}

async fn all_settled(server: &MemoryServer, members: &[&Member]) {
    for _ in 0..2 {
        for member in members {
            member.settled().await;
        }
        // What one pushed last has to reach the others.
        sleep(Duration::from_secs(1)).await;
    }
    for member in members {
        assert_eq!(member.hash(), server.state().hash());
        assert_eq!(member.live.read(|replica| replica.log().len() as u64), server.with_log(|log| log.head()));
    }
}

#[tokio::test(start_paused = true)]
async fn edits_reach_the_others_at_once() {
    let server = MemoryServer::new();
    let (desk, platform) = (join(&server, "desk", 10), join(&server, "platform", 20));
    desk.settled().await;
    let started = Instant::now();
    desk.set("lot", 1).await;
    let mut news = platform.live.news();
    loop {
        if news.recv().await.unwrap().keys.iter().any(|key| key.as_str() == "lot") {
            break;
        }
    }
    assert!(started.elapsed() < Duration::from_millis(50), "{:?}", started.elapsed());
    all_settled(&server, &[&desk, &platform]).await;
}

/// Where nobody writes, a held pull would come back only when its time is up.
#[tokio::test(start_paused = true)]
async fn a_page_that_asks_to_log_in_to_the_hall_costs_no_edit() {
    let server = MemoryServer::new();
    let desk = join(&server, "desk", 10);
    desk.settled().await;
    for status in [401, 403, 404, 407] {
        desk.channel.trouble([Trouble::Page(status); 12]);
        desk.set("lot", u64::from(status)).await;
        desk.settled().await;
    }
    assert!(desk.live.read(|replica| replica.set_aside().is_empty()));
    all_settled(&server, &[&desk]).await;
}

/// Refuses edits in which it finds a word, and nothing else.
struct Filter(Arc<MemoryChannel>);

impl Filter {
    fn dislikes(push: &Push) -> bool {
        push.updates.iter().any(|update| update.update_value.as_ref().is_some_and(|value| value.get().contains("<script")))
    }
}

impl Channel for Filter {
    fn push(&self, push: Push) -> BoxFuture<'_, Result<Answer, Fault>> {
        if Filter::dislikes(&push) {
            return std::future::ready(Err(Fault::Refused { code: None, status: 403, detail: "forbidden".to_owned() })).boxed();
        }
        self.0.push(push)
    }

    fn pull(&self, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.0.pull(pull)
    }

    fn sync(&self, push: Push, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        if push.updates.is_empty() { self.0.sync(push, pull) } else { self.push(push) }
    }

    fn restore(&self, page: RestorePage) -> BoxFuture<'_, Result<ReceivedRestored, Fault>> {
        self.0.restore(page)
    }

    fn link(&self) -> ChannelLink {
        self.0.link()
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_filter_on_the_way_refuses_is_set_aside_alone() {
    let server = MemoryServer::new();
    let mut store = MemoryStore::default();
    store.append(&[Record::Joined(identity("desk", "desk"))]).unwrap();
    let way = Arc::new(Filter(Arc::new(server.channel("desk", "desk", 10))));
    let live = Live::start(Box::new(store), way, Options::default()).unwrap();
    let edits = ["\"Ada\"", "\"<script>\"", "\"Bela\""];
    for (number, name) in edits.iter().enumerate() {
        live.edit(vec![Edit::set(&format!("names[{number}]"), name).unwrap()]).await.unwrap();
    }
    timeout(PATIENCE, live.settled()).await.unwrap();
    assert_eq!(server.state().canonical(), r#"{"names":{"0":"Ada","2":"Bela"}}"#);
    assert_eq!(live.read(|replica| replica.set_aside().len()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_meet_is_known_to_be_in_reach_at_once() {
    let server = MemoryServer::new();
    let desk = join(&server, "desk", 10);
    let link_is = async |wanted: fn(&Link) -> bool, within: Duration| {
        let started = Instant::now();
        desk.live.status().wait_for(|status| wanted(&status.link)).await.unwrap();
        assert!(started.elapsed() <= within, "{:?}", started.elapsed());
    };
    link_is(|link| *link == Link::Up, Duration::from_secs(1)).await;
    desk.channel.set_online(false);
    link_is(|link| matches!(link, Link::Down { .. }), Duration::from_secs(1)).await;
    desk.channel.set_online(true);
    link_is(|link| *link == Link::Up, CLIENT_RETRY_MAX).await;
}

#[tokio::test(start_paused = true)]
async fn troubles_double_nothing_and_lose_nothing() {
    let server = MemoryServer::new();
    let (desk, platform) = (join(&server, "desk", 10), join(&server, "platform", 20));
    let troubles = [
        Trouble::LostReply,
        Trouble::LostRequest,
        Trouble::Doubled,
        Trouble::Busy(429),
        Trouble::Busy(408),
        Trouble::Busy(503),
        Trouble::Slow(Duration::from_secs(3)),
        Trouble::None,
    ];
    for round in 0..40 {
        desk.channel.trouble([troubles[round % troubles.len()]]);
        platform.channel.trouble([troubles[(round * 3 + 1) % troubles.len()], Trouble::LostReply]);
        desk.set(&format!("desk[{}]", round % 7), round as u64).await;
        platform.set(&format!("platform[{}]", round % 5), round as u64).await;
        sleep(Duration::from_millis(37 * round as u64)).await;
    }
    all_settled(&server, &[&desk, &platform]).await;
    assert!(desk.live.read(|replica| replica.set_aside().is_empty()));
    server.with_log(|log| {
        let mut numbers: Vec<_> = log.after(0).iter().map(|entry| (entry.writer(), entry.fields.local_seq_num)).collect();
        let count = numbers.len();
        numbers.sort_by_key(|(writer, number)| (writer.client_id.clone(), *number));
        numbers.dedup();
        assert_eq!(numbers.len(), count, "one commit per number");
    });
}

#[tokio::test(start_paused = true)]
async fn a_day_offline_comes_back_by_itself_within_seconds() {
    let server = MemoryServer::new();
    let (desk, platform) = (join(&server, "desk", 10), join(&server, "platform", 20));
    desk.settled().await;
    desk.channel.set_online(false);
    for number in 0..1_000 {
        desk.set(&format!("attempts[{number}]"), number).await;
        sleep(Duration::from_secs(30)).await;
    }
    assert!(matches!(desk.live.status().borrow().link, Link::Down { .. }));
    platform.set("lot", 5).await;
    desk.channel.set_online(true);
    let started = Instant::now();
    desk.settled().await;
    assert!(started.elapsed() <= Duration::from_secs(6), "{:?}", started.elapsed());
    all_settled(&server, &[&desk, &platform]).await;
}

#[tokio::test(start_paused = true)]
async fn refused_edits_are_set_aside_and_stop_nothing() {
    let server = MemoryServer::new();
    let (desk, director) = (join(&server, "desk", 10), join(&server, "director", 30));
    all_settled(&server, &[&desk, &director]).await;
    desk.channel.set_online(false);
    desk.set("lot", 1).await;
    desk.set("name", 1).await;
    director.set("lot", 2).await;
    director.settled().await;
    desk.channel.set_online(true);
    desk.settled().await;
    let aside = desk.live.read(|replica| replica.set_aside().clone());
    let (number, refused) = aside.iter().next().unwrap();
    let standing = refused.refused.standing.as_ref().unwrap();
    assert_eq!((&*standing.location_name, standing.value.as_ref().unwrap().get()), ("director", "2"));
    assert_eq!(server.state().canonical(), r#"{"lot":2,"name":1}"#);
    desk.live.retry(*number).await.unwrap();
    all_settled(&server, &[&desk, &director]).await;
    assert_eq!(server.state().canonical(), r#"{"lot":1,"name":1}"#, "seen, it may be changed");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_killed_goes_on_from_its_store() {
    let (server, folder) = (MemoryServer::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("desk.replica");
    FileStore::open(&path).unwrap().append(&[Record::Joined(identity("desk", "desk"))]).unwrap();
    for lot in 1..=20 {
        let channel = Arc::new(server.channel("desk", "desk", 10));
        let store = Box::new(FileStore::open(&path).unwrap());
        let live = Live::start(store, Arc::clone(&channel) as Arc<dyn Channel>, Options::default()).unwrap();
        channel.trouble([Trouble::LostReply, Trouble::LostRequest, Trouble::LostReply]);
        live.edit(vec![Edit::set("lot", &lot.to_string()).unwrap()]).await.unwrap();
        live.edit(vec![Edit::set(&format!("lots[{lot}]"), "1").unwrap()]).await.unwrap();
        sleep(Duration::from_millis(60 * (lot % 5))).await;
        // Wherever it is: its edits are in the store.
        live.close().await;
    }
    let store = FileStore::open(&path).unwrap();
    let channel = Arc::new(server.channel("desk", "desk", 10));
    let live = Live::start(Box::new(store), Arc::clone(&channel) as Arc<dyn Channel>, Options::default()).unwrap();
    timeout(PATIENCE, live.settled()).await.unwrap();
    assert_eq!(live.read(|replica| replica.state().hash()), server.state().hash());
    assert!(live.read(|replica| replica.set_aside().is_empty()));
    let numbers = server.with_log(|log| log.after(0).iter().filter_map(|entry| entry.fields.local_seq_num).collect::<BTreeSet<_>>());
    assert_eq!(numbers.len() as u64, server.with_log(|log| log.head()), "one commit per number");
    let state = server.state().canonical();
    assert!(state.starts_with(r#"{"lot":20,"#) && (1..=20).all(|lot| state.contains(&format!("\"{lot}\":1"))), "{state}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_lost_entries_gets_them_back_under_their_numbers() {
    let server = MemoryServer::new();
    let (desk, platform) = (join(&server, "desk", 10), join(&server, "platform", 20));
    for number in 0..30 {
        desk.set(&format!("a[{number}]"), number).await;
        platform.set(&format!("b[{number}]"), number).await;
        sleep(Duration::from_millis(50)).await;
    }
    all_settled(&server, &[&desk, &platform]).await;
    let before = server.state().hash();
    server.lose_after(11);
    desk.set("lot", 7).await;
    all_settled(&server, &[&desk, &platform]).await;
    assert_ne!(server.state().hash(), before);
    assert_eq!(server.with_log(|log| log.head()), 61);
}

#[tokio::test(start_paused = true)]
async fn two_writers_at_ten_a_second_are_never_refused() {
    let server = MemoryServer::new();
    let (desk, platform) = (join(&server, "desk", 10), join(&server, "platform", 20));
    for number in 0..300 {
        desk.set(&format!("a[{}]", number % 9), number).await;
        platform.set(&format!("b[{}]", number % 9), number).await;
        sleep(Duration::from_millis(100)).await;
    }
    all_settled(&server, &[&desk, &platform]).await;
    for member in [&desk, &platform] {
        assert!(member.live.read(|replica| replica.set_aside().is_empty()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_poisoned_edit_stops_none_of_its_neighbours() {
    let server = MemoryServer::new();
    let desk = join(&server, "desk", 10);
    desk.settled().await;
    desk.channel.set_online(false);
    desk.live.edit(vec![Edit::set("a", "{}").unwrap()]).await.unwrap();
    for number in 0..9 {
        desk.live.edit(vec![Edit::set(&format!("a.b{number}"), "1").unwrap()]).await.unwrap();
    }
    let director = join(&server, "director", 30);
    director.set("a", 3).await;
    director.settled().await;
    desk.channel.set_online(true);
    desk.set("other", 1).await;
    desk.settled().await;
    assert_eq!(server.state().canonical(), r#"{"a":3,"other":1}"#);
    assert_eq!(desk.live.read(|replica| replica.set_aside().len()), 10);
}

#[tokio::test(start_paused = true)]
async fn a_chain_asks_about_what_is_refused_and_the_rest_is_committed_together() {
    let server = MemoryServer::new();
    let scheduler = ManualScheduler::default();
    scheduler.set(|choice| choice.window = Duration::from_secs(3_600));
    let mut store = MemoryStore::default();
    store.append(&[Record::Joined(identity("desk", "desk"))]).unwrap();
    let desk = open(&server, store, "desk", 10, Options { scheduler: Box::new(scheduler), ..Options::default() });
    let director = join(&server, "director", 30);
    desk.settled().await;
    desk.set("a", 1).await;
    desk.set("b", 1).await;
    desk.set("c", 1).await;
    desk.channel.trouble([Trouble::None]);
    director.set("b", 9).await;
    director.settled().await;
    let mut asked = Vec::new();
    let end = desk.live.sync_chain(&*desk.channel, |conflict, _| {
        asked.push(conflict.problem.local_seq_num);
        Decision::DropThis
    });
    assert_eq!(timeout(PATIENCE, end).await.unwrap().unwrap(), ChainEnd::Committed);
    assert_eq!(asked.len(), 1);
    all_settled(&server, &[&desk, &director]).await;
    assert_eq!(server.state().canonical(), r#"{"a":1,"b":9,"c":1}"#);
    server.with_log(|log| assert_eq!(log.get(2).unwrap().fields.commit, log.get(3).unwrap().fields.commit));
}

#[tokio::test(start_paused = true)]
async fn a_chain_waits_for_what_is_under_way_so_nothing_that_is_given_up_comes_back() {
    let server = MemoryServer::new();
    let (desk, director) = (join(&server, "desk", 10), join(&server, "director", 30));
    desk.settled().await;
    director.settled().await;
    desk.channel.trouble([Trouble::Slow(Duration::from_secs(5))]);
    desk.live.edit(vec![Edit::set("a", "1").unwrap(), Edit::set("b", "1").unwrap()]).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    director.set("a", 9).await;
    director.settled().await;
    let mut asked = 0;
    let end = desk.live.sync_chain(&*desk.channel, |_, _| {
        asked += 1;
        Decision::DropRest
    });
    assert_eq!(timeout(PATIENCE, end).await.unwrap().unwrap(), ChainEnd::Committed);
    all_settled(&server, &[&desk, &director]).await;
    assert_eq!((asked, server.state().canonical().as_str()), (0, r#"{"a":9,"b":1}"#));
    assert!(desk.live.read(|replica| replica.set_aside().keys().eq([&1])));
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_a_finished_meet_does_not_take_is_not_called_committed() {
    let server = MemoryServer::new();
    let desk = join(&server, "desk", 10);
    desk.settled().await;
    desk.channel.set_online(false);
    desk.set("a", 1).await;
    server.finish();
    desk.channel.set_online(true);
    let end = timeout(PATIENCE, desk.live.sync_chain(&*desk.channel, |_, _| Decision::DropThis)).await.unwrap().unwrap();
    assert!(matches!(end, ChainEnd::Interrupted(_)), "{end:?}");
    assert!(desk.live.read(|replica| replica.set_aside().keys().eq([&1])));
}

#[tokio::test(start_paused = true)]
async fn edits_go_by_themselves_as_soon_as_a_chain_is_given_up() {
    let server = MemoryServer::new();
    let scheduler = ManualScheduler::default();
    scheduler.set(|choice| (choice.window, choice.wait) = (Duration::from_secs(1), Duration::from_secs(3_600)));
    let mut store = MemoryStore::default();
    store.append(&[Record::Joined(identity("desk", "desk"))]).unwrap();
    let desk = open(&server, store, "desk", 10, Options { scheduler: Box::new(scheduler), ..Options::default() });
    desk.settled().await;
    desk.set("a", 1).await;
    let hole = server.channel("desk", "desk", 10);
    hole.trouble([Trouble::Slow(PATIENCE)]);
    let given_up = timeout(Duration::from_secs(10), desk.live.sync_chain(&hole, |_, _| Decision::DropThis)).await;
    assert!(given_up.is_err() && server.with_log(|log| log.head() == 0));
    timeout(Duration::from_secs(2), desk.live.settled()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_edited_before_others_finished_the_meet_is_set_aside() {
    let server = MemoryServer::new();
    let desk = join(&server, "desk", 10);
    desk.settled().await;
    desk.channel.set_online(false);
    desk.set("a", 1).await;
    server.finish();
    desk.channel.set_online(true);
    timeout(PATIENCE, desk.live.settled()).await.unwrap();
    assert!(desk.live.read(|replica| replica.set_aside().keys().eq([&1])));
}

#[tokio::test(start_paused = true)]
async fn without_a_server_what_existed_is_read_only_in_conflict_free_mode() {
    let server = MemoryServer::new();
    let mut store = MemoryStore::default();
    store.append(&[Record::Joined(identity("desk", "desk"))]).unwrap();
    let desk = open(&server, store, "desk", 10, Options { conflict_free: true, ..Options::default() });
    desk.settled().await;
    desk.set("entries[5001].name", 1).await;
    desk.settled().await;
    desk.channel.set_online(false);
    let mut status = desk.live.status();
    status.wait_for(|status| matches!(status.link, Link::Down { .. })).await.unwrap();
    let refused = desk.live.edit(vec![Edit::set("entries[5001].name", "2").unwrap()]).await.unwrap_err();
    assert!(refused.to_string().contains("read-only"), "{refused}");
    desk.live.edit(vec![Edit::create("entries[5002]", "{}").unwrap()]).await.unwrap();
    desk.live.edit(vec![Edit::set("entries[5002].name", "2").unwrap()]).await.unwrap();
    desk.channel.set_online(true);
    all_settled(&server, &[&desk]).await;
}

#[tokio::test(start_paused = true)]
async fn through_several_channels_replicas_agree_and_fall_silent() {
    let server = MemoryServer::new();
    let mut members = Vec::new();
    for name in ["desk", "platform 1", "platform 2"] {
        let channels: Vec<_> = (0..3).map(|_| Arc::new(server.channel(name, name, 10))).collect();
        let all = ChannelCollection::new(channels.iter().map(|channel| Arc::clone(channel) as Arc<dyn Channel>));
        let mut store = MemoryStore::default();
        store.append(&[Record::Joined(identity(name, name))]).unwrap();
        let live = Live::start(Box::new(store), Arc::new(all), Options::default()).unwrap();
        members.push(Member { live, channel: Arc::clone(&channels[0]) });
    }
    for round in 0..20 {
        for member in &members {
            member.channel.trouble([Trouble::LostReply, Trouble::Doubled]);
            member.set("lot", round).await;
        }
        sleep(Duration::from_millis(100)).await;
    }
    all_settled(&server, &members.iter().collect::<Vec<_>>()).await;
    let head = server.with_log(|log| log.head());
    sleep(Duration::from_secs(3_600)).await;
    assert_eq!(server.with_log(|log| log.head()), head, "nobody repeats what it has heard");
}

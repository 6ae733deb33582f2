//! Members that carry for each other, however they are joined: one authority orders, and an echo is impossible.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use proptest::prelude::*;

use super::*;
use crate::client::channel::{Answer, Fault, Link as ChannelLink, Pull, Push, RestorePage, Update};
use crate::meet::chain::Cursor;
use crate::meet::update::{Mode, Op};
use crate::wire::reply::ReceivedRestored;

/// A way that counts what is sent on it.
struct Counted {
    way: Arc<dyn Channel>,
    sent: Arc<AtomicUsize>,
    pulls: AtomicUsize,
}

/// Another history goes round from member to member, each of which believes it after a held pull or two.
const LONG: Duration = Duration::from_secs(1_800);
/// Pulls of a way in one history, many times over.
const PULLS_MAX: usize = 5_000;

impl Channel for Counted {
    fn push(&self, push: Push) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.sent.fetch_add(1, Ordering::SeqCst);
        self.way.push(push)
    }

    fn pull(&self, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        let pulls = self.pulls.fetch_add(1, Ordering::SeqCst);
        // A loop without a pause would never let paused time go on.
        assert!(pulls < PULLS_MAX, "a loop that does not end");
        self.way.pull(pull)
    }

    fn sync(&self, push: Push, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.sent.fetch_add(push.updates.len(), Ordering::SeqCst);
        self.way.sync(push, pull)
    }

    fn restore(&self, page: RestorePage) -> BoxFuture<'_, Result<ReceivedRestored, Fault>> {
        self.sent.fetch_add(1, Ordering::SeqCst);
        self.way.restore(page)
    }

    fn link(&self) -> ChannelLink {
        self.way.link()
    }
}

/// Members in a ring, each of which carries for all others.
struct Ring {
    server: Arc<MemoryServer>,
    members: Vec<Live>,
    /// Those that reach the server, once for each client that goes through them.
    cables: Vec<Vec<Arc<MemoryChannel>>>,
    sent: Arc<AtomicUsize>,
}

impl Ring {
    fn new(count: usize, reach_the_server: &[usize]) -> Ring {
        let server = MemoryServer::new();
        let names: Vec<_> = (0..count).map(|number| format!("member {number}")).collect();
        // How each client goes on from each member; rings have no first member, so the ways are joined up later.
        let ways: Vec<Vec<_>> = (0..count).map(|_| (0..count).map(|_| Arc::new(ChannelCollection::default())).collect()).collect();
        let start = |client: usize| {
            let mut store = MemoryStore::default();
            store.append(&[Record::Joined(identity(&names[client], &names[client]))]).unwrap();
            Live::start(Box::new(store), Arc::clone(&ways[client][client]) as Arc<dyn Channel>, Options::default()).unwrap()
        };
        let members: Vec<_> = (0..count).map(start).collect();
        let (sent, mut cables) = (Arc::new(AtomicUsize::new(0)), Vec::new());
        for (client, name) in names.iter().enumerate() {
            let carrier = |member: usize| members[member].carrier(Arc::clone(&ways[member][client]) as Arc<dyn Channel>);
            let carriers: Vec<_> = (0..count).map(|member| Arc::new(carrier(member))).collect();
            let counted = |way| Arc::new(Counted { way, sent: Arc::clone(&sent), pulls: AtomicUsize::new(0) });
            for (member, way) in ways.iter().enumerate() {
                let both = BTreeSet::from([(member + 1) % count, (member + count - 1) % count]);
                for next in both.into_iter().filter(|next| ![client, member].contains(next)) {
                    way[client].add(counted(Arc::clone(&carriers[next]) as Arc<dyn Channel>));
                }
            }
            let own: Vec<_> = reach_the_server.iter().map(|_| Arc::new(server.channel(name, name, 10))).collect();
            for (cable, &member) in own.iter().zip(reach_the_server) {
                ways[member][client].add(counted(Arc::clone(cable) as Arc<dyn Channel>));
            }
            cables.push(own);
        }
        Ring { server, members, cables, sent }
    }

    fn set_online(&self, is_online: bool) {
        self.cables.iter().flatten().for_each(|cable| cable.set_online(is_online));
    }

    fn agrees(&self) -> bool {
        let hash = self.server.state().hash();
        self.members.iter().all(|member| member.status().borrow().is_settled() && member.read(|replica| replica.state().hash()) == hash)
    }

    /// Until all hold what the server holds, and still do when what was on its way has come round.
    async fn settled(&self) {
        let agree = || async {
            while !self.agrees() {
                sleep(Duration::from_secs(1)).await;
            }
        };
        for _ in 0..3 {
            if timeout(LONG, agree()).await.is_err() {
                let stand = |member: &Live| member.read(|replica| (replica.status(), replica.state().canonical()));
                panic!("{:#?}\nserver: {}", self.members.iter().map(stand).collect::<Vec<_>>(), self.server.state().canonical());
            }
            sleep(Duration::from_secs(60)).await;
        }
    }

    /// All hold the server's log, every edit was committed once or is set aside, and then nothing is sent any more.
    async fn agrees_and_falls_silent(&self, edits: usize) {
        self.settled().await;
        let head = self.server.with_log(|log| {
            let mut numbers: Vec<_> = log.after(0).iter().map(|entry| (entry.writer().client_id, entry.fields.local_seq_num)).collect();
            numbers.sort();
            numbers.dedup();
            assert_eq!(numbers.len() as u64, log.head(), "one commit per number");
            log.head()
        });
        let set_aside: usize = self.members.iter().map(|member| member.read(|replica| replica.set_aside().len())).sum();
        // An edit that was not sent yet may have been replaced by a later one of its key.
        assert!(head as usize + set_aside <= edits, "{head} committed and {set_aside} set aside of {edits}");
        let sent = self.sent.load(Ordering::SeqCst);
        sleep(Duration::from_secs(3_600)).await;
        assert_eq!(self.server.with_log(|log| log.head()), head);
        assert_eq!(self.sent.load(Ordering::SeqCst), sent, "nobody repeats what it has heard");
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_goes_all_the_way_round_and_is_committed_once() {
    let ring = Ring::new(4, &[0]);
    ring.members[2].edit(vec![Edit::set("lot", "1").unwrap()]).await.unwrap();
    ring.agrees_and_falls_silent(1).await;
    assert_eq!(ring.server.state().canonical(), r#"{"lot":1}"#);
}

#[tokio::test(start_paused = true)]
async fn members_that_hear_only_each_other_do_not_take_that_for_the_server() {
    let ring = Ring::new(3, &[0]);
    ring.members[1].edit(vec![Edit::set("lot", "1").unwrap()]).await.unwrap();
    ring.settled().await;
    ring.set_online(false);
    sleep(2 * crate::meet::limits::CLIENT_CARRIES_FOR).await;
    for member in &ring.members {
        assert!(matches!(member.status().borrow().link, Link::Down { .. }), "{:?}", member.status().borrow().link);
    }
    ring.members[2].edit(vec![Edit::set("lot", "2").unwrap()]).await.unwrap();
    ring.set_online(true);
    ring.agrees_and_falls_silent(2).await;
    assert_eq!(ring.server.state().canonical(), r#"{"lot":2}"#);
}

#[tokio::test(start_paused = true)]
async fn what_a_server_has_lost_comes_back_from_members_that_never_reach_it() {
    let ring = Ring::new(3, &[0]);
    for lot in 0..20 {
        ring.members[lot % 3].edit(vec![Edit::set(&format!("lots[{lot}]"), "1").unwrap()]).await.unwrap();
    }
    ring.settled().await;
    let before = (ring.server.state().hash(), ring.server.with_log(|log| log.head()));
    ring.server.lose_after(5);
    ring.settled().await;
    assert_eq!((ring.server.state().hash(), ring.server.with_log(|log| log.head())), before);
    ring.agrees_and_falls_silent(20).await;
}

#[tokio::test(start_paused = true)]
async fn a_ring_whose_server_went_on_without_it_takes_the_servers_history() {
    let ring = Ring::new(4, &[0]);
    for lot in 0..20 {
        ring.members[lot % 4].edit(vec![Edit::set(&format!("lots[{lot}]"), "1").unwrap()]).await.unwrap();
    }
    ring.settled().await;
    ring.set_online(false);
    ring.server.lose_after(5);
    // A location of its own goes on before the longer log comes back.
    let stranger = join(&ring.server, "stranger", 30);
    for lot in 0..30 {
        stranger.set("other", lot).await;
        sleep(Duration::from_secs(1)).await;
    }
    ring.set_online(true);
    ring.agrees_and_falls_silent(50).await;
    let state = ring.server.state().canonical();
    assert!((0..20).all(|lot| state.contains(&format!("\"{lot}\":1"))), "{state}");
}

/// What happens to a ring.
#[derive(Clone, Copy, Debug)]
enum Step {
    Edit {
        member: usize,
        key: u8,
    },
    /// The next call of a member's own cables.
    Trouble {
        member: usize,
        trouble: Trouble,
    },
    /// Every cable out, or back in.
    Online(bool),
    /// The server comes back from an older copy of its disk.
    Lose {
        kept: u64,
    },
    /// Somebody who never saw the ring writes to the server.
    Stranger {
        key: u8,
    },
    Wait {
        seconds: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let trouble = prop::sample::select(vec![
        Trouble::LostReply,
        Trouble::LostRequest,
        Trouble::Doubled,
        Trouble::Busy(503),
        Trouble::Slow(Duration::from_secs(2)),
    ]);
    prop_oneof![
        6 => (0_usize..6, 0_u8..5).prop_map(|(member, key)| Step::Edit { member, key }),
        2 => (0_usize..6, trouble).prop_map(|(member, trouble)| Step::Trouble { member, trouble }),
        1 => any::<bool>().prop_map(Step::Online),
        1 => (0_u64..8).prop_map(|kept| Step::Lose { kept }),
        1 => (0_u8..5).prop_map(|key| Step::Stranger { key }),
        2 => (0_u64..40).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

impl Ring {
    async fn take(&self, number: usize, step: Step) {
        let count = self.members.len();
        match step {
            Step::Edit { member, key } => {
                let edit = Edit::set(&format!("k{key}"), &number.to_string()).unwrap();
                self.members[member % count].edit(vec![edit]).await.unwrap();
            }
            Step::Trouble { member, trouble } => self.cables[member % count].iter().for_each(|cable| cable.trouble([trouble])),
            Step::Online(is_online) => self.set_online(is_online),
            Step::Lose { kept } => self.server.lose_after(kept.min(self.server.with_log(|log| log.head()))),
            Step::Stranger { key } => {
                let update = Update {
                    update_key: format!("k{key}").into(),
                    update_value: serde_json::value::to_raw_value(&number).ok(),
                    op: Op::Set,
                    local_seq_num: number as u64,
                    after_server_seq_num: Cursor::START,
                };
                let push = Push { updates: vec![update], mode: Mode::Each, if_head: None };
                self.server.channel("stranger", "stranger", 5).push(push).await.unwrap();
            }
            Step::Wait { seconds } => sleep(Duration::from_secs(seconds)).await,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn members_in_rings_agree_and_fall_silent(
        count in 2_usize..6,
        reach in prop::collection::btree_set(0_usize..6, 1..3),
        steps in prop::collection::vec(step(), 1..24),
    ) {
        let reach: Vec<_> = reach.into_iter().map(|member| member % count).collect::<BTreeSet<_>>().into_iter().collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let ring = Ring::new(count, &reach);
            for (number, step) in steps.iter().enumerate() {
                ring.take(number, *step).await;
            }
            ring.set_online(true);
            ring.agrees_and_falls_silent(steps.len()).await;
        });
    }
}

//! A session that ends while exchanges are under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use liftrelay::client::channel::memory::{MemoryChannel, MemoryServer};
use liftrelay::client::channel::{Answer, Channel, Fault, Link, Pull, Push, RestorePage};
use liftrelay::client::live::access::Access;
use liftrelay::client::live::{Live, Options};
use liftrelay::client::replica::{Edit, Identity, Record};
use liftrelay::client::store::{MemoryStore, ReplicaStore};
use liftrelay::wire::reply::{ReceivedRestored, ReceivedSession};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// Refuses whatever began before somebody logged in: pushes at once, pulls only when the login is over.
struct Ended {
    inner: MemoryChannel,
    is_open: watch::Receiver<bool>,
}

fn refused<T>() -> Result<T, Fault> {
    Err(Fault::NotAuthorised("the session has ended".to_owned()))
}

impl Channel for Ended {
    fn push(&self, push: Push) -> BoxFuture<'_, Result<Answer, Fault>> {
        let is_open = *self.is_open.borrow();
        async move { if is_open { self.inner.push(push).await } else { refused() } }.boxed()
    }

    fn pull(&self, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        let mut is_open = self.is_open.clone();
        async move {
            if *is_open.borrow() {
                return self.inner.pull(pull).await;
            }
            is_open.wait_for(|is_open| *is_open).await.unwrap();
            refused()
        }
        .boxed()
    }

    fn sync(&self, push: Push, pull: Pull) -> BoxFuture<'_, Result<Answer, Fault>> {
        self.inner.sync(push, pull)
    }

    fn restore(&self, _: RestorePage) -> BoxFuture<'_, Result<ReceivedRestored, Fault>> {
        async move { refused() }.boxed()
    }

    fn link(&self) -> Link {
        self.inner.link()
    }
}

struct Door {
    is_open: watch::Sender<bool>,
    logins: Arc<AtomicUsize>,
}

impl Access for Door {
    fn login(&self) -> BoxFuture<'_, Result<ReceivedSession, Fault>> {
        self.logins.fetch_add(1, Ordering::SeqCst);
        self.is_open.send_replace(true);
        let session = json!({
            "meetId": "123-456-789", "locationName": "desk", "clientId": "laptop", "priority": 10, "slot": 1,
            "sessionToken": "new", "expiresAt": "2026-05-01T09:00:00.000Z", "serverSeqNum": 0, "cursor": "0",
            "recoveryTicket": "ticket", "ticketVersion": 1,
        });
        async move { Ok(serde_json::from_value(session).unwrap()) }.boxed()
    }

    fn ticket(&self) -> BoxFuture<'_, Result<(String, u64), Fault>> {
        async move { refused() }.boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn what_began_before_a_login_is_no_reason_to_lock_the_client_out() {
    let (server, logins) = (MemoryServer::new(), Arc::new(AtomicUsize::new(0)));
    let (sender, is_open) = watch::channel(false);
    let channel = Arc::new(Ended { inner: server.channel("desk", "laptop", 10), is_open });
    let access: Arc<dyn Access> = Arc::new(Door { is_open: sender, logins: Arc::clone(&logins) });
    let mut store = MemoryStore::default();
    let who = Identity { meet_id: "123-456-789".into(), location_name: "desk".into(), client_id: "laptop".into() };
    store.append(&[Record::Joined(who)]).unwrap();
    let live = Live::start(Box::new(store), channel, Options { access: Some(access), ..Options::default() }).unwrap();
    let started = Instant::now();
    live.edit(vec![Edit::set("lot", "1").unwrap()]).await.unwrap();
    timeout(Duration::from_secs(300), live.settled()).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(logins.load(Ordering::SeqCst), 1);
}

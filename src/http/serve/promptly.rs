//! Futures that wake themselves while they run.
//!
//! A connection does so for every body: the handler asks for it, and what reads it belongs to the same task. The runtime would put the
//! task at the end of its queue and wake another thread to help with that; here it just runs once more.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// How often a future runs in a row, before others get a turn.
const TURNS_MAX: usize = 8;

const IDLE: u8 = 0;
const RUNNING: u8 = 1;
/// Set beside that where it was woken meanwhile.
const WOKEN: u8 = 2;

/// What a future is woken by.
struct Bell {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Who runs it looks once more before it rests.
        if self.state.fetch_or(WOKEN, Ordering::AcqRel) & RUNNING == 0 {
            self.task.wake();
        }
    }
}

/// Runs a future, which runs again at once where it is woken meanwhile.
pub(super) fn promptly<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let mut future = Box::pin(future);
    let bell = Arc::new(Bell { state: AtomicU8::new(IDLE), task: AtomicWaker::new() });
    let waker = Waker::from(Arc::clone(&bell));
    poll_fn(move |context| bell.run(future.as_mut(), &waker, context))
}

impl Bell {
    fn run<F: Future>(&self, mut future: Pin<&mut F>, waker: &Waker, context: &mut Context<'_>) -> Poll<F::Output> {
        self.task.register(context.waker());
        for _ in 0..TURNS_MAX {
            // In one step with what woke it, so that it sees what that was about.
            self.state.swap(RUNNING, Ordering::AcqRel);
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(waker)) {
                // A socket that was handed on may keep the bell, which need not keep the task.
                drop(self.task.take());
                return Poll::Ready(output);
            }
            if self.state.compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return Poll::Pending;
            }
        }
        self.state.store(IDLE, Ordering::Release);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;

    /// Counts how often a task is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Polls a future once that wakes itself so often; how often it ran, whether it is ready, and how often its task was woken.
    fn polled(wakes: usize) -> (usize, bool, usize) {
        let (count, mut ran) = (Arc::new(Count::default()), 0);
        let future = promptly(poll_fn(|context| {
            ran += 1;
            if ran > wakes {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }));
        let is_ready = pin!(future).poll(&mut Context::from_waker(&Waker::from(Arc::clone(&count)))).is_ready();
        (ran, is_ready, count.0.load(Ordering::Relaxed))
    }

    #[test]
    fn who_wakes_itself_runs_again_but_not_for_ever() {
        assert_eq!(polled(0), (1, true, 0));
        assert_eq!(polled(3), (4, true, 0));
        assert_eq!(polled(1_000), (TURNS_MAX, false, 1), "others get a turn, and then it goes on");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_wake_of_another_thread_is_lost() {
        let relay = async {
            for _ in 0..20_000 {
                let (sender, receiver) = tokio::sync::oneshot::channel();
                tokio::spawn(async move { sender.send(()) });
                receiver.await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(60), tokio::spawn(promptly(relay))).await.unwrap().unwrap();
    }
}

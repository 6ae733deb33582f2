//! Threads on which lanes make their rounds, apart from those that answer requests: a round keeps a core busy for milliseconds, and on a
//! thread that also answers, pushes would wait behind it.

use std::io;
use std::thread;

use tokio::runtime::{Builder, Handle, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tracing::warn;

/// The threads of all lanes. They end when this is dropped and their lanes have ended.
#[derive(Default)]
pub(super) struct Threads {
    running: Vec<LaneThread>,
    turn: usize,
}

struct LaneThread {
    runtime: Handle,
    /// Ends the thread by being dropped.
    _stop: oneshot::Sender<()>,
}

impl Threads {
    /// Where the next lane runs. Who runs everything on one thread, with a clock of its own perhaps, keeps it there.
    pub(super) fn next(&mut self) -> Handle {
        let caller = Handle::current();
        if caller.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return caller;
        }
        if self.running.len() < most() {
            match LaneThread::start() {
                Ok(started) => self.running.push(started),
                Err(error) => warn!(%error, "streams get no thread of their own, so pushes may wait behind them"),
            }
        }
        self.turn += 1;
        let turn = self.turn.checked_rem(self.running.len());
        turn.map_or(caller, |turn| self.running[turn].runtime.clone())
    }
}

/// Half of the cores, so that requests always find one.
fn most() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}

impl LaneThread {
    fn start() -> io::Result<LaneThread> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (handle, (stop, stopped)) = (runtime.handle().clone(), oneshot::channel::<()>());
        thread::Builder::new().name("lanes".to_owned()).spawn(move || {
            let _ = runtime.block_on(stopped);
        })?;
        Ok(LaneThread { runtime: handle, _stop: stop })
    }
}

/// Gives a turn to other lanes, and to other threads that wait for this core: a system that lets a busy thread finish its share would
/// keep an answer waiting for longer than a round takes.
pub(super) async fn give_way() {
    thread::yield_now();
    yield_now().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_runtime_of_one_thread_keeps_its_lanes() {
        let mut threads = Threads::default();
        assert_eq!(threads.next().id(), Handle::current().id());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn rounds_do_not_keep_threads_that_answer() {
        let mut threads = Threads::default();
        let lanes: Vec<_> = (0..2 * most()).map(|_| threads.next()).collect();
        let name = || async { thread::current().name().map(str::to_owned) };
        for lane in &lanes {
            assert_eq!(lane.spawn(name()).await.unwrap().as_deref(), Some("lanes"));
        }
        assert_eq!(lanes[0].id(), lanes[most()].id(), "no more threads than cores");
        let endless = lanes[0].spawn(std::future::pending::<()>());
        drop(threads);
        assert!(endless.await.unwrap_err().is_cancelled(), "the thread has ended");
    }
}

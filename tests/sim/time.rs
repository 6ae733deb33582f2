//! One thread, one clock, one order of events.
//!
//! Everything runs on a current-thread runtime whose clock stands. The only other thread is the one for work that
//! blocks, and it works only while this one waits for it: a gate keeps it busy, and is replaced by the next gate at
//! instants that the seed decides, once nothing else can happen. So the queue of that thread is emptied in its order,
//! at known instants, and its answers come in a known order. What was queued since the last gate takes that long: a
//! slow disk. Then the clock moves on to the next instant at which something is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use liftrelay::relay::clock::Clock;
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use crate::dice::Dice;

/// A history that has not come to its end by then never will.
const PATIENCE: Duration = Duration::from_secs(900);
/// How late timers of the product may go off where nothing else happens.
const LONGEST_STEP: Duration = Duration::from_secs(1);

/// What all actors of a history share: time, and the record of what they saw.
#[derive(Clone)]
pub struct Sim(Arc<Inner>);

struct Inner {
    seed: u64,
    /// The wall clock of the servers, which may jump.
    clock: Clock,
    started: Instant,
    woken: Notify,
    news: Notify,
    handle: OnceLock<Handle>,
    state: Mutex<State>,
    trace: Mutex<Vec<String>>,
}

struct State {
    dice: Dice,
    deadlines: BinaryHeap<Reverse<Instant>>,
    /// Dropping it lets the blocking thread go on to the next gate.
    gate: Option<Sender<()>>,
    opens_at: Instant,
    /// How long after an opening the next one comes, where nothing happens.
    step: Duration,
    has_opened: bool,
    /// By how many milliseconds the wall clock is wrong.
    wrong_by: i64,
}

/// What came of a history, and what everybody saw.
pub struct Played<T> {
    pub result: Result<T, String>,
    pub trace: Vec<String>,
}

/// Runs a history to its end on this thread.
pub fn run<T, F>(seed: u64, history: impl FnOnce(Sim) -> F) -> Played<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let hooked: Arc<OnceLock<Sim>> = Arc::default();
    let hook = Arc::clone(&hooked);
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).max_blocking_threads(1).thread_name(format!("disk {seed}"));
    builder.on_thread_park(move || hook.get().into_iter().for_each(Sim::nothing_else_can_happen));
    let runtime = builder.build().unwrap();
    let result = runtime.block_on(async {
        let sim = Sim::new(seed);
        let _ = sim.0.handle.set(Handle::current());
        sim.open(&mut sim.0.state.lock().unwrap());
        let _ = hooked.set(sim.clone());
        sim.drive(tokio::spawn(history(sim.clone()))).await
    });
    let sim = hooked.get().unwrap();
    sim.0.state.lock().unwrap().gate = None;
    runtime.shutdown_background();
    Played { result: result.map_err(in_words), trace: sim.0.trace.lock().unwrap().clone() }
}

fn in_words(failed: JoinError) -> String {
    let Ok(panic) = failed.try_into_panic() else { return "it does not come to an end".to_owned() };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

impl Sim {
    fn new(seed: u64) -> Sim {
        let now = Instant::now();
        let state = State {
            dice: Dice::new(seed, "disk"),
            deadlines: BinaryHeap::new(),
            gate: None,
            opens_at: now,
            step: Duration::from_millis(1),
            has_opened: false,
            wrong_by: 0,
        };
        Sim(Arc::new(Inner {
            seed,
            clock: Clock::default(),
            started: now,
            woken: Notify::new(),
            news: Notify::new(),
            handle: OnceLock::new(),
            state: Mutex::new(state),
            trace: Mutex::default(),
        }))
    }

    /// Moves the clock from one instant to the next until the history has ended.
    async fn drive<T>(&self, history: JoinHandle<T>) -> Result<T, JoinError> {
        loop {
            self.0.woken.notified().await;
            if history.is_finished() {
                return history.await;
            }
            let Some(next) = self.next_instant() else { continue };
            tokio::time::advance(next - Instant::now()).await;
            if self.0.started.elapsed() > PATIENCE {
                history.abort();
            }
            self.set_clock();
        }
    }

    /// When something is due; `None` where the blocking thread has just worked, so that there may be more to do now.
    fn next_instant(&self) -> Option<Instant> {
        let mut state = self.0.state.lock().unwrap();
        if std::mem::take(&mut state.has_opened) {
            return None;
        }
        let now = Instant::now();
        while state.deadlines.peek().is_some_and(|Reverse(at)| *at <= now) {
            state.deadlines.pop();
        }
        let due = state.deadlines.peek().map(|Reverse(at)| *at);
        Some(due.map_or(state.opens_at, |due| due.min(state.opens_at)).max(now))
    }

    /// The runtime is about to wait.
    fn nothing_else_can_happen(&self) {
        let mut state = self.0.state.lock().unwrap();
        if Instant::now() >= state.opens_at {
            self.open(&mut state);
            state.has_opened = true;
        }
        self.0.woken.notify_one();
    }

    /// Lets the blocking thread do all that is queued, and waits for it.
    fn open(&self, state: &mut State) {
        let ((reached, at_next), (next, closed)) = (channel(), channel::<()>());
        let handle = self.0.handle.get().unwrap();
        handle.spawn_blocking(move || {
            let _ = reached.send(());
            let _ = closed.recv();
        });
        drop(state.gate.replace(next));
        at_next.recv().unwrap();
        state.opens_at = Instant::now() + state.step;
        state.step = (state.step * 2).min(LONGEST_STEP);
    }

    /// Something happens now that may give the disk work: it will take its time.
    pub fn stir(&self) {
        let mut state = self.0.state.lock().unwrap();
        let takes = if state.dice.chance(20) { state.dice.between(10, 120) } else { state.dice.between(0, 4) };
        state.step = Duration::from_millis(1);
        let at = Instant::now() + Duration::from_millis(takes);
        if state.opens_at > at || state.opens_at <= Instant::now() {
            state.opens_at = at;
        }
    }

    /// Waits.
    pub async fn sleep(&self, millis: u64) {
        let until = Instant::now() + Duration::from_millis(millis);
        self.0.state.lock().unwrap().deadlines.push(Reverse(until));
        tokio::time::sleep_until(until).await;
        self.stir();
    }

    /// A client learns of something that must never be lost from now on.
    pub fn tell_news(&self) {
        self.0.news.notify_waiters();
    }

    /// Waits until some client learns of something, for so long at most.
    pub async fn news_within(&self, millis: u64) {
        tokio::select! {
            biased;
            () = self.0.news.notified() => {}
            () = self.sleep(millis) => {}
        }
    }

    /// Milliseconds since the start.
    pub fn now(&self) -> u64 {
        self.0.started.elapsed().as_millis() as u64
    }

    /// The wall clock of the servers.
    pub fn clock(&self) -> Clock {
        self.0.clock.clone()
    }

    /// Sets the wall clock wrong.
    pub fn jump(&self, wrong_by: i64) {
        self.0.state.lock().unwrap().wrong_by = wrong_by;
        self.set_clock();
    }

    fn set_clock(&self) {
        let wrong_by = self.0.state.lock().unwrap().wrong_by;
        self.0.clock.set_ahead(self.now() as i64 + wrong_by);
    }

    /// Dice for a purpose.
    pub fn dice(&self, purpose: &str) -> Dice {
        Dice::new(self.0.seed, purpose)
    }

    /// Writes down what somebody saw.
    pub fn note(&self, what: impl std::fmt::Display) {
        let line = format!("{:>7} {what}", self.now());
        self.0.trace.lock().unwrap().push(line);
    }
}

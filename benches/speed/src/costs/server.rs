//! What a push and a delivery cost the whole server: by what more of them cost.

use std::process::Command;
use std::time::Duration;

use super::callgrind::{self, Cost};
use super::strace::{Calls, Watch};
use super::{Count, Unit};
use crate::Measured;
use crate::crowd::{Crowd, Way};
use crate::http::Http;
use crate::product::{Product, folder, program};
use crate::relay::{Channel, Relay};

const SUBSCRIBERS: usize = 100;
const PUSHES: u64 = 50;
/// Under callgrind all is slow, its own report included.
const ENDING: Duration = Duration::from_secs(60);

const PUSH: &str = "a durable push";
const DELIVERY: &str = "a delivery to one of 100 subscribers";

/// Instructions and allocations.
pub(super) fn costs() -> Measured<Vec<Count>> {
    let push = pushes(false)?;
    let followed = pushes(true)?;
    let delivery = followed.above(push, SUBSCRIBERS);
    let counted = |work, cost: Cost| {
        [Count::new(work, Unit::ServerInstructions, cost.instructions), Count::new(work, Unit::Allocations, cost.allocations)]
    };
    Ok([counted(PUSH, push), counted(DELIVERY, delivery)].into_iter().flatten().collect())
}

/// What a push costs: so many more of them against so many.
fn pushes(followed: bool) -> Measured<Cost> {
    let (few, many) = (run(followed, PUSHES)?, run(followed, 3 * PUSHES)?);
    Ok(many.above(few, 2 * PUSHES as usize))
}

fn run(followed: bool, pushes: u64) -> Measured<Cost> {
    let folder = folder()?;
    let out = folder.path().join("callgrind");
    let mut command = callgrind::command(&out, None);
    command.arg(program()?);
    let server = Product::seeded(command)?;
    let crowd = followed.then(|| Crowd::open(&server, Way::Stream, SUBSCRIBERS, 0)).transpose()?;
    push(&server, crowd.as_ref(), 1, pushes)?;
    drop(crowd);
    server.end(ENDING)?;
    callgrind::read(&out)
}

/// System calls. Those that wait, wake or get memory are left out, for how many there are is chance.
pub(super) fn calls() -> Measured<Vec<Count>> {
    let server = Product::seeded(Command::new(program()?))?;
    let crowd = Crowd::open(&server, Way::Stream, SUBSCRIBERS, 0)?;
    let alone = watched(&server, None, 1)?;
    let followed = watched(&server, Some(&crowd), 1)?;
    let each = |calls: usize| calls as f64 / PUSHES as f64;
    let delivery = |of: fn(&Calls) -> usize| (each(of(&followed)) - each(of(&alone))) / SUBSCRIBERS as f64;
    Ok(vec![
        Count::new(PUSH, Unit::Calls, each(alone.all())),
        Count::new(format!("{PUSH}, syncs"), Unit::Calls, each(alone.syncs())),
        Count::new(format!("{PUSH}, writes"), Unit::Calls, each(alone.writes())),
        Count::new(DELIVERY, Unit::Calls, delivery(Calls::all)),
        Count::new(format!("{DELIVERY}, writes"), Unit::Calls, delivery(Calls::writes)),
    ])
}

fn watched(server: &Product, crowd: Option<&Crowd>, first: u64) -> Measured<Calls> {
    // What the first push does once is no part of it.
    push(server, crowd, first, first)?;
    let watch = Watch::start(server.process().pid())?;
    push(server, crowd, first + 1, first + PUSHES)?;
    watch.end()
}

/// One push after the other, each awaited by everyone.
fn push(server: &Product, crowd: Option<&Crowd>, first: u64, last: u64) -> Measured<()> {
    let mut pusher = Http::connect(server.address())?;
    let channel = if crowd.is_some() { Channel::Crowd } else { Channel::Nobody };
    for number in first..=last {
        crowd.inspect(|crowd| crowd.expect(number));
        crowd.inspect(|crowd| crowd.started(number));
        pusher.send(&server.publication(channel, number))?.granted()?;
        crowd.map(Crowd::arrived).transpose()?;
    }
    Ok(())
}

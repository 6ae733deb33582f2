//! One history: a meet, its clients, what happens to them, and what must be true in the end.

use std::path::PathBuf;
use std::sync::Arc;

use liftrelay::auth::password::PasswordHash;
use liftrelay::auth::roster::Location;
use liftrelay::meet::settings::{Settings, TieBreak};
use liftrelay::meet::update::Writer;
use liftrelay::relay::registry::MeetSpec;
use serde_json::json;

use crate::check::{self, Ending};
use crate::dice::Dice;
use crate::disk::Crash;
use crate::editor::Editor;
use crate::keys::Keys;
use crate::net::{Link, Net};
use crate::server::Server;
use crate::time::Sim;
use crate::view::View;
use crate::web::Web;

/// Location, client and priority of everyone who may be there.
pub const EDITORS: [(&str, &str, i64); 5] =
    [("desk", "desk", 1), ("platform 1", "left", 2), ("platform 2", "right", 2), ("platform 1", "spare", 2), ("director", "director", 3)];

/// How much happened in a history.
pub struct Ended {
    pub entries: u64,
    pub crashes: u64,
}

/// Plays the history of a seed in a folder of its own.
pub async fn play(sim: Sim, home: PathBuf) -> Ended {
    let mut dice = sim.dice("history");
    let editors = dice.between(3, EDITORS.len() as u64) as usize;
    let tie_break = dice.pick(&[TieBreak::Incumbent, TieBreak::Latest]);
    let net = Net::new(sim.clone(), editors + 1);
    let server = Server::start(&sim, &net, &home).await;
    let (editors, viewer) = open_meet(&sim, &net, &server, editors, tie_break).await;
    let meet = viewer.web.meet.clone();
    let faults = tokio::spawn(misfortune(sim.clone(), Arc::clone(&net), Arc::clone(&server)));
    let acts = dice.between(5, 12);
    let reading = tokio::spawn(watch(viewer, acts, sim.dice("viewer")));
    let working = editors.into_iter().map(|editor| {
        let dice = sim.dice(editor.client_id);
        tokio::spawn(work(editor, acts, dice))
    });
    let working: Vec<_> = working.collect();
    let mut ended = Vec::new();
    for editor in working {
        ended.push(join(editor).await);
    }
    let is_finished = dice.chance(30);
    if is_finished {
        ended[0].finish(&mut dice).await;
    }
    let mut viewer = join(reading).await;
    let crashes = join(faults).await;
    for view in ended.iter_mut().map(|editor| &mut editor.view).chain([&mut viewer]) {
        catch_up(view, &mut dice).await;
    }
    let log = server.log(&meet).await;
    let state = told_state(&ended[0].view, &mut dice).await;
    // Once more from what is durable: everything that was shown is.
    server.crash(Crash::LoseAll, &mut dice).await;
    let mut again = View::new(ended[0].view.web.clone());
    catch_up(&mut again, &mut dice).await;
    let replayed = told_state(&again, &mut dice).await;
    assert_eq!(again.status, if is_finished { "finished" } else { "live" });
    for editor in &mut ended {
        editor.ask_all_again(is_finished, &mut dice).await;
        while editor.keys.check(&editor.view.web, &mut dice).await.is_err() {}
    }
    let entries = again.head();
    check::all(&Ending { editors: &ended, viewer: &viewer, again: &again, log: &log, states: [state, replayed], tie_break });
    sim.note(format_args!("the log: {}", String::from_utf8_lossy(&log)));
    Ended { entries, crashes: crashes + 1 }
}

/// What a task gives; its panic is this one's.
async fn join<T>(task: tokio::task::JoinHandle<T>) -> T {
    task.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
}

/// A meet with sessions for all editors and a view key. Passwords are not simulated: hashing one takes longer than a history.
async fn open_meet(sim: &Sim, net: &Arc<Net>, server: &Server, editors: usize, tie_break: TieBreak) -> (Vec<Editor>, View) {
    let app = server.app().await;
    let password = json!({"algorithm": "scrypt", "logN": 1, "r": 1, "p": 1, "salt": "00".repeat(16), "hash": "00".repeat(32)});
    let password: PasswordHash = serde_json::from_value(password).unwrap();
    let mut locations: Vec<Location> = Vec::new();
    for (name, _, priority) in EDITORS {
        if locations.iter().all(|location| &*location.location_name != name) {
            locations.push(Location { location_name: name.into(), priority });
        }
    }
    let spec =
        MeetSpec { meet_name: "Simulated Open".into(), password, locations, settings: Settings { tie_break, ..Settings::default() } };
    let live = app.registry.create(spec).await.unwrap();
    let (id, now) = (live.id, live.now());
    let web = |place, token| Web { sim: sim.clone(), net: Arc::clone(net), place, token, meet: id.digits() };
    let mut joined = Vec::new();
    for (place, (location, client_id, _)) in EDITORS.into_iter().enumerate().take(editors) {
        let writer = Writer { location_name: location.into(), client_id: client_id.into() };
        let session = live.edit_roster(move |roster| roster.join(id, writer, now).unwrap()).await.unwrap();
        let view = View::new(web(place, session.token.reveal()));
        joined.push(Editor { view, location, client_id, changes: Default::default(), answers: Default::default(), keys: Keys::default() });
    }
    let key = live.edit_roster(move |roster| roster.create_view_key(id, "screen".into(), None, now).unwrap()).await.unwrap();
    (joined, View::new(web(editors, key.0.reveal())))
}

async fn work(mut editor: Editor, acts: u64, mut dice: Dice) -> Editor {
    for _ in 0..acts {
        editor.view.web.sim.sleep(dice.between(0, 1_500)).await;
        editor.act(&mut dice).await;
    }
    editor
}

async fn watch(mut viewer: View, acts: u64, mut dice: Dice) -> View {
    for _ in 0..acts {
        viewer.web.sim.sleep(dice.between(0, 1_500)).await;
        let _ = viewer.read(&mut dice).await;
    }
    viewer
}

/// What happens to the server, the network and the clock. In the end all is well. Tells how often the server crashed.
async fn misfortune(sim: Sim, net: Arc<Net>, server: Arc<Server>) -> u64 {
    let mut dice = sim.dice("misfortune");
    let mut crashes = 0;
    for _ in 0..dice.between(2, 6) {
        sim.sleep(dice.between(50, 3_000)).await;
        match dice.below(10) {
            0..4 => {
                crashes += 1;
                crash(&sim, &server, &mut dice).await;
            }
            4 => server.restart(&mut dice).await,
            5 => {
                server.set_fault(Some(dice.pick(&["write", "torn", "full", "sync", "sync"]))).await;
                sim.sleep(dice.between(200, 6_000)).await;
                if dice.chance(50) {
                    crashes += 1;
                    crash(&sim, &server, &mut dice).await;
                }
                server.set_fault(None).await;
            }
            6 => sim.jump(dice.between(0, 6 * 3_600_000) as i64 - 3 * 3_600_000),
            _ => {
                let (client, link) = (dice.below(net.clients() as u64) as usize, dice.pick(&[Link::Down, Link::Silent]));
                sim.note(format_args!("client {client} is {link:?}"));
                net.set(client, link);
                sim.sleep(dice.between(50, 9_000)).await;
                net.set(client, Link::Open);
            }
        }
    }
    crashes
}

/// Mostly at an instant at which somebody is told something.
async fn crash(sim: &Sim, server: &Server, dice: &mut Dice) {
    if dice.chance(70) {
        sim.news_within(3_000).await;
    }
    server.crash(dice.pick(&[Crash::Kill, Crash::LoseAll, Crash::LoseEnd, Crash::Tear]), dice).await;
}

/// Reads to the end of the log.
async fn catch_up(view: &mut View, dice: &mut Dice) {
    loop {
        if view.pull(dice).await.is_ok() && view.head() == view.known {
            return;
        }
    }
}

/// The server's word on the state at the head.
async fn told_state(view: &View, dice: &mut Dice) -> String {
    let mut probe = View::new(view.web.clone());
    while probe.state(dice).await.is_err() {}
    probe.hashes.remove(0).1
}

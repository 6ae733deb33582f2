//! Servers, one after the other, each on what the one before has left on the disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use liftrelay::http::{App, Options};
use liftrelay::meet::chain::ServerKey;
use liftrelay::meet::id::MeetId;
use liftrelay::relay::registry::Registry;
use liftrelay::store::files::{FileStore, Fsync};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::dice::Dice;
use crate::disk::{Crash, Disk, Op, read_ops};
use crate::net::{Net, Place};
use crate::time::Sim;

/// The place of all servers of a history.
pub struct Server {
    sim: Sim,
    net: Arc<Net>,
    home: PathBuf,
    life: Mutex<Life>,
}

/// One process.
struct Life {
    number: u64,
    folder: PathBuf,
    /// What lay there when it started.
    disk: Disk,
    running: Option<Running>,
}

struct Running {
    app: Arc<App>,
    store: Arc<FileStore>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl Server {
    /// Starts the first server on an empty folder.
    pub async fn start(sim: &Sim, net: &Arc<Net>, home: &Path) -> Arc<Server> {
        let folder = home.join("0");
        fs::create_dir_all(folder.join("data")).unwrap();
        let life = Life { number: 0, disk: Disk::of(&folder.join("data")), folder, running: None };
        let server = Server { sim: sim.clone(), net: Arc::clone(net), home: home.to_owned(), life: Mutex::new(life) };
        server.launch(&mut *server.life.lock().await);
        Arc::new(server)
    }

    /// Starts a process, as `liftrelay serve` does.
    fn launch(&self, life: &mut Life) {
        let store = Arc::new(FileStore::open(&life.folder.join("data"), Fsync::Always).unwrap());
        let registry = Registry::new(Arc::clone(&store) as _, ServerKey::new([7; 32]), self.sim.clock());
        let app = App::new(registry, Options::default());
        let (idle, looked_at) = (Arc::clone(&app), Arc::clone(&app));
        let tasks = [
            tokio::spawn(async move { idle.registry.close_idle().await }),
            tokio::spawn(async move {
                looked_at.registry.look_at_all().await;
            }),
        ];
        self.net.serve(Place { front: app.front(None), gone: CancellationToken::new() });
        life.running = Some(Running { app, store, _tasks: tasks.map(AbortOnDropHandle::new) });
        self.sim.note(format_args!("server {} starts", life.number));
    }

    /// The application of the process that runs.
    pub async fn app(&self) -> Arc<App> {
        Arc::clone(&self.life.lock().await.running.as_ref().unwrap().app)
    }

    /// Ends the process at some change that it makes to the disk, and starts the next one on what that left.
    pub async fn crash(&self, crash: Crash, dice: &mut Dice) {
        let mut life = self.life.lock().await;
        // Nobody hears of it any more: whatever it still does is what it would have done before the power failed.
        self.net.fall_silent();
        let certain = life.ops().len();
        let running = life.running.take();
        self.sim.sleep(dice.between(1, 250)).await;
        drop(running);
        let mut ops = life.ops();
        let made = certain + dice.below((ops.len() - certain) as u64 + 1) as usize;
        self.sim.note(format_args!("server {} ends: {crash:?} at change {made}, between {certain} and {}", life.number, ops.len()));
        ops.truncate(made);
        self.next(&mut life, ops, crash, dice).await;
    }

    /// Lets the disk fail, from now on or, without a fault, no longer. The next process finds a disk that works.
    pub async fn set_fault(&self, fault: Option<&str>) {
        let life = self.life.lock().await;
        self.sim.note(format_args!("the disk of server {} fails: {fault:?}", life.number));
        let path = life.folder.join("fault");
        match fault {
            Some(fault) => fs::write(path, fault).unwrap(),
            None => drop(fs::remove_file(path)),
        }
    }

    /// Stops the process in order and starts the next one.
    pub async fn restart(&self, dice: &mut Dice) {
        let mut life = self.life.lock().await;
        let running = life.running.take().unwrap();
        running.app.stopping.cancel();
        self.sim.sleep(dice.between(1_000, 3_000)).await;
        self.net.fall_silent();
        let Running { app, store, _tasks } = running;
        if app.registry.is_quiet() {
            store.close().unwrap();
        }
        drop((app, store));
        self.sim.note(format_args!("server {} has stopped", life.number));
        let ops = life.ops();
        self.next(&mut life, ops, Crash::LoseAll, dice).await;
    }

    async fn next(&self, life: &mut Life, ops: Vec<Op>, crash: Crash, dice: &mut Dice) {
        let mut disk = std::mem::take(&mut life.disk);
        ops.into_iter().for_each(|op| disk.apply(op));
        life.number += 1;
        life.folder = self.home.join(life.number.to_string());
        let image = life.folder.join("image");
        fs::create_dir_all(&image).unwrap();
        life.disk = disk.after(crash, dice, &image);
        fs::rename(image, life.folder.join("data")).unwrap();
        self.sim.sleep(dice.between(0, 400)).await;
        self.launch(life);
    }

    /// The bytes of a meet's log, as they lie there now.
    pub async fn log(&self, meet: &str) -> Vec<u8> {
        let life = self.life.lock().await;
        let meet: MeetId = meet.parse().unwrap();
        fs::read(FileStore::log_path(&life.folder.join("data"), meet).unwrap()).unwrap()
    }
}

impl Life {
    fn ops(&self) -> Vec<Op> {
        read_ops(&fs::read(self.folder.join("ops")).unwrap_or_default())
    }
}

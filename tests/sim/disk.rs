//! What a crash leaves of the files that a server has written, told from the record that `world.c` kept.
//!
//! A file's bytes are durable once it was synced, the names in a folder once that folder was. Of the rest a power cut
//! leaves any part: names in the order in which they were changed, bytes in any order, sector by sector. Bytes whose sync
//! failed stay doubtful whatever is synced later, for the kernel tells of a failure once; so they are in the next process.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::dice::Dice;

/// What disks write whole.
const SECTOR: u64 = 512;

/// One change, as it was written down.
#[derive(Debug)]
pub enum Op {
    Create(u64, String),
    MakeFolder(String),
    Rename(String, String),
    Link(String, String),
    Unlink(String),
    Write { file: u64, at: u64, bytes: Vec<u8> },
    Length(u64, u64),
    Sync(u64),
    SyncFailed(u64),
    SyncFolder(String),
}

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process is gone, its files are as it wrote them.
    Kill,
    /// All that was not synced is gone.
    LoseAll,
    /// Of what was not synced, a front part is there.
    LoseEnd,
    /// Of what was not synced, some sectors are there.
    Tear,
}

/// A name in a folder.
#[derive(Clone, Debug)]
enum Entry {
    Folder,
    File(u64),
}

#[derive(Clone, Debug, Default)]
struct Content {
    /// What is durable in front of all that is not.
    bytes: Vec<u8>,
    changes: Vec<(Change, Fate)>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Pending,
    Durable,
    /// Its sync failed.
    Doubtful,
}

/// A folder with everything in it, and what of it is durable.
#[derive(Default)]
pub struct Disk {
    names: BTreeMap<String, Entry>,
    pending: Vec<Op>,
    files: BTreeMap<u64, Content>,
}

/// Reads a record; `data` is the text of `ops`.
pub fn read_ops(data: &[u8]) -> Vec<Op> {
    let (mut ops, mut rest) = (Vec::new(), data);
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let line = std::str::from_utf8(&rest[..end]).unwrap();
        rest = &rest[end + 1..];
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        let text = |at: usize| words[at].to_owned();
        ops.push(match words[0] {
            "create" => Op::Create(number(1), text(2)),
            "mkdir" => Op::MakeFolder(text(1)),
            "rename" => Op::Rename(text(1), text(2)),
            "link" => Op::Link(text(1), text(2)),
            "unlink" => Op::Unlink(text(1)),
            "length" => Op::Length(number(1), number(2)),
            "sync" => Op::Sync(number(1)),
            "unsynced" => Op::SyncFailed(number(1)),
            "syncdir" => Op::SyncFolder(text(1)),
            "write" => {
                let (bytes, behind) = rest.split_at(number(3) as usize);
                rest = behind;
                Op::Write { file: number(1), at: number(2), bytes: bytes.to_vec() }
            }
            other => panic!("no change is called {other}"),
        });
    }
    ops
}

impl Disk {
    /// What lies in a folder before anything is written to it.
    pub fn of(folder: &Path) -> Disk {
        let mut disk = Disk::default();
        disk.add(folder, ".");
        disk
    }

    fn add(&mut self, folder: &Path, name: &str) {
        self.names.insert(name.to_owned(), Entry::Folder);
        for item in fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            let name = format!("{name}/{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                self.add(&path, &name);
            } else {
                let inode = fs::metadata(&path).unwrap().ino();
                self.files.insert(inode, Content { bytes: fs::read(&path).unwrap(), changes: Vec::new() });
                self.names.insert(name, Entry::File(inode));
            }
        }
    }

    /// One change more.
    pub fn apply(&mut self, op: Op) {
        match op {
            Op::Write { file, at, bytes } => self.file(file).change(Change::Write(at, bytes)),
            Op::Length(file, length) => self.file(file).change(Change::Length(length)),
            Op::Sync(file) => self.file(file).sync(Fate::Durable),
            Op::SyncFailed(file) => self.file(file).sync(Fate::Doubtful),
            Op::SyncFolder(folder) => {
                let last = self.pending.iter().rposition(|op| op.folders().contains(&Some(&folder)));
                self.settle_names(last.map_or(0, |last| last + 1));
            }
            names => self.pending.push(names),
        }
    }

    /// Makes the first `count` changes of names durable.
    fn settle_names(&mut self, count: usize) {
        for op in self.pending.drain(..count) {
            match op {
                Op::Create(file, name) => drop(self.names.insert(name, Entry::File(file))),
                Op::MakeFolder(name) => drop(self.names.insert(name, Entry::Folder)),
                Op::Unlink(name) => drop(self.names.remove(&name)),
                Op::Link(from, to) => {
                    let entry = self.names[&from].clone();
                    self.names.insert(to, entry);
                }
                Op::Rename(from, to) => {
                    let below = format!("{from}/");
                    let moved: Vec<String> = self.names.keys().filter(|name| **name == from || name.starts_with(&below)).cloned().collect();
                    for name in moved {
                        let entry = self.names.remove(&name).unwrap();
                        self.names.insert(format!("{to}{}", &name[from.len()..]), entry);
                    }
                }
                Op::Write { .. } | Op::Length(..) | Op::Sync(_) | Op::SyncFailed(_) | Op::SyncFolder(_) => {}
            }
        }
    }

    fn file(&mut self, file: u64) -> &mut Content {
        self.files.entry(file).or_default()
    }

    /// The disk of the next process, which finds in `folder` what a crash has left.
    pub fn after(mut self, crash: Crash, dice: &mut Dice, folder: &Path) -> Disk {
        self.leave(crash, dice, folder);
        let mut next = Disk::of(folder);
        // The page cache outlives the process.
        for (name, entry) in next.names.iter().filter(|_| crash == Crash::Kill) {
            if let (Entry::File(new), Some(Entry::File(old))) = (entry, self.names.get(name)) {
                next.files.insert(*new, self.files[old].clone());
            }
        }
        next
    }

    /// Puts what a crash leaves into a new folder.
    fn leave(&mut self, crash: Crash, dice: &mut Dice, folder: &Path) {
        let names = match crash {
            Crash::Kill => self.pending.len(),
            Crash::LoseAll => 0,
            Crash::LoseEnd | Crash::Tear => dice.below(self.pending.len() as u64 + 1) as usize,
        };
        self.settle_names(names);
        for (name, entry) in &self.names {
            let path = folder.join(name.trim_start_matches(['.', '/']));
            match entry {
                Entry::Folder => fs::create_dir_all(path).unwrap(),
                Entry::File(file) => fs::write(path, self.files.entry(*file).or_default().after(crash, dice)).unwrap(),
            }
        }
    }
}

impl Op {
    /// The folders in which it changes a name.
    fn folders(&self) -> [Option<&str>; 2] {
        let folder = |name: &String| name.rfind('/').unwrap_or(0);
        match self {
            Op::Create(_, name) | Op::MakeFolder(name) | Op::Unlink(name) => [Some(&name[..folder(name)]), None],
            Op::Rename(from, to) | Op::Link(from, to) => [Some(&from[..folder(from)]), Some(&to[..folder(to)])],
            Op::Write { .. } | Op::Length(..) | Op::Sync(_) | Op::SyncFailed(_) | Op::SyncFolder(_) => [None, None],
        }
    }
}

impl Content {
    fn change(&mut self, change: Change) {
        self.changes.push((change, Fate::Pending));
    }

    /// What becomes of all that was pending.
    fn sync(&mut self, fate: Fate) {
        self.changes.iter_mut().filter(|(_, fate)| *fate == Fate::Pending).for_each(|(_, pending)| *pending = fate);
        let durable = self.changes.iter().take_while(|(_, fate)| *fate == Fate::Durable).count();
        for (change, _) in self.changes.drain(..durable) {
            change.make(&mut self.bytes);
        }
    }

    /// The bytes that a crash leaves.
    fn after(&self, crash: Crash, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let unsure = self.changes.iter().filter(|(_, fate)| *fate != Fate::Durable).count();
        let mut kept = match crash {
            Crash::Kill | Crash::Tear => unsure,
            Crash::LoseAll => 0,
            Crash::LoseEnd => dice.below(unsure as u64 + 1) as usize,
        };
        for (change, fate) in &self.changes {
            if *fate == Fate::Durable {
                change.make(&mut bytes);
            } else if kept > 0 {
                kept -= 1;
                match crash {
                    Crash::Tear => change.tear(dice, &mut bytes),
                    Crash::LoseEnd if kept == 0 => change.front(dice).make(&mut bytes),
                    _ => change.make(&mut bytes),
                }
            }
        }
        bytes
    }
}

impl Change {
    fn make(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Length(length) => bytes.resize(*length as usize, 0),
            Change::Write(at, written) => {
                let (start, end) = (*at as usize, *at as usize + written.len());
                bytes.resize(bytes.len().max(end), 0);
                bytes[start..end].copy_from_slice(written);
            }
        }
    }

    /// A front part.
    fn front(&self, dice: &mut Dice) -> Change {
        match self {
            Change::Write(at, written) => Change::Write(*at, written[..dice.below(written.len() as u64 + 1) as usize].to_vec()),
            Change::Length(length) => Change::Length(*length),
        }
    }

    /// Some sectors reach the disk, the others do not; the file may have grown all the same.
    fn tear(&self, dice: &mut Dice, bytes: &mut Vec<u8>) {
        let Change::Write(at, written) = self else {
            if dice.chance(50) {
                self.make(bytes);
            }
            return;
        };
        let mut start = *at;
        let end = at + written.len() as u64;
        while start < end {
            let stop = end.min((start / SECTOR + 1) * SECTOR);
            if dice.chance(50) {
                Change::Write(start, written[(start - at) as usize..(stop - at) as usize].to_vec()).make(bytes);
            }
            start = stop;
        }
        if dice.chance(30) {
            bytes.resize(bytes.len().max(end as usize), 0);
        }
    }
}

//! `liftrelay verify --repair`: a copy of what is sound, from which a server can start.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::meet::id::MeetId;
use crate::store::Stage;
use crate::store::durable::{Fsync, make_folder, read_file, write_file};
use crate::store::files::{FileStore, name_of};

use super::super::{Exit, tell};
use super::examine::Finding;

/// A repaired copy that is being written.
pub(super) struct Repair {
    to: PathBuf,
    /// How many meets are there whole, in part, and not at all.
    whole: usize,
    part: usize,
    missing: usize,
}

impl Repair {
    /// Makes the folder of the copy.
    ///
    /// # Errors
    /// For a person: it exists, lies in the data folder, or cannot be made.
    pub(super) fn start(data_dir: &Path, to: &Path) -> Result<Repair, String> {
        if fs::symlink_metadata(to).is_ok() {
            return Err(format!("{} exists already; name a folder that does not, for a copy is never written over anything", to.display()));
        }
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let absolute = |path: &Path| fs::canonicalize(path).map_err(|error| format!("{}: {error}", path.display()));
        if absolute(parent)?.starts_with(absolute(data_dir)?) {
            return Err(format!("{} lies in the data folder; name one outside of it", to.display()));
        }
        for folder in [to.to_owned(), to.join(name_of(Stage::Current)), to.join(name_of(Stage::Finished))] {
            make_folder(&folder).map_err(|error| error.to_string())?;
        }
        Ok(Repair { to: to.to_owned(), whole: 0, part: 0, missing: 0 })
    }

    /// Writes one meet, and says in words what of it is there.
    pub(super) fn meet(&mut self, id: MeetId, stage: Stage, log: &Path, finding: &Finding) -> String {
        let Some(kept) = &finding.kept else {
            self.missing += 1;
            return "NOT IN THE COPY: nothing of its log can be kept; clients that hold it bring it back".to_owned();
        };
        let to = self.to.join(name_of(stage)).join(id.digits());
        if let Err(error) = copy(log, &to, &kept.bytes) {
            self.missing += 1;
            return format!("NOT IN THE COPY as a whole: {error}");
        }
        let count = if finding.faults.is_empty() { &mut self.whole } else { &mut self.part };
        *count += 1;
        format!("in the copy are {}", kept.words)
    }

    /// Says what to do now, and what it all comes to.
    pub(super) fn end(self) -> Exit {
        let Repair { to, whole, part, missing } = self;
        tell(&format!("{} holds {whole} meets whole and {part} in part; {missing} are missing", to.display()));
        tell(
            "stop the server, put the copy in the place of the data folder, and start the server with the same key; clients bring back what they have",
        );
        if part + missing == 0 { Exit::Done } else { Exit::Partly }
    }
}

/// Copies a meet's folder with another log. Links, pipes and what was put aside earlier stay behind.
fn copy(log: &Path, to: &Path, bytes: &[u8]) -> io::Result<()> {
    let is_copied = |name: &str| !name.starts_with(FileStore::LOG_FILE) && !name.contains(".damaged-") && !name.ends_with(".new");
    copy_folder(log.parent().unwrap_or(Path::new(".")), to, &is_copied)?;
    write(&to.join(FileStore::LOG_FILE), bytes)
}

/// What lies in folders inside is copied whole.
fn copy_folder(from: &Path, to: &Path, is_copied: &dyn Fn(&str) -> bool) -> io::Result<()> {
    make(to)?;
    for item in fs::read_dir(from)? {
        let item = item?;
        let (to, kind) = (to.join(item.file_name()), item.file_type()?);
        if kind.is_dir() {
            copy_folder(&item.path(), &to, &|_| true)?;
        } else if kind.is_file() && is_copied(&item.file_name().to_string_lossy()) {
            write(&to, &read_file(&item.path())?)?;
        }
    }
    Ok(())
}

fn make(folder: &Path) -> io::Result<()> {
    make_folder(folder).map_err(io::Error::other)
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    write_file(path, content, Fsync::Always).map_err(io::Error::other)
}

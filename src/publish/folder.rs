//! Handing over by putting files into a folder.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tracing::warn;

use super::handover::{Attempt, Parcel};

/// Whoever takes the files may be another user of the folder's group; results hold dates of birth, so they are nobody else's.
const MODE: u32 = 0o640;

/// A folder from which somebody else takes results.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// A folder that is there: made by mistake, it would swallow results that nobody looks for.
    pub(super) fn new(path: &Path) -> Result<Folder, String> {
        let shown = path.display();
        if !path.is_dir() {
            return Err(format!(
                "--publish-to {shown}: there is no such folder; make it first, or give an address that begins with https://"
            ));
        }
        probe(path).map_err(|error| {
            format!("--publish-to {shown}: nothing can be written there ({error}); the user that runs the server must be able to, and under systemd the unit needs ReadWritePaths={shown}")
        })?;
        Ok(Folder(path.to_owned()))
    }

    /// Both files appear whole, the facts last: whoever sees them finds the results beside them.
    pub(super) async fn put(&self, parcel: Parcel) -> Attempt {
        let folder = self.0.clone();
        let put = tokio::task::spawn_blocking(move || put(&folder, &parcel)).await;
        match put {
            Ok(Ok(())) => Attempt::HandedOver,
            Ok(Err(error)) => {
                warn!(%error, folder = %self.0.display(), "published results could not be put into their folder");
                let reason = "the folder for published results cannot be written; the server's log says why".to_owned();
                Attempt::Later { reason, after: None }
            }
            Err(_) => Attempt::Later { reason: "the server failed".to_owned(), after: None },
        }
    }
}

/// What cannot be written is told at the start, when somebody looks, and not at the end of the meet.
fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(".liftrelay-probe");
    shared_file(&path)?.write_all(b"liftrelay\n")?;
    fs::remove_file(&path)
}

/// Opens a file anew; the umask can only take bits away, so they are set again.
fn shared_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    Ok(file)
}

fn put(folder: &Path, parcel: &Parcel) -> io::Result<()> {
    let name = format!("{}-{}", parcel.meet_id.digits(), parcel.publish.publish_id);
    let mut facts = serde_json::to_vec_pretty(&parcel.facts())?;
    facts.push(b'\n');
    place(folder, &format!("{name}.opl.csv"), parcel.opl_csv.as_bytes())?;
    place(folder, &format!("{name}.json"), &facts)
}

fn place(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let fresh = folder.join(format!(".{name}.new"));
    let mut file = shared_file(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&fresh, folder.join(name))?;
    File::open(folder)?.sync_all()
}

//! Files that appear whole and stay: written aside, synced, renamed. Folders 0700, files 0600, whatever the umask.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{StoreError, doing};

/// Whether appends and documents are synced to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// Always.
    Always,
    /// Never: for benchmarks, since a power cut loses what was acked.
    Never,
}

/// Names the path at which the medium failed.
pub(super) fn at(what: &str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    doing(format!("{what} {}", path.display()))
}

/// Makes a folder that only its owner can enter. One that is there already keeps its mode: it may be anybody's.
pub(crate) fn make_folder(path: &Path) -> Result<(), StoreError> {
    let make = || match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(ErrorKind::NotADirectory.into()),
        Err(error) => Err(error),
        Ok(()) => {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
            File::open(folder_of(path))?.sync_all()
        }
    };
    make().map_err(at("making the folder", path))
}

/// Replaces a file whole: a crash leaves the old content or the new one.
pub(crate) fn replace_file(path: &Path, content: &[u8], fsync: Fsync) -> Result<(), StoreError> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    write_file(&fresh, content, fsync)?;
    fs::rename(&fresh, path).map_err(at("replacing", path))?;
    sync_folder(folder_of(path), fsync)
}

/// Reads a file. Only a plain one is taken: a link may lead anywhere, and a pipe never ends.
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    check_plain(path)?;
    fs::read(path)
}

/// Reads a plain file from byte `from` on, `max` bytes at most.
pub(super) fn read_from(path: &Path, from: u64, max: u64) -> io::Result<Vec<u8>> {
    check_plain(path)?;
    let (mut file, mut bytes) = (File::open(path)?, Vec::new());
    file.seek(SeekFrom::Start(from))?;
    file.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Refuses whatever is no plain file, by its own name rather than what a link leads to.
pub(super) fn check_plain(path: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_file() { Ok(()) } else { Err(wrong(kind, "a plain file")) }
}

/// Refuses whatever is no plain folder.
pub(super) fn check_folder(path: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_dir() { Ok(()) } else { Err(wrong(kind, "a folder")) }
}

fn wrong(kind: fs::FileType, right: &str) -> io::Error {
    let found = match kind {
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a folder",
        kind if kind.is_file() => "a file",
        _ => "a pipe, a socket or a device",
    };
    io::Error::new(ErrorKind::InvalidData, format!("it is {found}, and {right} belongs there"))
}

/// Moves a file out of the way of the next one, under a name that nothing had before; tells the name.
pub(super) fn set_aside(path: &Path, fsync: Fsync) -> Result<PathBuf, StoreError> {
    let aside = free_name(path, "damaged");
    fs::rename(path, &aside).map_err(at("putting aside", path))?;
    sync_folder(folder_of(path), fsync)?;
    Ok(aside)
}

/// The first of `path.WHAT-0`, `path.WHAT-1` … that nothing has.
pub(super) fn free_name(path: &Path, what: &str) -> PathBuf {
    let name = |n: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{what}-{n}"));
        PathBuf::from(name)
    };
    (0..u32::MAX).map(name).find(|path| fs::symlink_metadata(path).is_err()).unwrap_or_else(|| name(u32::MAX))
}

/// Writes a file anew. What lies there is taken away first: a link is never written through.
pub(crate) fn write_file(path: &Path, content: &[u8], fsync: Fsync) -> Result<(), StoreError> {
    let create = || private_file(path, OpenOptions::new().write(true).create_new(true));
    let write = || {
        let mut file = match create() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                fs::remove_file(path)?;
                create()
            }
            made => made,
        }?;
        file.write_all(content)?;
        if fsync == Fsync::Always { file.sync_all() } else { Ok(()) }
    };
    write().map_err(at("writing", path))
}

/// Makes what was made, renamed or removed in a folder durable.
pub(super) fn sync_folder(folder: &Path, fsync: Fsync) -> Result<(), StoreError> {
    match fsync {
        Fsync::Always => File::open(folder).and_then(|folder| folder.sync_all()).map_err(at("syncing", folder)),
        Fsync::Never => Ok(()),
    }
}

/// The folder that a path's last part is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Opens a file that only its owner can read; the umask can only take bits away, so they are set again.
pub(crate) fn private_file(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Locks a data folder for this process; the lock ends with the file that is given back.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let file = private_file(path, OpenOptions::new().write(true).create(true)).map_err(at("opening", path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            let message =
                format!("another liftrelay uses this data folder ({} is locked); stop it or choose another --data-dir", path.display());
            Err(StoreError::Unreadable(message))
        }
        Err(fs::TryLockError::Error(error)) => Err(at("locking", path)(error)),
    }
}

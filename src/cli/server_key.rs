//! The server's secret on disk: 64 hex digits in a file that only its owner reads.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::auth::random_bytes;
use crate::meet::chain::ServerKey;
use crate::meet::id::MeetId;
use crate::store::StoreError;
use crate::store::files::{FileStore, Fsync, replace_file};

/// Beside the data folder, so that losing one does not lose both.
pub(super) fn default_path(data_dir: &Path) -> PathBuf {
    let absolute = fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let mut name = absolute.file_name().unwrap_or_default().to_owned();
    name.push(".key");
    absolute.with_file_name(name)
}

/// Reads the key, or makes it where it is missing.
///
/// # Errors
/// For a person: it cannot be read, is no key, or is missing while there are meets that it made.
pub(super) fn load_or_make(path: &Path, data_dir: &Path) -> Result<ServerKey, String> {
    match load(path)? {
        Some(key) => Ok(key),
        None if FileStore::all_meets(data_dir).is_ok_and(|meets| !meets.is_empty()) => Err(format!(
            "the server key {} is missing, but {} holds meets that were written with it; put the key back, or move the meets away",
            path.display(),
            data_dir.display()
        )),
        None => make(path).map_err(|error| format!("the server key {} cannot be made: {error}", path.display())),
    }
}

/// A meet of the data folder that another key made: a sign that the wrong key file was given.
pub(super) fn made_by_another(key: &ServerKey, data_dir: &Path) -> Option<MeetId> {
    let (id, header) = FileStore::any_header(data_dir)?;
    (!header.is_of(key, id)).then_some(id)
}

/// Reads the key; `None` where there is no such file.
///
/// # Errors
/// For a person: it cannot be read or is no key.
pub(super) fn load(path: &Path) -> Result<Option<ServerKey>, String> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("the server key {} cannot be read: {error}", path.display())),
    };
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.trim(), &mut bytes)
        .map_err(|_| format!("{} is no server key: it must hold 64 hex digits", path.display()))?;
    Ok(Some(ServerKey::new(bytes)))
}

/// Appears whole or not at all: half a key would refuse every later start.
fn make(path: &Path) -> Result<ServerKey, StoreError> {
    let bytes = random_bytes();
    replace_file(path, format!("{}\n", hex::encode(bytes)).as_bytes(), Fsync::Always)?;
    Ok(ServerKey::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn made_once_private_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let path = default_path(&data);
        assert_eq!(path, folder.path().join("data.key"));
        let key = load_or_make(&path, &data).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load_or_make(&path, &data).unwrap().as_bytes(), key.as_bytes());
        fs::write(&path, "not a key").unwrap();
        assert!(load_or_make(&path, &data).unwrap_err().contains("64 hex digits"));
    }

    #[test]
    fn no_new_key_for_meets_of_another() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("current-meets")).unwrap();
        fs::create_dir_all(folder.path().join("finished-meets/123456789")).unwrap();
        let error = load_or_make(&folder.path().join("key"), folder.path()).unwrap_err();
        assert!(error.contains("put the key back"), "{error}");
    }
}

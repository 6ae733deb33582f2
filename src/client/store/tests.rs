//! What a store must keep to: exactly what was appended, whatever a crash leaves.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{FileStore, ReplicaStore, StoreError};
use crate::client::replica::{Edit, Record, Replica};

/// Records of three edits, of several lengths.
fn records() -> Vec<Record> {
    let mut replica = Replica::default();
    let edit = |replica: &mut Replica, key: &str, value: &str| {
        let record = replica.edit(Edit::create(key, value).unwrap()).unwrap();
        replica.apply(&record);
        record
    };
    [("a", "1"), ("b.c[\"x \\\" y\"]", "null"), ("d", "{\"e\":\"\\n\u{1f3cb}\"}")].map(|(key, value)| edit(&mut replica, key, value)).into()
}

fn texts(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| serde_json::to_string(record).unwrap()).collect()
}

#[test]
fn a_file_cut_at_any_byte_holds_an_exact_prefix_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replica");
    let records = records();
    let mut ends = vec![0];
    for record in &records {
        FileStore::open(&path).unwrap().append(std::slice::from_ref(record)).unwrap();
        ends.push(fs::metadata(&path).unwrap().len());
    }
    let whole = fs::read(&path).unwrap();
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let kept = ends.iter().filter(|end| **end <= length as u64).count() - 1;
        let mut store = FileStore::open(&path).unwrap();
        assert_eq!(texts(&store.load().unwrap()), texts(&records[..kept]), "{length} bytes");
        store.append(&records[kept..]).unwrap();
        drop(store);
        assert_eq!(texts(&FileStore::open(&path).unwrap().load().unwrap()), texts(&records), "{length} bytes");
    }
}

#[test]
fn a_changed_line_is_told_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replica");
    let mut store = FileStore::open(&path).unwrap();
    for record in records() {
        store.append(&[record]).unwrap();
    }
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.iter().position(|&byte| byte == b'\n').unwrap() + 30;
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(FileStore::open(&path), Err(StoreError::Damaged { line: 2, .. })));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn one_process_at_a_time_and_nobody_else_reads_the_ticket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replica");
    let store = FileStore::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(FileStore::open(&path), Err(StoreError::InUse(_))));
    drop(store);
    assert!(FileStore::open(&path).is_ok());
}

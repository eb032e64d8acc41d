use tempfile::TempDir;

use super::*;
use crate::store::Folder;

#[test]
fn a_new_lake_states_its_format_and_an_old_one_stays_as_it_is() {
    let dir = TempDir::new().expect("a folder");
    let store = Folder::new(dir.path().join("lake"));
    check(&store).expect("no lake yet");
    state(&store).expect("stated");
    assert_eq!(store.get(FILE).expect("a file"), b"2\n");
    state(&store).expect("stated already");

    let old = Folder::new(dir.path().join("old"));
    old.put("DWH/spans/_delta_log/00000000000000000000.json", b"{}").expect("a table");
    state(&old).expect("format 1");
    check(&old).expect("format 1");
    assert!(old.get(FILE).is_err());
}

#[test]
fn a_newer_format_is_refused_by_name_and_a_torn_one_is_no_number() {
    let dir = TempDir::new().expect("a folder");
    let store = Folder::new(dir.path());
    store.put(FILE, b"3\n").expect("put");
    for refused in [check(&store), state(&store)] {
        let error = refused.expect_err("newer");
        assert!(matches!(error, LogError::Newer(_)));
        assert_eq!(error.to_string(), "the lake has format 3 (_kassa/format); this kassa supports formats up to 2");
    }
    store.put(FILE, b"").expect("put");
    assert!(matches!(check(&store), Err(LogError::Corrupt(_))));
}

//! The contract of a store: whole objects, written once.

use std::thread;

use kassa_lake::Store;

/// Checks an empty store against the whole contract.
pub fn holds(store: &dyn Store) {
    lists_nothing_where_nothing_is(store);
    gives_back_what_was_put(store);
    never_puts_over_another(store);
    lets_one_of_many_win(store);
    deletes_once_and_again(store);
}

fn lists_nothing_where_nothing_is(store: &dyn Store) {
    assert!(store.list("nowhere").unwrap().is_empty());
    let missing = store.get("nowhere/nothing").unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
}

fn gives_back_what_was_put(store: &dyn Store) {
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    store.put("a/b/whole", &bytes).unwrap();
    store.put("a/b/empty", b"").unwrap();
    assert_eq!(store.get("a/b/whole").unwrap(), bytes);
    assert_eq!(store.get("a/b/empty").unwrap(), b"");
    assert_eq!(store.list("a/b").unwrap(), ["empty", "whole"], "names are sorted, and nothing else is listed");
    store.sync_folder("a/b").unwrap();
}

fn never_puts_over_another(store: &dyn Store) {
    assert!(store.put_new("log/1", b"first").unwrap());
    assert!(!store.put_new("log/1", b"second").unwrap());
    assert_eq!(store.get("log/1").unwrap(), b"first");
    assert_eq!(store.list("log").unwrap(), ["1"], "a refused object left a file");
}

fn lets_one_of_many_win(store: &dyn Store) {
    let won: Vec<usize> = thread::scope(|scope| {
        let writers: Vec<_> = (0..8_usize)
            .map(|nth| scope.spawn(move || store.put_new("race/1", &[u8::try_from(nth).unwrap(); 4096]).unwrap()))
            .collect();
        writers.into_iter().enumerate().filter_map(|(nth, writer)| writer.join().unwrap().then_some(nth)).collect()
    });
    let [winner] = won[..] else { panic!("{won:?} all won") };
    assert_eq!(store.get("race/1").unwrap(), vec![u8::try_from(winner).unwrap(); 4096]);
}

fn deletes_once_and_again(store: &dyn Store) {
    store.put("gone/x", b"x").unwrap();
    store.delete("gone/x").unwrap();
    store.delete("gone/x").unwrap();
    assert!(store.list("gone").unwrap().is_empty());
}

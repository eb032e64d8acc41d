use std::collections::HashMap;

use kassa_model::key::Keyring;
use proptest::prelude::*;

use super::*;

/// The key of a customer by number.
fn key(number: usize) -> i64 {
    Keyring::unkeyed([0; 16]).key("customer", &["", &number.to_string()]).stored()
}

fn filled(count: usize) -> Keys {
    let mut keys = Keys::default();
    for number in 0..count {
        assert!(keys.add(key(number), 1).is_none());
    }
    keys
}

/// Lines that a search reads.
fn lines_read(keys: &Keys, key: i64) -> usize {
    let (nth, bits) = keys.shard_of(key);
    let shard = &keys.shards[nth];
    let mut line = shard.home(key, bits);
    (1..)
        .find(|_| {
            let read = &shard.lines[line];
            line = shard.after(line);
            read.keys.contains(&key) || !read.is_passed
        })
        .unwrap()
}

#[test]
fn a_million_members_take_at_most_20_bytes_each_and_grow_in_small_steps() {
    let mut keys = Keys::default();
    let (mut size, mut largest) = (0_usize, 0_usize);
    for number in 0..1_000_000 {
        assert!(keys.add(key(number), 1).is_none());
        if keys.size() != size {
            // The step made a shard, or many of the small table.
            let shard = keys.shards.iter().map(|shard| size_of_val(&*shard.lines)).max();
            largest = largest.max(keys.size().abs_diff(size)).max(shard.unwrap());
            size = keys.size();
        }
        if number >= 100_000 {
            assert!(size <= 20 * keys.len(), "{size} bytes for {} members", keys.len());
        }
    }
    assert_eq!(keys.len(), 1_000_000);
    assert!(largest <= 256 << 10, "a step of {largest} bytes");
    let held: usize = keys.shards.iter().map(|shard| size_of_val(&*shard.lines) + size_of::<Shard>()).sum();
    assert_eq!(size, held);
}

#[test]
fn nearly_every_search_reads_one_cache_line() {
    assert_eq!((size_of::<Line>(), align_of::<Line>()), (64, 64));
    let mut keys = filled(300_000);
    // As full as shards may be.
    for number in 300_000.. {
        let (nth, _) = keys.shard_of(key(number));
        if keys.shards[nth].is_full() {
            break;
        }
        keys.add(key(number), 1);
    }
    let searches = |numbers: std::ops::Range<usize>| -> f64 {
        let count = numbers.len();
        numbers.map(|number| lines_read(&keys, key(number))).sum::<usize>() as f64 / count as f64
    };
    let (known, new) = (searches(0..300_000), searches(10_000_000..10_100_000));
    assert!(known <= 1.35, "{known} lines for a member that is known");
    assert!(new <= 2.5, "{new} lines for a new one");
}

#[test]
fn keys_that_are_no_hashes_are_spread_as_well() {
    let mut keys = Keys::default();
    (1..200_000).for_each(|key| assert!(keys.add(key, 1).is_none()));
    let longest = (1..200_000).map(|key| lines_read(&keys, key)).max().unwrap();
    assert!(longest <= 40, "{longest} lines");
    assert!(keys.size() <= 25 * keys.len(), "{} bytes", keys.size());
}

#[test]
fn a_cleared_table_is_empty_and_a_small_one_keeps_its_memory() {
    for (count, kept) in [(0, 0), (3, 1), (10_000, 0)] {
        let mut keys = filled(count);
        keys.clear();
        assert_eq!((keys.len(), keys.iter().count(), keys.lines), (0, 0, kept), "{count}");
        assert!(keys.add(key(1), 2).is_none());
        assert_eq!(keys.iter().collect::<Vec<_>>(), [(key(1), 2)]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Small numbers as keys, so that many are added twice, and any number, so that some wrap around.
    #[test]
    fn keys_are_a_map(added in prop::collection::vec((prop_oneof![1 => 1..40_i64, 3 => any::<i64>()], 1..9_u32), 0..9_000)) {
        let (mut keys, mut map) = (Keys::default(), HashMap::new());
        for (key, check) in added.into_iter().filter(|(key, _)| *key != EMPTY) {
            prop_assert_eq!(keys.add(key, check).copied(), map.get(&key).copied());
            map.entry(key).or_insert(check);
        }
        prop_assert_eq!(keys.len(), map.len());
        prop_assert_eq!(keys.iter().count(), map.len());
        prop_assert_eq!(keys.iter().collect::<HashMap<_, _>>(), map);
    }
}

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Changes of few keys, so that they overlap, and of many: the key, and the length of its value, or none to remove it.
fn changes() -> impl Strategy<Value = Vec<(u64, Option<usize>)>> {
    let key = prop_oneof![0..40_u64, any::<u64>(), Just(u64::MAX), Just(0)];
    vec((key, prop_oneof![8 => (0..60_usize).prop_map(Some), 1 => Just(Some(3_000)), 2 => Just(None)]), 1..600)
}

fn value(key: u64, length: usize) -> Vec<u8> {
    (0..length).map(|at| key.to_le_bytes()[at % 8]).collect()
}

fn check(packed: &Packed, map: &BTreeMap<u64, Vec<u8>>) {
    let entries: Vec<(u64, Vec<u8>)> = packed.iter().map(|(key, value)| (key, value.to_vec())).collect();
    assert_eq!(entries, map.clone().into_iter().collect::<Vec<_>>());
    assert_eq!(packed.len(), map.len());
    map.iter().for_each(|(key, value)| assert_eq!(packed.get(*key), Some(value.as_slice())));
    let bytes: usize = packed.nodes.iter().flat_map(|node| node.iter()).map(|leaf| leaf.bytes.0.len()).sum();
    let leaves: usize = packed.nodes.iter().map(|node| node.len()).sum();
    assert_eq!((packed.bytes, packed.leaves), (bytes, leaves), "the running totals");
}

proptest! {
    #[test]
    fn it_is_a_map_and_its_clones_keep_what_they_had(changes in changes(), cut in 0..600_usize) {
        let (mut packed, mut map) = (Packed::default(), BTreeMap::new());
        let mut earlier = None;
        for (nth, (key, length)) in changes.iter().enumerate() {
            if nth == cut {
                earlier = Some((packed.clone(), map.clone()));
            }
            match length {
                Some(length) => prop_assert_eq!(packed.set(*key, &value(*key, *length)), map.insert(*key, value(*key, *length)).is_none()),
                None => {
                    packed.remove(*key);
                    map.remove(key);
                }
            }
        }
        check(&packed, &map);
        earlier.iter().for_each(|(packed, map)| check(packed, map));
        let sorted = Packed::of_sorted(map.clone());
        check(&sorted, &map);
        let saved: Packed = postcard::from_bytes(&postcard::to_stdvec(&packed).unwrap()).unwrap();
        check(&saved, &map);
        prop_assert!(changes.iter().all(|(key, _)| packed.contains(*key) == map.contains_key(key)));
    }
}

fn hashed(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[test]
fn an_empty_table_has_nothing() {
    for table in [Packed::default(), Packed::of_sorted([])] {
        assert_eq!((table.get(0), table.len(), table.iter().count()), (None, 0, 0));
    }
}

#[test]
fn a_hundred_thousand_hashed_keys_take_ten_bytes_each() {
    let mut table = Packed::default();
    (0..100_000).for_each(|number| assert!(table.set(hashed(number), &[])));
    assert!(table.nodes.len() > 1 && table.size() < 10 * 100_000, "{} bytes", table.size());
}

#[test]
fn a_change_after_a_clone_copies_one_leaf() {
    let mut table = Packed::default();
    (0..100_000).for_each(|number| assert!(table.set(hashed(number), &[1, 2])));
    let before = table.clone();
    table.set(hashed(7), &[3, 4]);
    let (shared, all) = table.shared_leaves(&before);
    assert_eq!(shared, all - 1);
    let nodes = table.nodes.iter().zip(&before.nodes).filter(|(one, other)| !one.is_same(other));
    assert_eq!((nodes.count(), before.get(hashed(7)), table.get(hashed(7))), (1, Some(&[1, 2][..]), Some(&[3, 4][..])));
}

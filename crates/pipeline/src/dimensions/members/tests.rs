use std::collections::BTreeSet;

use super::*;

fn meet(members: &mut Members, id: &str) -> Result<(Key, bool), Collision> {
    members.meet(Table::DimCustomer, "customer", &["", id])
}

/// What a start loads from these pieces.
fn loaded(pieces: &[Piece]) -> Members {
    let mut members = Members::default();
    for piece in pieces {
        if piece.replaces {
            members = Members::default();
        }
        members.load(&piece.bytes[..]).unwrap();
    }
    members
}

fn held(members: &Members) -> BTreeSet<(usize, i64, u32)> {
    let of = |(table, keys): (usize, &Keys)| keys.iter().map(move |(key, check)| (table, key, check)).collect::<Vec<_>>();
    members.known.iter().enumerate().flat_map(of).collect()
}

#[test]
fn a_member_is_new_once_in_each_table() {
    let mut members = Members::default();
    for number in 0..20_000 {
        let (key, is_new) = meet(&mut members, &number.to_string()).unwrap();
        assert!(is_new);
        assert!(members.is_new(Table::DimProduct, key, &["", "other"]).unwrap(), "tables share no members");
    }
    for number in (0..20_000).rev() {
        assert!(!meet(&mut members, &number.to_string()).unwrap().1);
    }
    assert_eq!(members.len(), 40_000);
    assert!(!members.is_new(Table::DimCustomer, Key::UNKNOWN, &["", ""]).unwrap());
}

#[test]
fn two_natural_keys_with_one_key_are_a_collision() {
    let mut members = Members::default();
    let key = Key::from_stored(7);
    assert!(members.is_new(Table::DimCity, key, &["GB", "", "London"]).unwrap());
    assert!(!members.is_new(Table::DimCity, key, &["GB", "", "London"]).unwrap());
    let error = members.is_new(Table::DimCity, key, &["FR", "", "Paris"]).unwrap_err();
    assert_eq!(error.to_string(), "two members of dim_city have the key 7: `FR//Paris` and one seen before");
    let mut members = loaded(&[members.cut()]);
    members.is_new(Table::DimCity, key, &["FR", "", "Paris"]).unwrap_err();
}

#[test]
fn a_remembered_key_is_checked_from_the_first_natural_key_on() {
    let mut members = Members::default();
    let key = Key::from_stored(7);
    members.remember(Table::DimCity, key);
    members.remember(Table::DimCity, Key::UNKNOWN);
    assert_eq!(members.len(), 1);
    assert!(!members.is_new(Table::DimCity, key, &["GB", "", "London"]).unwrap());
    members.remember(Table::DimCity, key);
    members.is_new(Table::DimCity, key, &["FR", "", "Paris"]).unwrap_err();
}

#[test]
fn pieces_contain_what_is_new_and_together_all() {
    let (mut members, mut pieces) = (Members::default(), Vec::new());
    (0..5_000).for_each(|number| assert!(meet(&mut members, &number.to_string()).unwrap().1));
    members.record(false);
    pieces.push(members.cut());
    for number in 4_000..9_000 {
        meet(&mut members, &number.to_string()).unwrap();
        members.remember(Table::DimAddress, Key::from_stored(number));
    }
    pieces.push(members.cut());
    let sizes = pieces.iter().map(|piece| (piece.bytes.len() / SAVED, piece.replaces));
    assert_eq!(sizes.collect::<Vec<_>>(), [(5_000, true), (9_000, false)]);
    assert_eq!(held(&loaded(&pieces)), held(&members));
    members.rewrite();
    assert_eq!(held(&loaded(&[members.cut()])), held(&members));
    members.clear();
    pieces.push(members.cut());
    assert!(loaded(&pieces).is_empty());
}

#[test]
fn a_piece_that_is_torn_or_names_no_table_is_refused() {
    let mut members = Members::default();
    meet(&mut members, "17850").unwrap();
    let piece = members.cut().bytes;
    Members::default().load(&piece[..piece.len() - 1]).unwrap_err();
    Members::default().load(&to_bytes(Table::ALL.len(), 1, 1)[..]).unwrap_err();
}

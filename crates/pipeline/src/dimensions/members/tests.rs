use std::collections::BTreeSet;

use super::*;

const KEYS: Keyring = Keyring::keyed([7; 16]);

fn meet(members: &mut Members, id: &str) -> Result<(Key, bool), Collision> {
    members.meet(&KEYS, Table::DimCustomer, "customer", &["", id])
}

/// One of two cities that share a key.
fn city(check: u32) -> Checked {
    Checked { key: Key::from_stored(7), check }
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
        assert!(members.is_new(Table::DimProduct, Checked { key, check: 1 }).unwrap(), "tables share no members");
    }
    for number in (0..20_000).rev() {
        assert!(!meet(&mut members, &number.to_string()).unwrap().1);
    }
    assert_eq!(members.len(), 40_000);
    assert!(!members.is_new(Table::DimCustomer, Checked::default()).unwrap());
}

#[test]
fn two_natural_keys_with_one_key_are_a_collision() {
    let mut members = Members::default();
    assert!(members.is_new(Table::DimCity, city(1)).unwrap());
    assert!(!members.is_new(Table::DimCity, city(1)).unwrap());
    let collision = Collision { table: Table::DimCity, key: Key::from_stored(7) };
    assert_eq!(members.is_new(Table::DimCity, city(2)), Err(collision));
    let mut members = loaded(&[members.cut()]);
    assert_eq!(members.is_new(Table::DimCity, city(2)), Err(collision));
    assert!(!members.is_new(Table::DimCity, city(1)).unwrap(), "the first is not harmed");
}

#[test]
fn a_remembered_key_is_checked_from_the_first_natural_key_on() {
    let mut members = Members::default();
    members.remember(Table::DimCity, city(1).key);
    members.remember(Table::DimCity, Key::UNKNOWN);
    assert_eq!(members.len(), 1);
    assert!(!members.is_new(Table::DimCity, city(1)).unwrap());
    members.remember(Table::DimCity, city(1).key);
    members.is_new(Table::DimCity, city(2)).unwrap_err();
}

#[test]
fn of_two_members_that_a_sink_holds_the_first_stays() {
    let mut members = Members::default();
    members.record(true);
    for member in [city(1), city(2), Checked::default()] {
        members.recall(Table::DimCity, member);
    }
    for mut members in [loaded(&[members.cut()]), members] {
        assert_eq!(members.len(), 1);
        assert!(!members.is_new(Table::DimCity, city(1)).unwrap());
        members.is_new(Table::DimCity, city(2)).unwrap_err();
    }
}

#[test]
fn the_members_of_a_refused_record_are_new_again() {
    let mut members = Members::default();
    members.record(true);
    let all: Vec<String> = (0..3_000).map(|number| number.to_string()).collect();
    let (kept, refused) = all.split_at(1_500);
    members.begin_record();
    kept.iter().for_each(|id| assert!(meet(&mut members, id).unwrap().1));
    let before = held(&members);
    members.begin_record();
    refused.iter().for_each(|id| assert!(meet(&mut members, id).unwrap().1));
    members.undo_record();
    assert_eq!(held(&members), before);
    assert_eq!(held(&loaded(&[members.cut()])), before, "a checkpoint has them as they are");
    kept.iter().for_each(|id| assert!(!meet(&mut members, id).unwrap().1, "{id}"));
    refused.iter().for_each(|id| assert!(meet(&mut members, id).unwrap().1, "{id}"));
    assert_eq!(members.len(), all.len());
}

#[test]
fn a_witness_sees_both_members_of_a_key_and_refuses_neither() {
    let mut members = Members::default();
    let collision = Collision { table: Table::DimCity, key: Key::from_stored(7) };
    members.witness().want(collision);
    assert!(members.is_new(Table::DimCity, city(1)).unwrap());
    assert!(!members.witness().confirms(collision));
    members.clear();
    members.is_new(Table::DimCity, city(2)).unwrap();
    assert!(members.witness().confirms(collision));
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

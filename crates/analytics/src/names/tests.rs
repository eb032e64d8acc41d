use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[test]
fn a_member_has_a_number_once_a_fact_names_it_and_keeps_its_text() {
    let mut names = Names::default();
    names.set_plain(7, "c-7");
    let before = names.members.all.size();
    let (nine, seven) = (names.members.id(9), names.members.id(7));
    names.set_plain(9, "c-9");
    assert_eq!((nine, seven, names.members.id(9), names.members.id(0)), (1, 2, 1, 0));
    assert_eq!((names.of(By::Customer, seven), names.of(By::Customer, nine)), (("c-7", "c-7"), ("c-9", "c-9")));
    assert_eq!((names.of(By::Customer, 0), names.of(By::Customer, 99)), (UNKNOWN, UNKNOWN));
    assert!(names.members.all.size() > before);
}

proptest! {
    /// Numbers and texts in any order of arrival equal those of plain maps.
    #[test]
    fn numbers_and_texts_are_those_of_plain_maps(steps in proptest::collection::vec((1..50_i64, proptest::option::of("[a-c]{0,3}")), 1..200)) {
        let mut names = Names::default();
        let (mut numbers, mut texts) = (HashMap::new(), HashMap::<i64, String>::new());
        for (key, text) in &steps {
            match text {
                Some(text) => {
                    names.set_plain(*key, text);
                    let known = texts.entry(*key).or_insert_with(|| text.clone());
                    *known = text.clone().min(known.clone());
                }
                None => {
                    let next = u32::try_from(numbers.len() + 1).unwrap();
                    prop_assert_eq!(names.members.id(*key), *numbers.entry(*key).or_insert(next));
                }
            }
        }
        for (key, number) in &numbers {
            let text = texts.get(key).map_or(UNKNOWN, |text| (text, text));
            prop_assert_eq!(names.of(By::Customer, *number), text);
        }
        let saved: Names = postcard::from_bytes(&postcard::to_stdvec(&names).unwrap()).unwrap();
        prop_assert!(numbers.iter().all(|(key, number)| saved.members.key(*number) == *key));
    }
}

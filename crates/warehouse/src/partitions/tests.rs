use jiff::civil::date;

use super::*;

const TODAY: Date = date(2026, 3, 1);

#[test]
fn a_day_near_today_has_one_of_its_own() {
    assert_eq!(missing(&[], 20_260_301, TODAY), Some(20_260_301..20_260_302));
    assert_eq!(missing(&[], 20_260_228, TODAY), Some(20_260_228..20_260_229));
    assert_eq!(missing(&[], 20_260_308, TODAY), Some(20_260_308..20_260_309));
    assert_eq!(missing(std::slice::from_ref(&(20_260_301..20_260_302)), 20_260_301, TODAY), None);
}

#[test]
fn a_day_far_away_shares_a_year() {
    assert_eq!(missing(&[], 20_101_201, TODAY), Some(20_100_101..20_110_101));
    assert_eq!(missing(std::slice::from_ref(&(20_100_101..20_110_101)), 20_101_231, TODAY), None);
    assert_eq!(missing(&[], 21_990_704, TODAY), Some(21_990_101..22_000_101));
}

#[test]
fn a_year_leaves_room_for_days_that_are_near() {
    // 400 days before the first of March is 2025-01-25.
    assert_eq!(missing(&[], 20_250_110, TODAY), Some(20_250_101..20_250_125));
    assert_eq!(missing(&[], 20_261_224, TODAY), Some(20_260_309..20_270_101));
}

#[test]
fn a_year_takes_what_is_free() {
    let held = [20_100_315..20_100_316, 20_100_701..20_100_702];
    assert_eq!(missing(&held, 20_100_101, TODAY), Some(20_100_101..20_100_315));
    assert_eq!(missing(&held, 20_100_401, TODAY), Some(20_100_316..20_100_701));
    assert_eq!(missing(&held, 20_101_231, TODAY), Some(20_100_702..20_110_101));
}

/// In whatever order days come and time passes, each day has exactly one partition.
#[test]
fn partitions_cover_every_day_and_never_overlap() {
    let mut held: Vec<Range<i32>> = Vec::new();
    let mut state = 7_u64;
    let mut below = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i32::try_from((state >> 33) % limit).unwrap()
    };
    for nth in 0..5_000 {
        let today = TODAY.checked_add((nth / 3).days()).unwrap();
        let day = date_key(date(2018, 1, 1).checked_add(below(7_300).days()).unwrap());
        if let Some(range) = missing(&held, day, today) {
            assert!(range.contains(&day), "{range:?} is not for {day}");
            let overlap = held.iter().find(|held| held.start < range.end && range.start < held.end);
            assert!(overlap.is_none(), "{range:?} and {overlap:?}");
            held.push(range);
        }
        assert!(held.iter().any(|range| range.contains(&day)));
    }
}

use kassa_model::country;

use super::*;
use crate::testing::shop;

fn day_of(zone: &str, in_country: Option<&'static str>, key: i32) -> Day {
    let year = i16::try_from(key / 10_000).unwrap();
    days(&shop(zone).in_country(in_country), year..=year).into_iter().find(|day| day.date_key == key).unwrap()
}

#[test]
fn a_day_is_as_long_as_the_clocks_make_it() {
    for (zone, key, starts_at, hours) in [
        ("Europe/London", 20260329, "2026-03-29T00:00:00Z", 23),
        ("Europe/London", 20260330, "2026-03-29T23:00:00Z", 24),
        ("Europe/London", 20251026, "2025-10-25T23:00:00Z", 25),
        ("Asia/Kolkata", 20260329, "2026-03-28T18:30:00Z", 24),
        // Where midnight does not exist, the day begins at one.
        ("America/Sao_Paulo", 20181104, "2018-11-04T03:00:00Z", 23),
    ] {
        let day = day_of(zone, None, key);
        assert_eq!((time::format(day.starts_at).as_str(), day.hours), (starts_at, hours), "{zone} {key}");
    }
}

#[test]
fn a_day_has_its_week_and_its_names() {
    let day = day_of("Europe/London", None, 20110101);
    assert_eq!((day.iso_year, day.iso_week, day.weekday, day.weekday_name), (2010, 52, 6, "Saturday"));
    assert_eq!((day.year, day.quarter, day.month, day.day, day.month_name), (2011, 1, 1, 1, "January"));
    assert_eq!(day.date, 14975);
    assert_eq!(day.holiday, None);
}

#[test]
fn years_are_whole_and_every_instant_is_in_one_day() {
    let all = days(&shop("Europe/London"), 2023..=2025);
    assert_eq!(all.len(), 365 + 366 + 365);
    assert!(all.windows(2).all(|pair| pair[0].starts_at + i64::from(pair[0].hours) * HOUR == pair[1].starts_at));
    assert!(all.iter().all(|day| shop("Europe/London").calendar().date_key(day.starts_at) == day.date_key));
    let minutes: Vec<Minute> = minutes().collect();
    assert_eq!(minutes.len(), 1440);
    assert_eq!(minutes[1439], Minute { time_key: 2359, hour: 23, minute: 59, quarter_hour: 95 });
}

#[test]
fn holidays_are_those_that_the_gazettes_name() {
    for (country, key, name) in [
        ("GB", 20260403, Some("Good Friday")),
        ("GB", 20260406, Some("Easter Monday")),
        ("GB", 20200508, Some("Early May bank holiday")),
        ("GB", 20200504, None),
        ("GB", 20220602, Some("Spring bank holiday")),
        ("GB", 20220603, Some("Platinum Jubilee")),
        ("GB", 20211225, None),
        ("GB", 20211227, Some("Christmas Day (substitute day)")),
        ("GB", 20211228, Some("Boxing Day (substitute day)")),
        ("GB", 20221226, Some("Boxing Day")),
        ("GB", 20221227, Some("Christmas Day (substitute day)")),
        ("GB", 20220103, Some("New Year's Day (substitute day)")),
        ("GB", 20201228, Some("Boxing Day (substitute day)")),
        ("US", 20261126, Some("Thanksgiving Day")),
        ("US", 20260703, Some("Independence Day (observed)")),
        ("US", 20260704, Some("Independence Day")),
        ("US", 20211231, Some("New Year's Day (observed)")),
        ("US", 20200619, None),
        ("US", 20260119, Some("Martin Luther King Jr. Day")),
        ("DE", 20080501, Some("Ascension Day / Labour Day")),
        ("DE", 20171031, Some("Reformation Day")),
        ("DE", 20181031, None),
        ("DK", 20230505, Some("Great Prayer Day")),
        ("DK", 20240426, None),
        ("NL", 20140426, Some("King's Day")),
        ("NL", 20130430, Some("Queen's Day")),
        ("SE", 20260620, Some("Midsummer Day")),
        ("FI", 20261031, Some("All Saints' Day")),
        ("IE", 20260202, Some("St Brigid's Day")),
        ("IE", 20300201, Some("St Brigid's Day")),
        ("PL", 20251224, Some("Christmas Eve")),
        ("PT", 20141005, None),
        ("IN", 20261002, Some("Gandhi Jayanti")),
        ("JP", 20260101, None),
    ] {
        assert_eq!(day_of("Europe/London", Some(country), key).holiday.as_deref(), name, "{country} {key}");
    }
    assert!(COUNTRIES.iter().all(|code| country::code_of(code) == Some(code)));
    assert!(
        COUNTRIES
            .iter()
            .all(|code| days(&shop("UTC").in_country(Some(code)), 2026..=2026).iter().any(|day| day.holiday.is_some()))
    );
}

#[test]
fn easter_is_where_the_almanac_has_it() {
    for key in [20000423, 20080323, 20110424, 20190421, 20240331, 20380425] {
        assert_eq!(
            day_of("Europe/London", Some("IT"), key).holiday.as_deref().map(|name| name.contains("Easter Sunday")),
            Some(true),
            "{key}"
        );
    }
}

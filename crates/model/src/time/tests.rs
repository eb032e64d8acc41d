use super::*;

fn london() -> TimeZone {
    TimeZone::get("Europe/London").expect("in the bundled database")
}

#[test]
fn texts_and_epochs_give_the_same_instant() {
    let expected = 1_774_747_800 * SECOND;
    for text in [
        "2026-03-29T01:30:00Z",
        "2026-03-29T01:30:00.000Z",
        "2026-03-29T02:30:00+01:00",
        "2026-03-29 01:30:00Z",
        "1774747800",
        "1774747800000",
        "1774747800000000",
        "2026-03-29 02:30:00",
        "2026-03-29T02:30:00",
    ] {
        assert_eq!(parse(text, &london()), Ok(expected), "{text}");
    }
}

#[test]
fn an_invalid_time_is_refused() {
    for text in [
        "",
        "yesterday",
        "2026-02-30T00:00:00Z",
        "2026-13-01",
        "2026-01-01T25:00:00Z",
        "12:00",
        "1e9",
        "2026-01-01T00:00:00[Europe/London]",
    ] {
        assert_eq!(parse(text, &london()), Err(TimeError::NotATime), "{text}");
    }
    for text in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "-99999999999999999999", "177474780000000000000"] {
        assert_eq!(parse(text, &london()), Err(TimeError::OutOfRange), "{text}");
    }
}

#[test]
fn a_gap_moves_forward_and_a_fold_takes_the_first() {
    assert_eq!(parse("2026-03-29 01:30:00", &london()), parse("2026-03-29T01:30:00Z", &london()));
    assert_eq!(parse("2026-10-25 01:30:00", &london()), parse("2026-10-25T00:30:00Z", &london()));
}

#[test]
fn fast_path_and_general_parser_agree() {
    for year in [1900, 1970, 2000, 2024, 2026, 2100, 2199] {
        for (month, day) in [(1, 1), (2, 28), (3, 1), (12, 31)] {
            let text = format!("{year}-{month:02}-{day:02}T23:59:59.5Z");
            let general = text.parse::<Timestamp>().expect("RFC 3339").as_microsecond();
            assert_eq!(parse_utc(text.as_bytes()), Some(general), "{text}");
        }
    }
}

#[test]
fn shop_days_follow_the_wall_clock() {
    let mut london = Calendar::new(london());
    let mut kolkata = Calendar::new(TimeZone::get("Asia/Kolkata").expect("in the bundled database"));
    let at = |text: &str| parse(text, &TimeZone::UTC).expect("a time");
    assert_eq!(london.local(at("2026-03-28T23:59:59Z")), Local { date_key: 20_260_328, minute: 1439 });
    assert_eq!(london.local(at("2026-03-29T01:00:00Z")), Local { date_key: 20_260_329, minute: 120 });
    assert_eq!(london.local(at("2026-06-30T23:00:00Z")), Local { date_key: 20_260_701, minute: 0 });
    assert_eq!(kolkata.local(at("2026-06-30T18:30:00Z")), Local { date_key: 20_260_701, minute: 0 });
    assert_eq!(kolkata.start_of(date_of(20_260_701).expect("a day")), at("2026-06-30T18:30:00Z"));
}

#[test]
fn the_calendar_agrees_with_the_zone_at_every_quarter_of_an_hour() {
    for zone in ["Europe/London", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"]
    {
        let zone = TimeZone::get(zone).unwrap();
        let mut calendar = Calendar::new(zone.clone());
        // Three years around Apia's missing day of 2011, and four ahead.
        for (from, to) in [(14_600, 15_700), (20_400, 21_860)] {
            for at in (from * DAY..to * DAY).step_by(usize::try_from(900 * SECOND).unwrap()) {
                let zoned = Timestamp::from_microsecond(at).unwrap().to_zoned(zone.clone());
                let want =
                    Local { date_key: date_key(zoned.date()), minute: i32::from(zoned.hour()) * 60 + i32::from(zoned.minute()) };
                assert_eq!(calendar.local(at), want, "{zoned}");
            }
        }
    }
    let mut utc = Calendar::new(TimeZone::UTC);
    assert_eq!(utc.date_key(EARLIEST), 19_000_101);
    assert_eq!(utc.date_key(LATEST - 1), 21_991_231);
}

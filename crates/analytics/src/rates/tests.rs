use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::calendar::YEARS;
use crate::derived::rate_rows;
use crate::testing::{batch, shop};

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

/// To pounds. A row is `EUR/GBP 20260105 0.8`, which may be followed by the second of 2026 at which it was stated.
fn rates(rows: &[&str]) -> Rates {
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let words: Vec<&str> = row.split_whitespace().collect();
            let (base, quote) = words[0].split_once('/').unwrap();
            let at = 1_767_225_600 + words.get(3).map_or(0, |at| at.parse::<i64>().unwrap());
            format!("base={base} quote={quote} day={} rate={} at={at}", words[1], words[2])
        })
        .collect();
    let mut rates = Rates::new(currency("GBP"));
    rates.apply(&batch(Table::FactFxRate, &rows)).unwrap();
    rates
}

/// `0.8 direct 20260105`
fn on(rates: &Rates, code: &str, day: i32) -> String {
    rates.on(currency(code), day).map_or("none".to_owned(), |(of, resolved)| {
        let via = if let Derivation::Through(common) = resolved.derivation { format!(" {common}") } else { String::new() };
        format!("{} {}{via} {of}", resolved.rate, resolved.derivation.name())
    })
}

#[test]
fn a_rate_counts_on_its_day_and_seven_days_after_it_unless_another_comes() {
    let rates = rates(&["EUR/GBP 20251230 0.85", "EUR/GBP 20260102 0.86", "EUR/USD 20260120 1.1"]);
    for (day, expected) in [
        (20_251_229, "none"),
        (20_251_230, "0.85 direct 20251230"),
        (20_260_101, "0.85 direct 20251230"),
        (20_260_102, "0.86 direct 20260102"),
        (20_260_109, "0.86 direct 20260102"),
        (20_260_110, "none"),
        (20_260_120, "none"),
    ] {
        assert_eq!(on(&rates, "EUR", day), expected, "{day}");
    }
    assert_eq!(on(&rates, "GBP", 19_990_101), "1 own 19990101");
    assert_eq!(on(&rates, "USD", 20_260_120), "none", "no way leads to pounds");
}

#[test]
fn a_rate_is_stated_or_the_inverse_or_goes_through_a_common_currency() {
    for (stated, code, expected) in [
        (&["USD/GBP 20260105 0.8", "GBP/USD 20260105 1.3", "USD/EUR 20260105 0.9"][..], "USD", "0.8 direct 20260105"),
        (&["GBP/USD 20260105 1.3", "USD/EUR 20260105 0.9", "EUR/GBP 20260105 0.85"], "USD", "0.769230769 inverse 20260105"),
        (&["USD/EUR 20260105 0.9", "EUR/GBP 20260105 0.85"], "USD", "0.765 through EUR 20260105"),
        (&["EUR/USD 20260105 1.1", "EUR/GBP 20260105 0.85"], "USD", "0.772727273 through EUR 20260105"),
        (&["USD/EUR 20260105 0.9", "GBP/EUR 20260105 1.2"], "USD", "0.75 through EUR 20260105"),
        (&["EUR/USD 20260105 1.1", "GBP/EUR 20260105 1.2"], "USD", "0.757575758 through EUR 20260105"),
        // The first common currency by its code, even if another rate is more precise.
        (
            &["USD/SEK 20260105 10", "SEK/GBP 20260105 0.1", "USD/CHF 20260105 2", "CHF/GBP 20260105 2"],
            "USD",
            "4 through CHF 20260105",
        ),
        // A day's own rate comes before a stated one of the day before, and both legs are of one day.
        (&["USD/GBP 20260104 0.8", "GBP/USD 20260105 2"], "USD", "0.5 inverse 20260105"),
        (&["USD/EUR 20260104 0.9", "EUR/GBP 20260105 0.85"], "USD", "none"),
        // Rounded once, half-even, to the ninth place; a rate that rounds to zero does not count.
        (&["GBP/USD 20260105 999999999.999999999"], "USD", "0.000000001 inverse 20260105"),
        (&["USD/EUR 20260105 0.000000001", "GBP/EUR 20260105 2"], "USD", "none"),
        (&["USD/EUR 20260105 0.000000003", "GBP/EUR 20260105 2"], "USD", "0.000000002 through EUR 20260105"),
        // Beyond what DECIMAL(18,9) holds.
        (&["GBP/USD 20260105 0.000000001"], "USD", "none"),
    ] {
        assert_eq!(on(&rates(stated), code, 20_260_105), expected, "{stated:?}");
    }
}

#[test]
fn of_contradicting_rates_the_one_stated_last_counts_and_then_the_greatest() {
    for stated in [
        ["EUR/GBP 20260105 0.8 10", "EUR/GBP 20260105 0.7 20", "EUR/GBP 20260105 0.75 20"],
        ["EUR/GBP 20260105 0.75 20", "EUR/GBP 20260105 0.8 10", "EUR/GBP 20260105 0.7 20"],
    ] {
        assert_eq!(on(&rates(&stated), "EUR", 20_260_105), "0.75 direct 20260105");
    }
}

#[test]
fn the_rows_of_the_table_are_the_rates_of_every_day_that_has_one() {
    let rates = rates(&["EUR/GBP 20260105 0.8", "EUR/GBP 20260108 0.9", "SEK/EUR 20260105 0.1", "EUR/GBP 20260301 0.7"]);
    let listed: Vec<(Currency, i32)> = rates.each().into_iter().map(|(currency, day, ..)| (currency, day)).collect();
    assert_eq!(listed.iter().filter(|(code, _)| *code == currency("EUR")).count(), 11 + 8);
    assert_eq!(listed.iter().filter(|(code, _)| *code == currency("SEK")).count(), 8);
    for (currency, day, of, resolved) in rates.each() {
        assert_eq!(rates.on(currency, day), Some((of, resolved)), "{currency} {day}");
    }
    let missing = (20_260_101..20_260_332).filter(|day| rates.on(currency("EUR"), *day).is_some());
    let days = missing.filter(|day| date_of(*day).is_some()).filter(|day| !listed.contains(&(currency("EUR"), *day)));
    assert_eq!(days.count(), 0);
    let rows = rate_rows(&shop("Europe/London"), &rates, YEARS).unwrap();
    assert_eq!(rows.num_rows(), 18_263 + listed.len(), "each day of the calendar has the shop's own currency");
}

#[test]
fn a_coin_is_its_currency_and_its_day() {
    for day in [18_991_231, 20_000_229, 20_260_105, 22_000_101] {
        for code in ["AED", "GBP", "ZWG"] {
            let coin = Coin::new(Some(currency(code)), day);
            assert_eq!((coin.currency(), coin.day()), (Some(currency(code)), day));
            assert!(coin.bits() < 1 << Coin::BITS);
        }
        assert_eq!(Coin::new(None, day).currency(), None);
    }
}

/// A slow, independent resolver: looks for the rate of each day among all rows, by the rule.
fn by_the_rule(rows: &[(usize, i32, i64, i64)], code: Currency, day: i32) -> Option<(i32, i64)> {
    let own = currency("GBP");
    (0..=RATE_DAYS).map(|back| shift(day, -back)).find_map(|of| {
        let stated = |base: Currency, quote: Currency| {
            let all = rows.iter().filter(|(pair, day, ..)| PAIRS[*pair] == (base.code(), quote.code()) && *day == of);
            all.map(|(_, _, at, rate)| (*at, *rate)).max().map(|(_, rate)| rate)
        };
        // As a fraction: units of the second for one of the first.
        let leg = |from, to| {
            let direct = stated(from, to).map(|rate| (i128::from(rate), 1_000_000_000_i128));
            direct.or_else(|| stated(to, from).map(|rate| (1_000_000_000, i128::from(rate))))
        };
        let rounded = |over: i128, under: i128| {
            let rate = i64::try_from(round_half_even(over * 1_000_000_000, under)).ok()?;
            (rate > 0 && rate < 1_000_000_000_000_000_000).then_some(rate)
        };
        let simple = stated(code, own).or_else(|| stated(own, code).and_then(|rate| rounded(1_000_000_000, i128::from(rate))));
        let codes: BTreeSet<&str> = PAIRS.iter().flat_map(|(base, quote)| [*base, *quote]).collect();
        let commons = codes.into_iter().map(currency).filter(|common| *common != code && *common != own);
        let rate = simple.or_else(|| {
            commons.into_iter().find_map(|common| {
                let ((a, b), (c, d)) = leg(code, common).zip(leg(common, own))?;
                rounded(a * c, b * d)
            })
        });
        rate.map(|rate| (of, rate))
    })
}

const PAIRS: [(&str, &str); 8] = [
    ("EUR", "GBP"),
    ("GBP", "EUR"),
    ("USD", "GBP"),
    ("USD", "EUR"),
    ("EUR", "USD"),
    ("SEK", "USD"),
    ("EUR", "SEK"),
    ("GBP", "SEK"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rates_are_those_of_the_rule_in_any_order_and_split(
        (rows, shuffled) in proptest::collection::vec((0_usize..8, 20_260_101_i32..20_260_116, 0_i64..3, 1_i64..4_000), 0..24)
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        split in 1_usize..8,
    ) {
        let rows: Vec<_> = rows.into_iter().map(|(pair, day, at, rate)| (pair, day, at, rate * 1_000_000)).collect();
        let text = |(pair, day, at, rate): &(usize, i32, i64, i64)| {
            let (base, quote) = PAIRS[*pair];
            format!("base={base} quote={quote} day={day} rate={} at={}", Rate::from_units(*rate), 1_767_225_600 + at)
        };
        let mut whole = Rates::new(currency("GBP"));
        whole.apply(&batch(Table::FactFxRate, &rows.iter().map(text).collect::<Vec<_>>())).unwrap();
        let mut pieces = Rates::new(currency("GBP"));
        let shuffled: Vec<String> = shuffled.iter().map(|(pair, day, at, rate)| text(&(*pair, *day, *at, rate * 1_000_000))).collect();
        for some in shuffled.chunks(split) {
            pieces.apply(&batch(Table::FactFxRate, some)).unwrap();
        }
        prop_assert_eq!(whole.each(), pieces.each());
        for code in ["EUR", "USD", "SEK", "CHF"].map(currency) {
            for day in (20_251_230..20_251_232).chain(20_260_101..20_260_130) {
                let found = whole.on(code, day).map(|(of, resolved)| (of, resolved.rate.0));
                prop_assert_eq!(found, by_the_rule(&rows, code, day), "{} {}", code, day);
            }
        }
    }
}

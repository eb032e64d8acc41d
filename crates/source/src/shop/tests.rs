use std::collections::HashSet;

use kassa_model::time::{DAY, parse};
use kassa_model::{Contract, Currency, Fate};
use serde_json::Value;

use super::*;

mod recount;
mod rules;

/// An emitted record.
struct Made {
    emitted: Emitted,
    bytes: Vec<u8>,
}

impl Made {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }
}

fn home(zone: &str, currency: &str) -> kassa_model::Shop {
    kassa_model::Shop::new("Harbour & Pine", zone, Currency::parse(currency).unwrap()).unwrap()
}

pub(super) fn options(seed: u64, records_per_day: u64) -> Options {
    let shop = home("Europe/London", "GBP");
    let start = parse("2026-03-02T00:00:00Z", &shop.zone).unwrap();
    Options { seed, start, records_per_day, shop, faults: Faults::default() }
}

fn make(shop: &mut Shop, records: usize) -> Vec<Made> {
    making(shop).take(records).collect()
}

fn making(shop: &mut Shop) -> impl Iterator<Item = Made> + '_ {
    std::iter::repeat_with(|| {
        let mut bytes = Vec::new();
        Made { emitted: shop.next(&mut bytes), bytes }
    })
}

fn share(made: &[Made], is: impl Fn(&Made) -> bool) -> f64 {
    made.iter().filter(|made| is(made)).count() as f64 / made.len() as f64
}

#[test]
fn a_seed_gives_the_same_bytes_on_every_machine() {
    let hash = |seed| {
        let mut bytes = Vec::new();
        let mut shop = Shop::new(options(seed, 4_000)).unwrap();
        (0..30_000).for_each(|_| assert_ne!(shop.next(&mut bytes).stream, ""));
        (xxhash_rust::xxh3::xxh3_64(&bytes), shop.truth())
    };
    assert_eq!(hash(7), hash(7));
    assert_ne!(hash(7).0, hash(8).0);
    // Demos and benchmarks of different versions are compared: change the shop only on purpose.
    assert_eq!(hash(7).0, GOLDEN, "{:#x}", hash(7).0);
}

const GOLDEN: u64 = 0xb383_1743_b0c1_0c7d;

#[test]
fn streams_have_the_order_of_their_contracts() {
    for (at, (name, contract)) in STREAMS.into_iter().enumerate() {
        assert_eq!((contract as usize, stream_of(contract)), (at, name));
        assert_eq!(Contract::ALL[at], contract);
    }
}

#[test]
fn each_record_has_the_stated_fate() {
    let mut shop =
        Shop::new(Options { faults: Faults { malformed_ppm: 60_000, ..Faults::default() }, ..options(1, 40_000) }).unwrap();
    let mut seen: HashSet<Vec<u8>> = HashSet::new();
    let mut reasons: HashSet<&str> = HashSet::new();
    for made in making(&mut shop).take(120_000) {
        let verdict = rules::judge(made.emitted.contract, &made.bytes);
        let text = String::from_utf8_lossy(&made.bytes);
        assert!(!made.bytes.is_empty() && !made.bytes.contains(&b'\n') && !made.bytes.contains(&b'\r'), "{text}");
        match made.emitted.fate {
            Fate::DeadLetter => {
                assert!(verdict.is_err(), "{} is valid: {text}", made.emitted.stream);
                reasons.extend(verdict.err());
                assert!(!made.emitted.contract.is_reference());
            }
            Fate::Accepted => {
                assert_eq!(verdict, Ok(()), "{text}");
                assert!(seen.insert(made.bytes), "sent twice");
            }
            Fate::Duplicate => assert!(seen.contains(&made.bytes), "repeats what was never sent: {text}"),
        }
    }
    assert_eq!(reasons.len(), 16, "{reasons:?}");
}

#[test]
fn ids_are_never_used_twice() {
    let mut shop = Shop::new(options(3, 40_000)).unwrap();
    let mut ids = HashSet::new();
    for made in make(&mut shop, 60_000).iter().filter(|made| made.emitted.fate == Fate::Accepted) {
        let record = made.json();
        assert!(ids.insert((made.emitted.stream, record["event_id"].to_string())));
        let key = match made.emitted.contract {
            Contract::OrderLine => format!("{}{}", record["order_id"], record["line_id"]),
            Contract::Order => format!("{}/{}", record["order_id"], record["revision"]),
            Contract::Payment => record["payment_id"].to_string(),
            Contract::Refund => record["refund_id"].to_string(),
            _ => continue,
        };
        assert!(ids.insert((made.emitted.stream, key)));
    }
}

#[test]
fn the_truth_equals_the_sum_of_the_records_at_any_end() {
    for (seed, zone, currency, start) in [
        (1, "Europe/London", "GBP", "2026-03-26T12:00:00Z"),
        (2, "Europe/London", "GBP", "2025-10-23T00:00:00Z"),
        (3, "Asia/Kolkata", "INR", "2026-01-05T00:00:00Z"),
        (4, "America/New_York", "USD", "2026-03-05T09:30:00Z"),
    ] {
        let shop = home(zone, currency);
        let start = parse(start, &shop.zone).unwrap();
        let mut recount = recount::Recount::new(shop.clone());
        let mut shop = Shop::new(Options { start, shop, ..options(seed, 8_000) }).unwrap();
        for step in 0..5 {
            // 8,000 a day: the run ends within its ninth day.
            for made in making(&mut shop).take(14_000 + step * 7) {
                recount.read(&made.emitted, &made.bytes);
            }
            assert_eq!(serde_json::to_value(shop.truth()).unwrap(), recount.truth(), "seed {seed}, part {step}");
        }
    }
}

#[test]
fn faults_occur_at_their_rates() {
    let mut shop = Shop::new(options(5, 40_000)).unwrap();
    let made = make(&mut shop, 400_000);
    let near =
        |what: &str, share: f64, rate: f64| assert!((share / rate - 1.0).abs() < 0.12, "{what}: {share} instead of {rate}");
    near("duplicates", share(&made, |made| made.emitted.fate == Fate::Duplicate), 0.01);
    near("malformed", share(&made, |made| made.emitted.fate == Fate::DeadLetter), 0.005);
    let drifted =
        |made: &Made| made.emitted.fate == Fate::Accepted && memchr::memmem::find(&made.bytes, b"\"schema_version\"").is_some();
    near("drifted", share(&made, drifted), 0.003);

    let (mut latest, mut late, mut slipped, mut longest) = (0_i64, 0, 0, 0);
    for made in made.iter().filter(|made| made.emitted.fate == Fate::Accepted) {
        let behind = latest - made.emitted.event_time;
        latest = latest.max(made.emitted.event_time);
        longest = longest.max(behind);
        late += i32::from(behind > 50_000_000);
        slipped += i32::from(behind > 0 && behind <= 21_000_000);
        let may_be_late = matches!(made.emitted.contract, Contract::Event | Contract::OrderLine | Contract::Payment);
        assert!(behind <= 21_000_000 || may_be_late, "{} is late", made.emitted.stream);
    }
    // Some late records have not arrived yet, and some delayed ones passed no other record.
    let share = |count: i32| f64::from(count) / 400_000.0;
    assert!((0.016..0.021).contains(&share(late)), "{}", share(late));
    assert!((0.007..0.011).contains(&share(slipped)), "{}", share(slipped));
    assert!((2 * DAY..3 * DAY).contains(&longest), "{longest}");
}

#[test]
fn a_shop_without_faults_is_in_order_of_time() {
    let mut shop = Shop::new(Options { faults: Faults::NONE, ..options(5, 40_000) }).unwrap();
    let made = make(&mut shop, 50_000);
    assert!(made.is_sorted_by_key(|made| made.emitted.event_time));
    assert!(made.iter().all(|made| made.emitted.fate == Fate::Accepted));
}

#[test]
fn streams_keep_their_shares_and_days_their_volume() {
    let mut shop = Shop::new(options(6, 20_000)).unwrap();
    // After two weeks, orders are shipped and returned as fast as they are placed.
    drop(making(&mut shop).nth(289_999));
    let made = make(&mut shop, 280_000);
    let days = (made[made.len() - 1].emitted.event_time - made[0].emitted.event_time) as f64 / DAY as f64;
    let per_day = made.len() as f64 / days;
    assert!((19_200.0..20_800.0).contains(&per_day), "{per_day} a day");
    for (stream, low, high) in [
        ("events", 0.73, 0.80),
        ("order_lines", 0.07, 0.09),
        ("orders", 0.045, 0.06),
        ("payments", 0.04, 0.065),
        ("refunds", 0.001, 0.004),
    ] {
        let share = share(&made, |made| made.emitted.stream == stream);
        assert!((low..high).contains(&share), "{stream}: {share}");
    }
    let size = made.iter().map(|made| made.bytes.len()).sum::<usize>() / made.len();
    assert!((270..335).contains(&size), "{size} bytes");
}

#[test]
fn fewer_reach_each_step_of_the_funnel() {
    let mut shop = Shop::new(options(8, 40_000)).unwrap();
    drop(making(&mut shop).nth(119_999));
    let Visits { sessions, funnel: Funnel { viewed, added, checkout, paid }, .. } = shop.truth().figures.visits;
    let steps = [sessions, viewed, added, checkout, paid];
    assert!(steps.is_sorted_by(|before, after| before > after) && paid > 0, "{steps:?}");
}

#[test]
fn days_and_weeks_have_their_seasons() {
    let mut shop = Shop::new(options(9, 20_000)).unwrap();
    let mut calendar = home("Europe/London", "GBP").calendar();
    let (mut hours, mut weekdays) = ([0_u32; 24], [0_u32; 7]);
    let end = options(9, 1).start + 28 * DAY;
    let events = making(&mut shop).take(590_000).filter(|made| made.emitted.contract == Contract::Event);
    for made in events.filter(|made| made.emitted.event_time < end) {
        let local = calendar.local(made.emitted.event_time);
        hours[(local.minute / 60) as usize] += 1;
        weekdays[((made.emitted.event_time / DAY + 3) % 7) as usize] += 1;
    }
    assert!(hours[20] > 8 * hours[3] && hours[20] > hours[15], "{hours:?}");
    assert!(weekdays[5] > weekdays[1] && weekdays[6] > weekdays[2], "{weekdays:?}");
}

#[test]
fn popularity_follows_zipf() {
    let mut shop = Shop::new(options(10, 40_000)).unwrap();
    let mut sold = std::collections::HashMap::new();
    for made in make(&mut shop, 200_000)
        .iter()
        .filter(|made| made.emitted.contract == Contract::OrderLine && made.emitted.fate == Fate::Accepted)
    {
        *sold.entry(made.json()["product_id"].to_string()).or_insert(0) += 1;
    }
    let mut counts: Vec<u32> = sold.into_values().collect();
    counts.sort_unstable_by_key(|count| std::cmp::Reverse(*count));
    let all: u32 = counts.iter().sum();
    // Half of the sales are a tenth of the catalogue; the first product sells about as much as the
    // second and third together.
    assert!(counts.len() > 450 && counts[..51].iter().sum::<u32>() * 2 > all, "{counts:?}");
    assert!(counts[0] * 10 > 7 * (counts[1] + counts[2]), "{:?}", &counts[..4]);
}

#[test]
fn the_state_stays_bounded() {
    let mut shop = Shop::new(options(11, 100_000)).unwrap();
    let mut out = Vec::new();
    let mut held_max = [0; 4];
    for at in 0..1_500_000 {
        out.clear();
        shop.next(&mut out);
        if at == 750_000 {
            held_max = shop.held();
        }
    }
    // Half way, all waits have settled: the state does not grow with the number of records.
    for (before, after) in held_max.iter().zip(shop.held()).skip(1) {
        assert!(after < before * 5 / 4, "{held_max:?} then {:?}", shop.held());
    }
    // A rush of a billion records per day fills the limits and no more.
    let mut rush = Shop::new(options(12, 3_000_000_000)).unwrap();
    for _ in 0..1_200_000 {
        out.clear();
        rush.next(&mut out);
    }
    let [sessions, orders, delayed, agenda] = rush.held();
    assert!(sessions <= SESSIONS_MAX && orders <= ORDERS_MAX && delayed <= 65_536, "{:?}", rush.held());
    assert!(sessions + 100 > SESSIONS_MAX && agenda <= 2 + sessions + orders + 20, "{:?}", rush.held());
}

#[test]
fn rates_of_a_day_precede_all_other_records_of_it() {
    let mut shop = Shop::new(options(13, 10_000)).unwrap();
    let mut calendar = home("Europe/London", "GBP").calendar();
    let mut known = HashSet::new();
    for made in make(&mut shop, 60_000).iter().filter(|made| made.emitted.fate == Fate::Accepted) {
        let day = calendar.date_key(made.emitted.event_time);
        if made.emitted.contract == Contract::FxRate {
            known.insert((day, made.json()["base"].as_str().unwrap().to_owned()));
        } else {
            assert!(["EUR", "USD", "SEK", "JPY", "INR"].iter().all(|base| known.contains(&(day, (*base).to_owned()))));
        }
    }
    assert!(known.len() >= 25);
}

#[test]
fn every_kind_of_action_occurs() {
    let mut shop = Shop::new(options(15, 10_000)).unwrap();
    let text =
        make(&mut shop, 160_000).iter().fold(String::new(), |text, made| text + &String::from_utf8_lossy(&made.bytes) + "\n");
    let events = kassa_model::contract::EVENT_TYPES.iter().chain(&["chat_opened"]);
    for word in events.map(|name| format!("\"type\":\"{name}\"")) {
        assert!(text.contains(&word), "{word}");
    }
    for word in [
        r#""kind":"authorization""#,
        r#""kind":"capture""#,
        r#""kind":"sale""#,
        r#""kind":"void""#,
        r#""kind":"refund""#,
        r#""kind":"chargeback""#,
        r#""status":"failure""#,
        r#""status":"placed""#,
        r#""status":"paid""#,
        r#""status":"fulfilled""#,
        r#""status":"closed""#,
        r#""status":"cancelled""#,
        r#""financial_status":"partially_refunded""#,
        r#""movement":"cancellation""#,
        r#""adjustments":"#,
        r#""promotion":"#,
        r#""coupons":["WELCOME10"]"#,
        r#""billing_address":"#,
        r#""is_test":true"#,
        r#""is_bot":true"#,
        r#""quantity":2.5"#,
        r#""amount":-"#,
        r#""currency":"JPY""#,
        r#""currency":"INR""#,
        r#""currency":"SEK""#,
        "Köln",
        "Malmö",
        "東京",
        "12\\\"",
    ] {
        assert!(text.contains(word), "{word}");
    }
}

#[test]
fn a_folder_contains_the_sequence_and_its_truth() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::new(options(16, 10_000)).unwrap();
    let mut seen = 0;
    let truth = files::write(&mut shop, 10_000, dir.path(), Some(3_000), |_| seen += 1).unwrap();
    assert_eq!(seen, 10_000);
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let lines = |name: &str| read(name).iter().filter(|byte| **byte == b'\n').count() as u64;
    assert_eq!(lines("events-00001.ndjson"), 3_000);
    let events: u64 = (1..=3).map(|number| lines(&format!("events-{number:05}.ndjson"))).sum();
    assert_eq!(events, truth.streams["events"].produced);
    let written: Value = serde_json::from_slice(&read("truth.json")).unwrap();
    assert_eq!(written, serde_json::to_value(&truth).unwrap());

    // Without limits, the files contain the same bytes.
    let whole = tempfile::tempdir().unwrap();
    files::write(&mut Shop::new(options(16, 10_000)).unwrap(), 10_000, whole.path(), None, drop).unwrap();
    let parts = [read("events-00001.ndjson"), read("events-00002.ndjson"), read("events-00003.ndjson")].concat();
    assert_eq!(std::fs::read(whole.path().join("events.ndjson")).unwrap(), parts);
}

#[test]
fn a_currency_without_prices_is_refused() {
    let refused = Shop::new(Options { shop: home("Europe/Oslo", "NOK"), ..options(1, 1_000) }).unwrap_err();
    assert_eq!(refused, UnknownPrices(Currency::parse("NOK").unwrap()));
}

#[test]
fn a_shop_is_at_rest_between_orders() {
    let mut shop = Shop::new(Options { faults: Faults::NONE, ..options(14, 10_000) }).unwrap();
    drop(making(&mut shop).nth(19_999));
    let mut out = Vec::new();
    while !shop.at_rest() {
        shop.next(&mut out);
    }
    let mut rests = 0;
    for _ in 0..20_000 {
        shop.next(&mut out);
        if shop.at_rest() {
            rests += 1;
            let by_day = shop.truth().by_day;
            let orders: u64 = by_day.values().map(|day| day.orders).sum();
            let paid: u64 = by_day.values().map(|day| day.visits.funnel.paid).sum();
            assert_eq!(orders, paid);
        }
    }
    assert!(rests > 10_000);
}

#[test]
fn listed_customers_are_all_sent_on_the_first_day() {
    let options = Options { faults: Faults::NONE, ..options(3, 4_000) };
    let end = options.start + DAY;
    let mut shop = Shop::new(options).unwrap().with_customers(3_000);
    let is_listed = |made: &Made| made.emitted.contract == Contract::Customer && made.emitted.event_time < end;
    let number = |made: &Made| made.json()["customer_id"].as_str().unwrap()[1..].parse::<u32>().unwrap();
    let sent: HashSet<u32> = making(&mut shop).take(12_000).filter(is_listed).map(|made| number(&made)).collect();
    assert!((1..=3_000).all(|customer| sent.contains(&customer)), "{} customers were sent", sent.len());
}

use arrow_select::filter::filter_record_batch;
use kassa_model::time::{DAY, SECOND, format};

use super::*;
use crate::figures::tests::{SHOP, questions};
use crate::query::Query;
use crate::testing::{batch, shop};

/// A deterministic random source.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn is(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn at(&mut self, first: i64, days: u64) -> i64 {
        first + i64::try_from(self.below(days * 86_400)).unwrap() * SECOND
    }
}

/// Rows with many unusual cases: orders whose lines are days apart, revisions that move an order, captures long after the sale,
/// sessions across midnight.
fn odd_shop(first: i64) -> Vec<(Table, Vec<String>)> {
    let mut chance = Chance(7);
    let (mut sales, mut orders, mut payments, mut events) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for order in 0..160 {
        let placed = chance.at(first, 20);
        let customer = format!("c{}", chance.below(25));
        for line in 0..=chance.below(3) {
            let at = if chance.is(25) { chance.at(first, 20) } else { placed };
            let customer = if chance.is(8) { format!("c{}", chance.below(25)) } else { customer.clone() };
            let place = format!(
                "order={order} customer={customer} country=x{} channel=web product=p{} currency=GBP test={}",
                chance.below(3),
                chance.below(9),
                if chance.is(5) { "1" } else { "" }
            );
            let place = place.strip_suffix(" test=").map_or(place.clone(), ToOwned::to_owned);
            let gross = 5 + chance.below(50);
            sales.push(format!("movement=sale at={} {place} quantity=1 gross={gross}", format(at)));
            if chance.is(20) {
                let moved = at + i64::try_from(chance.below(9)).unwrap() * DAY;
                let back = format!("movement=return at={} moved={} {place} quantity=-1", format(at), format(moved));
                let currency = if chance.is(80) { "" } else { " currency=SEK" };
                sales.push(format!("{back} gross=-{gross}{currency}"));
            }
            assert!(line < 3);
        }
        for revision in 1..=1 + chance.below(3) {
            let at = if chance.is(30) { chance.at(first, 20) } else { placed };
            let duty = chance.below(3);
            orders.push(format!(
                "order={order} revision={revision} at={} customer={customer} country=x1 currency=GBP duty={duty}",
                format(at)
            ));
        }
        let (kind, status) =
            (["sale", "authorization"][usize::from(chance.is(40))], ["success", "failure"][usize::from(chance.is(20))]);
        payments.push(format!(
            "payment_id=s{order} kind={kind} status={status} at={} method=card currency=GBP amount=9",
            format(placed)
        ));
        if chance.is(60) {
            let at = chance.at(first, 20);
            payments.push(format!(
                "payment_id=k{order} kind=capture parent_id=s{order} status=success at={} method=card currency=GBP amount=9",
                format(at)
            ));
        }
    }
    let steps = ["product_viewed", "product_added", "checkout_started", "order_completed", "page_viewed"];
    for session in 0..200 {
        let mut at = chance.at(first, 20);
        // Some go on for almost two days.
        for _ in 0..if chance.is(4) { 130 } else { 1 + chance.below(6) } {
            let step = steps[usize::try_from(chance.below(5)).unwrap()];
            events.push(format!("type={step} at={} person=v{} session=s{session}", format(at), chance.below(60)));
            let most = if chance.is(10) { 40 } else { 29 };
            at += i64::try_from(chance.below(most) * 60).unwrap() * SECOND;
        }
    }
    // A rate is valid for a week: one is from before the days, and on some days there is none.
    let rate = |nth: i64| {
        let (at, day) = (first + nth * DAY, shop("UTC").calendar().date_key(first + nth * DAY));
        format!("base=SEK quote=GBP day={day} rate=0.{nth} at={}", format(at))
    };
    let rates = [2, 3, 12].map(rate).to_vec();
    vec![
        (Table::FactSales, sales),
        (Table::FactOrder, orders),
        (Table::FactPayment, payments),
        (Table::FactEvent, events),
        (Table::FactFxRate, rates),
    ]
}

/// Folds only the rows that are needed from a table; returns their number.
fn fold(asked: &mut Figures, table: Table, whole: &RecordBatch) -> usize {
    let columns: Vec<usize> = asked.reads(table).iter().map(|name| whole.schema().index_of(name).unwrap()).collect();
    if columns.is_empty() || asked.times(table).is_some() {
        return 0;
    }
    let mut folded = 0;
    let mut give = |asked: &mut Figures, rows: &BooleanArray| {
        let rows = filter_record_batch(whole, rows).unwrap();
        folded += rows.num_rows();
        asked.apply(table, &rows.project(&columns).unwrap()).unwrap();
        rows
    };
    let Wanted::Some { mut times, kin } = asked.wanted(table) else {
        give(asked, &BooleanArray::from(vec![true; whole.num_rows()]));
        return folded;
    };
    let within = times.contain(table, whole).unwrap();
    let given = give(asked, &within);
    if let Some(kin) = kin {
        let mut names = HashSet::new();
        kin.ask(table, &given, &mut names).unwrap();
        let are_asked = kin.are_asked(table, whole, &names).unwrap();
        give(asked, &(0..whole.num_rows()).map(|row| Some(are_asked.value(row) && !within.value(row))).collect());
    }
    while let Some(further) = asked.wanted_beyond(table, &times) {
        give(asked, &further.contain(table, whole).unwrap());
        times = further;
    }
    folded
}

/// Compares every query of the catalogue over each range of days, answered from the rows that it needs, with the answer from all
/// rows.
fn check(zone: &str, tables: &[(Table, RecordBatch)], ranges: &[(&str, &str)]) -> (usize, usize) {
    let mut all = Figures::new(&shop(zone));
    tables.iter().for_each(|(table, rows)| all.apply(*table, rows).unwrap());
    let (mut folded, mut held) = (0, 0);
    for ((from, to), query) in ranges.iter().flat_map(|range| questions().map(move |query| (range, query))) {
        let day = |text: &str| kassa_model::time::parse_day(text);
        let query = Query { from: day(from), to: day(to), ..query };
        let mut asked = Figures::asked(&shop(zone), &query);
        for (table, rows) in tables {
            let given = fold(&mut asked, *table, rows);
            folded += given;
            held += if given > 0 { rows.num_rows() } else { 0 };
            if Figures::watermark(*table).is_some() {
                asked.saw_until(Figures::latest(*table, rows, i64::MAX).unwrap());
            }
        }
        let text = |figures: &Figures| format!("{:?}", figures.answer(&query).unwrap());
        let question = format!("{} by {:?} on {:?}, {from}..{to}, {zone}", query.figure.name, query.by, query.basis);
        assert_eq!(text(&asked), text(&all), "{question}");
    }
    (folded, held)
}

#[test]
fn an_answer_about_days_is_made_of_the_rows_that_are_wanted() {
    let tables: Vec<_> = SHOP.iter().map(|(table, rows)| (*table, batch(*table, rows))).collect();
    let ranges = [("2026-01-05", "2026-01-05"), ("2026-01-06", "2026-01-07"), ("2026-02-01", ""), ("", "2026-01-31"), ("", "")];
    check("Europe/London", &tables, &ranges);
}

#[test]
fn odd_orders_and_sessions_are_counted_in_full_whatever_the_clock_does() {
    for (zone, first) in [
        // A day whose first minute comes twice, one without midnight, and one that does not exist.
        ("America/St_Johns", "2010-10-28"),
        ("America/Sao_Paulo", "2018-10-27"),
        ("Pacific/Apia", "2011-12-20"),
        ("Europe/London", "2026-01-01"),
    ] {
        let first = kassa_model::time::parse_day(first).unwrap();
        let day = |nth: i32| first.checked_add(jiff::ToSpan::days(nth)).unwrap().to_string();
        let noon = first.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_microsecond();
        let tables: Vec<_> = odd_shop(noon).into_iter().map(|(table, rows)| (table, batch(table, &rows))).collect();
        let days: Vec<(String, String)> =
            (8..13).map(|nth| (day(nth), day(nth))).chain([(day(3), day(15)), (day(30), day(31))]).collect();
        let ranges: Vec<(&str, &str)> = days.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
        let (folded, held) = check(zone, &tables, &ranges);
        assert!(folded * 3 < held, "{zone}: {folded} of {held} rows were wanted");
    }
}

use std::collections::BTreeMap;

use kassa_analytics::{Basis, By, Query, catalogue};
use kassa_model::time::{AHEAD, Calendar, Clock, DAY, HOUR, SECOND, SystemClock};
use kassa_model::{Currency, Partition, Positions, Shop, Table};
use tempfile::TempDir;

use super::super::figures_before;
use super::*;
use crate::delta::DeltaTable;
use crate::delta::table::NewFile;
use crate::encode::{self, ZSTD_LEVEL};
use crate::maintain::{Maintainer, Options};
use crate::star::table_spec;
use crate::store::{Measured, Store};
use crate::testing::{Cell, Fast, Row, batch};

/// Random numbers that are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % most
    }

    fn is(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }
}

/// 2026-01-01T00:00:00Z.
const FIRST: i64 = 1_767_225_600 * SECOND;
const DAYS: i64 = 40;

fn shop() -> Shop {
    Shop::new("Days", "America/New_York", Currency::parse("USD").unwrap()).unwrap()
}

fn row(cells: &[(&'static str, i64)], words: &[(&'static str, &str)]) -> Row {
    let numbers = cells.iter().map(|(name, number)| (*name, Cell::Number(*number)));
    numbers.chain(words.iter().map(|(name, word)| (*name, Cell::Text((*word).to_owned())))).collect()
}

/// The rows that one record adds to the facts, at a time that rises with the record's number or at
/// any time.
fn facts(chance: &mut Chance, nth: i64, records: i64, calendar: &mut Calendar) -> Vec<(Table, Row)> {
    let any = |chance: &mut Chance| FIRST + chance.below(DAYS * 86_400) * SECOND;
    // Every tenth commit has many late or early rows.
    let is_odd = nth / 40 % 10 == 3;
    let at =
        if is_odd && chance.is(30) { any(chance) } else { FIRST + nth * (DAYS * DAY / records) + chance.below(3_600) * SECOND };
    let order = chance.below(records / 6);
    let flags = [("is_test", i64::from(chance.is(2))), ("is_future", 0)];
    let placed = if is_odd && chance.is(50) { any(chance) } else { at };
    let moved = at.max(placed) + if chance.is(10) { chance.below(9 * 86_400) * SECOND } else { 0 };
    let mut all = Vec::new();
    let mut day = |at: i64| i64::from(calendar.date_key(at));
    let currency = if order % 3 == 0 { "EUR" } else { "USD" };
    let (customer, amount) = (1 + order % 17, 1_000_000 * (1 + chance.below(50)));
    let sale = |movement: &str, amount: i64, moved: i64, days: [i64; 2]| {
        let money = ["gross_amount", "net_amount"].map(|name| (name, amount));
        let cells = [("order_key", order), ("ordered_at", placed), ("moved_at", moved), ("customer_key", customer)];
        let days = [("order_date_key", days[0]), ("movement_date_key", days[1]), ("quantity", amount.signum() * 1_000)];
        let zero = ["discount_amount", "tax_amount", "shipping_amount"].map(|name| (name, 0));
        let cells: Vec<_> = cells.into_iter().chain(days).chain(money).chain(zero).chain(flags).collect();
        (Table::FactSales, row(&cells, &[("movement", movement), ("currency", currency)]))
    };
    match nth % 4 {
        0 => {
            all.push(sale("sale", amount, placed, [day(placed), day(placed)]));
            if moved > placed {
                all.push(sale("return", -amount, moved, [day(placed), day(moved)]));
            }
        }
        1 => {
            let duty = 1_000_000 * chance.below(2);
            let cells = [("order_key", order), ("revision", chance.below(3)), ("occurred_at", at), ("placed_at", placed)];
            let more = [("order_date_key", day(placed)), ("customer_key", customer), ("duty", duty)];
            all.push((Table::FactOrder, row(&[&cells[..], &more, &flags].concat(), &[("currency", currency)])));
        }
        2 => {
            let kind = ["sale", "capture", "authorization", "refund"][usize::try_from(chance.below(4)).unwrap()];
            let cells = [("occurred_at", at), ("payment_date_key", day(at)), ("amount", amount)];
            let parent = format!("p{}", chance.below(records));
            let words = [("payment_id", format!("p{nth}")), ("parent_id", if chance.is(70) { parent } else { String::new() })];
            let words: Vec<_> = words.iter().map(|(name, word)| (*name, word.as_str())).collect();
            let words = [&words[..], &[("kind", kind), ("currency", currency)]].concat();
            all.push((Table::FactPayment, row(&[&cells[..], &flags].concat(), &words)));
        }
        _ => {
            let steps = ["product_viewed", "product_added", "checkout_started", "order_completed"];
            for step in 0..chance.below(6) {
                let (at, session) = (at + step * chance.below(1_900) * SECOND, 1 + order);
                let cells =
                    [("occurred_at", at), ("event_date_key", day(at)), ("session_key", session), ("person_key", 1 + order % 9)];
                let kind = steps[usize::try_from(chance.below(4)).unwrap()];
                all.push((Table::FactEvent, row(&[&cells[..], &flags].concat(), &[("type", kind)])));
            }
        }
    }
    all
}

struct Lake {
    _dir: TempDir,
    store: Arc<dyn Store>,
    cut: Positions,
    rows: usize,
}

const TOPIC: &str = "shop:all";

/// A lake with many files: most state their contents, some are merged, and some are from before
/// files stated anything.
fn lake(records: i64, merges: bool) -> Lake {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Fast::new(dir.path()));
    let (mut chance, mut calendar, mut rows) = (Chance(1), shop().calendar(), 0);
    let tables = [Table::FactSales, Table::FactOrder, Table::FactPayment, Table::FactEvent];
    let open = |table| DeltaTable::open(Arc::clone(&store), table_spec(table), Arc::new(SystemClock)).unwrap();
    let mut opened: BTreeMap<Table, DeltaTable> = tables.into_iter().map(|table| (table, open(table))).collect();
    let options = Options { small_files: 12, slice_files: 20, retention: 0, kept_files: 0, ..Options::default() };
    let mut maintainer = Maintainer::new(options);
    for first in (0..records).step_by(40) {
        let mut facts_of: BTreeMap<Table, Vec<Row>> = BTreeMap::new();
        for nth in first..first + 40 {
            for (table, mut row) in facts(&mut chance, nth, records, &mut calendar) {
                row.extend([("source_topic", Cell::Text(TOPIC.to_owned())), ("source_offset", Cell::Number(nth))]);
                facts_of.entry(table).or_default().push(row);
            }
        }
        let at = [(Partition::new(TOPIC, 0), first + 40)];
        for (table, opened) in &mut opened {
            let held = facts_of.remove(table).unwrap_or_default();
            rows += held.len();
            let bytes = encode::parquet(&[batch(*table, &held)], &encode::properties(&table.schema(), ZSTD_LEVEL)).unwrap();
            let file = NewFile { bytes, rows: held.len(), partition_values: BTreeMap::new() };
            if first % 400 == 360 {
                let old =
                    Add { stats: Some(format!(r#"{{"numRecords":{}}}"#, file.rows)), ..opened.put_file(file, true).unwrap() };
                opened.exchange(&[], vec![old], Vec::new()).unwrap();
                opened.append(Vec::new(), &at).unwrap();
            } else {
                opened.append(vec![file], &at).unwrap();
            }
            if merges {
                maintainer.maintain(opened, SystemClock.now()).unwrap();
            }
        }
    }
    // Days on which a rate of an earlier day applies, and days without a rate.
    let rate = |nth: i64| {
        let at = FIRST + nth * DAY;
        let cells =
            [("rate_date_key", i64::from(shop().calendar().date_key(at))), ("rate", 100_000_000 * nth), ("occurred_at", at)];
        row(&cells, &[("base", "EUR"), ("quote", "USD"), ("source_topic", TOPIC)])
    };
    let held = batch(Table::FactFxRate, &[4, 8, 20].map(rate));
    let bytes = encode::parquet(&[held], &encode::properties(&Table::FactFxRate.schema(), ZSTD_LEVEL)).unwrap();
    let file = NewFile { bytes, rows: 3, partition_values: BTreeMap::new() };
    open(Table::FactFxRate).append(vec![file], &[(Partition::new(TOPIC, 0), records)]).unwrap();
    Lake { _dir: dir, store, cut: [(Partition::new(TOPIC, 0), records)].into_iter().collect(), rows }
}

/// Every query of the catalogue on each basis.
fn questions() -> impl Iterator<Item = Query> {
    catalogue().iter().flat_map(|figure| {
        let bases: Vec<_> =
            if figure.bases.is_empty() { vec![None] } else { figure.bases.iter().map(|basis| Some(*basis)).collect() };
        bases.into_iter().flat_map(move |basis| {
            figure.groupings.iter().map(move |by: &By| Query { figure, by: *by, from: None, to: None, basis })
        })
    })
}

fn check(lake: &Lake, cut: &Positions, ranges: &[(&str, &str)]) -> (u64, u64) {
    let all = figures_before(lake.store.as_ref(), Figures::new(&shop()), cut).unwrap();
    let (mut read, mut whole) = (0, 0);
    for ((from, to), query) in ranges.iter().flat_map(|range| questions().map(move |query| (range, query))) {
        let day = |text: &str| kassa_model::time::parse_day(text);
        let bytes_of = |query: &Query| {
            let store = Measured::new(Arc::clone(&lake.store));
            let asked = figures_before(&store, Figures::asked(&shop(), query), cut).unwrap();
            (format!("{:?}", asked.answer(query).unwrap()), store.read())
        };
        let of_days = Query { from: day(from), to: day(to), ..query.clone() };
        let (answer, bytes) = bytes_of(&of_days);
        let question = format!("{} by {:?} on {:?}, {from}..{to}", query.figure.name, query.by, query.basis);
        assert_eq!(answer, format!("{:?}", all.answer(&of_days).unwrap()), "{question}");
        if query.figure.name == "net_sales" && query.basis == Some(Basis::Movement) {
            read += bytes;
            whole += bytes_of(&query).1;
        }
    }
    (read, whole)
}

/// Some of the rows are ahead of the clock.
#[test]
fn the_watermark_of_a_question_is_that_of_all_rows_whatever_the_clock_says() {
    let lake = lake(400, false);
    let at = |mut figures: Figures, now: i64| {
        figures.set_now(now);
        figures_before(lake.store.as_ref(), figures, &lake.cut).unwrap().event_time()
    };
    let latest = at(Figures::new(&shop()), i64::MAX).expect("rows");
    let mut seen = std::collections::BTreeSet::new();
    for now in [FIRST, FIRST + DAY, FIRST + (latest - FIRST) / 2, latest - HOUR, latest] {
        let all = at(Figures::new(&shop()), now);
        assert!(all <= Some(now + AHEAD), "{now}");
        seen.insert(all);
        for query in questions() {
            let asked = at(Figures::asked(&shop(), &query), now);
            // Times ahead of the clock are kept by the minute.
            assert!(asked >= all && asked.unwrap_or(0) - all.unwrap_or(0) < 60 * SECOND, "{} at {now}", query.figure.name);
        }
    }
    assert!(seen.len() > 2, "{seen:?}");
}

#[test]
fn every_answer_about_days_is_that_of_all_rows() {
    for merges in [false, true] {
        let lake = lake(1_200, merges);
        assert!(lake.rows > 1_500);
        let (read, whole) = check(&lake, &lake.cut, &[("2026-01-11", "2026-01-11"), ("2026-01-20", "2026-01-22")]);
        // A fifth of the files state nothing or contain any day, and a file's returns span nine of
        // the forty days. Small merged files are mostly footers.
        let most = if merges { 80 } else { 60 };
        assert!(read * 100 < whole * most, "{read} bytes for days, {whole} for all, merges {merges}");
        check(&lake, &lake.cut, &[("2026-02-05", ""), ("", "2026-01-04")]);
        // At an earlier position the newest files contribute nothing, and some only partly.
        for next in [850, 880] {
            let cut: Positions = [(Partition::new(TOPIC, 0), next)].into_iter().collect();
            check(&lake, &cut, &[("2026-01-28", "2026-01-29")]);
        }
    }
}

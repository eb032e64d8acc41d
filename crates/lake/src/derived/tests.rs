use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type};
use kassa_model::time::{SECOND, SystemClock};
use kassa_model::{Contract, Currency, Partition, Shop, Table};
use tempfile::TempDir;

use super::Derived;
use crate::delta::table::NewFile;
use crate::delta::{DeltaTable, LogError, Snapshot};
use crate::encode::{self, ZSTD_LEVEL};
use crate::maintain::Options;
use crate::read::{folder_of, plain};
use crate::recover::scan;
use crate::star::table_spec;
use crate::store::{Folder, Store};
use crate::testing::{Cell, Fast, Row, batch};

const MINUTE: i64 = 60 * SECOND;

/// A lake with facts, written commit by commit.
struct Lake {
    dir: TempDir,
    offsets: HashMap<&'static str, i64>,
}

impl Lake {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), offsets: HashMap::new() }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(Folder::new(self.dir.path()))
    }

    fn shop(zone: &str) -> Shop {
        Shop::new("Test", zone, Currency::parse("GBP").unwrap()).unwrap()
    }

    fn derived_over(store: &Arc<dyn Store>, shop: &Shop) -> Derived {
        let contracts = [("events", Contract::Event), ("lines", Contract::OrderLine), ("rates", Contract::FxRate)];
        let contracts = contracts.map(|(topic, contract)| (Arc::from(topic), contract)).into();
        Derived::open(store, shop, contracts, Arc::new(SystemClock), Options::default()).unwrap()
    }

    fn derived(&self) -> Derived {
        Self::derived_over(&self.store(), &Self::shop("Europe/London"))
    }

    fn append(&self, table: Table, rows: &[Row], at: &[(Partition, i64)]) {
        let mut opened = DeltaTable::open(self.store(), table_spec(table), Arc::new(SystemClock)).unwrap();
        let bytes = encode::parquet(&[batch(table, rows)], &encode::properties(&table.schema(), ZSTD_LEVEL)).unwrap();
        let file = NewFile { bytes, rows: rows.len(), partition_values: BTreeMap::new() };
        opened.append(if rows.is_empty() { Vec::new() } else { vec![file] }, at).unwrap();
    }

    /// Rows of a topic, committed and accounted for.
    fn commit(&mut self, topic: &'static str, table: Table, mut rows: Vec<Row>) {
        let next = self.offsets.entry(topic).or_default();
        for row in &mut rows {
            row.insert("source_topic", Cell::Text(topic.to_owned()));
            row.insert("source_offset", Cell::Number(*next));
            *next += 1;
        }
        let at = [(Partition::new(topic, 0), *next)];
        self.append(table, &rows, &at);
        self.append(Table::Spans, &[], &at);
    }

    fn events(&mut self, rows: Vec<Row>) {
        self.commit("events", Table::FactEvent, rows);
    }

    /// The sessions as text, sorted.
    fn sessions(&self) -> Vec<String> {
        let mut all = Vec::new();
        scan(self.store().as_ref(), Table::FactSession, &[], &mut |rows| {
            let rows = plain(&rows)?;
            for row in 0..rows.num_rows() {
                let cells = rows.columns().iter().map(|column| arrow::util::display::array_value_to_string(column, row).unwrap());
                all.push(cells.collect::<Vec<_>>().join(" "));
            }
            Ok(())
        })
        .unwrap();
        all.sort_unstable();
        all
    }

    /// The sessions of a table that is computed from scratch.
    fn sessions_of_a_full_refresh(&self) -> Vec<String> {
        let copy = tempfile::tempdir().unwrap();
        let status = std::process::Command::new("cp").arg("-r").arg(self.dir.path().join("DWH")).arg(copy.path()).status();
        assert!(status.unwrap().success());
        std::fs::remove_dir_all(copy.path().join("DWH/fact_session")).unwrap_or_default();
        let lake = Lake { dir: copy, offsets: HashMap::new() };
        lake.derived().refresh().unwrap();
        lake.sessions()
    }
}

fn event(minute: i64, kind: &str, session: i64, order: i64) -> Row {
    BTreeMap::from([
        ("type", Cell::Text(kind.to_owned())),
        ("occurred_at", Cell::Number(minute * MINUTE)),
        ("event_date_key", Cell::Number(20260101)),
        ("session_key", Cell::Number(session)),
        ("person_key", Cell::Number(session + 1000)),
        ("order_key", Cell::Number(order)),
        ("url", Cell::Text(format!("/{minute}"))),
    ])
}

fn line(order: i64, pence: i64) -> Row {
    BTreeMap::from([
        ("order_key", Cell::Number(order)),
        ("order_date_key", Cell::Number(20260101)),
        ("movement_date_key", Cell::Number(20260101)),
        ("net_amount", Cell::Number(pence * 10_000)),
        ("currency", Cell::Text("GBP".to_owned())),
    ])
}

fn line_in(currency: &str, day: i64, order: i64, pence: i64) -> Row {
    let mut line = line(order, pence);
    line.insert("currency", Cell::Text(currency.to_owned()));
    line.insert("movement_date_key", Cell::Number(20_260_100 + day));
    line
}

/// Pounds for a unit of a currency, in hundredths, on a day of January 2026.
fn rate(currency: &str, day: i64, hundredths: i64) -> Row {
    BTreeMap::from([
        ("base", Cell::Text(currency.to_owned())),
        ("quote", Cell::Text("GBP".to_owned())),
        ("rate_date_key", Cell::Number(20_260_100 + day)),
        ("rate", Cell::Number(hundredths * 10_000_000)),
        ("occurred_at", Cell::Number(hundredths)),
    ])
}

/// Minutes since 1970 of 1 January 2026, ten minutes to midnight.
const EVENING: i64 = 29_453_760 + 1_430;

/// Random numbers from a seed.
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: u64) -> i64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        i64::try_from((mixed ^ (mixed >> 31)) % limit).unwrap()
    }
}

const KINDS: [&str; 6] =
    ["page_viewed", "product_viewed", "product_added", "checkout_started", "order_completed", "order_completed"];

/// Events of a few sessions in a few hours around midnight, late and out of order, including bots
/// and tests, and lines of their orders.
fn commit_some(lake: &mut Lake, rng: &mut Rng) {
    let mut events: Vec<Row> = Vec::new();
    for _ in 0..rng.below(12) {
        let kind = KINDS[usize::try_from(rng.below(6)).unwrap()];
        let order = if kind == "order_completed" { rng.below(6) } else { 0 };
        let mut event = event(EVENING - 120 + rng.below(240), kind, rng.below(5), order);
        if rng.below(12) == 0 {
            event.insert("is_bot", Cell::Number(1));
        }
        if rng.below(12) == 0 {
            event.insert("is_test", Cell::Number(1));
        }
        events.push(event);
    }
    lake.events(events);
    let currency = |rng: &mut Rng| ["GBP", "EUR", "SEK"][usize::try_from(rng.below(3)).unwrap()];
    let lines = (0..rng.below(4)).map(|_| line_in(currency(rng), 1 + rng.below(20), rng.below(6), rng.below(10_000) - 2_000));
    let lines = lines.collect();
    lake.commit("lines", Table::FactSales, lines);
    let rates = (0..rng.below(3)).map(|_| rate(currency(rng), 1 + rng.below(20), 1 + rng.below(300))).collect();
    lake.commit("rates", Table::FactFxRate, rates);
}

#[test]
fn sessions_refreshed_commit_by_commit_equal_those_of_a_full_refresh() {
    for seed in 0..12 {
        let (mut lake, mut rng) = (Lake::new(), Rng(seed));
        let mut derived = lake.derived();
        for _ in 0..10 {
            commit_some(&mut lake, &mut rng);
            match rng.below(3) {
                0 => {}
                // Another process: it only has what the table states.
                1 => derived = lake.derived(),
                _ => {
                    derived.refresh().unwrap();
                    assert_eq!(lake.sessions(), lake.sessions_of_a_full_refresh(), "seed {seed}");
                }
            }
        }
        derived.refresh().unwrap();
        let sessions = lake.sessions();
        assert!(!sessions.is_empty(), "seed {seed}");
        assert_eq!(sessions, lake.sessions_of_a_full_refresh(), "seed {seed}");
        assert!(!derived.refresh().unwrap(), "seed {seed}: nothing is new");
    }
}

#[test]
fn a_crash_at_any_change_leaves_what_the_next_refresh_makes_right() {
    for changes in 0..12 {
        let (mut lake, mut rng) = (Lake::new(), Rng(99));
        commit_some(&mut lake, &mut rng);
        lake.derived().refresh().unwrap();
        let before = lake.sessions();
        (0..4).for_each(|_| commit_some(&mut lake, &mut rng));
        let failing: Arc<dyn Store> = Arc::new(Fast::failing_after(lake.dir.path(), changes));
        let broke = Lake::derived_over(&failing, &Lake::shop("Asia/Kolkata")).refresh();
        assert_eq!(broke.is_err(), matches!(broke, Err(LogError::Io(_))));
        // All of the old rows, or all of the new ones.
        let new = lake.sessions();
        assert_eq!(broke.is_err(), new == before, "after {changes} changes");
        Lake::derived_over(&lake.store(), &Lake::shop("Europe/London")).refresh().unwrap();
        assert_eq!(lake.sessions(), lake.sessions_of_a_full_refresh(), "after {changes} changes");
    }
}

#[test]
fn a_session_over_midnight_belongs_to_the_day_on_which_it_began() {
    let mut lake = Lake::new();
    let mut derived = lake.derived();
    lake.events(vec![event(EVENING + 15, "product_viewed", 1, 0)]);
    derived.refresh().unwrap();
    let day = |lake: &Lake| {
        let mut days = Vec::new();
        let columns = ["session_date_key", "events"];
        scan(lake.store().as_ref(), Table::FactSession, &columns, &mut |rows| {
            let (keys, events) = (rows.column(0).as_primitive::<Int32Type>(), rows.column(1).as_primitive::<Int64Type>());
            days.extend(keys.values().iter().copied().zip(events.values().iter().copied()));
            Ok(())
        })
        .unwrap();
        days
    };
    assert_eq!(day(&lake), [(20260102, 1)]);
    // A late event of the evening before moves the whole session to that day.
    lake.events(vec![event(EVENING, "page_viewed", 1, 0)]);
    derived.refresh().unwrap();
    assert_eq!(day(&lake), [(20260101, 2)]);
}

/// What each session is credited with, 10⁻² of the shop's currency as [`line`] has it.
fn revenue(lake: &Lake) -> BTreeMap<i64, i128> {
    let mut sums = BTreeMap::new();
    scan(lake.store().as_ref(), Table::FactSession, &["session_key", "revenue_reporting"], &mut |rows| {
        let (keys, sums_of) = (rows.column(0).as_primitive::<Int64Type>(), rows.column(1).as_primitive::<Decimal128Type>());
        sums.extend(keys.values().iter().copied().zip(sums_of.values().iter().map(|units| units / 10_000_000_000_000)));
        Ok(())
    })
    .unwrap();
    sums
}

#[test]
fn revenue_is_what_the_ledger_says_of_the_orders_that_a_session_reported_first() {
    let mut lake = Lake::new();
    let mut derived = lake.derived();
    lake.events(vec![event(EVENING, "order_completed", 1, 7), event(EVENING + 5, "order_completed", 2, 7)]);
    lake.commit("lines", Table::FactSales, vec![line(7, 1_000), line(7, 250), line(8, 99)]);
    derived.refresh().unwrap();
    assert_eq!(revenue(&lake), BTreeMap::from([(1, 1_250), (2, 0)]));
    // A return reduces it; an earlier claim removes it.
    lake.commit("lines", Table::FactSales, vec![line(7, -250)]);
    derived.refresh().unwrap();
    assert_eq!(revenue(&lake), BTreeMap::from([(1, 1_000), (2, 0)]));
    lake.events(vec![event(EVENING - 5, "order_completed", 2, 7)]);
    derived.refresh().unwrap();
    assert_eq!(revenue(&lake), BTreeMap::from([(1, 0), (2, 1_000)]));
}

#[test]
fn a_rate_that_comes_or_changes_later_reaches_the_revenue_of_the_sessions_that_it_concerns() {
    let mut lake = Lake::new();
    let mut derived = lake.derived();
    lake.events(vec![event(EVENING, "order_completed", 1, 7), event(EVENING + 5, "order_completed", 2, 8)]);
    lake.commit("lines", Table::FactSales, vec![line_in("EUR", 9, 7, 1_000), line_in("GBP", 9, 7, 50), line(8, 99)]);
    derived.refresh().unwrap();
    let rates = |lake: &Lake| {
        let mut rates = BTreeMap::new();
        scan(lake.store().as_ref(), Table::DimFxRate, &["currency", "date_key", "rate"], &mut |rows| {
            let (codes, days) = (rows.column(0).as_string::<i32>(), rows.column(1).as_primitive::<Int32Type>());
            let units = rows.column(2).as_primitive::<Decimal128Type>();
            let of = (0..rows.num_rows()).filter(|row| codes.value(*row) != "GBP");
            rates.extend(of.map(|row| (days.value(row), units.value(row) / 10_000_000)));
            Ok(())
        })
        .unwrap();
        rates
    };
    assert_eq!((revenue(&lake), rates(&lake)), (BTreeMap::from([(1, 50), (2, 99)]), BTreeMap::new()));
    // A day that does not concern it.
    lake.commit("rates", Table::FactFxRate, vec![rate("EUR", 1, 80)]);
    derived.refresh().unwrap();
    assert_eq!(revenue(&lake), BTreeMap::from([(1, 50), (2, 99)]));
    assert_eq!(rates(&lake), (20_260_101..20_260_109).map(|day| (day, 80)).collect());
    lake.commit("rates", Table::FactFxRate, vec![rate("EUR", 4, 90)]);
    derived.refresh().unwrap();
    assert_eq!(revenue(&lake), BTreeMap::from([(1, 950), (2, 99)]));
    // Another process, and a corrected rate.
    lake.commit("rates", Table::FactFxRate, vec![rate("EUR", 4, 120)]);
    assert!(lake.derived().refresh().unwrap());
    assert_eq!(revenue(&lake), BTreeMap::from([(1, 1_250), (2, 99)]));
    assert!(!derived.refresh().unwrap(), "nothing is new");
}

#[test]
fn rows_that_are_not_accounted_for_yet_make_no_session() {
    let mut lake = Lake::new();
    lake.events(vec![event(EVENING, "page_viewed", 1, 0)]);
    let mut early = event(EVENING, "page_viewed", 2, 0);
    early.insert("source_topic", Cell::Text("events".to_owned()));
    early.insert("source_offset", Cell::Number(1));
    lake.append(Table::FactEvent, &[early], &[(Partition::new("events", 0), 2)]);
    let mut derived = lake.derived();
    derived.refresh().unwrap();
    assert_eq!(lake.sessions().len(), 1);
    lake.append(Table::Spans, &[], &[(Partition::new("events", 0), 2)]);
    derived.refresh().unwrap();
    assert_eq!(lake.sessions().len(), 2);
}

fn days(lake: &Lake) -> Vec<i32> {
    let mut days = Vec::new();
    scan(lake.store().as_ref(), Table::DimDate, &["date_key"], &mut |rows| {
        days.extend_from_slice(rows.column(0).as_primitive::<Int32Type>().values());
        Ok(())
    })
    .unwrap();
    days
}

fn version(lake: &Lake, table: Table) -> Option<u64> {
    Snapshot::load(lake.store().as_ref(), &folder_of(table)).unwrap().version
}

#[test]
fn the_calendar_is_written_once_and_again_when_it_changes_or_must_grow() {
    let mut lake = Lake::new();
    lake.derived().refresh().unwrap();
    lake.derived().refresh().unwrap();
    assert_eq!((version(&lake, Table::DimDate), version(&lake, Table::DimTime)), (Some(0), Some(0)));
    let fifty = days(&lake);
    assert_eq!((fifty.len(), fifty[0], fifty[18_262]), (18_263, 20000101, 20491231));

    let elsewhere = Lake::shop("Asia/Kolkata").in_country(Some("IN"));
    Lake::derived_over(&lake.store(), &elsewhere).refresh().unwrap();
    assert_eq!((version(&lake, Table::DimDate), version(&lake, Table::DimTime)), (Some(1), Some(0)));
    assert_eq!(days(&lake), fifty, "replaced, not added to");

    let mut old = event(EVENING, "page_viewed", 1, 0);
    old.insert("event_date_key", Cell::Number(19981231));
    lake.events(vec![old]);
    Lake::derived_over(&lake.store(), &elsewhere).refresh().unwrap();
    assert_eq!((days(&lake)[0], version(&lake, Table::DimDate)), (19900101, Some(2)));
}

//! An incremental refresh gives the same rows as computing everything again.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use kassa_analytics::{Query, catalogue};
use kassa_model::Table;
use kassa_pipeline::{Batch, Sink};
use serde_json::{Value, json};

use crate::read::Reader;
use crate::testing::{Feed, Warehouse, partition, shop};
use crate::{derived, figures};

/// Random numbers from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % limit
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[usize::try_from(self.below(i64::try_from(texts.len()).unwrap())).unwrap()]
    }

    /// Mostly on one morning and close together, so that sessions merge and split; now and then
    /// days, months and years away.
    fn time(&mut self) -> String {
        let (day, month, year) = match self.below(12) {
            0 => (1 + self.below(28), 1 + self.below(12), 2025),
            1 => (1 + self.below(28), 12, 1987),
            2 => (4, 1, 2026),
            _ => (5, 1, 2026),
        };
        let hour = if self.below(4) == 0 { self.below(24) } else { 9 };
        format!("{year}-{month:02}-{day:02}T{hour:02}:{:02}:{:02}.000{:03}Z", self.below(60), self.below(60), self.below(1_000))
    }
}

/// Records of a shop with few orders, sessions and customers, so that they interact.
struct Source {
    chance: Chance,
    feed: Feed,
    next: BTreeMap<&'static str, i64>,
    made: i64,
}

const STREAMS: [&str; 8] = ["event", "event", "order_line", "refund", "order", "payment", "product", "fx_rate"];

impl Source {
    fn new(seed: u64) -> Self {
        Self { chance: Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1), feed: Feed::new(), next: BTreeMap::new(), made: 0 }
    }

    fn record(&mut self, stream: &str) -> Value {
        self.made += 1;
        let (made, chance) = (self.made, &mut self.chance);
        let order = format!("o{}", chance.below(9));
        let mut record = json!({"event_id": format!("e{made}"), "occurred_at": chance.time(), "is_test": chance.below(15) == 0});
        let movement = chance.of(&["sale", "sale", "sale", "return", "cancellation", "adjustment"]);
        let more = match stream {
            "event" => {
                json!({"type": chance.of(&["product_viewed", "product_added", "checkout_started", "order_completed", "order_completed", "page_viewed"]),
                "session_id": format!("s{}", chance.below(12)), "anonymous_id": format!("a{}", chance.below(5)),
                "customer_id": (chance.below(3) == 0).then(|| format!("c{}", chance.below(5))), "url": format!("/{}", chance.below(4)),
                "order_id": order, "channel": chance.of(&["web", "app"]), "is_bot": chance.below(12) == 0})
            }
            "order_line" => {
                json!({"movement": movement, "order_id": order, "line_id": format!("l{made}"), "product_id": format!("p{}", chance.below(4)),
                "customer_id": (chance.below(5) > 0).then(|| format!("c{}", chance.below(5))), "quantity": if movement == "sale" { "2" } else { "-1" }, "unit_price": format!("{}.123457", 1 + chance.below(30)),
                "tax": "1.1", "shipping": "0.37", "discount": "0.5", "currency": chance.of(&["GBP", "EUR", "SEK"]), "channel": chance.of(&["web", "app"]),
                "shipping_address": {"country": chance.of(&["GB", "FR", "DE"]), "city": "X"}})
            }
            "refund" => json!({"refund_id": format!("r{made}"), "order_id": order, "currency": "GBP",
                "lines": [{"line_id": "l1", "product_id": format!("p{}", chance.below(4)), "quantity": "1", "amount": format!("{}.35", 1 + chance.below(9))}]}),
            "order" => {
                json!({"order_id": order, "revision": made, "status": "open", "customer_id": format!("c{}", chance.below(5)), "currency": "GBP",
                "duty": (chance.below(2) == 0).then(|| format!("{}.5", chance.below(3))), "total": "30", "channel": "web",
                "shipping_address": {"country": "GB", "city": "X"}})
            }
            "payment" => {
                json!({"payment_id": format!("y{}", chance.below(40)), "parent_id": (chance.below(2) == 0).then(|| format!("y{}", chance.below(40))),
                "order_id": order, "kind": chance.of(&["sale", "capture", "refund", "chargeback", "authorization"]), "method": chance.of(&["card", "wallet"]),
                "amount": format!("{}.01", chance.below(50)), "currency": chance.of(&["GBP", "EUR", "SEK"]), "status": chance.of(&["paid", "SUCCESS", "failed"])})
            }
            "product" => {
                json!({"product_id": format!("p{}", chance.below(4)), "name": chance.of(&["Lamp", "Vase", ""]), "price": "12.5", "currency": "GBP",
                "category": chance.of(&["Home > Light", "Home", "Garden > Pots"])})
            }
            _ => {
                let (base, quote) =
                    [("EUR", "GBP"), ("SEK", "GBP"), ("GBP", "EUR"), ("SEK", "EUR")][usize::try_from(chance.below(4)).unwrap()];
                let day = chance.of(&["2026-01-05", "2026-01-04", "2025-12-29", "1987-12-20"]);
                json!({"day": day, "base": base, "quote": quote, "rate": format!("0.{}1", 1 + chance.below(9))})
            }
        };
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record
    }

    /// A batch of one stream; some of its records cannot be parsed.
    fn batch(&mut self) -> Arc<Batch> {
        let stream = self.chance.of(&STREAMS);
        let mut values = Vec::new();
        for _ in 0..=self.chance.below(5) {
            let record = self.record(stream).to_string();
            values.push(if self.chance.below(10) == 0 { "{".to_owned() } else { record });
        }
        let next = self.next.entry(stream).or_default();
        let batch = self.feed.batch(stream, 0, *next, &values);
        *next = batch.to();
        batch
    }

    /// A dead letter as it would be if it were valid. Payment keys are not unique here, and
    /// separate feeds do not share state.
    fn replay(&mut self, warehouse: &Warehouse) {
        let letters = warehouse.sql("SELECT topic, \"offset\" FROM kassa.dead_letters WHERE replayed_at IS NULL AND reason = 'not_json' AND topic <> 'payment'");
        let Some((stream, offset)) = letters.lines().next().and_then(|line| line.split_once('|')) else { return };
        let offset: i64 = offset.parse().unwrap();
        let record = self.record(stream).to_string();
        let good = Feed::new().batch(stream, 0, offset, &[record]);
        let rows: Vec<(Table, RecordBatch)> = good.tables().iter().map(|(table, rows)| (*table, rows.clone())).collect();
        assert_eq!(warehouse.sink().replay(&rows, &[(partition(stream, 0), offset)]).unwrap(), 1);
    }
}

fn refresh(warehouse: &Warehouse) -> Vec<&'static str> {
    derived::refresh(&warehouse.target("postgres"), &shop()).unwrap()
}

fn kept(warehouse: &Warehouse) -> [String; 3] {
    ["dwh.fact_session", "kassa.claims", "dwh.dim_fx_rate"]
        .map(|table| warehouse.sql(&format!("SELECT * FROM {table} t ORDER BY t::text")))
}

/// A value without trailing zeros.
fn plain(value: &str) -> String {
    if value.contains('.') { value.trim_end_matches('0').trim_end_matches('.').to_owned() } else { value.to_owned() }
}

/// The rows of all figure views, and the expected rows.
fn views(warehouse: &Warehouse) -> [Vec<String>; 2] {
    // One figure at a time, as the docs recommend: planning all of them takes seconds with many
    // partitions.
    let of = |name: &str| {
        warehouse.sql(&format!(
            "SELECT figure, coalesce(basis, ''), by, key, label, coalesce(value::text, ''), unit FROM dwh.figures WHERE figure = '{name}'"
        ))
    };
    let answers: Vec<String> = catalogue().iter().map(|figure| of(figure.name)).collect();
    let mut shown: Vec<String> = answers
        .iter()
        .flat_map(|answer| answer.lines())
        .map(|line| {
            let mut cells: Vec<String> = line.split('|').map(str::to_owned).collect();
            cells[5] = plain(&cells[5]);
            cells.join("|")
        })
        .collect();
    let (figures, _) = figures::figures(&warehouse.target("postgres"), &shop()).unwrap();
    let mut expected = Vec::new();
    for figure in catalogue() {
        let bases: Vec<Option<&str>> =
            if figure.bases.is_empty() { vec![None] } else { figure.bases.iter().map(|basis| Some(basis.name())).collect() };
        for (basis, by) in bases.iter().flat_map(|basis| figure.groupings.iter().map(move |by| (*basis, by.name()))) {
            let answer = figures.answer(&Query::parse(figure.name, Some(by), None, None, basis).unwrap()).unwrap();
            let unit = format!("{:?}", answer.unit).to_lowercase();
            expected.extend(answer.rows.into_iter().map(|row| {
                let value = plain(&row.value.unwrap_or_default());
                [figure.name, basis.unwrap_or_default(), by, &row.key, &row.label, &value, &unit].join("|")
            }));
        }
    }
    shown.sort();
    expected.sort();
    [shown, expected]
}

fn differences([shown, expected]: &[Vec<String>; 2]) -> Vec<String> {
    let only = |of: &[String], other: &[String], sign: &str| -> Vec<String> {
        of.iter().filter(|row| other.binary_search(row).is_err()).map(|row| format!("{sign}{row}")).collect()
    };
    [only(expected, shown, "-"), only(shown, expected, "+")].concat()
}

#[test]
fn an_incremental_refresh_equals_a_full_one() {
    let warehouse = Warehouse::new();
    for seed in 0..4 {
        warehouse.clear();
        // Planning the views over many partitions takes seconds, so they are compared once.
        let mut has_looked = false;
        let mut source = Source::new(seed);
        let mut sink = warehouse.sink();
        for step in 0..14 {
            let batches: Vec<Arc<Batch>> = (0..=source.chance.below(6)).map(|_| source.batch()).collect();
            sink.commit(&batches).unwrap();
            if source.chance.below(6) == 0 {
                source.replay(&warehouse);
            }
            if source.chance.below(3) > 0 {
                continue;
            }
            refresh(&warehouse);
            let brought = kept(&warehouse);
            let calendar = warehouse.sql("SELECT min(year), max(year), count(*) FROM dwh.dim_date");
            if step > 4 && !has_looked {
                has_looked = true;
                let views = views(&warehouse);
                assert_eq!(views[0], views[1], "seed {seed}, step {step}: {:#?}", differences(&views));
            }
            warehouse.sql("DELETE FROM kassa.derived");
            refresh(&warehouse);
            assert_eq!(brought, kept(&warehouse), "seed {seed}, step {step}");
            assert_eq!(
                calendar,
                warehouse.sql("SELECT min(year), max(year), count(*) FROM dwh.dim_date"),
                "seed {seed}, step {step}"
            );
        }
        assert!(crate::prove::prove(&warehouse.target("postgres")).unwrap().is_ok(), "seed {seed}");
    }
}

/// An event of a session.
fn event(id: i64, session: &str, at: &str, order: Option<&str>) -> Value {
    let kind = if order.is_some() { "order_completed" } else { "page_viewed" };
    json!({"event_id": format!("e{id}"), "occurred_at": at, "type": kind, "session_id": session, "anonymous_id": "a", "order_id": order})
}

#[test]
fn only_sessions_that_may_differ_are_replaced() {
    let (warehouse, mut feed) = (Warehouse::new(), Feed::new());
    let mut sink = warehouse.sink();
    let first = [
        event(1, "buyer", "2026-01-05T09:00:00Z", Some("o1")),
        event(2, "later", "2026-01-05T10:00:00Z", Some("o1")),
        event(3, "other", "2026-01-05T09:00:00Z", None),
    ];
    sink.commit(&[feed.json("event", 0, &first)]).unwrap();
    assert_eq!(refresh(&warehouse), ["fact_session", "dim_fx_rate", "dim_date", "dim_time"]);
    // Marks every row: the mark stays on rows that are not replaced.
    let mark = || warehouse.sql("UPDATE dwh.fact_session SET exit_url = 'mark'");
    let unmarked =
        || warehouse.sql("SELECT session_id FROM dwh.fact_session WHERE exit_url IS DISTINCT FROM 'mark' ORDER BY 1, started_at");
    let mut line = crate::testing::line(0, 0);
    line["order_id"] = json!("o1");
    mark();
    sink.commit(&[feed.json("order_line", 0, &[line])]).unwrap();
    assert_eq!(refresh(&warehouse), ["fact_session"]);
    assert_eq!(unmarked(), "buyer\nlater", "a line touches the sessions that claim its order");
    assert_eq!(warehouse.sql("SELECT session_id FROM dwh.fact_session WHERE revenue_reporting > 0"), "buyer");
    mark();
    sink.commit(&[feed.json("event", 3, &[event(4, "early", "2026-01-04T08:00:00Z", Some("o1"))])]).unwrap();
    refresh(&warehouse);
    assert_eq!(unmarked(), "buyer\nearly\nlater", "a late claim touches those that it takes the order from");
    assert_eq!(warehouse.sql("SELECT session_id FROM dwh.fact_session WHERE revenue_reporting > 0"), "early");
    mark();
    sink.commit(&[feed.json("event", 4, &[event(5, "other", "2026-01-05T09:29:59Z", None)])]).unwrap();
    refresh(&warehouse);
    assert_eq!(unmarked(), "other");
    assert_eq!(warehouse.sql("SELECT events FROM dwh.fact_session WHERE session_id = 'other'"), "2");
    mark();
    sink.commit(&[feed.json(
        "product",
        0,
        &[json!({"event_id": "p", "occurred_at": "2026-01-05T00:00:00Z", "product_id": "x"})],
    )])
    .unwrap();
    assert_eq!(refresh(&warehouse), ["fact_session"], "its positions are stated again");
    assert_eq!(unmarked(), "");
    assert!(refresh(&warehouse).is_empty(), "nothing had changed");
}

/// A rate of EUR on a day.
fn rate(nth: i64, day: &str, rate: &str) -> Value {
    json!({"event_id": format!("fx{nth}"), "occurred_at": format!("2026-01-04T00:00:0{nth}Z"), "day": day, "base": "EUR", "quote": "GBP", "rate": rate})
}

#[test]
fn a_late_rate_reaches_the_sessions_whose_orders_it_converts_and_no_others() {
    let (warehouse, mut feed) = (Warehouse::new(), Feed::new());
    let mut sink = warehouse.sink();
    let line = |nth: i64, order: &str, currency: &str, at: &str| {
        let mut line = crate::testing::line(0, nth);
        for (name, value) in [("order_id", order), ("currency", currency), ("occurred_at", at)] {
            line[name] = json!(value);
        }
        line
    };
    let events = [
        event(1, "euros", "2025-12-28T09:00:00Z", Some("o1")),
        event(2, "later", "2026-01-01T09:00:00Z", Some("o2")),
        event(3, "pounds", "2025-12-28T09:00:00Z", Some("o3")),
    ];
    let lines = [
        line(0, "o1", "EUR", "2025-12-28T09:00:00Z"),
        line(1, "o2", "EUR", "2026-01-01T09:00:00Z"),
        line(2, "o3", "GBP", "2025-12-28T09:00:00Z"),
    ];
    sink.commit(&[feed.json("event", 0, &events), feed.json("order_line", 0, &lines)]).unwrap();
    refresh(&warehouse);
    let revenue = |session: &str| {
        warehouse.sql(&format!(
            "SELECT trim_scale(revenue_reporting / (SELECT net_amount FROM dwh.fact_sales WHERE order_id = 'o3')) FROM dwh.fact_session WHERE session_id = '{session}'"
        ))
    };
    let of_all = || ["euros", "later", "pounds"].map(&revenue);
    assert_eq!(of_all(), ["0", "0", "1"]);
    for (nth, day, stated, touched, expected) in [
        // It applies on the day after it, and on the fifth day after it.
        (0, "2025-12-27", "0.5", "euros\nlater", ["0.5", "0.5", "1"]),
        (1, "2025-12-31", "0.25", "later", ["0.5", "0.25", "1"]),
        // The same again: no session has to be computed.
        (2, "2025-12-31", "0.25", "", ["0.5", "0.25", "1"]),
        (3, "2025-12-28", "0.75", "euros", ["0.75", "0.25", "1"]),
        (4, "2025-11-20", "0.1", "", ["0.75", "0.25", "1"]),
    ] {
        warehouse.sql("UPDATE dwh.fact_session SET exit_url = 'mark'");
        sink.commit(&[feed.json("fx_rate", nth, &[rate(nth, day, stated)])]).unwrap();
        assert_eq!(refresh(&warehouse), ["fact_session", "dim_fx_rate"], "{day}");
        let unmarked = warehouse
            .sql("SELECT session_id FROM dwh.fact_session WHERE exit_url IS DISTINCT FROM 'mark' ORDER BY 1, started_at");
        assert_eq!(unmarked, touched, "{day}");
        assert_eq!(of_all(), expected, "{day}");
        let mut reader = Reader::open(&warehouse.target("postgres")).unwrap();
        let rows =
            derived::rates_as_stated(&mut reader.snapshot().unwrap(), &shop()).unwrap().expect("rates that are up to date");
        assert_eq!(warehouse.count("dwh.dim_fx_rate"), i64::try_from(rows.num_rows()).unwrap(), "{day}");
    }
    assert!(refresh(&warehouse).is_empty(), "nothing had changed");
}

/// Commits of an older kassa leave a gap in `kassa.commits`: then all rows are read, and all
/// sessions computed again.
#[test]
fn rows_beyond_positions_are_found_wherever_they_lie() {
    let (warehouse, mut source) = (Warehouse::new(), Source::new(99));
    let mut sink = warehouse.sink();
    let mut cuts = Vec::new();
    for _ in 0..12 {
        let batches: Vec<Arc<Batch>> = (0..3).map(|_| source.batch()).collect();
        sink.commit(&batches).unwrap();
        source.replay(&warehouse);
        cuts.push(sink.positions());
    }
    let check = |case: &str| {
        let mut reader = Reader::open(&warehouse.target("postgres")).unwrap();
        let mut snapshot = reader.snapshot().unwrap();
        let mut found = 0;
        for (nth, cut) in cuts.iter().enumerate() {
            for table in Table::ALL.into_iter().filter(|table| table.has_lineage()) {
                let mut rows = 0;
                let mut count = |batch: RecordBatch| {
                    rows += batch.num_rows();
                    Ok(())
                };
                snapshot.each_beyond(table, &["source_offset"], cut, &mut count).unwrap();
                let mut all = 0;
                snapshot
                    .each(table, &["source_topic", "source_partition", "source_offset"], &mut |batch| {
                        let before = kassa_pipeline::cut::are_before(&batch, cut).unwrap();
                        all += before.iter().filter(|before| !**before).count();
                        Ok(())
                    })
                    .unwrap();
                assert_eq!(rows, all, "{case}: {} beyond cut {nth}", table.name());
                found += rows;
            }
        }
        assert!(found > 50, "{case}: {found}");
        snapshot.bounds(&cuts[6]).unwrap()
    };
    let bounds = check("known");
    assert!(matches!(&bounds, crate::commits::Bounds::Within { days, .. } if !days.is_empty()), "{bounds:?}");
    warehouse.sql(
        "DELETE FROM kassa.commits WHERE (topic, to_offset) IN (SELECT topic, max(to_offset) FROM kassa.commits GROUP BY 1)",
    );
    assert_eq!(check("a hole at the end"), crate::commits::Bounds::Anywhere);
    warehouse.sql("DELETE FROM kassa.commits; INSERT INTO kassa.commits SELECT topic, partition, 0, next, '-infinity', NULL FROM kassa.positions");
    assert_eq!(check("as the migration leaves it"), crate::commits::Bounds::Anywhere);
}

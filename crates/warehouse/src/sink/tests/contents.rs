//! The contents of the tables: the star as written, the figures as everywhere else, the current
//! state for any order of arrival.

use std::sync::Arc;

use arrow_array::RecordBatch;
use kassa_analytics::{By, Figures, Query, catalogue};
use kassa_model::decimal::{format_units, round_half_even};
use kassa_model::star::SCHEMA;
use kassa_model::star::ddl::postgres_table;
use kassa_model::{Secret, Table};
use kassa_pipeline::{Batch, Sink};
use kassa_stack::postgres::Options;
use serde_json::{Value, json};

use crate::declared::name_of;
use crate::examine::{Examiner, Schema};
use crate::read::Reader;
use crate::testing::{Feed, Fixed, Warehouse, shop, sold};
use crate::{Target, WarehouseError, WarehouseSink, derived, figures, prove};

/// Rows of every table, over two days and a decade.
fn everything() -> Vec<Arc<Batch>> {
    let mut feed = Feed::new();
    let address = json!({"street": "1 High St", "postcode": "N1 1AA", "city": "London", "country": "GB"});
    let event = |n: i64, kind: &str, more: Value| {
        let mut event = json!({"event_id": format!("ev{n}"), "occurred_at": format!("2026-01-05T09:{n:02}:00Z"), "type": kind, "session_id": "s1",
            "anonymous_id": "a1", "customer_id": "ann", "channel": "web", "url": format!("/p/{n}"), "country": "GB", "position": n});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let line = |order: &str, id: &str, at: &str, more: Value| {
        let mut line = json!({"event_id": format!("l{order}-{id}"), "occurred_at": at, "order_id": order, "line_id": id, "product_id": "lamp",
            "customer_id": "ann", "quantity": "2", "unit_price": "12.345678", "discount": "1.5", "tax": "4.1", "currency": "GBP", "channel": "web",
            "shipping_address": address, "promotion": "NEWYEAR", "category": ["Home", "Light"], "colour": "red\u{1f}".replace('\u{1f}', "")});
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line
    };
    vec![
        feed.json("product", 0, &[json!({"event_id": "pr1", "occurred_at": "2026-01-01T00:00:00Z", "product_id": "lamp", "name": "Lämp", "price": "12.5",
            "cost": "7", "currency": "GBP", "brand": "Glow", "category": "Home > Light"})]),
        feed.json("customer", 0, &[
            json!({"event_id": "c1", "occurred_at": "2026-01-01T00:00:00Z", "customer_id": "ann", "segment": "gold", "name": "Ann", "email": "ann@example.org",
                "address": address}),
            json!({"event_id": "c2", "occurred_at": "2026-01-03T00:00:00Z", "customer_id": "ann", "segment": "silver"}),
        ]),
        feed.json("fx_rate", 0, &[json!({"event_id": "fx", "occurred_at": "2026-01-04T00:00:00Z", "day": "2026-01-04", "base": "EUR", "quote": "GBP", "rate": "0.851234567"})]),
        feed.json("inventory", 0, &[json!({"event_id": "i", "occurred_at": "2026-01-05T00:00:00Z", "product_id": "lamp", "location": "N1", "level": "7.5"})]),
        feed.json("event", 0, &[event(1, "product_viewed", json!({"product_id": "lamp", "price": "12.5", "currency": "GBP"})),
            event(2, "product_added", json!({"product_id": "lamp", "quantity": "2"})), event(3, "checkout_started", json!({})),
            event(4, "order_completed", json!({"order_id": "1"})), event(5, "winked", json!({"is_test": true}))]),
        feed.json("order", 0, &[json!({"event_id": "o1", "occurred_at": "2026-01-05T09:04:00Z", "order_id": "1", "revision": 1, "status": "open", "customer_id": "ann",
            "currency": "GBP", "subtotal": "24.69", "duty": "2", "total": "30", "coupons": ["A", "B"], "billing_address": address, "channel": "web",
            "lines": [{"line_id": "n1", "product_id": "vase", "quantity": "1", "unit_price": "9.99"}]})]),
        feed.json("order_line", 0, &[line("1", "1", "2026-01-05T09:04:00Z", json!({})), line("2", "1", "2010-12-01T08:26:00Z", json!({"customer_id": "bob"})),
            line("3", "1", "2026-01-05T23:30:00Z", json!({"currency": "EUR", "is_test": true})),
            line("1", "1r", "2026-01-06T10:00:00Z", json!({"movement": "return", "quantity": "-1", "discount": null})),
            json!({"no": "line"})]),
        feed.json("payment", 0, &[json!({"event_id": "p", "occurred_at": "2026-01-05T09:05:00Z", "payment_id": "p1", "order_id": "1", "kind": "capture", "method": "card",
            "amount": "30", "currency": "GBP", "status": "done"})]),
        feed.json("refund", 0, &[json!({"event_id": "r", "occurred_at": "2026-01-06T12:00:00Z", "refund_id": "r1", "order_id": "1", "currency": "GBP", "shipping": "1",
            "lines": [{"line_id": "1", "product_id": "lamp", "quantity": "1", "amount": "12.35"}]})]),
    ]
}

fn filled() -> (Warehouse, Vec<Arc<Batch>>) {
    let (warehouse, batches) = (Warehouse::new(), everything());
    warehouse.sink().commit(&batches).unwrap();
    (warehouse, batches)
}

/// Name, type and nullability of each column, by name.
fn catalog(warehouse: &Warehouse, table: &str) -> String {
    warehouse.sql(&format!(
        "SELECT attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END FROM pg_attribute
         WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname"
    ))
}

#[test]
fn the_tables_are_those_that_are_declared() {
    let warehouse = Warehouse::new();
    warehouse.sql("CREATE SCHEMA declared");
    for table in Table::ALL {
        let declared = format!("declared.{}", table.name());
        warehouse.sql(&postgres_table(&declared, table));
        let (held, declared) = (catalog(&warehouse, &name_of(table)), catalog(&warehouse, &declared));
        assert_eq!(held.lines().count(), table.columns().count(), "{}", table.name());
        // A column that was added later stands at the end, and in its place in the lake: statements name their columns.
        assert_eq!(held, declared, "{}", table.name());
    }
}

#[test]
fn a_declared_column_that_a_table_lacks_is_added_if_it_may_be_null() {
    let warehouse = Warehouse::new();
    let target = warehouse.target("postgres");
    let whole = ["dwh.vault_customer", "kassa.dead_letters"].map(|table| catalog(&warehouse, table));
    warehouse.sql("ALTER TABLE dwh.vault_customer DROP COLUMN phone, DROP COLUMN street");
    let lacking = ["vault_customer.phone", "vault_customer.street"].map(str::to_owned);
    let schema = || Examiner::connect(&target).unwrap().schema().unwrap();
    assert_eq!(schema(), Schema::Behind(lacking.to_vec()));
    assert_eq!(crate::migrate(&target).unwrap(), lacking);
    assert_eq!(schema(), Schema::Current);
    assert!(crate::migrate(&target).unwrap().is_empty(), "added again");
    assert_eq!(["dwh.vault_customer", "kassa.dead_letters"].map(|table| catalog(&warehouse, table)), whole);
    let recorded = "SELECT table_name || '.' || column_name || ' ' || schema FROM kassa.added_columns ORDER BY 1";
    assert_eq!(warehouse.sql(recorded), format!("vault_customer.phone {SCHEMA}\nvault_customer.street {SCHEMA}"));
    warehouse.sink().commit(&everything()).unwrap();
    assert!(warehouse.count("dwh.vault_customer") > 0);
}

#[test]
fn a_required_column_or_another_type_needs_a_migration_and_is_named() {
    let warehouse = Warehouse::new();
    let target = warehouse.target("postgres");
    let cases = [
        ("ALTER TABLE dwh.vault_customer ALTER COLUMN phone TYPE varchar(9)", "dwh.vault_customer.phone is character varying(9)"),
        (
            "ALTER TABLE dwh.vault_customer ALTER COLUMN phone TYPE text, DROP COLUMN valid_from",
            "dwh.vault_customer has no column valid_from",
        ),
    ];
    for (change, words) in cases {
        warehouse.sql(change);
        let refused = crate::migrate(&target);
        assert!(matches!(&refused, Err(WarehouseError::Invalid(said)) if said.contains(words)), "{change}: {refused:?}");
    }
}

fn shown(rows: &[RecordBatch]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for rows in rows {
        let plain = kassa_model::star::plain(rows).unwrap();
        all.extend((0..plain.num_rows()).map(|row| format!("{:?}", plain.slice(row, 1).columns())));
    }
    all.sort();
    all
}

#[test]
fn every_row_comes_back_as_it_went() {
    let (warehouse, batches) = filled();
    let mut reader = Reader::open(&warehouse.target("postgres")).unwrap();
    let mut snapshot = reader.snapshot().unwrap();
    for table in Table::ALL.into_iter().filter(|table| table.has_lineage() || *table == Table::Rejected) {
        let sent: Vec<RecordBatch> = batches.iter().filter_map(|batch| batch.whole().rows(table)).collect();
        let mut held = Vec::new();
        snapshot
            .each(table, &[], &mut |rows| {
                held.push(rows);
                Ok(())
            })
            .unwrap();
        assert!(!sent.is_empty(), "nothing was sent to {}", table.name());
        assert_eq!(shown(&held), shown(&sent), "{}", table.name());
    }
    assert_eq!(snapshot.positions().len(), 9);
    let proof = prove::prove(&warehouse.target("postgres")).unwrap();
    assert!(proof.is_ok(), "{:?}", proof.findings);
    assert_eq!(
        proof
            .accounts
            .values()
            .map(|account| (account.accepted, account.dead_letters))
            .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
        (17, 1)
    );
}

fn of_batches(batches: &[Arc<Batch>]) -> Figures {
    let mut figures = Figures::new(&shop());
    for batch in batches {
        for (table, rows) in batch.tables() {
            figures.apply(*table, rows).unwrap();
        }
    }
    figures
}

#[test]
fn every_figure_is_the_one_of_the_rows_themselves() {
    let (warehouse, batches) = filled();
    let expected = of_batches(&batches);
    let (held, positions) = figures::figures(&warehouse.target("postgres"), &shop()).unwrap();
    assert_eq!(positions, warehouse.sink().positions());
    let mut rows = 0;
    for figure in catalogue() {
        for by in figure.groupings {
            for basis in ["movement", "order"] {
                let Ok(query) = Query::parse(figure.name, Some(by.name()), None, None, Some(basis)) else { continue };
                let (held, expected) = (held.answer(&query).unwrap(), expected.answer(&query).unwrap());
                rows += expected.rows.len();
                assert_eq!(format!("{held:?}"), format!("{expected:?}"), "{} by {}", figure.name, by.name());
            }
        }
    }
    assert!(rows > 300, "{rows} rows compared");
}

#[test]
fn a_figure_that_is_asked_alone_and_at_earlier_positions_is_the_same() {
    let (warehouse, batches) = filled();
    let (early, _) = batches.split_at(batches.len() / 2);
    let cut = early.iter().map(|batch| (batch.records().partition.clone(), batch.to())).collect();
    let mut reader = Reader::open(&warehouse.target("postgres")).unwrap();
    let mut snapshot = reader.snapshot().unwrap();
    assert_ne!(*snapshot.positions(), cut);
    for (expected, cut) in [(of_batches(early), cut), (of_batches(&batches), snapshot.positions().clone())] {
        for query in catalogue().iter().map(|figure| Query::parse(figure.name, None, None, None, None).unwrap()) {
            let asked = figures::figures_before(&mut snapshot, Figures::asked(&shop(), &query), &cut).unwrap();
            let answers = [&asked, &expected].map(|figures| format!("{:?}", figures.answer(&query).unwrap()));
            assert_eq!(answers[0], answers[1], "{}", query.figure.name);
        }
    }
}

/// The rows of a query, with numbers without trailing zeros.
fn golden(warehouse: &Warehouse, sql: &str) -> Vec<String> {
    let answer = warehouse.sql(&format!("SET search_path = dwh; {sql}"));
    // Sums of money are exact here; a figure rounds them once.
    let plain = |cell: &str| match cell.split_once('.') {
        Some((whole, fraction)) => {
            let units: i128 = format!("{whole}{fraction:0<15}").parse().unwrap();
            format_units(round_half_even(units, 1_000_000_000), 6, 0)
        }
        None => cell.to_owned(),
    };
    let mut rows: Vec<String> = answer
        .lines()
        .filter(|line| *line != "SET")
        .map(|line| line.split('|').map(plain).collect::<Vec<_>>().join("|"))
        .collect();
    rows.sort();
    rows
}

#[test]
fn golden_sql_gives_what_the_figures_say() {
    let (warehouse, batches) = filled();
    assert_eq!(
        derived::refresh(&warehouse.target("postgres"), &shop()).unwrap(),
        ["fact_session", "dim_fx_rate", "dim_date", "dim_time"]
    );
    assert!(derived::refresh(&warehouse.target("postgres"), &shop()).unwrap().is_empty(), "nothing had changed");
    let figures = of_batches(&batches);
    for figure in catalogue() {
        let by = figure.groupings[0];
        let answer = figures.answer(&Query::parse(figure.name, Some(by.name()), None, None, None).unwrap()).unwrap();
        let keyed = by != By::Total;
        let mut expected: Vec<String> = answer
            .rows
            .iter()
            .map(|row| {
                let value = row.value.clone().unwrap_or_default();
                let value =
                    if value.contains('.') { value.trim_end_matches('0').trim_end_matches('.').to_owned() } else { value };
                if keyed { format!("{}|{value}", row.key) } else { value }
            })
            .collect();
        expected.sort();
        let sql = figure.sql();
        assert_eq!(golden(&warehouse, &sql), expected, "{}: {sql}", figure.name);
    }
    for (sql, rows) in [
        (
            "SELECT category_path, country, city, promotion, customer_id, customer_segment, product_name, sum(net_amount) FROM sales_flat WHERE order_id = '1' AND line_id = '1' GROUP BY 1,2,3,4,5,6,7",
            vec!["Home > Light|GB|London|NEWYEAR|ann|silver|Lämp|23.191356"],
        ),
        (
            "SELECT type, product_name, category_path, country, channel FROM events_flat WHERE product_id IS NOT NULL AND type = 'product_viewed'",
            vec!["product_viewed|Lämp|Home > Light|GB|web"],
        ),
        (
            "SELECT customer_id, segment, is_current FROM dim_customer_history WHERE customer_id = 'ann'",
            vec!["ann|gold|f", "ann|silver|t"],
        ),
        ("SELECT customer_id, is_placeholder FROM dim_customer_current", vec!["ann|f", "bob|t"]),
        ("SELECT order_id, revision FROM fact_order_current", vec!["1|1"]),
        ("SELECT topic, reason, convert_from(value, 'UTF8') FROM rejected", vec![r#"order_line|missing_field|{"no":"line"}"#]),
        ("SELECT sum(read), sum(accepted), sum(dead_letters) FROM spans", vec!["18|17|1"]),
        ("SELECT events, converted, revenue_reporting > 0 FROM fact_session", vec!["4|t|t"]),
        ("SELECT weekday_name, hours FROM dim_date WHERE date_key = 20260329", vec!["Sunday|23"]),
        ("SELECT count(*) FROM dim_time", vec!["1440"]),
    ] {
        assert_eq!(golden(&warehouse, sql), rows, "{sql}");
    }
}

#[test]
fn the_current_state_takes_records_in_any_order() {
    let warehouse = Warehouse::new();
    let (mut sink, mut feed) = (warehouse.sink(), Feed::new());
    let order = |revision: i64, status: &str| {
        json!({"event_id": format!("o{revision}"), "occurred_at": format!("2026-01-05T0{revision}:00:00Z"), "order_id": "9",
        "revision": revision, "status": status, "customer_id": "eve", "currency": "GBP"})
    };
    let state = "SELECT order_id, revision, status, o.is_placeholder, c.customer_id FROM ods.orders o LEFT JOIN ods.customers c USING (customer_key)";
    let payment = json!({"event_id": "p", "occurred_at": "2026-01-05T09:05:00Z", "payment_id": "p9", "order_id": "9", "kind": "capture", "amount": "3", "currency": "GBP"});
    sink.commit(&[feed.json("payment", 0, &[payment])]).unwrap();
    assert_eq!(warehouse.sql(state), "9|||t|", "a payment brings a placeholder");
    let mut line = crate::testing::line(0, 0);
    line["order_id"] = json!("9");
    sink.commit(&[feed.json("order_line", 0, &[line])]).unwrap();
    assert_eq!(warehouse.sql(state), "9|||t|");
    sink.commit(&[feed.json("order", 0, &[order(2, "paid")])]).unwrap();
    assert_eq!(warehouse.sql(state), "9|2|paid|f|eve", "its own record fills it");
    sink.commit(&[feed.json("order", 1, &[order(1, "open")])]).unwrap();
    assert_eq!(warehouse.sql(state), "9|2|paid|f|eve", "an older revision that came later changes nothing");
    sink.commit(&[feed.json("order", 2, &[order(3, "sent"), order(4, "done")])]).unwrap();
    assert_eq!(warehouse.sql(state), "9|4|done|f|eve", "of two in one commit the higher");
    let customer = |at: &str, segment: &str| json!({"event_id": at, "occurred_at": at, "customer_id": "eve", "segment": segment});
    sink.commit(&[feed.json("customer", 0, &[customer("2026-01-03T00:00:00Z", "new")])]).unwrap();
    sink.commit(&[feed.json("customer", 1, &[customer("2026-01-02T00:00:00Z", "old")])]).unwrap();
    assert_eq!(warehouse.sql("SELECT segment, is_placeholder FROM ods.customers WHERE customer_id = 'eve'"), "new|f");
    assert_eq!(warehouse.sql("SELECT count(*) FROM ods.order_details JOIN ods.orders USING (order_key)"), "1");
    let proof = prove::prove(&warehouse.target("postgres")).unwrap();
    assert!(proof.is_ok(), "{:?}", proof.findings);
}

/// A customer that another worker wrote first has no row of ours; our rows that refer to it still
/// find it.
#[test]
fn a_fact_whose_dimension_another_worker_brings_breaks_no_key() {
    let (warehouse, mut feed) = (Warehouse::new(), Feed::new());
    feed.json("order_line", 0, &[crate::testing::line(5, 0)]);
    let second = feed.batch("order_line", 1, 0, &[crate::testing::line(6, 0).to_string()]);
    assert!(second.whole().rows(Table::DimCustomer).is_none(), "the feed knew the customer");
    warehouse.sink().commit(&[second]).unwrap();
    assert_eq!(warehouse.sql("SELECT customer_id, is_placeholder FROM ods.customers"), "|t");
}

#[test]
fn days_have_partitions_that_retention_drops() {
    let (warehouse, _) = filled();
    let parts = "SELECT partition_name FROM kassa.partitions WHERE table_name = 'fact_sales' ORDER BY 1";
    let held = warehouse.sql(parts);
    assert!(held.contains("fact_sales_p20100101_20110101") && held.contains("fact_sales_p20260105_20260106"), "{held}");
    assert_eq!(held.lines().count(), 9, "today, seven days ahead, and one year: {held}");
    let lines = warehouse.count("dwh.fact_sales");
    let mut client = crate::connect(&warehouse.target("postgres")).unwrap();
    let dropped = crate::drop_before(&mut client, 20_260_106).unwrap();
    assert!(dropped.contains(&("fact_sales_p20100101_20110101".to_owned(), 1)), "{dropped:?}");
    assert_eq!(warehouse.count("dwh.fact_sales"), 3, "of {lines} lines those of the last day stay");
    let proof = prove::prove(&warehouse.target("postgres")).unwrap();
    assert!(proof.is_ok(), "{:?}", proof.findings);
    // A sink with a stale cache of partitions finds that one is missing, and creates it.
    let mut sink = warehouse.sink();
    sink.commit(&[sold(3, 0..2)]).unwrap();
    crate::drop_before(&mut client, 20_260_106).unwrap();
    sink.commit(&[sold(3, 2..4)]).unwrap();
    assert_eq!(warehouse.count("dwh.fact_sales"), 5);
    warehouse.sql("DELETE FROM dwh.fact_sales WHERE source_partition = 3 AND source_offset = 3");
    let proof = prove::prove(&warehouse.target("postgres")).unwrap();
    assert!(
        proof.findings.iter().any(|finding| finding.kind.name() == "missing"),
        "what nobody dropped was not missed: {:?}",
        proof.findings
    );
}

#[test]
fn a_line_has_its_order_for_every_writer() {
    let (warehouse, _) = filled();
    let copied = "product_key, currency, quantity, unit_price, gross_amount, discount_amount, tax_amount, shipping_amount, net_amount, moved_at FROM ods.order_details LIMIT 1";
    let orphan = format!("INSERT INTO ods.order_details SELECT 1, 'x', movement, {copied}");
    for (sql, words) in [
        (orphan.as_str(), "Key (order_key)=(1) is not present"),
        ("UPDATE ods.order_details SET order_key = 1 WHERE line_id = '1r'", "Key (order_key)=(1) is not present"),
        ("DELETE FROM ods.payments; DELETE FROM ods.orders", "cannot be taken away"),
        ("DELETE FROM ods.payments; UPDATE ods.orders SET order_key = order_key + 1", "cannot be taken away"),
        ("TRUNCATE ods.orders CASCADE", "cannot be taken away"),
    ] {
        let error = warehouse.server.sql("shop", sql).expect_err(sql).to_string();
        assert!(error.contains(words), "{sql}: {error}");
    }
    // A transaction that deletes an order waits for transactions that add lines to it.
    let [mut adds, mut takes] = ["postgres"; 2].map(|user| crate::connect(&warehouse.target(user)).unwrap());
    let mut adding = adds.transaction().unwrap();
    adding.batch_execute(&format!("INSERT INTO ods.order_details SELECT order_key, 'x', movement, {copied}")).unwrap();
    takes.batch_execute("SET lock_timeout = '100ms'").unwrap();
    let refused = takes.batch_execute("DELETE FROM ods.orders WHERE order_key = 1").unwrap_err();
    assert_eq!(refused.code().map(|state| state.code()), Some("55P03"));
    adding.rollback().unwrap();
    takes.batch_execute("DELETE FROM ods.orders WHERE order_key = 1").unwrap();
}

#[test]
fn the_proof_names_what_was_tampered_with() {
    let (warehouse, _) = filled();
    let cases = [
        ("DELETE FROM dwh.fact_event WHERE source_offset = 1", "missing", "facts"),
        ("INSERT INTO dwh.fact_event SELECT * FROM dwh.fact_event WHERE source_offset = 2", "double", "fact_event"),
        (
            "UPDATE dwh.fact_sales SET net_amount = net_amount + 0.000001 WHERE source_topic = 'refund'",
            "miscount",
            "agg_sales_daily",
        ),
        ("UPDATE kassa.positions SET next = next + 1 WHERE topic = 'order'", "position", "positions"),
        ("UPDATE kassa.positions SET next = 0 WHERE topic = 'payment'", "extra", "fact_payment"),
        ("UPDATE kassa.spans SET from_offset = 1 WHERE topic = 'event'", "gap", "spans"),
        ("DELETE FROM kassa.dead_letters", "miscount", "dead_letters"),
        ("DELETE FROM ods.order_details WHERE line_id = '1r'", "missing", "order_details"),
        ("UPDATE ods.orders SET revision = 0", "missing", "orders"),
        (
            "ALTER TABLE ods.order_details DISABLE TRIGGER USER; UPDATE ods.order_details SET order_key = 1 WHERE line_id = '1r';
             ALTER TABLE ods.order_details ENABLE TRIGGER USER",
            "missing",
            "orders",
        ),
    ];
    for (sql, kind, table) in cases {
        warehouse.clear();
        warehouse.sink().commit(&everything()).unwrap();
        assert!(prove::prove(&warehouse.target("postgres")).unwrap().is_ok());
        warehouse.sql(sql);
        let findings = prove::prove(&warehouse.target("postgres")).unwrap().findings;
        assert!(
            findings.iter().any(|finding| (finding.kind.name(), finding.table.as_str()) == (kind, table)),
            "{sql}: {findings:?}"
        );
    }
}

#[test]
fn each_role_does_its_work_and_nothing_more() {
    let warehouse = Warehouse::with(&Options::default());
    // A second database, set up by an administrator: roles, then a login that migrates.
    warehouse.server.sql("postgres", "CREATE DATABASE strict").unwrap();
    warehouse.server.sql("strict", crate::ROLES).unwrap();
    warehouse.server.sql("strict", "CREATE ROLE m LOGIN IN ROLE kassa_migrate; CREATE ROLE i LOGIN IN ROLE kassa_ingest; CREATE ROLE r LOGIN IN ROLE kassa_read; CREATE ROLE e LOGIN IN ROLE kassa_erase").unwrap();
    let target = |user: &str| Target::parse(&warehouse.server.url(user, "strict"), None).unwrap();
    assert_eq!(crate::migrate(&target("m")).unwrap().len(), 10, "nine migrations, and the views of the catalogue");
    assert_eq!(
        warehouse
            .server
            .sql("strict", "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('dwh', 'ods', 'kassa')")
            .unwrap(),
        "kassa_migrate"
    );
    WarehouseSink::open(target("i"), Arc::new(Fixed)).unwrap().commit(&everything()).unwrap();
    derived::refresh(&target("i"), &shop()).unwrap();
    figures::figures(&target("r"), &shop()).unwrap();
    let mut eraser = crate::connect(&target("e")).unwrap();
    assert!(!crate::drop_before(&mut eraser, 20_110_101).unwrap().is_empty());
    let may = [
        ("r", "SELECT * FROM dwh.sales_flat"),
        ("r", "SELECT * FROM dwh.net_sales, ods.orders, kassa.positions"),
        ("r", "SELECT * FROM dwh.figures WHERE figure = 'tax_collected'"),
        ("i", "SELECT * FROM dwh.fact_sales"),
        ("e", "DELETE FROM dwh.vault_customer"),
        ("e", "UPDATE kassa.dead_letters SET value = NULL, key = NULL"),
    ];
    let may_not = [
        ("r", "SELECT * FROM dwh.vault_customer"),
        ("r", "SELECT * FROM dwh.rejected"),
        ("r", "SELECT * FROM kassa.dead_letters"),
        ("r", "INSERT INTO dwh.dim_channel SELECT * FROM dwh.dim_channel"),
        ("r", "SELECT kassa.add_partition('fact_sales', 19990101, 19990102)"),
        ("i", "DELETE FROM dwh.fact_sales"),
        ("i", "UPDATE dwh.fact_sales SET net_amount = 0"),
        ("i", "DELETE FROM kassa.positions"),
        ("i", "UPDATE kassa.spans SET read = 0"),
        ("i", "SELECT kassa.drop_partition('fact_sales', 'fact_sales_p20260105_20260106')"),
        ("i", "INSERT INTO kassa.migrations VALUES (99)"),
        ("i", "DROP TABLE dwh.fact_sales"),
        ("i", "CREATE TABLE dwh.mine (n int)"),
        ("e", "SELECT * FROM dwh.fact_sales"),
        ("e", "UPDATE kassa.dead_letters SET reason = ''"),
        ("e", "INSERT INTO dwh.vault_customer SELECT * FROM dwh.vault_customer"),
        ("m", "CREATE ROLE more"),
    ];
    let run = |user: &str, sql: &str| crate::connect(&target(user)).unwrap().batch_execute(sql).map_err(WarehouseError::from);
    for (user, sql) in may {
        run(user, sql).unwrap_or_else(|error| panic!("{user}: {sql}: {error}"));
    }
    for (user, sql) in may_not {
        let refused = run(user, sql);
        assert!(matches!(&refused, Err(WarehouseError::Invalid(words)) if words.contains("42501")), "{user}: {sql}: {refused:?}");
    }
}

#[test]
fn encryption_is_had_as_asked_for_or_not_at_all() {
    let access = ["hostssl all kassa 127.0.0.1/32 cert", "hostnossl all kassa 127.0.0.1/32 reject"].map(str::to_owned).to_vec();
    let safe = Warehouse::with(&Options { tls: true, access, ..Options::default() });
    safe.sql("CREATE ROLE kassa LOGIN");
    let plain = Warehouse::new();
    let held = safe.server.certificates().unwrap();
    let parse = |user: &str, host: &str, port: u16, more: &str| {
        Target::parse(&format!("postgres://{user}@{host}:{port}/shop?{more}"), Some(Secret::new("env:PASSWORD", "unused")))
            .unwrap()
    };
    let authority = format!("sslrootcert={}", held.authority.display());
    let port = safe.server.port();
    let mut client = crate::connect(&parse("postgres", "localhost", port, &authority)).unwrap();
    let is_safe: bool = client.query_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).unwrap().get(0);
    assert!(is_safe);
    let client = format!("{authority}&sslcert={}&sslkey={}", held.client.display(), held.client_key.display());
    crate::connect(&parse("kassa", "localhost", port, &client)).unwrap();
    let refusals = [
        ("by another name", parse("postgres", "127.0.0.1", port, &authority), "certificate"),
        (
            "a stranger's authority",
            parse("postgres", "localhost", port, &format!("sslrootcert={}", held.stranger.display())),
            "certificate",
        ),
        ("a server without TLS", parse("postgres", "localhost", plain.server.port(), &authority), "TLS"),
        ("no client certificate", parse("kassa", "localhost", port, &authority), "28000"),
        ("in the clear", parse("kassa", "localhost", port, "sslmode=disable"), "28000"),
        ("no such file", parse("postgres", "localhost", port, "sslrootcert=/nowhere.pem"), "/nowhere.pem"),
    ];
    for (case, target, word) in refusals {
        let refused = crate::connect(&target).map(drop);
        assert!(matches!(&refused, Err(WarehouseError::Invalid(words)) if words.contains(word)), "{case}: {refused:?}");
    }
}

#[test]
fn a_migration_is_applied_once_and_never_changed() {
    let warehouse = Warehouse::new();
    let target = warehouse.target("postgres");
    assert!(crate::migrate(&target).unwrap().is_empty(), "applied again");
    warehouse.server.sql("postgres", "CREATE DATABASE race").unwrap();
    let race = Target::parse(&warehouse.server.url("postgres", "race"), None).unwrap();
    let applied: Vec<usize> = std::thread::scope(|scope| {
        let threads = [(); 3].map(|()| scope.spawn(|| crate::migrate(&race).unwrap().len()));
        threads.map(|thread| thread.join().unwrap()).into_iter().collect()
    });
    assert_eq!(applied.iter().sum::<usize>(), 10, "{applied:?}");
    warehouse.sql("UPDATE kassa.migrations SET checksum = '1' WHERE version = 3");
    let refused = crate::migrate(&target);
    assert!(
        matches!(&refused, Err(WarehouseError::Invalid(words)) if words.contains("changed after it was applied")),
        "{refused:?}"
    );
}

#[test]
fn text_that_postgresql_cannot_hold_is_shown_as_such() {
    let warehouse = Warehouse::new();
    let mut feed = Feed::new();
    let batch = feed.batch("order_line", 0, 0, &["{\u{0}".to_owned(), "\u{0}".to_owned()]);
    warehouse.sink().commit(&[batch]).unwrap();
    assert_eq!(warehouse.sql("SELECT encode(value, 'hex') FROM kassa.dead_letters ORDER BY 1"), "00\n7b00");
}

#[test]
fn a_replayed_letter_has_its_rows_once_and_is_marked() {
    let warehouse = Warehouse::new();
    let mut sink = warehouse.sink();
    sink.commit(&[sold(0, 0..1), crate::testing::bad(0, 1..3)]).unwrap();
    // The record of offset 1 as it would be if it were valid.
    let good = sold(0, 1..2);
    let letters = [1, 2, 9].map(|offset| (crate::testing::partition("order_line", 0), offset));
    let rows: Vec<(Table, RecordBatch)> = good.tables().iter().map(|(table, rows)| (*table, rows.clone())).collect();
    assert_eq!(sink.replay(&rows, &letters[..1]).unwrap(), 1);
    assert_eq!(sink.replay(&rows, &letters[..1]).unwrap(), 0, "replayed twice");
    assert_eq!(sink.replay(&[], &letters[2..]).unwrap(), 0, "a letter that is not there");
    assert_eq!(warehouse.count("dwh.fact_sales"), 2);
    assert_eq!(warehouse.sql("SELECT \"offset\", replayed_at IS NOT NULL FROM dwh.rejected ORDER BY 1"), "1|t\n2|f");
    let proof = prove::prove(&warehouse.target("postgres")).unwrap();
    assert!(proof.is_ok(), "{:?}", proof.findings);
}

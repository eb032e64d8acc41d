//! Avro through the whole stage: the same rows as from JSON, one fate per record, and schemas that appear and disappear.

use std::collections::HashMap;
use std::sync::Mutex;

use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use kassa_model::contract::{ADDRESS, ENVELOPE, Kind};
use proptest::prelude::*;

use super::*;
use crate::ports::{SchemaText, Schemas, SchemasError};

/// The reasons that are tested here.
pub(super) const REASONS: [Reason; 3] = [Reason::NotAvro, Reason::UnknownSchema, Reason::BadSchema];

/// A registry, and the requests that it received.
#[derive(Debug, Clone, Default)]
pub(super) struct Registry {
    schemas: HashMap<i32, SchemaText>,
    asked: Arc<Mutex<Vec<i32>>>,
    is_down: Arc<Mutex<bool>>,
}

impl Registry {
    fn with(schemas: &[(i32, &str)]) -> Self {
        let schemas = schemas.iter().map(|(id, text)| (*id, SchemaText { text: (*text).into(), references: Vec::new() }));
        Self { schemas: schemas.collect(), ..Self::default() }
    }
}

impl Schemas for Registry {
    fn schema(&mut self, id: i32) -> Result<Option<SchemaText>, SchemasError> {
        if *self.is_down.lock().unwrap() {
            return Err(SchemasError { id, why: "connection refused".into() });
        }
        self.asked.lock().unwrap().push(id);
        Ok(self.schemas.get(&id).cloned())
    }
}

fn stage_of(contract: Contract, registry: &Registry, mapper: Option<Box<dyn Mapper>>) -> Stage {
    stage_in("Europe/London", contract, Format::Avro, mapper).with_schemas(Box::new(registry.clone()))
}

fn frame(id: i32, datum: &[u8]) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), datum].concat()
}

fn encode(schema: &str, value: Avro) -> Vec<u8> {
    let schema = apache_avro::Schema::parse_str(schema).unwrap();
    GenericDatumWriter::builder(&schema).build().unwrap().write_value_to_vec(value).unwrap()
}

fn record(fields: Vec<(&str, Avro)>) -> Avro {
    Avro::Record(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn text(text: &str) -> Avro {
    Avro::String(text.to_owned())
}

fn cents(units: i128) -> Avro {
    Avro::Decimal(apache_avro::Decimal::from(units.to_be_bytes()))
}

fn some(value: Avro) -> Avro {
    Avro::Union(1, Box::new(value))
}

fn none() -> Avro {
    Avro::Union(0, Box::new(Avro::Null))
}

/// An order line as a producer would declare it.
const LINE: &str = r#"{"type":"record","name":"Line","namespace":"shop","fields":[
    {"name":"event_id","type":"string"},
    {"name":"occurred_at","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"order_id","type":"string"},
    {"name":"line_id","type":"int"},
    {"name":"product_id","type":["null","string"]},
    {"name":"movement","type":{"type":"enum","name":"Movement","symbols":["sale","return"]}},
    {"name":"quantity","type":"int"},
    {"name":"unit_price","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2}},
    {"name":"discount","type":["null","double"]},
    {"name":"currency","type":"string"},
    {"name":"is_test","type":"boolean"},
    {"name":"category","type":["null",{"type":"array","items":"string"}]},
    {"name":"shipping_address","type":["null",{"type":"record","name":"Address","fields":[
        {"name":"city","type":"string"},{"name":"country","type":["null","string"]},{"name":"floor","type":["null","int"]}]}]},
    {"name":"labels","type":{"type":"map","values":"string"}}]}"#;

fn line(id: i32, price: i128) -> Vec<(&'static str, Avro)> {
    let address = record(vec![("city", text("Leeds")), ("country", some(text("United Kingdom"))), ("floor", some(Avro::Int(3)))]);
    vec![
        ("event_id", text(&format!("e{id}"))),
        ("occurred_at", Avro::TimestampMicros(1_768_208_400_123_456)),
        ("order_id", text("o1")),
        ("line_id", Avro::Int(id)),
        ("product_id", some(text("p1"))),
        ("movement", Avro::Enum(0, "sale".to_owned())),
        ("quantity", Avro::Int(2)),
        ("unit_price", cents(price)),
        ("discount", some(Avro::Double(0.35))),
        ("currency", text("GBP")),
        ("is_test", Avro::Boolean(false)),
        ("category", some(Avro::Array(vec![text("Home"), text("Garden")]))),
        ("shipping_address", some(address)),
        ("labels", Avro::Map([("colour".to_owned(), text("red"))].into())),
    ]
}

const LINE_JSON: &str = r#"{"event_id":"e1","occurred_at":"2026-01-12T09:00:00.123456Z","order_id":"o1","line_id":1,
    "product_id":"p1","movement":"sale","quantity":2,"unit_price":"12.34","discount":0.35,"currency":"GBP","is_test":false,
    "category":["Home","Garden"],"shipping_address":{"city":"Leeds","country":"United Kingdom","floor":3},"labels":{"colour":"red"}}"#;

fn changed(fields: Vec<(&'static str, Avro)>, name: &str, value: Avro) -> Avro {
    record(fields.into_iter().map(|(held, old)| if held == name { (held, value.clone()) } else { (held, old) }).collect())
}

/// All rows but the dead letters, as text.
fn all_rows(done: &Done) -> Vec<(Table, Vec<Cells>)> {
    done.tables().into_iter().filter(|table| *table != Table::Rejected).map(|table| (table, done.rows(table))).collect()
}

#[test]
fn avro_makes_the_rows_that_json_makes() {
    let registry = Registry::with(&[(7, LINE)]);
    let avro = frame(7, &encode(LINE, record(line(1, 1234))));
    let done = Done::of(&mut stage_of(Contract::OrderLine, &registry, None), 0, &[&avro]);
    assert_eq!(done.fates(), [Fate::Accepted], "{:?}", done.rows(Table::Rejected));
    assert_eq!(all_rows(&done), all_rows(&accepted(Contract::OrderLine, LINE_JSON)));
    let row = &done.rows(Table::FactSales)[0];
    has(row, &[("unit_price", "12.34"), ("gross_amount", "24.68"), ("discount_amount", "0.35"), ("net_amount", "24.33")]);
    assert_eq!(row["extra"], r#"{"shipping_address.floor":3,"labels":{"colour":"red"}}"#);
}

/// A value of a field of this kind: as JSON, and as Avro with its schema.
fn sample(kind: Kind) -> (&'static str, Avro, &'static str) {
    match kind {
        Kind::Id | Kind::Text | Kind::LongText => ("\"ä-1\"", text("ä-1"), r#""string""#),
        Kind::Amount | Kind::Rate => ("3.50", cents(350), r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#),
        Kind::Quantity => ("2.5", Avro::Double(2.5), r#""double""#),
        Kind::Integer => ("4", Avro::Long(4), r#""long""#),
        Kind::Boolean => ("true", Avro::Boolean(true), r#""boolean""#),
        Kind::Timestamp => (
            "\"2026-01-12T09:00:00Z\"",
            Avro::TimestampMillis(1_768_208_400_000),
            r#"{"type":"long","logicalType":"timestamp-millis"}"#,
        ),
        Kind::Day => ("\"2026-01-12\"", Avro::Date(20_465), r#"{"type":"int","logicalType":"date"}"#),
        Kind::Currency => ("\"GBP\"", text("GBP"), r#""string""#),
        Kind::Country => ("\"GB\"", text("GB"), r#""string""#),
        Kind::Category | Kind::Texts => {
            ("[\"a\",\"b\"]", Avro::Array(vec![text("a"), text("b")]), r#"{"type":"array","items":"string"}"#)
        }
        Kind::Address | Kind::Lines => ("null", Avro::Null, r#""null""#),
    }
}

#[test]
fn every_field_of_every_contract_can_come_as_avro() {
    for contract in Contract::ALL {
        let (mut json, mut fields, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for field in ENVELOPE.iter().chain(contract.fields()) {
            let (shown, value, schema) = match (field.name, field.kind) {
                ("movement", _) => ("\"return\"", text("return"), r#""string""#),
                ("kind", _) => ("\"sale\"", text("sale"), r#""string""#),
                ("quote", _) => ("\"EUR\"", text("EUR"), r#""string""#),
                (_, kind) => sample(kind),
            };
            if field.kind == Kind::Address {
                let parts: Vec<(&str, Avro)> = ADDRESS.iter().map(|part| (*part, text("GB"))).collect();
                let shown: Vec<String> = ADDRESS.iter().map(|part| format!("\"{part}\":\"GB\"")).collect();
                let schema: Vec<String> = ADDRESS.iter().map(|part| format!(r#"{{"name":"{part}","type":"string"}}"#)).collect();
                json.push(format!("\"{}\":{{{}}}", field.name, shown.join(",")));
                let name = field.name;
                fields.push(format!(
                    r#"{{"name":"{name}","type":{{"type":"record","name":"A_{name}","fields":[{}]}}}}"#,
                    schema.join(",")
                ));
                values.push((name, record(parts)));
                continue;
            }
            json.push(format!("\"{}\":{shown}", field.name));
            fields.push(format!(r#"{{"name":"{}","type":{schema}}}"#, field.name));
            values.push((field.name, value));
        }
        let schema = format!(r#"{{"type":"record","name":"R","fields":[{}]}}"#, fields.join(","));
        let registry = Registry::with(&[(1, &schema)]);
        let avro = frame(1, &encode(&schema, record(values)));
        let done = Done::of(&mut stage_of(contract, &registry, None), 0, &[&avro]);
        assert_eq!(done.fates(), [Fate::Accepted], "{contract:?} {:?}", done.rows(Table::Rejected));
        assert_eq!(all_rows(&done), all_rows(&accepted(contract, &format!("{{{}}}", json.join(",")))), "{contract:?}");
    }
}

#[test]
fn nested_lines_come_as_records() {
    let line = r#"{"type":"record","name":"L","fields":[{"name":"line_id","type":"long"},{"name":"quantity","type":"int"},
        {"name":"unit_price","type":{"type":"fixed","name":"Price","size":8,"logicalType":"decimal","precision":18,"scale":4}},
        {"name":"sku","type":["null","string"]},{"name":"gift","type":"boolean"}]}"#;
    let schema = format!(
        r#"{{"type":"record","name":"O","fields":[{{"name":"occurred_at","type":"long"}},{{"name":"order_id","type":"long"}},
        {{"name":"currency","type":"string"}},{{"name":"lines","type":{{"type":"array","items":{line}}}}}]}}"#
    );
    let item = |id: i64, price: i64, sku: Avro| {
        let price = Avro::Decimal(apache_avro::Decimal::from(price.to_be_bytes()));
        record(vec![
            ("line_id", Avro::Long(id)),
            ("quantity", Avro::Int(3)),
            ("unit_price", price),
            ("sku", sku),
            ("gift", Avro::Boolean(id == 2)),
        ])
    };
    let order = record(vec![
        ("occurred_at", Avro::Long(1_768_208_400)),
        ("order_id", Avro::Long(77)),
        ("currency", text("GBP")),
        ("lines", Avro::Array(vec![item(1, 12_500, none()), item(2, -1, some(text("s")))])),
    ]);
    let registry = Registry::with(&[(1, &schema)]);
    let done = Done::of(&mut stage_of(Contract::Order, &registry, None), 0, &[&frame(1, &encode(&schema, order))]);
    assert_eq!(done.fates(), [Fate::Accepted], "{:?}", done.rows(Table::Rejected));
    let rows = done.rows(Table::FactSales);
    has(&rows[0], &[("order_id", "77"), ("line_id", "1"), ("gross_amount", "3.75"), ("extra", r#"{"gift":false}"#)]);
    has(&rows[1], &[("line_id", "2"), ("gross_amount", "-0.0003"), ("extra", r#"{"gift":true}"#)]);
}

#[test]
fn an_alias_names_a_slot_that_no_other_field_has() {
    let fields = |more: &str| {
        format!(
            r#"{{"type":"record","name":"C","fields":[{{"name":"occurred_at","type":"long"}},
            {{"name":"kundennummer","aliases":["nr","customer_id"],"type":"int"}}{more}]}}"#
        )
    };
    let (one, both) = (fields(""), fields(r#",{"name":"customer_id","type":"string"}"#));
    let registry = Registry::with(&[(1, &one), (2, &both)]);
    let values = || vec![("occurred_at", Avro::Long(0)), ("kundennummer", Avro::Int(5))];
    let mut more = values();
    more.push(("customer_id", text("c9")));
    let frames = [
        frame(1, &encode(&one, record(values()))),
        frame(2, &encode(&both.replace(r#""aliases":["nr","customer_id"],"#, ""), record(more))),
    ];
    let done = Done::of(&mut stage_of(Contract::Customer, &registry, None), 0, &[&frames[0], &frames[1]]);
    let rows = done.rows(Table::DimCustomer);
    has(&rows[0], &[("customer_id", "5"), ("extra", "∅")]);
    has(&rows[1], &[("customer_id", "c9"), ("extra", r#"{"kundennummer":5}"#)]);
}

/// What is wrong with a record, by the line's schema and others.
fn cases() -> Vec<(Vec<u8>, Reason, &'static str)> {
    let whole = encode(LINE, record(line(1, 1234)));
    let with = |name: &str, value: Avro| frame(7, &encode(LINE, changed(line(1, 1234), name, value)));
    let mut trailing = whole.clone();
    trailing.push(0);
    let mut bad_branch = whole.clone();
    let at = whole.windows(4).position(|window| window == b"\x02\x04p1").unwrap();
    bad_branch[at] = 4;
    let mut bad_text = whole.clone();
    let at = whole.windows(2).position(|window| window == b"o1").unwrap();
    bad_text[at] = 0xFF;
    let mut bad_symbol = whole.clone();
    let at = whole.windows(3).position(|window| window == b"p1\x00").unwrap();
    bad_symbol[at + 2] = 4;
    vec![
        (Vec::new(), Reason::NotAvro, ""),
        (vec![0, 0, 0, 7], Reason::NotAvro, ""),
        (LINE_JSON.as_bytes().to_vec(), Reason::NotAvro, ""),
        (frame(7, &[]), Reason::NotAvro, "event_id"),
        (frame(7, &whole[..whole.len() / 2]), Reason::NotAvro, "category"),
        (frame(7, &whole[..whole.len() - 1]), Reason::NotAvro, "labels"),
        (frame(7, &trailing), Reason::NotAvro, ""),
        (frame(7, &bad_branch), Reason::NotAvro, "product_id"),
        (frame(7, &bad_symbol), Reason::NotAvro, "movement"),
        (frame(7, &bad_text), Reason::NotUtf8, "order_id"),
        (frame(8, &whole), Reason::UnknownSchema, ""),
        (frame(-1, &whole), Reason::UnknownSchema, ""),
        (frame(9, &whole), Reason::BadSchema, ""),
        (frame(10, &[2]), Reason::BadSchema, ""),
        (with("unit_price", cents(10_i128.pow(18))), Reason::NotAvro, "unit_price"),
        (with("unit_price", cents(10_i128.pow(15))), Reason::OutOfRange, "unit_price"),
        (with("discount", some(Avro::Double(f64::NAN))), Reason::NotADecimal, "discount"),
        (with("discount", some(Avro::Double(1e300))), Reason::OutOfRange, "discount"),
        (with("discount", some(Avro::Double(0.1 + 0.2))), Reason::TooPrecise, "discount"),
        (with("currency", text("pounds")), Reason::UnknownCurrency, "currency"),
        (with("occurred_at", Avro::TimestampMicros(i64::MAX)), Reason::BadTimestamp, "occurred_at"),
        (with("quantity", Avro::Int(-1)), Reason::NegativeQuantity, "quantity"),
        (with("order_id", text("")), Reason::MissingField, "order_id"),
        (with("event_id", text(&"x".repeat(LIMIT))), Reason::TooLarge, ""),
    ]
}

fn registry() -> Registry {
    Registry::with(&[(7, LINE), (9, "{\"type\":\"record\"}"), (10, "\"int\"")])
}

#[test]
fn a_bad_record_is_one_letter_and_its_neighbours_are_none() {
    let good = [frame(7, &encode(LINE, record(line(11, 100)))), frame(7, &encode(LINE, record(line(12, 100))))];
    for (value, reason, field) in cases() {
        let mut stage = stage_of(Contract::OrderLine, &registry(), None);
        let done = Done::of(&mut stage, 5, &[&good[0], &value, &good[1]]);
        assert_eq!(done.letters(), [(6, reason.code().to_owned(), field.to_owned())], "{:?}", done.rows(Table::Rejected));
        assert_eq!(done.fates(), [Fate::Accepted, Fate::DeadLetter, Fate::Accepted]);
        let (_, rejected) = done.batch.tables().iter().find(|(table, _)| *table == Table::Rejected).unwrap();
        assert_eq!(rejected.column_by_name("value").unwrap().as_binary::<i32>().value(0), value);
        let id = value.get(1..5).filter(|_| value[0] == 0).map(|id| i32::from_be_bytes(id.try_into().unwrap()));
        let shown = id.map_or("∅".to_owned(), |id| id.to_string());
        has(&done.rows(Table::Rejected)[0], &[("schema_id", &shown)]);
        assert_eq!((done.batch.schema_id(0), done.batch.schema_id(1)), (Some(7), id));
        let told = stage.verdict("t", &value).unwrap().map(|letter| letter.reason);
        let untold = reason == Reason::UnknownSchema;
        assert_eq!(told, Some(reason).filter(|_| !untold), "the collector says so too, of schemas that are known");
    }
}

#[test]
fn no_reason_of_avro_is_without_a_case() {
    for reason in REASONS {
        assert!(cases().iter().any(|(_, shown, _)| *shown == reason), "{reason}");
    }
}

#[test]
fn versions_of_a_schema_come_one_after_the_other() {
    let base = r#"{"name":"occurred_at","type":"long"},{"name":"customer_id","type":"string"}"#;
    let versions = [
        (base.to_owned(), vec![]),
        (format!(r#"{base},{{"name":"segment","type":["null","string"]}}"#), vec![("segment", some(text("vip")))]),
        (format!(r#"{{"name":"tier","type":"int"}},{base}"#), vec![("tier", Avro::Int(4))]),
        (base.replace("string", "long"), vec![]),
    ];
    let schemas: Vec<String> =
        versions.iter().map(|(fields, _)| format!(r#"{{"type":"record","name":"C","fields":[{fields}]}}"#)).collect();
    let registry = Registry::with(&(0..).zip(&schemas).map(|(id, text)| (id, text.as_str())).collect::<Vec<_>>());
    let mut frames = Vec::new();
    for nth in 0..200_usize {
        let at = nth % 4;
        let id = if at == 3 { Avro::Long(i64::try_from(nth).unwrap()) } else { text(&nth.to_string()) };
        let mut fields = versions[at].1.clone();
        fields.extend([("occurred_at", Avro::Long(1_768_208_400)), ("customer_id", id)]);
        // In the order of the schema's fields.
        if at == 1 {
            fields.rotate_left(1);
        }
        frames.push(frame(i32::try_from(at).unwrap(), &encode(&schemas[at], record(fields))));
    }
    let values: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    let mut stage = stage_of(Contract::Customer, &registry, None);
    let done = Done::of(&mut stage, 0, &values);
    assert_eq!(done.letters(), []);
    let rows = done.rows(Table::DimCustomer);
    assert_eq!(rows.len(), 200, "one batch, one table");
    for (nth, row) in rows.iter().enumerate() {
        let (segment, extra) = match nth % 4 {
            1 => ("vip", "∅"),
            2 => ("∅", r#"{"tier":4}"#),
            _ => ("∅", "∅"),
        };
        has(row, &[("customer_id", &nth.to_string()), ("segment", segment), ("extra", extra)]);
    }
    Done::of(&mut stage, 200, &values);
    assert_eq!(*registry.asked.lock().unwrap(), [0, 1, 2, 3], "each schema is asked for once");
}

#[test]
fn a_registry_that_is_down_stops_the_stage_and_makes_no_letter() {
    let registry = registry();
    *registry.is_down.lock().unwrap() = true;
    let mut stage = stage_of(Contract::OrderLine, &registry, None);
    let good = frame(7, &encode(LINE, record(line(1, 100))));
    let given = || records(0, &[&good], Headers::None);
    let error = stage.run(given(), 0).unwrap_err();
    assert_eq!(error.to_string(), "could not ask the schema registry for schema 7: connection refused");
    *registry.is_down.lock().unwrap() = false;
    assert_eq!(stage.run(given(), 0).unwrap().fates(), [Fate::Accepted], "and it goes on");
    *registry.is_down.lock().unwrap() = true;
    assert_eq!(stage.run(given(), 0).unwrap().fates(), [Fate::Accepted], "what is known need not be asked for");
}

#[test]
fn an_unknown_schema_is_asked_for_once_a_run_and_known_when_it_comes() {
    let mut registry = registry();
    let mut stage = stage_of(Contract::OrderLine, &registry, None);
    let value = frame(8, &encode(LINE, record(line(1, 100))));
    let done = Done::of(&mut stage, 0, &[&value, &value, &value]);
    assert_eq!(done.letters().len(), 3);
    assert_eq!(*registry.asked.lock().unwrap(), [8]);
    registry.schemas.insert(8, SchemaText { text: LINE.into(), references: Vec::new() });
    let mut later = stage_of(Contract::OrderLine, &registry, None);
    assert_eq!(Done::of(&mut later, 3, &[&value]).fates(), [Fate::Accepted]);
}

#[test]
fn without_a_registry_nothing_is_judged() {
    let mut stage = stage_in("UTC", Contract::OrderLine, Format::Avro, None);
    let value = frame(7, &[]);
    assert!(stage.run(records(0, &[&value], Headers::None), 0).is_err());
}

#[test]
fn a_tombstone_is_a_letter_without_a_value() {
    for format in [Format::Json, Format::Csv, Format::Avro] {
        let mut stage = stage_in("UTC", Contract::OrderLine, format, None);
        let mut given = records(0, &[b""], Headers::None);
        given.values = BinaryArray::from(vec![None::<&[u8]>]);
        given.keys = Some(BinaryArray::from(vec![Some(b"k".as_slice())]));
        let done = Done { batch: stage.run(given, 0).unwrap() };
        assert_eq!(done.letters(), [(0, "tombstone".to_owned(), String::new())], "{format:?}");
        has(&done.rows(Table::Rejected)[0], &[("value", "∅"), ("key", "k")]);
    }
}

#[test]
fn a_mapping_reads_avro_by_name_and_path() {
    let registry = registry();
    let rename = &[
        ("order_id", "order_id"),
        ("line_id", "line_id"),
        ("occurred_at", "occurred_at"),
        ("quantity", "quantity"),
        ("unit_price", "unit_price"),
        ("currency", "currency"),
        ("shipping_address.city", "shipping_address_city"),
        ("labels.colour", "name"),
        ("category", "category"),
    ];
    let mut stage = stage_of(Contract::OrderLine, &registry, Some(mapped::Renames::of(rename)));
    let good = frame(7, &encode(LINE, record(line(1, 1234))));
    let bad = frame(7, &encode(LINE, changed(line(2, 100), "currency", text("x"))));
    let done = Done::of(&mut stage, 0, &[&good, b"{}", &bad, &good[..9]]);
    let mut letters = done.letters();
    letters.sort();
    let expected = [(1, "not_avro", ""), (2, "unknown_currency", "currency"), (3, "not_avro", "occurred_at")];
    assert_eq!(letters, expected.map(|(at, reason, field)| (at, reason.to_owned(), field.to_owned())));
    let row = &done.rows(Table::FactSales)[0];
    has(row, &[("line_id", "1"), ("gross_amount", "24.68"), ("moved_at", "2026-01-12T09:00:00.123456Z")]);
    assert!(row["extra"].contains(r#""shipping_address.floor":3"#), "{}", row["extra"]);
    has(&done.rows(Table::DimCity)[0], &[("name", "Leeds")]);
    assert_eq!(stage.verdict("t", &good).unwrap(), None);
    assert_eq!(stage.verdict("t", &bad).unwrap().unwrap().reason, Reason::UnknownCurrency);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn whatever_becomes_of_a_frame_it_has_one_fate(
        price in 0..1_000_000_i128,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        more in proptest::collection::vec(any::<u8>(), 0..3),
    ) {
        let whole = frame(7, &encode(LINE, record(line(1, price))));
        let mut value = whole.clone();
        for (at, byte) in changes {
            // The id stays: a schema that no registry has is another test.
            let at = 5 + at.index(value.len() - 5);
            value[at] = byte;
        }
        if let Some(cut) = cut {
            value.truncate(5 + cut.index(value.len() - 5));
        }
        value.extend(more);
        let neighbours = [frame(7, &encode(LINE, record(line(11, 100)))), frame(7, &encode(LINE, record(line(12, 100))))];
        let mut stage = stage_of(Contract::OrderLine, &registry(), None);
        let done = Done::of(&mut stage, 0, &[&neighbours[0], &value, &neighbours[1]]);
        prop_assert!(done.fates()[0] == Fate::Accepted && (done.fates()[2] == Fate::Accepted || done.fates()[1] == Fate::Accepted));
        prop_assert_eq!(done.letters().len(), done.fates().iter().filter(|fate| **fate == Fate::DeadLetter).count());
        for row in done.rows(Table::FactSales) {
            if row["extra"] != "∅" {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&row["extra"]).is_ok(), "{}", row["extra"]);
            }
        }
        if value == whole {
            prop_assert_eq!(done.fates()[1], Fate::Accepted);
        }
    }
}

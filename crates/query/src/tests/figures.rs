//! Every figure of the synthetic shop, by SQL over the facts and by folding rows: two definitions, one number.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BinaryArray};
use kassa_analytics::sql::Lake;
use kassa_analytics::{Basis, By};
use kassa_lake::StarSink;
use kassa_model::decimal::round_half_even;
use kassa_model::{Headers, Partition, Records, time};
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_pipeline::{Format, Sink, Stage, Stream};
use kassa_source::shop::{Faults, Options as Made, STREAMS, Shop as SyntheticShop};

use super::*;

const RECORDS: usize = 8_000;

fn shop() -> Shop {
    Shop::new("Golden", "Europe/London", Currency::parse("GBP").unwrap()).unwrap()
}

/// Ten days around the change of London's clock, in a lake.
fn shop_lake() -> (TempDir, Arc<dyn Store>) {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Folder::new(dir.path()));
    let start = time::parse("2026-03-24T00:00:00Z", &shop().zone).unwrap();
    let made = Made { seed: 11, start, records_per_day: 800, shop: shop(), faults: Faults::default() };
    let mut synthetic = SyntheticShop::new(made).unwrap();
    let mut streams = vec![Vec::new(); STREAMS.len()];
    for _ in 0..RECORDS {
        let mut record = Vec::new();
        let contract = synthetic.next(&mut record).contract;
        streams[STREAMS.iter().position(|(_, of)| *of == contract).unwrap()].push(record);
    }
    let index = Index::new(&IndexOptions { memory_bytes: 16 << 20, dir: None, event_window_us: i64::MAX }).unwrap();
    let stream = |(topic, contract): (&'static str, kassa_model::Contract)| {
        (Arc::<str>::from(topic), Stream::new(topic, contract, Format::Json, None, 1 << 20))
    };
    let mut stage = Stage::new(&shop(), kassa_model::key::Keyring::keyed([7; 16]), index, STREAMS.map(stream));
    let contracts = STREAMS.iter().map(|(topic, contract)| (Arc::from(*topic), *contract)).collect();
    let mut sink = StarSink::open(&store, contracts, Arc::new(SystemClock)).unwrap();
    for ((topic, _), records) in STREAMS.iter().zip(streams).filter(|(_, records)| !records.is_empty()) {
        let next = i64::try_from(records.len()).unwrap();
        let records = Records {
            partition: Partition::new(*topic, 0),
            offsets: (0..next).collect(),
            ingested_at: vec![1_774_000_000_000_000; records.len()],
            timestamps: vec![None; records.len()],
            keys: None,
            headers: Headers::None,
            values: BinaryArray::from_iter_values(records),
            next,
        };
        sink.commit(&[Arc::new(stage.run(records, 0).unwrap())]).unwrap();
    }
    (dir, store)
}

/// A decimal in millionths, rounded half-even.
fn millionths(text: &str) -> i128 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    assert!(fraction.len() <= 15, "{text}");
    sign * round_half_even(format!("{whole}{fraction:0<15}").parse().unwrap(), 1_000_000_000)
}

/// Basis, grouping and key → label and value in millionths. A query over the facts has no label.
type Rows = BTreeMap<[String; 3], (Option<String>, Option<i128>)>;

/// The result of a query with the columns `basis`, `"by"`, `key`, `label` and `value`, all of them text.
async fn asked(store: &Arc<dyn Store>, sql: &str) -> Rows {
    let session = Session::open(store.as_ref(), &shop(), sql).await.unwrap();
    let mut rows = Rows::new();
    for batch in session.run(sql).await.unwrap_or_else(|error| panic!("{error}: {sql}")) {
        let columns: Vec<_> = batch.columns().iter().map(|column| column.as_string::<i32>()).collect();
        let cell = |column: usize, row: usize| columns[column].is_valid(row).then(|| columns[column].value(row).to_owned());
        for row in 0..batch.num_rows() {
            let key = [0, 1, 2].map(|column| cell(column, row).unwrap());
            let value = cell(4, row).map(|value| millionths(&value));
            assert!(rows.insert(key.clone(), (cell(3, row), value)).is_none(), "{key:?} stands twice: {sql}");
        }
    }
    rows
}

fn folded(figures: &Figures, figure: &Figure, basis: Option<Basis>, by: By, with_label: bool) -> Rows {
    let query = Query::parse(figure.name, Some(by.name()), None, None, basis.map(Basis::name)).unwrap();
    let rows = figures.answer(&query).unwrap().rows.into_iter();
    let name = basis.map_or("", Basis::name).to_owned();
    rows.map(|row| {
        let value = row.value.map(|value| millionths(&value));
        ([name.clone(), by.name().to_owned(), row.key], (with_label.then_some(row.label), value))
    })
    .collect()
}

/// A query with its columns as [`asked`] expects them.
fn as_text(sql: &str, basis: &str, by: &str, key: &str, label: &str) -> String {
    format!(
        "SELECT '{basis}' AS basis, '{by}' AS \"by\", CAST({key} AS VARCHAR) AS key, CAST({label} AS VARCHAR) AS label, \
         CAST(value AS VARCHAR) AS value FROM ({sql}) q"
    )
}

#[tokio::test]
async fn every_figures_query_comes_to_what_is_folded() {
    let (_dir, store) = shop_lake();
    let (figures, _) = kassa_lake::figures::figures(store.as_ref(), &shop()).unwrap();
    let mut empty = Vec::new();
    for figure in catalogue() {
        let (basis, by) = (figure.bases.first().copied(), figure.groupings[0]);
        let key = if by == By::Total { "'total'" } else { "key" };
        let sql = as_text(&figure.sql(), basis.map_or("", Basis::name), by.name(), key, "NULL");
        let expected = folded(&figures, figure, basis, by, false);
        if expected.values().all(|(_, value)| value.is_none_or(|value| value == 0)) {
            empty.push(figure.name);
        }
        assert_eq!(asked(&store, &sql).await, expected, "{}: {sql}", figure.name);
    }
    assert!(empty.len() < 3, "nothing was compared for {empty:?}");
}

#[tokio::test]
async fn figures_of_measures_are_the_same_by_every_grouping() {
    let (_dir, store) = shop_lake();
    let (figures, _) = kassa_lake::figures::figures(store.as_ref(), &shop()).unwrap();
    let mut compared = 0;
    for (nth, figure) in catalogue().iter().enumerate() {
        let questions = figure.bases.iter().flat_map(|basis| figure.groupings.iter().map(|by| (*basis, *by)));
        // Each grouping with a third of the figures, because planning is slow in a debug build.
        let some = questions.enumerate().filter(|(place, _)| (nth + place) % 3 == 0).map(|(_, question)| question);
        let (mut queries, mut expected) = (Vec::new(), Rows::new());
        for (basis, by) in some {
            let Some(sql) = figure.rows_in(&Lake::new("Europe/London"), basis, by) else { continue };
            queries.push(as_text(&sql, basis.name(), by.name(), "key", "label"));
            expected.append(&mut folded(&figures, figure, Some(basis), by, true));
        }
        if !queries.is_empty() {
            compared += queries.len();
            assert_eq!(asked(&store, &queries.join(" UNION ALL ")).await, expected, "{}", figure.name);
        }
    }
    assert!(compared > 60, "{compared} groupings were compared");
}

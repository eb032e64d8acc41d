//! Sums by day, added up in memory, so that a commit of any size changes few rows of them.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::ArrowError;
use hashbrown::HashMap;
use kassa_model::Table;
use kassa_model::star::read::{Columns, Decimals};
use kassa_model::star::{fact_event, fact_sales};
use postgres::Transaction;

use crate::WarehouseError;
use crate::plan::Plan;
use crate::statements::Statements;

/// Decimal columns of `agg_sales_daily` with their scales, as in `fact_sales`.
const AMOUNTS: [(&str, i8); 6] = [
    (fact_sales::quantity.name(), 3),
    (fact_sales::gross_amount.name(), 6),
    (fact_sales::discount_amount.name(), 6),
    (fact_sales::tax_amount.name(), 6),
    (fact_sales::shipping_amount.name(), 6),
    (fact_sales::net_amount.name(), 6),
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct SalesKey {
    day: i32,
    movement: String,
    currency: String,
    country: i64,
    channel: i64,
    is_test: bool,
}

#[derive(Debug, Default)]
struct SalesSum {
    lines: i64,
    amounts: [i128; AMOUNTS.len()],
}

pub(crate) fn put(transaction: &mut Transaction<'_>, statements: &mut Statements, plan: &Plan) -> Result<(), WarehouseError> {
    put_sales(transaction, statements, plan)?;
    put_events(transaction, statements, plan)
}

fn put_sales(transaction: &mut Transaction<'_>, statements: &mut Statements, plan: &Plan) -> Result<(), WarehouseError> {
    let mut sums: HashMap<SalesKey, SalesSum> = HashMap::new();
    for rows in plan.rows(Table::FactSales) {
        add_sales(Columns { table: Table::FactSales, rows }, &mut sums)?;
    }
    if sums.is_empty() {
        return Ok(());
    }
    let rows = sales_rows(sums).map_err(WarehouseError::corrupt)?;
    let added: Vec<String> = ["lines"]
        .into_iter()
        .chain(AMOUNTS.map(|(name, _)| name))
        .map(|name| format!("{name} = held.{name} + excluded.{name}"))
        .collect();
    let ending = format!(
        "ON CONFLICT (movement_date_key, movement, currency, ship_country_key, channel_key, is_test) DO UPDATE SET {}",
        added.join(", ")
    );
    statements.insert(transaction, "dwh.agg_sales_daily", &[rows], &ending).map(drop)
}

fn add_sales(columns: Columns<'_>, sums: &mut HashMap<SalesKey, SalesSum>) -> Result<(), WarehouseError> {
    let (days, movements, currencies) =
        (columns.get(fact_sales::movement_date_key)?, columns.get(fact_sales::movement)?, columns.get(fact_sales::currency)?);
    let (countries, channels, tests) =
        (columns.get(fact_sales::ship_country_key)?, columns.get(fact_sales::channel_key)?, columns.get(fact_sales::is_test)?);
    // In the order of `AMOUNTS`.
    let amounts: [Decimals<'_>; AMOUNTS.len()] = [
        columns.get(fact_sales::quantity)?,
        columns.get(fact_sales::gross_amount)?,
        columns.get(fact_sales::discount_amount)?,
        columns.get(fact_sales::tax_amount)?,
        columns.get(fact_sales::shipping_amount)?,
        columns.get(fact_sales::net_amount)?,
    ];
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    // Adjacent rows mostly have the same key, so it is looked up once.
    let mut run: Option<(SalesKey, SalesSum)> = None;
    let mut settle = |run: Option<(SalesKey, SalesSum)>| {
        let Some((key, sum)) = run else { return };
        let held = sums.entry(key).or_default();
        held.lines += sum.lines;
        held.amounts.iter_mut().zip(sum.amounts).for_each(|(held, amount)| *held += amount);
    };
    for row in 0..days.len() {
        let (movement, currency) = (movements.get(row).unwrap_or_default(), currencies.get(row).unwrap_or_default());
        let is_same = run.as_ref().is_some_and(|(key, _)| {
            key.day == days.value(row)
                && key.country == countries.value(row)
                && key.channel == channels.value(row)
                && key.is_test == tests.value(row)
                && key.movement == movement
                && key.currency == currency
        });
        if !is_same {
            settle(run.take());
            let key = SalesKey {
                day: days.value(row),
                movement: text(Some(movement)),
                currency: text(Some(currency)),
                country: countries.value(row),
                channel: channels.value(row),
                is_test: tests.value(row),
            };
            run = Some((key, SalesSum::default()));
        }
        if let Some((_, sum)) = &mut run {
            sum.lines += 1;
            for (held, amount) in sum.amounts.iter_mut().zip(&amounts) {
                *held += i128::from(amount.get(row)?.unwrap_or_default());
            }
        }
    }
    settle(run);
    Ok(())
}

fn sales_rows(sums: HashMap<SalesKey, SalesSum>) -> Result<RecordBatch, ArrowError> {
    // In one order, so that two workers do not wait for each other in a circle.
    let mut sums: Vec<(SalesKey, SalesSum)> = sums.into_iter().collect();
    sums.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let texts = |of: fn(&SalesKey) -> &String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(sums.iter().map(|(key, _)| of(key))))
    };
    let longs =
        |of: fn(&SalesSum) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(sums.iter().map(|(_, sum)| of(sum)))) };
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("movement_date_key", Arc::new(Int32Array::from_iter_values(sums.iter().map(|(key, _)| key.day)))),
        ("movement", texts(|key| &key.movement)),
        ("currency", texts(|key| &key.currency)),
        ("ship_country_key", Arc::new(Int64Array::from_iter_values(sums.iter().map(|(key, _)| key.country)))),
        ("channel_key", Arc::new(Int64Array::from_iter_values(sums.iter().map(|(key, _)| key.channel)))),
        ("is_test", Arc::new(BooleanArray::from_iter(sums.iter().map(|(key, _)| Some(key.is_test))))),
        ("lines", longs(|sum| sum.lines)),
    ];
    for (nth, (name, scale)) in AMOUNTS.into_iter().enumerate() {
        let amounts = Decimal128Array::from_iter_values(sums.iter().map(|(_, sum)| sum.amounts[nth]));
        columns.push((name, Arc::new(amounts.with_precision_and_scale(38, scale)?)));
    }
    RecordBatch::try_from_iter(columns)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct EventKey {
    day: i32,
    kind: String,
    channel: i64,
    is_test: bool,
    is_bot: bool,
}

/// As `EventKey`, borrowed, because most events find an existing key.
#[derive(Hash)]
struct EventRef<'k> {
    day: i32,
    kind: &'k str,
    channel: i64,
    is_test: bool,
    is_bot: bool,
}

impl hashbrown::Equivalent<EventKey> for EventRef<'_> {
    fn equivalent(&self, key: &EventKey) -> bool {
        (self.day, self.channel, self.is_test, self.is_bot) == (key.day, key.channel, key.is_test, key.is_bot)
            && self.kind == key.kind
    }
}

impl From<&EventRef<'_>> for EventKey {
    fn from(key: &EventRef<'_>) -> Self {
        Self { day: key.day, kind: key.kind.to_owned(), channel: key.channel, is_test: key.is_test, is_bot: key.is_bot }
    }
}

fn put_events(transaction: &mut Transaction<'_>, statements: &mut Statements, plan: &Plan) -> Result<(), WarehouseError> {
    let mut counts: HashMap<EventKey, i64> = HashMap::new();
    for rows in plan.rows(Table::FactEvent) {
        let columns = Columns { table: Table::FactEvent, rows };
        let (days, kinds) = (columns.get(fact_event::event_date_key)?, columns.get(fact_event::r#type)?);
        let channels = columns.get(fact_event::channel_key)?;
        let (tests, bots) = (columns.get(fact_event::is_test)?, columns.get(fact_event::is_bot)?);
        for row in 0..days.len() {
            let (kind, channel) = (kinds.get(row).unwrap_or_default(), channels.value(row));
            let key = EventRef { day: days.value(row), kind, channel, is_test: tests.value(row), is_bot: bots.value(row) };
            match counts.get_mut(&key) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(EventKey::from(&key), 1);
                }
            }
        }
    }
    if counts.is_empty() {
        return Ok(());
    }
    let mut counts: Vec<(EventKey, i64)> = counts.into_iter().collect();
    counts.sort_unstable();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("event_date_key", Arc::new(Int32Array::from_iter_values(counts.iter().map(|(key, _)| key.day)))),
        ("type", Arc::new(StringArray::from_iter_values(counts.iter().map(|(key, _)| &key.kind)))),
        ("channel_key", Arc::new(Int64Array::from_iter_values(counts.iter().map(|(key, _)| key.channel)))),
        ("is_test", Arc::new(BooleanArray::from_iter(counts.iter().map(|(key, _)| Some(key.is_test))))),
        ("is_bot", Arc::new(BooleanArray::from_iter(counts.iter().map(|(key, _)| Some(key.is_bot))))),
        ("events", Arc::new(Int64Array::from_iter_values(counts.iter().map(|(_, count)| *count)))),
    ];
    let rows = RecordBatch::try_from_iter(columns).map_err(WarehouseError::corrupt)?;
    let ending =
        "ON CONFLICT (event_date_key, type, channel_key, is_test, is_bot) DO UPDATE SET events = held.events + excluded.events";
    statements.insert(transaction, "dwh.agg_events_daily", &[rows], ending).map(drop)
}

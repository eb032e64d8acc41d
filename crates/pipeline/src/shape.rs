//! Shapes validated events into rows of the star schema.

mod facts;
mod ledger;
mod masters;
mod nested;

use kassa_model::time::{Calendar, DAY};
use kassa_model::{Partition, Shop, Table};

use crate::dimensions::{Collision, Members};
use crate::event::{Body, Event};
use crate::rows::{Row, Rows};

/// What shaping remembers from record to record. Rebuilt from the lake at start; nothing else is kept.
#[derive(Debug)]
pub struct Memory {
    pub members: Members,
    pub calendar: Calendar,
}

impl Memory {
    pub fn new(shop: &Shop) -> Self {
        Self { members: Members::default(), calendar: shop.calendar() }
    }
}

/// The rows of a batch in the making, a builder for each table that has any.
#[derive(Debug, Default)]
pub struct RowSet {
    tables: Vec<Rows>,
    slots: Vec<(Table, usize)>,
}

impl RowSet {
    /// For records that make about one row each of their primary table.
    pub fn sized(primary: Table, rows: usize) -> Self {
        Self { tables: vec![Rows::sized(primary, rows)], slots: vec![(primary, 0)] }
    }

    pub fn of(&mut self, table: Table) -> &mut Rows {
        let held = self.slots.iter().find(|(held, _)| *held == table).map(|(_, slot)| *slot);
        let slot = held.unwrap_or_else(|| {
            self.slots.push((table, self.tables.len()));
            self.tables.push(Rows::new(table));
            self.tables.len() - 1
        });
        &mut self.tables[slot]
    }

    pub fn finish(self) -> Result<Vec<(Table, arrow_array::RecordBatch)>, arrow_schema::ArrowError> {
        let named = self.slots.into_iter().map(|(table, _)| table).zip(self.tables);
        named.filter(|(_, rows)| !rows.is_empty()).map(|(table, rows)| Ok((table, rows.finish()?))).collect()
    }
}

/// Where the rows of one record come from.
#[derive(Debug, Clone, Copy)]
pub struct Lineage<'r> {
    pub partition: &'r Partition,
    pub offset: i64,
    pub event_id: &'r str,
    pub source: Option<&'r str>,
    pub store_id: &'r str,
    pub content_hash: i64,
    pub ingested_at: i64,
    pub occurred_at: i64,
}

impl Lineage<'_> {
    pub(crate) fn finish(&self, row: Row<'_>, index: i32) {
        let _row = row
            .text(self.partition.topic.as_ref())
            .i64(self.partition.number)
            .i64(self.offset)
            .i32(index)
            .text(self.event_id)
            .text(self.source)
            .text(self.store_id)
            .i64(self.content_hash)
            .i64(self.ingested_at);
    }
}

/// Shapes one record.
#[derive(Debug)]
pub struct Shaper<'s> {
    pub memory: &'s mut Memory,
    pub rows: &'s mut RowSet,
    pub lineage: Lineage<'s>,
    /// The `source_index` of the next new member's row. 0 is the record itself, then come its nested lines.
    pub(crate) index: i32,
}

/// The nested lines of a record, as far as it has any.
#[derive(Debug, Default)]
pub struct Lines {
    /// Those that no earlier record brought.
    pub fresh: Vec<NestedLine>,
    /// How many there are in all.
    pub stated: usize,
    /// Whether all of them together contradict the record's header.
    pub differ: bool,
}

impl Lines {
    pub fn new(event: &Event<'_>, lines: Vec<NestedLine>) -> Self {
        let differ = matches!(&event.body, Body::Order(order) if nested::differ(order, &lines));
        let stated = lines.last().map_or(0, |last| usize::try_from(last.nth).unwrap_or(usize::MAX));
        Self { fresh: lines, stated, differ }
    }
}

/// An event more than a day ahead of its own ingest time is kept, flagged, and never moves a watermark.
pub(crate) fn is_future(occurred_at: i64, ingested_at: i64) -> bool {
    occurred_at > ingested_at + DAY
}

impl<'s> Shaper<'s> {
    pub fn new(memory: &'s mut Memory, rows: &'s mut RowSet, lineage: Lineage<'s>, lines: &Lines) -> Self {
        Self { memory, rows, lineage, index: i32::try_from(lines.stated).unwrap_or(i32::MAX - 1) + 1 }
    }

    /// Adds the rows of an event. Nested lines have been checked before (see [`nested_lines`]), so nothing fails half way.
    pub fn shape(&mut self, event: &Event<'_>, lines: &Lines) -> Result<(), Collision> {
        match &event.body {
            Body::Event(behaviour) => self.behaviour(event, behaviour),
            Body::Order(order) => self.order(event, order, lines),
            Body::OrderLine(line) => self.order_line(event, line),
            Body::Payment(payment) => self.payment(event, payment),
            Body::Refund(refund) => self.refund(event, refund, &lines.fresh),
            Body::Customer(customer) => self.customer_version(event, customer),
            Body::Product(product) => self.product_version(event, product),
            Body::Inventory(inventory) => self.inventory(event, inventory),
            Body::FxRate(rate) => self.fx_rate(event, rate),
        }
    }

    pub(crate) fn is_future(&self) -> bool {
        is_future(self.lineage.occurred_at, self.lineage.ingested_at)
    }
}

pub use nested::{NestedLine, nested_lines};

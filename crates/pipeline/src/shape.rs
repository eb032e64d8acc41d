//! Shapes validated events into rows of the star schema.

mod facts;
mod ledger;
mod masters;
mod members;
mod nested;

use kassa_model::key::Keyring;
use kassa_model::star::{RowSet, lineage};
use kassa_model::time::{Calendar, DAY, UNSTATED};
use kassa_model::{Partition, Shop};

use crate::dimensions::{Collision, Members};
use crate::event::{Body, Event};

/// The state of shaping across records. Rebuilt from the lake at start; there is no other state.
#[derive(Debug)]
pub struct Memory {
    pub members: Members,
    pub calendar: Calendar,
    pub keyring: Keyring,
}

impl Memory {
    pub fn new(shop: &Shop, keyring: Keyring) -> Self {
        Self { members: Members::default(), calendar: shop.calendar(), keyring }
    }
}

/// The record that rows come from.
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

/// The lineage of one row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'r> {
    lineage: Lineage<'r>,
    /// The row's `source_index`.
    index: i32,
}

impl Origin<'_> {
    #[inline]
    pub(crate) fn row(&self) -> lineage::Row<'_> {
        let Lineage { partition, offset, event_id, source, store_id, content_hash, ingested_at, .. } = self.lineage;
        lineage::Row {
            source_topic: partition.topic.as_ref(),
            source_partition: partition.number,
            source_offset: offset,
            source_index: self.index,
            event_id,
            source,
            store_id,
            content_hash,
            ingested_at,
        }
    }
}

/// Shapes one record.
#[derive(Debug)]
pub struct Shaper<'s> {
    pub memory: &'s mut Memory,
    pub rows: &'s mut RowSet,
    pub lineage: Lineage<'s>,
    /// The `source_index` of the next new member's row. 0 is the record itself, then its nested lines follow.
    pub(crate) index: i32,
}

/// The nested lines of a record, if it has any.
#[derive(Debug, Default)]
pub struct Lines {
    /// The lines that no earlier record contained.
    pub fresh: Vec<NestedLine>,
    /// The number of all its lines.
    pub stated: usize,
    /// Whether the sum of all lines contradicts the record's header.
    pub differ: bool,
}

impl Lines {
    pub fn new(event: &Event<'_>, lines: Vec<NestedLine>) -> Self {
        let differ = matches!(&event.body, Body::Order(order) if nested::differ(order, &lines));
        let stated = lines.last().map_or(0, |last| usize::try_from(last.nth).unwrap_or(usize::MAX));
        Self { fresh: lines, stated, differ }
    }
}

/// An event more than a day after its own ingest time is kept and flagged, and never moves a watermark.
pub(crate) fn is_future(occurred_at: i64, ingested_at: i64) -> bool {
    occurred_at > ingested_at + DAY && ingested_at != UNSTATED
}

impl<'s> Shaper<'s> {
    pub fn new(memory: &'s mut Memory, rows: &'s mut RowSet, lineage: Lineage<'s>, lines: &Lines) -> Self {
        Self { memory, rows, lineage, index: i32::try_from(lines.stated).unwrap_or(i32::MAX - 1) + 1 }
    }

    /// Adds the rows of an event. Nested lines have been checked before (see [`nested_lines`]). After a collision the rows and the
    /// members that were added must be taken back.
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

    /// The lineage of the row for the record (0) or for its n-th nested line. It does not depend on which members were new, so
    /// that a second reading makes the same row.
    pub(crate) fn origin(&self, nth: u32) -> Origin<'s> {
        Origin { lineage: self.lineage, index: i32::try_from(nth).unwrap_or(i32::MAX) }
    }

    /// The lineage of the row of a new member.
    pub(crate) fn next_origin(&mut self) -> Origin<'s> {
        let origin = Origin { lineage: self.lineage, index: self.index };
        self.index += 1;
        origin
    }

    pub(crate) fn is_future(&self) -> bool {
        is_future(self.lineage.occurred_at, self.lineage.ingested_at)
    }
}

pub use nested::{NestedLine, nested_lines};

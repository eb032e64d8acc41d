//! The stage that turns a run of records into a batch: one record after the other, in one order, decided once.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use kassa_model::key::Id;
use kassa_model::star::RowSet;
use kassa_model::time::{Clock, UNSTATED};
use kassa_model::{Contract, DeadLetter, Fate, Headers, Partition, Positions, Reason, Records, Shop, Table, key};

use crate::batch::Batch;
use crate::decode::Payload;
use crate::decode::avro::{Known, Plans};
use crate::dedupe::{Class, Index, PartitionId, Row, Verdict};
pub use crate::error::StageError;
use crate::event::{self, Body, Event};
use crate::formats::{self, Input, Judge, Values};
use crate::letter::Refusal;
use crate::ports::Schemas;
use crate::shape::{Lineage, Lines, Memory, Shaper, nested_lines};
pub use crate::stream::Stream;

mod verdict;

/// Records that are decoded before the first of them is decided on.
const BLOCK: usize = 32;

/// Members that records alone may gather before they are forgotten.
const MEMBERS_ALONE: usize = 100_000;

/// What became of each record, and the rows of those that were accepted or refused.
type Shaped = (Vec<Fate>, Vec<(Table, RecordBatch)>);

/// What sinks have been through already: what they accepted there is in the index, and what is not was refused.
///
/// A money record that comes again there and that the index does not know was a duplicate, though its winner has not been read yet, or not
/// again: were it accepted now, the sinks that have passed it would have neither.
#[derive(Debug, Default)]
pub struct Decided {
    /// How far the furthest sink is.
    pub positions: Positions,
    /// Records before that which were set aside: a mended mapping may judge them anew.
    pub letters: HashSet<(Partition, i64)>,
}

/// Everything that deciding and shaping remembers, and the streams by topic.
#[derive(Debug)]
pub struct Stage {
    streams: HashMap<Arc<str>, Stream>,
    pub memory: Memory,
    pub index: Index,
    pub decided: Decided,
    plans: Plans,
    /// By which events past their window are evicted from the index; without it, all stay.
    clock: Option<Arc<dyn Clock>>,
}

impl Stage {
    pub fn new(shop: &Shop, index: Index, streams: impl IntoIterator<Item = (Arc<str>, Stream)>) -> Self {
        Self {
            streams: streams.into_iter().collect(),
            memory: Memory::new(shop),
            index,
            decided: Decided::default(),
            plans: Plans::default(),
            clock: None,
        }
    }

    /// Evicts events past their window from now on. Call it when each partition is read forwards from where its sinks are.
    pub fn evict_events(&mut self, clock: Arc<dyn Clock>) {
        self.index.evict_from(clock.now());
        self.clock = Some(clock);
    }

    /// Evicts nothing: records from before may be read.
    pub fn keep_events(&mut self) {
        self.index.evict_nothing();
        self.clock = None;
    }

    /// Says where the schemas of Avro records are looked up.
    #[must_use]
    pub fn with_schemas(self, schemas: Box<dyn Schemas>) -> Self {
        Self { plans: Plans::new(schemas), ..self }
    }

    pub fn stream(&self, topic: &str) -> Option<&Stream> {
        self.streams.get(topic)
    }

    /// Decodes, maps, validates, dedupes and shapes. `from` is the position that the records were read from.
    pub fn run(&mut self, records: Records, from: i64) -> Result<Batch, StageError> {
        let (fates, rows) = self.shape(&records, None)?;
        self.evict(&records)?;
        let is_framed = self.stream(&records.partition.topic).is_some_and(|stream| formats::is_framed(stream.format));
        Ok(Batch::new(Arc::new(records), from, fates, rows).framed(is_framed))
    }

    fn evict(&mut self, read: &Records) -> Result<(), StageError> {
        let is_event = self.stream(&read.partition.topic).is_some_and(|stream| !stream.contract.is_money());
        if let (Some(clock), Some(newest), true) = (&self.clock, read.ingested_at.iter().max(), is_event) {
            let partition = self.index.partition(&read.partition)?;
            let now = clock.now();
            // Records without a time hold nobody back.
            self.index.has_read(partition, if *newest == UNSTATED { now } else { *newest }, now);
        }
        Ok(())
    }

    /// The rows of each record by itself, as if no other had come before: for the proof. Nothing is a duplicate here, and all lines
    /// of an order are new. So are the members that a record names whose entry in `first` is true; of others' members not every
    /// row is told.
    ///
    /// # Panics
    /// If `first` has not as many entries as there are records.
    pub fn alone(&mut self, records: &Records, first: &[bool]) -> Result<Vec<(Table, RecordBatch)>, StageError> {
        assert_eq!(records.len(), first.len(), "each record is first or not");
        if self.memory.members.len() > MEMBERS_ALONE {
            self.memory.members.clear();
        }
        self.shape(records, Some(first)).map(|(_, rows)| rows)
    }

    fn shape(&mut self, records: &Records, alone: Option<&[bool]>) -> Result<Shaped, StageError> {
        let topic = Arc::clone(&records.partition.topic);
        let stream = self.streams.get(&topic).ok_or_else(|| StageError::UnknownTopic(topic.to_string()))?;
        let is_framed = formats::is_framed(stream.format);
        let plans = if is_framed { self.plans.known(&stream.layout, records)? } else { Known::default() };
        let partition = self.index.partition(&records.partition)?;
        let zone = self.memory.calendar.zone().clone();
        let mut run = Run {
            stream,
            zone: &zone,
            partition,
            memory: &mut self.memory,
            index: &mut self.index,
            decided: &self.decided,
            decided_to: self.decided.positions.next(&records.partition),
            records,
            alone,
            rows: RowSet::sized(Table::primary(stream.contract), records.len()),
            letters: Vec::new(),
            fates: vec![Fate::DeadLetter; records.len()],
        };
        let input = Input { stream, zone: &zone, values: Values::Run(records), plans: &plans };
        for range in runs(stream, records) {
            formats::read(input, range, &mut run)?;
        }
        run.write_letters();
        Ok((run.fates, run.rows.finish()?))
    }
}

/// The ranges of records whose headers say the same of how they are to be read: of their file and its CSV header. Others' headers,
/// such as those of a trace, differ from record to record.
fn runs(stream: &Stream, records: &Records) -> Vec<Range<usize>> {
    let whole = 0..records.len();
    let Headers::Each(each) = &records.headers else { return Vec::from([whole]) };
    if !formats::has_headers(stream.format) && stream.mapper.is_none() {
        return Vec::from([whole]);
    }
    let mut start = 0;
    let run = |same: &[Option<Arc<str>>]| {
        let range = start..start + same.len();
        start = range.end;
        range
    };
    each.chunk_by(|one, other| of_a_file(one) == of_a_file(other)).map(run).collect()
}

fn of_a_file(headers: &Option<Arc<str>>) -> Option<&str> {
    headers.as_deref().filter(|headers| headers.contains("[\"file\",") || headers.contains("[\"csv_header\","))
}

/// One run of records on its way through the stage.
struct Run<'s> {
    stream: &'s Stream,
    zone: &'s jiff::tz::TimeZone,
    partition: PartitionId,
    memory: &'s mut Memory,
    index: &'s mut Index,
    decided: &'s Decided,
    decided_to: i64,
    records: &'s Records,
    /// Each record is judged by itself; those named here see all members for the first time.
    alone: Option<&'s [bool]>,
    rows: RowSet,
    /// Of records by their number. A block of mapped records is read as a whole before it is judged, so they come out of order.
    letters: Vec<(usize, DeadLetter)>,
    fates: Vec<Fate>,
}

impl Judge for Run<'_> {
    /// Validates, dedupes and shapes payloads.
    fn take<'p>(
        &mut self,
        count: usize,
        mut fill: impl FnMut(usize, &mut Payload<'p>) -> (usize, Result<(), DeadLetter>),
    ) -> Result<(), StageError> {
        let mut payloads: Vec<Payload<'p>> = (0..count.min(BLOCK)).map(|_| Payload::new(&self.stream.layout)).collect();
        let mut read = Vec::with_capacity(payloads.len());
        for start in (0..count).step_by(BLOCK) {
            let block = start..count.min(start + BLOCK);
            read.clear();
            read.extend(block.zip(&mut payloads).map(|(nth, payload)| fill(nth, payload)));
            self.take_block(&mut read, &payloads)?;
        }
        Ok(())
    }

    fn reject(&mut self, index: usize, letter: &DeadLetter) {
        self.letters.push((index, letter.clone()));
    }

    fn pass(&mut self, index: usize) {
        self.fates[index] = Fate::Duplicate;
    }
}

impl Run<'_> {
    /// A block at a time, so that what the index and the customers will be asked is fetched from memory for all of them at once.
    fn take_block(
        &mut self,
        read: &mut Vec<(usize, Result<(), DeadLetter>)>,
        payloads: &[Payload<'_>],
    ) -> Result<(), StageError> {
        let mut keys = Vec::with_capacity(2 * BLOCK);
        let (mut indexes, mut checked) = (Vec::with_capacity(BLOCK), Vec::with_capacity(BLOCK));
        for ((index, read), payload) in read.drain(..).zip(payloads) {
            indexes.push(index);
            // Events are large, and each time that one is handed on it is copied: from here it goes to its place at once.
            checked.push(match read {
                Ok(()) => keyed(self.stream, payload, self.zone),
                Err(letter) => Err(letter),
            });
            if let Some(Ok(checked)) = checked.last() {
                keys.extend_from_slice(checked.keys.held());
            }
        }
        self.index.warm(&keys, self.class());
        let valid = checked.iter().filter_map(|checked| checked.as_ref().ok());
        self.memory.members.warm(Table::DimCustomer, valid.map(|checked| checked.event.envelope.customer));
        for (index, checked) in indexes.into_iter().zip(&mut checked) {
            match checked {
                Ok(checked) => self.settle(index, checked)?,
                Err(letter) => self.reject(index, letter),
            }
        }
        Ok(())
    }

    /// Dedupes and shapes one record that is valid.
    fn settle(&mut self, index: usize, checked: &mut Checked<'_>) -> Result<(), StageError> {
        let Checked { event, event_id, keys, lines, is_insert } = checked;
        match self.decide(index, event, keys, std::mem::take(lines), *is_insert)? {
            Decision::Accept(lines) => self.accept(index, event, event_id, &lines)?,
            Decision::Duplicate => self.fates[index] = Fate::Duplicate,
            Decision::Conflict(letter) => self.reject(index, &letter),
        }
        Ok(())
    }

    fn decide(
        &mut self,
        index: usize,
        event: &Event<'_>,
        keys: &Keys,
        mut lines: Lines,
        is_insert: bool,
    ) -> Result<Decision, StageError> {
        if self.alone.is_some() {
            return Ok(Decision::Accept(lines));
        }
        let class = self.class();
        let row = self.row(index, 0, event.content_hash);
        if let (true, [event, business]) = (is_insert, keys.held()) {
            // What a snapshot has read already is the same row. But where another insertion brought it, it has been deleted since.
            let first = self.index.probe(*business, class, &row)?;
            if let (Verdict::New, Verdict::Duplicate { partition, offset }) = (self.index.probe(*event, class, &row)?, first) {
                return Ok(Decision::Conflict(self.inserted_again(partition, offset)));
            }
        }
        if self.records.offsets[index] < self.decided_to && self.was_refused(keys, &row)? {
            return Ok(Decision::Duplicate);
        }
        let nested = nested_keys(event, &lines);
        if nested.is_empty() {
            return Ok(match self.index.decide(keys.held(), class, &row)? {
                Verdict::New | Verdict::Winner => Decision::Accept(lines),
                Verdict::Duplicate { .. } => Decision::Duplicate,
                Verdict::Conflict { partition, offset } => Decision::Conflict(self.conflict(String::new(), partition, offset)),
            });
        }
        // A record with nested lines is accepted or refused whole: nothing is remembered before all its keys have been asked.
        for key in keys.held() {
            match self.index.probe(*key, class, &row)? {
                Verdict::New | Verdict::Winner => {}
                Verdict::Duplicate { .. } => return Ok(Decision::Duplicate),
                Verdict::Conflict { partition, offset } => {
                    return Ok(Decision::Conflict(self.conflict(String::new(), partition, offset)));
                }
            }
        }
        let (mut fresh, mut asked) = (Vec::with_capacity(nested.len()), Vec::with_capacity(nested.len()));
        for (line, key) in std::mem::take(&mut lines.fresh).into_iter().zip(nested) {
            let row = self.row(index, line.nth, line.content_hash);
            match self.index.probe(key, class, &row)? {
                Verdict::New | Verdict::Winner => {
                    asked.push((key, row));
                    fresh.push(line);
                }
                Verdict::Duplicate { .. } => {}
                Verdict::Conflict { partition, offset } => {
                    return Ok(Decision::Conflict(self.conflict(line.path(), partition, offset)));
                }
            }
        }
        self.index.decide(keys.held(), class, &row)?;
        for (key, row) in asked {
            self.index.decide(&[key], class, &row)?;
        }
        Ok(Decision::Accept(Lines { fresh, ..lines }))
    }

    /// Whether a record that a sink has passed was a duplicate then. Events are remembered for a while only, so that cannot be told of them.
    fn was_refused(&mut self, keys: &Keys, row: &Row) -> Result<bool, StageError> {
        if !self.stream.contract.is_money() || self.decided.letters.contains(&(self.records.partition.clone(), row.offset)) {
            return Ok(false);
        }
        for key in keys.held() {
            if self.index.probe(*key, Class::Money, row)? != Verdict::New {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn class(&self) -> Class {
        Class::of(self.stream.contract)
    }

    /// The record's own row (0) or that of its n-th line. What a row is known by in the index is its `source_index`, from which the
    /// index is rebuilt.
    fn row(&self, index: usize, nth: u32, content: i64) -> Row {
        Row {
            partition: self.partition,
            offset: self.records.offsets[index],
            index: nth,
            content: u64::from_ne_bytes(content.to_ne_bytes()),
            ingested_at: self.records.ingested_at[index],
        }
    }

    fn conflict(&self, field: String, partition: PartitionId, offset: i64) -> DeadLetter {
        let place = self.place(partition, offset);
        DeadLetter::new(Reason::Conflict, field, format!("the id was accepted with other contents at {place}"))
    }

    fn inserted_again(&self, partition: PartitionId, offset: i64) -> DeadLetter {
        let place = self.place(partition, offset);
        DeadLetter::new(Reason::Conflict, "", format!("the row was inserted before, and accepted at {place}"))
    }

    fn place(&self, partition: PartitionId, offset: i64) -> String {
        let place = self.index.partition_of(partition);
        let place = place.map_or_else(String::new, |place| format!("{}/{} ", place.topic, place.number));
        format!("{place}offset {offset}")
    }

    fn accept(&mut self, index: usize, event: &Event<'_>, event_id: &str, lines: &Lines) -> Result<(), StageError> {
        let lineage = Lineage {
            partition: &self.records.partition,
            offset: self.records.offsets[index],
            event_id,
            source: event.envelope.source,
            store_id: event.envelope.store_id,
            content_hash: event.content_hash,
            ingested_at: self.records.ingested_at[index],
            occurred_at: event.envelope.occurred_at,
        };
        if self.alone.is_some_and(|first| first[index]) {
            self.memory.members.clear();
        }
        Shaper::new(self.memory, &mut self.rows, lineage, lines).shape(event, lines)?;
        self.fates[index] = Fate::Accepted;
        Ok(())
    }

    fn write_letters(&mut self) {
        self.letters.sort_by_key(|(index, _)| *index);
        let (stream, records) = (self.stream, self.records);
        for (index, letter) in std::mem::take(&mut self.letters) {
            let refusal = Refusal { reason: letter.reason.code(), field: letter.field.as_ref(), detail: letter.detail.as_ref() };
            let schema_id = stream.schema_id(records.value(index));
            self.rows.add(&crate::letter::letter(records, index, schema_id, &stream.name, stream.contract, refusal));
        }
    }
}

/// A record that its contract allows, and what it is known by.
struct Checked<'r> {
    event: Event<'r>,
    event_id: Cow<'r, str>,
    keys: Keys,
    lines: Lines,
    is_insert: bool,
}

/// A payload that its contract allows, with the keys that a verdict alone needs not.
fn keyed<'r>(stream: &'r Stream, payload: &'r Payload<'_>, zone: &'r jiff::tz::TimeZone) -> Result<Checked<'r>, DeadLetter> {
    let mut event = event::validate(&stream.layout, payload, zone)?;
    let lines = lines_of(&mut event, zone)?;
    let event_id = event.envelope.event_id.map_or_else(|| Cow::Owned(stand_in(&event)), Cow::Borrowed);
    let keys = Keys::of(stream.contract, &event, &event_id);
    Ok(Checked { event, event_id, keys, lines, is_insert: payload.is_insert })
}

/// Holds a payload and its nested lines against the contract.
fn allowed(stream: &Stream, payload: &Payload<'_>, zone: &jiff::tz::TimeZone) -> Result<(), DeadLetter> {
    let mut event = event::validate(&stream.layout, payload, zone)?;
    lines_of(&mut event, zone).map(|_| ())
}

fn lines_of(event: &mut Event<'_>, zone: &jiff::tz::TimeZone) -> Result<Lines, DeadLetter> {
    let lines = nested_lines(event, zone)?;
    Ok(Lines::new(event, lines))
}

enum Decision {
    Accept(Lines),
    Duplicate,
    Conflict(DeadLetter),
}

/// The keys by which a record is known: its event id (or what stands in for it) and, where money is, its business key.
struct Keys {
    keys: [Id; 2],
    count: usize,
}

impl Keys {
    fn of(contract: Contract, event: &Event<'_>, event_id: &str) -> Self {
        let store = event.envelope.store_id;
        let business = match &event.body {
            Body::Order(order) => Some(order_key(store, order.order_id, order.revision)),
            Body::OrderLine(line) => Some(line_key(store, line.order_id, line.line_id)),
            Body::Payment(payment) => Some(payment_key(store, payment.payment_id, payment.kind)),
            Body::Refund(refund) => Some(refund_key(store, refund.refund_id)),
            _ => None,
        };
        let event = event_key(contract, event.envelope.source, event_id);
        Self { keys: [event, business.unwrap_or_default()], count: if business.is_some() { 2 } else { 1 } }
    }

    fn held(&self) -> &[Id] {
        &self.keys[..self.count]
    }
}

/// The dedupe key of (source, event id), apart for each contract.
pub fn event_key(contract: Contract, source: Option<&str>, event_id: &str) -> Id {
    key::identity("event_id", &[contract.name(), source.unwrap_or_default(), event_id])
}

/// The dedupe key of a revision of an order.
pub fn order_key(store_id: &str, order_id: &str, revision: i64) -> Id {
    key::identity(Contract::Order.name(), &[store_id, order_id, &revision.to_string()])
}

/// The dedupe key of a payment transaction.
pub fn payment_key(store_id: &str, payment_id: &str, kind: &str) -> Id {
    key::identity(Contract::Payment.name(), &[store_id, payment_id, kind])
}

/// The dedupe key of a refund.
pub fn refund_key(store_id: &str, refund_id: &str) -> Id {
    key::identity(Contract::Refund.name(), &[store_id, refund_id])
}

/// The dedupe key of an order line, nested or not.
pub fn line_key(store_id: &str, order_id: &str, line_id: &str) -> Id {
    key::identity(Contract::OrderLine.name(), &[store_id, order_id, line_id])
}

/// A key for each line of an order. A refund's lines are known by their refund alone.
fn nested_keys(event: &Event<'_>, lines: &Lines) -> Vec<Id> {
    match &event.body {
        Body::Order(order) => {
            lines.fresh.iter().map(|line| line_key(event.envelope.store_id, order.order_id, &line.line_id)).collect()
        }
        _ => Vec::new(),
    }
}

/// What names a record without an event id: MODEL §1's business key; for master data, its id and the time of the version. Ids are
/// unique within a store.
fn stand_in(event: &Event<'_>) -> String {
    let at = event.envelope.occurred_at.to_string();
    let at = at.as_str();
    let parts = |kind: &str, parts: &[&str]| {
        let stored = std::iter::once(&event.envelope.store_id).filter(|store| !store.is_empty());
        let escaped = stored.chain(parts).map(|part| part.replace('%', "%25").replace('/', "%2F"));
        std::iter::once(kind.to_owned()).chain(escaped).collect::<Vec<_>>().join("/")
    };
    match &event.body {
        Body::Event(behaviour) => parts("event", &[behaviour.kind, at]),
        Body::Order(order) => parts("order", &[order.order_id, &order.revision.to_string()]),
        Body::OrderLine(line) => parts("order_line", &[line.order_id, line.line_id]),
        Body::Payment(payment) => parts("payment", &[payment.payment_id, payment.kind]),
        Body::Refund(refund) => parts("refund", &[refund.refund_id]),
        Body::Customer(_) => parts("customer", &[event.envelope.customer_id, at]),
        Body::Product(product) => parts("product", &[product.product_id, product.variant_id.unwrap_or_default(), at]),
        Body::Inventory(stock) => {
            parts("inventory", &[stock.product_id, stock.variant_id.unwrap_or_default(), stock.location, at])
        }
        Body::FxRate(rate) => parts("fx_rate", &[rate.base.code(), rate.quote.code(), &rate.day.to_string(), at]),
    }
}

#[cfg(test)]
mod tests;

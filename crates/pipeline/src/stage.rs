//! The stage that turns records into a batch: one record after the other, in one order, each decided once.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use arrow_select::filter::filter_record_batch;
use kassa_model::key::{self, Id, Keyring};
use kassa_model::star::{RowSet, lineage};
use kassa_model::time::{Clock, UNSTATED};
use kassa_model::{Contract, DeadLetter, Fate, Headers, Partition, Positions, Reason, Records, Shop, Table};

use crate::batch::Batch;
use crate::decode::Payload;
use crate::decode::avro::{Known, Plans};
use crate::dedupe::{Class, Index, PartitionId, Row, Verdict, Weighed};
use crate::dimensions::Collision;
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

/// Limit of the member set in `alone`; the set is cleared beyond it.
const MEMBERS_ALONE: usize = 100_000;

/// The fate of each record, and the rows of those that were accepted or refused.
type Shaped = (Vec<Fate>, Vec<(Table, RecordBatch)>);

/// Decisions that at least one sink has committed. Keys that are not in the index were duplicates or dead letters.
///
/// A money record below these positions that the index does not contain was a duplicate of a record that is read later. Accepting
/// it now would lose it in the sinks that are already past it.
#[derive(Debug, Default)]
pub struct Decided {
    /// The position of the furthest sink.
    pub positions: Positions,
    /// Dead letters before that: a corrected mapping may decide on them again.
    pub letters: HashSet<(Partition, i64)>,
}

/// All state of deciding and shaping, and the streams by topic.
#[derive(Debug)]
pub struct Stage {
    streams: HashMap<Arc<str>, Stream>,
    pub memory: Memory,
    pub index: Index,
    pub decided: Decided,
    plans: Plans,
    /// The clock for the eviction of events from the index; without it, none are evicted.
    clock: Option<Arc<dyn Clock>>,
}

impl Stage {
    /// `keyring` is that of the lake whose rows the stage makes; `index` was made with it, too.
    pub fn new(shop: &Shop, keyring: Keyring, index: Index, streams: impl IntoIterator<Item = (Arc<str>, Stream)>) -> Self {
        Self {
            streams: streams.into_iter().collect(),
            memory: Memory::new(shop, keyring),
            index,
            decided: Decided::default(),
            plans: Plans::default(),
            clock: None,
        }
    }

    /// Evicts events outside their window from now on. Call it when each partition is read forwards from its sinks' positions.
    pub fn evict_events(&mut self, clock: Arc<dyn Clock>) {
        self.index.evict_from(clock.now());
        self.clock = Some(clock);
    }

    /// Evicts nothing: older records may be read.
    pub fn keep_events(&mut self) {
        self.index.evict_nothing();
        self.clock = None;
    }

    /// Sets the registry for the schemas of Avro records.
    #[must_use]
    pub fn with_schemas(self, schemas: Box<dyn Schemas>) -> Self {
        Self { plans: Plans::new(schemas), ..self }
    }

    pub fn keyring(&self) -> &Keyring {
        &self.memory.keyring
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
    /// row is told. Two members with one key are both accepted here: see [`Stage::want`].
    ///
    /// # Panics
    /// If the numbers of entries in `first` and of records differ.
    pub fn alone(&mut self, records: &Records, first: &[bool]) -> Result<Vec<(Table, RecordBatch)>, StageError> {
        assert_eq!(records.len(), first.len(), "each record is first or not");
        if self.memory.members.len() > MEMBERS_ALONE {
            self.memory.members.clear();
        }
        self.memory.members.witness();
        self.shape(records, Some(first)).map(|(_, rows)| rows)
    }

    /// Has [`Stage::alone`] look for two members with this key. Nothing but a proof may run in this stage.
    pub fn want(&mut self, collision: Collision) {
        self.memory.members.witness().want(collision);
    }

    /// Whether it has seen two.
    pub fn confirms(&mut self, collision: Collision) -> bool {
        self.memory.members.witness().confirms(collision)
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
            retracted: HashSet::new(),
            fates: vec![Fate::DeadLetter; records.len()],
        };
        let input = Input { stream, zone: &zone, values: Values::Run(records), plans: &plans };
        for range in runs(stream, records) {
            formats::read(input, range, &mut run)?;
        }
        run.write_letters();
        let rows = run.rows.finish()?;
        Ok((run.fates, if run.retracted.is_empty() { rows } else { without(rows, &run.retracted)? }))
    }
}

/// Removes the rows of the records at these offsets, which became dead letters while their rows were made.
#[cold]
fn without(tables: Vec<(Table, RecordBatch)>, retracted: &HashSet<i64>) -> Result<Vec<(Table, RecordBatch)>, ArrowError> {
    let mut kept = Vec::with_capacity(tables.len());
    for (table, rows) in tables {
        let offsets = rows.column_by_name(lineage::source_offset.name()).filter(|_| table.has_lineage());
        let rows = match offsets.and_then(|offsets| offsets.as_primitive_opt::<Int64Type>()) {
            None => rows,
            Some(offsets) => {
                let keep: Vec<bool> = offsets.values().iter().map(|offset| !retracted.contains(offset)).collect();
                filter_record_batch(&rows, &BooleanArray::from(keep))?
            }
        };
        if rows.num_rows() > 0 {
            kept.push((table, rows));
        }
    }
    Ok(kept)
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

/// The state of one run of records in the stage.
struct Run<'s> {
    stream: &'s Stream,
    zone: &'s jiff::tz::TimeZone,
    partition: PartitionId,
    memory: &'s mut Memory,
    index: &'s mut Index,
    decided: &'s Decided,
    decided_to: i64,
    records: &'s Records,
    /// Each record is decided independently; records with `true` see all members for the first time.
    alone: Option<&'s [bool]>,
    rows: RowSet,
    /// By record number, not in order: a block of mapped records is read as a whole before it is decided on.
    letters: Vec<(usize, DeadLetter)>,
    /// The offsets of records that became dead letters after some of their rows had been made.
    retracted: HashSet<i64>,
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
    /// Processes a block at a time, so that index and customer entries can be prefetched together.
    fn take_block(
        &mut self,
        read: &mut Vec<(usize, Result<(), DeadLetter>)>,
        payloads: &[Payload<'_>],
    ) -> Result<(), StageError> {
        let mut keys = Vec::with_capacity(2 * BLOCK);
        let (mut indexes, mut checked) = (Vec::with_capacity(BLOCK), Vec::with_capacity(BLOCK));
        for ((index, read), payload) in read.drain(..).zip(payloads) {
            indexes.push(index);
            // Events are large, and each move copies one: move it to its final location at once.
            checked.push(match read {
                Ok(()) => keyed(self.stream, payload, self.zone, &self.memory.keyring),
                Err(letter) => Err(letter),
            });
            if let Some(Ok(checked)) = checked.last() {
                keys.extend_from_slice(checked.keys.held());
            }
        }
        self.index.warm(&keys, self.class());
        let valid = checked.iter().filter_map(|checked| checked.as_ref().ok());
        self.memory.members.warm(Table::DimCustomer, valid.map(|checked| checked.event.envelope.customer.key));
        for (index, checked) in indexes.into_iter().zip(&mut checked) {
            match checked {
                Ok(checked) => self.settle(index, checked)?,
                Err(letter) => self.reject(index, letter),
            }
        }
        Ok(())
    }

    /// Dedupes and shapes one valid record.
    fn settle(&mut self, index: usize, checked: &mut Checked<'_>) -> Result<(), StageError> {
        let Checked { event, event_id, keys, lines, is_insert } = checked;
        self.memory.members.begin_record();
        let claim = if self.alone.is_some() { None } else { self.claim(index, event) };
        match self.decide(index, event, keys, std::mem::take(lines), *is_insert)? {
            Decision::Accept(lines, fresh) => {
                let accepted = match &claim {
                    Some((claim, row)) => self.unclaimed(claim, row)?,
                    None => Ok(()),
                };
                match accepted.and_then(|()| self.accept(index, event, event_id, &lines)) {
                    Ok(()) => self.keep(keys, fresh, claim)?,
                    Err(collision) => self.retract(index, collision),
                }
            }
            Decision::Duplicate => self.fates[index] = Fate::Duplicate,
            Decision::Conflict(letter) => self.reject(index, &letter),
        }
        Ok(())
    }

    /// The claim of the record's order to its key, in a lake whose keys can be forged.
    fn claim(&self, index: usize, event: &Event<'_>) -> Option<(Claim, Row)> {
        let keyring = &self.memory.keyring;
        let id = order_id(event).filter(|id| !keyring.is_keyed() && !id.is_empty())?;
        let claim = Claim::of_order(keyring, event.envelope.store_id, id);
        Some((claim, claim.row(self.row(index, 0, 0))))
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
            if let Some((claim, _)) = self.claim(index, event) {
                self.memory.members.witness().see(Table::FactOrder, claim.order);
            }
            return Ok(Decision::Accept(lines, None));
        }
        let class = self.class();
        let row = self.row(index, 0, event.content_hash);
        if let (true, [event, business]) = (is_insert, keys.held()) {
            // A row that a snapshot has read already is the same row. If another insertion wrote it, the row was deleted in
            // between.
            let first = self.index.probe(*business, class, &row)?;
            if let (Verdict::New, Verdict::Duplicate { partition, offset }) = (self.index.probe(*event, class, &row)?, first) {
                return Ok(Decision::Conflict(self.inserted_again(partition, offset)));
            }
        }
        if self.records.offsets[index] < self.decided_to && self.was_refused(keys, &row)? {
            return Ok(Decision::Duplicate);
        }
        let nested = nested_keys(&self.memory.keyring, event, &lines);
        if nested.is_empty() {
            let own = self.index.weigh(keys.held(), class, &row)?;
            return Ok(match own.verdict {
                Verdict::New | Verdict::Winner => Decision::Accept(lines, Some(Fresh { own, lines: Vec::new() })),
                Verdict::Duplicate { .. } => Decision::Duplicate,
                Verdict::Conflict { partition, offset } => Decision::Conflict(self.conflict(String::new(), partition, offset)),
            });
        }
        // A record with nested lines is accepted or refused as a whole: nothing is added to the index before all its keys are
        // checked.
        for key in keys.held() {
            match self.index.probe(*key, class, &row)? {
                Verdict::New | Verdict::Winner => {}
                Verdict::Duplicate { .. } => return Ok(Decision::Duplicate),
                Verdict::Conflict { partition, offset } => {
                    return Ok(Decision::Conflict(self.conflict(String::new(), partition, offset)));
                }
            }
        }
        let (mut fresh, mut new) = (Vec::with_capacity(nested.len()), Vec::with_capacity(nested.len()));
        for (line, key) in std::mem::take(&mut lines.fresh).into_iter().zip(nested) {
            let row = self.row(index, line.nth, line.content_hash);
            match self.index.probe(key, class, &row)? {
                Verdict::New | Verdict::Winner => {
                    new.push((key, row));
                    fresh.push(line);
                }
                Verdict::Duplicate { .. } => {}
                Verdict::Conflict { partition, offset } => {
                    return Ok(Decision::Conflict(self.conflict(line.path(), partition, offset)));
                }
            }
        }
        let own = self.index.weigh(keys.held(), class, &row)?;
        Ok(Decision::Accept(Lines { fresh, ..lines }, Some(Fresh { own, lines: new })))
    }

    /// Whether no other order has claimed the key.
    fn unclaimed(&mut self, claim: &Claim, row: &Row) -> Result<Result<(), Collision>, StageError> {
        Ok(match self.index.probe(claim.id, Class::Money, row)? {
            Verdict::Conflict { .. } => Err(Collision { table: Table::FactOrder, key: claim.order.key }),
            _ => Ok(()),
        })
    }

    /// Remembers the keys of a record that was accepted.
    fn keep(&mut self, keys: &Keys, fresh: Option<Fresh>, claim: Option<(Claim, Row)>) -> Result<(), StageError> {
        if let Some((claim, row)) = claim.filter(|_| Claim::is_made_by(self.stream.contract)) {
            self.index.decide(&[claim.id], Class::Money, &row)?;
        }
        let Some(Fresh { own, lines }) = fresh else { return Ok(()) };
        let class = self.class();
        self.index.keep(keys.held(), own)?;
        for (key, row) in lines {
            self.index.decide(&[key], class, &row)?;
        }
        Ok(())
    }

    /// Makes a dead letter of a record that names a member whose key another one has. Nothing of it stays.
    #[cold]
    fn retract(&mut self, index: usize, collision: Collision) {
        self.memory.members.undo_record();
        self.retracted.insert(self.records.offsets[index]);
        self.reject(index, &collision.letter());
    }

    /// Whether a record that a sink has passed was a duplicate then. Always false for events, because the index does not keep
    /// them forever.
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

    /// The record's own row (0) or that of its n-th line. The index identifies a row by its `source_index`, because it is rebuilt
    /// from the rows.
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

    fn accept(&mut self, index: usize, event: &Event<'_>, event_id: &str, lines: &Lines) -> Result<(), Collision> {
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

/// A valid record, and the keys that identify it.
struct Checked<'r> {
    event: Event<'r>,
    event_id: Cow<'r, str>,
    keys: Keys,
    lines: Lines,
    is_insert: bool,
}

/// A payload that its contract allows, with the keys that a verdict alone needs not.
fn keyed<'r>(
    stream: &'r Stream,
    payload: &'r Payload<'_>,
    zone: &'r jiff::tz::TimeZone,
    keyring: &Keyring,
) -> Result<Checked<'r>, DeadLetter> {
    let mut event = event::validate(&stream.layout, payload, zone)?;
    let envelope = &mut event.envelope;
    envelope.customer = keyring.checked("customer", &[envelope.store_id, envelope.customer_id]);
    let lines = lines_of(&mut event, zone)?;
    let event_id = event.envelope.event_id.map_or_else(|| Cow::Owned(stand_in(&event)), Cow::Borrowed);
    let keys = Keys::of(keyring, stream.contract, &event, &event_id);
    Ok(Checked { event, event_id, keys, lines, is_insert: payload.is_insert })
}

/// Validates a payload and its nested lines against the contract.
fn allowed(stream: &Stream, payload: &Payload<'_>, zone: &jiff::tz::TimeZone) -> Result<(), DeadLetter> {
    let mut event = event::validate(&stream.layout, payload, zone)?;
    lines_of(&mut event, zone).map(|_| ())
}

fn lines_of(event: &mut Event<'_>, zone: &jiff::tz::TimeZone) -> Result<Lines, DeadLetter> {
    let lines = nested_lines(event, zone)?;
    Ok(Lines::new(event, lines))
}

/// What the index remembers of a record once its rows are made.
struct Fresh {
    own: Weighed,
    /// Of nested lines.
    lines: Vec<(Id, Row)>,
}

enum Decision {
    /// Without keys to remember where each record is judged by itself.
    Accept(Lines, Option<Fresh>),
    Duplicate,
    Conflict(DeadLetter),
}

/// The keys that identify a record: its event id (or its substitute) and, for money, its business key.
struct Keys {
    keys: [Id; 2],
    count: usize,
}

impl Keys {
    fn of(keyring: &Keyring, contract: Contract, event: &Event<'_>, event_id: &str) -> Self {
        let store = event.envelope.store_id;
        let business = match &event.body {
            Body::Order(order) => Some(order_key(keyring, store, order.order_id, order.revision)),
            Body::OrderLine(line) => Some(line_key(keyring, store, line.order_id, line.line_id)),
            Body::Payment(payment) => Some(payment_key(keyring, store, payment.payment_id, payment.kind)),
            Body::Refund(refund) => Some(refund_key(keyring, store, refund.refund_id)),
            _ => None,
        };
        let event = event_key(keyring, contract, event.envelope.source, event_id);
        Self { keys: [event, business.unwrap_or_default()], count: if business.is_some() { 2 } else { 1 } }
    }

    fn held(&self) -> &[Id] {
        &self.keys[..self.count]
    }
}

/// The order that was the first with its key, as the dedupe index holds it. Only lakes whose keys can be forged have claims.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// Of the order's key.
    pub id: Id,
    pub order: key::Checked,
}

impl Claim {
    pub fn of_order(keyring: &Keyring, store_id: &str, order_id: &str) -> Self {
        let order = keyring.checked("order", &[store_id, order_id]);
        Self { id: keyring.id("key of an order", &[&order.key.stored().to_string()]), order }
    }

    /// Whether the rows of the contract's primary table have the natural key of the order, from which the index is rebuilt.
    pub fn is_made_by(contract: Contract) -> bool {
        matches!(contract, Contract::Order | Contract::OrderLine | Contract::Refund)
    }

    /// The row that claims the key: two orders contradict each other.
    #[must_use]
    pub fn row(&self, row: Row) -> Row {
        Row { index: 0, content: u64::from(self.order.check), ..row }
    }
}

/// The order whose key the record's rows have.
fn order_id<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    match &event.body {
        Body::Event(behaviour) => behaviour.order_id,
        Body::Order(order) => Some(order.order_id),
        Body::OrderLine(line) => Some(line.order_id),
        Body::Payment(payment) => Some(payment.order_id),
        Body::Refund(refund) => Some(refund.order_id),
        _ => None,
    }
}

/// The dedupe key of (source, event id), apart for each contract.
pub fn event_key(keyring: &Keyring, contract: Contract, source: Option<&str>, event_id: &str) -> Id {
    keyring.id("event_id", &[contract.name(), source.unwrap_or_default(), event_id])
}

/// The dedupe key of a revision of an order.
pub fn order_key(keyring: &Keyring, store_id: &str, order_id: &str, revision: i64) -> Id {
    keyring.id(Contract::Order.name(), &[store_id, order_id, &revision.to_string()])
}

/// The dedupe key of a payment transaction.
pub fn payment_key(keyring: &Keyring, store_id: &str, payment_id: &str, kind: &str) -> Id {
    keyring.id(Contract::Payment.name(), &[store_id, payment_id, kind])
}

/// The dedupe key of a refund.
pub fn refund_key(keyring: &Keyring, store_id: &str, refund_id: &str) -> Id {
    keyring.id(Contract::Refund.name(), &[store_id, refund_id])
}

/// The dedupe key of an order line, nested or not.
pub fn line_key(keyring: &Keyring, store_id: &str, order_id: &str, line_id: &str) -> Id {
    keyring.id(Contract::OrderLine.name(), &[store_id, order_id, line_id])
}

/// A key for each line of an order. A refund's lines are known by their refund alone.
fn nested_keys(keyring: &Keyring, event: &Event<'_>, lines: &Lines) -> Vec<Id> {
    match &event.body {
        Body::Order(order) => {
            lines.fresh.iter().map(|line| line_key(keyring, event.envelope.store_id, order.order_id, &line.line_id)).collect()
        }
        _ => Vec::new(),
    }
}

/// Substitute for a missing event id: the business key; for master data, the id and the time of the version. Ids are unique
/// within a store.
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

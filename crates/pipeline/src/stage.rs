//! The stage that turns a run of records into a batch: one record after the other, in one order, decided once.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use kassa_model::star::RowSet;
use kassa_model::{Contract, DeadLetter, Fate, Headers, Partition, Positions, Reason, Records, Shop, Table, key};

use crate::batch::Batch;
use crate::columns::Plan;
use crate::csv::{Dialect, Fields};
use crate::decode::avro::{self, Known, Plans};
use crate::decode::{self, Layout, Leads, Payload};
use crate::dedupe::{Class, Index, IndexError, PartitionId, Row, Verdict};
use crate::dimensions::Collision;
use crate::event::{self, Body, Event};
use crate::extract::{CsvPlan, Extract};
use crate::letter::Refusal;
use crate::ports::{Mapper, MapperError, Schemas, SchemasError};
use crate::shape::{Lineage, Lines, Memory, Shaper, nested_lines};

mod formats;
mod verdict;

/// How a stream's records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    /// By the header that a file's records come with, or by the columns that the stream states. What comes with neither, as from the
    /// collector, is JSON.
    Csv,
    /// In a schema registry's framing.
    Avro,
    /// Debezium's change events, as JSON.
    Debezium,
}

/// A named input with a contract.
#[derive(Debug)]
pub struct Stream {
    pub name: Arc<str>,
    pub contract: Contract,
    pub format: Format,
    pub mapper: Option<Box<dyn Mapper>>,
    /// Bytes of a record beyond which it is a dead letter.
    pub record_bytes_max: usize,
    /// How CSV records without a header are written.
    columns: Option<Dialect>,
    layout: Layout,
}

impl Stream {
    pub fn new(name: &str, contract: Contract, format: Format, mapper: Option<Box<dyn Mapper>>, record_bytes_max: usize) -> Self {
        let layout = Layout::new(contract);
        Self { name: name.into(), contract, format, mapper, record_bytes_max, columns: None, layout }
    }

    /// States how CSV records are written that come without a header.
    #[must_use]
    pub fn with_columns(self, columns: Dialect) -> Self {
        Self { columns: Some(columns), ..self }
    }

    /// The id of the schema that a record of this stream names.
    pub fn schema_id(&self, value: &[u8]) -> Option<i32> {
        if self.format == Format::Avro { avro::schema_id(value) } else { None }
    }

    /// The columns of CSV that are read: what the mapping names, or what the contract does.
    fn csv_inputs(&self, dialect: &Dialect) -> Vec<String> {
        match &self.mapper {
            Some(mapper) => mapper.inputs().to_vec(),
            None => dialect.header.iter().filter(|name| self.layout.slot(name).is_some()).cloned().collect(),
        }
    }

    /// How the records with these headers are split, if they are CSV.
    fn dialect(&self, headers: Option<&Arc<str>>) -> Option<Dialect> {
        if self.format != Format::Csv {
            return None;
        }
        headers.and_then(|headers| Dialect::from_headers(headers)).or_else(|| self.columns.clone())
    }
}

/// We could not do our work, whatever the record.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error("no stream reads the topic `{0}`")]
    UnknownTopic(String),
    #[error(transparent)]
    Collision(#[from] Collision),
    #[error(transparent)]
    Mapper(#[from] MapperError),
    #[error("could not build rows")]
    Rows(#[from] arrow_schema::ArrowError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Schemas(#[from] SchemasError),
}

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
}

impl Stage {
    pub fn new(shop: &Shop, index: Index, streams: impl IntoIterator<Item = (Arc<str>, Stream)>) -> Self {
        Self {
            streams: streams.into_iter().collect(),
            memory: Memory::new(shop),
            index,
            decided: Decided::default(),
            plans: Plans::default(),
        }
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
        let is_framed = self.stream(&records.partition.topic).is_some_and(|stream| stream.format == Format::Avro);
        Ok(Batch::new(Arc::new(records), from, fates, rows).framed(is_framed))
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
        let plans = if stream.format == Format::Avro { self.plans.known(&stream.layout, records)? } else { Known::default() };
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
        for range in runs(stream, records) {
            run.decode(range, &plans)?;
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
    if stream.format != Format::Csv && stream.mapper.is_none() {
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

/// The values of a range of records as one text, if it is one: asked once for all of them.
struct Texts<'r> {
    whole: Option<&'r str>,
    /// Where each value begins, and where the last ends, in the array's own bytes.
    offsets: &'r [i32],
    first: usize,
}

impl<'r> Texts<'r> {
    fn of(records: &'r Records, range: &Range<usize>) -> Self {
        let (offsets, first) = (records.values.value_offsets(), at(records.values.value_offsets(), range.start));
        let bytes = records.values.value_data().get(first..at(offsets, range.end));
        Self { whole: bytes.and_then(|bytes| simdutf8::basic::from_utf8(bytes).ok()), offsets, first }
    }

    fn get(&self, index: usize) -> Option<&'r str> {
        self.whole?.get(at(self.offsets, index) - self.first..at(self.offsets, index + 1) - self.first)
    }
}

fn at(offsets: &[i32], index: usize) -> usize {
    usize::try_from(offsets[index]).unwrap_or(0)
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

impl Run<'_> {
    fn is_whole(&self, index: usize) -> Result<(), DeadLetter> {
        is_whole(self.stream, self.records, index)
    }

    /// Decodes records that are read alike, and takes what can be read.
    fn decode(&mut self, range: Range<usize>, plans: &Known) -> Result<(), StageError> {
        let mapper = self.stream.mapper.as_deref();
        let dialect = self.stream.dialect(self.records.headers.get(range.start));
        match (self.stream.format, mapper) {
            (Format::Avro, None) => self.avro(range, plans),
            (Format::Avro, Some(mapper)) => self.mapped_avro(range, plans, mapper),
            (Format::Debezium, None) => self.changes(range),
            (Format::Debezium, Some(mapper)) => self.mapped_changes(range, mapper),
            (Format::Json | Format::Csv, mapper) => match (dialect, mapper) {
                (Some(dialect), mapper) => self.csv(range, &dialect, mapper),
                (None, Some(mapper)) => self.mapped_json(range, mapper),
                (None, None) => self.json(range),
            },
        }
    }

    /// JSON in the contract's own form: the fast path.
    fn json(&mut self, range: Range<usize>) -> Result<(), StageError> {
        let (stream, records) = (self.stream, self.records);
        let (texts, mut leads) = (Texts::of(records, &range), Leads::default());
        self.take(range.len(), |nth, payload| {
            let index = range.start + nth;
            let read = is_whole(stream, records, index).and_then(|()| match texts.get(index) {
                Some(text) => decode::text(&stream.layout, text, payload, &mut leads),
                None => decode::json(&stream.layout, records.value(index), payload, &mut leads),
            });
            (index, read)
        })
    }

    fn mapped_json(&mut self, range: Range<usize>, mapper: &dyn Mapper) -> Result<(), StageError> {
        let mut extract = Extract::new(mapper.inputs());
        for index in range {
            if let Err(letter) = self.is_whole(index).and_then(|()| extract.json(index, self.records.value(index))) {
                self.reject(index, &letter);
            }
        }
        let (input, rows, extras) = extract.finish(self.records)?;
        self.map(mapper, &input, &rows, &extras)
    }

    fn csv(&mut self, range: Range<usize>, dialect: &Dialect, mapper: Option<&dyn Mapper>) -> Result<(), StageError> {
        let inputs = self.stream.csv_inputs(dialect);
        let plan = CsvPlan::new(dialect, &inputs);
        let (mut extract, mut fields) = (Extract::new(&inputs), Fields::new(dialect.delimiter));
        for index in range {
            let read = self.is_whole(index).and_then(|()| fields.split(self.records.value(index)));
            if let Err(letter) = read.and_then(|()| extract.csv(index, &fields, &plan)) {
                self.reject(index, &letter);
            }
        }
        let (input, rows, extras) = extract.finish(self.records)?;
        match mapper {
            Some(mapper) => self.map(mapper, &input, &rows, &extras),
            None => self.take_columns(&input, &rows, &extras, &[]),
        }
    }

    fn map(&mut self, mapper: &dyn Mapper, input: &RecordBatch, rows: &[usize], extras: &[String]) -> Result<(), StageError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mapped = mapper.map(input)?;
        let failed = formats::failures(mapped.failed, rows.len());
        self.take_columns(&mapped.columns, rows, extras, &failed)
    }

    fn take_columns(
        &mut self,
        columns: &RecordBatch,
        rows: &[usize],
        extras: &[String],
        failed: &[Option<DeadLetter>],
    ) -> Result<(), StageError> {
        let layout = &self.stream.layout;
        let plan = Plan::new(layout, columns);
        self.take(rows.len(), |row, payload| {
            if let Some(Some(letter)) = failed.get(row) {
                return (rows[row], Err(letter.clone()));
            }
            plan.fill(layout, columns, row, &extras[row], payload);
            (rows[row], Ok(()))
        })
    }

    /// Takes so many payloads, which `fill` reads with the indexes of their records: validates, dedupes and shapes them.
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
        if self.class() == Class::Event || self.decided.letters.contains(&(self.records.partition.clone(), row.offset)) {
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
        if self.stream.contract.is_money() { Class::Money } else { Class::Event }
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

    fn reject(&mut self, index: usize, letter: &DeadLetter) {
        self.letters.push((index, letter.clone()));
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
    keys: [u64; 2],
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

    fn held(&self) -> &[u64] {
        &self.keys[..self.count]
    }
}

/// The dedupe key of (source, event id), apart for each contract.
pub fn event_key(contract: Contract, source: Option<&str>, event_id: &str) -> u64 {
    key::hash("event_id", &[contract.name(), source.unwrap_or_default(), event_id])
}

/// The dedupe key of a revision of an order.
pub fn order_key(store_id: &str, order_id: &str, revision: i64) -> u64 {
    key::hash(Contract::Order.name(), &[store_id, order_id, &revision.to_string()])
}

/// The dedupe key of a payment transaction.
pub fn payment_key(store_id: &str, payment_id: &str, kind: &str) -> u64 {
    key::hash(Contract::Payment.name(), &[store_id, payment_id, kind])
}

/// The dedupe key of a refund.
pub fn refund_key(store_id: &str, refund_id: &str) -> u64 {
    key::hash(Contract::Refund.name(), &[store_id, refund_id])
}

/// The dedupe key of an order line, nested or not.
pub fn line_key(store_id: &str, order_id: &str, line_id: &str) -> u64 {
    key::hash(Contract::OrderLine.name(), &[store_id, order_id, line_id])
}

/// A key for each line of an order. A refund's lines are known by their refund alone.
fn nested_keys(event: &Event<'_>, lines: &Lines) -> Vec<u64> {
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

/// Whether there is a value, of a size within the stream's limit.
fn is_whole(stream: &Stream, records: &Records, index: usize) -> Result<(), DeadLetter> {
    if records.is_tombstone(index) {
        return Err(DeadLetter::new(Reason::Tombstone, "", "the record has no value"));
    }
    within_limit(stream, records.value(index))
}

fn within_limit(stream: &Stream, value: &[u8]) -> Result<(), DeadLetter> {
    let (size, limit) = (value.len(), stream.record_bytes_max);
    if size <= limit { Ok(()) } else { Err(DeadLetter::new(Reason::TooLarge, "", format!("{size} bytes, at most {limit}"))) }
}

#[cfg(test)]
mod tests;

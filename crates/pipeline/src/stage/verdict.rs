//! The collector's verdict: what a record would be refused for before it is compared with others.

use arrow_array::RecordBatch;
use kassa_model::{DeadLetter, Reason, Records};

use super::{Format, Stage, StageError, Stream, allowed, within_limit};
use crate::columns::Plan;
use crate::csv::{Dialect, Fields};
use crate::debezium::{Change, Rules};
use crate::decode::{self, Leads, Payload, avro};
use crate::extract::{CsvPlan, Extract};
use crate::ports::Mapper;

/// Something good, or what the record is refused for; outside of it, what kept us from telling.
type Told<T = ()> = Result<Result<T, DeadLetter>, StageError>;

impl Stage {
    /// What a record would be refused for, before it is compared with others: the collector's verdict. `None`: nothing, or, of an
    /// Avro record whose schema no other record has brought yet, that it cannot be told.
    pub fn verdict(&self, topic: &str, value: &[u8]) -> Result<Option<DeadLetter>, StageError> {
        let stream = self.streams.get(topic).ok_or_else(|| StageError::UnknownTopic(topic.to_owned()))?;
        if let Err(letter) = within_limit(stream, value) {
            return Ok(Some(letter));
        }
        let told = match (stream.format, stream.dialect(None)) {
            (Format::Avro, _) => self.avro_verdict(stream, value)?,
            (Format::Debezium, _) => self.change_verdict(stream, value)?,
            (_, Some(dialect)) => self.csv_verdict(stream, &dialect, value)?,
            (_, None) => self.json_verdict(stream, value)?,
        };
        Ok(told.err())
    }

    fn payload_verdict(&self, stream: &Stream, payload: &Payload<'_>) -> Result<(), DeadLetter> {
        allowed(stream, payload, self.memory.calendar.zone())
    }

    fn json_verdict(&self, stream: &Stream, value: &[u8]) -> Told {
        if let Some(mapper) = &stream.mapper {
            let mut extract = Extract::new(mapper.inputs());
            return match extract.json(0, value) {
                Ok(()) => self.mapped_verdict(stream, mapper.as_ref(), extract),
                Err(letter) => Ok(Err(letter)),
            };
        }
        let mut payload = Payload::new(&stream.layout);
        let read = decode::json(&stream.layout, value, &mut payload, &mut Leads::default());
        Ok(read.and_then(|()| self.payload_verdict(stream, &payload)))
    }

    fn csv_verdict(&self, stream: &Stream, dialect: &Dialect, value: &[u8]) -> Told {
        let inputs = stream.csv_inputs(dialect);
        let (mut extract, mut fields) = (Extract::new(&inputs), Fields::new(dialect.delimiter));
        let plan = CsvPlan::new(dialect, &inputs);
        if let Err(letter) = fields.split(value).and_then(|()| extract.csv(0, &fields, &plan)) {
            return Ok(Err(letter));
        }
        match &stream.mapper {
            Some(mapper) => self.mapped_verdict(stream, mapper.as_ref(), extract),
            None => {
                let (input, _, extras) = extract.finish(&Records::single(&stream.name, b""))?;
                Ok(self.columns_verdict(stream, &input, &extras))
            }
        }
    }

    fn avro_verdict(&self, stream: &Stream, value: &[u8]) -> Told {
        let (id, datum) = match avro::frame(value) {
            Ok(framed) => framed,
            Err(letter) => return Ok(Err(letter)),
        };
        let plan = match self.plans.held(stream.contract, id) {
            Some(Ok(plan)) => plan,
            Some(Err(letter)) => return Ok(Err(letter.clone())),
            None => return Ok(Ok(())),
        };
        if stream.mapper.is_some() {
            let mut json = String::new();
            return match plan.json(datum, &mut json) {
                Ok(()) => self.json_verdict(stream, json.as_bytes()),
                Err(letter) => Ok(Err(letter)),
            };
        }
        let mut payload = Payload::new(&stream.layout);
        let read = plan.read(&stream.layout, datum, &mut payload);
        Ok(read.and_then(|()| self.payload_verdict(stream, &payload)))
    }

    fn change_verdict(&self, stream: &Stream, value: &[u8]) -> Told {
        let change = match Change::read(value) {
            Ok(Some(change)) => change,
            Ok(None) => return Ok(Ok(())),
            Err(letter) => return Ok(Err(letter)),
        };
        let rules = Rules { layout: &stream.layout, zone: self.memory.calendar.zone() };
        let (mut row, mut before) = (Payload::new(&stream.layout), Payload::new(&stream.layout));
        let Some(mapper) = &stream.mapper else {
            let read = change.fill(rules, &mut row, &mut before, &mut Leads::default());
            return Ok(read.and_then(|()| self.payload_verdict(stream, &row)));
        };
        let mut extract = Extract::new(mapper.inputs());
        if let Err(letter) = change.extract(0, &mut extract) {
            return Ok(Err(letter));
        }
        let (columns, extras) = match mapped(mapper.as_ref(), extract)? {
            Ok(mapped) => mapped,
            Err(letter) => return Ok(Err(letter)),
        };
        let plan = Plan::new(&stream.layout, &columns);
        for (at, (extra, payload)) in extras.iter().zip([&mut row, &mut before]).enumerate() {
            plan.fill(&stream.layout, &columns, at, extra, payload);
        }
        Ok(change.apply(rules, &mut row, &mut before).and_then(|()| self.payload_verdict(stream, &row)))
    }

    fn mapped_verdict(&self, stream: &Stream, mapper: &dyn Mapper, extract: Extract) -> Told {
        Ok(mapped(mapper, extract)?.and_then(|(columns, extras)| self.columns_verdict(stream, &columns, &extras)))
    }

    fn columns_verdict(&self, stream: &Stream, columns: &RecordBatch, extras: &[String]) -> Result<(), DeadLetter> {
        let mut payload = Payload::new(&stream.layout);
        Plan::new(&stream.layout, columns).fill(&stream.layout, columns, 0, &extras[0], &mut payload);
        self.payload_verdict(stream, &payload)
    }
}

/// What a mapping makes of the rows of one record.
fn mapped(mapper: &dyn Mapper, extract: Extract) -> Told<(RecordBatch, Vec<String>)> {
    let (input, _, extras) = extract.finish(&Records::single("", b""))?;
    let mapped = mapper.map(&input)?;
    if let Some((_, field, detail)) = mapped.failed.into_iter().next() {
        return Ok(Err(DeadLetter::new(Reason::MappingFailed, field, detail)));
    }
    Ok(Ok((mapped.columns, extras)))
}

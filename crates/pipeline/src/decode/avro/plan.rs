//! A writer's schema, compiled for a contract: the slot of each field, in the order of the datum.

use std::borrow::Cow;

use kassa_model::contract::{ADDRESS, Kind};
use kassa_model::{DeadLetter, Reason, decimal};

use super::fault::Fault;
use super::json::{Datum, push_text};
use super::number::{Digits, shortest};
use super::schema::{BadSchema, Field, Id, Node, Schema};
use crate::decode::{Layout, Payload, Value};

/// How a datum's fields go into a payload.
#[derive(Debug)]
pub struct Plan {
    schema: Schema,
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    name: String,
    node: Id,
    to: Target,
}

#[derive(Debug, Clone, Copy)]
enum Target {
    /// A text, the most common field; with the index of the null branch if it is a union with null.
    Text(usize, Option<usize>),
    Slot(usize, Kind),
    /// Five slots, beginning with this one.
    Address(usize),
    /// Kept as JSON.
    Extra,
}

impl Plan {
    /// A field goes to the slot with its name, or else to the slot with one of its aliases.
    pub fn new(schema: Schema, layout: &Layout) -> Result<Self, BadSchema> {
        let Node::Record(fields) = schema.node(schema.root) else { return Err(BadSchema::NotARecord) };
        let own: Vec<Target> = fields.iter().map(|field| target(layout, &field.name)).collect();
        let mut taken = vec![false; layout.names.len()];
        own.iter().filter_map(|target| target.slot()).for_each(|slot| taken[slot] = true);
        let mut steps = Vec::with_capacity(fields.len());
        for (field, own) in fields.iter().zip(own) {
            let mut to = own;
            if own.slot().is_none() {
                let free = |target: &Target| target.slot().is_some_and(|slot| !taken[slot]);
                to = field.aliases.iter().map(|alias| target(layout, alias)).find(free).unwrap_or(Target::Extra);
                to.slot().into_iter().for_each(|slot| taken[slot] = true);
            }
            if let Target::Slot(slot, _) = to {
                to = text_in(&schema, field.node).map_or(to, |null| Target::Text(slot, null));
            }
            steps.push(Step { name: field.name.clone(), node: field.node, to });
        }
        Ok(Self { schema, steps })
    }

    /// Reads a datum into the contract's slots.
    pub fn read<'a>(&'a self, layout: &Layout, datum: &'a [u8], payload: &mut Payload<'a>) -> Result<(), DeadLetter> {
        payload.clear();
        self.fill(layout, datum, payload).map_err(Fault::letter)
    }

    fn fill<'a>(&'a self, layout: &Layout, bytes: &'a [u8], payload: &mut Payload<'a>) -> Result<(), Fault> {
        let mut datum = Datum::new(&self.schema, bytes);
        for step in &self.steps {
            let put = match step.to {
                Target::Text(slot, null) => datum.text(slot, null, payload),
                Target::Slot(slot, kind) => datum.value(step.node, kind).and_then(|value| put(payload, slot, value)),
                Target::Address(first) => datum.address(step, first, layout, payload),
                Target::Extra => datum.extra(step.node, &step.name, payload),
            };
            put.map_err(|fault| fault.in_field(&step.name))?;
        }
        datum.end()
    }

    /// Writes a datum as a JSON object: the input of a mapping.
    pub fn json(&self, datum: &[u8], out: &mut String) -> Result<(), DeadLetter> {
        let mut datum = Datum::new(&self.schema, datum);
        datum.json(self.schema.root, 0, out).and_then(|()| datum.end()).map_err(Fault::letter)
    }
}

fn target(layout: &Layout, name: &str) -> Target {
    match (layout.slot(name), layout.address(name)) {
        (Some(slot), _) => Target::Slot(slot, layout.kinds[slot]),
        (None, Some(first)) => Target::Address(first),
        (None, None) => Target::Extra,
    }
}

/// Whether a field is a text; for a union with null, also the index of the null branch.
fn text_in(schema: &Schema, id: Id) -> Option<Option<usize>> {
    match schema.node(id) {
        Node::Text => Some(None),
        Node::Union(branches) => match branches.as_slice() {
            [one, other] => match (schema.node(*one), schema.node(*other)) {
                (Node::Null, Node::Text) => Some(Some(0)),
                (Node::Text, Node::Null) => Some(Some(1)),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

impl Target {
    fn slot(self) -> Option<usize> {
        match self {
            Target::Slot(slot, _) | Target::Text(slot, _) => Some(slot),
            Target::Address(first) => Some(first),
            Target::Extra => None,
        }
    }
}

#[inline(always)]
fn put<'a>(payload: &mut Payload<'a>, slot: usize, value: Value<'a>) -> Result<(), Fault> {
    if payload.set(slot, value) { Ok(()) } else { Err(Fault::new(Reason::DuplicateField, "the field appears twice")) }
}

fn is_textual(kind: Kind) -> bool {
    matches!(kind, Kind::Id | Kind::Text | Kind::LongText | Kind::Day | Kind::Currency | Kind::Country)
}

impl<'a> Datum<'a> {
    #[inline(always)]
    fn text(&mut self, slot: usize, null: Option<usize>, payload: &mut Payload<'a>) -> Result<(), Fault> {
        if let Some(null) = null
            && self.cursor.index("a union's branch", 2)? == null
        {
            return put(payload, slot, Value::Absent);
        }
        put(payload, slot, Value::Text(Cow::Borrowed(self.cursor.text()?)))
    }

    /// The next value, as the contract's field reads it.
    fn value(&mut self, id: Id, kind: Kind) -> Result<Value<'a>, Fault> {
        let id = self.resolve(id)?;
        self.value_of(id, kind)
    }

    /// As `value`, for a type that is no union.
    fn value_of(&mut self, id: Id, kind: Kind) -> Result<Value<'a>, Fault> {
        let schema = self.schema;
        Ok(match schema.node(id) {
            Node::Null => Value::Absent,
            Node::Boolean => Value::Bool(self.cursor.boolean()?),
            Node::Int => whole(i64::from(self.cursor.int()?), kind),
            Node::Long => whole(self.cursor.long()?, kind),
            Node::Float => {
                let float = self.cursor.float()?;
                fraction(&float, kind)
            }
            Node::Double => {
                let double = self.cursor.double()?;
                fraction(&double, kind)
            }
            Node::Text => Value::Text(Cow::Borrowed(self.cursor.text()?)),
            Node::Enum(symbols) => Value::Text(Cow::Borrowed(&symbols[self.cursor.index("an enum's symbol", symbols.len())?])),
            Node::Bytes => Value::Text(Cow::Borrowed(self.bytes_as_text(None)?)),
            Node::Fixed(size) => Value::Text(Cow::Borrowed(self.bytes_as_text(Some(*size))?)),
            node @ Node::Decimal { scale, .. } => match self.decimal(node)? {
                units if is_textual(kind) => Value::Text(Cow::Owned(decimal::format_units(units, *scale, 0))),
                units => Value::Decimal(units, *scale),
            },
            Node::Timestamp(unit) if kind == Kind::Timestamp => Value::Micros(self.micros(*unit)?),
            Node::Record(_) | Node::Array(_) | Node::Map(_) => {
                let mut json = String::new();
                self.json_of(id, 1, &mut json)?;
                self.json_max = self.json_max.saturating_sub(json.len());
                Value::Nested(Cow::Owned(json))
            }
            node => Value::Text(Cow::Owned(self.text_of(node)?)),
        })
    }

    /// A record or map with an address: fills its five slots.
    fn address(&mut self, step: &Step, first: usize, layout: &Layout, payload: &mut Payload<'a>) -> Result<(), Fault> {
        let id = self.resolve(step.node)?;
        let schema = self.schema;
        match schema.node(id) {
            Node::Null => Ok(()),
            Node::Record(fields) => fields.iter().try_for_each(|Field { name, node, .. }| {
                self.part(step, first, layout, name, *node, payload).map_err(|fault| fault.in_field(name))
            }),
            Node::Map(value) => self.items(|datum, _| {
                let name = datum.cursor.text()?;
                datum.part(step, first, layout, name, *value, payload).map_err(|fault| fault.in_field(name))
            }),
            _ => Err(Fault::new(Reason::WrongType, "expected a record with street, postcode, city, region, country")),
        }
    }

    fn part(
        &mut self,
        step: &Step,
        first: usize,
        layout: &Layout,
        name: &str,
        node: Id,
        payload: &mut Payload<'a>,
    ) -> Result<(), Fault> {
        match ADDRESS.iter().position(|known| *known == name) {
            Some(at) => {
                let value = self.value(node, layout.kinds[first + at])?;
                put(payload, first + at, value)
            }
            None => self.extra(node, &format!("{}.{name}", step.name), payload),
        }
    }

    /// Keeps a field that the contract does not have, unless it is null.
    fn extra(&mut self, id: Id, name: &str, payload: &mut Payload<'a>) -> Result<(), Fault> {
        let id = self.resolve(id)?;
        if *self.schema.node(id) == Node::Null {
            return Ok(());
        }
        let extra = &mut payload.extra;
        let before = if extra.pop().is_some() { ',' } else { '{' };
        extra.push(before);
        push_text(extra, name);
        extra.push(':');
        self.json_of(id, 1, extra)?;
        extra.push('}');
        Ok(())
    }
}

fn whole<'a>(value: i64, kind: Kind) -> Value<'a> {
    if is_textual(kind) { Value::Text(Cow::Owned(value.to_string())) } else { Value::Integer(value) }
}

/// A float as its shortest digits: nearly always the decimal that was meant.
fn fraction<'a>(float: &(impl std::fmt::LowerExp + std::fmt::Display), kind: Kind) -> Value<'a> {
    let digits = Digits::of(format_args!("{float:e}"));
    match shortest(digits.as_str()) {
        Some((units, scale)) if !is_textual(kind) && (scale > 0 || kind != Kind::Timestamp) => Value::Decimal(units, scale),
        Some((units, scale)) => Value::Text(Cow::Owned(decimal::format_units(units, scale, 0))),
        None => Value::Text(Cow::Owned(digits.as_str().to_owned())),
    }
}

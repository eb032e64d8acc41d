//! Writes a datum as JSON: nested values, fields that no contract has, and the input of mappings.

use std::fmt::Write as _;

use kassa_model::{Reason, decimal};

use super::cursor::{Cursor, not_utf8};
use super::fault::Fault;
use super::number::{clock_text, day_text, duration_text, moment_text, units, uuid_text, wall_text};
use super::schema::{Field, Id, Node, Schema, Unit};

/// The maximum depth of records, arrays and maps. Later parsers read the resulting JSON no deeper.
const DEPTH_MAX: usize = 127;

/// The maximum number of values without bytes in a datum: nulls in an array, records without fields. Other values cost the sender
/// bytes.
const EMPTY_MAX: u64 = 10_000;

/// Reads one datum.
pub(super) struct Datum<'a> {
    pub(super) schema: &'a Schema,
    pub(super) cursor: Cursor<'a>,
    empty_left: u64,
    /// Limit of the JSON written: names and symbols are longer than their encoding, so a small datum can become large.
    pub(super) json_max: usize,
}

impl<'a> Datum<'a> {
    pub(super) fn new(schema: &'a Schema, bytes: &'a [u8]) -> Self {
        let json_max = bytes.len().saturating_mul(4).saturating_add(64 << 10);
        Self { schema, cursor: Cursor::new(bytes), empty_left: EMPTY_MAX, json_max }
    }

    /// Nothing may come after the datum.
    pub(super) fn end(&self) -> Result<(), Fault> {
        match self.cursor.left() {
            0 => Ok(()),
            left => Err(Fault::new(Reason::NotAvro, format!("{left} bytes after the end of the datum"))),
        }
    }

    /// Resolves unions to the type of the datum.
    #[inline]
    pub(super) fn resolve(&mut self, id: Id) -> Result<Id, Fault> {
        match self.schema.node(id) {
            Node::Union(branches) => Ok(branches[self.cursor.index("a union's branch", branches.len())?]),
            _ => Ok(id),
        }
    }

    /// Calls `each` for every item of an array or map, with its number.
    pub(super) fn items(&mut self, mut each: impl FnMut(&mut Self, u64) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut nth = 0;
        loop {
            let (count, size) = self.cursor.block()?;
            if count == 0 {
                return Ok(());
            }
            let left = self.cursor.left();
            if count > u64::try_from(left).unwrap_or(u64::MAX).saturating_add(self.empty_left) {
                return Err(Fault::new(Reason::NotAvro, format!("a block of {count} items, where {left} bytes are left")));
            }
            for _ in 0..count {
                each(self, nth).map_err(|fault| fault.in_item(nth))?;
                nth += 1;
            }
            if let Some(size) = size
                && left - self.cursor.left() != size
            {
                let read = left - self.cursor.left();
                return Err(Fault::new(Reason::NotAvro, format!("a block of {size} bytes has {read}")));
            }
        }
    }

    /// Writes the next value. `depth` is the number of values around it.
    pub(super) fn json(&mut self, id: Id, depth: usize, out: &mut String) -> Result<(), Fault> {
        let id = self.resolve(id)?;
        self.json_of(id, depth, out)
    }

    /// As `json`, for a type that is no union.
    pub(super) fn json_of(&mut self, id: Id, depth: usize, out: &mut String) -> Result<(), Fault> {
        let before = self.cursor.left();
        let schema = self.schema;
        match schema.node(id) {
            Node::Record(_) | Node::Array(_) | Node::Map(_) if depth >= DEPTH_MAX => {
                return Err(Fault::new(Reason::TooDeep, "nested deeper than 128 levels"));
            }
            Node::Record(fields) => self.record(fields, depth, out)?,
            Node::Array(item) => {
                out.push('[');
                self.items(|datum, nth| {
                    out.push_str(if nth == 0 { "" } else { "," });
                    datum.json(*item, depth + 1, out)
                })?;
                out.push(']');
            }
            Node::Map(value) => {
                out.push('{');
                self.items(|datum, nth| {
                    out.push_str(if nth == 0 { "" } else { "," });
                    let key = datum.cursor.text()?;
                    push_text(out, key);
                    out.push(':');
                    datum.json(*value, depth + 1, out).map_err(|fault| fault.in_field(key))
                })?;
                out.push('}');
            }
            leaf => self.leaf(leaf, out)?,
        }
        if self.cursor.left() == before {
            self.empty_left = self
                .empty_left
                .checked_sub(1)
                .ok_or_else(|| Fault::new(Reason::TooLarge, format!("more than {EMPTY_MAX} values that take no bytes")))?;
        }
        if out.len() > self.json_max {
            return Err(Fault::new(Reason::TooLarge, format!("more than {} bytes as JSON", self.json_max)));
        }
        Ok(())
    }

    /// A null field is absent, because every Avro record has every field.
    fn record(&mut self, fields: &[Field], depth: usize, out: &mut String) -> Result<(), Fault> {
        out.push('{');
        let mut is_first = true;
        for field in fields {
            let mut put = || {
                let id = self.resolve(field.node)?;
                if *self.schema.node(id) == Node::Null {
                    return Ok(());
                }
                out.push_str(if is_first { "\"" } else { ",\"" });
                is_first = false;
                out.push_str(&field.name);
                out.push_str("\":");
                self.json_of(id, depth + 1, out)
            };
            put().map_err(|fault: Fault| fault.in_field(&field.name))?;
        }
        out.push('}');
        Ok(())
    }

    fn leaf(&mut self, node: &Node, out: &mut String) -> Result<(), Fault> {
        match node {
            Node::Boolean => out.push_str(if self.cursor.boolean()? { "true" } else { "false" }),
            Node::Int => push_number(out, self.cursor.int()?),
            Node::Long => push_number(out, self.cursor.long()?),
            Node::Float => {
                let float = self.cursor.float()?;
                push_float(out, float, float.is_finite(), float == 0.0 || (1e-5..1e15).contains(&float.abs()));
            }
            Node::Double => {
                let double = self.cursor.double()?;
                push_float(out, double, double.is_finite(), double == 0.0 || (1e-5..1e15).contains(&double.abs()));
            }
            Node::Bytes => push_base64(out, self.cursor.bytes()?),
            Node::Fixed(size) => push_base64(out, self.cursor.take(*size)?),
            Node::Text => push_text(out, self.cursor.text()?),
            Node::Enum(symbols) => push_text(out, &symbols[self.cursor.index("an enum's symbol", symbols.len())?]),
            Node::Decimal { scale, .. } => out.push_str(&decimal::format_units(self.decimal(node)?, *scale, 0)),
            Node::Date | Node::TimeOfDay(_) | Node::Timestamp(_) | Node::LocalTimestamp(_) | Node::Uuid | Node::Duration => {
                push_text(out, &self.text_of(node)?);
            }
            Node::Null | Node::Record(_) | Node::Array(_) | Node::Map(_) | Node::Union(_) => out.push_str("null"),
        }
        Ok(())
    }

    /// The units of a decimal.
    pub(super) fn decimal(&mut self, node: &Node) -> Result<i128, Fault> {
        let Node::Decimal { precision, size, .. } = node else { return Ok(0) };
        let bytes = match size {
            Some(size) => self.cursor.take(*size)?,
            None => self.cursor.bytes()?,
        };
        units(bytes, *precision)
    }

    /// µs; further digits of nanoseconds are cut.
    pub(super) fn micros(&mut self, unit: Unit) -> Result<i64, Fault> {
        let value = self.cursor.long()?;
        match unit {
            Unit::Millis => value.checked_mul(1_000),
            Unit::Micros => Some(value),
            Unit::Nanos => Some(value.div_euclid(1_000)),
        }
        .ok_or_else(|| Fault::new(Reason::BadTimestamp, "outside the years 1900 to 2199"))
    }

    /// The text of a time, a UUID or a duration.
    pub(super) fn text_of(&mut self, node: &Node) -> Result<String, Fault> {
        Ok(match node {
            Node::Date => day_text(self.cursor.int()?),
            Node::TimeOfDay(Unit::Millis) => clock_text(i64::from(self.cursor.int()?) * 1_000),
            Node::TimeOfDay(_) => clock_text(self.cursor.long()?),
            Node::Timestamp(unit) => moment_text(self.micros(*unit)?),
            Node::LocalTimestamp(unit) => wall_text(self.micros(*unit)?),
            Node::Uuid => uuid_text(self.cursor.take(16)?),
            Node::Duration => duration_text(self.cursor.take(12)?),
            _ => String::new(),
        })
    }

    /// Bytes without a logical type, where a contract's field takes a text.
    pub(super) fn bytes_as_text(&mut self, size: Option<usize>) -> Result<&'a str, Fault> {
        let bytes = match size {
            Some(size) => self.cursor.take(size)?,
            None => self.cursor.bytes()?,
        };
        simdutf8::basic::from_utf8(bytes).map_err(|_| not_utf8(bytes))
    }
}

fn push_number(out: &mut String, number: impl std::fmt::Display) {
    // Writing into memory cannot fail.
    write!(out, "{number}").unwrap_or_default();
}

/// The shortest digits that read back as the same float; a float that is not finite is a text, because JSON has no number for it.
fn push_float(out: &mut String, float: impl std::fmt::Display + std::fmt::LowerExp, is_finite: bool, is_plain: bool) {
    match (is_finite, is_plain) {
        (false, _) => write!(out, "\"{float}\""),
        (true, true) => write!(out, "{float}"),
        (true, false) => write!(out, "{float:e}"),
    }
    .unwrap_or_default();
}

pub(super) fn push_text(out: &mut String, text: &str) {
    out.push('"');
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[start..at]);
        start = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => write!(out, "\\u{byte:04x}").unwrap_or_default(),
        }
    }
    out.push_str(&text[start..]);
    out.push('"');
}

fn push_base64(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.push('"');
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            let at = usize::try_from(bits >> (18 - 6 * digit) & 63).unwrap_or(0);
            out.push(if digit > three.len() { '=' } else { char::from(DIGITS[at]) });
        }
    }
    out.push('"');
}

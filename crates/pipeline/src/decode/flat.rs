//! A fast path at a third of the parser's cost for the usual record: an object of plain texts, numbers and words. For anything
//! else it gives up and the parser decides. So it need not accept everything, but must never accept what the parser refuses.

use std::ops::Range;

use kassa_model::short::same;
use serde_json::value::RawValue;

use super::{Fields, Value};

/// Reads the fields of the JSON object `text`; `None` leaves them partly read.
pub(super) fn read<'a>(text: &'a str, fields: &mut Fields<'_, 'a>, leads: &mut Leads) -> Option<()> {
    let mut cursor = Cursor { text, at: 0 };
    let mut last = START;
    loop {
        let lead = leads.0.get(last).filter(|lead| cursor.is_at(lead));
        last = match lead {
            Some(lead) => cursor.expected(lead, fields)?,
            None if last != START && cursor.is_at_end() => break,
            None => cursor.field(last, fields, leads)?,
        };
    }
    cursor.at += 1;
    cursor.blank();
    (cursor.at == text.len()).then_some(())
}

/// The bytes between two fields, learned from earlier records, to recognise the next field by comparison: producers write their
/// fields in a fixed order and style. Indexed by the previous field; see `START`.
#[derive(Debug, Default)]
pub struct Leads(Vec<Lead>);

/// As `,"order_id":`.
#[derive(Debug, Default)]
struct Lead {
    bytes: Vec<u8>,
    /// The range of the name in it.
    name: Range<usize>,
    slot: Option<usize>,
}

/// The index of the lead to the first field; the lead after a slot has the index slot + 1.
const START: usize = 0;

/// The index of the lead after a field without a slot: no contract has as many slots.
const OTHER: usize = 65;

fn place(slot: Option<usize>) -> usize {
    slot.map_or(OTHER, |slot| slot + 1)
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Goes beyond `byte`, if it comes next.
    fn pass(&mut self, byte: u8) -> Option<()> {
        self.blank();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next.then_some(())
    }

    fn is_at_end(&mut self) -> bool {
        self.blank();
        self.peek() == Some(b'}')
    }

    fn is_at(&self, lead: &Lead) -> bool {
        !lead.bytes.is_empty()
            && self.text.as_bytes()[self.at..].get(..lead.bytes.len()).is_some_and(|next| same(next, &lead.bytes))
    }

    /// Matches a lead against the input. Returns the index of its field.
    #[inline]
    fn expected(&mut self, lead: &Lead, fields: &mut Fields<'_, 'a>) -> Option<usize> {
        let before = self.at;
        self.at += lead.bytes.len();
        self.put(lead.slot, before + lead.name.start..before + lead.name.end, fields)
    }

    /// Reads a field name that no lead matches. Returns the field's index.
    #[cold]
    fn field(&mut self, last: usize, fields: &mut Fields<'_, 'a>, leads: &mut Leads) -> Option<usize> {
        let before = self.at;
        self.pass(if last == START { b'{' } else { b',' })?;
        self.blank();
        let text = self.text()?;
        // The closing quote follows the name.
        let name = self.at - 1 - text.len()..self.at - 1;
        self.pass(b':')?;
        self.blank();
        let slot = fields.layout.slot(text);
        if leads.0.len() <= last {
            leads.0.resize_with(last + 1, Lead::default);
        }
        let lead = &mut leads.0[last];
        lead.bytes.clear();
        lead.bytes.extend_from_slice(&self.text.as_bytes()[before..self.at]);
        (lead.name, lead.slot) = (name.start - before..name.end - before, slot);
        self.put(slot, name, fields)
    }

    /// Reads a value into its slot, which must not be set yet, or into the fields without a slot.
    #[inline(always)]
    fn put(&mut self, slot: Option<usize>, name: Range<usize>, fields: &mut Fields<'_, 'a>) -> Option<usize> {
        let start = self.at;
        let value = self.value()?;
        match slot {
            Some(slot) => fields.payload.set(slot, value).then_some(())?,
            None => fields.other(&self.text[name], &self.text[start..self.at]).ok()?,
        }
        Some(place(slot))
    }

    #[inline(always)]
    fn value(&mut self) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' => self.text().map(|text| Value::Text(text.into())),
            b'{' | b'[' => self.nested(),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Absent),
            _ => self.number().map(Value::Number),
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Option<Value<'a>> {
        let is_it = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += word.len();
        is_it.then_some(value)
    }

    /// A text without escapes.
    fn text(&mut self) -> Option<&'a str> {
        let [b'"', rest @ ..] = self.text.as_bytes().get(self.at..)? else { return None };
        let (start, length) = (self.at + 1, length(rest)?);
        let end = start + length;
        self.at = end + 1;
        if rest.get(length) == Some(&b'"') { self.text.get(start..end) } else { None }
    }

    fn number(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        match self.peek()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Some(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// An object or array, which the parser reads.
    fn nested(&mut self) -> Option<Value<'a>> {
        let mut values = serde_json::Deserializer::from_str(&self.text[self.at..]).into_iter::<&'a RawValue>();
        let raw = values.next()?.ok()?;
        self.at += values.byte_offset();
        super::value(raw.get(), String::new).ok()
    }
}

/// The bytes before the first that ends a text, is a backslash or a control character.
#[inline]
fn length(bytes: &[u8]) -> Option<usize> {
    let (words, last) = bytes.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return Some(length + marks.trailing_zeros() as usize / 8);
        }
        length += 8;
    }
    last.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20)).map(|at| length + at)
}

/// The high bit of the first byte of eight that ends a text, is a backslash or a control character; of those above it perhaps more.
fn marks(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    // With their second bit turned, quotes and control characters are the bytes below 0x21.
    let ends = (word ^ (0x02 * ONES)).wrapping_sub(0x21 * ONES);
    let backslashes = (word ^ (u64::from(b'\\') * ONES)).wrapping_sub(ONES);
    (ends | backslashes) & !word & (ONES << 7)
}

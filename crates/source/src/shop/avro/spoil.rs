//! Breaks a record's frame in one of the ways in which producers do. Every reader that follows the
//! contract must refuse the result.

use kassa_model::Contract;

use super::schema::Type;
use super::write::{ABSENT, PRESENT, bytes, decimal, header, long};
use super::{Form, Version, WIDER};
use crate::shop::rng::Rng;

/// The inputs for a broken frame.
struct Break<'a> {
    form: &'a Form,
    /// Replaces the record's own id.
    id: &'a [u8],
    foreign: u32,
    rng: &'a mut Rng,
}

/// A way to break a record; it is tried on records that fit. `None` writes nothing.
type Spoil = fn(&mut Break<'_>, &mut Vec<u8>) -> Option<()>;

const SPOILS: [Spoil; 21] = [
    truncated,
    trailing,
    wrong_magic,
    not_avro,
    unknown_schema,
    foreign_schema,
    not_utf8,
    control_character,
    too_long,
    missing_field,
    bad_timestamp,
    endless_number,
    precision_lie,
    out_of_range,
    too_precise,
    unknown_currency,
    unknown_country,
    negative_quantity,
    no_such_branch,
    huge_length,
    huge_block,
];

/// No registry assigns this id.
const UNKNOWN_ID: u32 = 0x7FFF_FF01;

/// The frame of a broken copy of the latest record, with its own id if it is still readable.
pub(super) fn broken(form: &Form, number: u64, foreign: u32, rng: &mut Rng, out: &mut Vec<u8>) {
    let mut id = if form.is_required("event_id") { Vec::new() } else { PRESENT.to_vec() };
    bytes(format!("broken{number:07}").as_bytes(), &mut id);
    let first = rng.index(SPOILS.len());
    let mut with = Break { form, id: &id, foreign, rng };
    let mut ways = (first..first + SPOILS.len()).map(|at| SPOILS[at % SPOILS.len()]);
    // Before the contract's first record, there is nothing to break.
    if form.slots.bytes.is_empty() || !ways.any(|spoil| spoil(&mut with, out).is_some()) {
        out.extend_from_slice(b"\x00\x00");
    }
}

impl Form {
    fn is_required(&self, name: &str) -> bool {
        self.slot(name).is_some_and(|at| self.fields[at].is_required)
    }

    /// A value as in a field's slot.
    fn value(&self, at: usize, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut value = if self.fields[at].is_required { Vec::new() } else { PRESENT.to_vec() };
        write(&mut value);
        value
    }

    /// A decimal of the latest record, and its scale.
    fn amount(&self) -> Option<(usize, u32)> {
        self.fields.iter().enumerate().find_map(|(at, field)| match field.kind {
            Type::Decimal(scale) => self.held(field.name).map(|_| (at, scale)),
            _ => None,
        })
    }
}

impl Break<'_> {
    fn whole(&self, out: &mut Vec<u8>) {
        self.form.write(Version::First, &[(0, self.id)], out);
    }

    /// The frame with another value of a field.
    fn with(&self, version: Version, at: usize, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
        self.form.write(version, &[(at, value), (0, self.id)], out);
        Some(())
    }

    fn with_text(&self, name: &str, text: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let at = self.form.slot(name)?;
        self.with(Version::First, at, &self.form.value(at, |value| bytes(text, value)), out)
    }

    fn under(&self, id: u32, out: &mut Vec<u8>) {
        let from = out.len();
        self.whole(out);
        let mut frame = Vec::new();
        header(id, &mut frame);
        out[from..from + frame.len()].copy_from_slice(&frame);
    }
}

fn truncated(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let from = out.len();
    with.whole(out);
    out.truncate(from + 1 + with.rng.index(out.len() - from - 1));
    Some(())
}

fn trailing(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    with.whole(out);
    out.extend_from_slice(with.rng.one_of(&[&b"\x00"[..], b"\n", b"}", b"\x00\x00\x00\x01"]));
    Some(())
}

fn wrong_magic(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let from = out.len();
    with.whole(out);
    out[from] = with.rng.one_of(&[1, 2, b'O', 0xC3]);
    Some(())
}

fn not_avro(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let text = with.rng.one_of(&["{\"event_id\":\"b73\",\"type\":\"page_viewed\"}", "Obj\u{1}\u{4}", "<order/>", "null"]);
    out.extend_from_slice(text.as_bytes());
    Some(())
}

fn unknown_schema(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    with.under(UNKNOWN_ID, out);
    Some(())
}

/// If another application's schema can read the bytes at all, the result lacks required fields.
fn foreign_schema(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    with.under(with.foreign, out);
    Some(())
}

fn not_utf8(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let text = with.rng.one_of(&[&b"\xff"[..], b"K\xf6ln", b"\xc3(", b"\xed\xa0\x80"]);
    with.form.write(Version::First, &[(0, &with.form.value(0, |value| bytes(text, value)))], out);
    Some(())
}

fn control_character(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let text = with.rng.one_of(&[&b"a\0b"[..], b"\x07", b"\x1b[31m", b"\x7f"]);
    with.form.write(Version::First, &[(0, &with.form.value(0, |value| bytes(text, value)))], out);
    Some(())
}

fn too_long(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    with.form.write(Version::First, &[(0, &with.form.value(0, |value| bytes(&[b'x'; 200], value)))], out);
    Some(())
}

/// A required text that is empty.
fn missing_field(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let fields = &with.form.fields;
    let required: Vec<&str> =
        fields.iter().filter(|field| field.is_required && field.kind == Type::Text).map(|field| field.name).collect();
    let field = with.rng.one_of(&required);
    let at = with.form.slot(field)?;
    with.form.write(Version::First, &[(at, &with.form.value(at, |value| bytes(b"", value)))], out);
    Some(())
}

fn bad_timestamp(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let micros = with.rng.one_of(&[i64::MAX, i64::MIN, 253_402_300_800_000_000]);
    let at = with.form.slot("occurred_at")?;
    with.with(Version::First, at, &with.form.value(at, |value| long(micros, value)), out)
}

fn endless_number(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    with.with(Version::First, with.form.slot("occurred_at")?, &[0xFF; 11], out)
}

/// More digits than the schema's precision.
fn precision_lie(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let (at, _) = with.form.amount()?;
    let units = with.rng.one_of(&[10_i128.pow(18), -10_i128.pow(19), i128::MAX, 1 << 64]);
    with.with(Version::First, at, &with.form.value(at, |value| decimal(units, value)), out)
}

fn out_of_range(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let (at, scale) = with.form.amount()?;
    with.with(Version::Widened, at, &with.form.value(at, |value| decimal(10_i128.pow(12 + scale + WIDER), value)), out)
}

fn too_precise(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let (at, _) = with.form.amount()?;
    with.with(Version::Widened, at, &with.form.value(at, |value| decimal(1_234_567, value)), out)
}

fn unknown_currency(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let code = with.rng.one_of(&["XXX", "GBX", "£", "pounds"]);
    with.form.held("currency")?;
    with.with_text("currency", code.as_bytes(), out)
}

fn unknown_country(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let code = with.rng.one_of(&["ZZ", "Atlantis"]).as_bytes();
    if with.form.held("country").is_some() {
        return with.with_text("country", code, out);
    }
    let at = with.form.held("shipping_address")?;
    let address = with.form.value(at, |value| {
        // Street, postcode, city and region are absent.
        (0..4).for_each(|_| value.extend_from_slice(ABSENT));
        value.extend_from_slice(PRESENT);
        bytes(code, value);
    });
    with.with(Version::First, at, &address, out)
}

/// Only for sales: other movements may have a negative quantity.
fn negative_quantity(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let is_sale = with.form.contract == Contract::OrderLine && with.form.held("movement").is_none();
    let at = with.form.slot("quantity").filter(|_| is_sale)?;
    with.with(Version::First, at, &with.form.value(at, |value| decimal(-2_000, value)), out)
}

fn no_such_branch(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let optional: Vec<usize> = (1..12).filter(|at| !with.form.fields[*at].is_required).collect();
    let (at, branch) = (with.rng.one_of(&optional), with.rng.one_of(&[&[14_u8][..], &[1]]));
    with.with(Version::First, at, branch, out)
}

fn huge_length(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let length = with.rng.one_of(&[1 << 40, i64::MAX, -1]);
    with.form.write(Version::First, &[(0, &with.form.value(0, |value| long(length, value)))], out);
    Some(())
}

/// An array with more items than bytes, or with a block that is longer than the rest.
fn huge_block(with: &mut Break<'_>, out: &mut Vec<u8>) -> Option<()> {
    let is_array = |kind: Type| matches!(kind, Type::Texts | Type::Records(_));
    let at = with.form.fields.iter().position(|field| is_array(field.kind))?;
    let [count, size] = with.rng.one_of(&[[1 << 60, 0], [-1, 1 << 40], [i64::MIN, i64::MAX]]);
    let block = with.form.value(at, |value| {
        long(count, value);
        if count < 0 {
            long(size, value);
        }
    });
    with.with(Version::First, at, &block, out)
}

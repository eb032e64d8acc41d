//! Values in Avro's encoding.

use kassa_model::time::SECOND;

use super::WIDER;
use super::read::{Entries, Token};
use super::schema::{Nested, Type};

/// A union's branch: null.
pub(super) const ABSENT: &[u8] = &[0];
/// A union's branch: the value.
pub(super) const PRESENT: &[u8] = &[2];

/// `00` and the schema's id.
pub(super) fn header(id: u32, out: &mut Vec<u8>) {
    out.push(0);
    out.extend_from_slice(&id.to_be_bytes());
}

/// A zigzag varint.
pub(super) fn long(value: i64, out: &mut Vec<u8>) {
    let mut bits = (value << 1 ^ value >> 63).cast_unsigned();
    while bits >= 0x80 {
        out.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

pub(super) fn bytes(value: &[u8], out: &mut Vec<u8>) {
    long(value.len() as i64, out);
    out.extend_from_slice(value);
}

/// The shortest two's complement.
pub(super) fn decimal(units: i128, out: &mut Vec<u8>) {
    let whole = units.to_be_bytes();
    let fill = if units < 0 { 0xFF } else { 0 };
    let spare = whole.windows(2).take_while(|pair| pair[0] == fill && (pair[1] ^ fill) < 0x80).count();
    bytes(&whole[spare..], out);
}

impl Type {
    /// `None`: the shop writes no such value for this type.
    pub(super) fn write(self, token: Token<'_>, out: &mut Vec<u8>) -> Option<()> {
        match (self, token) {
            (Type::Text, Token::Text(escaped)) => text(escaped, out),
            (Type::Decimal(scale), Token::Number(digits)) => decimal(units(digits, scale)?, out),
            // A drifted record has the wider schema.
            (Type::Decimal(scale), Token::Text(digits)) => decimal(units(digits, scale + WIDER)?, out),
            (Type::Whole, Token::Number(digits)) => long(i64::try_from(units(digits, 0)?).ok()?, out),
            (Type::Truth, Token::Truth(truth)) => out.push(u8::from(truth)),
            (Type::Moment, Token::Text(text)) => long(micros(text)?, out),
            (Type::Moment, Token::Number(millis)) => long(i64::try_from(units(millis, 0)?).ok()?, out),
            (Type::Day, Token::Text(text)) => long(days(text)?, out),
            (Type::Texts, Token::Array(json)) => array(json, out, |item, out| Type::Text.write(item, out))?,
            (Type::Record(fields), Token::Object(json)) => record(fields, json, out)?,
            (Type::Records(fields), Token::Array(json)) => {
                array(json, out, |item, out| Type::Record(fields).write(item, out))?;
            }
            _ => return None,
        }
        Some(())
    }
}

fn text(escaped: &[u8], out: &mut Vec<u8>) {
    let escapes = memchr::memchr_iter(b'\\', escaped).count();
    if escapes == 0 {
        return bytes(escaped, out);
    }
    let mut plain = Vec::with_capacity(escaped.len());
    let mut rest = escaped.iter();
    while let Some(byte) = rest.next() {
        plain.push(if *byte == b'\\' { *rest.next().unwrap_or(byte) } else { *byte });
    }
    bytes(&plain, out);
}

/// One block of items, if there are any.
fn array(json: &[u8], out: &mut Vec<u8>, mut write: impl FnMut(Token<'_>, &mut Vec<u8>) -> Option<()>) -> Option<()> {
    let (mut items, mut count) = (Vec::new(), 0);
    let mut entries = Entries::of_array(json).ok()?;
    while let Some(item) = entries.item().ok()? {
        write(item, &mut items)?;
        count += 1;
    }
    if count > 0 {
        long(count, out);
        out.extend_from_slice(&items);
    }
    long(0, out);
    Some(())
}

/// The shop writes nested fields in the order of their schema, and may omit some.
fn record(fields: &[Nested], json: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut entries = Entries::of_object(json).ok()?;
    let mut next = entries.next().ok()?;
    for field in fields {
        let token = next.filter(|(key, _)| *key == field.name.as_bytes()).map(|(_, token)| token);
        match token {
            Some(token) => {
                if !field.is_required {
                    out.extend_from_slice(PRESENT);
                }
                field.kind.write(token, out)?;
                next = entries.next().ok()?;
            }
            None if field.is_required => return None,
            None => out.extend_from_slice(ABSENT),
        }
    }
    next.is_none().then_some(())
}

/// Digits with a point as units of 10^-scale.
fn units(digits: &[u8], scale: u32) -> Option<i128> {
    let (negative, digits) = digits.strip_prefix(b"-").map_or((false, digits), |rest| (true, rest));
    let (mut units, mut places) = (0_i128, None);
    for byte in digits {
        match (byte, &mut places) {
            (b'.', None) => places = Some(0),
            (b'0'..=b'9', places) => {
                units = units.checked_mul(10)? + i128::from(byte - b'0');
                *places = places.map(|places| places + 1);
            }
            _ => return None,
        }
    }
    let missing = scale.checked_sub(places.unwrap_or(0))?;
    let units = units.checked_mul(10_i128.pow(missing))?;
    (!digits.is_empty()).then_some(if negative { -units } else { units })
}

fn number(digits: &[u8]) -> Option<i64> {
    i64::try_from(units(digits, 0)?).ok()
}

/// Days since 1970-01-01 of `2026-01-31` (Howard Hinnant's public algorithm).
fn days(text: &[u8]) -> Option<i64> {
    let [year, month, day] = [number(text.get(..4)?)?, number(text.get(5..7)?)?, number(text.get(8..10)?)?];
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// µs UTC of `2026-01-31T09:30:00.123Z`.
fn micros(text: &[u8]) -> Option<i64> {
    let part = |at: std::ops::Range<usize>| number(text.get(at)?);
    let seconds = days(text)? * 86_400 + part(11..13)? * 3_600 + part(14..16)? * 60 + part(17..19)?;
    (text.len() == 24).then_some(seconds * SECOND + part(20..23)? * 1_000)
}

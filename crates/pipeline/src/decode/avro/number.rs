//! Numbers of Avro as exact decimals, and times as texts.

use kassa_model::time::{self, DAY};
use kassa_model::{Reason, decimal};

use super::fault::Fault;

/// The units of a decimal: big-endian two's complement of any length, limited to the schema's precision.
#[inline]
pub(super) fn units(bytes: &[u8], precision: u32) -> Result<i128, Fault> {
    // The usual case.
    if bytes.len() <= 8 {
        let units = short(bytes);
        if units.unsigned_abs() < 10_u64.pow(precision.min(18)) {
            return Ok(i128::from(units));
        }
    }
    long(bytes, precision)
}

/// The units in at most eight bytes.
fn short(bytes: &[u8]) -> i64 {
    let fill = if bytes.first().is_some_and(|first| *first >= 0x80) { -1 } else { 0 };
    bytes.iter().fold(fill, |units, byte| units << 8 | i64::from(*byte))
}

fn long(bytes: &[u8], precision: u32) -> Result<i128, Fault> {
    let fill = if bytes.first().is_some_and(|first| *first >= 0x80) { 0xFF } else { 0 };
    let spare = bytes.len().saturating_sub(16);
    let (head, tail) = bytes.split_at(spare);
    let mut held = [fill; 16];
    held[16 - tail.len()..].copy_from_slice(tail);
    let units = i128::from_be_bytes(held);
    // The bytes before the last 16 may only repeat the sign.
    let fits = head.iter().all(|byte| *byte == fill) && (units < 0) == (fill == 0xFF);
    let most = 10_u128.checked_pow(precision.min(38)).unwrap_or(u128::MAX);
    if fits && units.unsigned_abs() < most {
        return Ok(units);
    }
    if precision > 38 {
        return Err(Fault::new(Reason::OutOfRange, "a decimal of more than 38 digits"));
    }
    Err(Fault::new(Reason::NotAvro, format!("a decimal of more digits than the {precision} that its schema says")))
}

/// The shortest digits that read back as the same float, as a decimal: `9.99_f32` is 9.99. `None` if it is not finite or needs
/// more than 38 digits.
pub(super) fn shortest(scientific: &str) -> Option<(i128, u32)> {
    let (digits, exponent) = scientific.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut units: i128 = whole.parse().ok()?;
    for digit in fraction.bytes() {
        let digit = i128::from(digit.checked_sub(b'0')?);
        units = units * 10 + if whole.starts_with('-') { -digit } else { digit };
    }
    let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    match u32::try_from(scale) {
        Ok(scale) => (scale <= 38).then_some((units, scale)),
        Err(_) => Some((units.checked_mul(10_i128.checked_pow(scale.unsigned_abs())?)?, 0)),
    }
}

/// A short text on the stack.
pub(super) struct Digits {
    bytes: [u8; 40],
    length: usize,
}

impl Digits {
    pub(super) fn of(value: std::fmt::Arguments<'_>) -> Self {
        let mut digits = Self { bytes: [0; 40], length: 0 };
        // A longer text is cut and then does not parse; no float takes 40 characters.
        std::fmt::Write::write_fmt(&mut digits, value).unwrap_or_default();
        digits
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl std::fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// `2026-01-31`; a day outside the calendar's range stays a number.
pub(super) fn day_text(days: i32) -> String {
    let text = i64::from(days).checked_mul(DAY).map(time::format).unwrap_or_default();
    text.split_once('T').map_or_else(|| days.to_string(), |(day, _)| day.to_owned())
}

/// `2026-01-31T09:30:00.123456Z`; a time outside the calendar's range stays a number.
pub(super) fn moment_text(micros: i64) -> String {
    Some(time::format(micros)).filter(|text| !text.is_empty()).unwrap_or_else(|| micros.to_string())
}

/// The same without a zone: local time.
pub(super) fn wall_text(micros: i64) -> String {
    let text = moment_text(micros);
    text.strip_suffix('Z').map_or_else(|| text.clone(), str::to_owned)
}

/// `09:30:00.123456`; a number that is no time of day stays a number.
pub(super) fn clock_text(micros: i64) -> String {
    if !(0..DAY).contains(&micros) {
        return micros.to_string();
    }
    wall_text(micros).split_off("1970-01-01T".len())
}

/// `P1M2DT0.004S`: months, days and milliseconds, which Avro stores separately.
pub(super) fn duration_text(bytes: &[u8]) -> String {
    let part = |at: usize| bytes.get(at..at + 4).and_then(|part| part.try_into().ok()).map_or(0, u32::from_le_bytes);
    let seconds = decimal::format_units(i128::from(part(8)), 3, 0);
    format!("P{}M{}DT{seconds}S", part(0), part(4))
}

/// `f81d4fae-7dec-11d0-a765-00a0c91e6bf6`.
pub(super) fn uuid_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0')));
    }
    text
}

//! Exact decimals of a fixed scale in one 64-bit integer, parsed from digits and formatted as
//! digits, without floats.

use std::fmt;

/// Why a text is not a decimal of the wanted scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    #[error("not a finite decimal number")]
    NotFinite,
    #[error("more than {0} fractional digits")]
    TooPrecise(u32),
    #[error("10^12 or more")]
    TooLarge,
}

/// A decimal of `SCALE` fractional digits, smaller than 10^12 in size: it fits the lake's
/// DECIMAL(18, SCALE).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal<const SCALE: u32>(pub i64);

/// Money or a price, 6 fractional digits: DECIMAL(18,6).
pub type Amount = Decimal<6>;
/// A number of pieces, 3 fractional digits: DECIMAL(18,3).
pub type Quantity = Decimal<3>;
/// Units of the quote currency for one of the base currency, 9 fractional digits: DECIMAL(18,9).
pub type Rate = Decimal<9>;

impl<const SCALE: u32> Decimal<SCALE> {
    pub const ZERO: Self = Self(0);
    /// The number of units in 1: 10^SCALE.
    pub const ONE: i64 = 10_i64.pow(SCALE);
    /// 10^12 for money and quantities; a rate has at most 18 digits in total.
    const LIMIT: i128 = 10_i128.pow(if SCALE > 6 { 18 - SCALE } else { 12 }) * 10_i128.pow(SCALE);

    /// From whole units of 10^-SCALE that are in range.
    pub fn from_units(units: i64) -> Self {
        Self(units)
    }

    /// Parses JSON number syntax, and also accepts a leading `+` and a missing leading zero: `12`,
    /// `-0.50`, `1.5e3`.
    ///
    /// Digits beyond the scale are an error unless they are zeros, so this never rounds.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let (negative, digits) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        if let Some(units) = short(digits, SCALE) {
            return Ok(Self(if negative { -units } else { units }));
        }
        let parts = Digits::scan(digits, SCALE)?;
        let units = parts.to_units(SCALE)?;
        if units >= Self::LIMIT {
            return Err(DecimalError::TooLarge);
        }
        let units = i64::try_from(units).map_err(|_| DecimalError::TooLarge)?;
        Ok(Self(if negative { -units } else { units }))
    }

    /// From a value of any decimal scale, as in Arrow and Parquet.
    pub fn from_scaled(value: i128, scale: u32) -> Result<Self, DecimalError> {
        let units = if scale <= SCALE {
            value.checked_mul(10_i128.pow(SCALE - scale)).ok_or(DecimalError::TooLarge)?
        } else {
            let by = 10_i128.checked_pow(scale - SCALE).ok_or(DecimalError::TooPrecise(SCALE))?;
            if value % by != 0 {
                return Err(DecimalError::TooPrecise(SCALE));
            }
            value / by
        };
        Self::bounded(units)
    }

    fn bounded(units: i128) -> Result<Self, DecimalError> {
        if units.abs() >= Self::LIMIT {
            return Err(DecimalError::TooLarge);
        }
        i64::try_from(units).map(Self).map_err(|_| DecimalError::TooLarge)
    }
}

impl Amount {
    /// price × quantity, rounded half-even to 6 places: the only rounding of an amount.
    pub fn of(price: Amount, quantity: Quantity) -> Result<Amount, DecimalError> {
        Self::bounded(round_half_even(i128::from(price.0) * i128::from(quantity.0), i128::from(Quantity::ONE)))
    }

    /// The difference, if it is below 10^12, the limit of an amount.
    pub fn minus(self, other: Amount) -> Result<Amount, DecimalError> {
        Self::bounded(i128::from(self.0) - i128::from(other.0))
    }
}

/// `value / by`, ties to even. `by` is positive.
pub fn round_half_even(value: i128, by: i128) -> i128 {
    // Nearly all values are small; 64-bit division is several times faster.
    if let (Ok(value), Ok(by)) = (i64::try_from(value), i32::try_from(by)) {
        let by = i64::from(by);
        let (floor, twice) = (value.div_euclid(by), value.rem_euclid(by) * 2);
        let up = twice > by || (twice == by && floor.rem_euclid(2) == 1);
        return i128::from(floor) + i128::from(up);
    }
    let floor = value.div_euclid(by);
    let twice = value.rem_euclid(by) * 2;
    match twice.cmp(&by) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Greater => floor + 1,
        std::cmp::Ordering::Equal => floor + floor.rem_euclid(2),
    }
}

/// Writes `units` of 10^-scale as a plain decimal without trailing zeros beyond `least` fractional
/// digits.
pub fn format_units(units: i128, scale: u32, least: u32) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let size = units.unsigned_abs();
    let one = 10_u128.pow(scale);
    let mut fraction =
        if scale == 0 { String::new() } else { format!("{:0width$}", size % one, width = usize::try_from(scale).unwrap_or(0)) };
    while fraction.len() > usize::try_from(least).unwrap_or(0) && fraction.ends_with('0') {
        fraction.pop();
    }
    if fraction.is_empty() { format!("{sign}{}", size / one) } else { format!("{sign}{}.{fraction}", size / one) }
}

impl<const SCALE: u32> fmt::Display for Decimal<SCALE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_units(i128::from(self.0), SCALE, 0))
    }
}

impl<const SCALE: u32> fmt::Debug for Decimal<SCALE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Fast path: units of 10^-scale for at most 11 characters that are digits and at most one point,
/// with no more fractional digits than the scale.
fn short(text: &[u8], scale: u32) -> Option<i64> {
    if text.len() > 11 || scale > 7 {
        return None;
    }
    let (mut value, mut fraction, mut seen_point) = (0_i64, 0, false);
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + i64::from(byte - b'0');
                fraction += u32::from(seen_point);
            }
            b'.' if !seen_point => seen_point = true,
            _ => return None,
        }
    }
    let has_digits = text.len() > usize::from(seen_point);
    (has_digits && fraction <= scale).then(|| value * 10_i64.pow(scale - fraction))
}

/// The significant digits of a number and their power of ten.
struct Digits {
    value: u128,
    /// The number is `value × 10^exponent`.
    exponent: i64,
}

impl Digits {
    fn scan(text: &[u8], scale: u32) -> Result<Self, DecimalError> {
        let (mut value, mut exponent) = (0_u128, 0_i64);
        let (mut seen_digit, mut seen_point) = (false, false);
        // Zeros are counted until another digit follows, so that "1.000…0" of any length stays
        // small.
        let mut zeros = 0_u32;
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            match byte {
                b'0'..=b'9' => {
                    seen_digit = true;
                    if seen_point {
                        exponent -= 1;
                    }
                    if byte == b'0' {
                        zeros = if value == 0 { 0 } else { zeros + 1 };
                    } else {
                        let shift = 10_u128.checked_pow(zeros.saturating_add(1));
                        let longer = shift.and_then(|shift| value.checked_mul(shift)?.checked_add(u128::from(byte - b'0')));
                        value = longer.ok_or_else(|| Self::too_long(text, scale))?;
                        zeros = 0;
                    }
                }
                b'.' if !seen_point => seen_point = true,
                b'e' | b'E' if seen_digit => {
                    exponent = exponent.saturating_add(Self::scan_exponent(&text[at + 1..])?);
                    break;
                }
                _ => return Err(DecimalError::NotFinite),
            }
            at += 1;
        }
        if !seen_digit {
            return Err(DecimalError::NotFinite);
        }
        Ok(Self { value, exponent: exponent.saturating_add(i64::from(zeros)) })
    }

    /// The error for a number with more than 38 significant digits: its size, or else its
    /// precision.
    fn too_long(text: &[u8], scale: u32) -> DecimalError {
        let end = text.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(text.len());
        if !text[..end].iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
            return DecimalError::NotFinite;
        }
        let exponent = if end == text.len() { Ok(0) } else { Self::scan_exponent(&text[end + 1..]) };
        let whole = text[..end].split(|byte| *byte == b'.').next().unwrap_or_default();
        let digits = whole.iter().skip_while(|digit| **digit == b'0').count();
        match exponent {
            Err(error) => error,
            Ok(exponent) if i64::try_from(digits).unwrap_or(i64::MAX).saturating_add(exponent) > 12 => DecimalError::TooLarge,
            Ok(_) => DecimalError::TooPrecise(scale),
        }
    }

    fn scan_exponent(text: &[u8]) -> Result<i64, DecimalError> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(DecimalError::NotFinite);
        }
        let size = digits.iter().fold(0_i64, |all, digit| all.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
        Ok(if negative { -size } else { size })
    }

    fn to_units(&self, scale: u32) -> Result<i128, DecimalError> {
        if self.value == 0 {
            return Ok(0);
        }
        let shift = self.exponent.saturating_add(i64::from(scale));
        if shift < 0 {
            // The last digit of `value` is not zero, so any digit beyond the scale is significant.
            return Err(DecimalError::TooPrecise(scale));
        }
        let by = u32::try_from(shift).ok().and_then(|shift| 10_u128.checked_pow(shift)).ok_or(DecimalError::TooLarge)?;
        let units = self.value.checked_mul(by).ok_or(DecimalError::TooLarge)?;
        i128::try_from(units).map_err(|_| DecimalError::TooLarge)
    }
}

#[cfg(test)]
mod tests;

//! Decimals as PostgreSQL's `numeric`: base-10,000 digits around the decimal point.

/// Writes the cell of `value` × 10^-`scale`.
pub(super) fn put(value: i128, scale: u32, out: &mut Vec<u8>) {
    // To a whole number of base-10,000 digits after the point.
    let groups_behind = scale.div_ceil(4);
    let magnitude = value.unsigned_abs();
    let (power, shift) = (10_u128.pow(scale), 10_u128.pow(groups_behind * 4 - scale));
    let (mut whole, mut fraction) = (magnitude / power, magnitude % power * shift);
    // At most 39 digits: ten groups before the point, eight after it.
    let mut digits = [0_u16; 20];
    let mut at = digits.len();
    for _ in 0..groups_behind {
        at -= 1;
        digits[at] = group(&mut fraction);
    }
    while whole > 0 {
        at -= 1;
        digits[at] = group(&mut whole);
    }
    let mut weight = i16::try_from(digits.len() - at).unwrap_or(0) - i16::try_from(groups_behind).unwrap_or(0) - 1;
    let mut held = &digits[at..];
    while let [0, rest @ ..] = held {
        held = rest;
        weight -= 1;
    }
    while let [rest @ .., 0] = held {
        held = rest;
    }
    if held.is_empty() {
        weight = 0;
    }
    let sign: u16 = if value < 0 { 0x4000 } else { 0 };
    let count = u16::try_from(held.len()).unwrap_or(0);
    out.extend_from_slice(&(8 + 2 * u32::from(count)).to_be_bytes());
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&u16::try_from(scale).unwrap_or(0).to_be_bytes());
    held.iter().for_each(|digit| out.extend_from_slice(&digit.to_be_bytes()));
}

/// Splits off the last four decimal digits.
fn group(number: &mut u128) -> u16 {
    // Nearly all values are small, and 64-bit division is many times faster than 128-bit division.
    let last = match u64::try_from(*number) {
        Ok(small) => {
            *number = u128::from(small / 10_000);
            small % 10_000
        }
        Err(_) => {
            let last = *number % 10_000;
            *number /= 10_000;
            u64::try_from(last).unwrap_or(0)
        }
    };
    u16::try_from(last).unwrap_or(0)
}

/// Reads a cell as a number of 10^-`scale`; `None` if it is not a number or has more fractional
/// digits.
pub(super) fn get(cell: &[u8], scale: u32) -> Option<i128> {
    let word = |at: usize| Some(u16::from_be_bytes(cell.get(at..at + 2)?.try_into().ok()?));
    let (count, weight, sign) = (word(0)?, i16::from_be_bytes(cell.get(2..4)?.try_into().ok()?), word(4)?);
    if sign != 0 && sign != 0x4000 {
        return None;
    }
    let mut value: i128 = 0;
    for nth in 0..count {
        let digit = i128::from(word(8 + 2 * usize::from(nth))?);
        // The digit stands for digit × 10^(4 × (weight − nth)).
        let power = 4 * (i32::from(weight) - i32::from(nth)) + i32::try_from(scale).ok()?;
        let part = match u32::try_from(power) {
            Ok(power) => digit.checked_mul(10_i128.checked_pow(power)?)?,
            Err(_) => {
                let unit = 10_i128.checked_pow(u32::try_from(-power).ok()?)?;
                (digit % unit == 0).then_some(digit / unit)?
            }
        };
        value = value.checked_add(part)?;
    }
    Some(if sign == 0 { value } else { -value })
}

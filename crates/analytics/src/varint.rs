//! Variable-length integers.

/// Maps small signed numbers to small unsigned numbers.
pub(crate) fn zigzag(number: i64) -> i64 {
    number << 1 ^ number >> 63
}

pub(crate) fn unzigzag(number: i64) -> i64 {
    (number.cast_unsigned() >> 1).cast_signed() ^ -(number & 1)
}

/// Seven bits per byte, the lowest first.
pub(crate) fn write(out: &mut Vec<u8>, number: i64) {
    let mut rest = number.cast_unsigned();
    while rest >= 0x80 {
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
}

/// `None`: the bytes are not a number.
pub(crate) fn read(bytes: &mut &[u8]) -> Option<i64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number.cast_signed());
        }
    }
    None
}

/// A number that is usually a multiple of `unit`: money in whole cents, times in whole seconds.
pub(crate) fn write_scaled(out: &mut Vec<u8>, number: i64, unit: i64) {
    if number % unit == 0 {
        write(out, zigzag(number / unit) << 1);
    } else {
        write(out, 1);
        write(out, zigzag(number));
    }
}

pub(crate) fn read_scaled(bytes: &mut &[u8], unit: i64) -> Option<i64> {
    match read(bytes)? {
        1 => read(bytes).map(unzigzag),
        scaled => Some(unzigzag((scaled.cast_unsigned() >> 1).cast_signed()).wrapping_mul(unit)),
    }
}

pub(crate) fn write_id(out: &mut Vec<u8>, id: u32) {
    write(out, i64::from(id));
}

pub(crate) fn read_id(bytes: &mut &[u8]) -> Option<u32> {
    u32::try_from(read(bytes)?).ok()
}

/// A day as yyyymmdd.
pub(crate) fn write_day(out: &mut Vec<u8>, day: i32) {
    write(out, zigzag(i64::from(day) - DAY));
}

pub(crate) fn read_day(bytes: &mut &[u8]) -> Option<i32> {
    i32::try_from(unzigzag(read(bytes)?).checked_add(DAY)?).ok()
}

/// Days are written as the difference to this one.
const DAY: i64 = 20_250_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_read_as_they_were_written(numbers in proptest::collection::vec(any::<i64>(), 0..20), day: i32, id: u32) {
            let mut bytes = Vec::new();
            numbers.iter().for_each(|number| write(&mut bytes, *number));
            for unit in [2, 1_000, 1_000_000] {
                numbers.iter().for_each(|number| write_scaled(&mut bytes, *number, unit));
                numbers.iter().for_each(|number| write_scaled(&mut bytes, number / unit * unit, unit));
            }
            write_day(&mut bytes, day);
            write_id(&mut bytes, id);
            let mut rest = bytes.as_slice();
            numbers.iter().for_each(|number| assert_eq!(read(&mut rest), Some(*number)));
            for unit in [2, 1_000, 1_000_000] {
                numbers.iter().for_each(|number| assert_eq!(read_scaled(&mut rest, unit), Some(*number)));
                numbers.iter().for_each(|number| assert_eq!(read_scaled(&mut rest, unit), Some(number / unit * unit)));
            }
            prop_assert_eq!((read_day(&mut rest), read_id(&mut rest), rest.len()), (Some(day), Some(id), 0));
            prop_assert!(numbers.iter().all(|number| unzigzag(zigzag(*number)) == *number));
        }
    }

    #[test]
    fn common_numbers_are_short() {
        let bytes = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            out.len()
        };
        assert_eq!(bytes(&|out| write_day(out, 20_261_231)), 3);
        assert_eq!(bytes(&|out| write_scaled(out, 19_990_000, 10_000)), 2, "19.99");
        assert_eq!(bytes(&|out| write_scaled(out, 1_767_225_600_000_000, 1_000_000)), 5);
    }
}

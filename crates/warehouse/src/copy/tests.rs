use super::*;

fn cell(value: i128, scale: u32) -> Vec<u8> {
    let mut out = Vec::new();
    numeric::put(value, scale, &mut out);
    out
}

#[test]
fn numerics_come_back_as_they_went() {
    let edges = [0, 1, 9, 10, 9_999, 10_000, 10_001, 123_456_789, 99_999_999_999_999_999, 100_000_000_000_000_000_000_000];
    for scale in [0, 3, 6, 9] {
        for value in edges.into_iter().flat_map(|value: i128| [value, -value]) {
            let cell = cell(value, scale);
            let length = u32::from_be_bytes(cell[..4].try_into().unwrap());
            assert_eq!(usize::try_from(length).unwrap(), cell.len() - 4);
            assert_eq!(numeric::get(&cell[4..], scale), Some(value), "{value} / 10^{scale}");
        }
    }
}

#[test]
fn numerics_are_the_bytes_that_postgresql_sends() {
    // 12345.678000: groups 1, 2345, 6780; weight 1; scale 6.
    let expected = [0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 6, 0, 1, 9, 41, 26, 124];
    assert_eq!(cell(12_345_678_000, 6), expected);
    assert_eq!(cell(0, 6), [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 6]);
    // −0.000001: one group at 10^-8.
    assert_eq!(cell(-1, 6), [0, 0, 0, 10, 0, 1, 255, 254, 64, 0, 0, 6, 0, 100]);
}

#[test]
fn what_is_no_number_is_refused() {
    assert_eq!(numeric::get(&[0, 0, 0, 0, 0xc0, 0, 0, 0], 6), None, "NaN");
    assert_eq!(numeric::get(&cell(1, 9)[4..], 6), None, "a digit would be lost");
    assert_eq!(numeric::get(&[0, 1, 0], 6), None, "cut short");
}

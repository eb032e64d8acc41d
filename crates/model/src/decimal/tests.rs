use super::*;

#[test]
fn digits_are_read_exactly() {
    for (text, units) in [
        ("0", 0),
        ("-0.00", 0),
        ("2.55", 2_550_000),
        ("-11062.06", -11_062_060_000),
        ("1.5e3", 1_500_000_000),
        ("1e-6", 1),
        ("0.1000000000000000000000000000000000000000000000000000000", 100_000),
        ("+3", 3_000_000),
        (".5", 500_000),
        ("999999999999.999999", 999_999_999_999_999_999),
        ("100e-2", 1_000_000),
        ("0e999999999999999999999", 0),
    ] {
        assert_eq!(Amount::parse(text), Ok(Decimal(units)), "{text}");
    }
}

#[test]
fn a_number_that_does_not_fit_is_refused_and_never_rounded() {
    for (text, error) in [
        ("", DecimalError::NotFinite),
        ("NaN", DecimalError::NotFinite),
        ("1e", DecimalError::NotFinite),
        ("--1", DecimalError::NotFinite),
        ("1.2.3", DecimalError::NotFinite),
        ("1,5", DecimalError::NotFinite),
        (" 1", DecimalError::NotFinite),
        (".", DecimalError::NotFinite),
        ("0.0000001", DecimalError::TooPrecise(6)),
        ("1e-7", DecimalError::TooPrecise(6)),
        ("1000000000000", DecimalError::TooLarge),
        ("1e999", DecimalError::TooLarge),
        ("1e99999999999999999999", DecimalError::TooLarge),
        ("99999999999999999999999999999999999999999", DecimalError::TooLarge),
        ("340282366920938463463374607431768211459", DecimalError::TooLarge),
        ("0.340282366920938463463374607431768211459", DecimalError::TooPrecise(6)),
        ("999999999999.3402823669209384634633746074317682114591", DecimalError::TooPrecise(6)),
        ("1.3402823669209384634633746074317682114591e12", DecimalError::TooLarge),
        ("1.3402823669209384634633746074317682114591e", DecimalError::NotFinite),
        ("3402823669209384634633746074317682114591x", DecimalError::NotFinite),
    ] {
        assert_eq!(Amount::parse(text), Err(error), "{text}");
    }
}

#[test]
fn products_round_half_even() {
    let price = |text| Amount::parse(text).expect("a price");
    let quantity = |text| Quantity::parse(text).expect("a quantity");
    assert_eq!(Amount::of(price("0.000001"), quantity("0.5")).expect("fits").0, 0);
    assert_eq!(Amount::of(price("0.000003"), quantity("0.5")).expect("fits").0, 2);
    assert_eq!(Amount::of(price("-0.000003"), quantity("0.5")).expect("fits").0, -2);
    assert_eq!(Amount::of(price("2.55"), quantity("-6")).expect("fits").to_string(), "-15.3");
}

#[test]
fn formatted_decimals_parse_to_the_same_value() {
    for units in [0, 1, -1, 999_999, 1_000_000, -12_345_600, 999_999_999_999_999_999] {
        assert_eq!(Amount::parse(&Decimal::<6>(units).to_string()), Ok(Decimal(units)));
    }
    assert_eq!(format_units(1_672_000_000, 6, 2), "1672.00");
}

proptest::proptest! {
    #[test]
    fn the_fast_path_equals_the_general_parser(text in "[0-9.]{0,12}|[0-9]{1,6}\\.[0-9]{0,7}") {
        let slowly = Digits::scan(text.as_bytes(), 6).and_then(|digits| digits.to_units(6));
        if let Some(units) = short(text.as_bytes(), 6) {
            proptest::prop_assert_eq!(Ok(i128::from(units)), slowly);
        }
    }

    #[test]
    fn small_and_large_numbers_round_the_same_way(value in -1_000_000_000_i64..1_000_000_000, by in 1_i64..5_000) {
        // The same factor on both sides keeps the remainder and exceeds the range of the fast path.
        let by_far = i128::from(by) << 80;
        proptest::prop_assert_eq!(round_half_even(i128::from(value), i128::from(by)), round_half_even(i128::from(value) << 80, by_far));
    }
}

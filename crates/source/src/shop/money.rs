//! Payable units of a currency.

use kassa_model::decimal::round_half_even;

use super::words::MONIES;

/// The smallest payable amount in a currency, in 10^-6.
pub(super) fn minor(money: usize) -> i64 {
    10_i64.pow(6 - MONIES[money].digits)
}

/// `part` of `whole` of an amount, in payable units.
pub(super) fn share(amount: i64, part: i64, whole: i64, money: usize) -> i64 {
    let minor = minor(money);
    round_half_even(i128::from(amount) * i128::from(part), i128::from(whole) * i128::from(minor)) as i64 * minor
}

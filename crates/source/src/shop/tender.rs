//! The tenders of an order: payment methods and their amounts.

use super::money::minor;
use super::rng::Rng;
use super::words::Country;

/// A payment method.
#[derive(Debug)]
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) gateway: &'static str,
    /// Charged immediately, without an authorization.
    pub(super) at_once: bool,
    pub(super) instalments: u64,
}

const fn method(name: &'static str, gateway: &'static str, at_once: bool, instalments: u64) -> Method {
    Method { name, gateway, at_once, instalments }
}

pub(super) static CARD: Method = method("card", "stripe", false, 0);
static WALLET: Method = method("apple_pay", "stripe", false, 0);
static PAYPAL: Method = method("paypal", "paypal", true, 0);
static LATER: Method = method("klarna", "klarna", false, 3);
static IDEAL: Method = method("ideal", "mollie", true, 0);
static SWISH: Method = method("swish", "swish", true, 0);
static UPI: Method = method("upi", "razorpay", true, 0);
static GIFT_CARD: Method = method("gift_card", "shop", true, 0);

/// A part of an order's total and its payment. Amounts in 10^-6 of the order's currency.
#[derive(Debug)]
pub(super) struct Tender {
    pub(super) method: &'static Method,
    pub(super) amount: i64,
    /// The amount that was charged and not refunded.
    pub(super) taken: i64,
    /// The number of the latest payment, which a later one refers to.
    pub(super) latest: u64,
}

impl Tender {
    pub(super) fn drawn(country: &Country, total: i64, rng: &mut Rng) -> Vec<Self> {
        let local = match country.code {
            "NL" => &IDEAL,
            "SE" => &SWISH,
            "IN" => &UPI,
            _ => &PAYPAL,
        };
        let method = rng.choose(&[(50, &CARD), (18, &WALLET), (20, local), (12, &LATER)]);
        let tender = |method, amount| Self { method, amount, taken: 0, latest: 0 };
        let minor = minor(country.money);
        let by_card = total / minor / 3 * minor;
        if by_card > 0 && rng.permille(170) {
            return vec![tender(&GIFT_CARD, by_card), tender(method, total - by_card)];
        }
        vec![tender(method, total)]
    }
}

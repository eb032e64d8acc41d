//! Rates to the shop's currency, by day.

use std::collections::BTreeMap;

use kassa_model::{Amount, Currency, Rate};

/// The rates known so far. A fact takes the latest rate at or before its own day.
#[derive(Debug)]
pub struct Rates {
    reporting: Currency,
    known: BTreeMap<(Currency, i32), Rate>,
}

impl Rates {
    pub fn new(reporting: Currency) -> Self {
        Self { reporting, known: BTreeMap::new() }
    }

    /// Takes note of units of `quote` for one `base`; pairs that do not lead to the shop's currency are of no use here.
    pub fn learn(&mut self, base: Currency, quote: Currency, day: i32, rate: Rate) {
        if quote == self.reporting {
            self.known.insert((base, day), rate);
        }
    }

    pub fn rate(&self, currency: Currency, day: i32) -> Option<Rate> {
        if currency == self.reporting {
            return Some(Rate::from_units(Rate::ONE));
        }
        self.known.range((currency, i32::MIN)..=(currency, day)).next_back().map(|(_, rate)| *rate)
    }
}

/// Amounts in the shop's currency; all absent where there is no rate or the result would not fit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reporting {
    pub gross: Option<Amount>,
    pub discount: Option<Amount>,
    pub tax: Option<Amount>,
    pub shipping: Option<Amount>,
    /// gross − discount, so that the identity holds in the reporting currency too.
    pub net: Option<Amount>,
    pub rate: Option<Rate>,
}

impl Reporting {
    /// gross, discount, tax and shipping at a rate, each rounded once.
    pub fn of(amounts: [Amount; 4], rate: Option<Rate>) -> Self {
        let Some(rate) = rate else { return Self::default() };
        let converted = if rate.0 == Rate::ONE { amounts.map(Ok) } else { amounts.map(|amount| amount.at(rate)) };
        let [Ok(gross), Ok(discount), Ok(tax), Ok(shipping)] = converted else { return Self::default() };
        let Ok(net) = gross.minus(discount) else { return Self::default() };
        Self {
            gross: Some(gross),
            discount: Some(discount),
            tax: Some(tax),
            shipping: Some(shipping),
            net: Some(net),
            rate: Some(rate),
        }
    }
}

#[cfg(test)]
mod tests;

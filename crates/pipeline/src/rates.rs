//! Rates to the shop's currency, by day.

use std::collections::BTreeMap;

use kassa_model::{Amount, Currency, Rate};

/// The rates known so far. A fact takes the latest rate at or before its own day, of those that were taken in no later than the
/// fact itself: so a fact that is shaped again, for a sink that is behind, finds the rate that it found at first.
#[derive(Debug)]
pub struct Rates {
    reporting: Currency,
    /// With the time (µs UTC) that each was taken in, in the order of those: a day's rate may be corrected.
    known: BTreeMap<(Currency, i32), Vec<(i64, Rate)>>,
}

impl Rates {
    pub fn new(reporting: Currency) -> Self {
        Self { reporting, known: BTreeMap::new() }
    }

    /// Takes note of units of `quote` for one `base`; pairs that do not lead to the shop's currency are of no use here. A rate may be
    /// learnt again.
    pub fn learn(&mut self, base: Currency, quote: Currency, day: i32, rate: Rate, ingested_at: i64) {
        if quote == self.reporting {
            let of_day = self.known.entry((base, day)).or_default();
            let place = of_day.partition_point(|(held, _)| *held <= ingested_at);
            if place.checked_sub(1).is_none_or(|before| of_day[before] != (ingested_at, rate)) {
                of_day.insert(place, (ingested_at, rate));
            }
        }
    }

    /// The rate of a day for a fact that was taken in at that time.
    pub fn rate(&self, currency: Currency, day: i32, ingested_at: i64) -> Option<Rate> {
        if currency == self.reporting {
            return Some(Rate::from_units(Rate::ONE));
        }
        let mut days = self.known.range((currency, i32::MIN)..=(currency, day)).rev();
        days.find_map(|(_, of_day)| of_day.iter().rev().find(|(held, _)| *held <= ingested_at).map(|(_, rate)| *rate))
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

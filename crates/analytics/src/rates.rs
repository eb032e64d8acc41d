//! Rates to the shop's currency: the stated rates, and the one rate of each currency and day that follows from them.
//!
//! The rate of a day comes from the day itself or else from the last day within the 7 days before it that has one. On one day a stated rate
//! to the shop's currency comes first, then the inverse of the opposite one, then the product of two rates through a common currency (the
//! first by its code that gives a rate). A rate is rounded once, half-even, to 9 places. If a pair has several rates on one day, the one with
//! the greatest `occurred_at` counts, and of those the greatest rate. Nothing here depends on the order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::RecordBatch;
use hashbrown::HashMap;
use kassa_model::decimal::round_half_even;
use kassa_model::star::fact_fx_rate;
use kassa_model::time::{date_key, date_of};
use kassa_model::{Currency, Rate, Table};
use serde::{Deserialize, Serialize};

use crate::by_day::shift;
use crate::columns::{ApplyError, Columns};
use crate::shared::Shared;

/// A rate is valid on its own day and on this many days after it.
pub const RATE_DAYS: i32 = 7;

/// How the rate of a currency is derived from the rates of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derivation {
    /// The shop's own currency.
    Own,
    Direct,
    Inverse,
    /// Through a common currency.
    Through(Currency),
}

impl Derivation {
    pub fn name(self) -> &'static str {
        match self {
            Derivation::Own => "own",
            Derivation::Direct => "direct",
            Derivation::Inverse => "inverse",
            Derivation::Through(_) => "through",
        }
    }
}

/// Units of the shop's currency for one unit of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    pub rate: Rate,
    pub derivation: Derivation,
}

/// A currency, a day on which it has a rate, the day of the rate, and the rate.
pub type RateDay = (Currency, i32, i32, Resolved);

/// The stated rates of one day by (base, quote), each with the time at which it was stated.
type Stated = BTreeMap<(Currency, Currency), (i64, Rate)>;

/// Rates in a checkpoint: the day, the codes of base and quote, the time of the statement, the rate.
pub(crate) type SavedRates = Vec<(i32, String, String, i64, i64)>;

/// All rates stated so far. There are a few per day, so all are kept.
#[derive(Debug, Clone)]
pub struct Rates {
    own: Currency,
    stated: Shared<BTreeMap<i32, Stated>>,
    /// By currency and the day that a rate is of.
    resolved: Shared<HashMap<Currency, BTreeMap<i32, Resolved>>>,
}

impl Rates {
    /// The columns of `fact_fx_rate` that are read.
    pub const COLUMNS: &[&str] = &["base", "quote", "rate_date_key", "rate", "occurred_at"];

    /// To the shop's own currency.
    pub fn new(own: Currency) -> Self {
        Self { own, stated: Shared::default(), resolved: Shared::default() }
    }

    /// The stated rates; the resolved ones follow from them.
    pub(crate) fn saved(&self) -> SavedRates {
        let of_day = |(day, stated): (&i32, &Stated)| -> SavedRates {
            let one = |((base, quote), (at, rate)): (&(Currency, Currency), &(i64, Rate))| {
                (*day, base.code().to_owned(), quote.code().to_owned(), *at, rate.0)
            };
            stated.iter().map(one).collect()
        };
        self.stated.iter().flat_map(of_day).collect()
    }

    pub(crate) fn load(own: Currency, saved: SavedRates) -> Self {
        let mut rates = Self::new(own);
        for (day, base, quote, at, rate) in saved {
            if let Some(pair) = Currency::parse(&base).zip(Currency::parse(&quote)) {
                rates.stated.edit().entry(day).or_default().insert(pair, (at, Rate::from_units(rate)));
            }
        }
        let days: Vec<i32> = rates.stated.keys().copied().collect();
        days.into_iter().for_each(|day| rates.resolve(day));
        rates
    }

    /// Folds in rows of `fact_fx_rate`. Rows may come in any order and more than once.
    pub fn apply(&mut self, rows: &RecordBatch) -> Result<(), ApplyError> {
        let columns = Columns { table: Table::FactFxRate, rows };
        let (bases, quotes) = (columns.get(fact_fx_rate::base)?, columns.get(fact_fx_rate::quote)?);
        let (days, rates) = (columns.get(fact_fx_rate::rate_date_key)?, columns.get(fact_fx_rate::rate)?);
        let times = columns.get(fact_fx_rate::occurred_at)?;
        let (stated, mut touched) = (self.stated.edit(), BTreeSet::new());
        for row in 0..rows.num_rows() {
            let code = |text: Option<&str>| text.and_then(Currency::parse);
            let (Some(base), Some(quote)) = (code(bases.get(row)), code(quotes.get(row))) else { continue };
            let Some(rate) = rates.get(row)?.filter(|rate| *rate > 0 && base != quote) else { continue };
            let new = (times.value(row), Rate::from_units(rate));
            let held = stated.entry(days.value(row)).or_default().entry((base, quote)).or_insert(new);
            *held = new.max(*held);
            touched.insert(days.value(row));
        }
        touched.into_iter().for_each(|day| self.resolve(day));
        Ok(())
    }

    fn resolve(&mut self, day: i32) {
        let Some(stated) = self.stated.get(&day) else { return };
        let others: BTreeSet<Currency> = stated.keys().flat_map(|(base, quote)| [*base, *quote]).collect();
        for currency in others.iter().copied().filter(|currency| *currency != self.own) {
            let days = self.resolved.edit().entry(currency).or_default();
            match of_day(stated, &others, currency, self.own) {
                Some(resolved) => days.insert(day, resolved),
                None => days.remove(&day),
            };
        }
    }

    /// The rate of a currency on a day (yyyymmdd), and the day of that rate.
    pub fn on(&self, currency: Currency, day: i32) -> Option<(i32, Resolved)> {
        if currency == self.own {
            return Some((day, Resolved { rate: Rate::from_units(Rate::ONE), derivation: Derivation::Own }));
        }
        let (of, resolved) = self.resolved.get(&currency)?.range(..=day).next_back()?;
        (*of == day || *of >= shift(day, -RATE_DAYS)).then_some((*of, *resolved))
    }

    /// 10⁻⁹ units of the shop's currency for one unit of a coin's currency.
    pub(crate) fn of(&self, coin: Coin) -> Option<i64> {
        let currency = coin.currency()?;
        if currency == self.own {
            return Some(Rate::ONE);
        }
        self.on(currency, coin.day()).map(|(_, resolved)| resolved.rate.0)
    }

    /// The rates of every currency except the shop's own, on every day that has one. Sorted.
    pub fn each(&self) -> Vec<RateDay> {
        let mut all = Vec::new();
        for (currency, days) in self.resolved.iter() {
            for (of, resolved) in days {
                let next = days.range(of + 1..).next().map(|(day, _)| *day);
                let mut day = Some(*of);
                for _ in 0..=RATE_DAYS {
                    let Some(on) = day.filter(|day| next.is_none_or(|next| *day < next)) else { break };
                    all.push((*currency, on, *of, *resolved));
                    day = date_of(on).and_then(|date| date.tomorrow().ok()).map(date_key);
                }
            }
        }
        all.sort_unstable_by_key(|(currency, day, ..)| (*currency, *day));
        all
    }

    /// Bytes held, to within the allocator's rounding.
    pub(crate) fn size(&self) -> usize {
        let stated: usize = self.stated.values().map(Stated::len).sum();
        let resolved: usize = self.resolved.values().map(BTreeMap::len).sum();
        stated * size_of::<((Currency, Currency), (i64, Rate))>() + resolved * size_of::<(i32, Resolved)>()
    }
}

/// The rate between two currencies from the rates of one day.
fn of_day(stated: &Stated, others: &BTreeSet<Currency>, from: Currency, to: Currency) -> Option<Resolved> {
    // A rate as a fraction of two numbers, one of which is 1.
    let leg = |from, to| {
        let direct = stated.get(&(from, to)).map(|(_, rate)| (i128::from(rate.0), i128::from(Rate::ONE)));
        direct.or_else(|| stated.get(&(to, from)).map(|(_, rate)| (i128::from(Rate::ONE), i128::from(rate.0))))
    };
    if let Some((_, rate)) = stated.get(&(from, to)) {
        return Some(Resolved { rate: *rate, derivation: Derivation::Direct });
    }
    let one = i128::from(Rate::ONE);
    let inverse = stated.get(&(to, from)).and_then(|(_, rate)| usable(one * one, i128::from(rate.0)));
    let through = |common: &Currency| {
        let ((over_a, under_a), (over_b, under_b)) = leg(from, *common).zip(leg(*common, to))?;
        // Numbers below 10^18 each: cancel first, so that nothing overflows.
        let rate = match (under_a == one, under_b == one) {
            (true, _) => usable(over_a * over_b, under_b),
            (_, true) => usable(over_a * over_b, under_a),
            _ => usable(one * one * one, under_a * under_b),
        };
        rate.map(|rate| Resolved { rate, derivation: Derivation::Through(*common) })
    };
    let inverse = inverse.map(|rate| Resolved { rate, derivation: Derivation::Inverse });
    inverse.or_else(|| others.iter().filter(|common| **common != from && **common != to).find_map(through))
}

/// A quotient as a rate; `None` if it rounds to zero or has too many digits.
fn usable(over: i128, under: i128) -> Option<Rate> {
    Rate::from_scaled(round_half_even(over, under), 9).ok().filter(|rate| *rate > Rate::ZERO)
}

/// A currency on a day, which determines the rate. One word, because there are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub(crate) struct Coin(u32);

/// Years are counted from here; the shop's years are 1900 to 2199, a day more on either side.
const YEAR: i32 = 1_800;

impl Coin {
    /// The bits that are used.
    pub(crate) const BITS: u32 = 26;

    /// `day` is yyyymmdd.
    pub(crate) fn new(currency: Option<Currency>, day: i32) -> Self {
        let year = (day / 10_000 - YEAR).clamp(0, 511);
        let packed = u32::try_from(year << 9 | (day / 100 % 100) << 5 | (day % 100)).unwrap_or(0);
        Self(currency.map_or(0, |currency| u32::from(currency.place()) + 1) << 18 | packed)
    }

    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    pub(crate) fn currency(self) -> Option<Currency> {
        u8::try_from((self.0 >> 18).checked_sub(1)?).ok().and_then(Currency::at)
    }

    fn day(self) -> i32 {
        let part = |shift: u32, mask: u32| i32::try_from(self.0 >> shift & mask).unwrap_or(0);
        (part(9, 511) + YEAR) * 10_000 + part(5, 15) * 100 + part(0, 31)
    }
}

/// Money in the shop's currency, 10⁻¹⁵: an amount of 6 places times a rate of 9, so that nothing is rounded before display.
pub(crate) const EXACT: i128 = 1_000_000_000;

/// An amount (10⁻⁶) at a rate, exact.
pub(crate) fn exact(amount: i128, rate: i64) -> i128 {
    amount.saturating_mul(i128::from(rate))
}

#[cfg(test)]
mod tests;

//! Amounts in the shop's currency follow from the row's own amounts and a rate that was known.

use std::collections::BTreeMap;

use arrow_array::{Array, RecordBatch};
use kassa_model::time::SECOND;
use kassa_model::{Amount, Currency, Rate, Table};

use super::finding::{Kind, Site};
use super::held::Lineage;
use super::parts::at;
use super::{Prover, columns};
use crate::delta::LogError;

/// A rate that came so long (µs) before a fact was there when the fact was shaped, however slow the disk.
const SURELY: i64 = 30 * SECOND;

#[derive(Debug, Clone, Copy)]
struct Entry {
    day: i32,
    /// 10⁻⁹
    rate: i128,
    /// µs UTC; that of a dead letter that was accepted later is not known.
    came_at: Option<i64>,
}

/// The rates to the shop's currency, by the other one.
#[derive(Debug)]
pub(super) struct Known {
    own: Currency,
    rates: BTreeMap<String, Vec<Entry>>,
    is_sorted: bool,
}

impl Known {
    pub(super) fn new(own: Currency) -> Self {
        Self { own, rates: BTreeMap::new(), is_sorted: false }
    }

    /// The rate that a fact must have found at least, and whether it may have this one.
    fn judge(&mut self, currency: &str, day: i32, ingested_at: i64, rate: Option<i128>) -> (Option<i128>, bool) {
        if currency == self.own.code() {
            let one = i128::from(Rate::ONE);
            return (Some(one), rate == Some(one));
        }
        if !self.is_sorted {
            self.rates.values_mut().for_each(|entries| entries.sort_by_key(|entry| entry.day));
            self.is_sorted = true;
        }
        let Some(entries) = self.rates.get(currency) else { return (None, rate.is_none()) };
        let mut taken = false;
        let mut sure: Option<Entry> = None;
        for entry in entries[..entries.partition_point(|entry| entry.day <= day)].iter().rev() {
            if sure.is_some_and(|sure| entry.day < sure.day) {
                break;
            }
            taken |= rate == Some(entry.rate);
            sure = sure.or(Some(*entry).filter(|entry| entry.came_at.is_some_and(|came| came + SURELY < ingested_at)));
        }
        (sure.map(|sure| sure.rate), if rate.is_some() { taken } else { sure.is_none() })
    }
}

/// Currency, day, amounts and the same in the shop's currency, where a fact has them.
struct Money {
    currency: &'static str,
    day: &'static str,
    amounts: &'static [(&'static str, &'static str)],
}

fn money(table: Table) -> Option<Money> {
    let (currency, day): (&str, &str) = match table {
        Table::FactSales => ("currency", "movement_date_key"),
        Table::FactOrder => ("currency", "order_date_key"),
        Table::FactPayment => ("currency", "payment_date_key"),
        _ => return None,
    };
    let amounts: &[(&str, &str)] = match table {
        Table::FactSales => &[
            ("gross_amount", "gross_amount_reporting"),
            ("discount_amount", "discount_amount_reporting"),
            ("tax_amount", "tax_amount_reporting"),
            ("shipping_amount", "shipping_amount_reporting"),
        ],
        Table::FactOrder => &[("duty", "duty_reporting")],
        _ => &[("amount", "amount_reporting")],
    };
    Some(Money { currency, day, amounts })
}

/// An amount (10⁻⁶) at a rate; nothing where it does not fit.
fn convert(amount: Option<i128>, rate: Option<i128>) -> Option<i128> {
    let rate = Rate::from_scaled(rate?, 9).ok()?;
    Amount::from_scaled(amount?, 6).ok()?.at(rate).ok().map(|amount| i128::from(amount.0))
}

impl Prover<'_> {
    pub(super) fn rates(&mut self, table: Table, rows: &RecordBatch) -> Result<(), LogError> {
        if table == Table::FactFxRate {
            return self.learn(rows);
        }
        let Some(money) = money(table) else { return Ok(()) };
        let (currencies, days) = (columns::texts(rows, money.currency)?, columns::ints(rows, money.day)?);
        let (ingested, lineage) = (columns::micros(rows, "ingested_at")?, Lineage::new(table, rows)?);
        for row in 0..rows.num_rows() {
            let rate = columns::units(rows, "fx_rate", row);
            let follows = if currencies.is_null(row) {
                rate.is_none() && money.amounts.iter().all(|(_, reporting)| columns::units(rows, reporting, row).is_none())
            } else {
                let (sure, lawful) = self.rates.judge(currencies.value(row), days.value(row), ingested.value(row), rate);
                (lawful || (rate.is_none() && overflows(table, &money, rows, row, sure)))
                    && converted(table, &money, rows, row, rate)
            };
            let part = self.parts.number(lineage.topics.value(row), lineage.numbers.value(row));
            let offset = lineage.offsets.value(row);
            if !follows && offset < self.parts[part].cut {
                let detail = "the amounts in the shop's currency do not follow from the row's own and a rate of its day";
                self.findings.mark(Kind::Altered, Site::Table(table), part, offset, detail);
            }
        }
        Ok(())
    }

    fn learn(&mut self, rows: &RecordBatch) -> Result<(), LogError> {
        let (bases, quotes) = (columns::texts(rows, "base")?, columns::texts(rows, "quote")?);
        let (days, ingested) = (columns::ints(rows, "rate_date_key")?, columns::micros(rows, "ingested_at")?);
        let lineage = Lineage::new(Table::FactFxRate, rows)?;
        for row in (0..rows.num_rows()).filter(|row| quotes.value(*row) == self.subject.shop.currency.code()) {
            let part = self.parts.number(lineage.topics.value(row), lineage.numbers.value(row));
            let late = self.parts[part].replayed.contains(at(lineage.offsets.value(row)));
            let Some(rate) = columns::units(rows, "rate", row) else { continue };
            let entry = Entry { day: days.value(row), rate, came_at: (!late).then(|| ingested.value(row)) };
            self.rates.rates.entry(bases.value(row).to_owned()).or_default().push(entry);
        }
        Ok(())
    }
}

/// The ledger has all amounts at the rate or, where one does not fit, none and no rate.
fn overflows(table: Table, money: &Money, rows: &RecordBatch, row: usize, rate: Option<i128>) -> bool {
    let fits = |(own, _): &(&str, &str)| convert(columns::units(rows, own, row), rate).is_some();
    table == Table::FactSales && rate.is_some() && !money.amounts.iter().all(fits)
}

fn converted(table: Table, money: &Money, rows: &RecordBatch, row: usize, rate: Option<i128>) -> bool {
    let cell = |name: &str| columns::units(rows, name, row);
    let each = money.amounts.iter().all(|(own, reporting)| convert(cell(own), rate) == cell(reporting));
    let net = cell("gross_amount_reporting").zip(cell("discount_amount_reporting")).map(|(gross, discount)| gross - discount);
    each && (table != Table::FactSales || net == cell("net_amount_reporting"))
}

//! Rows of orders' headers and of payments into state.

use kassa_model::Currency;
use kassa_model::key::Keyring;
use kassa_model::star::{fact_order, fact_payment, lineage};

use super::Figures;
use crate::columns::{ApplyError, Columns, Texts};
use crate::duties::Header;
use crate::names::Symbols;
use crate::payments::{Flow, Payment, Place, is_successful};
use crate::rates::Coin;

pub(super) const ORDER: &[&str] = &[
    "order_key",
    "revision",
    "occurred_at",
    "placed_at",
    "customer_key",
    "channel_key",
    "ship_country_key",
    "currency",
    "duty",
    "is_test",
    "is_future",
];

pub(super) const PAYMENT: &[&str] = &[
    "payment_id",
    "kind",
    "parent_id",
    "status",
    "payment_method_key",
    "occurred_at",
    "currency",
    "amount",
    "is_test",
    "is_future",
    "store_id",
];

pub(super) fn symbols(symbols: &mut Symbols, texts: Texts<'_>, rows: usize) -> Result<Vec<u32>, ApplyError> {
    texts.each(rows, |text| Ok(symbols.id(text.unwrap_or_default())))
}

/// By what a payment and its parent find each other. Who sends ids must not find two with one hash, as of xxh3: of this function no
/// faster way than trying is known.
pub(super) fn payment_hash(store: Option<&str>, id: &str) -> u64 {
    Keyring::unkeyed([0; 16]).id("payment", &[store.unwrap_or_default(), id]).short()
}

/// Currencies as symbols, for the keys of answers, and as currency values.
pub(super) fn currencies(
    symbols: &mut Symbols,
    texts: Texts<'_>,
    rows: usize,
) -> Result<Vec<(u32, Option<Currency>)>, ApplyError> {
    texts.each(rows, |text| Ok((symbols.id(text.unwrap_or_default()), text.and_then(Currency::parse))))
}

impl Figures {
    pub(super) fn apply_orders(&mut self, columns: &Columns<'_>) -> Result<(), ApplyError> {
        let rows = columns.rows.num_rows();
        let currencies = currencies(&mut self.names.symbols, columns.get(fact_order::currency)?, rows)?;
        let (orders, revisions) = (columns.get(fact_order::order_key)?, columns.get(fact_order::revision)?);
        let (occurred_at, placed_at) = (columns.get(fact_order::occurred_at)?, columns.get(fact_order::placed_at)?);
        let (customers, channels) = (columns.get(fact_order::customer_key)?, columns.get(fact_order::channel_key)?);
        let (countries, is_test) = (columns.get(fact_order::ship_country_key)?, columns.get(fact_order::is_test)?);
        let (duties, is_future) = (columns.get(fact_order::duty)?, columns.get(fact_order::is_future)?);
        for row in (0..rows).filter(|row| !is_test.value(*row)) {
            let placed = self.calendars[0].local(placed_at.value(row));
            let (currency, code) = currencies[row];
            let members = &mut self.names.members;
            let header = Header {
                revision: revisions.value(row),
                placed_at: placed_at.value(row),
                duty: duties.get(row)?.unwrap_or_default(),
                country: members.id(countries.value(row)),
                customer: members.id(customers.value(row)),
                channel: members.id(channels.value(row)),
                currency,
                coin: Coin::new(code, placed.date_key),
            };
            self.duties.add(orders.value(row), header);
            self.persons.see(customers.value(row), placed, &mut self.recent);
            self.saw(occurred_at.value(row), placed.date_key, is_future.value(row));
        }
        Ok(())
    }

    pub(super) fn apply_payments(&mut self, columns: &Columns<'_>) -> Result<(), ApplyError> {
        let rows = columns.rows.num_rows();
        let currencies = currencies(&mut self.names.symbols, columns.get(fact_payment::currency)?, rows)?;
        let statuses = symbols(&mut self.names.symbols, columns.get(fact_payment::status)?, rows)?;
        let successes: Result<_, ApplyError> = columns.get(fact_payment::status)?.each(rows, |status| Ok(is_successful(status)));
        let successes: Vec<bool> = successes?;
        let flows: Result<_, ApplyError> =
            columns.get(fact_payment::kind)?.each(rows, |kind| Ok(Flow::of(kind.unwrap_or_default())));
        let flows: Vec<Flow> = flows?;
        let (ids, parents, stores) =
            (columns.get(fact_payment::payment_id)?, columns.get(fact_payment::parent_id)?, columns.get(lineage::store_id)?);
        let (methods, occurred_at) = (columns.get(fact_payment::payment_method_key)?, columns.get(fact_payment::occurred_at)?);
        let (amounts, is_test) = (columns.get(fact_payment::amount)?, columns.get(fact_payment::is_test)?);
        let is_future = columns.get(fact_payment::is_future)?;
        for row in (0..rows).filter(|row| !is_test.value(*row)) {
            let day = self.calendars[1].date_key(occurred_at.value(row));
            self.saw(occurred_at.value(row), day, is_future.value(row));
            if !successes[row] || flows[row] == Flow::None {
                continue;
            }
            let named = |id: &str| payment_hash(stores.get(row), id);
            let method = self.names.members.id(methods.value(row));
            let (currency, code) = currencies[row];
            let place = Place { method, status: statuses[row], currency, coin: Coin::new(code, day) };
            let payment = Payment { day, place, amount: amounts.get(row)?.unwrap_or_default() };
            let parent = parents.get(row).filter(|id| !id.is_empty()).map(named);
            self.payments.add(flows[row], named(ids.get(row).unwrap_or_default()), parent, payment);
        }
        Ok(())
    }
}

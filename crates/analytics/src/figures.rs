//! The state behind every figure.

mod ask;
mod asked;
mod behaviour;
mod dimensions;
mod ledger;
mod money;
mod saved;
mod wanted;
mod watermark;

use arrow_array::RecordBatch;
use kassa_model::star::{dim_channel, dim_customer, dim_payment_method};
use kassa_model::time::{Calendar, DAY, Local};
use kassa_model::{Shop, Table};

use self::asked::Asked;
pub use self::wanted::{Kin, Times, Wanted};
use self::watermark::Watermark;
use crate::columns::{ApplyError, Columns};
use crate::duties::Duties;
use crate::names::Names;
use crate::orders::Orders;
use crate::payments::Payments;
use crate::persons::Persons;
use crate::query::Query;
use crate::rates::Rates;
use crate::recent::Recent;
use crate::sales::Sales;
use crate::sessions::Sessions;

/// A session is packed this long after its end, by the watermark: few events come later than that.
const OPEN: i64 = 2 * DAY;

/// The state from which all figures of a shop are computed, folded in row by row.
///
/// A clone is a snapshot. It costs a reference for each day and each part of a table: some 100 µs for a year. Clones share
/// unchanged parts.
#[derive(Debug, Clone)]
pub struct Figures {
    shop: Shop,
    names: Names,
    sales: Sales,
    orders: Orders,
    duties: Duties,
    payments: Payments,
    rates: Rates,
    sessions: Sessions,
    persons: Persons,
    recent: Recent,
    /// For times of order and for all others.
    calendars: [Calendar; 2],
    watermark: Watermark,
    first_day: Option<i32>,
    /// `None`: any query may be answered.
    asked: Option<Asked>,
}

impl Figures {
    /// The form in which figures are saved. Saved figures of another form cannot be loaded: they are made anew from the rows.
    pub const FORM: u32 = 4;

    pub fn new(shop: &Shop) -> Self {
        Self {
            shop: shop.clone(),
            names: Names::default(),
            sales: Sales::default(),
            orders: Orders::new(shop.calendar()),
            duties: Duties::new(shop.calendar()),
            payments: Payments::default(),
            rates: Rates::new(shop.currency),
            sessions: Sessions::new(shop.calendar()),
            persons: Persons::default(),
            recent: Recent::default(),
            calendars: [shop.calendar(), shop.calendar()],
            watermark: Watermark::default(),
            first_day: None,
            asked: None,
        }
    }

    /// State for one query: unneeded tables and times are skipped, so only this query may be answered.
    pub fn asked(shop: &Shop, query: &Query) -> Self {
        Self { asked: Some(Asked::of(shop, query)), ..Self::new(shop) }
    }

    /// Folds in rows of a table as stored in the lake. Each row must be given once; order and batch size do not matter. If a
    /// batch fails, the rows before the failing one may have been added.
    pub fn apply(&mut self, table: Table, rows: &RecordBatch) -> Result<(), ApplyError> {
        let columns = Columns { table, rows };
        let applied = match table {
            _ if !self.is_needed(table) => self.apply_times(&columns),
            Table::FactSales if self.is_of_order_days() => self.apply_order_days(&columns),
            Table::FactSales => self.apply_sales(&columns),
            Table::FactOrder => self.apply_orders(&columns),
            Table::FactPayment => self.apply_payments(&columns),
            Table::FactEvent => self.apply_events(&columns),
            Table::FactFxRate => self.rates.apply(rows),
            Table::DimProduct => self.names.apply_products(&columns),
            Table::DimCategory => self.names.apply_categories(&columns),
            Table::DimCountry => self.names.apply_countries(&columns),
            Table::DimCustomer => self.names.apply_plain(&columns, dim_customer::customer_key, dim_customer::customer_id),
            Table::DimChannel => self.names.apply_plain(&columns, dim_channel::channel_key, dim_channel::name),
            Table::DimPaymentMethod => {
                self.names.apply_plain(&columns, dim_payment_method::payment_method_key, dim_payment_method::name)
            }
            _ => Ok(()),
        };
        self.turn_the_day();
        applied
    }

    /// The columns of a table that [`Figures::apply`] reads for any query; none if it does not read the table.
    pub fn columns(table: Table) -> &'static [&'static str] {
        match table {
            Table::FactSales => ledger::SALES,
            Table::FactOrder => money::ORDER,
            Table::FactPayment => money::PAYMENT,
            Table::FactEvent => behaviour::EVENT,
            Table::FactFxRate => Rates::COLUMNS,
            Table::DimProduct => dimensions::PRODUCT,
            Table::DimCategory => &["category_key", "path"],
            Table::DimCountry => &["country_key", "code", "name"],
            Table::DimCustomer => &["customer_key", "customer_id"],
            Table::DimChannel => &["channel_key", "name"],
            Table::DimPaymentMethod => &["payment_method_key", "name"],
            _ => &[],
        }
    }

    /// The watermark: the latest event time that is not ahead of the clock, of a row that is not flagged as future; µs UTC.
    pub fn event_time(&self) -> Option<i64> {
        self.watermark.time()
    }

    /// Takes note of the clock (µs UTC): from now on times more than [`kassa_model::time::AHEAD`] later do not move the watermark.
    /// `true` if the watermark moved. Without it every time is plausible.
    pub fn set_now(&mut self, now: i64) -> bool {
        self.watermark.set_now(now)
    }

    /// The latest time, µs UTC, that moves the watermark.
    pub fn plausible_until(&self) -> i64 {
        self.watermark.until()
    }

    /// The latest time of the rows that are ahead of the clock, if there are any. They are on their own days.
    pub(crate) fn ahead_to(&self) -> Option<i64> {
        self.watermark.furthest()
    }

    pub(crate) fn shop(&self) -> &Shop {
        &self.shop
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    pub(crate) fn sales(&self) -> &Sales {
        &self.sales
    }

    pub(crate) fn rates(&self) -> &Rates {
        &self.rates
    }

    pub(crate) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// The first day of the shop's records.
    pub(crate) fn first_day(&self) -> Option<i32> {
        self.first_day
    }

    /// The watermark as the shop's local time.
    pub(crate) fn today(&self) -> Option<Local> {
        self.event_time().map(|at| self.shop.calendar().local(at))
    }

    /// Drops the minutes of days that are no longer near the watermark.
    fn turn_the_day(&mut self) {
        let Some(now) = self.event_time() else { return };
        let has_turned = self.recent.advance(self.calendars[1].date_key(now));
        if has_turned {
            self.persons.settle(self.recent.from());
            self.sales.settle(self.recent.from());
        }
        if has_turned || self.sessions.is_crowded() {
            self.sessions.pack(now.saturating_sub(OPEN));
        }
    }

    /// Advances the watermark, if the row may.
    fn saw(&mut self, at: i64, day: i32, is_future: bool) {
        self.watermark.saw(at, is_future);
        self.first_day = Some(self.first_day.map_or(day, |first| first.min(day)));
    }

    /// The memory of each part, except for the allocator's rounding. Takes some milliseconds with millions of sessions: call it
    /// on a snapshot.
    pub fn sizes(&self) -> [(&'static str, usize); 9] {
        [
            ("figures.names", self.names.size()),
            ("figures.sales", self.sales.size()),
            ("figures.orders", self.orders.size()),
            ("figures.duties", self.duties.size()),
            ("figures.payments", self.payments.size()),
            ("figures.rates", self.rates.size()),
            ("figures.sessions", self.sessions.size()),
            ("figures.persons", self.persons.size()),
            ("figures.recent", self.recent.size()),
        ]
    }
}

pub(crate) use self::saved::unset;

#[cfg(test)]
mod tests;

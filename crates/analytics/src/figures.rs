//! The state behind every figure.

mod ask;
mod dimensions;
mod facts;

use arrow_array::RecordBatch;
use kassa_model::time::Calendar;
use kassa_model::{Shop, Table};

use crate::columns::{ApplyError, Columns};
use crate::names::Names;
use crate::orders::Orders;
use crate::sales::Sales;

/// Everything that the figures of a shop are taken from, folded in row by row.
#[derive(Debug, Clone)]
pub struct Figures {
    shop: Shop,
    names: Names,
    sales: Sales,
    orders: Orders,
    calendars: [Calendar; 2],
    event_time: Option<i64>,
    first_day: Option<i32>,
}

impl Figures {
    pub fn new(shop: &Shop) -> Self {
        Self {
            shop: shop.clone(),
            names: Names::default(),
            sales: Sales::default(),
            orders: Orders::new(shop.calendar()),
            calendars: [shop.calendar(), shop.calendar()],
            event_time: None,
            first_day: None,
        }
    }

    /// Folds in rows of a table as the lake stores them. Each row is to be given once; order and split do not matter. Of a batch
    /// that fails, the rows before the failing one may have been taken in.
    pub fn apply(&mut self, table: Table, rows: &RecordBatch) -> Result<(), ApplyError> {
        let columns = Columns { table, rows };
        match table {
            Table::FactSales => self.apply_sales(&columns),
            Table::DimProduct => self.names.apply_products(&columns),
            Table::DimCategory => self.names.apply_categories(&columns),
            Table::DimCountry => self.names.apply_countries(&columns),
            Table::DimCustomer => self.names.apply_plain(&columns, "customer_key", "customer_id"),
            Table::DimChannel => self.names.apply_plain(&columns, "channel_key", "name"),
            Table::DimPaymentMethod => self.names.apply_plain(&columns, "payment_method_key", "name"),
            _ => Ok(()),
        }
    }

    /// The columns that [`Figures::apply`] reads of a table; none if it needs nothing of it.
    pub fn columns(table: Table) -> &'static [&'static str] {
        match table {
            Table::FactSales => facts::SALES,
            Table::DimProduct => dimensions::PRODUCT,
            Table::DimCategory => &["category_key", "path"],
            Table::DimCountry => &["country_key", "code", "name"],
            Table::DimCustomer => &["customer_key", "customer_id"],
            Table::DimChannel => &["channel_key", "name"],
            Table::DimPaymentMethod => &["payment_method_key", "name"],
            _ => &[],
        }
    }

    /// The watermark: the latest event time of a row that is not flagged as lying in the future, µs UTC.
    pub fn event_time(&self) -> Option<i64> {
        self.event_time
    }

    /// Bytes held, to within the allocator's rounding and what names take.
    pub fn size(&self) -> usize {
        self.sales.size() + self.orders.size()
    }
}

#[cfg(test)]
mod tests;

//! Rows of the sales ledger into state.

use kassa_model::Movement;
use kassa_model::star::fact_sales;

use super::Figures;
use super::money::currencies;
use crate::cells::Sums;
use crate::columns::{ApplyError, Columns, Decimals};
use crate::names::Memo;
use crate::rates::Coin;
use crate::run::{Head, Run};

pub(super) const SALES: &[&str] = &[
    "order_key",
    "movement",
    "ordered_at",
    "moved_at",
    "customer_key",
    "product_key",
    "channel_key",
    "ship_country_key",
    "currency",
    "quantity",
    "gross_amount",
    "discount_amount",
    "tax_amount",
    "shipping_amount",
    "net_amount",
    "is_test",
    "is_future",
];

/// Columns that determine on which days each customer ordered.
pub(super) const ORDER_DAYS: &[&str] =
    &["order_key", "movement", "ordered_at", "moved_at", "customer_key", "is_test", "is_future"];

/// The ledger's amount columns, each in its own currency.
struct Money<'a> {
    gross: Decimals<'a>,
    discount: Decimals<'a>,
    tax: Decimals<'a>,
    shipping: Decimals<'a>,
    net: Decimals<'a>,
}

impl<'a> Money<'a> {
    fn of(columns: &Columns<'a>) -> Result<Self, ApplyError> {
        Ok(Self {
            gross: columns.get(fact_sales::gross_amount)?,
            discount: columns.get(fact_sales::discount_amount)?,
            tax: columns.get(fact_sales::tax_amount)?,
            shipping: columns.get(fact_sales::shipping_amount)?,
            net: columns.get(fact_sales::net_amount)?,
        })
    }

    fn get(&self, row: usize) -> Result<Sums, ApplyError> {
        let amount = |of: &Decimals<'_>| of.get(row).map(Option::unwrap_or_default);
        let [gross, discount, net] = [amount(&self.gross)?, amount(&self.discount)?, amount(&self.net)?];
        Ok(Sums { gross, discount, net, tax: amount(&self.tax)?, shipping: amount(&self.shipping)?, units: 0 })
    }
}

fn movements(columns: &Columns<'_>) -> Result<Vec<Movement>, ApplyError> {
    columns.get(fact_sales::movement)?.each(columns.rows.num_rows(), |text| {
        text.and_then(Movement::parse).ok_or_else(|| ApplyError::UnknownValue {
            table: "fact_sales",
            column: "movement",
            value: text.unwrap_or_default().to_owned(),
        })
    })
}

impl Figures {
    pub(super) fn apply_sales(&mut self, columns: &Columns<'_>) -> Result<(), ApplyError> {
        let rows = columns.rows.num_rows();
        let movements = movements(columns)?;
        let currencies = currencies(&mut self.names.symbols, columns.get(fact_sales::currency)?, rows)?;
        let (orders, ordered_at, moved_at) =
            (columns.get(fact_sales::order_key)?, columns.get(fact_sales::ordered_at)?, columns.get(fact_sales::moved_at)?);
        let (products, customers) = (columns.get(fact_sales::product_key)?, columns.get(fact_sales::customer_key)?);
        let (countries, channels) = (columns.get(fact_sales::ship_country_key)?, columns.get(fact_sales::channel_key)?);
        let (quantities, money) = (columns.get(fact_sales::quantity)?, Money::of(columns)?);
        let (is_test, is_future) = (columns.get(fact_sales::is_test)?, columns.get(fact_sales::is_future)?);
        let [mut product, mut customer, mut country, mut channel] = [(); 4].map(|()| Memo::default());
        let mut run: Option<Run> = None;
        for row in (0..rows).filter(|row| !is_test.value(*row)) {
            let moved = self.calendars[1].local(moved_at.value(row));
            let (currency, code) = currencies[row];
            let members = &mut self.names.members;
            let head = Head {
                order_key: orders.value(row),
                customer_key: customers.value(row),
                movement: movements[row],
                ordered_at: ordered_at.value(row),
                ordered: self.calendars[0].local(ordered_at.value(row)),
                moved,
                customer: customer.id(members, customers.value(row)),
                country: country.id(members, countries.value(row)),
                channel: channel.id(members, channels.value(row)),
                currency,
                coin: Coin::new(code, moved.date_key),
            };
            let product = product.id(members, products.value(row));
            let sums = Sums { units: quantities.get(row)?.unwrap_or_default(), ..money.get(row)? };
            self.sales.add_product(&head, product, &sums);
            self.recent.add_product(&head, product, &sums);
            if !run.as_mut().is_some_and(|run| run.extend(&head, product, &sums)) {
                self.add_run(run.replace(Run::new(head, product, sums)));
            }
            self.saw(moved_at.value(row), head.moved.date_key, is_future.value(row));
        }
        self.add_run(run);
        Ok(())
    }

    fn add_run(&mut self, run: Option<Run>) {
        let Some(run) = run else { return };
        self.sales.add(&run);
        self.recent.add(&run);
        if run.head.movement == Movement::Sale {
            self.persons.see(run.head.customer_key, run.head.ordered, &mut self.recent);
            if let Some(dated) = self.orders.add(&run) {
                self.recent.add_order(dated);
            }
        }
    }

    /// Reads only orders, times and customers from the ledger.
    pub(super) fn apply_order_days(&mut self, columns: &Columns<'_>) -> Result<(), ApplyError> {
        let movements = movements(columns)?;
        let (orders, customers) = (columns.get(fact_sales::order_key)?, columns.get(fact_sales::customer_key)?);
        let (ordered_at, moved_at) = (columns.get(fact_sales::ordered_at)?, columns.get(fact_sales::moved_at)?);
        let (is_test, is_future) = (columns.get(fact_sales::is_test)?, columns.get(fact_sales::is_future)?);
        let mut customer = Memo::default();
        for row in (0..movements.len()).filter(|row| !is_test.value(*row)) {
            let moved = self.calendars[1].local(moved_at.value(row));
            self.saw(moved_at.value(row), moved.date_key, is_future.value(row));
            if movements[row] != Movement::Sale {
                continue;
            }
            let head = Head {
                order_key: orders.value(row),
                customer_key: customers.value(row),
                movement: movements[row],
                ordered_at: ordered_at.value(row),
                ordered: self.calendars[0].local(ordered_at.value(row)),
                moved,
                customer: customer.id(&mut self.names.members, customers.value(row)),
                country: 0,
                channel: 0,
                currency: 0,
                coin: Coin::default(),
            };
            self.orders.add(&Run { head, sums: Sums::default(), rows: 1, products: Vec::new() });
        }
        Ok(())
    }
}

//! The lake's tables and views, in the SQL of DataFusion.

use super::Dialect;
use crate::grouping::{Basis, By};
use crate::measure::Column;

/// DataFusion over the tables and views of `kassa sql`.
#[derive(Debug, Clone)]
pub struct Lake {
    zone: String,
}

impl Lake {
    /// `zone` is the shop's time zone, in which hours are computed.
    pub fn new(zone: &str) -> Self {
        Self { zone: zone.to_owned() }
    }
}

impl Default for Lake {
    fn default() -> Self {
        Self::new("UTC")
    }
}

/// A column of `fact_sales_reporting`; money is in the shop's currency.
pub(super) fn stored(column: Column) -> String {
    let name = column.name();
    if column.is_money() { format!("{name}_reporting") } else { name.to_owned() }
}

/// The day and time columns of a basis.
pub(super) fn dated(basis: Basis) -> [&'static str; 2] {
    match basis {
        Basis::Movement => ["movement_date_key", "moved_at"],
        Basis::Order => ["order_date_key", "ordered_at"],
    }
}

impl Dialect for Lake {
    fn ledger(&self, basis: Basis) -> String {
        let [day, at] = dated(basis);
        format!(
            "(SELECT movement, {day} AS day, {at} AS at, order_key, customer_key, product_key, ship_country_key AS country_key, channel_key, currency, quantity, \
             gross_amount_reporting AS gross, discount_amount_reporting AS discount, tax_amount_reporting AS tax, shipping_amount_reporting AS shipping, \
             net_amount_reporting AS net FROM fact_sales_reporting WHERE NOT is_test) l"
        )
    }

    fn duties(&self) -> String {
        "(SELECT order_date_key AS day, placed_at AS at, customer_key, ship_country_key AS country_key, channel_key, currency, duty_reporting AS value FROM (\
         SELECT *, ROW_NUMBER() OVER (PARTITION BY order_key ORDER BY revision DESC, placed_at DESC, COALESCE(duty, 0) DESC) AS nth \
         FROM fact_order_reporting WHERE NOT is_test) r WHERE nth = 1 AND duty <> 0) d"
            .to_owned()
    }

    fn members(&self, by: By) -> String {
        members(by, "dim_product_current")
    }

    fn period(&self, by: By) -> (String, String) {
        let local = format!("to_local_time(at AT TIME ZONE '{}')", self.zone);
        let group = match by {
            By::Hour => format!("to_char(date_trunc('hour', {local}), '%Y-%m-%dT%H')"),
            By::QuarterHour => format!("to_char(date_bin(INTERVAL '15 minutes', {local}), '%Y-%m-%dT%H:%M')"),
            By::Week => "to_char(to_date(CAST(day AS VARCHAR), '%Y%m%d'), '%G-W%V')".to_owned(),
            by => day_or_month(by, "CAST(day AS VARCHAR)"),
        };
        (group, "g".to_owned())
    }

    /// Cut to 15 places, so that it can later be rounded to fewer places exactly.
    fn quotient(&self, part: &str, whole: &str) -> String {
        format!("CASE WHEN {whole} > 0 THEN CAST(CAST({part} AS DECIMAL(38, 15)) / {whole} AS DECIMAL(38, 15)) END")
    }
}

/// The key of a day, or of its month, from yyyymmdd as text.
pub(super) fn day_or_month(by: By, digits: &str) -> String {
    let month = format!("substr({digits}, 1, 4) || '-' || substr({digits}, 5, 2)");
    if by == By::Month { month } else { format!("{month} || '-' || substr({digits}, 7, 2)") }
}

/// `products` is a relation with one row per product.
pub(super) fn members(by: By, products: &str) -> String {
    match by {
        By::Product => {
            format!(
                "(SELECT product_key AS member, product_id AS key, COALESCE(NULLIF(name, ''), product_id) AS label FROM {products})"
            )
        }
        By::Category => format!(
            "(SELECT p.product_key AS member, c.top AS key, c.top AS label FROM {products} p \
             JOIN (SELECT category_key, MIN(TRIM(split_part(path, '>', 1))) AS top FROM dim_category GROUP BY category_key) c \
             ON c.category_key = p.category_key WHERE c.top <> '')"
        ),
        By::Country => {
            "(SELECT country_key AS member, MIN(code) AS key, MIN(name) AS label FROM dim_country GROUP BY country_key)"
                .to_owned()
        }
        By::Customer => plain("dim_customer", "customer_key", "customer_id"),
        _ => plain("dim_channel", "channel_key", "name"),
    }
}

fn plain(table: &str, key: &str, name: &str) -> String {
    format!("(SELECT {key} AS member, MIN({name}) AS key, MIN({name}) AS label FROM {table} GROUP BY {key})")
}

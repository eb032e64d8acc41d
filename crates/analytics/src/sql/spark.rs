//! The lake's tables only, in the SQL of Spark: the tables are registered by their names, as temporary views or in a catalogue.

use super::Dialect;
use super::lake::{dated, day_or_month, members};
use crate::grouping::{Basis, By};

/// Spark SQL over tables of the lake. The session's time zone is UTC.
#[derive(Debug, Clone)]
pub struct Spark {
    zone: String,
}

impl Spark {
    /// `zone` is the shop's time zone, in which hours are computed.
    pub fn new(zone: &str) -> Self {
        Self { zone: zone.to_owned() }
    }
}

const PRODUCTS: &str = "(SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY product_key ORDER BY is_placeholder, valid_from DESC, source_topic DESC, \
     source_partition DESC, source_offset DESC, source_index DESC) AS nth FROM dim_product) WHERE nth = 1)";

impl Dialect for Spark {
    fn ledger(&self, basis: Basis) -> String {
        let [day, at] = dated(basis);
        format!(
            "(SELECT f.movement, f.{day} AS day, f.{at} AS at, f.order_key, f.customer_key, f.product_key, f.ship_country_key AS country_key, f.channel_key, f.currency, \
             f.quantity, f.gross_amount * r.rate AS gross, f.discount_amount * r.rate AS discount, f.tax_amount * r.rate AS tax, \
             f.shipping_amount * r.rate AS shipping, f.net_amount * r.rate AS net FROM fact_sales f \
             LEFT JOIN dim_fx_rate r ON r.currency = f.currency AND r.date_key = f.movement_date_key WHERE NOT f.is_test) l"
        )
    }

    fn duties(&self) -> String {
        "(SELECT o.order_date_key AS day, o.placed_at AS at, o.customer_key, o.ship_country_key AS country_key, o.channel_key, o.currency, o.duty * r.rate AS value FROM (\
         SELECT *, ROW_NUMBER() OVER (PARTITION BY order_key ORDER BY revision DESC, placed_at DESC, COALESCE(duty, 0) DESC) AS nth \
         FROM fact_order WHERE NOT is_test) o LEFT JOIN dim_fx_rate r ON r.currency = o.currency AND r.date_key = o.order_date_key \
         WHERE o.nth = 1 AND o.duty <> 0) d"
            .to_owned()
    }

    fn members(&self, by: By) -> String {
        members(by, PRODUCTS)
    }

    fn period(&self, by: By) -> (String, String) {
        let local = format!("from_utc_timestamp(at, '{}')", self.zone);
        let hour = format!("date_format({local}, 'yyyy-MM-dd') || 'T' || date_format({local}, 'HH')");
        let group = match by {
            By::Hour => hour,
            By::QuarterHour => format!("{hour} || format_string(':%02d', CAST(floor(minute({local}) / 15) * 15 AS INT))"),
            By::Week => {
                let date = "to_date(CAST(day AS STRING), 'yyyyMMdd')";
                format!("format_string('%04d-W%02d', CAST(extract(YEAROFWEEK FROM {date}) AS INT), weekofyear({date}))")
            }
            by => day_or_month(by, "CAST(day AS STRING)"),
        };
        (group, "g".to_owned())
    }

    /// Spark reduces the scale of a quotient to fit 38 digits; the casts keep 15 places.
    fn quotient(&self, part: &str, whole: &str) -> String {
        format!(
            "CASE WHEN {whole} > 0 THEN CAST(CAST({part} AS DECIMAL(32, 15)) / CAST({whole} AS DECIMAL(20, 3)) AS DECIMAL(38, 15)) END"
        )
    }

    fn quoted(&self, name: &str) -> String {
        format!("`{name}`")
    }
}

//! The SQL of PostgreSQL over the views of the schema `kassa`, which V9 makes.

use kassa_analytics::sql::Dialect;
use kassa_analytics::{Basis, By};

pub(super) struct Postgres;

/// A row's time on the shop's clock.
const LOCAL: &str = "(at AT TIME ZONE (SELECT zone FROM kassa.shop))";

impl Dialect for Postgres {
    fn ledger(&self, basis: Basis) -> String {
        format!("kassa.by_{}", basis.name())
    }

    fn duties(&self) -> String {
        "kassa.duties".to_owned()
    }

    fn sold_orders(&self) -> String {
        "kassa.sold_orders".to_owned()
    }

    fn members(&self, by: By) -> String {
        format!("kassa.{}_names", by.name())
    }

    fn period(&self, by: By) -> (String, String) {
        let (group, key) = match by {
            By::Hour => (format!("date_trunc('hour', {LOCAL})"), r#"to_char(g, 'YYYY-MM-DD"T"HH24')"#),
            By::QuarterHour => {
                let quarters = format!("floor(extract(minute FROM {LOCAL}) / 15)");
                (
                    format!("date_trunc('hour', {LOCAL}) + {quarters} * interval '15 minutes'"),
                    r#"to_char(g, 'YYYY-MM-DD"T"HH24:MI')"#,
                )
            }
            By::Week => ("date_trunc('week', to_date(day::text, 'YYYYMMDD'))".to_owned(), r#"to_char(g, 'IYYY-"W"IW')"#),
            By::Month => ("day / 100".to_owned(), r#"to_char(g, 'FM0000"-"00')"#),
            _ => ("day".to_owned(), r#"to_char(g, 'FM0000"-"00"-"00')"#),
        };
        (group, key.to_owned())
    }

    fn quotient(&self, part: &str, whole: &str) -> String {
        format!("kassa.over({part}, {whole})")
    }

    fn zero(&self) -> &'static str {
        "0::numeric"
    }

    fn text(&self, text: &str) -> String {
        format!("'{text}'::text")
    }

    fn least(&self, text: &str) -> String {
        format!("MIN({text} COLLATE \"C\") COLLATE \"default\"")
    }

    /// A day's movements are looked up in the partition of that day alone.
    fn by_day_of_movement(&self, value: &str, filter: &str) -> Option<String> {
        Some(format!(
            "SELECT d.\"by\", to_char(d.date, 'YYYY-MM-DD') AS key, to_char(d.date, 'YYYY-MM-DD') AS label, s.value \
             FROM (SELECT 'day'::text AS \"by\", date, date_key FROM dwh.dim_date) d, \
             LATERAL (SELECT COALESCE(SUM({value}), 0) AS value FROM kassa.by_movement f WHERE f.day = d.date_key AND {filter} GROUP BY f.day) s"
        ))
    }
}

//! Measures as SQL: one generator, and a dialect for each engine. A query gives the rows of one grouping on one basis, as `"by"`,
//! `key`, `label`, `value`, with exact sums.

mod lake;
mod spark;

pub use self::lake::Lake;
pub use self::spark::Spark;

use kassa_model::Movement;

use crate::grouping::{Basis, By};
use crate::kind::{Kind, Whole};
use crate::measure::{Column, EVERY, Measure, Sign, Term};

/// The differences between engines. A "relation" here is a text that can follow `FROM`.
pub trait Dialect {
    /// The relation of the ledger without test rows: movement, day (yyyymmdd), at, `order_key`, `customer_key`, `product_key`,
    /// `country_key`, `channel_key`, currency, quantity, and, in the shop's currency, gross, discount, tax, shipping and net. Day
    /// and time are those of the basis.
    fn ledger(&self, basis: Basis) -> String;

    /// The relation of orders with duty: day, at, `customer_key`, `country_key`, `channel_key`, currency and value.
    fn duties(&self) -> String;

    /// The relation of orders with a line sold, at the time of the first one: day, at.
    fn sold_orders(&self) -> String {
        "(SELECT MIN(order_date_key) AS day, MIN(ordered_at) AS at FROM fact_sales WHERE movement = 'sale' AND NOT is_test GROUP BY order_key) o".to_owned()
    }

    /// The relation of a dimension's members: member, key and label.
    fn members(&self, by: By) -> String;

    /// The expression to group by for a period, and the period's key computed from that group, `g`.
    fn period(&self, by: By) -> (String, String);

    /// `part` over `whole`; null if the whole is not positive.
    fn quotient(&self, part: &str, whole: &str) -> String;

    /// Zero, with the type of sums.
    fn zero(&self) -> &'static str {
        "0"
    }

    fn quoted(&self, name: &str) -> String {
        format!("\"{name}\"")
    }

    /// A constant text.
    fn text(&self, text: &str) -> String {
        format!("'{text}'")
    }

    /// The first of several texts in the order of their bytes.
    fn least(&self, text: &str) -> String {
        format!("MIN({text})")
    }

    /// A faster query for a sum by the day of the movement, if there is one.
    fn by_day_of_movement(&self, _value: &str, _filter: &str) -> Option<String> {
        None
    }
}

/// The values to add up or, if `is_distinct`, to count distinctly.
struct Source {
    from: String,
    value: String,
    filter: String,
    is_distinct: bool,
}

impl Source {
    fn sum(from: String, value: impl Into<String>, filter: impl Into<String>) -> Self {
        Self { from, value: value.into(), filter: filter.into(), is_distinct: false }
    }

    fn measure(dialect: &dyn Dialect, measure: &Measure, basis: Basis) -> Self {
        Self::sum(dialect.ledger(basis), value(measure, &|column| short(column).to_owned()), filter(measure))
    }

    /// A measure and the duty of orders.
    fn with_duty(dialect: &dyn Dialect, measure: &Measure, basis: Basis) -> Self {
        const PLACE: &str = "day, at, customer_key, country_key, channel_key, currency";
        let Self { from, value, filter, .. } = Self::measure(dialect, measure, basis);
        let duties = dialect.duties();
        Self::sum(
            format!(
                "(SELECT {PLACE}, {value} AS value FROM {from} WHERE {filter} UNION ALL SELECT {PLACE}, value FROM {duties}) w"
            ),
            "value",
            "true",
        )
    }

    fn orders(dialect: &dyn Dialect, by: By) -> Self {
        if by == By::Total || by.is_time() {
            return Self::sum(dialect.sold_orders(), "1", "true");
        }
        let from = dialect.ledger(Basis::Order);
        Self { from, value: "order_key".to_owned(), filter: is_of(&[Movement::Sale]), is_distinct: true }
    }
}

fn short(column: Column) -> &'static str {
    match column {
        Column::Gross => "gross",
        Column::Discount => "discount",
        Column::Tax => "tax",
        Column::Shipping => "shipping",
        Column::Net => "net",
        Column::Quantity => "quantity",
    }
}

/// The condition that a row's movement is one of these.
fn is_of(movements: &[Movement]) -> String {
    let names: Vec<String> = movements.iter().map(|movement| format!("'{}'", movement.name())).collect();
    match names.as_slice() {
        _ if movements.len() == EVERY.len() => "true".to_owned(),
        [name] => format!("movement = {name}"),
        names => format!("movement IN ({})", names.join(", ")),
    }
}

fn filter(measure: &Measure) -> String {
    is_of(&measure.movements())
}

/// The value of a row that passes the measure's filter.
fn value(measure: &Measure, name: &dyn Fn(Column) -> String) -> String {
    let own = filter(measure);
    let mut text = String::new();
    for Term { column, movements, sign } in measure.terms {
        let is_part = is_of(movements);
        let amount =
            if is_part == own { name(*column) } else { format!("CASE WHEN {is_part} THEN {} ELSE 0 END", name(*column)) };
        text.push_str(match (text.is_empty(), sign) {
            (true, Sign::Plus) => "",
            (true, Sign::Minus) => "-",
            (false, Sign::Plus) => " + ",
            (false, Sign::Minus) => " - ",
        });
        text.push_str(&amount);
    }
    text
}

/// The rows of a figure by one grouping; `None` for a figure that is computed by code.
pub(crate) fn rows(kind: Kind, dialect: &dyn Dialect, basis: Basis, by: By) -> Option<String> {
    let of = |measure| grouped(dialect, by, basis, &Source::measure(dialect, measure, basis));
    let orders = || grouped(dialect, by, basis, &Source::orders(dialect, by));
    Some(match kind {
        Kind::Sum(measure) => of(measure),
        Kind::SumWithDuty(measure) => grouped(dialect, by, basis, &Source::with_duty(dialect, measure, basis)),
        Kind::Orders => orders(),
        Kind::Ratio { part, whole: Whole::Orders } => divided(dialect, &of(part), &orders()),
        Kind::Ratio { part, whole: Whole::Measure(whole) } => divided(dialect, &of(part), &of(whole)),
        _ => return None,
    })
}

fn divided(dialect: &dyn Dialect, part: &str, whole: &str) -> String {
    let (by, label, value) = (dialect.quoted("by"), dialect.least("label"), dialect.quotient("SUM(part)", "SUM(whole)"));
    format!(
        "SELECT {by}, key, {label} AS label, {value} AS value FROM (\
         SELECT {by}, key, label, value AS part, 0 AS whole FROM ({part}) p UNION ALL SELECT {by}, key, label, 0, value FROM ({whole}) d) f \
         GROUP BY {by}, key"
    )
}

/// `by` is a constant of the innermost query: an engine that plans a union of groupings then drops those that a condition on it
/// excludes, before it reads their tables.
fn grouped(dialect: &dyn Dialect, by: By, basis: Basis, source: &Source) -> String {
    let Source { from, value, filter, is_distinct } = source;
    let (quoted, name, total) = (dialect.quoted("by"), dialect.text(by.name()), dialect.text("total"));
    if by == By::Total {
        return format!(
            "SELECT {quoted}, {total} AS key, {total} AS label, SUM(value) AS value FROM (\
             SELECT {total} AS {quoted}, {zero} AS value UNION ALL SELECT {total}, {value} FROM {from} WHERE {filter}) t GROUP BY {quoted}",
            zero = dialect.zero()
        );
    }
    let quick = if by == By::Day && basis == Basis::Movement { dialect.by_day_of_movement(value, filter) } else { None };
    if let Some(quick) = quick.filter(|_| !is_distinct && *from == dialect.ledger(basis)) {
        return quick;
    }
    let (group, key, label, members) = keys(dialect, by);
    let (inner, result, more) = if *is_distinct {
        (value.clone(), "COUNT(DISTINCT value)", ", 3")
    } else {
        (format!("COALESCE(SUM({value}), 0)"), "SUM(value)", "")
    };
    let least = dialect.least("label");
    format!(
        "SELECT {quoted}, key, {least} AS label, {result} AS value FROM (\
         SELECT s.{quoted}, {key} AS key, {label} AS label, s.value FROM (\
         SELECT {name} AS {quoted}, {group} AS g, {inner} AS value FROM {from} WHERE {filter} GROUP BY 1, 2{more}) s{members}) t GROUP BY {quoted}, key"
    )
}

/// The expressions of the group, its key and its label, and the join that these need.
fn keys(dialect: &dyn Dialect, by: By) -> (String, String, String, String) {
    let column = match by {
        By::Movement => return ("movement".to_owned(), "g".to_owned(), "g".to_owned(), String::new()),
        By::Currency => {
            let group = "COALESCE(NULLIF(currency, ''), 'unknown')".to_owned();
            let label = "CASE g WHEN 'unknown' THEN 'Unknown' ELSE g END".to_owned();
            return (group, "g".to_owned(), label, String::new());
        }
        By::Product | By::Category => "product_key",
        By::Country => "country_key",
        By::Customer => "customer_key",
        By::Channel => "channel_key",
        _ => {
            let (group, key) = dialect.period(by);
            return (group, key.clone(), key, String::new());
        }
    };
    let unknown = if by == By::Category { "Unknown" } else { "unknown" };
    let join = format!(" LEFT JOIN {} n ON n.member = s.g", dialect.members(by));
    (column.to_owned(), format!("COALESCE(n.key, '{unknown}')"), "COALESCE(n.label, 'Unknown')".to_owned(), join)
}

/// The total as a short query over the views of the lake, money unrounded; `None` for a figure that is computed by code.
pub(crate) fn total(kind: Kind) -> Option<String> {
    const LEDGER: &str = "fact_sales_reporting";
    let where_ = |filter: &str| if filter == "true" { "NOT is_test".to_owned() } else { format!("{filter} AND NOT is_test") };
    let value = |measure: &Measure| value(measure, &lake::stored);
    Some(match kind {
        Kind::Sum(measure) => {
            let from = if measure.is_money() { LEDGER } else { "fact_sales" };
            format!("SELECT COALESCE(SUM({}), 0) AS value FROM {from} WHERE {}", value(measure), where_(&filter(measure)))
        }
        Kind::SumWithDuty(measure) => format!(
            "SELECT COALESCE(SUM(value), 0) AS value FROM (SELECT {} AS value FROM {LEDGER} WHERE {} UNION ALL SELECT value FROM {}) s",
            value(measure),
            where_(&filter(measure)),
            Lake::default().duties(),
        ),
        Kind::Orders => {
            format!("SELECT COUNT(DISTINCT order_key) AS value FROM fact_sales WHERE {}", where_(&is_of(&[Movement::Sale])))
        }
        Kind::Ratio { part, whole } => {
            let sum = |measure: &Measure| format!("SUM(CASE WHEN {} THEN {} END)", filter(measure), value(measure));
            let whole = match whole {
                Whole::Measure(whole) => sum(whole),
                Whole::Orders => format!("COUNT(DISTINCT CASE WHEN {} THEN order_key END)", is_of(&[Movement::Sale])),
            };
            format!(
                "SELECT {} AS value FROM (SELECT COALESCE({}, 0) AS part, {whole} AS whole FROM {LEDGER} WHERE NOT is_test) s",
                Lake::default().quotient("part", "whole"),
                sum(part)
            )
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests;

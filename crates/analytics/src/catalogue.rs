//! Every figure, once: what it is called, what it means, how it can be asked for.

use kassa_model::time::date_of;
use serde::Serialize;

use crate::answer::Unit;
use crate::query::{Basis, By, Query};

/// Which figure; the arithmetic behind it is in [`crate::Figures::answer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    NetSales,
    GrossSales,
    Discounts,
    Returns,
    Adjustments,
    TotalSales,
    Orders,
    Aov,
    Units,
    ActiveCustomers,
    Sessions,
    Conversion,
    Funnel,
    AbandonedCarts,
    NewCustomers,
    ReturningCustomers,
    CohortRetention,
    RepeatRate,
    CustomerValue,
    Rfm,
    ReturnRate,
    Payments,
}

/// A figure as people read of it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Figure {
    #[serde(skip)]
    pub(crate) kind: Kind,
    pub name: &'static str,
    pub title: &'static str,
    pub definition: &'static str,
    pub formula: &'static str,
    pub unit: Unit,
    /// The date bases it can be asked on; one that is always dated by the order has `order` alone, a figure without rows of the
    /// ledger none.
    pub bases: &'static [Basis],
    /// The first is what an absent `by` means.
    pub groupings: &'static [By],
    /// A query over the lake's tables and views that gives the same value, money unrounded.
    pub sql: &'static str,
}

impl Kind {
    pub(crate) fn figure(self) -> &'static Figure {
        CATALOGUE.iter().find(|figure| figure.kind == self).unwrap_or(&CATALOGUE[0])
    }
}

impl Figure {
    /// The question for a day's total.
    pub(crate) fn of_day(&'static self, day: i32, basis: Basis) -> Query {
        let date = date_of(day);
        Query { figure: self, by: By::Total, from: date, to: date, basis: self.basis(basis) }
    }

    /// The basis that an answer is on when `asked` is asked for.
    pub(crate) fn basis(&self, asked: Basis) -> Option<Basis> {
        self.bases.iter().copied().find(|basis| *basis == asked).or(self.bases.first().copied())
    }
}

const LEDGER: &[By] = &[
    By::Total,
    By::Hour,
    By::QuarterHour,
    By::Day,
    By::Week,
    By::Month,
    By::Category,
    By::Product,
    By::Country,
    By::Customer,
    By::Channel,
    By::Currency,
    By::Movement,
];
const ORDERED: &[By] = &[
    By::Total,
    By::Hour,
    By::QuarterHour,
    By::Day,
    By::Week,
    By::Month,
    By::Category,
    By::Product,
    By::Country,
    By::Customer,
    By::Channel,
    By::Currency,
];
const HEADED: &[By] =
    &[By::Total, By::Hour, By::QuarterHour, By::Day, By::Week, By::Month, By::Country, By::Customer, By::Channel, By::Currency];
const TIMES: &[By] = &[By::Total, By::Hour, By::QuarterHour, By::Day, By::Week, By::Month];
const DAYS: &[By] = &[By::Total, By::Day, By::Week, By::Month];

const BOTH: &[Basis] = &Basis::ALL;
const ORDER: &[Basis] = &[Basis::Order];

/// Every figure, in the order of the reference.
pub fn catalogue() -> &'static [Figure] {
    CATALOGUE
}

const CATALOGUE: &[Figure] = &[
    Figure {
        kind: Kind::NetSales,
        name: "net_sales",
        title: "Net sales",
        definition: "What goods were sold for, after discounts, returns and adjustments; without tax, shipping and duty. \
                     Test rows are in no figure. Days and hours are those of the shop's clock.",
        formula: "Σ net_amount over all movements = gross sales − discounts − returns + adjustments",
        unit: Unit::Money,
        bases: BOTH,
        groupings: LEDGER,
        sql: "SELECT COALESCE(SUM(net_amount_reporting), 0) AS value FROM fact_sales_reporting WHERE NOT is_test",
    },
    Figure {
        kind: Kind::GrossSales,
        name: "gross_sales",
        title: "Gross sales",
        definition: "What goods were sold for before discounts and returns.",
        formula: "Σ gross_amount where movement = sale",
        unit: Unit::Money,
        bases: BOTH,
        groupings: LEDGER,
        sql: "SELECT COALESCE(SUM(gross_amount_reporting), 0) AS value FROM fact_sales_reporting WHERE movement = 'sale' AND NOT is_test",
    },
    Figure {
        kind: Kind::Discounts,
        name: "discounts",
        title: "Discounts",
        definition: "What was taken off the price of goods sold. Discounts given back with a return are in returns, so that net sales = \
                     gross sales − discounts − returns + adjustments.",
        formula: "Σ discount_amount where movement = sale",
        unit: Unit::Money,
        bases: BOTH,
        groupings: LEDGER,
        sql: "SELECT COALESCE(SUM(discount_amount_reporting), 0) AS value FROM fact_sales_reporting WHERE movement = 'sale' AND NOT is_test",
    },
    Figure {
        kind: Kind::Returns,
        name: "returns",
        title: "Returns",
        definition: "What was given back for goods returned and lines cancelled, as a positive amount.",
        formula: "−Σ net_amount where movement in (return, cancellation)",
        unit: Unit::Money,
        bases: BOTH,
        groupings: LEDGER,
        sql: "SELECT -COALESCE(SUM(net_amount_reporting), 0) AS value FROM fact_sales_reporting WHERE movement IN ('return', 'cancellation') AND NOT is_test",
    },
    Figure {
        kind: Kind::Adjustments,
        name: "adjustments",
        title: "Adjustments",
        definition: "Corrections of the ledger that are neither sale nor return, such as bad debt.",
        formula: "Σ net_amount where movement = adjustment",
        unit: Unit::Money,
        bases: BOTH,
        groupings: LEDGER,
        sql: "SELECT COALESCE(SUM(net_amount_reporting), 0) AS value FROM fact_sales_reporting WHERE movement = 'adjustment' AND NOT is_test",
    },
    Figure {
        kind: Kind::TotalSales,
        name: "total_sales",
        title: "Total sales",
        definition: "Net sales with tax, shipping and duty. Tax and shipping are those of the ledger, as lines and refunds state them: what \
                     only an order's header states is not divided among its lines, and is in fact_order alone. Duty is that of each \
                     order's highest revision, on the day of the order on either basis.",
        formula: "net sales + Σ tax_amount + Σ shipping_amount of the ledger + Σ duty of orders",
        unit: Unit::Money,
        bases: BOTH,
        groupings: HEADED,
        sql: "SELECT value FROM total_sales WHERE basis = 'movement' AND \"by\" = 'total'",
    },
    Figure {
        kind: Kind::Orders,
        name: "orders",
        title: "Orders",
        definition: "Orders with at least one line sold, at the time of the first of them. Grouped by what a line is of, an order counts \
                     once in each group that it has a line in.",
        formula: "count of distinct orders with movement = sale, by order date",
        unit: Unit::Count,
        bases: ORDER,
        groupings: ORDERED,
        sql: "SELECT COUNT(DISTINCT order_key) AS value FROM fact_sales WHERE movement = 'sale' AND NOT is_test",
    },
    Figure {
        kind: Kind::Aov,
        name: "aov",
        title: "Average order value",
        definition: "What an order was worth on average when it was placed: before returns, by order date. Money without a known rate is \
                     left out of it, the orders are not.",
        formula: "(gross sales − discounts) ÷ orders",
        unit: Unit::Money,
        bases: ORDER,
        groupings: ORDERED,
        sql: "SELECT value FROM aov WHERE \"by\" = 'total'",
    },
    Figure {
        kind: Kind::Units,
        name: "units",
        title: "Units",
        definition: "Units sold less units returned, cancelled or written off.",
        formula: "Σ quantity over all movements",
        unit: Unit::Quantity,
        bases: BOTH,
        groupings: LEDGER,
        sql: "SELECT COALESCE(SUM(quantity), 0) AS value FROM fact_sales WHERE NOT is_test",
    },
    Figure {
        kind: Kind::ActiveCustomers,
        name: "active_customers",
        title: "Active customers",
        definition: "People with any event or order: by customer where known, else by anonymous id. Over a span of days each person counts \
                     once. Bots are left out.",
        formula: "count of distinct customers, else anonymous ids, with an event or order",
        unit: Unit::Count,
        bases: &[],
        groupings: DAYS,
        sql: "SELECT COUNT(DISTINCT person) AS value FROM (\
              SELECT CASE WHEN customer_key <> 0 THEN customer_key ELSE person_key END AS person FROM fact_event WHERE NOT is_test AND NOT is_bot \
              UNION SELECT customer_key FROM fact_sales WHERE movement = 'sale' AND NOT is_test \
              UNION SELECT customer_key FROM fact_order WHERE NOT is_test) AS people WHERE person <> 0",
    },
    Figure {
        kind: Kind::Sessions,
        name: "sessions",
        title: "Sessions",
        definition: "Visits, at the time of their first event: the events of one session id, until 30 minutes of silence. Bots are left \
                     out.",
        formula: "count of sessions",
        unit: Unit::Count,
        bases: &[],
        groupings: TIMES,
        sql: "SELECT value FROM sessions WHERE \"by\" = 'total'",
    },
    Figure {
        kind: Kind::Conversion,
        name: "conversion",
        title: "Conversion",
        definition: "The share of sessions that completed an order, at the time of the session's first event.",
        formula: "sessions with an order ÷ sessions",
        unit: Unit::Ratio,
        bases: &[],
        groupings: TIMES,
        sql: "SELECT value FROM conversion WHERE \"by\" = 'total'",
    },
    Figure {
        kind: Kind::Funnel,
        name: "funnel",
        title: "Funnel",
        definition: "Sessions that reached each step in order of time: a product viewed, then one added to the cart, then a checkout started, \
                     then an order completed. By the day of the session's first event.",
        formula: "count of sessions with viewed ≤ added ≤ checkout ≤ paid",
        unit: Unit::Count,
        bases: &[],
        groupings: &[By::Step],
        sql: "SELECT key, value FROM funnel WHERE \"by\" = 'step'",
    },
    Figure {
        kind: Kind::AbandonedCarts,
        name: "abandoned_carts",
        title: "Abandoned carts",
        definition: "Sessions that added a product and completed no order within 24 hours of the first one added. A cart of the last \
                     24 hours counts until its order comes. At the time of the session's first event.",
        formula: "count of sessions with product_added and no order_completed within 24 h",
        unit: Unit::Count,
        bases: &[],
        groupings: TIMES,
        sql: "SELECT value FROM abandoned_carts WHERE \"by\" = 'total'",
    },
    Figure {
        kind: Kind::NewCustomers,
        name: "new_customers",
        title: "New customers",
        definition: "Known customers whose first order ever is on a day of the period.",
        formula: "count of customers by the date of their first order",
        unit: Unit::Count,
        bases: ORDER,
        groupings: DAYS,
        sql: "SELECT COUNT(DISTINCT customer_key) AS value FROM fact_sales WHERE movement = 'sale' AND customer_key <> 0 AND NOT is_test",
    },
    Figure {
        kind: Kind::ReturningCustomers,
        name: "returning_customers",
        title: "Returning customers",
        definition: "Known customers with an order in the period on a later day than that of their first order ever. Over more than a day a \
                     customer can be both new and returning.",
        formula: "count of customers with an order after the day of their first",
        unit: Unit::Count,
        bases: ORDER,
        groupings: DAYS,
        sql: "SELECT value FROM returning_customers WHERE \"by\" = 'total'",
    },
    Figure {
        kind: Kind::CohortRetention,
        name: "cohort_retention",
        title: "Cohort retention",
        definition: "Of the customers whose first order was in a month, the share that ordered again so many months later; 2026-01+2 is \
                     those of January 2026 in March. From and to choose the days of first orders.",
        formula: "customers of the cohort with an order in the month ÷ customers of the cohort",
        unit: Unit::Ratio,
        bases: ORDER,
        groupings: &[By::Cohort],
        sql: "SELECT key, value FROM cohort_retention WHERE \"by\" = 'cohort'",
    },
    Figure {
        kind: Kind::RepeatRate,
        name: "repeat_rate",
        title: "Repeat rate",
        definition: "Of the known customers who ordered in the period, the share that ordered more than once in it.",
        formula: "customers with ≥ 2 orders ÷ customers with ≥ 1 order",
        unit: Unit::Ratio,
        bases: ORDER,
        groupings: &[By::Total],
        sql: "SELECT value FROM repeat_rate WHERE \"by\" = 'total'",
    },
    Figure {
        kind: Kind::CustomerValue,
        name: "customer_value",
        title: "Customer value to date",
        definition: "Net sales of a known customer; in total, the mean over known customers with any movement in the period.",
        formula: "Σ net_amount of the customer",
        unit: Unit::Money,
        bases: BOTH,
        groupings: &[By::Total, By::Customer],
        sql: "SELECT value FROM customer_value WHERE basis = 'movement' AND \"by\" = 'total'",
    },
    Figure {
        kind: Kind::Rfm,
        name: "rfm",
        title: "RFM segments",
        definition: "Customers by quintile of recency (last order day), frequency (orders) and money (net sales) in the period, 5 the best: \
                     1 + ⌊5 × customers strictly below ÷ customers⌋, so equals score alike. By segment the number of customers in it; by \
                     customer the three scores as digits.",
        formula: "quintiles of max(order date), count of orders, Σ net_amount",
        unit: Unit::Count,
        bases: BOTH,
        groupings: &[By::Segment, By::Customer],
        sql: "SELECT key, value FROM rfm WHERE basis = 'movement' AND \"by\" = 'segment'",
    },
    Figure {
        kind: Kind::ReturnRate,
        name: "return_rate",
        title: "Return rate",
        definition: "Of the units sold, the share returned or cancelled, both by the date of the order.",
        formula: "units returned ÷ units sold",
        unit: Unit::Ratio,
        bases: ORDER,
        groupings: ORDERED,
        sql: "SELECT value FROM return_rate WHERE \"by\" = 'total'",
    },
    Figure {
        kind: Kind::Payments,
        name: "payments",
        title: "Payments",
        definition: "Money captured less money given back. An authorization or void is no money, a capture whose parent is a successful sale no \
                     second money; a payment without a status counts as successful.",
        formula: "Σ amount of successful sales and captures − Σ |amount| of successful refunds and chargebacks",
        unit: Unit::Money,
        bases: &[],
        groupings: &[By::Total, By::Day, By::Week, By::Month, By::Method, By::Status, By::Currency],
        sql: "SELECT value FROM payments WHERE \"by\" = 'total'",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_the_reference() {
        let names: Vec<_> = catalogue().iter().map(|figure| figure.name).collect();
        let reference = "net_sales gross_sales discounts returns adjustments total_sales orders aov units active_customers sessions \
                         conversion funnel abandoned_carts new_customers returning_customers cohort_retention repeat_rate customer_value \
                         rfm return_rate payments";
        assert_eq!(names, reference.split_whitespace().collect::<Vec<_>>());
        for figure in catalogue() {
            let json = serde_json::to_value(figure).unwrap();
            assert!(figure.sql.starts_with("SELECT "), "{json}");
            assert!(!figure.groupings.is_empty(), "{json}");
            assert!(json.get("kind").is_none() && json["groupings"][0].is_string(), "{json}");
        }
    }

    const INTRODUCTION: &str = "\
# Figures

Every figure has one definition, in `crates/analytics/src/catalogue.rs`; `kassa figures`, the [HTTP API](http-api.md), the dashboard and the views of `kassa sql`
all answer by it. Amounts are in the shop's currency; what has no rate is left out and told (`unconverted`). Days are the shop's. Test orders and bots are in no figure.

**Bases.** `movement`: returns count on the day they happen. `order`: they go back to the day of their order. A figure without a basis goes by the time of
its events.

**Rates.** A line is converted at the rate of the day on which it moved, on either basis, so that both come to the same total; a payment at that of its own day, duty at that of the day of
its order. The rate is the day's own, else the last one of the 7 days before: stated, inverse, or through a common currency ([how](../decisions/0018-money-is-converted-when-read.md)). An
answer is always by all rates that are known: one that comes late converts what came before it.

**Rounding.** Sums are exact, and are rounded once, half-even to 6 places, when they are shown. So the rows of an answer, which are rounded each by itself, may differ from a rounded total in the
last digit. The queries below give the exact sum.

**Groupings.** The first is what is answered without `--by`. In SQL each figure is a view with `basis`, `by`, `key`, `label` and `value`.

**Header and lines.** An order's header may state sums that its lines do not: shipping, tax, tip, gift card. The ledger (`fact_sales`), and so every sales
figure but for the duty in `total_sales`, is made of lines alone. Map what shall count to the lines: `shipping` and `tax` of a line go to `shipping_amount` and `tax_amount`.
What only the header has is asked for in SQL: `SELECT sum(shipping) FROM fact_order_current`.
";

    fn reference() -> String {
        let mut page = INTRODUCTION.to_owned();
        for figure in catalogue() {
            let names = |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let bases = names(figure.bases.iter().map(|basis| basis.name()).collect());
            let bases = if bases.is_empty() { "none".to_owned() } else { bases };
            let groupings = names(figure.groupings.iter().map(|by| by.name()).collect());
            let unit = serde_json::to_value(figure.unit).unwrap();
            page.push_str(&format!(
                "\n## `{}`: {}\n\n{}\n\n- {} ({})\n- bases: {bases}\n- groupings: {groupings}\n- `{}`\n",
                figure.name,
                figure.title,
                figure.definition,
                figure.formula,
                unit.as_str().unwrap_or_default(),
                figure.sql,
            ));
        }
        page
    }

    #[test]
    fn the_page_of_figures_is_the_catalogue() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/figures.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(file, reference()).unwrap();
        }
        let held = std::fs::read_to_string(file).unwrap_or_default();
        assert_eq!(held, reference(), "UPDATE_DOCS=1 cargo test -p kassa-analytics writes it anew");
    }
}

//! The figures, as data. A figure that is a sum of the ledger or a ratio of sums needs only its entry here: answers, the views
//! and the queries of every dialect follow from its measure. (An amount that is no `Column` yet: see ARCHITECTURE.md, "What to
//! change".)

use kassa_model::Movement;

use super::{Figure, Sql};
use crate::grouping::{Basis, By};
use crate::kind::{Kind, Whole};
use crate::measure::{BACK, Column, EVERY, Measure, NET, RETURNED_UNITS, SALE, SOLD, SOLD_UNITS, Sign, Term, UNITS};
use crate::unit::Unit;

const GROSS: &Measure = &Measure::new(&[Term { column: Column::Gross, movements: SALE, sign: Sign::Plus }]);
const DISCOUNTS: &Measure = &Measure::new(&[Term { column: Column::Discount, movements: SALE, sign: Sign::Plus }]);
const RETURNS: &Measure = &Measure::new(&[Term { column: Column::Net, movements: BACK, sign: Sign::Minus }]);
const ADJUSTMENTS: &Measure =
    &Measure::new(&[Term { column: Column::Net, movements: &[Movement::Adjustment], sign: Sign::Plus }]);
const TAX: &Measure = &Measure::new(&[Term { column: Column::Tax, movements: EVERY, sign: Sign::Plus }]);
const NET_TAX_SHIPPING: &Measure = &Measure::new(&[
    Term { column: Column::Net, movements: EVERY, sign: Sign::Plus },
    Term { column: Column::Tax, movements: EVERY, sign: Sign::Plus },
    Term { column: Column::Shipping, movements: EVERY, sign: Sign::Plus },
]);

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

pub(super) const CATALOGUE: &[Figure] = &[
    Figure {
        kind: Kind::Sum(NET),
        name: "net_sales",
        title: "Net sales",
        definition: "What goods were sold for, after discounts, returns and adjustments; without tax, shipping and duty. \
                     Test rows are in no figure. Days and hours are those of the shop's clock.",
        formula: "Σ net_amount over all movements = gross sales − discounts − returns + adjustments",
        unit: Unit::Money,
        bases: BOTH,
        groupings: LEDGER,
        sql: Sql::OfMeasure,
    },
    Figure {
        kind: Kind::Sum(GROSS),
        name: "gross_sales",
        title: "Gross sales",
        definition: "What goods were sold for before discounts and returns.",
        formula: "Σ gross_amount where movement = sale",
        unit: Unit::Money,
        bases: BOTH,
        groupings: LEDGER,
        sql: Sql::OfMeasure,
    },
    Figure {
        kind: Kind::Sum(DISCOUNTS),
        name: "discounts",
        title: "Discounts",
        definition: "What was taken off the price of goods sold. Discounts given back with a return are in returns, so that net sales = \
                     gross sales − discounts − returns + adjustments.",
        formula: "Σ discount_amount where movement = sale",
        unit: Unit::Money,
        bases: BOTH,
        groupings: LEDGER,
        sql: Sql::OfMeasure,
    },
    Figure {
        kind: Kind::Sum(RETURNS),
        name: "returns",
        title: "Returns",
        definition: "What was given back for goods returned and lines cancelled, as a positive amount.",
        formula: "−Σ net_amount where movement in (return, cancellation)",
        unit: Unit::Money,
        bases: BOTH,
        groupings: LEDGER,
        sql: Sql::OfMeasure,
    },
    Figure {
        kind: Kind::Sum(ADJUSTMENTS),
        name: "adjustments",
        title: "Adjustments",
        definition: "Corrections of the ledger that are neither sale nor return, such as bad debt.",
        formula: "Σ net_amount where movement = adjustment",
        unit: Unit::Money,
        bases: BOTH,
        groupings: LEDGER,
        sql: Sql::OfMeasure,
    },
    Figure {
        kind: Kind::Sum(TAX),
        name: "tax_collected",
        title: "Tax collected",
        definition: "Tax on what was sold, less tax given back with returns and cancellations. It is the tax of the ledger, as lines and refunds \
                     state it: what only an order's header states is in fact_order alone.",
        formula: "Σ tax_amount over all movements",
        unit: Unit::Money,
        bases: BOTH,
        groupings: LEDGER,
        sql: Sql::OfMeasure,
    },
    Figure {
        kind: Kind::SumWithDuty(NET_TAX_SHIPPING),
        name: "total_sales",
        title: "Total sales",
        definition: "Net sales with tax, shipping and duty. Tax and shipping are those of the ledger, as lines and refunds state them: what \
                     only an order's header states is not divided among its lines, and is in fact_order alone. Duty is that of each \
                     order's highest revision, on the day of the order on either basis.",
        formula: "net sales + Σ tax_amount + Σ shipping_amount of the ledger + Σ duty of orders",
        unit: Unit::Money,
        bases: BOTH,
        groupings: HEADED,
        sql: Sql::OfMeasure,
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
        sql: Sql::OfMeasure,
    },
    Figure {
        kind: Kind::Ratio { part: SOLD, whole: Whole::Orders },
        name: "aov",
        title: "Average order value",
        definition: "What an order was worth on average when it was placed: before returns, by order date. Money without a known rate is \
                     left out of it, the orders are not.",
        formula: "(gross sales − discounts) ÷ orders",
        unit: Unit::Money,
        bases: ORDER,
        groupings: ORDERED,
        sql: Sql::OfMeasure,
    },
    Figure {
        kind: Kind::Sum(UNITS),
        name: "units",
        title: "Units",
        definition: "Units sold less units returned, cancelled or written off.",
        formula: "Σ quantity over all movements",
        unit: Unit::Quantity,
        bases: BOTH,
        groupings: LEDGER,
        sql: Sql::OfMeasure,
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
        sql: Sql::Own(
            "SELECT COUNT(DISTINCT person) AS value FROM (\
              SELECT CASE WHEN customer_key <> 0 THEN customer_key ELSE person_key END AS person FROM fact_event WHERE NOT is_test AND NOT is_bot \
              UNION SELECT customer_key FROM fact_sales WHERE movement = 'sale' AND NOT is_test \
              UNION SELECT customer_key FROM fact_order WHERE NOT is_test) AS people WHERE person <> 0",
        ),
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
        sql: Sql::Own(concat!(include_str!("../sql/own/visits.sql"), include_str!("../sql/own/sessions.sql"))),
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
        sql: Sql::Own(concat!(include_str!("../sql/own/visits.sql"), include_str!("../sql/own/conversion.sql"))),
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
        sql: Sql::Own(concat!(include_str!("../sql/own/visits.sql"), include_str!("../sql/own/funnel.sql"))),
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
        sql: Sql::Own(concat!(include_str!("../sql/own/visits.sql"), include_str!("../sql/own/abandoned_carts.sql"))),
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
        sql: Sql::Own(
            "SELECT COUNT(DISTINCT customer_key) AS value FROM fact_sales WHERE movement = 'sale' AND customer_key <> 0 AND NOT is_test",
        ),
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
        sql: Sql::Own(concat!(
            include_str!("../sql/own/customer_orders.sql"),
            include_str!("../sql/own/returning_customers.sql")
        )),
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
        sql: Sql::Own(concat!(include_str!("../sql/own/customer_orders.sql"), include_str!("../sql/own/cohort_retention.sql"))),
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
        sql: Sql::Own(concat!(include_str!("../sql/own/customer_orders.sql"), include_str!("../sql/own/repeat_rate.sql"))),
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
        sql: Sql::Own(include_str!("../sql/own/customer_value.sql")),
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
        sql: Sql::Own(concat!(include_str!("../sql/own/customer_orders.sql"), include_str!("../sql/own/rfm.sql"))),
    },
    Figure {
        kind: Kind::Ratio { part: RETURNED_UNITS, whole: Whole::Measure(SOLD_UNITS) },
        name: "return_rate",
        title: "Return rate",
        definition: "Of the units sold, the share returned or cancelled, both by the date of the order.",
        formula: "units returned ÷ units sold",
        unit: Unit::Ratio,
        bases: ORDER,
        groupings: ORDERED,
        sql: Sql::OfMeasure,
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
        sql: Sql::Own(include_str!("../sql/own/payments.sql")),
    },
];

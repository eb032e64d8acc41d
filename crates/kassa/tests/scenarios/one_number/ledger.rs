//! The figures of the ledger counted again by SQL over the star schema, which knows nothing of how figures are computed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ways::{Question, Rows, plain, rows, text};
use crate::harness::Shop;

/// Figure, what is summed, and over which movements.
const SUMS: [(&str, &str, &str); 6] = [
    ("net_sales", "net_amount_reporting", "true"),
    ("gross_sales", "gross_amount_reporting", "movement = 'sale'"),
    ("discounts", "discount_amount_reporting", "movement = 'sale'"),
    ("returns", "-net_amount_reporting", "movement IN ('return', 'cancellation')"),
    ("adjustments", "net_amount_reporting", "movement = 'adjustment'"),
    ("units", "quantity", "true"),
];

/// Grouping and its key in `sales_flat`.
const MEMBERS: [(&str, &str); 7] = [
    ("category", "coalesce(top_category, 'Unknown')"),
    ("product", "coalesce(product_id, 'unknown')"),
    ("country", "coalesce(country, 'unknown')"),
    ("customer", "coalesce(customer_id, 'unknown')"),
    ("channel", "coalesce(channel, 'unknown')"),
    ("currency", "currency"),
    ("movement", "movement"),
];

/// Decimal text in millionths.
pub(super) fn units(decimal: &str) -> i128 {
    let (sign, digits) = decimal.strip_prefix('-').map_or((1, decimal), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    sign * format!("{whole}{fraction:0<6}").parse::<i128>().expect("a decimal")
}

fn day_of(basis: &str) -> String {
    let column = format!("CAST({basis}_date_key AS VARCHAR)");
    format!("concat(substr({column}, 1, 4), '-', substr({column}, 5, 2), '-', substr({column}, 7, 2))")
}

/// Every part that SQL can count by itself.
fn parts() -> Vec<(Question, String)> {
    let mut all = Vec::new();
    let mut add = |figure: &str, by: &str, basis: &str, key: &str, value: &str, filter: &str| {
        let question = Question { figure: figure.to_owned(), by: by.to_owned(), basis: basis.to_owned() };
        let head = format!("'{figure}' AS figure, '{by}' AS grouping, '{basis}' AS basis");
        let part = format!(
            "SELECT {head}, {key} AS key, CAST({value} AS VARCHAR) AS value FROM sales_flat WHERE NOT is_test AND {filter} GROUP BY {key}"
        );
        all.push((question, part));
    };
    for (figure, summed, filter) in SUMS {
        let sum = format!("coalesce(sum({summed}), 0)");
        for basis in ["movement", "order"] {
            add(figure, "day", basis, &day_of(basis), &sum, filter);
            for (by, key) in MEMBERS {
                add(figure, by, basis, key, &sum, filter);
            }
        }
    }
    for (by, key) in MEMBERS.into_iter().filter(|(by, _)| *by != "movement") {
        add("orders", by, "order", key, "count(DISTINCT order_key)", "movement = 'sale'");
    }
    all
}

/// What the star schema holds is what the figures say.
pub(super) fn agrees(shop: &Shop, answers: &BTreeMap<Question, Value>) {
    let parts = parts();
    let statement = parts.iter().map(|(_, part)| part.as_str()).collect::<Vec<_>>().join(" UNION ALL ");
    let mut found: BTreeMap<Question, Rows> = parts.into_iter().map(|(question, _)| (question, Rows::new())).collect();
    for row in shop.json(&["sql", &statement]).as_array().expect("rows") {
        let question = Question { figure: text(&row["figure"]), by: text(&row["grouping"]), basis: text(&row["basis"]) };
        found.get_mut(&question).expect("one that was asked").insert(text(&row["key"]), plain(&text(&row["value"])));
    }
    for (question, held) in found {
        let answer: Rows = rows(&answers[&question]).into_iter().map(|(key, value)| (key, plain(&value))).collect();
        assert_eq!(held, answer, "{question:?}: star schema, figure");
    }
}

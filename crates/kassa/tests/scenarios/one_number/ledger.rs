//! The figures of the ledger counted again by SQL over the star schema, which knows nothing of how figures are computed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ways::{Question, Rows, rows, text};
use crate::harness::{Shop, plain};
use crate::others_read::rounded;

/// Figure, what is counted, and over which movements.
const FIGURES: [(&str, &str, &str); 7] = [
    ("net_sales", "sum(net_amount_reporting)", "true"),
    ("gross_sales", "sum(gross_amount_reporting)", "movement = 'sale'"),
    ("discounts", "sum(discount_amount_reporting)", "movement = 'sale'"),
    ("returns", "sum(-net_amount_reporting)", "movement IN ('return', 'cancellation')"),
    ("adjustments", "sum(net_amount_reporting)", "movement = 'adjustment'"),
    ("units", "sum(quantity)", "true"),
    ("orders", "count(DISTINCT order_key)", "movement = 'sale'"),
];

/// Grouping, the basis where it makes a difference, and the key in `sales_flat`.
const KEYS: [(&str, &str, &str); 9] = [
    ("day", "movement", "movement_date_key"),
    ("day", "order", "order_date_key"),
    ("category", "", "coalesce(top_category, 'Unknown')"),
    ("product", "", "coalesce(product_id, 'unknown')"),
    ("country", "", "coalesce(country, 'unknown')"),
    ("customer", "", "coalesce(customer_id, 'unknown')"),
    ("channel", "", "coalesce(channel, 'unknown')"),
    ("currency", "", "currency"),
    ("movement", "", "movement"),
];

/// Decimal text in millionths.
pub(crate) fn units(decimal: &str) -> i128 {
    let (sign, digits) = decimal.strip_prefix('-').map_or((1, decimal), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    sign * format!("{whole}{fraction:0<6}").parse::<i128>().expect("a decimal")
}

/// All of it in one pass over the ledger: a row for each key of each grouping, which is the one key that is not null.
fn statement() -> String {
    let keys: Vec<String> =
        KEYS.iter().enumerate().map(|(at, (_, _, key))| format!("CAST({key} AS VARCHAR) AS key_{at}")).collect();
    let sets: Vec<String> = (0..KEYS.len()).map(|at| format!("(key_{at})")).collect();
    let named: Vec<String> = (0..KEYS.len()).map(|at| format!("key_{at}")).collect();
    let values = FIGURES.iter().map(|(figure, value, filter)| {
        format!("count(*) FILTER (WHERE {filter}) AS rows_{figure}, CAST(coalesce({value} FILTER (WHERE {filter}), 0) AS VARCHAR) AS {figure}")
    });
    format!(
        "SELECT {}, {} FROM (SELECT *, {} FROM sales_flat WHERE NOT is_test) GROUP BY GROUPING SETS ({})",
        named.join(", "),
        values.collect::<Vec<_>>().join(", "),
        keys.join(", "),
        sets.join(", ")
    )
}

/// `20260131` is the day `2026-01-31`.
fn key_text(by: &str, key: &str) -> String {
    if by == "day" { format!("{}-{}-{}", &key[..4], &key[4..6], &key[6..]) } else { key.to_owned() }
}

/// The star schema's contents equal the figures.
pub(super) fn agrees(shop: &Shop, answers: &BTreeMap<Question, Value>) {
    let mut counted: BTreeMap<(&str, usize), Rows> = BTreeMap::new();
    for row in shop.json(&["sql", &statement()]).as_array().expect("rows") {
        let at = (0..KEYS.len()).find(|at| row[format!("key_{at}")].is_string()).expect("a key");
        let key = key_text(KEYS[at].0, &text(&row[format!("key_{at}")]));
        for (figure, _, _) in FIGURES.iter().filter(|(figure, _, _)| row[format!("rows_{figure}")] != "0") {
            counted.entry((figure, at)).or_default().insert(key.clone(), rounded(&text(&row[*figure])));
        }
    }
    let mut compared = 0;
    for (question, answer) in answers {
        let is_for = |(by, basis, _): &(&str, &str, &str)| question.by == *by && (basis.is_empty() || question.basis == *basis);
        let Some(at) = KEYS.iter().position(is_for) else { continue };
        let Some((figure, _, _)) = FIGURES.iter().find(|(figure, _, _)| question.figure == *figure) else { continue };
        let answer: Rows = rows(answer).into_iter().map(|(key, value)| (key, plain(&value))).collect();
        assert_eq!(counted.get(&(*figure, at)).cloned().unwrap_or_default(), answer, "{question:?}: star schema, figure");
        compared += 1;
    }
    assert_eq!(compared, 6 * 2 * 8 + 7, "six figures on two bases by eight groupings, and orders by all but movement");
}

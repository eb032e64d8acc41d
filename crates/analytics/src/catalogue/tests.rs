use std::collections::HashSet;

use super::*;

#[test]
fn a_figure_has_one_name_a_grouping_and_a_query_that_does_not_read_its_own_view() {
    let names: HashSet<_> = catalogue().iter().map(|figure| figure.name).collect();
    assert_eq!(names.len(), catalogue().len(), "a name stands for two figures");
    for figure in catalogue() {
        let json = serde_json::to_value(figure).unwrap();
        assert!(!figure.groupings.is_empty(), "{json}");
        assert!(json.get("kind").is_none() && json["groupings"][0].is_string(), "{json}");
        let sql = figure.sql();
        assert!(sql.starts_with("SELECT ") || sql.starts_with("WITH "), "{json}");
        let words: Vec<&str> = sql.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
        let read: Vec<_> =
            words.windows(2).filter(|pair| ["FROM", "JOIN"].contains(&pair[0]) && names.contains(pair[1])).collect();
        assert!(read.is_empty(), "{}: {read:?}", figure.name);
    }
}

#[test]
fn a_measure_is_of_money_or_of_quantities_and_of_no_mixture() {
    let measures = catalogue().iter().filter_map(|figure| Some((figure, figure.kind.measure()?)));
    for (figure, measure) in measures.filter(|(figure, _)| figure.kind != Kind::Rfm) {
        let money = measure.terms.iter().filter(|term| term.column.is_money()).count();
        assert!(money == 0 || money == measure.terms.len(), "{}", figure.name);
        assert_eq!(measure.is_money(), figure.unit == Unit::Money, "{}", figure.name);
    }
}

const INTRODUCTION: &str = "\
# Figures

Every figure has one definition, in `crates/analytics/src/catalogue/entries.rs`; `kassa figures`, the [HTTP API](http-api.md), the dashboard and the views of `kassa sql`
all use it. Amounts are in the shop's currency; amounts without a rate are excluded and counted in `unconverted`. Days are the shop's. Test rows are in no figure. Bots are in no figure
of behaviour events; `is_bot` of an order, line or payment is not used.

**Bases.** `movement`: returns count on the day they happen. `order`: they go back to the day of their order. A figure without a basis uses the time of
its events.

**Rates.** A line is converted at the rate of the day on which it moved, on either basis, so that both have the same total; a payment at the rate of its own day, duty at that of the day of
its order. The rate is the day's own, else the last one of the 7 days before: stated, inverse, or through a common currency ([how](../decisions/0018-money-is-converted-when-read.md)). An
answer uses all known rates: a late rate also converts earlier rows.

**Rounding.** Sums are exact, and are rounded once, half-even to 6 places, for display. Each row of an answer is rounded separately, so their sum may differ from the rounded total in the
last digit. The queries below give the exact sum.

**Groupings.** The first is the default for `--by`. In SQL each figure is a view with `basis`, `by`, `key`, `label` and `value`. The query below a figure
does not read its view: it is a separate definition over the facts, by the first grouping on the first basis. `kassa figures NAME --by … --query lake` prints the query of a figure
of the ledger by any grouping, and `--query spark` the same for Spark over the tables of the lake.

**Header and lines.** An order's header may state sums that its lines do not: shipping, tax, tip, gift card. The ledger (`fact_sales`), and so every sales
figure except the duty in `total_sales`, is computed from lines only. Map what should count to the lines: `shipping` and `tax` of a line go to `shipping_amount` and `tax_amount`.
Query amounts that only the header has in SQL: `SELECT sum(shipping) FROM fact_order_current`.
";

fn reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    for figure in catalogue() {
        let names = |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let bases = names(figure.bases.iter().map(|basis| basis.name()).collect());
        let bases = if bases.is_empty() { "none".to_owned() } else { bases };
        let groupings = names(figure.groupings.iter().map(|by| by.name()).collect());
        page.push_str(&format!(
            "\n## `{}`: {}\n\n{}\n\n- {} ({})\n- bases: {bases}\n- groupings: {groupings}\n\n```sql\n{}\n```\n",
            figure.name,
            figure.title,
            figure.definition,
            figure.formula,
            figure.unit.name(),
            figure.sql(),
        ));
    }
    page
}

#[test]
fn the_page_of_the_api_names_every_figure() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/http-api.md");
    let page = std::fs::read_to_string(file).unwrap();
    let (_, rest) = page.split_once("\nNames: `").unwrap();
    let (names, _) = rest.split_once('`').unwrap();
    let figures: Vec<&str> = catalogue().iter().map(|figure| figure.name).collect();
    assert_eq!(names.split_whitespace().collect::<Vec<_>>(), figures);
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

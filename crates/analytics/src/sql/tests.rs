use super::*;
use crate::catalogue;
use crate::measure::{BACK, SALE};

#[test]
fn a_figures_query_is_written_from_its_measure() {
    for (name, expected) in [
        ("net_sales", "SELECT COALESCE(SUM(net_amount_reporting), 0) AS value FROM fact_sales_reporting WHERE NOT is_test"),
        (
            "discounts",
            "SELECT COALESCE(SUM(discount_amount_reporting), 0) AS value FROM fact_sales_reporting WHERE movement = 'sale' AND NOT is_test",
        ),
        (
            "returns",
            "SELECT COALESCE(SUM(-net_amount_reporting), 0) AS value FROM fact_sales_reporting \
             WHERE movement IN ('return', 'cancellation') AND NOT is_test",
        ),
        ("tax_collected", "SELECT COALESCE(SUM(tax_amount_reporting), 0) AS value FROM fact_sales_reporting WHERE NOT is_test"),
        ("units", "SELECT COALESCE(SUM(quantity), 0) AS value FROM fact_sales WHERE NOT is_test"),
        ("orders", "SELECT COUNT(DISTINCT order_key) AS value FROM fact_sales WHERE movement = 'sale' AND NOT is_test"),
    ] {
        let figure = catalogue().iter().find(|figure| figure.name == name).unwrap();
        assert_eq!(figure.sql(), expected);
    }
}

#[test]
fn a_term_of_some_of_the_movements_counts_for_those_alone() {
    const MIXED: &Measure = &Measure::new(&[
        Term { column: Column::Gross, movements: SALE, sign: Sign::Minus },
        Term { column: Column::Tax, movements: BACK, sign: Sign::Plus },
    ]);
    assert_eq!(filter(MIXED), "movement IN ('sale', 'return', 'cancellation')");
    assert_eq!(
        value(MIXED, &|column| short(column).to_owned()),
        "-CASE WHEN movement = 'sale' THEN gross ELSE 0 END + CASE WHEN movement IN ('return', 'cancellation') THEN tax ELSE 0 END"
    );
}

#[test]
fn what_a_measure_makes_is_written_by_every_grouping_in_every_dialect_and_the_rest_in_none() {
    let dialects: [&dyn Dialect; 2] = [&Lake::new("Europe/London"), &Spark::new("Europe/London")];
    for figure in catalogue() {
        let is_data = matches!(figure.kind, Kind::Sum(_) | Kind::SumWithDuty(_) | Kind::Ratio { .. } | Kind::Orders);
        for (basis, by) in figure.bases.iter().flat_map(|basis| figure.groupings.iter().map(|by| (*basis, *by))) {
            for dialect in dialects {
                let rows = figure.rows_in(dialect, basis, by);
                assert_eq!(rows.is_some(), is_data, "{} by {}", figure.name, by.name());
                let open = |sql: &String| sql.matches('(').count() == sql.matches(')').count();
                assert!(rows.iter().all(open), "{rows:?}");
            }
        }
    }
}

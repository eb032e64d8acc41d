use kassa_pipeline::Sink;

use super::*;
use crate::testing::{Feed, Warehouse, line, shop};

#[test]
fn views_are_replaced_when_their_text_changes_and_stay_otherwise() {
    let warehouse = Warehouse::new();
    let target = warehouse.target("postgres");
    warehouse.sql(
        "CREATE VIEW public.mine AS SELECT key, value FROM dwh.net_sales WHERE \"by\" = 'total' AND basis = 'movement';
         CREATE VIEW public.all_of_mine AS SELECT figure, value FROM dwh.figures WHERE \"by\" = 'total'",
    );
    assert!(crate::migrate(&target).unwrap().is_empty(), "nothing has changed");
    // As an older kassa leaves them: another text, and without a figure.
    warehouse.sql(
        "CREATE OR REPLACE VIEW dwh.net_sales AS SELECT NULL::text AS basis, NULL::text AS \"by\", NULL::text AS key, NULL::text AS label, 7::numeric AS value,
         NULL::text AS unit; DROP VIEW dwh.tax_collected; COMMENT ON VIEW dwh.figures IS 'by another'",
    );
    assert_eq!(crate::migrate(&target).unwrap(), [NAME]);
    assert_eq!(warehouse.sql("SELECT * FROM public.mine"), "total|0.000000");
    assert_eq!(warehouse.sql("SELECT DISTINCT figure FROM public.all_of_mine WHERE figure LIKE 'tax%'"), "tax_collected");
    assert!(crate::migrate(&target).unwrap().is_empty());
}

#[test]
fn a_condition_on_the_view_of_all_figures_plans_no_more_than_it_asks_for() {
    let (warehouse, mut feed) = (Warehouse::new(), Feed::new());
    let lines = [line(0, 0), line(0, 1)];
    warehouse.sink().commit(&[feed.json("order_line", 0, &lines)]).unwrap();
    crate::derived::refresh(&warehouse.target("postgres"), &shop()).unwrap();
    let asked = "figure = 'net_sales' AND \"by\" = 'total' AND basis = 'order'";
    assert_eq!(
        warehouse.sql(&format!("SELECT figure, basis, \"by\", key, label, value, unit FROM dwh.figures WHERE {asked}")),
        "net_sales|order|total|total|total|5.000000|money"
    );
    // The queried figure is one of the constants; the plan contains no table, because each figure is planned when it is read.
    let plan = warehouse.sql(&format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT * FROM dwh.figures WHERE {asked}"));
    assert!(plan.contains("Function Scan on figure") && plan.contains("loops=1)") && !plan.contains("fact_sales"), "{plan}");
    assert!(!plan.lines().any(|line| line.contains("Function Scan") && !line.contains("loops=1)")), "{plan}");
    assert_eq!(
        warehouse.sql("SELECT value FROM dwh.figures WHERE figure = 'sessions' AND \"by\" = 'total' AND basis IS NULL"),
        "0"
    );
    let refused = warehouse.server.sql("shop", "SELECT * FROM dwh.figure('kassa\".\"ledger', NULL, 'total')");
    assert!(refused.is_err(), "a name is one name of the schema dwh: {refused:?}");
}

#[test]
fn the_text_replaces_no_view_that_a_migration_alone_makes() {
    let text = statements();
    for figure in catalogue() {
        assert!(text.contains(&format!("('{}'::text, ", figure.name)), "{} is in the view of all figures", figure.name);
        assert_eq!(text.contains(&format!("VIEW dwh.{} AS", figure.name)), view(figure).is_some(), "{}", figure.name);
    }
    assert_eq!(catalogue().iter().filter_map(view).count(), 11, "sums, ratios and orders");
}

//! PostgreSQL as released versions left it.

use std::process::Command;

use kassa_stack::postgres::Postgres;

use super::{Fixture, LINE, agrees, append, fixtures};

/// A server with a fixture's database, and the section of a configuration that names it.
pub(super) fn loaded(fixture: &Fixture) -> (Postgres, String) {
    let postgres = Postgres::start().expect("PostgreSQL");
    postgres.sql("postgres", "CREATE DATABASE shop").expect("a database");
    let dump = Command::new("zstd").arg("-dcq").arg(fixture.dir.join("postgres.sql.zst")).output().expect("zstd");
    assert!(dump.status.success());
    postgres.load("shop", &String::from_utf8(dump.stdout).expect("UTF-8")).expect("the dump");
    let section = format!("[warehouse]\nurl = \"{}\"\n", postgres.url("postgres", "shop"));
    (postgres, section)
}

#[test]
fn the_warehouse_of_a_released_version_is_migrated_read_appended_to_and_proven() {
    for fixture in fixtures() {
        let (postgres, section) = loaded(&fixture);
        let shop = fixture.shop(&section);
        let sql = |sql: &str| postgres.sql("shop", sql).expect("rows").trim().to_owned();
        let old: u64 = sql("SELECT count(*) FROM dwh.fact_sales").parse().expect("a count");
        // Somebody's view over ours, and a right: both must outlive the migration.
        sql(
            "CREATE ROLE analyst; GRANT SELECT ON dwh.sales_flat TO analyst; CREATE VIEW public.mine AS SELECT order_id, brand FROM dwh.sales_flat;
             CREATE ROLE clerk; GRANT SELECT (order_id, net_amount) ON dwh.sales_flat TO clerk WITH GRANT OPTION; GRANT SELECT (brand) ON public.mine TO PUBLIC;
             GRANT SELECT ON dwh.net_sales TO clerk",
        );
        assert!(shop.ok(&["migrate"]).contains("list_price"));
        assert_eq!(shop.ok(&["migrate"]).trim(), "ok: the warehouse's schema is up to date");
        assert_eq!(sql("SELECT has_table_privilege('analyst', 'dwh.sales_flat', 'SELECT')"), "t");
        let rights = "SELECT has_column_privilege('clerk', 'dwh.sales_flat', 'net_amount', 'SELECT WITH GRANT OPTION'),
            has_column_privilege('clerk', 'dwh.sales_flat', 'brand', 'SELECT'), has_column_privilege('clerk', 'public.mine', 'brand', 'SELECT'),
            has_column_privilege('clerk', 'public.mine', 'order_id', 'SELECT'), has_table_privilege('clerk', 'dwh.net_sales', 'SELECT'),
            to_regclass('kassa.kept_rights') IS NULL";
        assert_eq!(sql(rights), "t|f|t|f|t|t");

        let of_warehouse = ["--from", "warehouse"];
        agrees(&shop, &fixture.answers("figures.json"), &of_warehouse);
        shop.ok(&["prove"]);
        append(&shop);
        agrees(&shop, &fixture.answers("figures-after.json"), &of_warehouse);
        let server = shop.serve();
        assert_eq!(server.post("order_lines", LINE).expect("an answer").0, 202);
        server.until(|_| sql("SELECT list_price FROM dwh.sales_flat WHERE order_id = 'late'") == "12.500000");
        server.stop();
        shop.ok(&["prove"]);

        assert_eq!(sql("SELECT count(list_price) FROM dwh.fact_sales WHERE source_partition = 0 AND order_id <> 'late'"), "0");
        let lake =
            shop.json(&["sql", "SELECT count(*) AS n, count(list_price) AS priced, sum(list_price) AS sum FROM fact_sales"]);
        let lake = ["n", "priced", "sum"].map(|name| lake[0][name].as_str().expect("a number").to_owned());
        assert_eq!(sql("SELECT count(*), count(list_price), sum(list_price) FROM dwh.fact_sales"), lake.join("|"));
        assert_eq!(sql("SELECT count(*) >= count(DISTINCT order_id) FROM public.mine"), "t");
        assert!(lake[0].parse::<u64>().expect("a count") > old);
    }
}

#[test]
fn a_materialized_view_over_ours_is_named_and_can_be_made_again_after_the_migration() {
    for fixture in fixtures() {
        let (postgres, section) = loaded(&fixture);
        let shop = fixture.shop(&section);
        let sql = |sql: &str| postgres.sql("shop", sql).expect("rows").trim().to_owned();
        let view = "CREATE MATERIALIZED VIEW public.brands AS SELECT brand, count(*) AS lines FROM dwh.sales_flat GROUP BY brand";
        sql(&format!("{view}; CREATE ROLE clerk; GRANT SELECT (order_id) ON dwh.sales_flat TO clerk"));
        let lines = sql("SELECT sum(lines) FROM public.brands");
        let output = shop.run(&["migrate"]);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            words.contains("error[K021]")
                && words.contains("materialized view public.brands")
                && words.contains("create it again"),
            "{words}"
        );
        assert_eq!(sql("SELECT sum(lines) FROM public.brands"), lines, "the migration that failed has changed nothing");
        sql("DROP MATERIALIZED VIEW public.brands");
        shop.ok(&["migrate"]);
        sql(view);
        assert_eq!(sql("SELECT sum(lines) FROM public.brands"), lines);
        // Rights of columns outlive a migration that failed before.
        assert_eq!(sql("SELECT has_column_privilege('clerk', 'dwh.sales_flat', 'order_id', 'SELECT')"), "t");
    }
}

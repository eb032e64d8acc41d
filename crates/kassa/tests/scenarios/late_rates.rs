//! Rates that are read last convert what was read before them: in the lake, in its SQL, and in PostgreSQL, as if they had been read first.

use std::collections::BTreeMap;
use std::process::Command;

use kassa_stack::postgres::Postgres;
use serde_json::Value;

use crate::harness::{KASSA, Shop};
use crate::others_read::{STREAMS, rounded};

struct World<'p> {
    shop: Shop,
    postgres: &'p Postgres,
    database: &'static str,
}

impl<'p> World<'p> {
    fn new(postgres: &'p Postgres, database: &'static str) -> Self {
        postgres.sql("postgres", &format!("CREATE DATABASE {database}")).expect("a database");
        let url = postgres.url("postgres", database);
        let config = format!(
            "[shop]\nname = \"Rates\"\ntime_zone = \"Europe/London\"\ncurrency = \"GBP\"\n[warehouse]\nurl = \"{url}\"\n"
        );
        Self { shop: Shop::new(&config), postgres, database }
    }

    fn replay(&self, stream: &str, file: &std::path::Path) {
        self.shop.ok(&["replay", "--stream", stream, file.to_str().expect("UTF-8")]);
    }

    /// The same statement in both stores, a row a line; of `{dwh}` the lake's tables have none.
    fn rows(&self, sql: &str) -> [Vec<String>; 2] {
        let text = |value: &Value| {
            value.as_str().map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
        };
        let lake = self.shop.json(&["sql", &sql.replace("{dwh}", "")]);
        let columns = lake.as_array().expect("rows").iter().map(|row| row.as_object().expect("a row"));
        let lake = columns.map(|row| row.values().map(text).collect::<Vec<_>>().join("|")).collect();
        let warehouse = self.postgres.sql(self.database, &sql.replace("{dwh}", "dwh.")).expect(sql);
        [lake, warehouse.lines().map(str::to_owned).collect()]
    }

    /// Every figure on every basis by every grouping, in the lake's views and in the warehouse's.
    fn figures(&self) -> [BTreeMap<String, String>; 2] {
        let catalogue = self.shop.json(&["figures"]);
        let names: Vec<&str> =
            catalogue.as_array().expect("figures").iter().filter_map(|figure| figure["name"].as_str()).collect();
        let views = names.iter().map(|name| {
            format!(
                "SELECT '{name}' AS a, coalesce(basis, '') AS b, \"by\" AS c, key AS d, label AS e, value AS f FROM {{dwh}}{name}"
            )
        });
        let rows = self.rows(&views.collect::<Vec<_>>().join(" UNION ALL "));
        rows.map(|rows| {
            let value = |text: &str| if text.is_empty() { String::new() } else { rounded(text) };
            let split = |row: String| row.rsplit_once('|').map(|(key, text)| (key.to_owned(), value(text)));
            rows.into_iter().filter_map(split).collect()
        })
    }
}

/// Facts and rates combined in SQL, in both stores: the same, exact.
const SUMS: [&str; 5] = [
    "SELECT movement AS a, currency AS b, sum(net_amount_reporting) AS c FROM {dwh}sales_flat WHERE NOT is_test GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT movement_date_key AS a, sum(tax_amount_reporting + shipping_amount_reporting) AS b FROM {dwh}fact_sales_reporting GROUP BY 1 ORDER BY 1",
    "SELECT payment_date_key AS a, currency AS b, sum(amount_reporting) AS c FROM {dwh}fact_payment_reporting GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT session_date_key AS a, sum(revenue_reporting) AS b FROM {dwh}fact_session GROUP BY 1 ORDER BY 1",
    "SELECT currency AS a, derivation AS b, count(*) AS c, sum(rate) AS d, sum(rate_date_key) AS e FROM {dwh}dim_fx_rate GROUP BY 1, 2 ORDER BY 1, 2",
];

/// Rounds the decimals of a row, which stores end in more or fewer zeros.
fn plain(row: &str) -> String {
    let cell = |cell: &str| if cell.contains('.') { rounded(cell) } else { cell.to_owned() };
    row.split('|').map(cell).collect::<Vec<_>>().join("|")
}

#[test]
fn rates_that_are_read_last_convert_all_that_came_before_them_in_lake_and_warehouse() {
    let postgres = Postgres::start().expect("PostgreSQL");
    let (early, late) = (World::new(&postgres, "early"), World::new(&postgres, "late"));
    let made = early.shop.dir.path().join("made");
    let simulated = Command::new(KASSA).args(["simulate", "--records", "9000", "--per-day", "900", "--to"]).arg(&made).status();
    assert!(simulated.expect("simulate").success());
    let file = |name: &str| made.join(format!("{name}.ndjson"));
    let rates = std::fs::read_to_string(file("fx_rates")).expect("rates");
    let (half, rest) = rates.split_at(rates[..rates.len() / 2].rfind('\n').expect("rates") + 1);
    std::fs::write(file("half"), half).expect("written");
    std::fs::write(file("rest"), rest).expect("written");
    let others = STREAMS.into_iter().filter(|stream| *stream != "fx_rates" && file(stream).exists());

    early.replay("fx_rates", &file("fx_rates"));
    others.clone().for_each(|stream| early.replay(stream, &file(stream)));
    others.for_each(|stream| late.replay(stream, &file(stream)));
    let unconverted = late.shop.json(&["figures", "net_sales"])["unconverted"].as_array().map_or(0, Vec::len);
    assert!(unconverted > 2, "without rates there is money that is not converted");
    // The second half first: the days before are then converted by none.
    late.replay("fx_rates", &file("rest"));
    late.replay("fx_rates", &file("half"));

    let [lake, warehouse] = early.figures();
    assert!(lake.len() > 1_000 && lake == warehouse, "lake and warehouse differ");
    let [late_lake, late_warehouse] = late.figures();
    assert_eq!(late_lake, lake, "rates last, lake");
    assert_eq!(late_warehouse, lake, "rates last, warehouse");
    for sql in SUMS {
        let [lake, warehouse] = early.rows(sql).map(|rows| rows.iter().map(|row| plain(row)).collect::<Vec<_>>());
        assert!(lake.len() > 2, "{sql}: {lake:?}");
        assert_eq!(warehouse, lake, "{sql}");
        for rows in late.rows(sql) {
            assert_eq!(rows.iter().map(|row| plain(row)).collect::<Vec<_>>(), lake, "rates last: {sql}");
        }
    }
    let converted = |world: &World<'_>| world.shop.json(&["figures", "net_sales"])["unconverted"].as_array().map(Vec::len);
    assert_eq!((converted(&early), converted(&late)), (Some(0), Some(0)));
    early.shop.ok(&["prove"]);
    late.shop.ok(&["prove"]);
}

//! Facts that have had their time are dropped by a running kassa, with the rights of the role that ingests.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use kassa_stack::postgres::Postgres;
use serde_json::Value;

use crate::harness::Shop;
use crate::roles::{as_user, divided};

/// Days that are kept, and those that records lie back: one more is a partition that must stay.
const KEPT: i64 = 45;
const AGES: [i64; 5] = [300, 60, 46, 45, 3];

struct Kept {
    shop: Shop,
    postgres: Postgres,
    today: Date,
}

impl Kept {
    fn day(&self, age: i64) -> Date {
        self.today.checked_sub(age.days()).expect("a date")
    }

    /// An order of two lines and a visit on a day; `name` distinguishes records.
    fn records(&self, name: &str, age: i64) -> [(&'static str, String); 2] {
        let day = self.day(age);
        let line = |line: i32| {
            format!(
                "{{\"event_id\":\"{name}-{line}\",\"occurred_at\":\"{day}T12:00:00Z\",\"order_id\":\"{name}\",\"line_id\":\"{line}\",\"product_id\":\"lamp\",\"customer_id\":\"ann\",\"quantity\":1,\"unit_price\":\"{line}.50\",\"currency\":\"GBP\"}}\n"
            )
        };
        let visit = format!(
            "{{\"event_id\":\"{name}-v\",\"occurred_at\":\"{day}T12:00:00Z\",\"type\":\"page_viewed\",\"session_id\":\"{name}\",\"customer_id\":\"ann\",\"url\":\"https://shop.example/\"}}\n"
        );
        [("order_lines", line(1) + &line(2)), ("events", visit)]
    }

    fn bring(&self, name: &str, age: i64) {
        for (stream, text) in self.records(name, age) {
            let file = self.shop.dir.path().join(format!("{name}-{stream}.ndjson"));
            std::fs::write(&file, text).expect("written");
            self.kassa(&["replay", "--stream", stream, file.to_str().expect("UTF-8")], &[]);
        }
    }

    fn kassa(&self, args: &[&str], env: &[(&str, &str)]) -> String {
        let mut command = self.shop.command(args);
        let output = command.envs(as_user(&self.postgres, "feeder")).envs(env.iter().copied()).output().expect("started");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn sql(&self, sql: &str) -> String {
        self.postgres.sql("shop", sql).expect(sql).trim().to_owned()
    }

    fn by_day(&self, figure: &str, store: &str) -> BTreeMap<String, String> {
        let args = ["figures", figure, "--by", "day", "--from", store, "--format", "json"];
        let answer: Value = serde_json::from_str(&self.kassa(&args, &[])).expect("JSON");
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        answer["rows"].as_array().expect("rows").iter().map(|row| (text(row, "key"), text(row, "value"))).collect()
    }

    /// Every figure of a kept day is the lake's, in the answer and in the views; of other days there is none.
    fn equals_the_lake_since(&self, first: Date) {
        for figure in ["net_sales", "units", "sessions"] {
            let mut lake = self.by_day(figure, "lake");
            lake.retain(|day, _| *day >= first.to_string());
            assert!(!lake.is_empty(), "{figure}: the lake has no such days");
            let held: BTreeMap<String, String> = self
                .by_day(figure, "warehouse")
                .into_iter()
                .filter(|(day, _)| lake.contains_key(day) || *day < first.to_string())
                .collect();
            assert_eq!(lake, held, "{figure}");
            let view = format!(
                "SELECT count(*) FROM dwh.{figure} WHERE \"by\" = 'day' AND coalesce(basis, 'movement') = 'movement' AND key < '{first}'"
            );
            assert_eq!(self.sql(&view), "0", "{figure}: the view still has days that went");
        }
    }
}

fn number(day: Date) -> String {
    day.to_string().replace('-', "")
}

#[test]
fn facts_that_have_had_their_time_go_and_all_else_stays_right() {
    let shop = Shop::new("[shop]\nname = \"Kept\"\n");
    let postgres = divided(&shop);
    let today = postgres.sql("shop", "SELECT (now() AT TIME ZONE 'UTC')::date").expect("a day");
    let kept = Kept { shop, postgres, today: today.trim().parse().expect("a date") };
    for age in AGES {
        kept.bring(&format!("o{age}"), age);
    }
    kept.kassa(&["run", "--until-caught-up"], &[]);
    kept.kassa(&["prove"], &[]);
    let facts = "SELECT count(*) || ' ' || min(movement_date_key) FROM dwh.fact_sales";
    assert_eq!(kept.sql(facts), format!("10 {}", number(kept.day(300))), "without retention all is kept");
    let current = "SELECT count(*), sum(net_amount) FROM ods.order_details";
    let sums = "SELECT sum(lines), sum(net_amount) FROM dwh.agg_sales_daily";
    let (before, sums_before) = (kept.sql(current), kept.sql(sums));

    let retention = format!("{KEPT}d");
    let obeyed = [("KASSA__WAREHOUSE__RETENTION", retention.as_str())];
    kept.kassa(&["run", "--until-caught-up"], &obeyed);
    assert_eq!(kept.sql(facts), format!("4 {}", number(kept.day(KEPT))));
    assert_eq!((kept.sql(current), kept.sql(sums)), (before, sums_before), "current state and sums by day outlive the facts");
    kept.kassa(&["prove"], &[]);
    kept.equals_the_lake_since(kept.day(KEPT));
    assert_eq!(kept.sql("SELECT min(session_date_key) FROM dwh.fact_session"), number(kept.day(KEPT)));

    // Late records of a dropped day are accepted, and dropped with the next day's round.
    kept.bring("late", 60);
    kept.kassa(&["prove"], &[]);
    kept.kassa(&["run", "--until-caught-up"], &obeyed);
    assert_eq!(kept.sql(facts), format!("4 {}", number(kept.day(KEPT))));
    kept.kassa(&["prove"], &[]);

    // Retention does not drop this one.
    kept.sql(&format!("DELETE FROM dwh.fact_sales WHERE movement_date_key = {} AND line_id = '2'", number(kept.day(3))));
    let proof = kept.shop.command(&["prove"]).envs(as_user(&kept.postgres, "feeder")).output().expect("started");
    assert_eq!(proof.status.code(), Some(1), "a row that was deleted is not missed");
}

#[test]
fn whoever_ingests_cannot_drop_the_last_month() {
    let shop = Shop::new("[shop]\nname = \"Kept\"\n");
    let postgres = divided(&shop);
    let part = "SELECT partition_name FROM kassa.partitions WHERE table_name = 'fact_sales' LIMIT 1";
    let output = shop.command(&["run", "--until-caught-up"]).envs(as_user(&postgres, "feeder")).output().expect("started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let part = postgres.sql("shop", part).expect("a partition");
    let error = postgres.sql_as("feeder", "shop", &format!("SELECT kassa.retire_partition('fact_sales', '{}')", part.trim()));
    assert!(error.expect_err("refused").to_string().contains("none of the last 31 days"));
    let short = shop.command(&["run"]).env("KASSA__WAREHOUSE__RETENTION", "30d").envs(as_user(&postgres, "feeder")).output();
    assert_eq!(short.expect("started").status.code(), Some(78), "a shorter retention is a mistake in the configuration");
}

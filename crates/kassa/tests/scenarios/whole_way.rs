//! Real Kafka in, lake and PostgreSQL out.

use std::process::{Command, Stdio};

use kassa_kafka::{Admin, Connection};
use kassa_stack::postgres::Postgres;
use kassa_stack::{Kafka, KafkaOptions};
use serde_json::Value;

use crate::harness::{KASSA, Shop};
use crate::others_read::STREAMS;

/// Servers, and a shop between them.
struct Between {
    kafka: Kafka,
    postgres: Postgres,
    shop: Shop,
}

impl Between {
    fn start() -> Self {
        let kafka = Kafka::start(&KafkaOptions::default()).expect("Kafka");
        let postgres = Postgres::start().expect("PostgreSQL");
        postgres.sql("postgres", "CREATE DATABASE kassa").expect("a database");
        let admin =
            Admin::connect(&Connection { brokers: kafka.plaintext(), ..Connection::default() }).expect("an administrator");
        for topic in STREAMS {
            admin.create_topic(topic, 4, 1, &[]).expect("a topic");
        }
        let shop = Shop::new(&format!(
            "[shop]\nname = \"Between\"\n[source]\nurl = \"kafka://{}\"\n[warehouse]\nurl = \"{}\"\n",
            kafka.plaintext(),
            postgres.url("postgres", "kassa")
        ));
        Self { kafka, postgres, shop }
    }

    /// Sends the synthetic shop's records; their truth.
    fn simulate(&self, records: &str) -> Value {
        let url = format!("kafka://{}", self.kafka.plaintext());
        let output = Command::new(KASSA)
            .args(["simulate", "--records", records, "--to", &url])
            .stderr(Stdio::inherit())
            .output()
            .expect("started");
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).expect("the truth")
    }

    /// A figure's rows by whose rows it is, at the same positions.
    fn rows(&self, figure: &str, by: &str, store: &str, at: Option<&str>) -> Value {
        let mut args = vec!["figures", figure, "--by", by, "--from", store];
        args.extend(at.iter().flat_map(|file| ["--at", *file]));
        self.shop.json(&args)
    }
}

fn plain(text: &str) -> &str {
    text.trim_end_matches('0').trim_end_matches('.')
}

#[test]
fn what_kafka_has_is_the_same_in_the_lake_and_in_postgresql() {
    let between = Between::start();
    let truth = between.simulate("60000");
    between.shop.ok(&["run", "--until-caught-up"]);
    for (figure, said) in truth["figures"].as_object().expect("figures").iter().filter(|(name, _)| is_total(name)) {
        for store in ["lake", "warehouse"] {
            let answer = between.rows(figure, "total", store, None);
            let value = answer["rows"][0]["value"].as_str().expect("a value").to_owned();
            assert_eq!(plain(&value), plain(said.as_str().unwrap_or(&said.to_string())), "{figure} from the {store}");
        }
    }
    let (by_day, from_postgres) =
        (between.rows("net_sales", "day", "lake", None), between.rows("net_sales", "day", "warehouse", None));
    assert_eq!((&by_day["rows"], &by_day["positions"]), (&from_postgres["rows"], &from_postgres["positions"]));
    let counted = between.postgres.sql("kassa", "SELECT count(*) FROM dwh.fact_sales").expect("rows");
    let rows = between.shop.json(&["sql", "SELECT count(*) AS n FROM fact_sales"]);
    assert_eq!(rows[0]["n"].as_str(), Some(counted.trim()));
    between.shop.ok(&["prove"]);
    // A second run reads nothing anew.
    between.shop.ok(&["run", "--until-caught-up"]);
    assert_eq!(by_day["rows"], between.rows("net_sales", "day", "warehouse", None)["rows"]);
}

/// The truth's figures that are asked for by these names.
fn is_total(name: &str) -> bool {
    ["net_sales", "gross_sales", "orders", "units"].contains(&name)
}

//! Real Kafka in, lake and PostgreSQL out.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use kassa_kafka::{Admin, Connection};
use kassa_stack::postgres::Postgres;
use kassa_stack::{Kafka, KafkaOptions};
use serde_json::Value;

use crate::harness::{KASSA, Shop};
use crate::others_read::STREAMS;

/// Of each topic.
const PARTITIONS: i32 = 4;

/// Servers, and a shop between them.
pub(crate) struct Between {
    pub(crate) kafka: Kafka,
    pub(crate) postgres: Postgres,
    pub(crate) shop: Shop,
}

impl Between {
    fn start() -> Self {
        Self::of(PARTITIONS)
    }

    /// With topics of this many partitions.
    pub(crate) fn of(partitions: i32) -> Self {
        Self::with(partitions, |postgres| format!("[warehouse]\nurl = \"{}\"\n", postgres.url("postgres", "kassa")))
    }

    /// PostgreSQL runs, but the shop does not know of it.
    pub(crate) fn without_warehouse() -> Self {
        Self::with(PARTITIONS, |_| String::new())
    }

    fn with(partitions: i32, warehouse: impl Fn(&Postgres) -> String) -> Self {
        let kafka = Kafka::start(&KafkaOptions::default()).expect("Kafka");
        let postgres = Postgres::start().expect("PostgreSQL");
        postgres.sql("postgres", "CREATE DATABASE kassa").expect("a database");
        let shop = Shop::new(&format!(
            "[shop]\nname = \"Between\"\n[source]\nurl = \"kafka://{}\"\n{}",
            kafka.plaintext(),
            warehouse(&postgres)
        ));
        let between = Self { kafka, postgres, shop };
        let admin = Admin::connect(&between.connection()).expect("an administrator");
        for topic in STREAMS {
            admin.create_topic(topic, partitions, 1, &[]).expect("a topic");
        }
        between
    }

    pub(crate) fn connection(&self) -> Connection {
        Connection { brokers: self.kafka.plaintext(), ..Connection::default() }
    }

    /// Where each partition ends: topic, number, offset.
    pub(crate) fn ends(&self) -> Vec<(String, i32, i64)> {
        let admin = Admin::connect(&self.connection()).expect("an administrator");
        let partitions = STREAMS.iter().flat_map(|topic| (0..PARTITIONS).map(move |number| (*topic, number)));
        let end = |topic: &str, number| admin.cluster().bounds(topic, number).expect("bounds").stable_end;
        partitions.map(|(topic, number)| (topic.to_owned(), number, end(topic, number))).collect()
    }

    /// Sends the synthetic shop's records; their truth.
    pub(crate) fn simulate(&self, records: &str, seed: &str) -> Value {
        let url = format!("kafka://{}", self.kafka.plaintext());
        let output = Command::new(KASSA)
            .args(["simulate", "--records", records, "--seed", seed, "--to", &url])
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

    /// Both stores against the truth, and each other.
    pub(crate) fn equals(&self, truth: &Value) {
        for figure in ["net_sales", "gross_sales", "units"] {
            let said = millionths(truth["figures"][figure].as_str().expect("a figure"));
            for store in ["lake", "warehouse"] {
                let answer = self.rows(figure, "total", store, None);
                assert_eq!(millionths(answer["rows"][0]["value"].as_str().expect("a value")), said, "{figure} from the {store}");
            }
        }
        self.shop.ok(&["prove"]);
    }
}

/// A decimal's 10⁻⁶.
pub(crate) fn millionths(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{}{fraction:0<6}", whole.trim_start_matches('-'));
    let value: i128 = digits.parse().expect("a decimal");
    if text.starts_with('-') { -value } else { value }
}

#[test]
fn what_kafka_has_is_the_same_in_the_lake_and_in_postgresql() {
    let between = Between::start();
    let truth = between.simulate("60000", "1");
    between.shop.ok(&["run", "--until-caught-up"]);
    between.equals(&truth);
    let orders = between.rows("orders", "total", "warehouse", None);
    assert_eq!(orders["rows"][0]["value"].as_str().map(str::to_owned), Some(truth["figures"]["orders"].to_string()));
    let days = between.rows("net_sales", "day", "lake", None);
    let from_postgres = between.rows("net_sales", "day", "warehouse", None);
    assert_eq!((&days["rows"], &days["positions"]), (&from_postgres["rows"], &from_postgres["positions"]));
    let counted = between.postgres.sql("kassa", "SELECT count(*) FROM dwh.fact_sales").expect("rows");
    let rows = between.shop.json(&["sql", "SELECT count(*) AS n FROM fact_sales"]);
    assert_eq!(rows[0]["n"].as_str(), Some(counted.trim()));
    // A second run reads nothing again.
    between.shop.ok(&["run", "--until-caught-up"]);
    assert_eq!(days["rows"], between.rows("net_sales", "day", "warehouse", None)["rows"]);
    // A row that is changed in PostgreSQL is found.
    between
        .postgres
        .sql(
            "kassa",
            "UPDATE dwh.fact_sales SET quantity = quantity + 1 WHERE order_id = (SELECT min(order_id) FROM dwh.fact_sales)",
        )
        .expect("changed");
    let proof = between.shop.run(&["prove", "--format", "json"]);
    let found: Value = serde_json::from_slice(&proof.stdout).expect("JSON");
    assert_eq!(proof.status.code(), Some(1));
    let names = found["findings"].as_array().expect("findings").iter();
    assert!(
        names.clone().any(|one| one["sink"] == "warehouse" && one["table"] == "fact_sales" && one["kind"] == "altered"),
        "{found}"
    );
}

#[test]
fn what_is_killed_or_cut_off_goes_on_where_its_sinks_are() {
    let mut between = Between::start();
    let truth = between.simulate("60000", "1");
    for after in [100, 500, 900] {
        let server = between.shop.serve();
        thread::sleep(Duration::from_millis(after));
        server.kill();
    }
    // PostgreSQL goes and comes back while the others go on; so does the broker.
    let server = between.shop.serve();
    between.postgres.stop().expect("stopped");
    let posted =
        server.post("customers", br#"{"event_id":"posted","occurred_at":"2025-01-06T10:00:00Z","customer_id":"posted"}"#);
    assert_eq!(posted.map(|(status, _)| status), Some(202), "the broker has it");
    server.until_ready(|ready| !ready && server.said_of_ready().contains("warehouse"));
    between.postgres.resume().expect("resumed");
    between.kafka.kill();
    between.kafka.restart().expect("restarted");
    server.until_ready(|ready| ready);
    server.stop();
    between.shop.ok(&["run", "--until-caught-up"]);
    between.equals(&truth);
}

//! The cost of refreshing PostgreSQL's derived tables after one new order, in a shop that has read the whole year from Kafka.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use kassa_kafka::{Admin, Outgoing, Producer, ProducerOptions};
use kassa_model::{Currency, Shop};
use kassa_stack::postgres::{Options, Postgres};
use kassa_stack::{Kafka, KafkaOptions};
use kassa_warehouse::{Target, derived};
use serde_json::{Value, json};

use super::Year;
use super::command::patience;
use crate::kafka::connection;
use crate::latency::Server;
use crate::warehouse::{PARTITIONS, SETTINGS, STREAMS};

const DATABASE: &str = "kassa";
/// The number of times that the refresh after an order is measured; the median counts.
const ROUNDS: usize = 5;
const PAUSE: Duration = Duration::from_millis(50);

/// The cost of a refresh.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) milliseconds: f64,
    /// Pages that the server read, from its memory or from disk.
    pub(super) pages: u64,
    /// Rows that it inserted, updated or deleted.
    pub(super) rows: u64,
}

struct Field {
    kafka: Kafka,
    postgres: Postgres,
    target: Target,
    shop: Shop,
}

pub(super) fn measure(kassa: &Path, year: Year) -> anyhow::Result<Cost> {
    let settings = SETTINGS.map(str::to_owned).to_vec();
    let (kafka, postgres) =
        (Kafka::start(&KafkaOptions::default())?, Postgres::start_with(&Options { settings, ..Options::default() })?);
    postgres.sql("postgres", &format!("CREATE DATABASE {DATABASE}"))?;
    let url = postgres.url("postgres", DATABASE);
    let target = Target::parse(&url, None)?;
    let currency = Currency::parse("GBP").context("no pounds")?;
    let shop = Shop::new("Harbour & Pine", "Europe/London", currency).context("no such time zone")?;
    let field = Field { kafka, postgres, target, shop };
    let admin = Admin::connect(&connection(&field.kafka))?;
    for topic in STREAMS {
        admin.create_topic(topic, PARTITIONS, 1, &[])?;
    }
    let to = format!("kafka://{}", field.kafka.plaintext());
    let made = Command::new(kassa).arg("simulate").args(year.args()).args(["--to", &to]).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let truth: Value = serde_json::from_slice(&made.stdout)?;
    let place = tempfile::tempdir()?;
    // Without the lake among its sinks, the worker does not refresh by itself.
    let config =
        format!("data_dir = \"data\"\n[source]\nurl = \"{to}\"\n[warehouse]\nurl = \"{url}\"\ncommit_interval = \"100ms\"\n");
    fs::write(place.path().join("kassa.toml"), config)?;
    let mut server = Server::start_with(kassa, place.path(), &["--sinks", "warehouse"], |_: &str| {})?;
    field.wait_for(year.records)?;
    let cost = field.after_an_order(year.records, &truth)?;
    server.stop()?;
    Ok(cost)
}

impl Field {
    fn number(&self, sql: &str) -> anyhow::Result<u64> {
        let said = self.postgres.sql(DATABASE, sql)?;
        said.trim().parse().with_context(|| format!("{sql}: {said}"))
    }

    /// Waits until PostgreSQL accounts for this many records.
    fn wait_for(&self, records: u64) -> anyhow::Result<()> {
        let since = Instant::now();
        while self.number("SELECT coalesce(sum(read), 0) FROM kassa.spans")? < records {
            ensure!(since.elapsed() < patience(records), "PostgreSQL does not have all of {records} records");
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Pages that the server has read, and rows that it has written.
    fn counters(&self) -> anyhow::Result<[u64; 2]> {
        let [pages, rows] = ["blks_hit + blks_read", "tup_inserted + tup_updated + tup_deleted"];
        let sql = format!("SELECT {pages}, {rows} FROM pg_stat_database WHERE datname = current_database()");
        let said = self.postgres.sql(DATABASE, &sql)?;
        let (pages, rows) = said.trim().split_once('|').with_context(|| format!("no counters: {said}"))?;
        Ok([pages.parse()?, rows.parse()?])
    }

    fn refresh(&self) -> anyhow::Result<Cost> {
        // The query itself reads pages of the catalogue.
        let (first, before, since) = (self.counters()?, self.counters()?, Instant::now());
        derived::refresh(&self.target, &self.shop)?;
        let (milliseconds, after) = (since.elapsed().as_secs_f64() * 1e3, self.counters()?);
        let [pages, rows] = [0, 1].map(|at| (after[at] - before[at]).saturating_sub(before[at] - first[at]));
        Ok(Cost { milliseconds, pages, rows })
    }

    fn after_an_order(&self, records: u64, truth: &Value) -> anyhow::Result<Cost> {
        self.postgres.sql(DATABASE, "VACUUM ANALYZE")?;
        // The first refresh computes everything.
        self.refresh()?;
        let day = truth["by_day"].as_object().and_then(|days| days.keys().next_back()).context("no days")?;
        let (producer, mut sent) = (Producer::connect(&ProducerOptions::new(connection(&self.kafka)))?, records);
        let mut costs = Vec::new();
        for nth in 0..ROUNDS {
            for (topic, record) in order(nth, day) {
                let record = record.to_string();
                producer.send(&Outgoing { topic, value: Some(record.as_bytes()), partition: Some(0), ..Outgoing::default() })?;
                sent += 1;
            }
            producer.flush(patience(1))?;
            self.wait_for(sent)?;
            costs.push(self.refresh()?);
        }
        let credited =
            self.number("SELECT count(*) FROM dwh.fact_session WHERE session_id LIKE 'bench-%' AND revenue_reporting > 0")?;
        ensure!(credited == u64::try_from(ROUNDS)?, "{credited} of {ROUNDS} sessions have the revenue of their order");
        costs.sort_by(|one, other| one.milliseconds.total_cmp(&other.milliseconds));
        Ok(costs[ROUNDS / 2])
    }
}

/// An order with one line, and the visit that placed it.
fn order(nth: usize, day: &str) -> [(&'static str, Value); 2] {
    let (at, order_id) = (format!("{day}T10:00:00Z"), format!("bench-{nth}"));
    let line = json!({"event_id": format!("bench-line-{nth}"), "occurred_at": at, "order_id": order_id, "line_id": "1", "product_id": "bench",
        "customer_id": "bench", "quantity": "1", "unit_price": "2.50", "currency": "GBP"});
    let event = json!({"event_id": format!("bench-event-{nth}"), "occurred_at": at, "type": "order_completed", "session_id": order_id,
        "order_id": order_id});
    [("order_lines", line), ("events", event)]
}

//! W3: records from a real Kafka into a real PostgreSQL by the program itself, compared with raw binary COPY of the same rows
//! over the wire, in the same run. kassa's tables in PostgreSQL are dumped and emptied, and `psql` copies the dump back.
//!
//! CPU-seconds are those of kassa (or psql) from its start to its end and of the server; the broker's are not counted. A run with
//! wrong output gives no figure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use kassa_kafka::{Admin, Connection};
use kassa_stack::postgres::{Options, Postgres};
use kassa_stack::{Kafka, KafkaOptions};
use serde_json::Value;

pub(crate) const STREAMS: [&str; 9] =
    ["events", "orders", "order_lines", "payments", "refunds", "customers", "products", "inventory", "fx_rates"];
pub(crate) const PARTITIONS: i32 = 4;
const ROUNDS: usize = 3;
/// PostgreSQL's checkpoints run rarely, so that none falls into one of the two measurements only.
pub(crate) const SETTINGS: [&str; 3] = ["max_wal_size = 8GB", "checkpoint_timeout = 1h", "shared_buffers = 512MB"];

const ENDING: Duration = Duration::from_millis(500);

/// The cost of a run.
#[derive(Debug, Clone, Copy)]
struct Cost {
    client: f64,
    server: f64,
    wall: f64,
}

impl Cost {
    fn cpu(self) -> f64 {
        self.client + self.server
    }
}

/// The servers, the records in Kafka, and a folder for files.
struct Field {
    kafka: Kafka,
    postgres: Postgres,
    kassa: PathBuf,
    dir: tempfile::TempDir,
    truth: Value,
}

pub(crate) fn run(records: u64) -> anyhow::Result<()> {
    let kassa = std::env::current_exe()?.with_file_name("kassa");
    ensure!(kassa.is_file(), "{} is not there: build it first", kassa.display());
    let field = Field::start(kassa, records)?;
    eprintln!("{records} records of the synthetic shop, nine contracts, JSON, in {PARTITIONS} partitions each");
    field.compare("the shop's records", &STREAMS)?;
    field.compare("order lines alone", &["order_lines"])
}

impl Field {
    fn start(kassa: PathBuf, records: u64) -> anyhow::Result<Self> {
        let kafka = Kafka::start(&KafkaOptions::default())?;
        let settings = SETTINGS.map(str::to_owned).to_vec();
        let postgres = Postgres::start_with(&Options { settings, ..Options::default() })?;
        let admin = Admin::connect(&Connection { brokers: kafka.plaintext(), ..Connection::default() })?;
        for topic in STREAMS {
            admin.create_topic(topic, PARTITIONS, 1, &[])?;
        }
        let to = format!("kafka://{}", kafka.plaintext());
        let made = Command::new(&kassa).args(["simulate", "--records", &records.to_string(), "--to", &to]).output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let truth = serde_json::from_slice(&made.stdout)?;
        let dir = tempfile::Builder::new().prefix("kassa-bench-").tempdir()?;
        // The server's user writes there too.
        fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
        Ok(Self { kafka, postgres, kassa, dir, truth })
    }

    fn compare(&self, name: &str, streams: &[&str]) -> anyhow::Result<()> {
        let records: u64 = streams.iter().filter_map(|stream| self.truth["streams"][stream]["produced"].as_u64()).sum();
        let (mut shares, mut last) = (Vec::new(), String::new());
        for round in 0..ROUNDS {
            let place = self.dir.path().join(format!("{}-{round}", streams.len()));
            let whole = self.through_kassa(streams, &place)?;
            self.check(streams, &place)?;
            let facts = self.raw_copy(&self.tables("f")?)?;
            let rest = self.raw_copy(&self.tables("o")?)?;
            let all =
                Cost { client: facts.client + rest.client, server: facts.server + rest.server, wall: facts.wall + rest.wall };
            let own = 100.0 * all.server / whole.client;
            shares.push([
                own,
                100.0 * all.server / whole.server,
                100.0 * all.cpu() / whole.cpu(),
                100.0 * facts.cpu() / whole.cpu(),
            ]);
            last = [("kassa", whole), ("COPY, facts", facts), ("COPY, all rows", all)]
                .map(|(who, cost)| line(who, records, cost))
                .join("\n");
        }
        shares.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let [own, server, both, of_facts] = shares[ROUNDS / 2];
        eprintln!("{name}: {records} records\n{last}");
        eprintln!(
            "  of raw COPY of all its rows kassa reaches {own:.0} % (a contestant's own CPU-seconds beside the server's for COPY),"
        );
        eprintln!(
            "  {server:.0} % by the server's CPU-seconds alone, {both:.0} % by both together; of raw COPY of the facts alone {of_facts:.0} %"
        );
        Ok(())
    }

    /// From Kafka to an empty PostgreSQL.
    fn through_kassa(&self, streams: &[&str], place: &Path) -> anyhow::Result<Cost> {
        self.postgres.sql("postgres", "DROP DATABASE IF EXISTS kassa")?;
        self.postgres.sql("postgres", "CREATE DATABASE kassa")?;
        self.postgres.sql("postgres", "CHECKPOINT")?;
        fs::create_dir_all(place)?;
        let named: String =
            streams.iter().map(|name| format!("[streams.{name}]\ncontract = \"{}\"\n", name.trim_end_matches('s'))).collect();
        let (broker, url) = (self.kafka.plaintext(), self.postgres.url("postgres", "kassa"));
        let group = place.file_name().and_then(|name| name.to_str()).unwrap_or("bench");
        let config = format!(
            "data_dir = \"data\"\n[source]\nurl = \"kafka://{broker}\"\ngroup = \"{group}\"\n[warehouse]\nurl = \"{url}\"\n{named}"
        );
        fs::write(place.join("kassa.toml"), config)?;
        self.measured(|| {
            let mut run = Command::new(&self.kassa);
            run.args(["run", "--sinks", "warehouse", "--until-caught-up"]).current_dir(place).stderr(Stdio::piped());
            let done = run.output()?;
            ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            Ok(())
        })
    }

    /// Compares the accepted records and, for the whole shop, its sales with the truth.
    fn check(&self, streams: &[&str], place: &Path) -> anyhow::Result<()> {
        let accepted: u64 = streams.iter().filter_map(|stream| self.truth["streams"][stream]["accepted"].as_u64()).sum();
        let said = self.postgres.sql("kassa", "SELECT sum(accepted) FROM kassa.spans")?;
        ensure!(said.trim() == accepted.to_string(), "{} were accepted, the truth has {accepted}", said.trim());
        if streams.len() < STREAMS.len() {
            return Ok(());
        }
        net_sales(&self.kassa, place, "warehouse", &self.truth)
    }

    /// The tables with rows: `f`, the facts; `o`, all others that a commit writes to.
    fn tables(&self, of: &str) -> anyhow::Result<Vec<String>> {
        let facts = "table_schema = 'dwh' AND table_name ~ '^fact_[a-z]+(_rate)?$' AND table_name <> 'fact_session'";
        let filter = match of {
            "f" => facts.to_owned(),
            _ => "(table_schema = 'ods' OR table_schema = 'dwh' AND table_name ~ '^(dim_|vault_|agg_)' AND table_name NOT IN ('dim_date', 'dim_time'))".to_owned(),
        };
        let sql = format!(
            "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND {filter} ORDER BY 1"
        );
        Ok(self.postgres.sql("kassa", &sql)?.lines().map(str::to_owned).collect())
    }

    /// The rows of tables, dumped and copied again: facts into their own partitions, others into tables without keys.
    fn raw_copy(&self, tables: &[String]) -> anyhow::Result<Cost> {
        self.postgres.sql("kassa", "DROP SCHEMA IF EXISTS raw CASCADE; CREATE SCHEMA raw")?;
        let (mut files, mut script) = (Vec::new(), String::new());
        for table in tables {
            let file = self.dir.path().join(format!("{table}.bin"));
            self.postgres.sql("kassa", &format!("COPY (SELECT * FROM {table}) TO '{}' BINARY", file.display()))?;
            let into = if table.starts_with("dwh.fact_") {
                self.postgres.sql("kassa", &format!("TRUNCATE {table}"))?;
                table.clone()
            } else {
                let plain = format!("raw.{}", table.replace('.', "_"));
                self.postgres.sql("kassa", &format!("CREATE TABLE {plain} (LIKE {table})"))?;
                plain
            };
            script += &format!("\\copy {into} FROM '{}' BINARY\n", file.display());
            files.push(file);
        }
        // One psql for all, because its start is not part of a COPY.
        let place = self.dir.path().join("copies.sql");
        fs::write(&place, script)?;
        self.postgres.sql("kassa", "CHECKPOINT")?;
        let cost = self.measured(|| Ok(self.postgres.sql("kassa", &format!("\\i {}", place.display())).map(drop)?))?;
        files.iter().try_for_each(fs::remove_file)?;
        Ok(cost)
    }

    fn measured(&self, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Cost> {
        let server = self.postgres.pid().context("the server runs")?;
        let (before, since) = ((children()?, of_server(server)?), Instant::now());
        work()?;
        let wall = since.elapsed().as_secs_f64();
        // A connection's process that is just ending is counted neither by itself nor with the server: wait.
        thread::sleep(ENDING);
        Ok(Cost { client: children()? - before.0, server: of_server(server)? - before.1, wall })
    }
}

/// Compares net sales by day with the truth.
pub(crate) fn net_sales(kassa: &Path, place: &Path, from: &str, truth: &Value) -> anyhow::Result<()> {
    let asked = ["figures", "net_sales", "--by", "day", "--from", from, "--format", "json"];
    let answer = asked_of(kassa, place, &asked)?;
    let days = answer["rows"].as_array().context("no rows")?;
    let differs = |row: &&Value| {
        let [key, said] = ["key", "value"].map(|name| row[name].as_str().unwrap_or_default());
        truth["by_day"][key]["net_sales"].as_str().map(millionths) != Some(millionths(said))
    };
    let wrong = days.iter().find(differs);
    ensure!(!days.is_empty() && wrong.is_none(), "net sales are not the truth's: {wrong:?}");
    Ok(())
}

/// The answer of a kassa command, as JSON.
pub(crate) fn asked_of(kassa: &Path, place: &Path, args: &[&str]) -> anyhow::Result<Value> {
    let answer = Command::new(kassa).args(args).current_dir(place).output()?;
    ensure!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    Ok(serde_json::from_slice(&answer.stdout)?)
}

/// A decimal's 10⁻⁶.
fn millionths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<6}").parse().ok()
}

fn line(who: &str, records: u64, cost: Cost) -> String {
    #[expect(clippy::as_conversions, reason = "a rate for people, of far fewer than 2^52 records")]
    let rate = records as f64 / cost.cpu();
    format!(
        "  {who:<16}{rate:>9.0} records per CPU-second (client {:.2} s, server {:.2} s, wall {:.2} s)",
        cost.client, cost.server, cost.wall
    )
}

/// Fields of `/proc/PID/stat` from the third on.
pub(crate) fn stat(path: &Path) -> anyhow::Result<Vec<String>> {
    let stat = fs::read_to_string(path)?;
    let after = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
    Ok(after.split(' ').map(str::to_owned).collect())
}

/// CPU-seconds, from hundredths in these fields.
pub(crate) fn seconds(fields: &[String]) -> anyhow::Result<f64> {
    let ticks: u32 = fields.iter().map(|ticks| ticks.parse::<u32>()).sum::<Result<_, _>>()?;
    Ok(f64::from(ticks) / 100.0)
}

/// CPU-seconds of child processes that have ended.
pub(crate) fn children() -> anyhow::Result<f64> {
    seconds(stat(Path::new("/proc/self/stat"))?.get(13..15).context("/proc/self/stat")?)
}

/// CPU-seconds of a server and all its children, including those that have ended.
fn of_server(pid: u32) -> anyhow::Result<f64> {
    let pid = pid.to_string();
    let mut sum = 0.0;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(fields) = stat(&entry.path().join("stat")) else { continue };
        if entry.file_name().to_str() == Some(&pid) || fields.get(1) == Some(&pid) {
            sum += seconds(fields.get(11..15).unwrap_or_default())?;
        }
    }
    Ok(sum)
}

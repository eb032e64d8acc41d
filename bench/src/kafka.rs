//! W1 and W2: kassa itself reads the synthetic shop's records from a real Kafka into archive and
//! lake, as JSON and as Avro with a schema registry. The same run measures reading Kafka alone.
//!
//! CPU-seconds are those of the whole kassa process; the broker's and the registry's are not
//! counted. A run with wrong output gives no figure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use kassa_kafka::{Admin, Connection, Reader};
use kassa_model::Partition;
use kassa_stack::{Kafka, KafkaOptions, Registry};
use serde_json::Value;

use crate::warehouse::{PARTITIONS, STREAMS, asked_of, children, net_sales, seconds, stat};

const ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run(records: u64) -> anyhow::Result<()> {
    let kassa = std::env::current_exe()?.with_file_name("kassa");
    ensure!(kassa.is_file(), "{} is not there: build it first", kassa.display());
    let registry = Registry::start()?;
    eprintln!("{records} records of the synthetic shop, nine contracts, in {PARTITIONS} partitions each, to archive and lake");
    for format in ["json", "avro"] {
        let field = Field::start(&kassa, &registry, format, records)?;
        let (alone, bytes) = field.consume()?;
        let mut rounds = (0..ROUNDS).map(|round| field.through_kassa(round)).collect::<anyhow::Result<Vec<_>>>()?;
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (cpu, wall) = rounds[ROUNDS / 2];
        #[expect(clippy::as_conversions, reason = "a rate for people, of far fewer than 2^52 records")]
        let rate = |cpu: f64| records as f64 / cpu;
        eprintln!(
            "  {format}, {} bytes a record: {:.0} records per CPU-second ({cpu:.2} s, wall {wall:.2} s); reading Kafka alone {:.0}",
            bytes / records,
            rate(cpu),
            rate(alone)
        );
    }
    Ok(())
}

/// A broker with the records of one format, and their expected results.
struct Field<'f> {
    kafka: Kafka,
    registry: &'f Registry,
    kassa: &'f Path,
    format: &'f str,
    dir: tempfile::TempDir,
    truth: Value,
}

impl<'f> Field<'f> {
    fn start(kassa: &'f Path, registry: &'f Registry, format: &'f str, records: u64) -> anyhow::Result<Self> {
        let kafka = Kafka::start(&KafkaOptions::default())?;
        let admin = Admin::connect(&connection(&kafka))?;
        for topic in STREAMS {
            admin.create_topic(topic, PARTITIONS, 1, &[])?;
        }
        let (count, to) = (records.to_string(), format!("kafka://{}", kafka.plaintext()));
        let mut simulate = Command::new(kassa);
        simulate.args(["simulate", "--records", &count, "--to", &to, "--format", format]);
        if format == "avro" {
            simulate.args(["--registry", &registry.url()]);
        }
        let made = simulate.output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let truth = serde_json::from_slice(&made.stdout)?;
        Ok(Self { kafka, registry, kassa, format, dir: tempfile::tempdir()?, truth })
    }

    /// Reads everything and stores nothing: CPU-seconds, and the bytes of all values.
    fn consume(&self) -> anyhow::Result<(f64, u64)> {
        let connection = connection(&self.kafka);
        let admin = Admin::connect(&connection)?;
        let before = own()?;
        let mut reader = Reader::open(&connection, "bench", PATIENCE)?;
        let mut bytes = 0;
        for topic in STREAMS {
            for number in 0..PARTITIONS {
                let bounds = admin.cluster().bounds(topic, number)?;
                let take = &mut |records: kassa_model::Records| bytes += u64::try_from(records.bytes()).unwrap_or(0);
                reader.read(&Partition::new(topic, i64::from(number)), bounds.start..bounds.stable_end, take)?;
            }
        }
        Ok((own()? - before, bytes))
    }

    /// From Kafka to an empty archive and lake: CPU-seconds and wall time.
    fn through_kassa(&self, round: usize) -> anyhow::Result<(f64, f64)> {
        let place = self.dir.path().join(round.to_string());
        fs::create_dir_all(&place)?;
        let named: String = STREAMS.iter().map(|name| format!("[streams.{name}]\nformat = \"{}\"\n", self.format)).collect();
        let (broker, registry) = (self.kafka.plaintext(), self.registry.url());
        let config = format!(
            "data_dir = \"data\"\n[source]\nurl = \"kafka://{broker}\"\ngroup = \"bench-{round}\"\n[registry]\nurl = \"{registry}\"\n{named}"
        );
        fs::write(place.join("kassa.toml"), config)?;
        let (before, since) = (children()?, Instant::now());
        let mut run = Command::new(self.kassa);
        run.args(["run", "--sinks", "archive,lake", "--until-caught-up"]).current_dir(&place).stderr(Stdio::piped());
        let done = run.output()?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let took = (children()? - before, since.elapsed().as_secs_f64());
        self.check(&place)?;
        fs::remove_dir_all(&place)?;
        Ok(took)
    }

    fn check(&self, place: &Path) -> anyhow::Result<()> {
        let sum = |of: &str| STREAMS.iter().filter_map(|stream| self.truth["streams"][stream][of].as_i64()).sum::<i64>();
        let sql = "SELECT SUM(accepted) AS accepted, SUM(duplicates) AS duplicates, SUM(dead_letters) AS dead_letters FROM spans";
        let said = asked_of(self.kassa, place, &["sql", sql, "--format", "json"])?;
        for (count, called) in [("accepted", "accepted"), ("duplicates", "duplicates"), ("dead_letters", "malformed")] {
            let said: i64 = said[0][count].as_str().and_then(|said| said.parse().ok()).context("no counts")?;
            ensure!(sum(called) == said, "{said} {count}, the truth has {}", sum(called));
        }
        net_sales(self.kassa, place, "lake", &self.truth)
    }
}

pub(crate) fn connection(kafka: &Kafka) -> Connection {
    Connection { brokers: kafka.plaintext(), ..Connection::default() }
}

/// CPU-seconds of this process.
fn own() -> anyhow::Result<f64> {
    seconds(stat(&PathBuf::from("/proc/self/stat"))?.get(11..13).context("/proc/self/stat")?)
}

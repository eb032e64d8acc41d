//! A rebalance: two workers over one lake read the year from Kafka; then one stops or is killed while records arrive, and the
//! other one takes over its partitions. Measured from Kafka's assignment to the first commit of such a partition, by the time of
//! the entry in the lake's log.
//!
//! The records that arrive meanwhile have tomorrow's time in Kafka, so that they are the last day of `kassa prove --since`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context, ensure};
use kassa_kafka::{Admin, Connection, Outgoing, Producer, ProducerOptions};
use kassa_lake::read::folder_of;
use kassa_model::time::{Clock, DAY, HOUR, SECOND, SystemClock, format};
use kassa_model::{Currency, Table};
use kassa_source::shop::{Faults, Options, Shop};
use kassa_stack::{Kafka, KafkaOptions};
use serde_json::Value;

use super::command::{Took, patience, timed};
use super::{DAYS, Year, collector, float};
use crate::kafka::connection;
use crate::latency::{Server, get};
use crate::warehouse::{PARTITIONS, STREAMS, asked_of};

/// The topics keep records with any time.
const ANY_TIME: [(&str, &str); 2] = [("message.timestamp.after.max.ms", "9223372036854775807"), ("retention.ms", "-1")];
/// A short interval, because it is part of the measured time.
const COMMIT_INTERVAL: &str = "500ms";
/// Records per second while a worker leaves, in steps.
const STEP: usize = 50;
const STEPS: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_millis(20);
/// The time limit for dividing partitions and for taking them over. A killed member is noticed after 10 seconds.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(super) struct Cost {
    pub(super) after_stop: Takeover,
    pub(super) after_kill: Takeover,
    pub(super) prove_since: Took,
}

/// How long a takeover took, in seconds.
#[derive(Debug)]
pub(super) struct Takeover {
    /// From the assignment to the first commit.
    pub(super) seconds: f64,
    /// From the signal to the worker that leaves.
    pub(super) whole: f64,
}

/// Topic and partition, as in the API.
type Owned = BTreeSet<(String, String)>;

struct Field<'k> {
    kassa: &'k Path,
    kafka: Kafka,
    place: tempfile::TempDir,
    year: Year,
}

pub(super) fn measure(kassa: &Path, year: Year) -> anyhow::Result<Cost> {
    let field = Field { kassa, kafka: Kafka::start(&KafkaOptions::default())?, place: tempfile::tempdir()?, year };
    let admin = Admin::connect(&connection(&field.kafka))?;
    for topic in STREAMS {
        admin.create_topic(topic, PARTITIONS, 1, &ANY_TIME)?;
    }
    field.measure()
}

impl Field<'_> {
    fn lake(&self) -> PathBuf {
        self.place.path().join("lake")
    }

    fn measure(&self) -> anyhow::Result<Cost> {
        let to = format!("kafka://{}", self.kafka.plaintext());
        let config = format!(
            "data_dir = \"data\"\n[source]\nurl = \"{to}\"\n[lake]\nurl = \"file:{}\"\ncommit_interval = \"{COMMIT_INTERVAL}\"\n",
            self.lake().display()
        );
        fs::write(self.place.path().join("kassa.toml"), config)?;
        let made = Command::new(self.kassa).arg("simulate").args(self.year.args()).args(["--to", &to]).output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let (stays, first) = (self.worker("stays")?, self.worker("first")?);
        self.wait_for(&stays, self.year.records)?;
        let tail = Tail::start(connection(&self.kafka), self.year.records / DAYS)?;
        let after_stop = self.takeover(&stays, first, Server::stop)?;
        let second = self.worker("second")?;
        let after_kill = self.takeover(&stays, second, Server::kill)?;
        let (sent, day) = tail.end()?;
        self.wait_for(&stays, self.year.records + sent)?;
        let Worker { mut server, .. } = stays;
        server.stop()?;
        self.check(self.year.records + sent)?;
        let prove_since = timed(self.kassa, self.place.path(), &["prove", "--since", &day, "--without-kafka"])?;
        Ok(Cost { after_stop, after_kill, prove_since })
    }

    fn worker(&self, name: &str) -> anyhow::Result<Worker> {
        let assigned = Arc::<Mutex<Vec<i64>>>::default();
        let heard = Arc::clone(&assigned);
        let hear = move |line: &str| {
            if line.contains("Kafka assigned partitions") {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(SystemClock.now());
            }
        };
        let server = Server::start_with(self.kassa, self.place.path(), &["--data-dir", name], hear)?;
        Ok(Worker { server, assigned })
    }

    /// Waits until a worker shows that this many records of the whole shop were read.
    fn wait_for(&self, worker: &Worker, records: u64) -> anyhow::Result<()> {
        let since = Instant::now();
        while collector::read(&worker.server)? < records {
            ensure!(since.elapsed() < patience(records), "not all of {records} records were read");
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Ends one worker, and waits for the first commit of one of its partitions.
    fn takeover(&self, stays: &Worker, goes: Worker, end: fn(&mut Server) -> anyhow::Result<()>) -> anyhow::Result<Takeover> {
        let taken = divided(stays, &goes)?;
        let names: Vec<String> = taken.iter().map(|(topic, number)| format!("\"kassa:{topic}:{number}\"")).collect();
        let signalled = SystemClock.now();
        let Worker { mut server, .. } = goes;
        end(&mut server)?;
        let log = self.lake().join(folder_of(Table::Spans)).join("_delta_log");
        let held = entries(&log, "")?.pop().unwrap_or_default();
        let since = Instant::now();
        let committed = loop {
            if let Some(at) = first_with(&log, &held, &names)? {
                break at;
            }
            ensure!(since.elapsed() < PATIENCE, "no partition of {names:?} was committed");
            thread::sleep(PAUSE);
        };
        let heard = stays.assigned.lock().unwrap_or_else(PoisonError::into_inner);
        let assigned = heard.iter().find(|at| (signalled..=committed).contains(*at)).context("Kafka assigned nothing")?;
        let seconds = |from: i64| float(u64::try_from(committed - from).unwrap_or(0)) / float(SECOND.unsigned_abs());
        Ok(Takeover { seconds: seconds(*assigned), whole: seconds(signalled) })
    }

    /// Checks that the lake accounts for all records.
    fn check(&self, records: u64) -> anyhow::Result<()> {
        let sql = "SELECT SUM(read) AS read, SUM(gap) AS gap FROM spans";
        let said = asked_of(self.kassa, self.place.path(), &["sql", sql, "--format", "json"])?;
        let number = |name: &str| said[0][name].as_str().and_then(|said| said.parse::<u64>().ok());
        ensure!(
            (number("read"), number("gap")) == (Some(records), Some(0)),
            "the lake accounts for {said}, not {records} records"
        );
        Ok(())
    }
}

struct Worker {
    server: Server,
    /// When (µs UTC) Kafka assigned partitions.
    assigned: Arc<Mutex<Vec<i64>>>,
}

impl Worker {
    fn owned(&self) -> anyhow::Result<Owned> {
        let pipeline = get(&self.server.address, "/api/v1/pipeline")?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let partitions = pipeline["partitions"].as_array().context("no partitions")?.iter();
        partitions.map(|one| text(&one["topic"]).zip(text(&one["partition"])).context("no partition")).collect()
    }
}

/// Waits until all partitions are divided between two workers. Returns those of the second.
fn divided(one: &Worker, other: &Worker) -> anyhow::Result<Owned> {
    let (since, all) = (Instant::now(), STREAMS.len() * usize::try_from(PARTITIONS)?);
    loop {
        let (first, second) = (one.owned()?, other.owned()?);
        if !second.is_empty() && first.is_disjoint(&second) && first.len() + second.len() == all {
            return Ok(second);
        }
        ensure!(since.elapsed() < PATIENCE, "{} and {} of {all} partitions are divided", first.len(), second.len());
        thread::sleep(PAUSE);
    }
}

/// The names of a log's entries after this one, in order.
fn entries(log: &Path, after: &str) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(log)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| name.ends_with(".json") && name.as_str() > after);
    names.sort();
    Ok(names)
}

/// When (µs UTC) the first entry after another was written that moves one of these applications.
fn first_with(log: &Path, after: &str, names: &[String]) -> anyhow::Result<Option<i64>> {
    for entry in entries(log, after)? {
        let path = log.join(entry);
        let text = fs::read_to_string(&path)?;
        if names.iter().any(|name| text.contains(name)) {
            let written = fs::metadata(&path)?.modified()?.duration_since(UNIX_EPOCH)?;
            return Ok(Some(i64::try_from(written.as_micros())?));
        }
    }
    Ok(None)
}

/// Records of another shop that arrive while workers come and go, at least this many in all.
struct Tail {
    ends: Arc<AtomicBool>,
    thread: thread::JoinHandle<anyhow::Result<u64>>,
    /// The day of their time, in UTC.
    day: String,
}

impl Tail {
    fn start(connection: Connection, least: u64) -> anyhow::Result<Self> {
        let ends = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&ends);
        let tomorrow = (SystemClock.now() / DAY + 1) * DAY + HOUR;
        let mut shop = shop()?;
        let work = move || -> anyhow::Result<u64> {
            let producer = Producer::connect(&ProducerOptions::new(connection))?;
            let (mut record, mut sent) = (Vec::new(), 0_u64);
            while sent < least || !ended.load(Ordering::Acquire) {
                for nth in 0..STEP {
                    record.clear();
                    let emitted = shop.next(&mut record);
                    let partition = i32::try_from(nth)? % PARTITIONS;
                    let time = Some(tomorrow / 1_000 + i64::try_from(sent)?);
                    let outgoing = Outgoing {
                        topic: emitted.stream,
                        value: Some(&record),
                        timestamp_ms: time,
                        partition: Some(partition),
                        ..Outgoing::default()
                    };
                    producer.send(&outgoing)?;
                    sent += 1;
                }
                if !ended.load(Ordering::Acquire) {
                    thread::sleep(STEPS);
                }
            }
            producer.flush(PATIENCE)?;
            Ok(sent)
        };
        let day = format(tomorrow).chars().take("2026-01-31".len()).collect();
        Ok(Self { ends, thread: thread::Builder::new().name("tail".to_owned()).spawn(work)?, day })
    }

    /// Returns the number of sent records, and their day.
    fn end(self) -> anyhow::Result<(u64, String)> {
        self.ends.store(true, Ordering::Release);
        let sent = self.thread.join().map_err(|_| anyhow::anyhow!("the thread that sends records panicked"))??;
        Ok((sent, self.day))
    }
}

/// Another shop, in the year after the first one's, with its own ids.
fn shop() -> anyhow::Result<Shop> {
    /// Monday, 5 January 2026.
    const START: i64 = 1_767_571_200 * SECOND;
    let currency = Currency::parse("GBP").context("no pounds")?;
    let model = kassa_model::Shop::new("tail", "Europe/London", currency).context("no such time zone")?;
    Ok(Shop::new(Options { seed: 2, start: START, records_per_day: 60_000, shop: model, faults: Faults::NONE })?)
}

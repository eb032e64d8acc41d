//! W5: the time from a record's production in Kafka until it is in the dashboard's stream, and until PostgreSQL has committed it,
//! while the synthetic shop sends this many records per second. Open loop: the shop does not wait.
//!
//! Positions are polled; a record is there with the first answer whose position is beyond it. The stream shows it with the first
//! event after that. Figures exclude the records of the first seconds.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, ensure};
use kassa_kafka::{Admin, Connection, Reader};
use kassa_model::Partition;
use kassa_model::time::{Clock, SECOND, SystemClock};
use kassa_stack::postgres::Postgres;
use kassa_stack::{Kafka, KafkaOptions};
use postgres::{Client, NoTls};
use serde_json::Value;

use crate::warehouse::STREAMS;

const PARTITIONS: i32 = 4;
/// Seconds of traffic, and of the part at the start that is not counted.
const SECONDS: u64 = 20;
const WARM: i64 = 5 * SECOND;
const PAUSE: Duration = Duration::from_millis(4);
const PATIENCE: Duration = Duration::from_secs(60);

/// Topic and partition.
type Place = (String, i64);

/// The observed positions of each partition with their times (µs UTC).
type Seen = HashMap<Place, Vec<(i64, i64)>>;

pub(crate) fn run(rate: u64) -> anyhow::Result<()> {
    let kassa = std::env::current_exe()?.with_file_name("kassa");
    ensure!(kassa.is_file(), "{} is not there: build it first", kassa.display());
    let (kafka, postgres) = (Kafka::start(&KafkaOptions::default())?, Postgres::start()?);
    postgres.sql("postgres", "CREATE DATABASE kassa")?;
    let connection = Connection { brokers: kafka.plaintext(), ..Connection::default() };
    let admin = Admin::connect(&connection)?;
    for topic in STREAMS {
        admin.create_topic(topic, PARTITIONS, 1, &[])?;
    }
    let dir = tempfile::tempdir()?;
    let (brokers, url) = (kafka.plaintext(), postgres.url("postgres", "kassa"));
    let config = format!("data_dir = \"data\"\n[source]\nurl = \"kafka://{brokers}\"\n[warehouse]\nurl = \"{url}\"\n");
    fs::write(dir.path().join("kassa.toml"), config)?;
    let mut server = Server::start(&kassa, dir.path())?;
    let ends = Arc::new(AtomicBool::new(false));
    let address = server.address.clone();
    let live = watch(&ends, move || positions(&get(&address, "/api/v1/figures/net_sales")?))?;
    let mut client = Client::connect(&url, NoTls)?;
    let warehouse = watch(&ends, move || {
        let rows = client.query("SELECT topic, partition, next FROM kassa.positions", &[])?;
        Ok(rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect())
    })?;
    let pushed = events(&ends, &server.address)?;
    let count = (rate * SECONDS).to_string();
    let simulate = ["simulate", "--records", &count, "--rate", &rate.to_string(), "--to", &format!("kafka://{brokers}")];
    let made = Command::new(&kassa).args(simulate).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    thread::sleep(Duration::from_secs(5));
    ends.store(true, Ordering::Release);
    let joined = |thread: JoinHandle<anyhow::Result<Seen>>| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
    let (live, warehouse) = (joined(live)?, joined(warehouse)?);
    let pushed = pushed.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
    let produced = produced(&connection)?;
    ensure!(produced.len() == usize::try_from(rate * SECONDS)?, "{} records in Kafka, not {count}", produced.len());
    eprintln!("{rate} records a second for {SECONDS} s, nine contracts, {} events pushed", pushed.len());
    let on_stream = |at: i64| pushed.get(pushed.partition_point(|sent| *sent < at)).copied();
    tell("folded into the live figures", &produced, |place, offset| first(&live, place, offset))?;
    tell("on the dashboard's stream", &produced, |place, offset| first(&live, place, offset).and_then(on_stream))?;
    tell("committed in PostgreSQL", &produced, |place, offset| first(&warehouse, place, offset))?;
    server.stop()
}

/// When a record was first there.
fn first(seen: &Seen, place: &Place, offset: i64) -> Option<i64> {
    let steps = seen.get(place)?;
    steps.get(steps.partition_point(|(_, next)| *next <= offset)).map(|(at, _)| *at)
}

fn tell(what: &str, produced: &[(Place, i64, i64)], when: impl Fn(&Place, i64) -> Option<i64>) -> anyhow::Result<()> {
    let start = produced.iter().map(|(_, _, time)| *time).min().context("no records")?;
    let counted = produced.iter().filter(|(_, _, time)| *time >= start + WARM);
    let waits = counted.map(|(place, offset, time)| Some(when(place, *offset)? - time));
    let mut waits: Vec<i64> = waits.collect::<Option<_>>().with_context(|| format!("a record was never {what}"))?;
    waits.sort_unstable();
    let at = |thousandth: usize| waits[(waits.len() - 1) * thousandth / 1_000] / 1_000;
    eprintln!("  {what:<30} p50 {:>5} ms, p99 {:>5} ms, p99.9 {:>5} ms, most {:>5} ms", at(500), at(990), at(999), at(1_000));
    Ok(())
}

/// Polls positions until the end; records each that has moved.
fn watch(
    ends: &Arc<AtomicBool>,
    mut ask: impl FnMut() -> anyhow::Result<Vec<(Place, i64)>> + Send + 'static,
) -> anyhow::Result<JoinHandle<anyhow::Result<Seen>>> {
    let ends = Arc::clone(ends);
    let work = move || {
        let mut seen = Seen::new();
        while !ends.load(Ordering::Acquire) {
            let answer = ask()?;
            let now = SystemClock.now();
            for (place, next) in answer {
                let steps = seen.entry(place).or_default();
                if steps.last().is_none_or(|(_, held)| *held < next) {
                    steps.push((now, next));
                }
            }
            thread::sleep(PAUSE);
        }
        Ok(seen)
    };
    Ok(thread::Builder::new().spawn(work)?)
}

/// The times of events in the dashboard's stream.
fn events(ends: &Arc<AtomicBool>, address: &str) -> anyhow::Result<JoinHandle<anyhow::Result<Vec<i64>>>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /api/v1/live HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let ends = Arc::clone(ends);
    let work = move || {
        let (mut lines, mut line, mut at) = (BufReader::new(stream), Vec::new(), Vec::new());
        while !ends.load(Ordering::Acquire) {
            line.clear();
            ensure!(lines.read_until(b'\n', &mut line)? > 0, "the stream ended");
            if line.starts_with(b"data:") {
                at.push(SystemClock.now());
            }
        }
        Ok(at)
    };
    Ok(thread::Builder::new().spawn(work)?)
}

pub(crate) fn get(address: &str, path: &str) -> anyhow::Result<Value> {
    let answer = asked(address, path)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let (start, end) = (body.find('{').context("no object")?, body.rfind('}').context("no object")?);
    Ok(serde_json::from_str(&body[start..=end])?)
}

/// The answer with its header.
pub(crate) fn asked(address: &str, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn positions(answer: &Value) -> anyhow::Result<Vec<(Place, i64)>> {
    let places = answer["positions"].as_array().context("no positions")?.iter();
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
    let of = |place: &Value| Some(((place["topic"].as_str()?.to_owned(), number(&place["partition"])?), number(&place["next"])?));
    places.map(|place| of(place).with_context(|| format!("no position: {place}"))).collect()
}

/// Partition, offset and time (µs UTC) of every record.
fn produced(connection: &Connection) -> anyhow::Result<Vec<(Place, i64, i64)>> {
    let admin = Admin::connect(connection)?;
    let mut reader = Reader::open(connection, "kassa-bench", PATIENCE)?;
    let mut all = Vec::new();
    for topic in STREAMS {
        for number in 0..PARTITIONS {
            let bounds = admin.cluster().bounds(topic, number)?;
            let place = (topic.to_owned(), i64::from(number));
            let take = &mut |records: kassa_model::Records| {
                let times = records.offsets.iter().zip(&records.ingested_at);
                all.extend(times.map(|(offset, time)| (place.clone(), *offset, *time)));
            };
            reader.read(&Partition::new(topic, place.1), bounds.start..bounds.stable_end, take)?;
        }
    }
    Ok(all)
}

pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(kassa: &Path, dir: &Path) -> anyhow::Result<Self> {
        Self::start_with(kassa, dir, &[], |_: &str| {})
    }

    /// With more arguments. `hear` gets each line that it logs after it listens.
    pub(crate) fn start_with(
        kassa: &Path,
        dir: &Path,
        args: &[&str],
        mut hear: impl FnMut(&str) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(kassa);
        command.args(["run", "--listen", "127.0.0.1:0"]).args(args).env("KASSA_LOG", "info");
        command.current_dir(dir).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let words = BufReader::new(child.stderr.take().context("piped")?);
        let mut lines = words.lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.trim().strip_prefix("collector  http://").and_then(|rest| rest.split('/').next()).map(str::to_owned)
        });
        // Its later log lines must be read, or it blocks.
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| hear(&line)));
        Ok(Self { address: address.context("kassa does not listen")?, child })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        ensure!(self.child.wait()?.success(), "kassa failed");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.child.kill().unwrap_or_default();
            self.child.wait().map(drop).unwrap_or_default();
        }
    }
}

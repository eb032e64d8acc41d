//! The server's ports, implemented: the collector, the overview, the orders behind a bar.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use bytes::Bytes;
use kassa_analytics::Basis;
use kassa_config::{Config, Source};
use kassa_engine::SinkHandle;
use kassa_engine::tracker::Tracker;
use kassa_lake::Store;
use kassa_model::decimal::{format_units, round_half_even};
use kassa_model::time::Clock;
use kassa_model::{Code, DeadLetter, Positions, Reason, Shop};
use kassa_pipeline::Stage;
use kassa_query::{Pool, Session, SqlError};
use kassa_server::{BoxFuture, CollectError, Collector, Done, Kind, Metric, Orders, OrdersQuery, Sample, Status, Unanswered};
use kassa_server::{MemoryPart, PartitionStatus, PipelineStatus, SinkState, SinkStatus};
use kassa_source::log::{Log, LogError, LogRecord};
use serde_json::{Value, json};

use super::memory::{Memory, resident};
use super::passed;
use super::produced::Produced;
use super::proving::Last;
use super::standing::Standing;
use crate::failure::{self, Failure};
use crate::feed::{self, Mark, Marks};

/// Where records are stored before they are answered.
enum Door {
    Log(Arc<Log>),
    Kafka(Produced),
}

/// The collector: validates with the pipeline's own rules, and writes records to the log or to Kafka.
pub struct Gate {
    door: Door,
    /// Those of the configuration's file; its patterns stand for more.
    streams: Streams,
    /// Once the lake is open.
    judge: OnceLock<Judge>,
}

/// Name and topic.
type Streams = Vec<(String, String)>;

/// The pipeline's rules, and all streams.
struct Judge {
    streams: Streams,
    rules: Mutex<Stage>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("streams", &self.streams).finish_non_exhaustive()
    }
}

impl Gate {
    pub fn new(config: &Config, log: Arc<Log>) -> anyhow::Result<Self> {
        let door = match &config.source {
            Source::Log => Door::Log(log),
            Source::Kafka(kafka) => Door::Kafka(Produced::start(kafka)?),
        };
        Ok(Self { door, streams: streams(config), judge: OnceLock::new() })
    }

    /// From now on records are judged before they are answered. Before, they are taken without a verdict: the pipeline decides later.
    pub fn open(&self, config: &Config, rules: impl FnOnce() -> anyhow::Result<Stage>) -> anyhow::Result<()> {
        if self.judge.get().is_none() {
            let judge = Judge { streams: streams(config), rules: Mutex::new(rules()?) };
            self.judge.get_or_init(|| judge);
        }
        Ok(())
    }

    fn streams(&self) -> &Streams {
        self.judge.get().map_or(&self.streams, |judge| &judge.streams)
    }

    fn topic(&self, stream: &str) -> Option<&str> {
        self.streams().iter().find(|(name, _)| name == stream).map(|(_, topic)| topic.as_str())
    }
}

fn streams(config: &Config) -> Streams {
    config.streams.iter().map(|stream| (stream.name.clone(), stream.topic.clone())).collect()
}

impl Collector for Gate {
    fn streams(&self) -> Vec<String> {
        Gate::streams(self).iter().map(|(name, _)| name.clone()).collect()
    }

    fn append(&self, stream: &str, records: Vec<Bytes>, done: Done) -> Result<(), CollectError> {
        let topic = self.topic(stream).ok_or(CollectError::UnknownStream)?;
        match &self.door {
            Door::Log(log) => {
                let records = records.into_iter().map(LogRecord::new).collect();
                log.append(&feed::partition(topic), records, move |receipt| done(receipt.map(|_| ()).map_err(refusal)))
                    .map_err(refusal)
            }
            Door::Kafka(produced) => produced.send(topic, records, done),
        }
    }

    fn check(&self, stream: &str, record: &[u8]) -> Option<DeadLetter> {
        let topic = self.topic(stream)?;
        let rules = self.judge.get()?.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.verdict(topic, record).unwrap_or_else(|error| Some(DeadLetter::new(Reason::MappingFailed, "", error.to_string())))
    }
}

fn refusal(error: LogError) -> CollectError {
    match error {
        LogError::Full { retry_after, .. } => CollectError::Full { retry_after },
        LogError::TooLarge { .. } | LogError::OverCapacity { .. } => CollectError::TooLarge,
        LogError::Unavailable { why, .. } => CollectError::Unavailable(why.to_string()),
        error => CollectError::Failed(error.to_string()),
    }
}

/// The positions of the sinks, and the counts of records.
#[derive(Debug)]
pub struct Overview {
    sinks: Vec<SinkHandle>,
    source: Arc<dyn Marks>,
    tracker: Arc<Tracker>,
    clock: Arc<dyn Clock>,
    proof: Arc<Last>,
    standing: Arc<Standing>,
    memory: Memory,
    /// A sink that commits at this interval is current within three of them.
    interval: Duration,
}

impl Overview {
    pub fn new(
        config: &Config,
        sinks: Vec<SinkHandle>,
        source: Arc<dyn Marks>,
        tracker: Arc<Tracker>,
        clock: Arc<dyn Clock>,
        (proof, standing, memory): (Arc<Last>, Arc<Standing>, Memory),
    ) -> Self {
        Self { sinks, source, tracker, clock, proof, standing, memory, interval: config.lake.commit_interval }
    }

    fn sinks(&self) -> Vec<SinkStatus> {
        let (marks, now, has_joined) = (self.source.marks(), self.clock.now(), self.standing.has_joined());
        let slack = i64::try_from(self.interval.as_micros() * 3).unwrap_or(i64::MAX).max(2_000_000);
        let status = |sink: &SinkHandle| {
            let state = sink.state();
            // Until the pipeline reads, the sinks' positions are not known.
            let behind = if has_joined { behind(&marks, &state.committed) } else { None };
            // The clock may have gone back since.
            let idle = state.committed_at.map(|at| (now - at).max(0));
            let late = behind.is_some_and(|behind| behind > 0) && idle.is_some_and(|idle| idle > slack);
            SinkStatus {
                name: sink.name,
                state: if state.failed.is_some() {
                    SinkState::Stopped
                } else if late || state.waiting.is_some() || !has_joined {
                    SinkState::Behind
                } else {
                    SinkState::Current
                },
                behind_records: behind,
                behind_ms: if behind == Some(0) { Some(0) } else { idle.map(|idle| idle / 1_000) },
                committed_at: state.committed_at,
                commit_us: micros(state.commits.last()),
                commit_us_max: micros(state.commits.slowest()),
            }
        };
        self.sinks.iter().map(status).collect()
    }

    fn partitions(&self) -> Vec<PartitionStatus> {
        let states: Vec<_> = self.sinks.iter().map(|sink| (sink.name, sink.state().committed)).collect();
        let of = |mark: Mark| {
            let at = |name: &str| {
                states.iter().find(|(held, _)| *held == name).and_then(|(_, positions)| positions.get(&mark.partition))
            };
            PartitionStatus {
                topic: mark.partition.topic.to_string(),
                partition: mark.partition.number,
                log_start: mark.start,
                log_end: mark.end,
                archive: at("archive"),
                lake: at("lake"),
                warehouse: at("warehouse"),
                live: at("live"),
            }
        };
        self.source.marks().into_iter().map(of).collect()
    }
}

fn micros(duration: Option<Duration>) -> Option<i64> {
    duration.map(|duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}

/// Records that a sink has not committed yet, as far as the ends are known.
fn behind(marks: &[Mark], committed: &Positions) -> Option<i64> {
    let of = |mark: &Mark| mark.end.map(|end| (end - committed.next(&mark.partition).max(mark.start.unwrap_or(0))).max(0));
    marks.iter().map(of).sum()
}

impl Status for Overview {
    fn pipeline(&self) -> PipelineStatus {
        PipelineStatus {
            sinks: self.sinks(),
            partitions: self.partitions(),
            records: self.tracker.counts().into(),
            rate_per_s: Some(self.tracker.rate()),
            memory_bytes: resident(),
            memory: self.memory.parts(),
            spans: passed::spans(&self.tracker),
            dead_letters: passed::dead_letters(&self.tracker),
            proof: self.proof.get(),
            clock_jump_ms: self.clock.jumps().pending.map(|by| by / 1_000),
        }
    }

    fn ready(&self) -> Result<(), String> {
        let of_sink = |sink: &SinkHandle| {
            let state = sink.state();
            let failed = state.failed.map(|why| format!("the {} stopped: {why}", sink.name));
            failed.or_else(|| state.waiting.map(|why| format!("the {} waits for its store: {why}", sink.name)))
        };
        let mut trouble: Vec<String> = self.standing.trouble().into_iter().collect();
        if self.standing.has_joined() {
            trouble.extend(self.sinks.iter().filter_map(of_sink));
        }
        trouble.extend(self.source.trouble());
        if trouble.is_empty() { Ok(()) } else { Err(trouble.join("; ")) }
    }

    fn alive(&self) -> Result<(), String> {
        self.source.ended().map_or(Ok(()), Err)
    }

    fn metrics(&self) -> Vec<Metric> {
        let counts = self.tracker.counts();
        let fate = |name: &str, value: i64| Sample { labels: vec![("fate", name.to_owned())], value: whole(value) };
        let records = vec![
            fate("accepted", counts.accepted),
            fate("duplicate", counts.duplicates),
            fate("dead_letter", counts.dead_letters),
        ];
        let findings = self.proof.get().map(|proof| i64::try_from(proof.findings.len()).unwrap_or(i64::MAX));
        let sinks = self.sinks();
        let of_sinks = |known: fn(&SinkStatus) -> Option<f64>| -> Vec<Sample> {
            let sample = |sink: &SinkStatus| Some(Sample { labels: vec![("sink", sink.name.to_owned())], value: known(sink)? });
            sinks.iter().filter_map(sample).collect()
        };
        let letters = passed::dead_letters(&self.tracker).by_reason.into_iter().map(|reason| Sample {
            labels: vec![("reason", reason.reason), ("stream", reason.stream)],
            value: whole(reason.count),
        });
        let jumps = self.clock.jumps();
        let one = |value: f64| vec![Sample { labels: Vec::new(), value }];
        let parts = self.memory.parts();
        let of_parts = |known: fn(&MemoryPart) -> Option<i64>| -> Vec<Sample> {
            let sample =
                |part: &MemoryPart| Some(Sample { labels: vec![("part", part.part.to_string())], value: whole(known(part)?) });
            parts.iter().filter_map(sample).collect()
        };
        vec![
            Metric {
                name: "kassa_records_total",
                help: "Records read, by what became of them.",
                kind: Kind::Counter,
                samples: records,
            },
            Metric {
                name: "kassa_sink_lag_records",
                help: "Records in the log that a sink has not committed; absent where that is not known.",
                kind: Kind::Gauge,
                samples: of_sinks(|sink| sink.behind_records.map(whole)),
            },
            Metric {
                name: "kassa_sink_commit_seconds",
                help: "How long a sink's last commit took.",
                kind: Kind::Gauge,
                samples: of_sinks(|sink| sink.commit_us.map(seconds)),
            },
            Metric {
                name: "kassa_sink_commit_seconds_max",
                help: "How long the slowest of a sink's last hundred commits took.",
                kind: Kind::Gauge,
                samples: of_sinks(|sink| sink.commit_us_max.map(seconds)),
            },
            Metric {
                name: "kassa_dead_letters",
                help: "Records that were set aside, by reason and stream.",
                kind: Kind::Gauge,
                samples: letters.collect(),
            },
            Metric {
                name: "kassa_proof_findings",
                help: "What the last proof found wrong; absent before the first.",
                kind: Kind::Gauge,
                samples: findings.map(|count| Sample { labels: Vec::new(), value: whole(count) }).into_iter().collect(),
            },
            Metric {
                name: "kassa_memory_bytes",
                help: "Memory by part. The part `process` is the resident memory of all.",
                kind: Kind::Gauge,
                samples: of_parts(|part| part.bytes),
            },
            Metric {
                name: "kassa_memory_limit_bytes",
                help: "The bounds of parts that have one.",
                kind: Kind::Gauge,
                samples: of_parts(|part| part.limit_bytes),
            },
            Metric {
                name: "kassa_clock_jumps_total",
                help: "Jumps of the machine's clock that the monotonic clock did not confirm.",
                kind: Kind::Counter,
                samples: one(whole(i64::try_from(jumps.total).unwrap_or(i64::MAX))),
            },
            Metric {
                name: "kassa_clock_jump_seconds",
                help: "By how much the machine's clock has jumped, while kassa does not follow it; else 0.",
                kind: Kind::Gauge,
                samples: one(seconds(jumps.pending.unwrap_or(0))),
            },
        ]
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows doubles only")]
fn whole(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows doubles only")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// The lake's store, once it is open.
#[derive(Debug, Default)]
pub struct LakeStore(Mutex<Option<Arc<dyn Store>>>);

impl LakeStore {
    pub fn set(&self, store: Arc<dyn Store>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(store);
    }

    fn get(&self) -> Result<Arc<dyn Store>, Unanswered> {
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fix = Some("ask again when it is open: /readyz says what is missing".to_owned());
        store.ok_or_else(|| Unanswered { code: Code::StoreUnreachable, why: "the lake is not open yet".to_owned(), fix })
    }
}

/// The orders behind a bar, by the lake's own rows.
#[derive(Debug)]
pub struct OrdersOfLake {
    store: Arc<LakeStore>,
    shop: Shop,
    pool: Pool,
}

impl OrdersOfLake {
    pub fn new(config: &Config, store: Arc<LakeStore>, pool: Pool) -> Self {
        Self { store, shop: config.shop.clone(), pool }
    }

    async fn ask(&self, asked: OrdersQuery) -> Result<Value, Unanswered> {
        let sql = orders_sql(&asked);
        let store = self.store.get()?;
        let session = Session::open_within(&self.pool, store.as_ref(), &self.shop, &sql).await;
        let session = session.map_err(unanswered)?;
        let batches = session.run(&sql).await.map_err(unanswered)?;
        let mut rows: Vec<Value> = batches.iter().flat_map(order_rows).collect();
        let truncated = rows.len() > asked.limit;
        rows.truncate(asked.limit);
        Ok(json!({"rows": rows, "truncated": truncated}))
    }
}

impl Orders for OrdersOfLake {
    fn orders(&self, query: OrdersQuery) -> BoxFuture<'_, Result<Value, Unanswered>> {
        Box::pin(self.ask(query))
    }
}

/// The query is ours: what is refused of it is its memory, or a defect.
fn unanswered(error: SqlError) -> Unanswered {
    let error = match error {
        SqlError::Lake(error) => anyhow::Error::new(error),
        SqlError::Memory(why) => {
            let failure = Failure::new(Code::TooManyAtOnce, why);
            failure.hint("ask for fewer days, or again when fewer people ask").into()
        }
        SqlError::Refused(why) | SqlError::Nesting(why) => anyhow::Error::new(why),
    };
    let (code, fix) = failure::judge(&error);
    Unanswered { code, why: failure::chain(&error), fix }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The lines with the requested names, joined with as few tables as possible.
fn orders_sql(asked: &OrdersQuery) -> String {
    let mut from = "fact_sales_reporting s LEFT JOIN dim_customer_current c ON c.customer_key = s.customer_key \
         LEFT JOIN (SELECT DISTINCT country_key, code FROM dim_country) n ON n.country_key = s.ship_country_key"
        .to_owned();
    if asked.product.is_some() || asked.category.is_some() {
        from.push_str(" LEFT JOIN dim_product_current p ON p.product_key = s.product_key");
    }
    if asked.category.is_some() {
        from.push_str(" LEFT JOIN (SELECT DISTINCT category_key, path FROM dim_category) g ON g.category_key = p.category_key");
    }
    let mut wanted = vec!["NOT s.is_test".to_owned()];
    let day = if asked.basis == Basis::Order { "s.order_date_key" } else { "s.movement_date_key" };
    wanted.extend(asked.from.map(|first| format!("{day} >= {first}")));
    wanted.extend(asked.to.map(|last| format!("{day} <= {last}")));
    // Rows without a name are found by the key that figures give them.
    let top = |name: &str| format!("coalesce(split_part(g.path, ' > ', 1), 'Unknown') = {}", quoted(name));
    wanted.extend(asked.category.as_deref().map(top));
    wanted.extend(asked.product.as_deref().map(|product| format!("coalesce(p.product_id, 'unknown') = {}", quoted(product))));
    wanted.extend(asked.country.as_deref().map(|country| format!("coalesce(n.code, 'unknown') = {}", quoted(country))));
    format!(
        "SELECT min(s.order_id) AS order_id, CAST(min(s.ordered_at) AS VARCHAR) AS ordered_at, min(c.customer_id) AS customer, \
         min(n.code) AS country, CAST(count(*) AS VARCHAR) AS lines, CAST(sum(s.quantity) AS VARCHAR) AS units, \
         CAST(sum(s.net_amount_reporting) AS VARCHAR) AS net \
         FROM {from} WHERE {} GROUP BY s.order_key ORDER BY sum(s.net_amount_reporting) DESC NULLS LAST, order_id LIMIT {}",
        wanted.join(" AND "),
        asked.limit + 1
    )
}

fn order_rows(batch: &RecordBatch) -> Vec<Value> {
    let schema = batch.schema();
    let cell = |column: usize, row: usize| {
        let texts = batch.column(column).as_string_opt::<i32>()?;
        texts.is_valid(row).then(|| texts.value(row).to_owned())
    };
    let object = |row: usize| {
        let cells = schema.fields().iter().enumerate().map(|(at, field)| {
            let text = cell(at, row);
            let value = match field.name().as_str() {
                "lines" => text.and_then(|text| text.parse::<i64>().ok()).map_or(Value::Null, Value::from),
                "units" => text.map_or(Value::Null, |text| Value::from(plain(&text))),
                "net" => text.and_then(|text| rounded(&text)).map_or(Value::Null, Value::from),
                _ => text.map_or(Value::Null, Value::from),
            };
            (field.name().clone(), value)
        });
        Value::Object(cells.collect())
    };
    (0..batch.num_rows()).map(object).collect()
}

/// An exact sum of money, 15 places, rounded as figures are.
fn rounded(text: &str) -> Option<String> {
    let units: i128 = text.replace('.', "").parse().ok()?;
    Some(format_units(round_half_even(units, 1_000_000_000), 6, 0)).map(|text| plain(&text))
}

/// A decimal without trailing zeros beyond two digits.
fn plain(text: &str) -> String {
    let Some((whole, fraction)) = text.split_once('.') else { return text.to_owned() };
    let kept = fraction.trim_end_matches('0');
    if kept.is_empty() { whole.to_owned() } else { format!("{whole}.{kept:0<2}") }
}

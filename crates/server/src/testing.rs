//! Fake implementations of the ports, for the tests of the server.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::BinaryArray;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use kassa_analytics::Figures;
use kassa_model::time::Clock;
use kassa_model::{Code, Contract, Currency, DeadLetter, Headers, Partition, Positions, Reason, Records, Shop};
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_pipeline::{Batch, Format, Stage, Stream};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::*;

pub(crate) const HOST: &str = "localhost:8080";

#[derive(Debug, Default)]
pub(crate) struct FixedClock(pub(crate) AtomicI64);

impl Clock for FixedClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The behaviour of the log.
#[derive(Debug, Clone, Default)]
pub(crate) enum Disk {
    #[default]
    Works,
    Refuses(CollectError),
    Fails(CollectError),
    /// Gives no answer until released.
    Waits,
}

#[derive(Default)]
pub(crate) struct FakeLog {
    pub(crate) disk: Mutex<Disk>,
    pub(crate) kept: Mutex<Vec<Bytes>>,
    pub(crate) waiting: Mutex<Vec<Done>>,
}

impl std::fmt::Debug for FakeLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeLog")
    }
}

impl FakeLog {
    pub(crate) fn kept(&self) -> Vec<Bytes> {
        self.kept.lock().unwrap().clone()
    }
}

impl Collector for FakeLog {
    fn streams(&self) -> Vec<String> {
        vec!["orders".to_owned(), "events".to_owned()]
    }

    fn append(&self, _: &str, records: Vec<Bytes>, done: Done) -> Result<(), CollectError> {
        match self.disk.lock().unwrap().clone() {
            Disk::Refuses(error) => return Err(error),
            Disk::Fails(error) => done(Err(error)),
            Disk::Waits => self.waiting.lock().unwrap().push(done),
            Disk::Works => {
                self.kept.lock().unwrap().extend(records);
                done(Ok(()));
            }
        }
        Ok(())
    }

    fn check(&self, _: &str, record: &[u8]) -> Option<DeadLetter> {
        match serde_json::from_slice::<Value>(record) {
            Ok(Value::Object(fields)) if fields.contains_key("price") => None,
            Ok(Value::Object(_)) => Some(DeadLetter::new(Reason::MissingField, "price", "")),
            Ok(_) => Some(DeadLetter::new(Reason::NotAnObject, "", "")),
            Err(_) => Some(DeadLetter::new(Reason::NotJson, "", "")),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct FakeStatus {
    pub(crate) held_up: Mutex<Option<String>>,
    pub(crate) ended: Mutex<Option<String>>,
    /// The number of calls for the whole state.
    pub(crate) asked: AtomicI64,
}

impl Status for FakeStatus {
    fn pipeline(&self) -> PipelineStatus {
        self.asked.fetch_add(1, Ordering::Relaxed);
        PipelineStatus {
            sinks: vec![SinkStatus {
                name: "lake",
                state: SinkState::Behind,
                behind_records: Some(5),
                behind_ms: None,
                committed_at: Some(0),
                commit_us: Some(1_500),
                commit_us_max: None,
            }],
            partitions: vec![PartitionStatus {
                topic: "orders".to_owned(),
                partition: 0,
                log_start: Some(0),
                log_end: Some(9_007_199_254_740_993),
                archive: None,
                lake: Some(7),
                warehouse: None,
                live: None,
            }],
            rate_per_s: Some(1980),
            dead_letters: DeadLetterStatus { total: Some(40), today: Some(12), by_reason: Vec::new() },
            proof: Some(Proof { at: 1_000_000, ok: true, findings: Vec::new() }),
            ..PipelineStatus::default()
        }
    }

    fn ready(&self) -> Result<(), String> {
        self.held_up.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn alive(&self) -> Result<(), String> {
        self.ended.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn metrics(&self) -> Vec<Metric> {
        let samples = vec![Sample { labels: vec![("sink", "lake".to_owned())], value: 5.0 }];
        vec![Metric { name: "kassa_behind_records", help: "Records not yet committed.", kind: Kind::Gauge, samples }]
    }
}

/// Answers with its own parameters.
#[derive(Debug)]
pub(crate) struct FakeOrders;

impl Orders for FakeOrders {
    fn orders(&self, query: OrdersQuery) -> BoxFuture<'_, Result<Value, Unanswered>> {
        let failed = query.product.as_deref() == Some("broken");
        let rows = json!([{"from": query.from, "to": query.to, "basis": query.basis.name(), "country": query.country, "limit": query.limit}]);
        Box::pin(async move {
            let why = "the lake cannot be read".to_owned();
            if failed {
                Err(Unanswered { code: Code::StoreUnreachable, why, fix: None })
            } else {
                Ok(json!({"rows": rows, "truncated": false}))
            }
        })
    }
}

/// A server and the fakes behind it.
pub(crate) struct House {
    pub(crate) server: Arc<Server>,
    pub(crate) router: Router,
    pub(crate) log: Arc<FakeLog>,
    pub(crate) status: Arc<FakeStatus>,
    pub(crate) clock: Arc<FixedClock>,
}

pub(crate) fn house() -> House {
    let (log, status, clock) = (Arc::new(FakeLog::default()), Arc::new(FakeStatus::default()), Arc::new(FixedClock::default()));
    let app = App {
        shop: shop(),
        live: Arc::new(Live::new(Figures::new(&shop()), Positions::default())),
        collector: Some(Arc::<FakeLog>::clone(&log)),
        status: Arc::<FakeStatus>::clone(&status),
        orders: Arc::new(FakeOrders),
        clock: Arc::<FixedClock>::clone(&clock),
        limits: Limits { max_body_bytes: 8192, max_record_bytes: 1024, max_records: 100, memory_bytes: 512 << 20 },
        push_interval: Duration::from_millis(50),
    };
    let server = Server::new(app, listen::CONNECTIONS_MAX).unwrap();
    House { router: routes::router(Arc::clone(&server)), server, log, status, clock }
}

pub(crate) fn shop() -> Shop {
    Shop::new("Test", "Europe/London", Currency::parse("GBP").unwrap()).unwrap()
}

pub(crate) fn topic() -> Partition {
    Partition::new("lines", 0)
}

/// A batch of lines sold for these amounts, with offsets from `from`.
pub(crate) fn batch(from: i64, amounts: &[&str]) -> Arc<Batch> {
    let lines: Vec<String> = (from..)
        .zip(amounts)
        .map(|(offset, amount)| {
            json!({"event_id": format!("e{offset}"), "occurred_at": "2026-01-05T10:00:00Z", "order_id": format!("o{offset}"), "line_id": "1",
                "product_id": "lamp", "quantity": "1", "unit_price": amount, "currency": "GBP"})
            .to_string()
        })
        .collect();
    let count = lines.len();
    let next = from + i64::try_from(count).unwrap();
    let records = Records {
        partition: topic(),
        offsets: (from..next).collect(),
        // A later moment of that day: events after their ingest time are in the future and are not
        // counted.
        ingested_at: vec![1_767_614_400_000_000; count],
        timestamps: vec![None; count],
        keys: None,
        headers: Headers::None,
        values: BinaryArray::from_iter_values(&lines),
        next,
    };
    let index = Index::new(&IndexOptions { memory_bytes: 1 << 20, dir: None, event_window_us: 1 }).unwrap();
    let stream = Stream::new("lines", Contract::OrderLine, Format::Json, None, 1 << 20);
    let mut stage = Stage::new(&shop(), kassa_model::key::Keyring::keyed([7; 16]), index, [(Arc::from("lines"), stream)]);
    Arc::new(stage.run(records, from).unwrap())
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|cause| panic!("{cause}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The status and the code of the error.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}

impl House {
    pub(crate) async fn ask(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Reply { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask(Request::get(path).header("host", HOST).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Reply {
        self.ask(Request::post(path).header("host", HOST).body(body.into()).unwrap()).await
    }
}

//! The ports that the rest of kassa implements for the server.

use std::fmt::Debug;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use kassa_analytics::Basis;
use kassa_model::{Code, DeadLetter};

use crate::status::{PipelineStatus, Pulse};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Called once, when the records are on disk or have failed for good.
pub type Done = Box<dyn FnOnce(Result<(), CollectError>) + Send>;

/// Why records were not stored. None of the request's records were.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    #[error("no such stream")]
    UnknownStream,
    #[error("the log is full")]
    Full { retry_after: Duration },
    #[error("more than the log accepts at once")]
    TooLarge,
    /// The collector tries again by itself.
    #[error("the log cannot be written for now: {0}")]
    Unavailable(String),
    /// The store of records does not answer.
    #[error("it does not answer: {why}")]
    Away { why: String, retry_after: Duration },
    #[error("could not write the log: {0}")]
    Failed(String),
}

/// Stores records durably. Called on a thread that may block.
pub trait Collector: Debug + Send + Sync {
    /// The names of the streams, as in `POST /v1/{stream}`.
    fn streams(&self) -> Vec<String>;

    /// Accepts all records or none. `done` is called once they are durable; it is not called if
    /// this returns an error.
    fn append(&self, stream: &str, records: Vec<Bytes>, done: Done) -> Result<(), CollectError>;

    /// What is wrong with a record on its own, according to the pipeline's decoding and validation.
    /// `None` if nothing is.
    fn check(&self, stream: &str, record: &[u8]) -> Option<DeadLetter>;
}

/// The state of the pipeline.
pub trait Status: Debug + Send + Sync {
    /// Called at most once a second, and for each `GET /api/v1/pipeline`.
    fn pipeline(&self) -> PipelineStatus;

    /// The part that each update of live figures contains. Override this if computing the whole
    /// state is expensive.
    fn pulse(&self) -> Pulse {
        Pulse::of(&self.pipeline())
    }

    /// What is not ready, in words.
    fn ready(&self) -> Result<(), String>;

    /// Why the program must be started again, if so. Takes no lock and waits for nothing.
    fn alive(&self) -> Result<(), String> {
        Ok(())
    }

    fn metrics(&self) -> Vec<Metric>;
}

/// The Prometheus type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
}

/// A metric. Names are `kassa_<what>_<unit>[_total]`; labels come from bounded sets.
#[derive(Debug, Clone)]
pub struct Metric {
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    pub samples: Vec<Sample>,
}

#[derive(Debug, Clone)]
pub struct Sample {
    pub labels: Vec<(&'static str, String)>,
    pub value: f64,
}

/// Selects orders with a line of these days, category, product and country, as far as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrdersQuery {
    /// The first and the last day, yyyymmdd, on `basis`.
    pub from: Option<i32>,
    pub to: Option<i32>,
    pub basis: Basis,
    /// The top-level category.
    pub category: Option<String>,
    pub product: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    pub limit: usize,
}

/// Orders from the lake.
pub trait Orders: Debug + Send + Sync {
    /// The JSON of `GET /api/v1/orders`: `{"rows": […], "truncated": …}`.
    fn orders(&self, query: OrdersQuery) -> BoxFuture<'_, Result<serde_json::Value, Unanswered>>;
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    pub code: Code,
    pub why: String,
    pub fix: Option<String>,
}

//! `/livez` says whether the program must be started again, `/readyz` what is not ready, `/metrics` is Prometheus text.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io, thread};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use kassa_model::printable::printable_lines;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::{CONTENT_TYPE, encode};
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::Server;
use crate::json::Json;
use crate::ports::{Kind, Metric, Sample, Status};
use crate::push::PipelineEvent;
use crate::refusal::Refusal;

/// Requests for `/readyz` that wait for the next check.
const CHECKS_MAX: usize = 1024;
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

type Asker = oneshot::Sender<Result<(), String>>;

/// Checks readiness on a thread of its own, so that other requests cannot take its place. One check is for all who wait.
#[derive(Debug)]
pub(crate) struct Readiness(mpsc::Sender<Asker>);

impl Readiness {
    pub(crate) fn start(status: Arc<dyn Status>) -> io::Result<Self> {
        let (sender, mut waiting) = mpsc::channel::<Asker>(CHECKS_MAX);
        let check = move || {
            while let Some(first) = waiting.blocking_recv() {
                let others: Vec<Asker> = std::iter::from_fn(|| waiting.try_recv().ok()).take(CHECKS_MAX).collect();
                let ready = status.ready();
                // Who no longer waits has disconnected.
                others.into_iter().chain([first]).for_each(|asker| asker.send(ready.clone()).unwrap_or_default());
            }
        };
        thread::Builder::new().name("readiness".to_owned()).spawn(check)?;
        Ok(Self(sender))
    }

    async fn check(&self) -> Result<(), String> {
        let (asker, answer) = oneshot::channel();
        self.0.try_send(asker).map_err(|_| "too many checks of readiness wait".to_owned())?;
        let unknown = || Err("the check of readiness has not ended: something holds the program up".to_owned());
        timeout(CHECK_TIMEOUT, answer).await.map_or_else(|_| unknown(), |answer| answer.unwrap_or_else(|_| unknown()))
    }
}

fn worded(state: Result<(), String>, good: &str) -> (StatusCode, String) {
    match state {
        Ok(()) => (StatusCode::OK, format!("{good}\n")),
        Err(words) => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", printable_lines(&words))),
    }
}

pub(crate) async fn alive(State(server): State<Arc<Server>>) -> (StatusCode, String) {
    worded(server.app.status.alive(), "alive")
}

pub(crate) async fn ready(State(server): State<Arc<Server>>) -> (StatusCode, String) {
    worded(server.readiness.check().await, "ready")
}

pub(crate) async fn pipeline(State(server): State<Arc<Server>>) -> Result<impl IntoResponse, Refusal> {
    let turn = server.answers.state().await?;
    let asked = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        PipelineEvent::of(&server)
    });
    asked.await.map(Json).map_err(|cause| Refusal::broken(&cause))
}

pub(crate) async fn metrics(State(server): State<Arc<Server>>) -> Result<impl IntoResponse, Refusal> {
    let turn = server.answers.state().await?;
    let asked = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let mut metrics = server.app.status.metrics();
        metrics.extend(own(&server));
        text(metrics)
    });
    let text = asked.await.map_err(|cause| Refusal::broken(&cause))?.map_err(|cause| Refusal::broken(&cause))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text))
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has only doubles")]
fn own(server: &Server) -> [Metric; 2] {
    let metric = |name, help, kind, value| Metric { name, help, kind, samples: vec![Sample { labels: Vec::new(), value }] };
    [
        metric("kassa_viewers", "Viewers of the live stream.", Kind::Gauge, server.push.viewers() as f64),
        metric("kassa_pushes_total", "Events computed for the live stream.", Kind::Counter, server.push.pushes() as f64),
    ]
}

/// The metrics of one request, in Prometheus' text format.
fn text(metrics: Vec<Metric>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(metrics)));
    let mut out = String::new();
    encode(&mut out, &registry)?;
    Ok(out)
}

#[derive(Debug)]
struct Scrape(Vec<Metric>);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for metric in &self.0 {
            let (name, kind) = match metric.kind {
                // The encoder adds the suffix again.
                Kind::Counter => (metric.name.trim_end_matches("_total"), MetricType::Counter),
                Kind::Gauge => (metric.name, MetricType::Gauge),
            };
            let mut metric_encoder = encoder.encode_descriptor(name, metric.help, None, kind)?;
            for sample in &metric.samples {
                sample_of(metric.kind, sample.value, metric_encoder.encode_family(&sample.labels)?)?;
            }
        }
        Ok(())
    }
}

/// Whole numbers are written without `.0`.
fn sample_of(kind: Kind, value: f64, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
    let digits = value.to_string();
    match (kind, digits.parse::<u64>(), digits.parse::<i64>()) {
        (Kind::Counter, Ok(whole), _) => encoder.encode_counter::<NoLabelSet, _, f64>(&whole, None),
        (Kind::Counter, Err(_), _) => encoder.encode_counter::<NoLabelSet, _, f64>(&value, None),
        (Kind::Gauge, _, Ok(whole)) => encoder.encode_gauge(&whole),
        (Kind::Gauge, _, Err(_)) => encoder.encode_gauge(&value),
    }
}

#[cfg(test)]
mod tests;

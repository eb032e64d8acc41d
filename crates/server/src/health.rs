//! `/livez` checks nothing, `/readyz` says what is not ready, `/metrics` is Prometheus text.

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use kassa_model::printable::printable_lines;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::{CONTENT_TYPE, encode};
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::Server;
use crate::json::Json;
use crate::ports::{Kind, Metric, Sample};
use crate::push::PipelineEvent;
use crate::refusal::Refusal;

pub(crate) async fn alive() -> &'static str {
    "alive\n"
}

pub(crate) async fn ready(State(server): State<Arc<Server>>) -> Result<(StatusCode, String), Refusal> {
    let ready = tokio::task::spawn_blocking(move || server.app.status.ready()).await.map_err(|cause| Refusal::broken(&cause))?;
    Ok(match ready {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(words) => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", printable_lines(&words))),
    })
}

pub(crate) async fn pipeline(State(server): State<Arc<Server>>) -> Result<impl IntoResponse, Refusal> {
    let asked = tokio::task::spawn_blocking(move || PipelineEvent::of(&server)).await;
    asked.map(Json).map_err(|cause| Refusal::broken(&cause))
}

pub(crate) async fn metrics(State(server): State<Arc<Server>>) -> Result<impl IntoResponse, Refusal> {
    let asked = tokio::task::spawn_blocking(move || {
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

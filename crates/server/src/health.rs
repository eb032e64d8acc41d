//! `/livez` checks nothing, `/readyz` says what is not ready, `/metrics` is Prometheus text.

use std::fmt::Write;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use crate::Server;
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
        Err(words) => (StatusCode::SERVICE_UNAVAILABLE, format!("{words}\n")),
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
        text(&metrics)
    });
    let text = asked.await.map_err(|cause| Refusal::broken(&cause))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has only doubles")]
fn own(server: &Server) -> [Metric; 2] {
    let metric = |name, help, kind, value| Metric { name, help, kind, samples: vec![Sample { labels: Vec::new(), value }] };
    [
        metric("kassa_viewers", "Viewers of the live stream.", Kind::Gauge, server.push.viewers() as f64),
        metric("kassa_pushes_total", "Events computed for the live stream.", Kind::Counter, server.push.pushes() as f64),
    ]
}

fn text(metrics: &[Metric]) -> String {
    let mut out = String::new();
    for metric in metrics {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        out += &format!("# HELP {} {}\n# TYPE {} {kind}\n", metric.name, escape(metric.help), metric.name);
        for sample in &metric.samples {
            write_sample(&mut out, metric.name, sample);
        }
    }
    out
}

fn write_sample(out: &mut String, name: &str, sample: &Sample) {
    out.push_str(name);
    for (at, (label, value)) in sample.labels.iter().enumerate() {
        let before = if at == 0 { '{' } else { ',' };
        // Writing to a String cannot fail.
        write!(out, "{before}{label}=\"{}\"", escape(value).replace('"', "\\\"")).ok();
    }
    let after = if sample.labels.is_empty() { "" } else { "}" };
    writeln!(out, "{after} {}", sample.value).ok();
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

#[cfg(test)]
mod tests;

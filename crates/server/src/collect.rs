//! `POST /v1/{stream}`: the collector's endpoint.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use kassa_model::Code;
use kassa_model::nearest::nearest;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::body::{self, Whole};
use crate::json::Json;
use crate::parameters::segment;
use crate::ports::{CollectError, Collector};
use crate::refusal::Refusal;
use crate::split::{SplitError, split};
use crate::{Limits, Server};

#[derive(Debug, Serialize)]
struct Receipt {
    received: usize,
    accepted: usize,
    dead_letters: Vec<Rejected>,
}

#[derive(Debug, Serialize)]
struct Rejected {
    index: usize,
    reason: &'static str,
    field: String,
}

pub(crate) async fn post(
    State(server): State<Arc<Server>>,
    stream: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let (collector, stream) = match stream_of(&server, stream) {
        Ok(found) => found,
        Err(refusal) => {
            body::discard_all(&parts.headers, body).await;
            return Err(refusal);
        }
    };
    let limits = server.app.limits;
    let whole = body::read(&parts.headers, body, &limits, &server.bodies).await?;
    let by_line = is_ndjson(&parts.headers);
    let (done, durable) = oneshot::channel();
    // Splitting, waiting for the log and checking each record are blocking work.
    let taking = tokio::task::spawn_blocking(move || take(collector.as_ref(), &stream, whole, by_line, &limits, done));
    let receipt = taking.await.map_err(|cause| Refusal::broken(&cause))??;
    durable.await.map_err(|cause| Refusal::broken(&cause))??;
    Ok((StatusCode::ACCEPTED, Json(receipt)).into_response())
}

fn stream_of(server: &Server, stream: Result<Path<String>, PathRejection>) -> Result<(Arc<dyn Collector>, String), Refusal> {
    let stream = segment(stream)?;
    let unknown = |hint: String| Refusal::new(StatusCode::NOT_FOUND, Code::UnknownStream, format!("`{stream}`"), hint);
    let Some(collector) = &server.app.collector else {
        return Err(unknown("there is no collector: `source.url` is not the collector's log".to_owned()));
    };
    let streams = collector.streams();
    if streams.contains(&stream) {
        return Ok((Arc::clone(collector), stream));
    }
    let names = || streams.iter().map(String::as_str);
    Err(unknown(match nearest(&stream, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the streams are: {}", names().collect::<Vec<_>>().join(", ")),
    }))
}

fn is_ndjson(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/jsonlines"]
        .iter()
        .any(|ndjson| kind.eq_ignore_ascii_case(ndjson))
}

/// Hands the records to the log, and checks them while the log writes.
fn take(
    collector: &dyn Collector,
    stream: &str,
    whole: Whole,
    by_line: bool,
    limits: &Limits,
    done: oneshot::Sender<Result<(), CollectError>>,
) -> Result<Receipt, Refusal> {
    let Whole { bytes, room } = whole;
    let records: Vec<Bytes> = split(&bytes, by_line, limits)?.into_iter().map(|range| bytes.slice(range)).collect();
    let written = Box::new(move |result| {
        drop(room);
        // If the client has disconnected, its records are stored nevertheless.
        done.send(result).ok();
    });
    collector.append(stream, records.clone(), written)?;
    let check = |(index, record): (usize, &Bytes)| {
        let letter = collector.check(stream, record)?;
        Some(Rejected { index, reason: letter.reason.code(), field: letter.field.into_owned() })
    };
    let dead_letters: Vec<_> = records.iter().enumerate().filter_map(check).collect();
    Ok(Receipt { received: records.len(), accepted: records.len() - dead_letters.len(), dead_letters })
}

fn too_large(detail: String, key: &str) -> Refusal {
    let hint = format!("send fewer records per request, or raise collector.{key}");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge, detail, hint)
}

impl From<SplitError> for Refusal {
    fn from(error: SplitError) -> Self {
        match error {
            SplitError::Empty => {
                Refusal::new(StatusCode::BAD_REQUEST, Code::EmptyBody, "", "send a JSON object, an array of objects, or NDJSON")
            }
            SplitError::TooMany => too_large("it has more records than one request may contain".to_owned(), "max_records"),
            SplitError::RecordTooLarge { index, bytes } => too_large(format!("record {index} has {bytes} bytes"), "max_record"),
        }
    }
}

impl From<CollectError> for Refusal {
    fn from(error: CollectError) -> Self {
        match error {
            CollectError::UnknownStream => {
                Refusal::new(StatusCode::NOT_FOUND, Code::UnknownStream, "", "it has just been removed")
            }
            CollectError::Full { retry_after } => {
                let hint = "retry after the stated seconds; /readyz says which sink is behind";
                Refusal::new(StatusCode::TOO_MANY_REQUESTS, Code::LogFull, "", hint).retry_after(retry_after)
            }
            CollectError::TooLarge => too_large("the log does not accept so much at once".to_owned(), "max_body"),
            CollectError::Failed(cause) => {
                let hint = "it is unknown whether this request was stored: send it again when /readyz is ready; records with ids are not counted twice";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::StorageFailed, cause, hint)
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! `POST /v1/{stream}`: the collector's endpoint.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kassa_model::Code;
use kassa_model::nearest::nearest;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::Server;
use crate::body::{self, Whole};
use crate::json::Json;
use crate::parameters::segment;
use crate::ports::{CollectError, Collector};
use crate::refusal::Refusal;
use crate::split::{SplitError, split};

/// A body up to this size is split at once; a larger one waits for its turn, and for a thread that may block.
const SPLIT_AT_ONCE: usize = 16 * 1024;
/// What a record costs in addition to its bytes, until it is written and checked.
const RECORD_BYTES: usize = 128;
/// The dead letters that an answer lists. The others are the difference between received and accepted.
const LISTED_MAX: usize = 1000;

/// When to try again after a failure whose end is not known.
const FAILED: Duration = Duration::from_secs(5);

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
    let found = plain(&parts.headers).and_then(|()| stream_of(&server, stream));
    let (collector, stream) = match found {
        Ok(found) => found,
        Err(refusal) => {
            body::discard_all(&parts.headers, body).await;
            return Err(refusal);
        }
    };
    let limits = server.app.limits;
    let whole = body::read(&parts.headers, body, &limits, &server.rooms).await?;
    let (whole, ranges) = divide(&server, whole, is_ndjson(&parts.headers)).await?;
    let (done, durable) = oneshot::channel();
    // Waiting for the log and checking each record are blocking work.
    let taking = tokio::task::spawn_blocking(move || take(collector.as_ref(), &stream, whole, &ranges, done));
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

/// kassa decompresses nothing: a compressed body would be one dead letter.
fn plain(headers: &HeaderMap) -> Result<(), Refusal> {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let mut codings = codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let Some(coding) = codings.find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")) else {
        return Ok(());
    };
    let detail = format!("Content-Encoding: {}", coding.escape_ascii());
    let hint = "send the body as it is, without Content-Encoding";
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::BadParameter, detail, hint))
}

fn is_ndjson(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/jsonlines"]
        .iter()
        .any(|ndjson| kind.eq_ignore_ascii_case(ndjson))
}

/// Splits a body. Its records are charged too: tiny ones cost many times their bytes.
async fn divide(server: &Server, whole: Whole, by_line: bool) -> Result<(Whole, Vec<Range<usize>>), Refusal> {
    let (limits, rooms) = (server.app.limits, &server.rooms);
    let is_small = whole.bytes.len() <= SPLIT_AT_ONCE;
    // Kept until the records are charged.
    let _turn = if is_small { None } else { Some(rooms.turn().await?) };
    let work = move || split(&whole.bytes, by_line, &limits).map(|ranges| (whole, ranges));
    let (mut whole, ranges) =
        if is_small { work()? } else { tokio::task::spawn_blocking(work).await.map_err(|cause| Refusal::broken(&cause))?? };
    whole.room.grow(rooms, whole.bytes.len() + RECORD_BYTES * ranges.len()).await?;
    Ok((whole, ranges))
}

/// Hands the records to the log, and checks them while the log writes.
fn take(
    collector: &dyn Collector,
    stream: &str,
    whole: Whole,
    ranges: &[Range<usize>],
    done: oneshot::Sender<Result<(), CollectError>>,
) -> Result<Receipt, Refusal> {
    let Whole { bytes, room } = whole;
    let records = ranges.iter().map(|range| bytes.slice(range.clone())).collect();
    let room = Arc::new(room);
    let checked = Arc::clone(&room);
    let written = Box::new(move |result| {
        drop(room);
        // If the client has disconnected, its records are stored nevertheless.
        done.send(result).ok();
    });
    collector.append(stream, records, written)?;
    let (mut accepted, mut dead_letters) = (0, Vec::new());
    for (index, range) in ranges.iter().enumerate() {
        match collector.check(stream, &bytes[range.clone()]) {
            None => accepted += 1,
            Some(letter) if dead_letters.len() < LISTED_MAX => {
                dead_letters.push(Rejected { index, reason: letter.reason.code(), field: letter.field.into_owned() });
            }
            Some(_) => {}
        }
    }
    drop(checked);
    Ok(Receipt { received: ranges.len(), accepted, dead_letters })
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
            CollectError::Away { why, retry_after } => {
                let hint = "nothing of this request was stored: send it again after the stated seconds";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::SourceUnreachable, why, hint).retry_after(retry_after)
            }
            CollectError::TooLarge => too_large("the log does not accept so much at once".to_owned(), "max_body"),
            CollectError::Unavailable(cause) => {
                let hint = "retry after the stated seconds; records with ids are not counted twice";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::StorageFailed, cause, hint)
                    .retry_after(Duration::from_secs(1))
            }
            CollectError::Failed(cause) => {
                let hint = "it is unknown whether this request was stored: send it again when /readyz is ready; records with ids are not counted twice";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::StorageFailed, cause, hint).retry_after(FAILED)
            }
        }
    }
}

#[cfg(test)]
mod tests;

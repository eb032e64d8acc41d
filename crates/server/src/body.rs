//! Reads a body as it arrives, with at most its limit in memory, and at most the server's budget
//! for all bodies.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use kassa_model::Code;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::Limits;
use crate::refusal::Refusal;

/// The unit of the budget, in bytes.
pub(crate) const UNIT: usize = 1024;
/// The time limit for the next part of a body.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);
/// The time limit for other bodies to free memory.
const ROOM_TIMEOUT: Duration = Duration::from_secs(5);
/// A client that is still sending does not read the answer. Up to this much is read and dropped
/// first, so that the client sees the error.
const DISCARD_MAX: u64 = 2 << 30;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(10);

/// A body in memory, and its share of the budget.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) bytes: Bytes,
    pub(crate) room: OwnedSemaphorePermit,
}

pub(crate) async fn read(headers: &HeaderMap, body: Body, limits: &Limits, budget: &Arc<Semaphore>) -> Result<Whole, Refusal> {
    let mut pieces = body.into_data_stream();
    match take(headers, &mut pieces, limits, budget).await {
        Err(refusal) => {
            discard(headers, &mut pieces).await;
            Err(refusal)
        }
        whole => whole,
    }
}

/// Reads a refused body to its end, within limits.
pub(crate) async fn discard_all(headers: &HeaderMap, body: Body) {
    discard(headers, &mut body.into_data_stream()).await;
}

async fn take(
    headers: &HeaderMap,
    pieces: &mut BodyDataStream,
    limits: &Limits,
    budget: &Arc<Semaphore>,
) -> Result<Whole, Refusal> {
    let max = limits.max_body_bytes;
    let stated = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if stated.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > max)) {
        return Err(too_large(max));
    }
    let expected = stated.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let mut room = make_room(budget, expected).await?;
    let mut bytes = BytesMut::with_capacity(expected);
    while let Some(piece) = next(pieces).await? {
        if bytes.len() + piece.len() > max {
            return Err(too_large(max));
        }
        bytes.extend_from_slice(&piece);
        // The buffer of a body without a length doubles as it grows; only its contents count.
        let held = room.num_permits() * UNIT;
        if bytes.capacity() > held {
            room.merge(make_room(budget, bytes.capacity().min(max) - held.min(max)).await?);
        }
    }
    Ok(Whole { bytes: bytes.freeze(), room })
}

async fn next(pieces: &mut BodyDataStream) -> Result<Option<Bytes>, Refusal> {
    let hint = "nothing of it was stored: send it again";
    match timeout(PIECE_TIMEOUT, pieces.next()).await {
        Ok(piece) => {
            piece.transpose().map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, Code::EmptyBody, "the body ended early", hint))
        }
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, Code::EmptyBody, "the body stopped arriving", hint)),
    }
}

async fn make_room(budget: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
    let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
    match timeout(ROOM_TIMEOUT, Arc::clone(budget).acquire_many_owned(units)).await {
        Ok(Ok(room)) => Ok(room),
        _ => {
            let detail = "the bodies of other requests fill the memory reserved for them";
            let refusal =
                Refusal::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyAtOnce, detail, "retry after the stated seconds");
            Err(refusal.retry_after(Duration::from_secs(1)))
        }
    }
}

fn too_large(max: usize) -> Refusal {
    let hint = "send fewer records per request, or raise collector.max_body";
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge, format!("the body is larger than {max} bytes"), hint)
}

async fn discard(headers: &HeaderMap, pieces: &mut BodyDataStream) {
    // A client that sends `Expect` has not sent the body yet.
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let reading = async {
        let mut left = DISCARD_MAX;
        while let Some(Ok(piece)) = pieces.next().await {
            match left.checked_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX)) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    timeout(DISCARD_TIMEOUT, reading).await.ok();
}

#[cfg(test)]
mod tests;

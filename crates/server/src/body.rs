//! Reads a body as it arrives, with at most its limit in memory, and at most the server's budget
//! for all bodies. Only bytes that have arrived are charged.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use futures::StreamExt;
use kassa_model::Code;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{timeout, timeout_at};

use crate::Limits;
use crate::pace::Pace;
use crate::refusal::Refusal;

/// The unit of the budget, in bytes.
const UNIT: usize = 1024;
/// The time limit for other bodies to free memory.
const ROOM_TIMEOUT: Duration = Duration::from_secs(5);
/// A client that is still sending does not read the answer. Up to this much is read and dropped
/// first, so that the client sees the error.
const DISCARD_MAX: u64 = 2 << 30;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(10);

/// A body may be charged this much to the room for small ones, which large ones cannot fill.
const SMALL: usize = 256 * 1024;
/// Large bodies that are split at once.
const SPLIT_MAX: usize = 2;
/// The least by which a buffer grows.
const GROWTH_MIN: usize = 16 * 1024;

/// The memory for the bodies of all requests.
#[derive(Debug)]
pub(crate) struct Rooms {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    /// The part of a body that is charged to `small`.
    small_max: usize,
    large_max: usize,
    /// For large bodies to be split.
    turns: Arc<Semaphore>,
}

impl Rooms {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (memory, max) = (limits.memory_bytes, limits.max_body_bytes);
        let units = |bytes: usize| Arc::new(Semaphore::new(bytes.div_ceil(UNIT).min(Semaphore::MAX_PERMITS)));
        let (small_max, large_max) = (SMALL.min(max / 8).max(UNIT), max.max(memory / 4));
        let turns = Arc::new(Semaphore::new(SPLIT_MAX));
        Self { small: units(memory / 16), large: units(large_max), small_max, large_max, turns }
    }

    /// Waits until a large body may be split.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        match timeout(ROOM_TIMEOUT, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(no_room()),
        }
    }
}

/// A body's share of the memory.
#[derive(Debug, Default)]
pub(crate) struct Room {
    small: Option<OwnedSemaphorePermit>,
    large: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Grows to this many bytes, or to all that there is; waits for other bodies to free memory.
    pub(crate) async fn grow(&mut self, rooms: &Rooms, bytes: usize) -> Result<(), Refusal> {
        let small = bytes.min(rooms.small_max);
        enlarge(&mut self.small, &rooms.small, small).await?;
        enlarge(&mut self.large, &rooms.large, (bytes - small).min(rooms.large_max)).await
    }
}

async fn enlarge(held: &mut Option<OwnedSemaphorePermit>, of: &Arc<Semaphore>, bytes: usize) -> Result<(), Refusal> {
    let units = bytes.div_ceil(UNIT).saturating_sub(held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
    let more = match u32::try_from(units) {
        Ok(0) => return Ok(()),
        Ok(units) => timeout(ROOM_TIMEOUT, Arc::clone(of).acquire_many_owned(units)).await,
        Err(_) => return Err(no_room()),
    };
    let Ok(Ok(more)) = more else { return Err(no_room()) };
    match held {
        Some(held) => held.merge(more),
        None => *held = Some(more),
    }
    Ok(())
}

/// A body in memory, and its share of the budget.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) bytes: Bytes,
    pub(crate) room: Room,
}

pub(crate) async fn read(headers: &HeaderMap, body: Body, limits: &Limits, rooms: &Rooms) -> Result<Whole, Refusal> {
    let mut pieces = body.into_data_stream();
    match take(headers, &mut pieces, limits, rooms).await {
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

async fn take(headers: &HeaderMap, pieces: &mut BodyDataStream, limits: &Limits, rooms: &Rooms) -> Result<Whole, Refusal> {
    let max = limits.max_body_bytes;
    let stated = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if stated.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > max)) {
        return Err(too_large(max));
    }
    // What a client states costs nothing. Its buffer doubles as bytes arrive, up to what it stated.
    let most = stated.and_then(|length| usize::try_from(length).ok()).unwrap_or(max);
    let (mut room, mut bytes, mut pace) = (Room::default(), Vec::new(), Pace::start());
    while let Some(piece) = next(pieces, &mut pace).await? {
        let needed = bytes.len() + piece.len();
        if needed > max {
            return Err(too_large(max));
        }
        if needed > bytes.capacity() {
            let capacity = (2 * bytes.len()).max(GROWTH_MIN).min(most).max(needed);
            room.grow(rooms, capacity).await?;
            bytes.reserve_exact(capacity - bytes.len());
            // The time in which it waited for room is not the client's.
            pace = Pace::start();
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Whole { bytes: bytes.into(), room })
}

async fn next(pieces: &mut BodyDataStream, pace: &mut Pace) -> Result<Option<Bytes>, Refusal> {
    let hint = "nothing of it was stored: send it again";
    match timeout_at(pace.until, pieces.next()).await {
        Ok(piece) => {
            let ended = |_| Refusal::new(StatusCode::BAD_REQUEST, Code::EmptyBody, "the body ended early", hint);
            let piece = piece.transpose().map_err(ended)?;
            pace.moved(piece.as_ref().map_or(0, Bytes::len));
            Ok(piece)
        }
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, Code::EmptyBody, "the body arrives too slowly", hint)),
    }
}

fn no_room() -> Refusal {
    let detail = "the bodies of other requests fill the memory reserved for them";
    let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyAtOnce, detail, "retry after the stated seconds");
    refusal.retry_after(Duration::from_secs(1))
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

//! Bounds what answers cost: how many are computed at once, and the bytes of those that clients have not read yet.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use kassa_model::Code;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::Server;
use crate::refusal::Refusal;

/// The unit of the budget, in bytes.
const UNIT: u64 = 1024;
/// A smaller answer is not charged: there is at most one a connection.
const SMALL: u64 = 4 * UNIT;
/// Answers about figures and orders that are computed at once; the same number about the pipeline.
const COMPUTED_MAX: usize = 2;
/// The time limit for other answers to be computed.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);

/// Marks a response whose bytes are part of the program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Embedded;

#[derive(Debug)]
pub(crate) struct Answers {
    /// The KiB of answers that are not read yet.
    unread: Arc<Semaphore>,
    unread_max: u32,
    queries: Arc<Semaphore>,
    states: Arc<Semaphore>,
}

impl Answers {
    /// Answers that are not read yet take at most this much memory.
    pub(crate) fn new(bytes: usize) -> Self {
        let unread_max = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).max(1);
        let units = usize::try_from(unread_max).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        let turns = || Arc::new(Semaphore::new(COMPUTED_MAX));
        Self { unread: Arc::new(Semaphore::new(units)), unread_max, queries: turns(), states: turns() }
    }

    /// Waits to compute an answer about figures or orders.
    pub(crate) async fn query(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        turn(&self.queries).await
    }

    /// Waits to compute an answer about the pipeline.
    pub(crate) async fn state(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        turn(&self.states).await
    }

    /// The bytes of an answer with their share of the budget, which they keep until they are sent.
    fn hold(&self, bytes: Bytes) -> Result<Bytes, Refusal> {
        let units = u32::try_from(bytes.len().div_ceil(1024)).unwrap_or(u32::MAX).min(self.unread_max);
        match Arc::clone(&self.unread).try_acquire_many_owned(units) {
            Ok(share) => Ok(Bytes::from_owner(Unread { bytes, _share: share })),
            Err(_) => Err(too_many("answers that clients have not read yet fill the memory reserved for them")),
        }
    }
}

async fn turn(turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Refusal> {
    match timeout(TURN_TIMEOUT, Arc::clone(turns).acquire_owned()).await {
        Ok(Ok(turn)) => Ok(turn),
        _ => Err(too_many("too many answers are being computed")),
    }
}

fn too_many(detail: &str) -> Refusal {
    let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::TooManyAtOnce, detail, "retry after the stated seconds");
    refusal.retry_after(Duration::from_secs(1))
}

struct Unread {
    bytes: Bytes,
    _share: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Unread {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Charges each answer that is in memory. Live streams are not: their frames are shared.
pub(crate) async fn charge(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let is_small = response.body().size_hint().exact().is_none_or(|bytes| bytes <= SMALL);
    if is_small || response.extensions().get::<Embedded>().is_some() {
        return response;
    }
    let (parts, body) = response.into_parts();
    let held = match to_bytes(body, usize::MAX).await {
        Ok(bytes) => server.answers.hold(bytes),
        Err(cause) => Err(Refusal::broken(&cause)),
    };
    match held {
        Ok(bytes) => Response::from_parts(parts, Body::from(bytes)),
        Err(refusal) => refusal.into_response(),
    }
}

#[cfg(test)]
mod tests;

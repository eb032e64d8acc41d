//! HTTP, on loopback: the collector, the figures, the live stream, the dashboard, health.
//!
//! ```text
//!  producers ──POST /v1/{stream}──► collect ──split──► Collector (the log; 202 once it is on disk)
//!  batches ───► LiveSink ──► Live {figures, positions} ──► /api/v1/figures/{name}
//!                              │ changed                       ▲ the same answer as `kassa figures`: render
//!                              └──► push (once for all) ──► ≤ 1,000 viewers of /api/v1/live
//! ```
//!
//! Clients cannot take it away: connections, bodies and answers have bounds (`listen`, `body`, `answers`), slow clients lose
//! their connection (`pace`), and health is answered from places of its own.
//!
//! The binary implements the ports ([`Collector`], [`Status`], [`Orders`]).

mod answers;
mod assets;
mod body;
mod collect;
mod descriptors;
mod figures;
mod guard;
mod health;
mod json;
mod listen;
mod live;
mod openapi;
mod orders;
mod pace;
mod parameters;
mod ports;
mod push;
mod refusal;
mod render;
mod routes;
mod split;
mod status;
mod viewer;

use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use descriptors::raise_descriptors;
use kassa_model::Shop;
use kassa_model::time::Clock;

/// The records of a body, as ranges of its bytes; `None`: the body is refused. For fuzzing.
#[doc(hidden)]
pub fn records_of_body(body: &[u8], by_line: bool, limits: &Limits) -> Option<Vec<std::ops::Range<usize>>> {
    split::split(body, by_line, limits).ok()
}

pub use live::{Live, LiveError, LiveSink, Snapshot};
pub use ports::{BoxFuture, CollectError, Collector, Done, Kind, Metric, Orders, OrdersQuery, Sample, Status, Unanswered};
pub use render::render;
pub use status::{
    DeadLetterStatus, Example, FindingStatus, MemoryPart, PartitionStatus, PipelineStatus, Proof, Pulse, ReasonStatus,
    RecordCounts, SinkState, SinkStatus, SpanStatus, Verdict,
};

/// The server's data and settings.
#[derive(Debug)]
pub struct App {
    pub shop: Shop,
    pub live: Arc<Live>,
    /// `None` if records do not come by HTTP: then `POST /v1/{stream}` has no streams.
    pub collector: Option<Arc<dyn Collector>>,
    pub status: Arc<dyn Status>,
    pub orders: Arc<dyn Orders>,
    pub clock: Arc<dyn Clock>,
    pub limits: Limits,
    /// The shortest time between two updates of the live stream.
    pub push_interval: Duration,
}

/// The limits of one `POST`, where larger requests get a 413, and of all together.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub max_body_bytes: usize,
    pub max_record_bytes: usize,
    pub max_records: usize,
    /// The memory of the process. Request bodies use a quarter of it, but at least one of the largest fits; unread
    /// answers a sixteenth.
    pub memory_bytes: usize,
}

/// The app, and the state that its requests share.
#[derive(Debug)]
pub(crate) struct Server {
    app: App,
    push: push::Push,
    rooms: body::Rooms,
    answers: answers::Answers,
    readiness: health::Readiness,
}

impl Server {
    /// At most half of the connections are viewers.
    fn new(app: App, connections: usize) -> io::Result<Arc<Self>> {
        let rooms = body::Rooms::new(&app.limits);
        let answers = answers::Answers::new(app.limits.memory_bytes / 16);
        let readiness = health::Readiness::start(Arc::clone(&app.status))?;
        Ok(Arc::new(Self { push: push::Push::new(connections / 2), rooms, answers, readiness, app }))
    }
}

/// Serves until `shutdown` is ready. Then it ends the live streams, gives running requests a few
/// seconds, and returns. `listener` is already bound, so that the caller can report a port that is
/// in use.
pub async fn serve(listener: std::net::TcpListener, app: App, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let descriptors = descriptors::connections(raise_descriptors(), listen::CONNECTIONS_MAX + listen::RESERVED);
    let connections = descriptors.saturating_sub(listen::RESERVED).max(2);
    tracing::info!(connections, "accepting connections");
    let server = Server::new(app, connections)?;
    let pushing = tokio::spawn(push::run(Arc::clone(&server)));
    let close = async {
        shutdown.await;
        server.push.close();
    };
    let served = listen::serve(listener, routes::router(Arc::clone(&server)), connections, close).await;
    pushing.abort();
    served
}

#[cfg(test)]
mod testing;

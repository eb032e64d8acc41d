//! HTTP, on loopback: the collector, the figures, the live stream, the dashboard, health.
//!
//! ```text
//!  producers ──POST /v1/{stream}──► collect ──split──► Collector (the log; 202 once it is on disk)
//!  batches ───► LiveSink ──► Live {figures, positions} ──► /api/v1/figures/{name}
//!                              │ changed                       ▲ the same answer as `kassa figures`: render
//!                              └──► push (once for all) ──► ≤ 1,000 viewers of /api/v1/live
//! ```
//!
//! The binary implements the ports ([`Collector`], [`Status`], [`Orders`]).

mod assets;
mod body;
mod collect;
mod figures;
mod guard;
mod health;
mod json;
mod listen;
mod live;
mod openapi;
mod orders;
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

use kassa_model::Shop;
use kassa_model::time::Clock;
use tokio::sync::Semaphore;

/// The records of a body, as ranges of its bytes; `None`: the body is refused. For fuzzing.
#[doc(hidden)]
pub fn records_of_body(body: &[u8], by_line: bool, limits: &Limits) -> Option<Vec<std::ops::Range<usize>>> {
    split::split(body, by_line, limits).ok()
}

pub use live::{Live, LiveError, LiveSink, Snapshot};
pub use ports::{BoxFuture, CollectError, Collector, Done, Kind, Metric, Orders, OrdersQuery, Sample, Status};
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

/// The limits of one `POST`; larger requests get a 413.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub max_body_bytes: usize,
    pub max_record_bytes: usize,
    pub max_records: usize,
}

/// The app, and the state that its requests share.
#[derive(Debug)]
pub(crate) struct Server {
    app: App,
    push: push::Push,
    /// The KiB of bodies that may be in memory at once: two bodies of the largest size.
    bodies: Arc<Semaphore>,
}

impl Server {
    fn new(app: App) -> Arc<Self> {
        let bodies = Arc::new(Semaphore::new(2 * app.limits.max_body_bytes.div_ceil(body::UNIT)));
        Arc::new(Self { push: push::Push::new(), bodies, app })
    }
}

/// Serves until `shutdown` is ready. Then it ends the live streams, gives running requests a few
/// seconds, and returns. `listener` is already bound, so that the caller can report a port that is
/// in use.
pub async fn serve(listener: std::net::TcpListener, app: App, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let server = Server::new(app);
    let pushing = tokio::spawn(push::run(Arc::clone(&server)));
    let close = async {
        shutdown.await;
        server.push.close();
    };
    let served = listen::serve(listener, routes::router(Arc::clone(&server)), close).await;
    pushing.abort();
    served
}

#[cfg(test)]
mod testing;

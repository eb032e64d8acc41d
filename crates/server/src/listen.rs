//! Connections: a limited number, each with a bounded buffer and time limits.

mod places;
mod wire;

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use kassa_model::Code;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

pub(crate) use places::RESERVED;
use places::{Link, Place, Places, Working};
use wire::Wire;

use crate::refusal::Refusal;

/// All viewers, and the same number of other connections.
pub(crate) const CONNECTIONS_MAX: usize = 2 * crate::push::VIEWERS_MAX;
/// The buffer for a client that does not read, and for a request's head.
const BUFFER_MAX: usize = 32 * 1024;
/// The time limit for the next request, counted from the previous answer.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How often the time limits of heads are checked.
const SWEEP: Duration = Duration::from_secs(1);
/// The pause after the system refused a connection, and how often that is logged.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
const WARN_INTERVAL: Duration = Duration::from_secs(10);
/// The time for running requests to finish at the end.
const GRACE: Duration = Duration::from_secs(5);

/// Serves at most `max` connections, and [`RESERVED`] more for health.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    router: Router,
    max: usize,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let places = Places::new(max);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut sweeps = interval(SWEEP);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut warned = None;
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            _ = sweeps.tick() => { places.sweep(); continue }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                // Sends small events immediately, not together with the next one.
                stream.set_nodelay(true).inspect_err(|cause| tracing::debug!(%cause, "no TCP_NODELAY")).ok();
                let place = places.admit();
                let link = &place.link;
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .keep_alive(!link.is_reserved)
                    .header_read_timeout(IDLE_TIMEOUT)
                    .max_buf_size(BUFFER_MAX)
                    .serve_connection(TokioIo::new(Wire::new(stream, Arc::clone(link))), service(router.clone(), link));
                connections.spawn(run(graceful.watch(connection), place));
            }
            Err(cause) => refused(&places, &cause, &mut warned).await,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    if timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still running at the end");
    }
    Ok(())
}

/// Without file descriptors, an idle connection makes room. Failures of a single connection are ignored.
async fn refused(places: &Places, cause: &io::Error, warned: &mut Option<Instant>) {
    if warned.is_none_or(|at| at.elapsed() > WARN_INTERVAL) {
        tracing::warn!(%cause, "could not accept a connection");
        *warned = Some(Instant::now());
    }
    places.end_idle();
    sleep(ACCEPT_PAUSE).await;
}

async fn run(connection: impl Future<Output = hyper::Result<()>>, place: Place) {
    tokio::select! {
        ended = connection => {
            if let Err(cause) = ended {
                tracing::debug!(%cause, "connection ended");
            }
        }
        () = place.link.ended() => tracing::debug!("connection closed: its place or its time is used up"),
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

/// Answers the requests of a connection; in a reserved place only those about health.
fn service(
    router: Router,
    link: &Arc<Link>,
) -> impl Service<Request<Incoming>, Response = Response<Answer>, Error = Infallible, Future = Answering> + use<> {
    let (router, link) = (TowerToHyperService::new(router), Arc::clone(link));
    service_fn(move |request: Request<Incoming>| -> Answering {
        let working = link.work();
        if link.is_reserved && !matches!(request.uri().path(), "/livez" | "/readyz") {
            let response = crowded().into_response();
            return Box::pin(std::future::ready(Ok(response.map(|body| Answer { body, _working: working }))));
        }
        let answering = router.call(request);
        Box::pin(async move { Ok(answering.await?.map(|body| Answer { body, _working: working })) })
    })
}

fn crowded() -> Refusal {
    let hint = "retry after the stated seconds; close connections that are not used";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::TooManyAtOnce, "every connection is in use", hint)
        .retry_after(Duration::from_secs(1))
}

/// The body of an answer. The connection is busy until it is written.
#[derive(Debug)]
struct Answer {
    body: Body,
    _working: Working,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;

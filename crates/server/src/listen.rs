//! Connections: so many at once, each with a bounded buffer and a limit on how long a head may take.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Viewers, and as many besides. Further ones wait in the system's queue.
const CONNECTIONS_MAX: usize = 2 * crate::push::VIEWERS_MAX;
/// What is buffered for a client that does not read.
const BUFFER_MAX: usize = 64 * 1024;
/// For a request's head to arrive, counted from the answer before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// For requests under way to finish at the end.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) async fn serve(listener: std::net::TcpListener, router: Router, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let open = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, permit) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &open) => accepted?,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(BUFFER_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(cause) = connection.await {
                tracing::debug!(%cause, "connection broke off");
            }
            drop(permit);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    if timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way at the end");
    }
    Ok(())
}

/// The next connection. Failures of one connection are not ours; without descriptors it is tried again, for others will close.
async fn accept(listener: &TcpListener, open: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(open).acquire_owned().await.map_err(io::Error::other)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small events are to arrive now, not with the next.
                stream.set_nodelay(true).inspect_err(|cause| tracing::debug!(%cause, "no TCP_NODELAY")).ok();
                return Ok((stream, permit));
            }
            Err(cause) => {
                tracing::warn!(%cause, "could not accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;

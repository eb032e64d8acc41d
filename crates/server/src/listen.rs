//! Connections: a limited number, each with a bounded buffer and a time limit for the head.

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

/// All viewers, and the same number of other connections. More of them wait in the system's queue.
const CONNECTIONS_MAX: usize = 2 * crate::push::VIEWERS_MAX;
/// The buffer for a client that does not read.
const BUFFER_MAX: usize = 64 * 1024;
/// The time limit for a request's head, counted from the previous answer.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// The time for running requests to finish at the end.
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
                tracing::debug!(%cause, "connection ended");
            }
            drop(permit);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    if timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still running at the end");
    }
    Ok(())
}

/// Accepts the next connection. It ignores failures of a single connection. Without file
/// descriptors it retries, because other connections will close.
async fn accept(listener: &TcpListener, open: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(open).acquire_owned().await.map_err(io::Error::other)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Sends small events immediately, not together with the next one.
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

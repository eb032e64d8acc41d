//! The HTTP server of the service, on a thread of its own.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use kassa_model::time::Clock;
use kassa_query::Pool;
use kassa_server::{App, Collector, Limits};

use super::adapters::{OrdersOfLake, Overview};
use super::{Service, memory};
use crate::budget::Budget;

/// The thread of the server. It closes once `close` is dropped, and `closed` is dropped when it has.
pub(super) struct Http {
    thread: JoinHandle<std::io::Result<()>>,
    close: tokio::sync::oneshot::Sender<()>,
    closed: Receiver<()>,
}

impl Http {
    /// Waits for the requests at work, but no longer than that: what the log takes later, the next start reads.
    pub(super) fn close(self, longest: Duration) -> anyhow::Result<()> {
        let Self { thread, close, closed } = self;
        drop(close);
        if matches!(closed.recv_timeout(longest), Err(RecvTimeoutError::Timeout)) {
            tracing::warn!("the server has not closed in time");
            return Ok(());
        }
        thread.join().map_err(|_| anyhow::anyhow!("the server panicked"))?.context("the server failed")
    }
}

impl Service {
    pub(super) fn serve(&mut self, listener: TcpListener, clock: &Arc<dyn Clock>) -> anyhow::Result<()> {
        let config = &self.config;
        let budget = Budget::of(config);
        let pool = Pool::new(budget.query);
        let holders = memory::Holders {
            live: Arc::clone(&self.shown.live),
            desk: self.chosen.durable.lake.then(|| Arc::clone(&self.shown.desk)),
            sinks: self.handles.clone(),
            log: Arc::clone(&self.log),
            queries: pool.clone(),
        };
        let memory = memory::Memory::new(budget, holders);
        let app = App {
            shop: config.shop.clone(),
            live: Arc::clone(&self.shown.live),
            collector: self.shown.gate.clone().map(|gate| gate as Arc<dyn Collector>),
            status: Arc::new(Overview::new(
                config,
                self.handles.clone(),
                Arc::clone(&self.source),
                Arc::clone(&self.shown.tracker),
                Arc::clone(clock),
                (Arc::clone(&self.proof), Arc::clone(&self.shown.standing), memory),
            )),
            orders: Arc::new(OrdersOfLake::new(config, Arc::clone(&self.shown.store), pool)),
            clock: Arc::clone(clock),
            limits: Limits {
                max_body_bytes: config.collector.max_body_bytes,
                max_record_bytes: config.collector.max_record_bytes,
                max_records: config.collector.max_records,
                memory_bytes: config.limits.memory_bytes,
            },
            push_interval: config.live.push_interval,
        };
        let (close, asked) = tokio::sync::oneshot::channel::<()>();
        let (ends, closed) = channel::<()>();
        let serve = move || -> std::io::Result<()> {
            let _ends = ends;
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("http").enable_all().build()?;
            // The service closes the server; a sender that is gone says so too.
            let shutdown = async move { asked.await.unwrap_or_default() };
            runtime.block_on(kassa_server::serve(listener, app, shutdown))
        };
        let thread = thread::Builder::new().name("server".to_owned()).spawn(serve)?;
        self.http = Some(Http { thread, close, closed });
        Ok(())
    }
}

//! The one task that computes the viewers' events: once for all of them, and only while there are
//! viewers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kassa_analytics::Basis;
use serde::Serialize;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::Server;
use crate::json;
use crate::status::{PipelineStatus, Pulse, moment, moment_or_null};

/// With few file descriptors there are fewer.
pub(crate) const VIEWERS_MAX: usize = 1000;

/// How often the pipeline's state is sent, together with unchanged figures: a sink can fall behind
/// without any change.
const BEAT: Duration = Duration::from_secs(1);

/// The last frame of each event; `None` while there are no viewers, so that nobody gets an old one.
#[derive(Debug)]
pub(crate) struct Push {
    live: [watch::Sender<Option<Bytes>>; 2],
    pipeline: watch::Sender<Option<Bytes>>,
    closing: watch::Sender<bool>,
    seats: Arc<Semaphore>,
    pub(crate) seats_max: usize,
    /// Notified when a viewer connects or disconnects.
    stirred: Notify,
    pushes: AtomicU64,
}

impl Push {
    pub(crate) fn new(seats_max: usize) -> Self {
        Self {
            live: Basis::ALL.map(|_| watch::Sender::new(None)),
            pipeline: watch::Sender::new(None),
            closing: watch::Sender::new(false),
            seats: Arc::new(Semaphore::new(seats_max)),
            seats_max,
            stirred: Notify::new(),
            pushes: AtomicU64::new(0),
        }
    }

    pub(crate) fn subscribe(&self, basis: Basis) -> (watch::Receiver<Option<Bytes>>, watch::Receiver<Option<Bytes>>) {
        let at = usize::from(basis == Basis::Order);
        (self.live[at].subscribe(), self.pipeline.subscribe())
    }

    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Ends the streams of all viewers.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    pub(crate) fn viewers(&self) -> usize {
        self.seats_max - self.seats.available_permits()
    }

    /// The number of frames so far.
    pub(crate) fn pushes(&self) -> u64 {
        self.pushes.load(Ordering::Relaxed)
    }

    fn send(&self, to: &watch::Sender<Option<Bytes>>, frame: Bytes) {
        self.pushes.fetch_add(1, Ordering::Relaxed);
        to.send_replace(Some(frame));
    }
}

/// A viewer's slot; freed when dropped.
pub(crate) struct Seat {
    server: Arc<Server>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Seat {
    pub(crate) fn take(server: &Arc<Server>) -> Option<Self> {
        let permit = Arc::clone(&server.push.seats).try_acquire_owned().ok()?;
        server.push.stirred.notify_one();
        Some(Self { server: Arc::clone(server), permit: Some(permit) })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.permit = None;
        self.server.push.stirred.notify_one();
    }
}

#[derive(Serialize)]
struct LiveEvent {
    #[serde(serialize_with = "moment")]
    as_of: i64,
    #[serde(serialize_with = "moment_or_null")]
    event_time: Option<i64>,
    #[serde(flatten)]
    pulse: Pulse,
    #[serde(flatten)]
    figures: kassa_analytics::Live,
}

/// The answer of `GET /api/v1/pipeline`, and the event of that name.
#[derive(Serialize)]
pub(crate) struct PipelineEvent {
    #[serde(serialize_with = "moment")]
    as_of: i64,
    #[serde(flatten)]
    status: PipelineStatus,
}

impl PipelineEvent {
    pub(crate) fn of(server: &Server) -> Self {
        Self { as_of: server.app.clock.now(), status: server.app.status.pipeline() }
    }
}

fn frame(event: &str, data: &impl Serialize) -> Option<Bytes> {
    let json = json::text(data).inspect_err(|cause| tracing::error!(%cause, event, "could not write an event")).ok()?;
    Some(Bytes::from(format!("event: {event}\ndata: {json}\n\n")))
}

/// Sends updates until it is aborted.
pub(crate) async fn run(server: Arc<Server>) {
    let mut changes = server.app.live.changes();
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shown = [None; 2];
    loop {
        let watched = server.push.viewers() > 0;
        let beating = tokio::select! {
            () = server.push.stirred.notified() => false,
            _ = beat.tick(), if watched => true,
            Ok(()) = changes.changed(), if watched => false,
        };
        if !watched {
            beat.reset();
        }
        let turn = Turn { server: Arc::clone(&server), shown, beating };
        // Computing figures is heavy work, so it does not run on a thread that serves requests.
        match tokio::task::spawn_blocking(move || turn.push()).await {
            Ok(pushed) => shown = pushed,
            Err(cause) => tracing::error!(%cause, "could not push figures"),
        }
        sleep(server.app.push_interval).await;
    }
}

/// One update. `shown` is the last change that each basis has shown.
struct Turn {
    server: Arc<Server>,
    shown: [Option<u64>; 2],
    beating: bool,
}

impl Turn {
    fn push(mut self) -> [Option<u64>; 2] {
        let change = *self.server.app.live.changes().borrow();
        for (at, basis) in Basis::ALL.into_iter().enumerate() {
            let due = self.beating || self.shown[at] != Some(change);
            self.shown[at] = self.push_live(at, basis, due);
        }
        let push = &self.server.push;
        if push.pipeline.receiver_count() == 0 {
            push.pipeline.send_replace(None);
        } else if (self.beating || push.pipeline.borrow().is_none())
            && let Some(frame) = frame("pipeline", &PipelineEvent::of(&self.server))
        {
            push.send(&push.pipeline, frame);
        }
        self.shown
    }

    fn push_live(&self, at: usize, basis: Basis, due: bool) -> Option<u64> {
        let (push, app) = (&self.server.push, &self.server.app);
        if push.live[at].receiver_count() == 0 {
            push.live[at].send_replace(None);
            return None;
        }
        if !due {
            return self.shown[at];
        }
        let shown = app.live.show(basis);
        let pulse = app.status.pulse();
        let event = LiveEvent { as_of: app.clock.now(), event_time: shown.event_time, pulse, figures: shown.figures };
        push.send(&push.live[at], frame("live", &event)?);
        Some(shown.change)
    }
}

#[cfg(test)]
mod tests;

//! `GET /api/v1/live`: a viewer of the live stream. It gets frames that are created once for all
//! viewers. A slow viewer skips frames that were replaced meanwhile, so it costs no memory, and loses its connection.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use kassa_analytics::Basis;
use kassa_model::Code;
use tokio::sync::watch;

use crate::Server;
use crate::parameters::parameters;
use crate::push::Seat;
use crate::refusal::Refusal;

/// After this silence, a comment shows that the connection is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

pub(crate) struct Viewer {
    live: watch::Receiver<Option<Bytes>>,
    pipeline: watch::Receiver<Option<Bytes>>,
    closing: watch::Receiver<bool>,
    _seat: Seat,
}

impl Viewer {
    fn new(server: &Arc<Server>, basis: Basis) -> Result<Self, Refusal> {
        let seat = Seat::take(server).ok_or_else(|| {
            let detail = format!("{} viewers are connected", server.push.seats_max);
            let hint = "close a page of the dashboard, or use GET /api/v1/figures/{name}";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::TooManyAtOnce, detail, hint).retry_after(KEEP_ALIVE)
        })?;
        let (mut live, mut pipeline) = server.push.subscribe(basis);
        // A new viewer immediately gets the current frame.
        live.mark_changed();
        pipeline.mark_changed();
        Ok(Self { live, pipeline, closing: server.push.closing(), _seat: seat })
    }

    /// The next frame; `None` when the server shuts down.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if *self.closing.borrow() {
                return None;
            }
            let frame = tokio::select! {
                _ = self.closing.changed() => return None,
                changed = self.live.changed() => { changed.ok()?; self.live.borrow_and_update().clone() }
                changed = self.pipeline.changed() => { changed.ok()?; self.pipeline.borrow_and_update().clone() }
                () = tokio::time::sleep(KEEP_ALIVE) => Some(Bytes::from_static(b": keep-alive\n\n")),
            };
            if frame.is_some() {
                return frame;
            }
        }
    }
}

pub(crate) async fn view(State(server): State<Arc<Server>>, uri: Uri) -> Result<Response, Refusal> {
    let [basis] = parameters(&uri, ["basis"])?;
    let basis = basis.filter(|text| !text.is_empty()).as_deref().map(Basis::parse).transpose()?.unwrap_or_default();
    let viewer = Viewer::new(&server, basis)?;
    let frames = stream::unfold(viewer, |mut viewer| async {
        let frame = viewer.next().await?;
        Some((Ok::<_, std::convert::Infallible>(frame), viewer))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(frames)).into_response())
}

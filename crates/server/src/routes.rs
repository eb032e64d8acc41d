//! All URLs of the server.

use std::sync::Arc;

use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};

use crate::{Server, answers, assets, collect, figures, guard, health, openapi, orders, viewer};

/// Path, method and handler. openapi.json describes all except `/`.
pub(crate) fn table() -> Vec<(&'static str, &'static str, MethodRouter<Arc<Server>>)> {
    vec![
        ("/api/v1/figures", "get", get(figures::all)),
        ("/api/v1/figures/{name}", "get", get(figures::one)),
        ("/api/v1/live", "get", get(viewer::view)),
        ("/api/v1/pipeline", "get", get(health::pipeline)),
        ("/api/v1/orders", "get", get(orders::list)),
        ("/api/v1/openapi.json", "get", get(openapi::document)),
        ("/v1/{stream}", "post", post(collect::post)),
        ("/livez", "get", get(health::alive)),
        ("/readyz", "get", get(health::ready)),
        ("/metrics", "get", get(health::metrics)),
    ]
}

/// The dashboard handles every other URL.
pub(crate) fn router(server: Arc<Server>) -> Router {
    let routes = table().into_iter().fold(Router::new(), |router, (path, _, answers)| router.route(path, answers));
    routes
        .method_not_allowed_fallback(assets::not_allowed)
        .fallback(assets::find)
        .layer(middleware::from_fn_with_state(Arc::clone(&server), answers::charge))
        .layer(middleware::from_fn(guard::stand))
        .with_state(server)
}

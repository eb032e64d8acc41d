//! `GET /api/v1/openapi.json`: the hand-written description of the API.

use axum::http::header;
use axum::response::IntoResponse;

const DOCUMENT: &str = include_str!("openapi.json");

pub(crate) async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::check_required;

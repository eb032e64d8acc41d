//! The embedded dashboard, and the answer for unknown URLs.

use std::borrow::Cow;

use axum::Extension;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use kassa_model::Code;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::answers::Embedded;
use crate::refusal::Refusal;

#[derive(RustEmbed)]
#[folder = "../../dashboard/dist"]
struct Dist;

const INDEX: &str = "index.html";
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>kassa</title><h1>kassa</h1>\
     <p>This program was built without its dashboard. Run <code>make dashboard</code> and build it again.\
     <p>The figures are at <a href=\"/api/v1/figures\">/api/v1/figures</a>.</html>";

/// A file of the dashboard; the page itself for the URLs that the page handles; otherwise 404.
pub(crate) async fn find(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    let is_api =
        ["/api", "/v1"].iter().any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    if is_api || !matches!(method, Method::GET | Method::HEAD) {
        return no_such_address(StatusCode::NOT_FOUND, &method, path).into_response();
    }
    let name = path.trim_start_matches('/');
    if let Some(file) = Dist::get(name) {
        return answer(name, &file, &headers);
    }
    let is_file = name.rsplit('/').next().is_some_and(|last| last.contains('.'));
    match Dist::get(INDEX) {
        _ if is_file => no_such_address(StatusCode::NOT_FOUND, &method, path).into_response(),
        Some(index) => answer(INDEX, &index, &headers),
        None => Html(NOT_BUILT).into_response(),
    }
}

/// The answer for an existing URL with a wrong method.
pub(crate) async fn not_allowed(method: Method, uri: Uri) -> Refusal {
    no_such_address(StatusCode::METHOD_NOT_ALLOWED, &method, uri.path())
}

fn no_such_address(status: StatusCode, method: &Method, path: &str) -> Refusal {
    Refusal::new(status, Code::NoSuchAddress, format!("{method} {path}"), "GET /api/v1/openapi.json lists all of them")
}

fn answer(name: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", hex(&file.metadata.sha256_hash()));
    // A name in assets/ contains the hash of its contents, so its contents never change.
    let caching = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let about = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, caching.to_owned())];
    if headers.get(header::IF_NONE_MATCH).and_then(|held| held.to_str().ok()).is_some_and(|held| held.contains(&etag)) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    let body = match &file.data {
        Cow::Borrowed(bytes) => bytes::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes::Bytes::copy_from_slice(bytes),
    };
    (about, [(header::CONTENT_TYPE, media_type(name))], Extension(Embedded), body).into_response()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json" | "map") => "application/json",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;

//! Checks every request: kassa accepts only requests to names of this machine and from its own
//! pages. If another site points its name here (DNS rebinding), the browser's Host shows it; if its
//! page posts here, the Origin shows it.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use kassa_model::Code;

use crate::refusal::Refusal;

const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

pub(crate) async fn stand(request: Request, next: Next) -> Response {
    let mut response = match admit(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn admit(request: &Request) -> Result<(), Refusal> {
    let host = host(request).ok_or_else(|| {
        let hint = "use http://localhost, http://127.0.0.1 or http://[::1], with the port";
        Refusal::new(StatusCode::MISDIRECTED_REQUEST, Code::ForeignSite, "the Host is not a name of this machine", hint)
    })?;
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads || is_own(request.headers(), &host) {
        return Ok(());
    }
    let hint = "send it from a program, or from one of kassa's own pages";
    Err(Refusal::new(StatusCode::FORBIDDEN, Code::ForeignSite, "the Origin is another site", hint))
}

/// The host of the request, if it is a loopback name.
fn host(request: &Request) -> Option<Authority> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let stated = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Authority::try_from(host.as_bytes()).ok()?,
        _ => return None,
    };
    let target = request.uri().authority().unwrap_or(&stated);
    (is_loopback(&stated) && is_loopback(target)).then(|| target.clone())
}

fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    if authority.as_str().contains('@') {
        return false;
    }
    if let Some(host) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback());
    }
    host.eq_ignore_ascii_case("localhost") || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// Whether the request comes from a program, which sends no Origin, or from a page of the same host
/// and port.
fn is_own(headers: &HeaderMap, host: &Authority) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) => origin
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("http://"))
            .is_some_and(|own| own.eq_ignore_ascii_case(host.as_str())),
        _ => false,
    }
}

#[cfg(test)]
mod tests;

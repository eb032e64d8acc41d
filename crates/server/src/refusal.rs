//! A refusal: what, its code and the fix, in the common form of all errors.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kassa_model::Code;
use serde_json::json;

use crate::json::Json;

#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: Code,
    detail: String,
    hint: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: Code, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), hint: hint.into(), retry_after: None }
    }

    #[must_use]
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    pub(crate) fn bad_parameter(detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::BadParameter, detail, hint)
    }

    /// A thread of the server ended without an answer.
    pub(crate) fn broken(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "request aborted");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Defect, "the request aborted", "the program's log says where")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let title = self.code.title();
        let message = if self.detail.is_empty() { title.to_owned() } else { format!("{title}: {}", self.detail) };
        let body = json!({"error": {"code": self.code.code(), "message": message, "hint": self.hint}});
        let mut response = (self.status, Json(body)).into_response();
        if let Some(wait) = self.retry_after {
            // Rounded up, because a retry that is a moment too early is refused again.
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            let value = HeaderValue::from_str(&seconds.to_string()).unwrap_or(HeaderValue::from_static("1"));
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}

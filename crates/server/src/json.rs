//! JSON answers. What a reader's terminal or page would obey is written as JSON's escapes, so that every reader gets the exact text.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kassa_model::printable;
use serde::Serialize;

/// An answer in JSON.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match text(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
            Err(cause) => {
                tracing::error!(%cause, "could not write an answer");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

pub(crate) fn text(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(value).map(|text| printable::json(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use kassa_model::printable::is_hidden;
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn an_answer_has_no_hidden_characters_and_the_same_value() {
        let value =
            json!({"label": "\u{1b}]0;x\u{7}\u{7f}\u{9b}31m\u{202e}\u{2066}\u{2028}\u{200b}\u{fffd}\u{e0041}", "net": "-1.50"});
        let response = Json(&value).into_response();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(!text.chars().any(is_hidden), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), value);
    }
}

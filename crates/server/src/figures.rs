//! `GET /api/v1/figures` and `GET /api/v1/figures/{name}`: answers from the live figures, the same
//! as the dashboard's.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use kassa_analytics::{Query, QueryError, catalogue};
use kassa_model::Code;
use serde_json::Value;

use crate::json::Json;
use crate::parameters::{parameters, segment};
use crate::refusal::Refusal;
use crate::{Server, render};

pub(crate) async fn all() -> impl IntoResponse {
    Json(catalogue())
}

pub(crate) async fn one(
    State(server): State<Arc<Server>>,
    name: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<Value>, Refusal> {
    let name = segment(name)?;
    let [by, from, to, basis] = parameters(&uri, ["by", "from", "to", "basis"])?;
    let query = Query::parse(&name, by.as_deref(), from.as_deref(), to.as_deref(), basis.as_deref())?;
    // An answer may take long and must not block the streams and producers on this thread.
    let asked = tokio::task::spawn_blocking(move || {
        let (answer, positions) = server.app.live.answer(&query)?;
        Ok::<_, QueryError>(render(&answer, &positions, server.app.clock.now()))
    });
    Ok(Json(asked.await.map_err(|cause| Refusal::broken(&cause))??))
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        let refusal = |code, hint: String| Self::new(StatusCode::BAD_REQUEST, code, error.to_string(), hint);
        match &error {
            QueryError::UnknownFigure { nearest, .. } | QueryError::UnknownGrouping { nearest, .. } => refusal(
                Code::UnknownFigure,
                format!("did you mean `{nearest}`? GET /api/v1/figures lists all with their groupings"),
            ),
            QueryError::NotADay { .. } => refusal(Code::BadParameter, "a day is YYYY-MM-DD, on the shop's calendar".to_owned()),
            QueryError::EmptyRange { .. } => refusal(Code::BadParameter, "both days are included; `from` comes first".to_owned()),
            QueryError::UnknownBasis(_) => refusal(Code::BadParameter, "basis is `movement` or `order`".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;

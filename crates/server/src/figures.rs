//! `GET /api/v1/figures` and `GET /api/v1/figures/{name}`: answers from the live figures, the same
//! as the dashboard's.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use kassa_analytics::{Query, QueryError, catalogue};
use kassa_model::Code;

use crate::json::Json;
use crate::parameters::{number, parameters, segment};
use crate::refusal::Refusal;
use crate::{Server, render};

/// The most rows of one answer; further pages have the others.
const ROWS_MAX: usize = 10_000;

pub(crate) async fn all() -> impl IntoResponse {
    Json(catalogue())
}

pub(crate) async fn one(
    State(server): State<Arc<Server>>,
    name: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<impl IntoResponse, Refusal> {
    let name = segment(name)?;
    let [by, from, to, basis, limit, offset] = parameters(&uri, ["by", "from", "to", "basis", "limit", "offset"])?;
    let page =
        Page { limit: number("limit", limit, 1..=ROWS_MAX, ROWS_MAX)?, offset: number("offset", offset, 0..=usize::MAX, 0)? };
    let query = Query::parse(&name, by.as_deref(), from.as_deref(), to.as_deref(), basis.as_deref())?;
    let turn = server.answers.query().await?;
    // An answer may take long and must not block the streams and producers on this thread.
    let asked = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let (mut answer, positions) = server.app.live.answer(&query)?;
        let next = page.cut(&mut answer.rows);
        render::page(&answer, &positions, server.app.clock.now(), next).map_err(|cause| Refusal::broken(&cause))
    });
    let json = asked.await.map_err(|cause| Refusal::broken(&cause))??;
    Ok(([(header::CONTENT_TYPE, "application/json")], json))
}

/// Some rows of an answer.
#[derive(Debug, Clone, Copy)]
struct Page {
    limit: usize,
    offset: usize,
}

impl Page {
    /// Leaves only these rows. Returns the number of the first row after them, if there is one.
    fn cut<T>(self, rows: &mut Vec<T>) -> Option<usize> {
        rows.drain(..self.offset.min(rows.len()));
        let is_more = rows.len() > self.limit;
        rows.truncate(self.limit);
        is_more.then(|| self.offset + self.limit)
    }
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

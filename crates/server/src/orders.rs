//! `GET /api/v1/orders`: the orders behind a bar.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use kassa_analytics::{Basis, QueryError};
use kassa_model::Code;
use kassa_model::time::{date_key, parse_day};
use serde_json::Value;
use tokio::time::timeout;

use crate::Server;
use crate::json::Json;
use crate::parameters::{number, parameters};
use crate::ports::{OrdersQuery, Unanswered};
use crate::refusal::Refusal;

/// Others wait for their turn meanwhile.
const TIMEOUT: Duration = Duration::from_secs(30);
const LIMIT: usize = 100;
/// The limit of a list for people; `kassa sql` has no limit.
const LIMIT_MAX: usize = 1000;

pub(crate) async fn list(State(server): State<Arc<Server>>, uri: Uri) -> Result<Json<Value>, Refusal> {
    let query = query(&uri)?;
    let _turn = server.answers.query().await?;
    let answered = timeout(TIMEOUT, server.app.orders.orders(query)).await.unwrap_or_else(|_| {
        let why = format!("the lake has not answered for {} s", TIMEOUT.as_secs());
        Err(Unanswered { code: Code::StorageFailed, why, fix: None })
    });
    answered.map(Json).map_err(|Unanswered { code, why, fix }| {
        let status = if code == Code::Defect { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::SERVICE_UNAVAILABLE };
        let fix = fix.unwrap_or_else(|| "`kassa prove` checks whether the lake is intact".to_owned());
        Refusal::new(status, code, why, fix)
    })
}

fn query(uri: &Uri) -> Result<OrdersQuery, Refusal> {
    let names = ["day", "from", "to", "basis", "category", "product", "country", "limit"];
    let [day, from, to, basis, category, product, country, limit] =
        parameters(uri, names)?.map(|value| value.filter(|text| !text.is_empty()));
    let (from, to) = days(day, from, to)?;
    let basis = basis.as_deref().map(Basis::parse).transpose()?.unwrap_or_default();
    let limit = number("limit", limit, 1..=LIMIT_MAX, LIMIT)?;
    Ok(OrdersQuery { from, to, basis, category, product, country, limit })
}

/// The first and the last day: of a range, or of the single `day`.
fn days(day: Option<String>, from: Option<String>, to: Option<String>) -> Result<(Option<i32>, Option<i32>), Refusal> {
    if day.is_some() && (from.is_some() || to.is_some()) {
        return Err(Refusal::bad_parameter("`day` is given together with `from` or `to`", "give `day`, or `from` and `to`"));
    }
    let read =
        |field, text: Option<String>| text.map(|text| parse_day(&text).ok_or(QueryError::NotADay { field, text })).transpose();
    if let Some(day) = read("day", day)? {
        return Ok((Some(date_key(day)), Some(date_key(day))));
    }
    let (from, to) = (read("from", from)?, read("to", to)?);
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(QueryError::EmptyRange { from, to }.into());
    }
    Ok((from.map(date_key), to.map(date_key)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::house;

    #[tokio::test]
    async fn the_parameters_reach_the_lake() {
        let house = house();
        let row = |days: [Option<i32>; 2], basis: &str, country, limit| json!([{"from": days[0], "to": days[1], "basis": basis, "country": country, "limit": limit}]);
        let rows = async |query: &str| house.get(&format!("/api/v1/orders{query}")).await.json()["rows"].clone();
        assert_eq!(rows("").await, row([None; 2], "movement", None::<&str>, 100));
        assert_eq!(
            rows("?day=2026-01-31&basis=order&country=GB&limit=1000").await,
            row([Some(20_260_131); 2], "order", Some("GB"), 1000)
        );
        assert_eq!(
            rows("?from=2026-01-26&to=2026-02-01").await,
            row([Some(20_260_126), Some(20_260_201)], "movement", None::<&str>, 100)
        );
    }

    #[tokio::test]
    async fn invalid_parameters_are_refused() {
        let house = house();
        for (query, want) in [
            ("day=yesterday", (400, "K015")),
            ("day=2026-01-31&to=2026-02-01", (400, "K015")),
            ("from=2026-02-01&to=2026-01-31", (400, "K015")),
            ("limit=0", (400, "K015")),
            ("limit=1001", (400, "K015")),
            ("basis=x", (400, "K015")),
            ("dai=2026-01-31", (400, "K015")),
            ("product=broken", (503, "K022")),
        ] {
            assert_eq!(house.get(&format!("/api/v1/orders?{query}")).await.refusal(), (want.0, want.1.to_owned()), "{query}");
        }
    }
}

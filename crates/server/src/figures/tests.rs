use serde_json::json;

use super::*;
use crate::openapi::check_required;
use crate::testing::{batch, house};

#[tokio::test]
async fn an_answer_states_its_inputs() {
    let house = house();
    house.server.app.live.apply(&[batch(0, &["1.50", "2"])]).unwrap();
    house.clock.0.store(1_767_000_000_000_000, std::sync::atomic::Ordering::Relaxed);
    let reply = house.get("/api/v1/figures/net_sales?by=day&from=2026-01-01&to=&basis=order").await;
    let want = json!({
        "figure": "net_sales", "unit": "money", "currency": "GBP", "basis": "order", "time_zone": "Europe/London", "by": "day",
        "from": "2026-01-01", "to": null, "as_of": "2025-12-29T09:20:00Z", "event_time": "2026-01-05T10:00:00Z",
        "positions": [{"topic": "lines", "partition": "0", "next": "2"}], "unconverted": [],
        "rows": [{"key": "2026-01-05", "label": "2026-01-05", "value": "3.50"}],
    });
    assert_eq!(reply.json(), want);
    check_required("Answer", &reply.json());
}

#[tokio::test]
async fn the_catalogue_has_every_figure() {
    let reply = house().get("/api/v1/figures").await.json();
    let figures = reply.as_array().unwrap();
    assert_eq!(figures.len(), kassa_analytics::catalogue().len());
    figures.iter().for_each(|figure| check_required("Figure", figure));
}

#[tokio::test]
async fn an_invalid_query_gets_the_nearest_valid_name() {
    let house = house();
    for (question, code, words) in [
        ("net_sale", "K007", "did you mean `net_sales`?"),
        ("net_sales?by=categroy", "K007", "did you mean `category`?"),
        ("net_sales?from=2026-02-30", "K015", "a day is YYYY-MM-DD"),
        ("net_sales?from=2026-02-02&to=2026-02-01", "K015", "`from` comes first"),
        ("net_sales?basis=order_date", "K015", "basis is `movement` or `order`"),
        ("net_sales?form=2026-02-01", "K015", "did you mean `from`?"),
        ("net_sales?since=2026-02-01", "K015", "valid here: by, from, to, basis"),
        ("net_sales?by=day&by=hour", "K015", "give it once"),
        ("net_sales?limit=0", "K015", "`limit` is a number from 1 to 10000"),
        ("net_sales?limit=10001", "K015", "`limit` is a number from 1 to 10000"),
        ("net_sales?offset=-1", "K015", "`offset` is a number from 0"),
        ("%ff", "K015", "percent-encode the name as UTF-8"),
    ] {
        let reply = house.get(&format!("/api/v1/figures/{question}")).await;
        assert_eq!(reply.refusal(), (400, code.to_owned()), "{question}");
        let hint = reply.json()["error"]["hint"].as_str().unwrap().to_owned();
        assert!(hint.contains(words), "{question}: {hint}");
    }
}

#[test]
fn pages_have_every_row_once() {
    let all: Vec<usize> = (0..25).collect();
    let (mut seen, mut offset, mut pages) = (Vec::new(), Some(0), 0);
    while let Some(from) = offset {
        let mut rows = all.clone();
        offset = Page { limit: 10, offset: from }.cut(&mut rows);
        assert!(rows.len() <= 10);
        seen.extend(rows);
        pages += 1;
    }
    assert_eq!((seen, pages), (all.clone(), 3));
    for (limit, offset, want) in [(25, 0, None), (24, 0, Some(24)), (5, 20, None), (1, 100, None), (1, usize::MAX, None)] {
        assert_eq!(Page { limit, offset }.cut(&mut all.clone()), want, "{limit} from {offset}");
    }
}

#[tokio::test]
async fn the_last_page_names_no_next_one() {
    let house = house();
    house.server.app.live.apply(&[batch(0, &["1.50"])]).unwrap();
    for (page, rows) in [("limit=1", 1), ("limit=&offset=", 1), ("offset=1", 0)] {
        let reply = house.get(&format!("/api/v1/figures/net_sales?by=day&{page}")).await.json();
        assert_eq!((reply["rows"].as_array().unwrap().len(), reply.get("next")), (rows, None), "{page}");
    }
}

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

use super::latest::Latest;
use super::view::{View, plain};

fn pipeline() -> Value {
    let sink = |name: &str, state: &str, behind: Value| {
        json!({"name": name, "state": state, "behind_records": behind, "behind_ms": behind, "committed_at": "2026-01-12T09:30:00.123Z",
            "commit_us": 12_400, "commit_us_max": 1_250_000})
    };
    let unknown = json!({"name": "warehouse", "state": "behind", "behind_records": null, "behind_ms": null, "committed_at": null,
        "commit_us": null, "commit_us_max": null});
    json!({"as_of": "2026-01-12T09:30:01.5Z", "sinks": [sink("archive", "current", json!(0)), unknown],
        "partitions": [
            {"topic": "events", "partition": "0", "log_start": "0", "log_end": "9000", "archive": "9000", "lake": "8800", "warehouse": null, "live": "9000"},
            {"topic": "orders", "partition": "1", "log_start": null, "log_end": "1234567", "archive": "0", "lake": "0", "warehouse": "0", "live": "0"}],
        "records": {"read": 1_243_567, "accepted": 1_243_500, "duplicates": 60, "dead_letters": 7},
        "rate_per_s": null, "memory_bytes": 157_286_400, "spans": [],
        "memory": [{"part": "query", "bytes": null, "limit_bytes": null}, {"part": "dimensions", "bytes": 1_048_576, "limit_bytes": null},
            {"part": "dedupe.tables", "bytes": 3_145_728, "limit_bytes": 67_108_864}],
        "dead_letters": {"total": 7, "today": null, "by_reason": [{"reason": "not_json", "meaning": "", "stream": "events", "count": 7, "example": null}]},
        "proof": {"at": "2026-01-12T09:00:00Z", "ok": false, "findings": [{}, {}]}})
}

fn live() -> Value {
    json!({"event_time": "2026-01-12T09:29:58Z", "shop": {"name": "Harbour & Pine", "time_zone": "Europe/London", "currency": "GBP",
        "today": "2026-01-12", "minute": 571}, "tiles": [
        {"figure": "net_sales", "unit": "money", "value": "48291.40", "yesterday": "46390.01", "last_week": null},
        {"figure": "conversion", "unit": "ratio", "value": null, "yesterday": null, "last_week": null}]})
}

fn latest() -> Latest {
    let mut latest = Latest { url: "http://127.0.0.1:8080".to_owned(), ..Latest::default() };
    latest.take("live", &live().to_string()).unwrap();
    latest.take("pipeline", &pipeline().to_string()).unwrap();
    latest.take("from a newer kassa", "not even JSON").unwrap();
    latest
}

fn drawn(latest: &Latest, (width, height): (u16, u16)) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| frame.render_widget(View::of(latest), frame.area())).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |row| (0..width).map(|column| buffer[(column, row)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(line).collect()
}

/// The cells of the line with this name.
#[track_caller]
fn row<'l>(lines: &'l [String], name: &str) -> Vec<&'l str> {
    let line = lines.iter().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {lines:#?}"));
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn events_are_shown_and_unknown_values_are_a_dash() {
    let lines = drawn(&latest(), (110, 50));
    assert_eq!(lines[0], "kassa top   http://127.0.0.1:8080   Harbour & Pine   2026-01-12T09:30:01Z");
    assert_eq!(lines[1], "– records/s   1,243,567 read = 1,243,500 accepted + 60 duplicates + 7 dead letters");
    assert_eq!(lines[2], "memory 150 MiB   2 findings 2026-01-12T09:00:00Z: see kassa prove");
    assert_eq!(row(&lines, "TODAY"), ["TODAY 2026-01-12", "NOW", "YESTERDAY"]);
    assert_eq!(row(&lines, "net_sales"), ["net_sales", "48291.40 GBP", "46390.01 GBP"]);
    assert_eq!(row(&lines, "conversion"), ["conversion", "–", "–"]);
    assert_eq!(row(&lines, "archive"), ["archive", "current", "0", "0 s", "2026-01-12T09:30:00Z", "12 ms", "1.2 s"]);
    assert_eq!(row(&lines, "warehouse"), ["warehouse", "behind", "–", "–", "–", "–", "–"]);
    assert_eq!(row(&lines, "today"), ["today", "–"]);
    assert_eq!(row(&lines, "not_json"), ["not_json", "events", "7"]);
    assert_eq!(row(&lines, "dedupe.tables"), ["dedupe.tables", "3 MiB", "64 MiB"]);
    assert_eq!(row(&lines, "query"), ["query", "–", "–"]);
    assert_eq!(row(&lines, "events/0"), ["events/0", "0", "9000", "0", "200", "–", "0"]);
    assert_eq!(row(&lines, "orders/1"), ["orders/1", "–", "1234567", "1,234,567", "1,234,567", "1,234,567", "1,234,567"]);
    let at = |name: &str| lines.iter().position(|line| line.starts_with(name));
    assert!(at("dedupe.tables") < at("dimensions") && at("dimensions") < at("query"), "the largest part is first");
    assert!(at("orders/1") < at("events/0"), "the partition that is furthest behind is first");
    assert_eq!(lines.last().map(String::as_str), Some("q quits"));
}

#[test]
fn a_terminal_of_any_size_is_drawn_and_a_snapshot_is_complete() {
    for size in [(1, 1), (20, 5), (80, 24), (300, 100)] {
        assert_eq!(drawn(&latest(), size).len(), usize::from(size.1));
    }
    let text = plain(&latest());
    assert!(text.contains("orders/1") && text.contains("events/0") && !text.contains("q quits"), "{text}");
    assert_eq!(text.lines().next(), Some("kassa top   http://127.0.0.1:8080   Harbour & Pine   2026-01-12T09:30:01Z"));
}

#[test]
fn old_data_is_marked_as_old() {
    let mut latest = latest();
    latest.trouble = Some("connection refused".to_owned());
    let lines = drawn(&latest, (110, 40));
    assert_eq!(lines[1], "no connection: connection refused; the data is old");
    latest.take("live", &live().to_string()).unwrap();
    assert!(drawn(&latest, (110, 40))[1].starts_with("– records/s"));
    assert_eq!(drawn(&Latest::default(), (60, 4))[1], "waiting for the first figures");
}

#[test]
fn names_of_a_server_cannot_order_the_terminal_about() {
    let evil = "a\u{1b}[2J\u{9b}\u{202e}\u{2066}\u{2028}\u{200b}b";
    let mut pipeline = pipeline();
    for place in
        ["/as_of", "/sinks/0/name", "/sinks/0/state", "/partitions/0/topic", "/dead_letters/by_reason/0/stream", "/proof/at"]
    {
        *pipeline.pointer_mut(place).unwrap() = json!(evil);
    }
    let mut live = live();
    for place in ["/shop/name", "/shop/today", "/shop/currency", "/tiles/0/figure", "/tiles/0/value"] {
        *live.pointer_mut(place).unwrap() = json!(evil);
    }
    let mut latest = Latest { url: evil.to_owned(), ..Latest::default() };
    latest.take("live", &live.to_string()).unwrap();
    latest.take("pipeline", &pipeline.to_string()).unwrap();
    latest.trouble = Some(evil.to_owned());
    let shown = [drawn(&latest, (300, 50)).join("\n"), plain(&latest)].concat();
    assert!(!shown.chars().any(|at| kassa_model::printable::is_hidden(at) && at != '\n'), "{shown:?}");
    assert!(shown.contains("a\\u{1b}[2J"), "{shown}");
}

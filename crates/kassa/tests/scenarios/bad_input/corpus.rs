//! Records by the collector.

use serde_json::json;

use super::*;

pub(crate) fn event(id: usize, more: &str) -> String {
    format!(r#"{{"event_id":"e{id}","occurred_at":"2026-03-29T00:30:00Z","type":"page_viewed"{more}}}"#)
}

fn line(id: usize, more: &str) -> String {
    format!(
        r#"{{"occurred_at":"2026-03-29T00:30:00Z","order_id":"o{id}","line_id":"1","quantity":1,"unit_price":"2.50","currency":"GBP"{more}}}"#
    )
}

/// Bad events: bytes, reason, field. None has a line end, as they are sent by the line.
pub(crate) fn bad_events() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let mut all: Vec<(Vec<u8>, &'static str, &'static str)> = Vec::new();
    let values = [
        "-",
        "01",
        "1.",
        ".1",
        "1e",
        "+1",
        "0x1",
        "NaN",
        "Infinity",
        "-Infinity",
        "tru",
        "'a'",
        "\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\t\"",
        "[1,]",
        "[1,,2]",
        "[1",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "/* c */ 1",
        "1 2",
        "[1}",
        "{\"a\"",
        "\u{feff}1",
    ];
    all.extend(values.iter().map(|value| (event(9_000, &format!(",\"x\":{value}")).into_bytes(), "not_json", "")));
    let mut field = |more: &str, reason, field| all.push((event(9_000, more).into_bytes(), reason, field));
    field(r#","url":"\ud800""#, "not_json", "url");
    field(r#","type":"x""#, "duplicate_field", "type");
    field(r#","price":null,"price":1"#, "duplicate_field", "price");
    field(r#","price":1e999"#, "out_of_range", "price");
    field(r#","price":1234567890123456789"#, "out_of_range", "price");
    field(r#","price":12345678901234567890123456789012345678"#, "out_of_range", "price");
    field(r#","price":0.0000001"#, "too_precise", "price");
    field(r#","price":"1,50""#, "not_a_decimal", "price");
    field(r#","price":{}"#, "wrong_type", "price");
    field(r#","currency":"pounds""#, "unknown_currency", "currency");
    field(r#","country":"Atlantis""#, "unknown_country", "country");
    field(r#","device":"a\u0000b""#, "control_character", "device");
    field(&format!(",\"device\":\"{}\"", "x".repeat(1_000_000)), "text_too_long", "device");
    field(&format!(",\"x\":{}{}", "[".repeat(100_000), "]".repeat(100_000)), "too_deep", "x");
    for (at, reason) in [
        ("0001-01-01T00:00:00Z", "bad_timestamp"),
        ("9999-12-31T00:00:00Z", "bad_timestamp"),
        ("soon", "bad_timestamp"),
        ("", "missing_field"),
    ] {
        all.push((event(9_000, "").replace("2026-03-29T00:30:00Z", at).into_bytes(), reason, "occurred_at"));
    }
    all.push((format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes(), "too_deep", ""));
    all.push(("[".repeat(100_000).into_bytes(), "too_deep", ""));
    all.push((b"{\"event_id\":\"\xe9\"}".to_vec(), "not_utf8", ""));
    all.push((
        event(9_000, "").encode_utf16().flat_map(u16::to_le_bytes).filter(|byte| *byte != b'\n').collect(),
        "not_json",
        "",
    ));
    all.push((b"\xff\xfe{\x00}\x00".to_vec(), "not_utf8", ""));
    all.push((format!("{} garbage", event(9_000, "")).into_bytes(), "not_json", ""));
    all.push((b"[1]".to_vec(), "not_an_object", ""));
    all.push((b"null".to_vec(), "not_an_object", ""));
    all.push((b"{}".to_vec(), "missing_field", "event_id"));
    all
}

/// Good events with what breaks other programs.
const ODD: [&str; 9] = [
    "=cmd|' /C calc'!A0",
    "-1+1",
    "'; DROP TABLE fact_event;--",
    "<script>alert(1)</script>",
    "\u{202e}txet desrever",
    "zero\u{200b}width",
    "a,\"b\"\nc",
    "null",
    "👩‍👩‍👧‍👦",
];

/// By the line: a good record before, between and after bad ones.
fn body(bad: &[(Vec<u8>, &'static str, &'static str)]) -> (Vec<u8>, usize) {
    let mut lines: Vec<Vec<u8>> = vec![event(0, "").into_bytes()];
    for (at, (bytes, ..)) in bad.iter().enumerate() {
        lines.push(bytes.clone());
        let odd = serde_json::to_string(ODD[at % ODD.len()]).expect("JSON");
        lines.push(event(at + 1, &format!(",\"search_query\":{odd},\"unknown\":[{odd},-0.0,1e400]")).into_bytes());
    }
    (lines.join(&b'\n'), lines.len())
}

#[test]
fn each_bad_record_that_is_posted_is_one_dead_letter_with_its_bytes_and_nothing_else_is_touched() {
    let shop = Shop::new(CONFIG);
    let bad = bad_events();
    let (body, records) = body(&bad);
    let server = shop.serve();
    let (status, receipt) = server.post("events", &body).expect("an answer");
    assert_eq!((status, &receipt["received"], &receipt["accepted"]), (202, &json!(records), &json!(bad.len() + 1)), "{receipt}");
    let expected: Letters =
        bad.iter().zip(0..).map(|((_, reason, field), at)| (2 * at + 1, ((*reason).to_owned(), (*field).to_owned()))).collect();
    let verdicts = receipt["dead_letters"].as_array().expect("verdicts").iter();
    let told: Letters =
        verdicts.map(|v| (v["index"].as_i64().expect("an index"), (text(&v["reason"]), text(&v["field"])))).collect();
    assert_eq!(told, expected, "the verdicts");
    server.stop();
    assert_eq!(letters(&shop, "events"), expected, "the list");
    for (at, (bytes, ..)) in (0..).zip(&bad) {
        assert_eq!(shown(&shop, &format!("events/0/{}", 2 * at + 1)), *bytes, "the bytes of {at}");
    }
    let (good, dead) = (i64::try_from(bad.len() + 1).expect("small"), i64::try_from(bad.len()).expect("small"));
    assert_eq!(counts(&shop, "events"), [good + dead, good, 0, dead]);
    let mut ids: Vec<String> = (0..=bad.len()).map(|id| format!("e{id}")).collect();
    ids.sort();
    assert_eq!(column(&shop, "SELECT event_id FROM fact_event"), ids);
    let mut odd: Vec<String> = ODD.iter().map(|text| (*text).to_owned()).collect();
    odd.sort();
    assert_eq!(
        column(&shop, "SELECT DISTINCT search_query FROM fact_event WHERE search_query IS NOT NULL"),
        odd,
        "letter for letter"
    );
    let csv = shop.ok(&[
        "sql",
        "--format",
        "csv",
        "SELECT DISTINCT search_query AS q, CAST(-1.5 AS DECIMAL(4,1)) AS n FROM fact_event ORDER BY 1",
    ]);
    assert!(csv.contains("\n'=cmd|' /C calc'!A0,-1.5\n"), "a formula is text, a number stays one: {csv}");
    assert!(csv.contains("\n'-1+1,-1.5\n") && csv.contains("\n\"a,\"\"b\"\"\nc\",-1.5\n"), "{csv}");
    shop.ok(&["prove"]);
}

#[test]
fn what_is_sent_again_adds_nothing_and_what_contradicts_it_is_set_aside() {
    let shop = Shop::new(CONFIG);
    let server = shop.serve();
    let order = |revision: usize, price: &str, more: &str| {
        format!(
            r#"{{"occurred_at":"2026-03-29T00:30:00Z","order_id":"n1","revision":{revision},"currency":"GBP","lines":[{{"line_id":"a","quantity":2,"unit_price":"{price}"}}{more}]}}"#
        )
    };
    let more = r#",{"line_id":"b","quantity":1,"amount":"4.00"}"#;
    let orders = [
        order(0, "1.25", ""),
        order(0, "1.250", ""),
        order(1, "1.25", more),
        order(2, "9.99", more),
        order(1, "1.25", ""),
        order(3, "1.25", r#",{"line_id":"c","quantity":-1,"amount":"4.00"}"#),
    ];
    let expected = [(3, "conflict", "lines[0]"), (4, "conflict", ""), (5, "negative_quantity", "lines[1].quantity")];
    let expected: Letters = expected.into_iter().map(|(at, reason, field)| (at, (reason.to_owned(), field.to_owned()))).collect();
    let (status, receipt) = server.post("orders", orders.join("\n").as_bytes()).expect("an answer");
    assert_eq!((status, &receipt["accepted"]), (202, &json!(5)), "a conflict shows only beside the others: {receipt}");
    let (first, changed) = (line(1, ""), line(1, r#","tax":"0.50""#));
    server.post("order_lines", [first.clone(), first.clone(), changed].join("\n").as_bytes()).expect("an answer");
    // Killed with what was answered in the log alone, perhaps.
    server.kill();
    let server = shop.serve();
    server.post("order_lines", first.as_bytes()).expect("an answer");
    server.post("orders", orders[2].as_bytes()).expect("an answer");
    server.stop();
    assert_eq!(counts(&shop, "orders"), [7, 2, 2, 3], "remembered over a restart");
    assert_eq!(counts(&shop, "order_lines"), [4, 1, 2, 1]);
    assert_eq!(letters(&shop, "orders"), expected);
    assert_eq!(column(&shop, "SELECT order_id || '/' || line_id FROM fact_sales"), ["n1/a", "n1/b", "o1/1"]);
    assert_eq!(shop.figure("net_sales"), "9.00");
    shop.ok(&["prove"]);
}

//! Texts and shapes that break programs: taken as text, or refused at a bounded cost.

use std::time::{Duration, Instant};

use super::*;

/// Texts that are nothing but texts.
const NAUGHTY: [&str; 28] = [
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1",
    "-1+1",
    "'; DROP TABLE fact_sales;--",
    "\" OR \"\"=\"",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "$(touch /tmp/x)`id`",
    "../../../../etc/passwd",
    "%00%0a%0d",
    "undefined",
    "null",
    "NULL",
    "true",
    "NaN",
    "1/0",
    "\u{202e}txet desrever",
    "zero\u{200b}width\u{feff}\u{200d}",
    "مرحبا",
    "הָיְתָהtestالصفحات",
    "Z̮̞̠͙͔ͅḀ̗̞͈̻̗Ḷ͙͎̯̹̞͓G̻O̭̗̮",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "田中さん",
    "ﬁﬃ Ⅷ ½",
    "a\tb\nc\r\nd",
    "\u{ffff}\u{10ffff}\u{e000}",
];

#[test]
fn naughty_texts_are_kept_letter_for_letter() {
    for text in NAUGHTY {
        let json = serde_json::to_string(text).unwrap();
        let done = accepted(Contract::Event, &with(Contract::Event, "search_query", &json));
        has(&done.rows(Table::FactEvent)[0], &[("search_query", text)]);
        let done = accepted(Contract::Customer, &with(Contract::Customer, "name", &json));
        has(&done.rows(Table::VaultCustomer)[0], &[("name", text)]);
        let done = accepted(Contract::Event, &with(Contract::Event, "unknown", &format!("[{json}]")));
        let extra: serde_json::Value = serde_json::from_str(&done.rows(Table::FactEvent)[0]["extra"]).unwrap();
        assert_eq!(extra["unknown"][0], text);
        let done = accepted(Contract::Event, &with(Contract::Event, &json[1..json.len() - 1].replace('\\', "/"), "1"));
        let extra: serde_json::Value = serde_json::from_str(&done.rows(Table::FactEvent)[0]["extra"]).unwrap();
        assert_eq!(extra.as_object().unwrap().len(), 1);
    }
}

#[test]
fn texts_reach_their_limit_and_no_further() {
    for (contract, field, limit) in
        [(Contract::Customer, "name", 1_024), (Contract::Event, "url", 8_192), (Contract::Event, "type", 128)]
    {
        accepted(contract, &with(contract, field, &format!("\"{}\"", "x".repeat(limit))));
        for length in [limit + 1, 1_000_000] {
            let text = with(contract, field, &format!("\"{}\"", "x".repeat(length)));
            assert_eq!(verdict(contract, text.as_bytes()), ("text_too_long".to_owned(), field.to_owned()));
        }
    }
}

/// The peak of this process's memory, KiB.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
fn bombs_cost_no_more_than_their_size_warrants() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let line = r#"{"line_id":1,"quantity":1,"unit_price":1}"#;
    let lines: Vec<String> = (0..10_000).map(|id| line.replace(":1,\"q", &format!(":{id},\"q"))).collect();
    let bombs: Vec<(Contract, String, &str, &str)> = vec![
        (Contract::Event, deep("[", "]"), "too_deep", ""),
        (Contract::Event, deep("{\"a\":", "}").replace(":}", ":1}"), "too_deep", "a"),
        (Contract::Event, "[".repeat(1_000_000), "too_deep", ""),
        (Contract::Event, "{\"a\":".repeat(200_000), "too_deep", ""),
        (Contract::Event, with(Contract::Event, "x", &deep("[", "]")), "too_deep", "x"),
        (Contract::Event, with(Contract::Event, "url", &deep("[", "]")), "too_deep", "url"),
        (Contract::Order, with(Contract::Order, "lines", &deep("[", "]")), "too_deep", "lines"),
        (
            Contract::Order,
            with(Contract::Order, "shipping_address", &format!("{{\"x\":{}}}", deep("[", "]"))),
            "too_deep",
            "shipping_address.x",
        ),
        (
            Contract::Order,
            with(Contract::Order, "lines", &format!("[{}]", vec!["0"; 400_000].join(","))),
            "out_of_range",
            "lines",
        ),
        (Contract::Event, with(Contract::Event, "price", &"9".repeat(1_000_000)), "out_of_range", "price"),
        (Contract::Event, with(Contract::Event, "price", &format!("0.{}1", "0".repeat(1_000_000))), "too_precise", "price"),
        (Contract::Event, with(Contract::Event, "price", &format!("1e{}", "9".repeat(1_000_000))), "out_of_range", "price"),
        (
            Contract::Product,
            with(Contract::Product, "category", &format!("\"{}\"", ">x".repeat(400_000))),
            "out_of_range",
            "category",
        ),
        (
            Contract::Event,
            format!("{{{}}}", (0..60_000).map(|n| format!("\"k{n}\":{n}")).collect::<Vec<_>>().join(",")),
            "missing_field",
            "event_id",
        ),
        (Contract::Event, format!("{{{}}}", vec!["\"a\":1"; 150_000].join(",")), "missing_field", "event_id"),
        (
            Contract::Order,
            with(Contract::Order, "lines", &format!("[{}]", lines.join(",")))
                .replace("\"order_id\"", &format!("\"x\":\"{}\",\"currency\":\"GBP\",\"order_id\"", "x".repeat(400_000))),
            "accepted",
            "",
        ),
        (
            Contract::Event,
            with(Contract::Event, "x", &format!("{}{}{}", "[".repeat(126), "1,".repeat(400_000) + "1", "]".repeat(126))),
            "accepted",
            "",
        ),
    ];
    let before = peak_kib();
    for (contract, text, reason, field) in &bombs {
        let started = Instant::now();
        assert_eq!(verdict(*contract, text.as_bytes()), ((*reason).to_owned(), (*field).to_owned()), "{}", &text[..100]);
        // Milliseconds; what grows with the square of its input would take minutes, on any machine.
        assert!(started.elapsed() < Duration::from_secs(30), "{:?} for {}", started.elapsed(), &text[..100]);
    }
    if let Some((before, after)) = before.zip(peak_kib()) {
        assert!(after - before < 256 << 10, "{} MiB", (after - before) >> 10);
    }
}

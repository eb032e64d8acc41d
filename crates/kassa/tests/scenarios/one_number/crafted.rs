//! Two shops written by hand: London around the days of 23 and of 25 hours, Kolkata around its midnight at half past six in the evening
//! UTC. Prices are powers of two, so that a sum says which records are in it. What each figure comes to is worked out beside the records, on
//! paper and not by kassa.

use serde_json::{Value, json};

use crate::harness::Server;

/// Figure, grouping, basis, and its rows as `key=value`.
pub(super) type Expected = (&'static str, &'static str, &'static str, &'static str);

pub(super) struct Crafted {
    pub(super) zone: &'static str,
    pub(super) currency: &'static str,
    /// Stream and record, reference data first.
    pub(super) records: Vec<(&'static str, Value)>,
    pub(super) expected: &'static [Expected],
    /// Ranges short enough for every quarter hour to stand in a table.
    pub(super) spans: &'static [[&'static str; 2]],
}

impl Crafted {
    pub(super) fn config(&self) -> String {
        format!("[shop]\nname = \"By hand\"\ntime_zone = \"{}\"\ncurrency = \"{}\"\n", self.zone, self.currency)
    }

    pub(super) fn post(&self, server: &Server) {
        for (stream, record) in &self.records {
            let (status, answer) = server.post(stream, record.to_string().as_bytes()).expect("an answer");
            assert_eq!((status, answer["accepted"].as_i64()), (202, Some(1)), "{stream} {record}: {answer}");
        }
    }
}

/// A line of an order of its own; `more` is laid over it.
fn line(at: &str, order: &str, customer: Option<&str>, price: &str, currency: &str, more: &Value) -> (&'static str, Value) {
    let mut record = json!({"event_id": format!("line-{order}-{at}"), "occurred_at": at, "order_id": order, "line_id": "1", "product_id": "lamp",
        "name": "Lamp", "category": ["Home", "Lighting"], "quantity": "1", "unit_price": price, "currency": currency, "channel": "web",
        "shipping_address": {"city": "Somewhere", "country": "GB"}});
    if let Some(customer) = customer {
        record["customer_id"] = customer.into();
    }
    for (name, value) in more.as_object().into_iter().flatten() {
        record[name] = value.clone();
    }
    ("order_lines", record)
}

fn event(at: &str, kind: &str, session: &str, more: &Value) -> (&'static str, Value) {
    let mut record = json!({"event_id": format!("{session}-{kind}"), "occurred_at": at, "type": kind, "session_id": session});
    for (name, value) in more.as_object().into_iter().flatten() {
        record[name] = value.clone();
    }
    ("events", record)
}

fn payment(at: &str, id: &str, kind: &str, amount: &str, currency: &str, more: &Value) -> (&'static str, Value) {
    let mut record = json!({"event_id": format!("pay-{id}-{kind}"), "occurred_at": at, "payment_id": id, "order_id": "A", "kind": kind,
        "status": "success", "method": "card", "amount": amount, "currency": currency});
    for (name, value) in more.as_object().into_iter().flatten() {
        record[name] = value.clone();
    }
    ("payments", record)
}

#[rustfmt::skip]
pub(super) fn london() -> Crafted {
    let none = json!({});
    let (ann, bob, cat, dan, eve) = (Some("ann"), Some("bob"), Some("cat"), Some("dan"), Some("eve"));
    let a = line("2025-03-29T23:59:59.999999Z", "A", ann, "1", "GBP", &none);               // 29 March 23:59:59.999999
    let records = vec![
        ("fx_rates", json!({"event_id": "eur", "occurred_at": "2025-03-01T00:00:00Z", "base": "EUR", "quote": "GBP", "day": "2025-03-31", "rate": "0.85"})),
        a.clone(),
        line("2025-03-30T00:30:00Z", "B", ann, "2", "GBP", &none),                          // 30 March 00:30
        line("2025-03-30T00:59:59.999999Z", "C", bob, "4", "GBP", &none),                   // the last before the clock goes forward
        line("2025-03-30T01:00:00Z", "D", ann, "4", "GBP", &json!({"quantity": "2", "discount": "1.25", "tax": "1.35", "shipping": "2",
            "product_id": "spade", "name": "Spade", "category": ["Garden"], "channel": "till"})),                    // 30 March 02:00
        line("2025-03-30T01:10:00Z", "test", ann, "9999", "GBP", &json!({"is_test": true})),
        line("2025-03-30T22:59:59.999999Z", "E", bob, "16", "GBP", &none),                  // 30 March 23:59:59.999999
        line("2025-03-30T23:00:00Z", "F", eve, "32", "EUR", &json!({"shipping_address": {"city": "Lyon", "country": "FR"}})), // 31 March 00:00
        ("orders", json!({"event_id": "order-F", "occurred_at": "2025-03-30T23:00:00Z", "order_id": "F", "revision": 1, "customer_id": "eve",
            "currency": "EUR", "duty": "3", "channel": "web", "shipping_address": {"city": "Lyon", "country": "FR"}})),
        line("2025-10-25T22:59:59.999999Z", "G", ann, "64", "GBP", &none),                  // 25 October 23:59:59.999999
        line("2025-10-25T23:30:00Z", "H", bob, "128", "GBP", &none),                        // 26 October 00:30
        line("2025-10-26T00:30:00Z", "I", cat, "256", "GBP", &none),                        // 26 October 01:30, the first
        line("2025-10-26T01:30:00Z", "J", dan, "512", "GBP", &none),                        // 26 October 01:30, the second
        line("2025-10-26T23:59:59.999999Z", "K", cat, "1024.005", "GBP", &none),            // 26 October 23:59:59.999999
        line("2025-10-27T00:00:00Z", "L", None, "2048", "GBP", &none),                      // 27 October 00:00
        line("2025-10-27T10:00:00Z", "M", dan, "4096", "SEK", &json!({"shipping_address": {"city": "Lund", "country": "SE"}})), // no rate is known
        line("2025-10-26T01:15:00Z", "B", ann, "2", "GBP", &json!({"line_id": "back", "movement": "return", "quantity": "-1", "placed_at": "2025-03-30T00:30:00Z"})),
        line("2025-10-27T09:00:00Z", "K", cat, "0", "GBP", &json!({"line_id": "debt", "movement": "adjustment", "quantity": "0", "amount": "-5",
            "placed_at": "2025-10-26T23:59:59.999999Z"})),
        a,                                                                                  // sent again
        // A visit over the hour that the clock repeats: later steps at an earlier time of day.
        event("2025-10-26T00:50:00Z", "product_viewed", "s1", &json!({"customer_id": "dan"})),
        event("2025-10-26T00:55:00Z", "product_added", "s1", &json!({"customer_id": "dan"})),
        event("2025-10-26T01:05:00Z", "checkout_started", "s1", &json!({"customer_id": "dan"})),
        event("2025-10-26T01:10:00Z", "order_completed", "s1", &json!({"customer_id": "dan"})),
        // A visit over midnight that leaves its cart behind, and a crawler.
        event("2025-03-29T23:50:00Z", "product_viewed", "s2", &json!({"anonymous_id": "v-1"})),
        event("2025-03-30T00:05:00Z", "product_added", "s2", &json!({"anonymous_id": "v-1"})),
        event("2025-03-30T12:00:00Z", "page_viewed", "s3", &json!({"anonymous_id": "v-2", "is_bot": true})),
        payment("2025-03-30T00:59:59.999999Z", "p1", "sale", "8.10", "GBP", &none),
        payment("2025-03-30T23:05:00Z", "p2", "authorization", "32", "EUR", &none),
        payment("2025-03-30T23:06:00Z", "p3", "capture", "32", "EUR", &json!({"parent_id": "p2", "method": "wallet"})),
        payment("2025-10-26T01:30:00Z", "p4", "refund", "2", "GBP", &json!({"parent_id": "p1"})),
    ];
    Crafted { zone: "Europe/London", currency: "GBP", records, expected: LONDON, spans: &[["2025-03-29", "2025-03-31"], ["2025-10-25", "2025-10-27"]] }
}

/// B 2 + C 4 + D 8 − 1.25 + E 16 = 28.75 on 30 March; F 32 × 0.85 = 27.2; H 128 + I 256 + J 512 + K 1024.005 = 1920.005 on 26 October, less the
/// return of 2; L 2048 less a debt of 5. M has no rate: counted, and no money.
#[rustfmt::skip]
const LONDON: &[Expected] = &[
    ("net_sales", "day", "movement", "2025-03-29=1.00 2025-03-30=28.75 2025-03-31=27.20 2025-10-25=64.00 2025-10-26=1918.005 2025-10-27=2043.00"),
    ("net_sales", "day", "order", "2025-03-29=1.00 2025-03-30=26.75 2025-03-31=27.20 2025-10-25=64.00 2025-10-26=1915.005 2025-10-27=2048.00"),
    ("net_sales", "total", "movement", "total=4081.955"),
    ("net_sales", "total", "order", "total=4081.955"),
    ("net_sales", "month", "movement", "2025-03=56.95 2025-10=4025.005"),
    ("net_sales", "month", "order", "2025-03=54.95 2025-10=4027.005"),
    ("net_sales", "week", "movement", "2025-W13=29.75 2025-W14=27.20 2025-W43=1982.005 2025-W44=2043.00"),
    ("net_sales", "hour", "movement", "2025-03-29T23=1.00 2025-03-30T00=6.00 2025-03-30T02=6.75 2025-03-30T23=16.00 2025-03-31T00=27.20 2025-10-25T23=64.00 \
        2025-10-26T00=128.00 2025-10-26T01=766.00 2025-10-26T23=1024.005 2025-10-27T00=2048.00 2025-10-27T09=-5.00 2025-10-27T10=0.00"),
    ("net_sales", "quarter_hour", "order", "2025-03-29T23:45=1.00 2025-03-30T00:30=0.00 2025-03-30T00:45=4.00 2025-03-30T02:00=6.75 2025-03-30T23:45=16.00 \
        2025-03-31T00:00=27.20 2025-10-25T23:45=64.00 2025-10-26T00:30=128.00 2025-10-26T01:30=768.00 2025-10-26T23:45=1019.005 2025-10-27T00:00=2048.00 \
        2025-10-27T10:00=0.00"),
    ("net_sales", "country", "movement", "GB=4054.755 FR=27.20 SE=0.00"),
    ("net_sales", "category", "movement", "Home=4075.205 Garden=6.75"),
    ("net_sales", "product", "movement", "lamp=4075.205 spade=6.75"),
    ("net_sales", "channel", "movement", "web=4075.205 till=6.75"),
    ("net_sales", "currency", "movement", "GBP=4054.755 EUR=27.20 SEK=0.00"),
    ("net_sales", "customer", "movement", "unknown=2048.00 cat=1275.005 dan=512.00 bob=148.00 ann=71.75 eve=27.20"),
    ("net_sales", "movement", "movement", "sale=4088.955 return=-2.00 adjustment=-5.00"),
    ("gross_sales", "day", "movement", "2025-03-29=1.00 2025-03-30=30.00 2025-03-31=27.20 2025-10-25=64.00 2025-10-26=1920.005 2025-10-27=2048.00"),
    ("discounts", "day", "movement", "2025-03-29=0.00 2025-03-30=1.25 2025-03-31=0.00 2025-10-25=0.00 2025-10-26=0.00 2025-10-27=0.00"),
    ("returns", "day", "movement", "2025-10-26=2.00"),
    ("returns", "day", "order", "2025-03-30=2.00"),
    ("adjustments", "day", "movement", "2025-10-27=-5.00"),
    ("adjustments", "day", "order", "2025-10-26=-5.00"),
    ("total_sales", "day", "movement", "2025-03-29=1.00 2025-03-30=32.10 2025-03-31=29.75 2025-10-25=64.00 2025-10-26=1918.005 2025-10-27=2043.00"),
    ("orders", "day", "order", "2025-03-29=1 2025-03-30=4 2025-03-31=1 2025-10-25=1 2025-10-26=4 2025-10-27=2"),
    ("aov", "day", "order", "2025-03-29=1.00 2025-03-30=7.1875 2025-03-31=27.20 2025-10-25=64.00 2025-10-26=480.00125 2025-10-27=1024.00"),
    ("units", "day", "movement", "2025-03-29=1 2025-03-30=5 2025-03-31=1 2025-10-25=1 2025-10-26=3 2025-10-27=2"),
    ("units", "day", "order", "2025-03-29=1 2025-03-30=4 2025-03-31=1 2025-10-25=1 2025-10-26=4 2025-10-27=2"),
    ("return_rate", "day", "order", "2025-03-29=0 2025-03-30=0.2 2025-03-31=0 2025-10-25=0 2025-10-26=0 2025-10-27=0"),
    ("active_customers", "day", "", "2025-03-29=2 2025-03-30=3 2025-03-31=1 2025-10-25=1 2025-10-26=3 2025-10-27=1"),
    ("sessions", "hour", "", "2025-03-29T23=1 2025-10-26T01=1"),
    ("conversion", "day", "", "2025-03-29=0 2025-10-26=1"),
    ("funnel", "step", "", "viewed=2 added=2 checkout=1 paid=1"),
    ("abandoned_carts", "day", "", "2025-03-29=1 2025-10-26=0"),
    ("new_customers", "day", "order", "2025-03-29=1 2025-03-30=1 2025-03-31=1 2025-10-26=2"),
    ("returning_customers", "day", "order", "2025-03-30=1 2025-10-25=1 2025-10-26=1 2025-10-27=1"),
    ("cohort_retention", "cohort", "order", "2025-03+0=1 2025-03+1=0 2025-03+2=0 2025-03+3=0 2025-03+4=0 2025-03+5=0 2025-03+6=0 2025-03+7=0.666667 2025-10+0=1"),
    ("repeat_rate", "total", "order", "total=0.8"),
    ("customer_value", "total", "movement", "total=406.791"),
    ("customer_value", "customer", "movement", "cat=1275.005 dan=512.00 bob=148.00 ann=71.75 eve=27.20"),
    ("payments", "day", "", "2025-03-30=8.10 2025-03-31=27.20 2025-10-26=-2.00"),
    ("payments", "method", "", "wallet=27.20 card=6.10"),
];

#[rustfmt::skip]
pub(super) fn kolkata() -> Crafted {
    let none = json!({});
    let records = vec![
        line("2025-03-29T18:29:59.999999Z", "a", Some("asha"), "1", "INR", &none),          // 29 March 23:59:59.999999
        line("2025-03-29T18:30:00Z", "b", Some("asha"), "2", "INR", &none),                 // 30 March 00:00
        line("2025-03-30T18:29:59.999999Z", "c", Some("ravi"), "4", "INR", &none),          // 30 March 23:59:59.999999
        line("2025-03-30T18:30:00Z", "d", Some("ravi"), "8", "INR", &none),                 // 31 March 00:00
        line("2025-03-31T18:15:00Z", "e", Some("asha"), "16", "INR", &none),                // 31 March 23:45
        line("2025-03-31T18:45:00Z", "f", None, "32", "INR", &none),                        // 1 April 00:15
        line("2025-03-31T18:30:00Z", "b", Some("asha"), "2", "INR", &json!({"line_id": "back", "movement": "return", "quantity": "-1",
            "placed_at": "2025-03-29T18:30:00Z"})),                                         // 1 April 00:00
        event("2025-03-29T18:29:59.999999Z", "page_viewed", "k1", &json!({"anonymous_id": "v"})),
        event("2025-03-29T18:30:00Z", "page_viewed", "k2", &json!({"anonymous_id": "v"})),
        payment("2025-03-30T18:30:00Z", "p", "sale", "7", "INR", &none),
    ];
    Crafted { zone: "Asia/Kolkata", currency: "INR", records, expected: KOLKATA, spans: &[["2025-03-29", "2025-04-01"]] }
}

#[rustfmt::skip]
const KOLKATA: &[Expected] = &[
    ("net_sales", "day", "movement", "2025-03-29=1.00 2025-03-30=6.00 2025-03-31=24.00 2025-04-01=30.00"),
    ("net_sales", "day", "order", "2025-03-29=1.00 2025-03-30=4.00 2025-03-31=24.00 2025-04-01=32.00"),
    ("net_sales", "month", "movement", "2025-03=31.00 2025-04=30.00"),
    ("net_sales", "month", "order", "2025-03=29.00 2025-04=32.00"),
    ("net_sales", "week", "movement", "2025-W13=7.00 2025-W14=54.00"),
    ("net_sales", "quarter_hour", "movement", "2025-03-29T23:45=1.00 2025-03-30T00:00=2.00 2025-03-30T23:45=4.00 2025-03-31T00:00=8.00 \
        2025-03-31T23:45=16.00 2025-04-01T00:00=-2.00 2025-04-01T00:15=32.00"),
    ("orders", "day", "order", "2025-03-29=1 2025-03-30=2 2025-03-31=2 2025-04-01=1"),
    ("sessions", "day", "", "2025-03-29=1 2025-03-30=1"),
    ("active_customers", "day", "", "2025-03-29=2 2025-03-30=3 2025-03-31=2"),
    ("new_customers", "day", "order", "2025-03-29=1 2025-03-30=1"),
    ("returning_customers", "day", "order", "2025-03-30=1 2025-03-31=2"),
    ("payments", "day", "", "2025-03-31=7.00"),
];

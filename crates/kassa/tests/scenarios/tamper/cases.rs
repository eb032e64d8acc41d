//! Each tampering, and its expected findings.

use std::fs;

use serde_json::{Value, json};

use super::surgery::{At, Body, altered, long, segment, text, with_long, with_text};
use super::{Expected, is_true};

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) tamper: fn(&Body) -> Vec<Expected>,
    /// Findings beside the expected ones that follow from the same change.
    pub(super) strays: usize,
}

const SALES: &str = "DWH/fact_sales";
const LINES: &str = "topics/order_lines";

fn at(kind: &'static str, table: &str, at: &At) -> Vec<Expected> {
    range(kind, table, &at.topic, at.offset, at.offset + 1)
}

fn range(kind: &'static str, table: &str, topic: &str, from: i64, to: i64) -> Vec<Expected> {
    vec![Expected { kind, table: table.to_owned(), topic: Some(topic.to_owned()), offsets: Some((from, to)) }]
}

fn whole(kind: &'static str, table: &str) -> Vec<Expected> {
    vec![Expected { kind, table: table.to_owned(), ..Expected::default() }]
}

fn of_lines(rows: &arrow::array::RecordBatch, row: usize) -> bool {
    text(rows, row, "source_topic") == "order_lines" && long(rows, row, "source_offset") > 20
}

/// A record of the archive of order lines that is good, by its offset.
fn archived(body: &Body) -> i64 {
    let (_, row, rows) = body.find(SALES, &of_lines);
    long(&rows, row, "source_offset")
}

fn in_archive(body: &Body, change: &dyn Fn(arrow::array::RecordBatch) -> Vec<arrow::array::RecordBatch>) -> At {
    let offset = archived(body);
    body.exchange(LINES, &move |rows, row| long(rows, row, "offset") == offset && long(rows, row, "partition") == 0, change);
    At { topic: "order_lines".to_owned(), offset }
}

fn letter(rows: &arrow::array::RecordBatch, row: usize) -> bool {
    text(rows, row, "reason") != "conflict" && text(rows, row, "topic") == "events"
}

fn conflict(rows: &arrow::array::RecordBatch, row: usize) -> bool {
    text(rows, row, "reason") == "conflict" && text(rows, row, "topic") == "orders"
}

fn span(rows: &arrow::array::RecordBatch, row: usize) -> bool {
    text(rows, row, "topic") == "order_lines" && long(rows, row, "from_offset") > 0 && long(rows, row, "accepted") > 1
}

/// Bounds of the span that is tampered with.
fn bounds(body: &Body) -> (i64, i64) {
    let (_, row, rows) = body.find("DWH/spans", &span);
    (long(&rows, row, "from_offset"), long(&rows, row, "to_offset"))
}

fn position(body: &Body, folder: &str, topic: &str, moved: i64) -> i64 {
    let app = format!("kassa:{topic}:0");
    let mut last = 0;
    body.relog(folder, &mut |line| {
        if line["txn"]["appId"] == json!(app) {
            last = line["txn"]["version"].as_i64().expect("a version");
        }
    });
    body.relog(folder, &mut |line| {
        if line["txn"]["appId"] == json!(app) && line["txn"]["version"] == json!(last) {
            line["txn"]["version"] = json!(last + moved);
        }
    });
    last
}

macro_rules! case {
    ($name:literal, $strays:literal, $tamper:expr) => {
        Case { name: $name, tamper: $tamper, strays: $strays }
    };
}

pub(super) fn all() -> Vec<Case> {
    rows().into_iter().chain(orders()).chain(files()).chain(archive()).chain(spans()).chain(letters()).collect()
}

fn rows() -> Vec<Case> {
    vec![
        case!("a sale dropped", 0, |body| at("missing", "fact_sales", &body.drop_row(SALES, &of_lines))),
        case!("a sale doubled", 0, |body| at("double", "fact_sales", &body.double_row(SALES, &of_lines))),
        case!("a sale doubled at another offset", 9, |body| {
            let place = body.exchange(SALES, &of_lines, &|row| {
                let offset = long(&row, 0, "source_offset");
                vec![row.clone(), with_long(&row, "source_offset", offset - 1)]
            });
            range("double", "fact_sales", &place.topic, place.offset - 1, place.offset + 1)
        }),
        case!("an amount altered", 0, |body| at("altered", "fact_sales", &body.alter(SALES, &of_lines, "gross_amount"))),
        case!("a payment altered", 0, |body| {
            at("altered", "fact_payment", &body.alter("DWH/fact_payment", &|_, _| true, "gateway"))
        }),
        case!("an event moved to another session", 0, |body| {
            at("altered", "fact_event", &body.alter("DWH/fact_event", &|_, _| true, "session_key"))
        }),
        case!("a refund's line dropped", 1, |body| {
            let refund = |rows: &arrow::array::RecordBatch, row| text(rows, row, "source_topic") == "refunds";
            at("missing", "fact_sales", &body.drop_row(SALES, &refund))
        }),
        case!("a product's version altered", 0, |body| {
            let version = |rows: &arrow::array::RecordBatch, row| !is_true(rows, row, "is_placeholder");
            at("altered", "dim_product", &body.alter("DWH/dim_product", &version, "name"))
        }),
        case!("a placeholder altered", 0, |body| {
            let placeholder = |rows: &arrow::array::RecordBatch, row| {
                is_true(rows, row, "is_placeholder") && text(rows, row, "product_id") == "p-nested"
            };
            at("altered", "dim_product", &body.alter("DWH/dim_product", &placeholder, "product_id"))
        }),
        case!("a member dropped", 6, |body| {
            body.drop_row("DWH/dim_channel", &|_, _| true);
            // Whichever fact names it first.
            let table = "fact_sales".to_owned();
            vec![Expected { kind: "orphan", table, ..Expected::default() }]
        }),
        case!("personal data altered", 0, |body| {
            at("altered", "vault_customer", &body.alter("DWH/vault_customer", &|_, _| true, "name"))
        }),
        case!("a rate altered", 0, |body| {
            at("altered", "fact_fx_rate", &body.alter("DWH/fact_fx_rate", &|_, _| true, "rate"))
        }),
    ]
}

fn orders() -> Vec<Case> {
    fn nested(line: &str) -> impl Fn(&arrow::array::RecordBatch, usize) -> bool {
        let line = line.to_owned();
        move |rows, row| text(rows, row, "source_topic") == "orders" && text(rows, row, "line_id") == line
    }
    vec![
        case!("an order's line altered", 0, |body| at("altered", "fact_sales", &body.alter(SALES, &nested("b"), "quantity"))),
        case!("an order's line dropped that a later revision repeats", 1, |body| {
            at("missing", "fact_sales", &body.drop_row(SALES, &nested("a")))
        }),
        case!("an order's line doubled", 0, |body| at("double", "fact_sales", &body.double_row(SALES, &nested("d")))),
        case!("an order dropped and its revision said to be a duplicate", 9, |body| {
            let first = |rows: &arrow::array::RecordBatch, row| text(rows, row, "order_id") == "nested";
            let place = body.drop_row("DWH/fact_order", &first);
            let topic = place.topic.clone();
            body.exchange("DWH/spans", &|rows, row| text(rows, row, "topic") == topic, &|row| {
                let (accepted, duplicates) = (long(&row, 0, "accepted"), long(&row, 0, "duplicates"));
                vec![with_long(&with_long(&row, "accepted", accepted - 1), "duplicates", duplicates + 1)]
            });
            at("missing", "fact_order", &place)
        }),
    ]
}

fn files() -> Vec<Case> {
    vec![
        case!("a file removed", 400, |body| {
            fs::remove_file(body.table(SALES).join(&body.files(SALES)[0])).expect("removed");
            whole("file_missing", "fact_sales")
        }),
        case!("two files swapped", 400, |body| {
            let files = body.files(SALES);
            let (one, other) = (body.table(SALES).join(&files[0]), body.table(SALES).join(&files[files.len() - 1]));
            let (first, last) = (fs::read(&one).expect("read"), fs::read(&other).expect("read"));
            fs::write(one, last).expect("written");
            fs::write(other, first).expect("written");
            whole("file_swapped", "fact_sales")
        }),
        case!("a file cut short", 400, |body| {
            let file = body.table("DWH/fact_order").join(&body.files("DWH/fact_order")[0]);
            let bytes = fs::read(&file).expect("read");
            fs::write(file, &bytes[..bytes.len() / 2]).expect("written");
            whole("file_damaged", "fact_order")
        }),
        case!("an entry of the table's log removed", 400, |body| {
            fs::remove_file(body.entry("DWH/fact_event", 1)).expect("removed");
            whole("log_damaged", "fact_event")
        }),
        case!("the last entry of the table's log removed", 400, |body| {
            let last = body.entry("DWH/fact_payment", 0);
            let lines = Body::lines(&last);
            let txn = |line: &Value| line["txn"]["version"].as_i64();
            assert!(lines.iter().any(|line| txn(line).is_some()));
            fs::remove_file(last).expect("removed");
            whole("missing", "fact_payment")
        }),
        case!("a file added once more under another name", 400, |body| {
            let entry = body.entry("DWH/fact_event", 0);
            let mut lines = Body::lines(&entry);
            let mut add = lines.iter().find(|line| line.get("add").is_some()).expect("an add").clone();
            let path = add["add"]["path"].as_str().expect("a path").to_owned();
            let folder = body.table("DWH/fact_event");
            fs::copy(folder.join(&path), folder.join("part-again.parquet")).expect("copied");
            add["add"]["path"] = json!("part-again.parquet");
            lines.push(add);
            Body::write_lines(&entry, &lines);
            whole("double", "fact_event")
        }),
        case!("a file added twice under its own name", 0, |body| {
            let entry = body.entry("DWH/fact_event", 0);
            let mut lines = Body::lines(&entry);
            lines.push(lines.iter().find(|line| line.get("add").is_some()).expect("an add").clone());
            Body::write_lines(&entry, &lines);
            whole("double", "fact_event")
        }),
    ]
}

fn archive() -> Vec<Case> {
    vec![
        case!("a stray row in the archive", 0, |body| {
            let place = in_archive(body, &|row| vec![row.clone(), with_long(&row, "offset", 1_000_000)]);
            range("extra", LINES, &place.topic, 1_000_000, 1_000_001)
        }),
        case!("a record archived twice", 0, |body| { at("double", LINES, &in_archive(body, &|row| vec![row.clone(), row])) }),
        case!("a record's bytes altered in the archive", 0, |body| {
            at("altered", LINES, &in_archive(body, &|row| vec![altered(&row, "value")]))
        }),
        case!("a record dropped from the archive", 0, |body| at("missing", LINES, &in_archive(body, &|_| Vec::new()))),
        case!("the collector's log cut", 0, |body| {
            let file = segment(&body.data, "order_lines");
            let bytes = fs::read(&file).expect("read");
            fs::write(file, &bytes[..bytes.len() - 10]).expect("written");
            vec![Expected { kind: "log_cut", table: "log".to_owned(), topic: Some("order_lines".to_owned()), offsets: None }]
        }),
        case!("a byte of the collector's log flipped", 1, |body| {
            let file = segment(&body.data, "order_lines");
            let mut bytes = fs::read(&file).expect("read");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
            fs::write(file, bytes).expect("written");
            vec![Expected { kind: "log_corrupt", table: "log".to_owned(), topic: Some("order_lines".to_owned()), offsets: None }]
        }),
    ]
}

fn spans() -> Vec<Case> {
    const SPANS: &str = "DWH/spans";
    vec![
        case!("a span's count altered", 0, |body| {
            let (from, to) = bounds(body);
            body.exchange(SPANS, &span, &|row| {
                let (accepted, duplicates) = (long(&row, 0, "accepted"), long(&row, 0, "duplicates"));
                vec![with_long(&with_long(&row, "accepted", accepted - 1), "duplicates", duplicates + 1)]
            });
            range("miscount", "spans", "order_lines", from, to)
        }),
        case!("a span dropped", 1, |body| {
            let (from, to) = bounds(body);
            body.drop_row(SPANS, &span);
            range("gap", "spans", "order_lines", from, to)
        }),
        case!("a span that begins too early", 2, |body| {
            let (from, _) = bounds(body);
            body.exchange(SPANS, &span, &|row| vec![with_long(&row, "from_offset", from - 3)]);
            range("overlap", "spans", "order_lines", from - 3, from)
        }),
        case!("a position beyond the end", 0, |body| {
            let end = position(body, SALES, "order_lines", 500);
            range("position", "fact_sales", "order_lines", end, end + 500)
        }),
        case!("a position before the rows", 1, |body| {
            position(body, SALES, "order_lines", -100);
            vec![Expected { kind: "extra", table: "fact_sales".to_owned(), topic: Some("order_lines".to_owned()), offsets: None }]
        }),
        case!("the spans' position set back", 0, |body| {
            let end = position(body, SPANS, "order_lines", -7);
            range("position", "spans", "order_lines", end - 7, end)
        }),
        case!("the archive's position set back", 1, |body| {
            let end = position(body, LINES, "order_lines", -7);
            range("position", LINES, "order_lines", end - 7, end)
        }),
    ]
}

fn letters() -> Vec<Case> {
    const REJECTED: &str = "DWH/rejected";
    vec![
        case!("a dead letter deleted", 0, |body| at("missing", "rejected", &body.drop_row(REJECTED, &letter))),
        case!("a conflict's letter deleted", 0, |body| at("missing", "rejected", &body.drop_row(REJECTED, &conflict))),
        case!("a dead letter's bytes altered", 0, |body| at("altered", "rejected", &body.alter(REJECTED, &letter, "value"))),
        case!("a conflict's bytes altered", 0, |body| at("altered", "rejected", &body.alter(REJECTED, &conflict, "value"))),
        case!("a reason changed", 0, |body| {
            let place = body.exchange(REJECTED, &letter, &|row| vec![with_text(&row, "reason", "too_large")]);
            at("altered", "rejected", &place)
        }),
        case!("a reason changed into a conflict", 0, |body| {
            let place = body.exchange(REJECTED, &letter, &|row| vec![with_text(&row, "reason", "conflict")]);
            at("altered", "rejected", &place)
        }),
        case!("a conflict with another record named", 0, |body| at(
            "altered",
            "rejected",
            &body.alter(REJECTED, &conflict, "detail")
        )),
        case!("a dead letter doubled", 0, |body| at("double", "rejected", &body.double_row(REJECTED, &letter))),
    ]
}

//! Breaks a record in one of the ways in which producers do. The result is never valid by the
//! model's rules and never contains a line break, so that it stays one line of NDJSON.

use kassa_model::Contract;

use super::json::Drift;
use super::json::Json;
use super::rng::Rng;

/// A way to break a record; it is tried on records that fit.
type Spoil = fn(Contract, &[u8], &mut Rng) -> Option<Vec<u8>>;

const SPOILS: [Spoil; 18] = [
    truncated,
    not_json,
    not_an_object,
    wrapped_in_array,
    too_deep,
    not_utf8,
    missing_field,
    null_field,
    wrong_type,
    not_finite,
    too_large,
    too_precise,
    unknown_currency,
    unknown_country,
    control_character,
    negative_quantity,
    bad_timestamp,
    too_long_or_twice,
];

/// A broken copy of a record, with its own id if it is still readable.
pub(super) fn spoiled(contract: Contract, record: &[u8], id: u64, rng: &mut Rng) -> Vec<u8> {
    let mut own = Vec::with_capacity(record.len() + 16);
    Json::open(&mut own, id, Drift::None);
    own.extend_from_slice(&record[own.len()..]);
    let first = rng.index(SPOILS.len());
    let broken = (first..first + SPOILS.len()).find_map(|at| SPOILS[at % SPOILS.len()](contract, &own, rng));
    broken.unwrap_or_default()
}

fn truncated(_: Contract, record: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    Some(record[..1 + rng.index(record.len() - 2)].to_vec())
}

fn not_json(_: Contract, _: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let text = rng.one_of(&[
        "<order><id>1042</id></order>",
        "event_id;type;occurred_at",
        "undefined",
        "GET /healthz HTTP/1.1",
        "{'event_id': 'b71', 'type': 'page_viewed'}",
        "{\"event_id\":\"b72\",\"type\":\"page_viewed\",}",
    ]);
    Some(text.as_bytes().to_vec())
}

fn not_an_object(_: Contract, _: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    Some(rng.one_of(&["null", "\"\"", "0", "true", "{}"]).as_bytes().to_vec())
}

fn wrapped_in_array(_: Contract, record: &[u8], _: &mut Rng) -> Option<Vec<u8>> {
    Some([b"[", record, b"]"].concat())
}

fn too_deep(_: Contract, record: &[u8], _: &mut Rng) -> Option<Vec<u8>> {
    let (open, close) = ("[".repeat(200), "]".repeat(200));
    with_field(record, &format!("\"context\":{open}1{close}"))
}

fn not_utf8(_: Contract, record: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let wrong = rng.one_of(&[&b"\xff"[..], b"K\xf6ln", b"\xc3(", b"\xed\xa0\x80"]);
    insert(record, b"\"event_id\":\"", wrong)
}

/// The fields that each contract requires in addition to the envelope's.
fn required(contract: Contract) -> impl Iterator<Item = &'static str> {
    contract.fields().iter().filter(|field| field.required).map(|field| field.name)
}

fn missing_field(contract: Contract, record: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let fields: Vec<&str> = required(contract).chain(["occurred_at"]).collect();
    let field = rng.one_of(&fields);
    let (wanted, given) = (format!(",\"{field}\":"), format!(",\"{field}_\":"));
    // A field of a nested object may have the same name, but the record's own field is first.
    replace(record, wanted.as_bytes(), given.as_bytes())
}

fn null_field(contract: Contract, record: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let fields: Vec<&str> = required(contract).chain(["occurred_at"]).collect();
    with_value(record, rng.one_of(&fields), rng.one_of(&["null", "\"\""]))
}

fn wrong_type(_: Contract, record: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let (field, value) = rng.one_of(&[
        ("occurred_at", "{}"),
        ("occurred_at", "true"),
        ("quantity", "[2]"),
        ("quantity", "\"many\""),
        ("order_id", "{\"id\":7}"),
        ("session_id", "[\"a\"]"),
        ("price", "\"12 pounds\""),
        ("amount", "true"),
    ]);
    with_value(record, field, value)
}

const AMOUNTS: [&str; 5] = ["unit_price", "price", "amount", "total", "level"];

fn not_finite(_: Contract, record: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let value = rng.one_of(&["NaN", "Infinity", "-Infinity", "\"NaN\""]);
    AMOUNTS.iter().find_map(|field| with_value(record, field, value))
}

fn too_large(_: Contract, record: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let value = rng.one_of(&["1e999", "1000000000000", "99999999999999999999999999999999999999", "\"1e12\""]);
    AMOUNTS.iter().find_map(|field| with_value(record, field, value))
}

fn too_precise(_: Contract, record: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let value = rng.one_of(&["12.3456789", "0.0000001", "\"7.1234567\""]);
    AMOUNTS.iter().find_map(|field| with_value(record, field, value))
}

fn unknown_currency(_: Contract, record: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    with_value(record, "currency", rng.one_of(&["\"XXX\"", "\"GBX\"", "\"£\"", "\"pounds\""]))
}

fn unknown_country(_: Contract, record: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    with_value(record, "country", rng.one_of(&["\"ZZ\"", "\"Atlantis\""]))
}

fn control_character(_: Contract, record: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let wrong = rng.one_of(&[&b"\\u0000"[..], b"\\u0007", b"\x01", b"\x1b[31m"]);
    insert(record, b"_id\":\"", wrong)
}

/// Only for sales: other movements may have a negative quantity.
fn negative_quantity(contract: Contract, record: &[u8], _: &mut Rng) -> Option<Vec<u8>> {
    let is_sale = contract == Contract::OrderLine && find(record, b"\"movement\":").is_none();
    is_sale.then(|| with_value(record, "quantity", "-2")).flatten()
}

fn bad_timestamp(_: Contract, record: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let values = [
        "\"2026-02-30T10:00:00Z\"",
        "\"yesterday\"",
        "\"2026-01-05T25:61:00Z\"",
        "\"9999-12-31T23:59:59Z\"",
        "\"0001-01-01T00:00:00Z\"",
    ];
    with_value(record, "occurred_at", rng.one_of(&values))
}

fn too_long_or_twice(_: Contract, record: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    if rng.permille(500) {
        return with_field(record, "\"occurred_at\":\"2020-01-01T00:00:00Z\"");
    }
    insert(record, b"\"event_id\":\"", &[b'x'; 200])
}

fn find(record: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(record, needle)
}

fn replace(record: &[u8], needle: &[u8], by: &[u8]) -> Option<Vec<u8>> {
    let at = find(record, needle)?;
    Some([&record[..at], by, &record[at + needle.len()..]].concat())
}

fn insert(record: &[u8], after: &[u8], what: &[u8]) -> Option<Vec<u8>> {
    replace(record, after, &[after, what].concat())
}

fn with_field(record: &[u8], field: &str) -> Option<Vec<u8>> {
    let body = record.strip_suffix(b"}")?;
    Some([body, b",", field.as_bytes(), b"}"].concat())
}

/// Replaces the value of the first field with this name, which is a text or a number.
fn with_value(record: &[u8], field: &str, value: &str) -> Option<Vec<u8>> {
    let key = format!("\"{field}\":");
    let from = find(record, key.as_bytes())? + key.len();
    let old = &record[from..];
    let length = match old.first()? {
        b'"' => 2 + old[1..].iter().position(|byte| *byte == b'"')?,
        b'[' | b'{' => return None,
        _ => old.iter().position(|byte| matches!(byte, b',' | b'}' | b']'))?,
    };
    Some([&record[..from], value.as_bytes(), &record[from + length..]].concat())
}

//! Compared with another implementation: any schema and value reads the same, and both refuse the same input.

use std::fmt::Write as _;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Days, Decimal, Duration, Millis, Months};
use jiff::civil::{Date, DateTime};
use jiff::{Span, ToSpan};
use kassa_model::{Contract, DeadLetter, Reason};
use proptest::prelude::*;

use super::*;
use crate::canonical;
use crate::decode::Layout;
use crate::ports::SchemaText;

fn given(text: &str) -> SchemaText {
    SchemaText { text: text.into(), references: Vec::new() }
}

fn plan(text: &str) -> Plan {
    Plan::new(Schema::parse(&given(text)).unwrap(), &Layout::new(Contract::Event)).unwrap()
}

fn read(plan: &Plan, datum: &[u8]) -> Result<String, DeadLetter> {
    let mut json = String::new();
    plan.json(datum, &mut json).map(|()| json)
}

/// A type, of which a schema and values are made.
#[derive(Debug, Clone)]
enum Type {
    /// Its schema; named ones take a name of their own.
    Leaf(&'static str),
    Array(Box<Type>),
    Map(Box<Type>),
    /// With null.
    Optional(Box<Type>),
    Record(Vec<Type>),
}

const LEAVES: &[&str] = &[
    r#""null""#,
    r#""boolean""#,
    r#""int""#,
    r#""long""#,
    r#""float""#,
    r#""double""#,
    r#""bytes""#,
    r#""string""#,
    r#"{"type":"enum","name":"NAME","symbols":["A","B","C"]}"#,
    r#"{"type":"fixed","name":"NAME","size":5}"#,
    r#"{"type":"bytes","logicalType":"decimal","precision":20,"scale":4}"#,
    r#"{"type":"fixed","name":"NAME","size":9,"logicalType":"decimal","precision":18,"scale":6}"#,
    r#"{"type":"int","logicalType":"date"}"#,
    r#"{"type":"int","logicalType":"time-millis"}"#,
    r#"{"type":"long","logicalType":"time-micros"}"#,
    r#"{"type":"long","logicalType":"timestamp-millis"}"#,
    r#"{"type":"long","logicalType":"timestamp-micros"}"#,
    r#"{"type":"long","logicalType":"timestamp-nanos"}"#,
    r#"{"type":"long","logicalType":"local-timestamp-micros"}"#,
    r#"{"type":"fixed","name":"NAME","size":12,"logicalType":"duration"}"#,
];

fn types() -> impl Strategy<Value = Type> {
    let leaf = proptest::sample::select(LEAVES.to_vec()).prop_map(Type::Leaf);
    let any = leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            inner.clone().prop_map(|item| Type::Array(Box::new(item))),
            inner.clone().prop_map(|item| Type::Map(Box::new(item))),
            inner.clone().prop_map(|item| Type::Optional(Box::new(item))),
            proptest::collection::vec(inner, 0..5).prop_map(Type::Record),
        ]
    });
    proptest::collection::vec(any, 1..6).prop_map(Type::Record)
}

impl Type {
    fn schema(&self, names: &mut usize) -> String {
        match self {
            Type::Leaf(leaf) => {
                *names += 1;
                leaf.replace("NAME", &format!("N{names}"))
            }
            Type::Array(item) => format!(r#"{{"type":"array","items":{}}}"#, item.schema(names)),
            Type::Map(item) => format!(r#"{{"type":"map","values":{}}}"#, item.schema(names)),
            Type::Optional(item) if matches!(**item, Type::Optional(_) | Type::Leaf(r#""null""#)) => item.schema(names),
            Type::Optional(item) => format!(r#"["null",{}]"#, item.schema(names)),
            Type::Record(fields) => {
                *names += 1;
                let name = *names;
                let fields: Vec<String> = fields
                    .iter()
                    .enumerate()
                    .map(|(nth, field)| format!(r#"{{"name":"f{nth}","type":{}}}"#, field.schema(names)))
                    .collect();
                format!(r#"{{"type":"record","name":"R{name}","fields":[{}]}}"#, fields.join(","))
            }
        }
    }

    /// A value, and what it is as JSON.
    fn value(&self, chance: &mut Chance) -> (Avro, String) {
        match self {
            Type::Leaf(leaf) => leaf_value(leaf, chance),
            Type::Array(item) => {
                let items: Vec<(Avro, String)> = (0..chance.below(4)).map(|_| item.value(chance)).collect();
                let (items, json): (Vec<Avro>, Vec<String>) = items.into_iter().unzip();
                (Avro::Array(items), format!("[{}]", json.join(",")))
            }
            Type::Map(item) => {
                let entries: Vec<(String, (Avro, String))> =
                    (0..chance.below(4)).map(|nth| (format!("k\"{nth}\n"), item.value(chance))).collect();
                let json: Vec<String> = entries.iter().map(|(key, (_, json))| format!("{}:{json}", quoted(key))).collect();
                let entries = entries.into_iter().map(|(key, (value, _))| (key, value));
                (Avro::Map(entries.collect()), format!("{{{}}}", json.join(",")))
            }
            Type::Optional(item) if matches!(**item, Type::Optional(_) | Type::Leaf(r#""null""#)) => item.value(chance),
            Type::Optional(_) if chance.below(2) == 0 => (Avro::Union(0, Box::new(Avro::Null)), "null".to_owned()),
            Type::Optional(item) => {
                let (value, json) = item.value(chance);
                (Avro::Union(1, Box::new(value)), json)
            }
            Type::Record(fields) => {
                let fields: Vec<(String, (Avro, String))> =
                    fields.iter().enumerate().map(|(nth, field)| (format!("f{nth}"), field.value(chance))).collect();
                let said = fields.iter().filter(|(_, (_, json))| json != "null");
                let json: Vec<String> = said.map(|(name, (_, json))| format!("\"{name}\":{json}")).collect();
                let fields = fields.into_iter().map(|(name, (value, _))| (name, value));
                (Avro::Record(fields.collect()), format!("{{{}}}", json.join(",")))
            }
        }
    }
}

/// Numbers from a seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        mixed ^ (mixed >> 29)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    /// Of any size.
    fn long(&mut self) -> i64 {
        let shift = self.below(64);
        self.next().cast_signed() >> shift
    }

    fn within(&mut self, most: i64) -> i64 {
        self.long() % most
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn epoch() -> DateTime {
    Date::new(1970, 1, 1).unwrap().at(0, 0, 0, 0)
}

fn moment(micros: i64, zone: &str) -> String {
    let span: Span = micros.microseconds();
    quoted(&format!("{}{zone}", epoch().checked_add(span).unwrap()))
}

fn decimal_text(units: i128, scale: usize) -> String {
    let digits = format!("{:0width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{}{whole}.{fraction}", if units < 0 { "-" } else { "" })
}

fn leaf_value(leaf: &str, chance: &mut Chance) -> (Avro, String) {
    // Years 1 to 3000 or so.
    let micros = chance.within(30_000_000_000_000_000);
    let long = chance.long();
    let int = i32::try_from(chance.long() >> 32).unwrap();
    let both = |value: Avro, json: String| (value, json);
    match LEAVES.iter().position(|known| *known == leaf).unwrap() {
        0 => both(Avro::Null, "null".to_owned()),
        1 => both(Avro::Boolean(long > 0), (long > 0).to_string()),
        2 => both(Avro::Int(int), int.to_string()),
        3 => both(Avro::Long(long), long.to_string()),
        4 => {
            let float = f32::from_bits(u32::try_from(chance.next() >> 32).unwrap());
            both(Avro::Float(float), if float.is_finite() { format!("{float:e}") } else { quoted(&float.to_string()) })
        }
        5 => {
            let double = f64::from_bits(chance.next());
            both(Avro::Double(double), if double.is_finite() { format!("{double:e}") } else { quoted(&double.to_string()) })
        }
        6 => both(Avro::Bytes(b"kassa?>".to_vec()), "\"a2Fzc2E/Pg==\"".to_owned()),
        7 => {
            let text = ["", "é\u{1}\t\"\\", "plain", "\u{1F600}\u{7f}\r\n"][usize::try_from(chance.below(4)).unwrap()];
            both(Avro::String(text.to_owned()), quoted(text))
        }
        8 => {
            let nth = u32::try_from(chance.below(3)).unwrap();
            let symbol = ["A", "B", "C"][usize::try_from(nth).unwrap()];
            both(Avro::Enum(nth, symbol.to_owned()), quoted(symbol))
        }
        9 => both(Avro::Fixed(5, b"\xff\x00abc".to_vec()), "\"/wBhYmM=\"".to_owned()),
        10 => {
            let units = i128::from(long) * i128::from(chance.below(10));
            both(Avro::Decimal(Decimal::from(units.to_be_bytes())), decimal_text(units, 4))
        }
        11 => {
            let units = i128::from(long % 1_000_000_000_000_000_000);
            both(Avro::Decimal(Decimal::from(&units.to_be_bytes()[7..])), decimal_text(units, 6))
        }
        12 => {
            let days = i32::try_from(chance.within(300_000)).unwrap();
            let date = epoch().date().checked_add(i64::from(days).days()).unwrap();
            both(Avro::Date(days), quoted(&date.to_string()))
        }
        13 => {
            let millis = i32::try_from(chance.below(86_400_000)).unwrap();
            let text = moment(i64::from(millis) * 1_000, "").replace("1970-01-01T", "");
            both(Avro::TimeMillis(millis), text)
        }
        14 => {
            let micros = i64::try_from(chance.below(86_400_000_000)).unwrap();
            both(Avro::TimeMicros(micros), moment(micros, "").replace("1970-01-01T", ""))
        }
        15 => both(Avro::TimestampMillis(micros / 1_000), moment(micros / 1_000 * 1_000, "Z")),
        16 => both(Avro::TimestampMicros(micros), moment(micros, "Z")),
        17 => both(Avro::TimestampNanos(long), moment(long.div_euclid(1_000), "Z")),
        18 => both(Avro::LocalTimestampMicros(micros), moment(micros, "")),
        _ => {
            let (months, days, millis) = (u32::try_from(int.abs()).unwrap_or(0), 2, 1_500);
            let duration = Duration::new(Months::new(months), Days::new(days), Millis::new(millis));
            both(Avro::Duration(duration), format!("\"P{months}M2DT1.5S\""))
        }
    }
}

/// A schema, a value in it as a datum, and as JSON.
fn sample(kind: &Type, seed: u64) -> (String, apache_avro::Schema, Vec<u8>, String) {
    let text = kind.schema(&mut 0);
    let schema = apache_avro::Schema::parse_str(&text).unwrap();
    let (value, json) = kind.value(&mut Chance(seed));
    let datum = GenericDatumWriter::builder(&schema).build().unwrap().write_value_to_vec(value).unwrap();
    (text, schema, datum, json)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_value_of_any_schema_reads_as_it_was_written(kind in types(), seed: u64) {
        let (text, schema, datum, json) = sample(&kind, seed);
        let found = read(&plan(&text), &datum).unwrap();
        prop_assert_eq!(canonical::hash(&found), canonical::hash(&json), "{}\n{}\n{}", text, found, json);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&found).is_ok() || json.contains('e'), "{}", found);
        let mut rest = datum.as_slice();
        GenericDatumReader::builder(&schema).build().unwrap().read_value(&mut rest).unwrap();
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn a_datum_that_is_cut_or_has_more_is_refused_and_nothing_else_happens(kind in types(), seed: u64, at: prop::sample::Index) {
        let (text, _, mut datum, _) = sample(&kind, seed);
        let plan = plan(&text);
        if !datum.is_empty() {
            let cut = &datum[..at.index(datum.len())];
            let reason = read(&plan, cut).unwrap_err().reason;
            prop_assert_eq!(reason, Reason::NotAvro);
        }
        datum.push(0);
        let letter = read(&plan, &datum).unwrap_err();
        prop_assert_eq!((letter.reason, letter.detail.contains("after the end")), (Reason::NotAvro, true));
    }

    #[test]
    fn what_another_reader_refuses_is_refused(
        kind in types(), seed: u64, changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (text, schema, mut datum, _) = sample(&kind, seed);
        prop_assume!(!datum.is_empty());
        for (at, byte) in changes {
            let at = at.index(datum.len());
            datum[at] = byte;
        }
        let ours = read(&plan(&text), &datum);
        let mut rest = datum.as_slice();
        let theirs = GenericDatumReader::builder(&schema).build().unwrap().read_value(&mut rest);
        if let Ok(json) = &ours {
            prop_assert!(theirs.is_ok(), "{}\n{:?} {}", text, theirs, json);
            prop_assert!(rest.is_empty(), "{}", json);
        }
    }
}

#[test]
fn bombs_are_refused_before_they_cost_anything() {
    let longs = |longs: &[i64]| {
        let schema = apache_avro::Schema::parse_str(r#""long""#).unwrap();
        let writer = GenericDatumWriter::builder(&schema).build().unwrap();
        longs.iter().flat_map(|long| writer.write_value_to_vec(Avro::Long(*long)).unwrap()).collect::<Vec<u8>>()
    };
    let field = |kind: &str| format!(r#"{{"type":"record","name":"R","fields":[{{"name":"f","type":{kind}}}]}}"#);
    let nulls = field(r#"{"type":"array","items":"null"}"#);
    let empties = field(r#"{"type":"map","values":{"type":"record","name":"E","fields":[]}}"#);
    let recursive = r#"{"type":"record","name":"R","fields":[{"name":"f","type":"R"}]}"#.to_owned();
    let list = field(r#"["null","R"]"#);
    let symbols =
        field(&format!(r#"{{"type":"array","items":{{"type":"enum","name":"E","symbols":["{}"]}}}}"#, "x".repeat(10_000)));
    let mut many = longs(&[100_000]);
    many.extend(vec![0; 100_001]);
    // Forty records inside one another, each with the next one twice: 2^40 values of no bytes.
    let mut doubling = r#"{"type":"record","name":"D0","fields":[]}"#.to_owned();
    for nth in 1..40 {
        let inner = nth - 1;
        doubling = format!(
            r#"{{"type":"record","name":"D{nth}","fields":[{{"name":"a","type":{doubling}}},{{"name":"b","type":"D{inner}"}}]}}"#
        );
    }
    let cases: Vec<(String, Vec<u8>, Reason, &str)> = vec![
        (nulls.clone(), longs(&[i64::MAX, 0]), Reason::NotAvro, "items"),
        (nulls.clone(), longs(&[10_001, 0]), Reason::TooLarge, "no bytes"),
        (nulls.clone(), longs(&[i64::MIN, 0, 0]), Reason::NotAvro, "items"),
        (nulls.clone(), longs(&[-3, 1_000_000, 0]), Reason::NotAvro, "a block of 1000000 bytes"),
        (nulls.clone(), longs(&[-3, 1, 0]), Reason::NotAvro, "a block of 1 bytes has 0"),
        (empties, longs(&[1_000_000, 0]), Reason::NotAvro, "items"),
        (field(r#"{"type":"array","items":"long"}"#), longs(&[1_000_000_000, 1]), Reason::NotAvro, "items"),
        (field(r#""bytes""#), longs(&[i64::MAX]), Reason::NotAvro, "a length of"),
        (field(r#""string""#), longs(&[-1]), Reason::NotAvro, "a length of -1"),
        (field(r#""long""#), vec![0xFF; 12], Reason::NotAvro, "more than 64 bits"),
        (field(r#""int""#), longs(&[1 << 40]), Reason::NotAvro, "more than an int"),
        (field(r#""boolean""#), vec![2], Reason::NotAvro, "0 or 1"),
        (field(r#"["null","int"]"#), longs(&[2]), Reason::NotAvro, "branch 2"),
        (field(r#"["null","int"]"#), longs(&[-1]), Reason::NotAvro, "branch -1"),
        (field(r#"{"type":"enum","name":"E","symbols":["a"]}"#), longs(&[1]), Reason::NotAvro, "symbol 1"),
        (field(r#""string""#), vec![4, 0xC3, 0x28], Reason::NotUtf8, "byte 0"),
        (recursive, vec![], Reason::TooDeep, "128"),
        (list, vec![2; 100_000], Reason::TooDeep, "128"),
        (symbols, many, Reason::TooLarge, "as JSON"),
        (doubling, vec![], Reason::TooLarge, "no bytes"),
    ];
    for (schema, datum, reason, words) in cases {
        let began = std::time::Instant::now();
        let letter = read(&plan(&schema), &datum).unwrap_err();
        assert_eq!(letter.reason, reason, "{words}: {letter:?}");
        assert!(letter.detail.contains(words), "{words}: {letter:?}");
        assert!(letter.field.len() < 200 && letter.detail.len() < 200, "{letter:?}");
        assert!(began.elapsed().as_secs() < 2, "{words} took {:?}", began.elapsed());
    }
    let within = read(&plan(&nulls), &longs(&[9_000, 0])).unwrap();
    assert_eq!(within.matches("null").count(), 9_000);
}

#[test]
fn a_letter_names_the_field_at_fault() {
    let schema = r#"{"type":"record","name":"O","fields":[{"name":"lines","type":{"type":"array","items":
        {"type":"record","name":"L","fields":[{"name":"id","type":"int"},{"name":"tags","type":{"type":"map","values":"boolean"}}]}}}]}"#;
    // Two lines; the second has a map with `a`: 7.
    let datum = [4, 2, 0, 4, 2, 2, b'a', 7, 0, 0];
    let letter = read(&plan(schema), &datum).unwrap_err();
    assert_eq!((letter.field.as_ref(), letter.reason), ("lines[1].tags[0].a", Reason::NotAvro));
}

#[test]
fn decimals_are_held_to_their_precision() {
    let digits = |precision: u32| {
        let kind = format!(r#"{{"type":"bytes","logicalType":"decimal","precision":{precision},"scale":2}}"#);
        plan(&format!(r#"{{"type":"record","name":"R","fields":[{{"name":"d","type":{kind}}}]}}"#))
    };
    let datum = |bytes: &[u8]| {
        let mut datum = vec![u8::try_from(bytes.len() * 2).unwrap()];
        datum.extend(bytes);
        datum
    };
    let said = |precision: u32, bytes: &[u8]| read(&digits(precision), &datum(bytes));
    for (units, text) in [(9_999_i128, "99.99"), (-9_999, "-99.99"), (0, "0"), (5, "0.05"), (-100, "-1")] {
        assert_eq!(said(4, &units.to_be_bytes()).unwrap(), format!(r#"{{"d":{text}}}"#));
    }
    assert_eq!(said(4, &[]).unwrap(), r#"{"d":0}"#, "no bytes are zero");
    let mut long = vec![0xFF; 50];
    long.extend(&[0xFF, 0x85]);
    assert_eq!(said(4, &long).unwrap(), r#"{"d":-1.23}"#, "a sign may be repeated");
    for units in [10_000_i128, -10_000, i128::MAX, i128::MIN] {
        let letter = said(4, &units.to_be_bytes()).unwrap_err();
        assert_eq!((letter.reason, letter.field.as_ref()), (Reason::NotAvro, "d"));
        assert!(letter.detail.contains("precision") || letter.detail.contains("more digits than the 4"), "{letter:?}");
    }
    let wide = [&[1_u8][..], &[0; 16]].concat();
    assert_eq!(said(38, &wide).unwrap_err().reason, Reason::NotAvro);
    assert_eq!(said(60, &wide).unwrap_err().reason, Reason::OutOfRange);
}

#[test]
fn floats_are_their_shortest_digits() {
    for (float, text) in
        [(9.99_f64, "9.99"), (0.1, "0.1"), (1e21, "1e21"), (-0.0, "0"), (123_456_789.012, "123456789.012"), (5e-324, "5e-324")]
    {
        let shown = number::shortest(&format!("{float:e}"));
        let plain = shown.map(|(units, scale)| kassa_model::decimal::format_units(units, scale, 0));
        let expected = if float == 5e-324 { None } else { Some(text.replace("1e21", "1000000000000000000000")) };
        assert_eq!(plain, expected, "{text}");
    }
    assert_eq!(number::shortest(&format!("{:e}", 9.99_f32)), Some((999, 2)));
    for none in ["NaN", "inf", "-inf", "1e300", "1e-300"] {
        assert_eq!(number::shortest(none), None, "{none}");
    }
}

#[test]
fn times_that_no_calendar_reaches_stay_numbers() {
    let field = |kind: &str| plan(&format!(r#"{{"type":"record","name":"R","fields":[{{"name":"f","type":{kind}}}]}}"#));
    let mut text = String::new();
    write!(text, "{}", i32::MAX).unwrap();
    // The zigzag varint of i32::MAX.
    let datum = [0xFE, 0xFF, 0xFF, 0xFF, 0x0F];
    for kind in [r#"{"type":"int","logicalType":"date"}"#, r#"{"type":"int","logicalType":"time-millis"}"#] {
        let found = read(&field(kind), &datum).unwrap();
        assert!(found.starts_with(&format!(r#"{{"f":"{text}"#)), "{found}");
    }
}

#[test]
fn frames_are_told_from_what_is_none() {
    assert_eq!(frame(&[0, 0, 0, 1, 2, 9]).unwrap(), (258, &[9][..]));
    assert_eq!(frame(&[0, 0xFF, 0xFF, 0xFF, 0xFF]).unwrap(), (-1, &[][..]));
    for bytes in [&b""[..], b"\0", b"\0\0\0\0", b"{\"a\":1}", b"\x01\0\0\0\x01"] {
        assert_eq!(frame(bytes).unwrap_err().reason, Reason::NotAvro);
        assert_eq!(schema_id(bytes), None);
    }
}

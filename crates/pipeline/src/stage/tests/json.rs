//! The cases on which JSON parsers disagree, by RFC 8259: what must be read, what must be refused, and what kassa does where the
//! standard leaves it open.

use super::*;

/// Values that every parser must read.
#[rustfmt::skip]
const VALUES: &[&str] = &[
    "0", "-0", "1", "-1", "10", "123456789", "-123456789", "0.1", "-0.1", "0.0", "1.5", "0e1", "0E1", "0e+1", "0e-1", "1e1",
    "1E22", "1E-2", "1E+2", "123e45", "123.456e78", "123.456789", "20e1", "1.0000000000000000000000000000001",
    "-0.000000000000000000000000000000000000000000000000000000000000000000000000000001", "100000000000000000000",
    "1234567890123456789", "9223372036854775808", "-9223372036854775809", "18446744073709551616", "true", "false", "null",
    r#""""#, r#""a""#, r#"" ""#, r#""asd""#, r#""\"\\\/\b\f\n\r\t""#, r#""\u0060\u012a\u12AB""#, r#""\ud801\udc37""#,
    r#""\ud83d\ude39\ud83d\udc8d""#, r#""\u0000""#, r#""\u0012""#, r#""\u001F""#, r#""\uFFFF""#, r#""\uDBFF\uDFFE""#,
    r#""\u005C""#, r#""\u0022""#, r#""\u0020""#, r#""\uA66D""#, r#""\u2028""#, r#""\u200B""#, r#""\\u0000""#, r#""\\n""#,
    r#""\\a""#, r#""€𝄞""#, r#""π""#, r#""a/*b*/c/*d//e""#, r#""new\u000Aline""#, r#""\uFDD0""#, "[]", "[ ]", "[1]", "[null]",
    r#"[1, "1", {}]"#, "[[]]", r#"["a"]"#, "[1,2,3]", "[[[[]]]]", "[ 1]", "[1 ]", r#"[null, 1, "1", {}]"#, "[false]",
    r#"[""]"#, "{}", "{ }", r#"{"a":1}"#, r#"{"":0}"#, r#"{"a":{}}"#, r#"{"a":[]}"#, r#"{"a":"b","c":"d"}"#,
    r#"{"foo\u0000bar": 42}"#, r#"{"a":1,"a":1}"#, r#"{"a":1,"a":2}"#, r#"{"title":"\u041f\u043e"}"#,
    r#"{"min": -1.0e+28, "max": 1.0e+28}"#,
];

/// What is no value, and must be refused.
#[rustfmt::skip]
const NO_VALUES: &[&str] = &[
    "-", "+1", "++1", "01", "-01", "012", "00", "1.", ".1", "-.1", "1e", "1E", "1e+", "1e-", "1.e1", "1.0e", "1.0e+", ".e1",
    "2.e3", "0.1.2", "0.3e", "0e", "0e+", "1eE2", "1 000", "1_000", "1.2a", "1ea", "- 1", "--1", "+-1", "-+1", "0x1", "0x42",
    "0X1F", "1,2 3", "NaN", "-NaN", "nan", "Infinity", "-Infinity", "+Inf", "Inf", "-foo", "１", "1+2", "1a", "-1x", "tru",
    "truee", "True", "TRUE", "fals", "False", "nul", "nulls", "Null", "None", "undefined", "nil", "'a'", "a", r#""a"#, r#"a""#,
    r#"""#, r#""\""#, r#""\x41""#, r#""\a""#, r#""\'""#, r#""\u""#, r#""\u1""#, r#""\u12""#, r#""\u123""#, r#""\u00G0""#,
    r#""\uqqqq""#, r#""\U0041""#, r#""\0""#, r#""\ ""#, r#""\🌀""#, r#""\"#, r#""" """#, r#""a" "b""#, "`a`", "“a”", "[", "]",
    "[1", "[1,", "[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]", "[1:2]", r#"["a","#, r#"["a""#, "[1]]", "[[1]", "[}", "[1}",
    "[1;2]", r#"["x"]]"#, "[3[4]]", "[1,\n1\n,1", r#"[\u000A""]"#, "[\u{2060}]", r#"[\a]"#, "[*]", "[<null>]", "[a", r#"["""#, "{",
    "{]", r#"{"a"}"#, r#"{"a":}"#, r#"{"a" 1}"#, r#"{"a":1,}"#, r#"{,"a":1}"#, r#"{"a":1 "b":2}"#, r#"{"a":1,,"b":2}"#,
    "{a:1}", "{'a':1}", "{1:1}", "{null:1}", r#"{"a":1;"b":2}"#, r#"{"a"::1}"#, r#"{"a":"b}"#, r#"{"a":"a" 123}"#, r#"{"a":1"#,
    r#"{"a":1,"#, "{[]:1}", r#"{"x", null}"#, r#"{"a":/*c*/1}"#, "{:1}", r#"{"a":1}}"#, r#"{"a":b}"#, "{=1}", "/* c */ 1",
    "1 // c", "1 # c", "<!-- -->", "<.>", "&", "$", "*", "=1", "(1)",
];

/// An event with this as the value of a field.
fn around(field: &str, value: &str) -> Vec<u8> {
    format!("{{\"event_id\":\"e\",\"occurred_at\":0,\"type\":\"t\",\"{field}\":{value}}}").into_bytes()
}

fn of(value: &[u8]) -> String {
    verdict(Contract::Event, value).0
}

#[test]
fn every_value_is_read_and_kept_as_it_came() {
    for value in VALUES {
        let done = accepted(Contract::Event, std::str::from_utf8(&around("x", value)).unwrap());
        assert_eq!(done.rows(Table::FactEvent)[0]["extra"], format!("{{\"x\":{value}}}"));
    }
}

#[test]
fn what_is_no_value_is_refused_in_any_field() {
    for value in NO_VALUES {
        for field in ["x", "url", "price", "quantity"] {
            assert_eq!(of(&around(field, value)), "not_json", "{field}: {value}");
        }
        let nested = with(Contract::Order, "lines", "[7]").replace("[7]", &format!("[{{\"x\":{value}}}]"));
        assert_eq!(verdict(Contract::Order, nested.as_bytes()).0, "not_json", "{value}");
    }
}

#[test]
fn control_characters_stand_in_no_string_unescaped() {
    for byte in 0..0x20_u8 {
        for value in [
            format!("\"{}\"", char::from(byte)),
            format!("[\"a{}\"]", char::from(byte)),
            format!("{{\"{}\":1}}", char::from(byte)),
        ] {
            assert_eq!(of(&around("x", &value)), "not_json", "{value:?}");
        }
    }
    accepted(Contract::Event, std::str::from_utf8(&around("x", "\"\u{7f}\"")).unwrap());
}

#[test]
fn only_the_four_white_spaces_stand_between_tokens() {
    let text = minimal(Contract::Event);
    for space in [" ", "\t", "\n", "\r", " \r\n\t "] {
        let spaced = format!(
            "{space}{}{space}",
            text.replace(',', &format!("{space},{space}")).replace("\":", &format!("\"{space}:{space}"))
        );
        assert_eq!(of(spaced.as_bytes()), "accepted", "{space:?}");
    }
    for space in ["\u{a0}", "\u{2060}", "\u{c}", "\u{b}", "\u{0}", "\u{85}", "\u{3000}", "\u{feff}", "\u{2028}"] {
        assert_eq!(of(text.replacen(',', &format!(",{space}"), 1).as_bytes()), "not_json", "{space:?}");
        assert_eq!(of(format!("{text}{space}").as_bytes()), "not_json", "{space:?}");
    }
}

#[test]
fn a_record_is_one_object_from_end_to_end() {
    let text = minimal(Contract::Event);
    for (value, reason) in [
        (String::new(), "not_json"),
        (" \n".to_owned(), "not_json"),
        (format!("{text}{text}"), "not_json"),
        (format!("{text},"), "not_json"),
        (format!("{text}]"), "not_json"),
        (format!("{text}\0"), "not_json"),
        (format!("{text} x"), "not_json"),
        (format!(",{text}"), "not_json"),
        (format!("\u{feff}{text}"), "not_json"),
        (format!("// c\n{text}"), "not_json"),
        (format!("{text}/**/"), "not_json"),
        (text[..text.len() - 1].to_owned(), "not_json"),
        (text.replace('"', "'"), "not_json"),
        (text.replace('}', ",}"), "not_json"),
        (format!("[{text}]"), "not_an_object"),
        ("[]".to_owned(), "not_an_object"),
        ("null".to_owned(), "not_an_object"),
        ("1".to_owned(), "not_an_object"),
        ("true".to_owned(), "not_an_object"),
        ("\"x\"".to_owned(), "not_an_object"),
        ("{}".to_owned(), "missing_field"),
    ] {
        assert_eq!(of(value.as_bytes()), reason, "{value:?}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_told_apart_from_bad_json() {
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2], mark: &[u8]| {
        [mark.to_vec(), text.encode_utf16().flat_map(bytes).collect()].concat()
    };
    let text = minimal(Contract::Event);
    for (value, reason) in [
        (around("x", "\"\u{e9}\""), "accepted"),
        (b"{\"x\":\"\xe9\"}".to_vec(), "not_utf8"),
        (b"{\"x\":\"\xed\xa0\x80\"}".to_vec(), "not_utf8"),
        (b"{\"x\":\"\xc0\xaf\"}".to_vec(), "not_utf8"),
        (b"{\"x\":\"\xf4\xbf\xbf\xbf\"}".to_vec(), "not_utf8"),
        (b"{\"x\":\"\xfc\x83\xbf\xbf\xbf\xbf\"}".to_vec(), "not_utf8"),
        (b"{\"\xff\":1}".to_vec(), "not_utf8"),
        (b"{\"x\":1}\xe5".to_vec(), "not_utf8"),
        (b"\xef\xbb".to_vec(), "not_utf8"),
        (utf16(text, u16::to_le_bytes, b"\xff\xfe"), "not_utf8"),
        (utf16(text, u16::to_be_bytes, b"\xfe\xff"), "not_utf8"),
        (utf16(text, u16::to_le_bytes, b""), "not_json"),
    ] {
        assert_eq!(of(&value), reason, "{:?}", String::from_utf8_lossy(&value));
    }
}

/// RFC 8259 lets a parser accept or refuse these. A lone surrogate is no text, so no field can hold it; in an unknown field it is
/// kept as it came.
#[test]
fn where_the_standard_leaves_it_open_a_field_refuses_and_an_unknown_field_keeps() {
    for value in [
        r#""\uD800""#,
        r#""\uDADA""#,
        r#""\uDFAA""#,
        r#""\uD888\u1234""#,
        r#""\uD800\n""#,
        r#""\uDd1e\uD834""#,
        r#""\uD800\uD800\n""#,
        r#""\ud800abc""#,
        r#""a\udc00""#,
    ] {
        assert_eq!(verdict(Contract::Event, &around("url", value)), ("not_json".to_owned(), "url".to_owned()), "{value}");
        assert_eq!(verdict(Contract::Event, &around("event_kind", value)).0, "accepted", "{value}");
        assert_eq!(of(&around("x", &format!("{{\"k\":[{value}]}}"))), "accepted", "{value}");
        let as_name = format!("{{{value}:1}}");
        assert_eq!(of(as_name.as_bytes()), "not_json", "{as_name}");
    }
    for (value, reason) in [
        ("1e999", "out_of_range"),
        ("-1e999", "out_of_range"),
        ("1e-400", "too_precise"),
        ("123123e100000", "out_of_range"),
        ("-123123123123123123123123123123", "out_of_range"),
        (
            "0.4e00669999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999969999999006",
            "out_of_range",
        ),
        ("1.8011670033376514E-308", "too_precise"),
        ("0e999999999999999999999999", "accepted"),
        ("-0", "accepted"),
        ("-0e-1", "accepted"),
        ("0.00000000000000000000000000000000000000000000000000", "accepted"),
    ] {
        assert_eq!(of(&around("price", value)), reason, "{value}");
        assert_eq!(of(&around("x", value)), "accepted", "{value}");
    }
}

#[test]
fn nesting_is_read_to_128_levels() {
    for (depth, reason) in [(1, "accepted"), (126, "accepted"), (127, "accepted"), (128, "too_deep"), (500, "too_deep")] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let value = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(of(&around("x", &value)), reason, "{depth} of {open}");
            assert_eq!(
                of(format!("{}1{}", open.repeat(depth + 1), close.repeat(depth + 1)).as_bytes()),
                if reason == "accepted" { if open == "[" { "not_an_object" } else { "missing_field" } } else { "too_deep" }
            );
        }
        let brackets = format!("\"{}\"", "[".repeat(depth));
        assert_eq!(of(&around("x", &brackets)), "accepted", "brackets in a text do not nest");
    }
}

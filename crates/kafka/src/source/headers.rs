//! Headers in the archive: a JSON array of [name, value], in order, with repeated ones. A value is
//! a string if it is UTF-8, `{"hex": "00ff"}` if not, and null if there is none, so that every byte
//! can be recovered.

use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rdkafka::message::{BorrowedHeaders, Headers};

/// Kafka's protocol requires UTF-8 for a header's name, but no broker checks it, and the client
/// library panics on other names.
const UNREADABLE: &str = r#"[[null,{"unreadable":"a header's name is not UTF-8"}]]"#;

pub(super) fn text(headers: &BorrowedHeaders) -> Option<Arc<str>> {
    if headers.count() == 0 {
        return None;
    }
    let rendered = catch_unwind(AssertUnwindSafe(|| render(headers.iter().map(|header| (header.key, header.value)))));
    Some(rendered.unwrap_or_else(|_| UNREADABLE.into()))
}

fn render<'h>(headers: impl Iterator<Item = (&'h str, Option<&'h [u8]>)>) -> Arc<str> {
    let mut text = String::from("[");
    for (name, value) in headers {
        let separator = if text.len() > 1 { "," } else { "" };
        let value = match value.map(|bytes| (str::from_utf8(bytes), bytes)) {
            None => "null".into(),
            Some((Ok(value), _)) => serde_json::Value::from(value).to_string(),
            Some((Err(_), bytes)) => bytes.iter().fold(String::from("{\"hex\":\""), hex) + "\"}",
        };
        text.push_str(&format!("{separator}[{},{value}]", serde_json::Value::from(name)));
    }
    text.push(']');
    text.into()
}

fn hex(mut text: String, byte: &u8) -> String {
    // Writing to a string cannot fail.
    write!(text, "{byte:02x}").ok();
    text
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn every_byte_of_a_header_can_be_recovered() {
        let headers: [(&str, Option<&[u8]>); 5] =
            [("a", Some(b"1")), ("a", Some(b"\"2\"\n")), ("", None), ("b\u{1}", Some(&[0, 0xff])), ("empty", Some(b""))];
        let text = render(headers.into_iter());
        assert_eq!(&*text, r#"[["a","1"],["a","\"2\"\n"],["",null],["b\u0001",{"hex":"00ff"}],["empty",""]]"#);
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
}

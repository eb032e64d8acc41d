//! A hash of the meaning of a JSON text: the order of keys, white space, escapes and the spelling of numbers (`1.0`, `1.00`,
//! `1e0`) do not change it.

use xxhash_rust::xxh3::xxh3_64;

/// The hash of a JSON value that a parser has accepted and that nests no deeper than [`crate::decode`] allows.
pub(crate) fn hash(json: &str) -> u64 {
    Scan { json, at: 0 }.value()
}

struct Scan<'t> {
    json: &'t str,
    at: usize,
}

impl Scan<'_> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.json.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Goes beyond `byte`, if it comes next.
    fn pass(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self) -> u64 {
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.text(),
            _ => self.word(),
        }
    }

    /// The sum over the fields, so that their order makes no difference.
    fn object(&mut self) -> u64 {
        self.at += 1;
        let mut sum = 0_u64;
        while self.peek() == Some(b'"') {
            let name = self.text();
            self.pass(b':');
            sum = sum.wrapping_add(mix(name, self.value()));
            self.pass(b',');
        }
        self.pass(b'}');
        mix(sum, 1)
    }

    fn array(&mut self) -> u64 {
        self.at += 1;
        let mut all = 2;
        while self.peek().is_some_and(|byte| byte != b']') {
            all = mix(all, self.value());
            self.pass(b',');
        }
        self.pass(b']');
        mix(all, 3)
    }

    fn text(&mut self) -> u64 {
        let start = self.at;
        let bytes = &self.json.as_bytes()[start + 1..];
        let mut length = 0;
        let mut escaped = false;
        while let Some(at) = memchr::memchr2(b'"', b'\\', &bytes[length..]) {
            length += at;
            if bytes[length] == b'"' {
                break;
            }
            escaped = true;
            length += 2;
        }
        let end = (start + length + 2).min(self.json.len());
        self.at = end;
        let quoted = &self.json[start..end];
        // A lone surrogate cannot be decoded: hash its raw text.
        match escaped.then(|| serde_json::from_str::<String>(quoted)) {
            Some(Ok(text)) => xxh3_64(text.as_bytes()),
            _ => xxh3_64(&self.json.as_bytes()[start + 1..end.max(start + 2) - 1]),
        }
    }

    /// `true`, `false`, `null` or a number.
    fn word(&mut self) -> u64 {
        let rest = &self.json[self.at..];
        let end = rest.find(|c: char| matches!(c, ',' | '}' | ']') || c.is_ascii_whitespace()).unwrap_or(rest.len());
        // Each iteration consumes a byte, even in a text that no parser has accepted.
        self.at += end.max(1).min(rest.len());
        let word = &rest[..end];
        mix(number(word).unwrap_or_else(|| xxh3_64(word.as_bytes())), 4)
    }
}

/// Significant digits and the power of ten of the last of them.
fn number(word: &str) -> Option<u64> {
    let (sign, digits) = word.strip_prefix('-').map_or((0, word), |digits| (1, digits));
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: String = [whole, fraction].concat();
    let significant = all.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let zeros = all.len() - all.trim_end_matches('0').len();
    let moved = i64::try_from(zeros).ok()?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let exponent = exponent.parse::<i64>().ok()?.checked_add(moved)?;
    Some(mix(mix(xxh3_64(significant.as_bytes()), sign), u64::from_ne_bytes(exponent.to_ne_bytes())))
}

fn mix(state: u64, value: u64) -> u64 {
    let mixed = (state.rotate_left(23) ^ value).wrapping_mul(0x9FB2_1C65_1E98_DF25);
    mixed ^ (mixed >> 29)
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn spelling_makes_no_difference_and_everything_else_does() {
        for (one, other) in [
            (r#"{"a":1,"b":[true,null]}"#, " { \"b\" : [ true , null ] ,\n\"a\" : 1 } "),
            ("1.0", "1.00"),
            ("100", "1e2"),
            ("1.50E+1", "15"),
            ("0.010", "1e-2"),
            ("-0.0", "0"),
            (r#""\u0041\/""#, r#""A/""#),
            (r#"[{"x":{"y":"é"}}]"#, r#"[{"x":{"y":"\u00e9"}}]"#),
            ("1e400", "10e399"),
        ] {
            assert_eq!(hash(one), hash(other), "{one} and {other}");
        }
        let distinct = [
            "0",
            "1",
            "-1",
            "10",
            "0.1",
            "12345678901234567890",
            "12345678901234567891",
            "true",
            "false",
            "null",
            "\"\"",
            "\"1\"",
            "\"true\"",
            "[]",
            "{}",
            "[1]",
            "[[1]]",
            "[1,2]",
            "[2,1]",
            "[12]",
            r#"{"a":1}"#,
            r#"{"a":2}"#,
            r#"{"b":1}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
            r#"["a","b"]"#,
            r#"["ab"]"#,
            r#""\ud800""#,
            r#""\ud801""#,
        ];
        for (at, one) in distinct.iter().enumerate() {
            for other in &distinct[..at] {
                assert_ne!(hash(one), hash(other), "{one} and {other}");
            }
        }
    }
}

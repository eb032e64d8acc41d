//! Writes a record's JSON directly to a reused buffer: a tree of values per record would cost more
//! than everything else.

use kassa_model::time::DAY;

/// How a newer version of the producer writes the same facts. All forms are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drift {
    None,
    /// Amounts and quantities are texts.
    TextNumbers,
    /// Times are epoch milliseconds.
    EpochMillis,
    /// Fields that the contract does not have.
    NewFields,
}

/// The object of the record being written. Texts are written unchanged: the word lists contain
/// escaped texts.
#[derive(Debug)]
pub(super) struct Json<'a> {
    out: &'a mut Vec<u8>,
    drift: Drift,
}

impl<'a> Json<'a> {
    pub(super) fn open(out: &'a mut Vec<u8>, event_id: u64, drift: Drift) -> Self {
        out.extend_from_slice(b"{\"event_id\":\"");
        opaque(out, event_id);
        out.push(b'"');
        Self { out, drift }
    }

    pub(super) fn close(mut self) {
        match self.drift {
            Drift::None => {}
            Drift::NewFields => {
                self.text("schema_version", "2").text("loyalty_tier", "gold").integer("app_build", 4_711);
                self.out.extend_from_slice(b",\"experiment\":{\"name\":\"pdp-v2\",\"arm\":\"b\"}");
            }
            Drift::TextNumbers | Drift::EpochMillis => {
                self.text("schema_version", "2");
            }
        }
        self.out.push(b'}');
    }

    fn key(&mut self, key: &str) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    pub(super) fn text(&mut self, key: &str, text: &str) -> &mut Self {
        self.texts(key, &[text])
    }

    /// A text of several parts.
    pub(super) fn texts(&mut self, key: &str, parts: &[&str]) -> &mut Self {
        self.key(key);
        self.quoted(parts);
        self
    }

    fn quoted(&mut self, parts: &[&str]) {
        self.out.push(b'"');
        for part in parts {
            self.out.extend_from_slice(part.as_bytes());
        }
        self.out.push(b'"');
    }

    /// An id with a prefix and 13 opaque characters.
    pub(super) fn opaque_id(&mut self, key: &str, prefix: &str, id: u64) -> &mut Self {
        self.key(key);
        self.out.push(b'"');
        self.out.extend_from_slice(prefix.as_bytes());
        opaque(self.out, id);
        self.out.push(b'"');
        self
    }

    /// An id with a prefix in parts, a number of at least six digits and a suffix.
    pub(super) fn id(&mut self, key: &str, prefix: &[&str], number: u64, suffix: &str) -> &mut Self {
        self.key(key);
        self.out.push(b'"');
        prefix.iter().for_each(|part| self.out.extend_from_slice(part.as_bytes()));
        digits(self.out, number, 6);
        self.out.extend_from_slice(suffix.as_bytes());
        self.out.push(b'"');
        self
    }

    pub(super) fn integer(&mut self, key: &str, value: u64) -> &mut Self {
        self.key(key);
        digits(self.out, value, 1);
        self
    }

    pub(super) fn flag(&mut self, key: &str, value: bool) -> &mut Self {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// 10^-6 units with at least `least` fractional digits.
    pub(super) fn amount(&mut self, key: &str, micros: i64, least: u32) -> &mut Self {
        self.decimal(key, micros, 6, least)
    }

    /// 10^-3 units.
    pub(super) fn quantity(&mut self, key: &str, milli: i64) -> &mut Self {
        self.decimal(key, milli, 3, 0)
    }

    /// 10^-`scale` units.
    pub(super) fn decimal(&mut self, key: &str, units: i64, scale: u32, least: u32) -> &mut Self {
        self.key(key);
        self.decimal_value(units, scale, least);
        self
    }

    fn decimal_value(&mut self, units: i64, scale: u32, least: u32) {
        let as_text = self.drift == Drift::TextNumbers;
        if as_text {
            self.out.push(b'"');
        }
        if units < 0 {
            self.out.push(b'-');
        }
        let one = 10_u64.pow(scale);
        let size = units.unsigned_abs();
        digits(self.out, size / one, 1);
        let (mut fraction, mut places) = (size % one, scale);
        while places > least && fraction % 10 == 0 {
            fraction /= 10;
            places -= 1;
        }
        if places > 0 {
            self.out.push(b'.');
            digits(self.out, fraction, places as usize);
        }
        if as_text {
            self.out.push(b'"');
        }
    }

    /// µs UTC, written to the millisecond.
    pub(super) fn time(&mut self, key: &str, micros: i64) -> &mut Self {
        self.key(key);
        if self.drift == Drift::EpochMillis {
            digits(self.out, (micros / 1_000).unsigned_abs(), 1);
            return self;
        }
        let (year, month, day) = civil(micros.div_euclid(DAY));
        let millis = (micros.rem_euclid(DAY) / 1_000) as u64;
        let out = &mut *self.out;
        out.push(b'"');
        for (value, places, after) in [
            (year, 4, b'-'),
            (month, 2, b'-'),
            (day, 2, b'T'),
            (millis / 3_600_000, 2, b':'),
            (millis / 60_000 % 60, 2, b':'),
            (millis / 1_000 % 60, 2, b'.'),
            (millis % 1_000, 3, b'Z'),
        ] {
            digits(out, value, places);
            out.push(after);
        }
        out.push(b'"');
        self
    }

    pub(super) fn date(&mut self, key: &str, date_key: i32) -> &mut Self {
        let date = u64::from(date_key.unsigned_abs());
        self.key(key);
        self.out.push(b'"');
        digits(self.out, date / 10_000, 4);
        self.out.push(b'-');
        digits(self.out, date / 100 % 100, 2);
        self.out.push(b'-');
        digits(self.out, date % 100, 2);
        self.out.push(b'"');
        self
    }

    pub(super) fn array_of_texts(&mut self, key: &str, texts: &[&str]) -> &mut Self {
        self.key(key);
        self.out.push(b'[');
        for (at, text) in texts.iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            self.quoted(&[text]);
        }
        self.out.push(b']');
        self
    }

    /// A nested object; `write` writes its fields.
    pub(super) fn object(&mut self, key: &str, write: impl FnOnce(&mut Self)) -> &mut Self {
        self.key(key);
        self.nested(write);
        self
    }

    /// An array of objects; `write` is called for each item.
    pub(super) fn objects<T>(&mut self, key: &str, items: &[T], mut write: impl FnMut(&mut Self, &T)) -> &mut Self {
        self.key(key);
        self.out.push(b'[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            self.nested(|json| write(json, item));
        }
        self.out.push(b']');
        self
    }

    fn nested(&mut self, write: impl FnOnce(&mut Self)) {
        let from = self.out.len();
        write(self);
        // The first field has written a comma at the position of the brace.
        self.out[from] = b'{';
        self.out.push(b'}');
    }
}

/// Crockford's base 32: no letter looks like a digit.
const SIGNS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// 13 characters of five bits.
fn opaque(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&std::array::from_fn::<u8, 13, _>(|at| SIGNS[(value >> (60 - 5 * at)) as usize & 31]));
}

/// At least `places` digits, with leading zeros.
pub(super) fn digits(out: &mut Vec<u8>, mut value: u64, places: usize) {
    let mut buffer = [b'0'; 20];
    let mut at = buffer.len();
    while value > 0 {
        at -= 1;
        buffer[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    at = at.min(buffer.len() - places);
    out.extend_from_slice(&buffer[at..]);
}

/// Year, month and day for days since 1970-01-01 (Howard Hinnant's public algorithm).
fn civil(days: i64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year as u64, month as u64, (of_year - (153 * shifted + 2) / 5 + 1) as u64)
}

#[cfg(test)]
mod tests;

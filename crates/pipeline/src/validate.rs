//! Validates a payload's slots against the contract, field by field in the contract's order, and hashes the accepted values.

use jiff::tz::TimeZone;
use kassa_model::decimal::{Decimal, DecimalError};
use kassa_model::time::{self, TimeError};
use kassa_model::{Amount, Currency, DeadLetter, Quantity, Rate, Reason, country, key, short};

use crate::canonical;
use crate::decode::{Layout, Payload, Value, shorten};

/// Reads one payload's fields in the order of its layout. Every read advances by one slot.
#[derive(Debug)]
pub struct Reader<'r, 'a> {
    layout: &'r Layout,
    payload: &'r Payload<'a>,
    zone: &'r TimeZone,
    at: usize,
    hash: u64,
}

type Read<T> = Result<Option<T>, DeadLetter>;

impl<'r, 'a> Reader<'r, 'a> {
    pub fn new(layout: &'r Layout, payload: &'r Payload<'a>, zone: &'r TimeZone) -> Self {
        Self { layout, payload, zone, at: 0, hash: 0 }
    }

    /// The hash of every value read since the start or the last [`forget`](Self::forget): equal contents, equal hash.
    pub fn content_hash(&self) -> i64 {
        let extra = if self.payload.extra.is_empty() { 0 } else { canonical::hash(&self.payload.extra) };
        key::positive(mix(self.hash, extra))
    }

    /// Excludes the fields read so far from the hash: ids and delivery details of the envelope.
    pub fn forget(&mut self) {
        self.hash = 0;
    }

    pub fn extra(&self) -> Option<&'r str> {
        Some(self.payload.extra.as_str()).filter(|extra| !extra.is_empty())
    }

    pub fn zone(&self) -> &'r TimeZone {
        self.zone
    }

    #[inline(always)]
    fn next(&mut self, name: &str) -> (usize, &'r Value<'a>) {
        let at = self.at;
        debug_assert_eq!(self.layout.names[at], name, "fields are read in the contract's order");
        self.at += 1;
        (at, self.payload.get(at))
    }

    fn letter(&self, at: usize, reason: Reason, detail: impl Into<String>) -> DeadLetter {
        DeadLetter::new(reason, self.layout.path(at), detail.into())
    }

    fn absorb(&mut self, at: usize, value: u64) {
        self.hash = mix(self.hash, value ^ u64::try_from(at).unwrap_or(0).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    }

    fn absorb_int(&mut self, at: usize, value: i64) {
        self.absorb(at, u64::from_ne_bytes(value.to_ne_bytes()));
    }

    /// A required field; absent, null and empty count as missing.
    pub fn must<T>(&self, read: Option<T>) -> Result<T, DeadLetter> {
        read.ok_or_else(|| self.letter(self.at - 1, Reason::MissingField, "the contract requires this field"))
    }

    /// A dead letter about the field read last.
    pub fn refuse(&self, reason: Reason, detail: impl Into<String>) -> DeadLetter {
        self.letter(self.at - 1, reason, detail)
    }

    #[inline(always)]
    fn text_of(&mut self, name: &str, limit: usize) -> Read<&'r str> {
        match self.next(name) {
            (_, Value::Absent) => Ok(None),
            (at, value) => self.text_in(at, value, limit),
        }
    }

    fn text_in(&mut self, at: usize, value: &'r Value<'a>, limit: usize) -> Read<&'r str> {
        let text = match value {
            Value::Text(text) => text.as_ref(),
            Value::Number(digits) => digits,
            _ => return Err(self.letter(at, Reason::WrongType, "expected a text")),
        };
        if text.is_empty() {
            return Ok(None);
        }
        let hash = check_text(text, limit).map_err(|(reason, detail)| self.letter(at, reason, detail))?;
        self.absorb(at, hash);
        Ok(Some(text))
    }

    pub fn id(&mut self, name: &str) -> Read<&'r str> {
        self.text_of(name, ID_MAX)
    }

    pub fn text(&mut self, name: &str) -> Read<&'r str> {
        self.text_of(name, TEXT_MAX)
    }

    pub fn long_text(&mut self, name: &str) -> Read<&'r str> {
        self.text_of(name, LONG_TEXT_MAX)
    }

    #[inline(always)]
    fn decimal<const SCALE: u32>(&mut self, name: &str) -> Read<Decimal<SCALE>> {
        match self.next(name) {
            (_, Value::Absent) => Ok(None),
            (at, value) => self.decimal_in(at, value),
        }
    }

    fn decimal_in<const SCALE: u32>(&mut self, at: usize, value: &Value<'a>) -> Read<Decimal<SCALE>> {
        let read = match value {
            Value::Text(text) if text.is_empty() => return Ok(None),
            Value::Text(text) => Decimal::<SCALE>::parse(text),
            Value::Number(digits) => Decimal::<SCALE>::parse(digits),
            Value::Decimal(units, scale) => Decimal::<SCALE>::from_scaled(*units, *scale),
            Value::Integer(whole) => Decimal::<SCALE>::from_scaled(i128::from(*whole), 0),
            _ => return Err(self.letter(at, Reason::WrongType, "expected a decimal number or a text with one")),
        };
        let decimal = read.map_err(|error| {
            let reason = match error {
                DecimalError::NotFinite => Reason::NotADecimal,
                DecimalError::TooPrecise(_) => Reason::TooPrecise,
                DecimalError::TooLarge => Reason::OutOfRange,
            };
            self.letter(at, reason, error.to_string())
        })?;
        self.absorb_int(at, decimal.0);
        Ok(Some(decimal))
    }

    pub fn amount(&mut self, name: &str) -> Read<Amount> {
        self.decimal(name)
    }

    pub fn quantity(&mut self, name: &str) -> Read<Quantity> {
        self.decimal(name)
    }

    pub fn rate(&mut self, name: &str) -> Read<Rate> {
        self.decimal(name)
    }

    pub fn integer(&mut self, name: &str) -> Read<i64> {
        let (at, value) = self.next(name);
        let whole = match value {
            Value::Absent => return Ok(None),
            Value::Text(text) if text.is_empty() => return Ok(None),
            Value::Text(text) => text.parse().ok(),
            Value::Number(digits) => digits.parse().ok(),
            Value::Integer(whole) => Some(*whole),
            Value::Decimal(units, 0) => i64::try_from(*units).ok(),
            _ => None,
        };
        let whole = whole.ok_or_else(|| self.letter(at, Reason::WrongType, "expected a whole number"))?;
        self.absorb_int(at, whole);
        Ok(Some(whole))
    }

    pub fn boolean(&mut self, name: &str) -> Read<bool> {
        let (at, value) = self.next(name);
        let truth = match value {
            Value::Absent => return Ok(None),
            Value::Bool(truth) => Some(*truth),
            Value::Text(text) => match text.as_ref() {
                "" => return Ok(None),
                "true" | "TRUE" | "True" | "1" => Some(true),
                "false" | "FALSE" | "False" | "0" => Some(false),
                _ => None,
            },
            Value::Integer(0) | Value::Number("0") => Some(false),
            Value::Integer(1) | Value::Number("1") => Some(true),
            _ => None,
        };
        let truth = truth.ok_or_else(|| self.letter(at, Reason::WrongType, "expected true or false"))?;
        self.absorb(at, u64::from(truth) + 1);
        Ok(Some(truth))
    }

    /// µs UTC.
    pub fn timestamp(&mut self, name: &str) -> Read<i64> {
        let (at, value) = self.next(name);
        let read = match value {
            Value::Absent => return Ok(None),
            Value::Text(text) if text.is_empty() => return Ok(None),
            Value::Text(text) => time::parse(text, self.zone),
            Value::Number(digits) => digits.parse().map_err(|_| TimeError::NotATime).and_then(time::from_epoch),
            Value::Integer(epoch) => time::from_epoch(*epoch),
            Value::Micros(micros) => time::in_range(*micros),
            _ => Err(TimeError::NotATime),
        };
        let micros = read.map_err(|error| self.letter(at, Reason::BadTimestamp, error.to_string()))?;
        self.absorb_int(at, micros);
        Ok(Some(micros))
    }

    /// yyyymmdd.
    pub fn day(&mut self, name: &str) -> Read<i32> {
        let Some(text) = self.id(name)? else { return Ok(None) };
        let date = time::parse_day(text).ok_or_else(|| self.refuse(Reason::BadTimestamp, "expected a day such as 2026-01-31"))?;
        Ok(Some(time::date_key(date)))
    }

    pub fn currency(&mut self, name: &str) -> Read<Currency> {
        let Some(code) = self.id(name)? else { return Ok(None) };
        let currency = Currency::parse(code);
        currency
            .map(Some)
            .ok_or_else(|| self.refuse(Reason::UnknownCurrency, format!("`{}` is not an ISO 4217 code", shorten(code))))
    }

    /// The alpha-2 code.
    pub fn country(&mut self, name: &str) -> Read<&'static str> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let code = country::code_of(text);
        code.map(Some).ok_or_else(|| {
            self.refuse(Reason::UnknownCountry, format!("`{}` is neither an ISO 3166-1 code nor a known name", shorten(text)))
        })
    }

    /// Levels of a category, outermost first, joined by ` > `.
    pub fn category(&mut self, name: &str) -> Read<String> {
        let Some(levels) = self.texts_of(name, Some('>'))? else { return Ok(None) };
        if levels.len() > 5 {
            return Err(self.refuse(Reason::OutOfRange, "a category has at most 5 levels"));
        }
        Ok(Some(levels.join(" > ")).filter(|path| !path.is_empty()))
    }

    /// A list of texts, joined by commas.
    pub fn texts(&mut self, name: &str) -> Read<String> {
        Ok(self.texts_of(name, Some(','))?.map(|texts| texts.join(",")).filter(|texts| !texts.is_empty()))
    }

    fn texts_of(&mut self, name: &str, separator: Option<char>) -> Read<Vec<String>> {
        let (at, value) = self.next(name);
        let texts: Vec<String> = match value {
            Value::Absent => return Ok(None),
            Value::Text(text) => match separator {
                Some(separator) => text.split(separator).map(|part| part.trim().to_owned()).collect(),
                None => vec![text.to_string()],
            },
            Value::Nested(json) => {
                serde_json::from_str(json).map_err(|_| self.letter(at, Reason::WrongType, "expected an array of texts"))?
            }
            _ => return Err(self.letter(at, Reason::WrongType, "expected an array of texts")),
        };
        let texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
        for text in &texts {
            let hash = check_text(text, TEXT_MAX).map_err(|(reason, detail)| self.letter(at, reason, detail))?;
            self.absorb(at, hash);
        }
        Ok(Some(texts))
    }

    /// The JSON of a nested array, not decoded: its lines have hashes of their own.
    pub fn nested(&mut self, name: &str) -> Read<&'r str> {
        let (at, value) = self.next(name);
        match value {
            Value::Absent => Ok(None),
            Value::Text(text) if text.is_empty() => Ok(None),
            Value::Nested(json) if json.starts_with('[') => Ok(Some(json)),
            _ => Err(self.letter(at, Reason::WrongType, "expected an array of objects")),
        }
    }
}

const ID_MAX: usize = 128;
const TEXT_MAX: usize = 1_024;
const LONG_TEXT_MAX: usize = 8_192;

/// Returns the hash of a valid text, or the reason why it is invalid.
fn check_text(text: &str, limit: usize) -> Result<u64, (Reason, String)> {
    if text.len() > limit {
        return Err((Reason::TextTooLong, format!("{} bytes, at most {limit}", text.len())));
    }
    let (hash, may_have_control) = look_at(text.as_bytes());
    if !may_have_control {
        return Ok(hash);
    }
    let control = |byte: &u8| (*byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) || *byte == 0x7F;
    match text.as_bytes().iter().position(control) {
        Some(at) => Err((Reason::ControlCharacter, format!("control character at byte {at}"))),
        None => Ok(hash),
    }
}

/// A text's hash, and whether any byte is below 0x20 or is 0x7F. Reads eight bytes at a time, the last eight perhaps twice.
#[inline]
pub(crate) fn look_at(text: &[u8]) -> (u64, bool) {
    let mut look = Look { hash: u64::try_from(text.len()).unwrap_or(0), marks: 0 };
    if let Some(last) = text.last_chunk::<8>() {
        text.as_chunks::<8>().0.iter().for_each(|word| look.at(u64::from_le_bytes(*word)));
        look.at(u64::from_le_bytes(*last));
    } else {
        look.at(short::word(text));
    }
    (look.hash, look.marks & HIGHS != 0)
}

struct Look {
    hash: u64,
    marks: u64,
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

impl Look {
    #[inline(always)]
    fn at(&mut self, word: u64) {
        let delete = (word ^ (0x7F * ONES)).wrapping_sub(ONES);
        self.marks |= (word.wrapping_sub(0x20 * ONES) | delete) & !word;
        let mixed = (self.hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.hash = mixed ^ (mixed >> 32);
    }
}

/// The order of the calls changes the result.
pub(crate) fn mix(state: u64, value: u64) -> u64 {
    (state ^ value).wrapping_mul(0x9FB2_1C65_1E98_DF25).rotate_left(27) ^ value
}

//! Timestamps in µs UTC, the shop's days, and their text forms.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

mod steady;

pub use steady::{Jump, Jumps, SETTLED, SteadyClock, Turn};

pub const SECOND: i64 = 1_000_000;
pub const HOUR: i64 = 3_600 * SECOND;
pub const DAY: i64 = 24 * HOUR;
/// How far (µs) a time may lie ahead of the clock and still be plausible: clocks differ by minutes. Later times move neither a
/// watermark nor "today".
pub const AHEAD: i64 = 600 * SECOND;

/// The ingest time (µs) of a record whose source states no time: what Kafka writes for "no timestamp". It does not depend on when the
/// record is read, so that all sinks and the proof agree on it.
pub const UNSTATED: i64 = -1_000;

/// Dates outside this range are treated as mistakes: 1900-01-01 and 2200-01-01, in µs.
const EARLIEST: i64 = -2_208_988_800 * SECOND;
const LATEST: i64 = 7_258_118_400 * SECOND;

/// Why a text or number is not a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    #[error("neither RFC 3339 nor an epoch in seconds, milliseconds or microseconds")]
    NotATime,
    #[error("outside the years 1900 to 2199")]
    OutOfRange,
}

/// The same value, if it is within the years 1900 to 2199.
pub fn in_range(micros: i64) -> Result<i64, TimeError> {
    if (EARLIEST..LATEST).contains(&micros) { Ok(micros) } else { Err(TimeError::OutOfRange) }
}

/// An epoch. Its unit follows from its size: below 10^11 seconds, below 10^14 milliseconds, below
/// 10^17 microseconds.
///
/// This is unambiguous for dates of 1973 to 5138; earlier dates need RFC 3339.
pub fn from_epoch(value: i64) -> Result<i64, TimeError> {
    let micros = match value.unsigned_abs() {
        0..100_000_000_000 => value * SECOND,
        100_000_000_000..100_000_000_000_000 => value * 1000,
        100_000_000_000_000..100_000_000_000_000_000 => value,
        _ => return Err(TimeError::OutOfRange),
    };
    in_range(micros)
}

/// RFC 3339 (`2026-03-29T01:30:00Z`, `…+01:00`, a space for the `T`), or an epoch in digits.
///
/// A text without an offset (`2026-03-29 01:30:00`, `2026-03-29`) is wall-clock time in `zone`. In
/// a gap of the clock, it moves forward by the gap; in a fold, it is the earlier of the two times.
pub fn parse(text: &str, zone: &TimeZone) -> Result<i64, TimeError> {
    let bytes = text.as_bytes();
    if let Some(micros) = parse_utc(bytes) {
        return in_range(micros);
    }
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
        return text.parse().map_err(|_| TimeError::OutOfRange).and_then(from_epoch);
    }
    if !(10..=48).contains(&bytes.len()) || bytes.contains(&b'[') {
        return Err(TimeError::NotATime);
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return in_range(timestamp.as_microsecond());
    }
    let civil = text.parse::<DateTime>().map_err(|_| TimeError::NotATime)?;
    let zoned = zone.to_ambiguous_timestamp(civil).compatible().map_err(|_| TimeError::OutOfRange)?;
    in_range(zoned.as_microsecond())
}

/// Fast path for the most common form, `YYYY-MM-DDTHH:MM:SS[.ffffff]Z`.
fn parse_utc(text: &[u8]) -> Option<i64> {
    let (head, rest) = text.split_at_checked(19)?;
    let &[y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1, s2] = head else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_i64, |all, digit| digit.is_ascii_digit().then(|| all * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[mo1, mo2])?, number(&[d1, d2])?);
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[mi1, mi2])?, number(&[s1, s2])?);
    if hour > 23 || minute > 59 || second > 59 || !is_day(year, month, day) {
        return None;
    }
    let micros = match rest {
        [b'Z'] => 0,
        [b'.', fraction @ .., b'Z'] if (1..=6).contains(&fraction.len()) => {
            number(fraction)? * 10_i64.pow(6 - u32::try_from(fraction.len()).ok()?)
        }
        _ => return None,
    };
    Some((days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second) * SECOND + micros)
}

fn is_day(year: i64, month: i64, day: i64) -> bool {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=last).contains(&day)
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant's public algorithm).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day for a number of days since 1970-01-01 (Howard Hinnant's public algorithm).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The key of a day in the star schema: yyyymmdd.
pub fn date_key(date: Date) -> i32 {
    i32::from(date.year()) * 10_000 + i32::from(date.month()) * 100 + i32::from(date.day())
}

/// The day of a key made by [`date_key`].
pub fn date_of(key: i32) -> Option<Date> {
    let part = |value: i32| i8::try_from(value).ok();
    Date::new(i16::try_from(key / 10_000).ok()?, part(key / 100 % 100)?, part(key % 100)?).ok()
}

/// Only the form `2026-01-31`.
pub fn parse_day(text: &str) -> Option<Date> {
    (text.len() == 10).then(|| text.parse::<Date>().ok()).flatten()
}

/// `2026-01-31T09:30:00.123456Z`.
pub fn format(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map(|timestamp| timestamp.to_string()).unwrap_or_default()
}

/// The µs UTC of an RFC 3339 text, in any year.
pub fn instant(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

/// The current time. It is passed in, so that tests can advance it.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// µs since 1970, UTC.
    fn now(&self) -> i64;

    /// The jumps that it has noticed.
    fn jumps(&self) -> Jumps {
        Jumps::default()
    }
}

/// The machine's clock, jumps included: for comparing it with others. All that is stored or decided takes a [`SteadyClock`].
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the only place that reads the machine's clock")]
    fn now(&self) -> i64 {
        Timestamp::now().as_microsecond()
    }
}

/// A moment on the shop's wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// yyyymmdd.
    pub date_key: i32,
    /// Wall-clock minutes since the shop's midnight, 0..1440.
    pub minute: i32,
}

/// Converts timestamps to the shop's days. It caches the offsets of UTC days: most days have a
/// single offset, and a lookup in the zone costs more than all other work on a record's time.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    days: Vec<UtcDay>,
    /// The shop's days since 1970 and their keys.
    dates: Vec<(i64, i32)>,
}

/// A UTC day and its offset; none if the clocks change on that day.
#[derive(Debug, Clone, Copy)]
struct UtcDay {
    day: i64,
    offset: Option<i64>,
}

impl Calendar {
    /// The number of cached days: more than a year, so that each day of a year's export is looked
    /// up once.
    const DAYS: usize = 512;

    pub fn new(zone: TimeZone) -> Self {
        Self { zone, days: vec![UtcDay { day: i64::MIN, offset: None }; Self::DAYS], dates: vec![(i64::MIN, 0); Self::DAYS] }
    }

    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    pub fn local(&mut self, micros: i64) -> Local {
        let wall = micros + self.offset(micros);
        let date_key = self.date_key_of(wall.div_euclid(DAY));
        Local { date_key, minute: i32::try_from(wall.rem_euclid(DAY) / (60 * SECOND)).unwrap_or(0) }
    }

    pub fn date_key(&mut self, micros: i64) -> i32 {
        let wall = micros + self.offset(micros);
        self.date_key_of(wall.div_euclid(DAY))
    }

    fn date_key_of(&mut self, days: i64) -> i32 {
        let slot = Self::slot(days);
        if self.dates[slot].0 != days {
            let (year, month, day) = civil_from_days(days);
            self.dates[slot] = (days, i32::try_from(year * 10_000 + month * 100 + day).unwrap_or(0));
        }
        self.dates[slot].1
    }

    fn slot(day: i64) -> usize {
        usize::try_from(day.rem_euclid(Self::DAYS as i64)).unwrap_or(0)
    }

    /// The zone's offset at an instant, in µs.
    fn offset(&mut self, micros: i64) -> i64 {
        let day = micros.div_euclid(DAY);
        let slot = Self::slot(day);
        if self.days[slot].day != day {
            self.days[slot] = UtcDay { day, offset: self.offset_all_day(day) };
        }
        self.days[slot].offset.unwrap_or_else(|| self.offset_at(micros))
    }

    fn offset_at(&self, micros: i64) -> i64 {
        let timestamp = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
        i64::from(self.zone.to_offset(timestamp).seconds()) * SECOND
    }

    fn offset_all_day(&self, day: i64) -> Option<i64> {
        let start = day.checked_mul(DAY)?;
        let first = Timestamp::from_microsecond(start).ok()?;
        let changes = self.zone.following(first).next().is_some_and(|next| next.timestamp().as_microsecond() < start + DAY);
        (!changes).then(|| self.offset_at(start))
    }

    /// The instant at which the shop's day begins.
    pub fn start_of(&self, date: Date) -> i64 {
        date.to_zoned(self.zone.clone()).map_or(0, |zoned| zoned.timestamp().as_microsecond())
    }
}

#[cfg(test)]
mod tests;

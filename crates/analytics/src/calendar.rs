//! The shop's calendar: the contents of `dim_date` and `dim_time` for a day and a minute.

mod holidays;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday, date};
use kassa_model::Shop;
use kassa_model::time::{self, HOUR};

pub use holidays::COUNTRIES;

/// The calendar has at least these years.
pub const YEARS: std::ops::RangeInclusive<i16> = 2000..=2049;

/// Changes whenever the rules below would give a different row for the same shop.
pub const EDITION: i64 = 1;

/// One day of the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    pub date_key: i32,
    /// Days since 1970-01-01.
    pub date: i32,
    pub year: i32,
    pub quarter: i32,
    pub month: i32,
    pub day: i32,
    pub iso_year: i32,
    pub iso_week: i32,
    /// 1 is Monday.
    pub weekday: i32,
    pub weekday_name: &'static str,
    pub month_name: &'static str,
    /// The first instant of the day in the shop's zone, µs UTC.
    pub starts_at: i64,
    /// 24, except where the clocks change. A whole number, rounded down where a zone changed by less than an hour.
    pub hours: i32,
    /// The public holiday in the shop's country.
    pub holiday: Option<String>,
}

/// The days of whole years, in order.
pub fn days(shop: &Shop, years: std::ops::RangeInclusive<i16>) -> Vec<Day> {
    let mut days = Vec::new();
    let calendar = shop.calendar();
    for year in years {
        let holidays = shop.country.map(|country| holidays::of(country, year)).unwrap_or_default();
        let mut starts_at = calendar.start_of(date(year, 1, 1));
        for date in date(year, 1, 1).series(1.day()).take_while(|date| date.year() == year) {
            let next = date.tomorrow().map_or(starts_at, |tomorrow| calendar.start_of(tomorrow));
            let named: Vec<&str> = holidays.iter().filter(|(on, _)| *on == date).map(|(_, name)| name.as_str()).collect();
            let holiday = (!named.is_empty()).then(|| named.join(" / "));
            days.push(day(date, starts_at, next, holiday));
            starts_at = next;
        }
    }
    days
}

fn day(date: Date, starts_at: i64, next: i64, holiday: Option<String>) -> Day {
    let week = date.iso_week_date();
    let month = i32::from(date.month());
    Day {
        date_key: time::date_key(date),
        date: date.since(jiff::civil::date(1970, 1, 1)).map_or(0, |span| span.get_days()),
        year: date.year().into(),
        quarter: (month - 1) / 3 + 1,
        month,
        day: date.day().into(),
        iso_year: week.year().into(),
        iso_week: week.week().into(),
        weekday: date.weekday().to_monday_one_offset().into(),
        weekday_name: weekday_name(date.weekday()),
        month_name: MONTHS[usize::try_from(month - 1).unwrap_or(0)],
        starts_at,
        hours: i32::try_from((next - starts_at) / HOUR).unwrap_or(0),
        holiday,
    }
}

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

fn weekday_name(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

/// One minute of a day on the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minute {
    /// hhmm.
    pub time_key: i32,
    pub hour: i32,
    pub minute: i32,
    /// 0..96.
    pub quarter_hour: i32,
}

pub fn minutes() -> impl Iterator<Item = Minute> {
    (0..1440).map(|at| Minute { time_key: at / 60 * 100 + at % 60, hour: at / 60, minute: at % 60, quarter_hour: at / 15 })
}

#[cfg(test)]
mod tests;

//! The keys of times: `2011-12-08T09`, `2011-12-08T09:15`, `2011-12-08`, `2011-W49`, `2011-12`.
//!
//! They are the shop's local time. The hour that occurs twice in autumn is therefore one key with both hours, the hour that is
//! skipped in spring has none, and the hours of any day add up to the day.

use kassa_model::time::{Local, date_of};

use crate::query::By;

/// The quarter hour of the day, 0..96.
pub(crate) fn quarter(local: Local) -> u32 {
    u32::try_from(local.minute / 15).unwrap_or(0)
}

/// A number for the period that contains a quarter hour of a day; it grows with time.
pub(crate) fn code(by: By, day: i32, quarter: u32) -> i64 {
    let day_code = i64::from(day);
    match by {
        By::QuarterHour => day_code * 100 + i64::from(quarter),
        By::Hour => day_code * 100 + i64::from(quarter / 4),
        By::Week => date_of(day).map_or(0, |date| {
            let week = date.iso_week_date();
            i64::from(week.year()) * 100 + i64::from(week.week())
        }),
        By::Month => day_code / 100,
        _ => day_code,
    }
}

/// The period's key in an answer.
pub(crate) fn key(by: By, code: i64) -> String {
    let day = |code: i64| format!("{:04}-{:02}-{:02}", code / 10_000, code / 100 % 100, code % 100);
    match by {
        By::QuarterHour => format!("{}T{:02}:{:02}", day(code / 100), code % 100 / 4, code % 100 % 4 * 15),
        By::Hour => format!("{}T{:02}", day(code / 100), code % 100),
        By::Week => format!("{:04}-W{:02}", code / 100, code % 100),
        By::Month => format!("{:04}-{:02}", code / 100, code % 100),
        _ => day(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_the_key_of_the_reference() {
        for (by, expected) in [
            (By::QuarterHour, "2011-12-08T09:15"),
            (By::Hour, "2011-12-08T09"),
            (By::Day, "2011-12-08"),
            (By::Week, "2011-W49"),
            (By::Month, "2011-12"),
        ] {
            assert_eq!(key(by, code(by, 20111208, 37)), expected);
        }
        // The first of January 2011 belongs to the last ISO week of 2010.
        assert_eq!(key(By::Week, code(By::Week, 20110101, 0)), "2010-W52");
    }
}

//! Public holidays of a whole country, by its laws; those of parts of a country are left out. From 2000 on.
//!
//! Sources: AT Arbeitsruhegesetz § 7; BE royal decree of 18 April 1974; DE the states' laws, where all sixteen agree, and the
//! Unification Treaty Art. 2; DK helligdage, lov 1605/2023; ES Estatuto de los Trabajadores Art. 37 and RD 2001/1983; FI laki 388/1937
//! and kirkkolaki; FR Code du travail L3133-1; GB (England and Wales) Banking and Financial Dealings Act 1971 and its proclamations
//! (gov.uk/bank-holidays); IE Organisation of Working Time Act 1997; IN the three national holidays; IT legge 260/1949 as amended;
//! NL Algemene termijnenwet Art. 3 (with Koningsdag); NO lov om helligdager 1995 and lov om 1 og 17 mai 1947; PL ustawa o dniach wolnych
//! od pracy 1951; PT Código do Trabalho Art. 234; SE lag 1989:253; US 5 U.S.C. § 6103.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday, date};

/// The countries whose holidays are known. Elsewhere there are none.
pub const COUNTRIES: [&str; 17] =
    ["AT", "BE", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IN", "IT", "NL", "NO", "PL", "PT", "SE", "US"];

#[derive(Debug, Clone, Copy)]
enum When {
    On(i8, i8),
    /// Moved to the next working day from a weekend.
    Substituted(i8, i8),
    /// Also kept on the Friday before or the Monday after a weekend.
    Observed(i8, i8),
    /// A day earlier where that is a Sunday.
    NotSunday(i8, i8),
    /// Days from Easter Sunday.
    Easter(i32),
    /// The n-th of a weekday in a month; the last is -1.
    Nth(i8, Weekday, i8),
    /// The first of a weekday on or after a day.
    From(i8, i8, Weekday),
    /// The first of a month where that is a Friday, else its first Monday.
    FirstFridayElseMonday(i8),
    Once(i16, i8, i8),
}

use Weekday::{Friday, Monday, Saturday, Thursday};
use When::{Easter, FirstFridayElseMonday, From, NotSunday, Nth, Observed, On, Once, Substituted};

/// First and last year (0: no bound), when, name.
type Rule = (i16, i16, When, &'static str);

const NEW_YEAR: Rule = (0, 0, On(1, 1), "New Year's Day");
const EPIPHANY: Rule = (0, 0, On(1, 6), "Epiphany");
const MAUNDY_THURSDAY: Rule = (0, 0, Easter(-3), "Maundy Thursday");
const GOOD_FRIDAY: Rule = (0, 0, Easter(-2), "Good Friday");
const EASTER_SUNDAY: Rule = (0, 0, Easter(0), "Easter Sunday");
const EASTER_MONDAY: Rule = (0, 0, Easter(1), "Easter Monday");
const LABOUR_DAY: Rule = (0, 0, On(5, 1), "Labour Day");
const ASCENSION: Rule = (0, 0, Easter(39), "Ascension Day");
const WHIT_SUNDAY: Rule = (0, 0, Easter(49), "Whit Sunday");
const WHIT_MONDAY: Rule = (0, 0, Easter(50), "Whit Monday");
const CORPUS_CHRISTI: Rule = (0, 0, Easter(60), "Corpus Christi");
const ASSUMPTION: Rule = (0, 0, On(8, 15), "Assumption Day");
const ALL_SAINTS: Rule = (0, 0, On(11, 1), "All Saints' Day");
const IMMACULATE: Rule = (0, 0, On(12, 8), "Immaculate Conception");
const CHRISTMAS: Rule = (0, 0, On(12, 25), "Christmas Day");
const SECOND_CHRISTMAS: Rule = (0, 0, On(12, 26), "Second Day of Christmas");
const ST_STEPHEN: Rule = (0, 0, On(12, 26), "St Stephen's Day");

#[rustfmt::skip]
fn rules(country: &str) -> &'static [Rule] {
    match country {
        "AT" => &[
            NEW_YEAR, EPIPHANY, EASTER_MONDAY, LABOUR_DAY, ASCENSION, WHIT_MONDAY, CORPUS_CHRISTI, ASSUMPTION,
            (0, 0, On(10, 26), "National Day"), ALL_SAINTS, IMMACULATE, CHRISTMAS, ST_STEPHEN,
        ],
        "BE" => &[
            NEW_YEAR, EASTER_MONDAY, LABOUR_DAY, ASCENSION, WHIT_MONDAY, (0, 0, On(7, 21), "National Day"), ASSUMPTION, ALL_SAINTS,
            (0, 0, On(11, 11), "Armistice Day"), CHRISTMAS,
        ],
        "DE" => &[
            NEW_YEAR, GOOD_FRIDAY, EASTER_MONDAY, LABOUR_DAY, ASCENSION, WHIT_MONDAY, (0, 0, On(10, 3), "Day of German Unity"),
            (0, 0, Once(2017, 10, 31), "Reformation Day"), CHRISTMAS, SECOND_CHRISTMAS,
        ],
        "DK" => &[
            NEW_YEAR, MAUNDY_THURSDAY, GOOD_FRIDAY, EASTER_SUNDAY, EASTER_MONDAY, (0, 2023, Easter(26), "Great Prayer Day"), ASCENSION,
            WHIT_SUNDAY, WHIT_MONDAY, CHRISTMAS, SECOND_CHRISTMAS,
        ],
        "ES" => &[
            NEW_YEAR, EPIPHANY, GOOD_FRIDAY, LABOUR_DAY, ASSUMPTION, (0, 0, On(10, 12), "National Day"), ALL_SAINTS,
            (0, 0, On(12, 6), "Constitution Day"), IMMACULATE, CHRISTMAS,
        ],
        "FI" => &[
            NEW_YEAR, EPIPHANY, GOOD_FRIDAY, EASTER_SUNDAY, EASTER_MONDAY, (0, 0, On(5, 1), "May Day"), ASCENSION, WHIT_SUNDAY,
            (0, 0, From(6, 20, Saturday), "Midsummer Day"), (0, 0, From(10, 31, Saturday), "All Saints' Day"),
            (0, 0, On(12, 6), "Independence Day"), CHRISTMAS, ST_STEPHEN,
        ],
        "FR" => &[
            NEW_YEAR, EASTER_MONDAY, LABOUR_DAY, (0, 0, On(5, 8), "Victory Day"), ASCENSION, WHIT_MONDAY,
            (0, 0, On(7, 14), "Bastille Day"), ASSUMPTION, ALL_SAINTS, (0, 0, On(11, 11), "Armistice Day"), CHRISTMAS,
        ],
        "GB" => &[
            (0, 0, Substituted(1, 1), "New Year's Day"), GOOD_FRIDAY, EASTER_MONDAY,
            (0, 2019, Nth(5, Monday, 1), "Early May bank holiday"), (2020, 2020, On(5, 8), "Early May bank holiday"),
            (2021, 0, Nth(5, Monday, 1), "Early May bank holiday"),
            (0, 2001, Nth(5, Monday, -1), "Spring bank holiday"), (2002, 2002, On(6, 4), "Spring bank holiday"),
            (2003, 2011, Nth(5, Monday, -1), "Spring bank holiday"), (2012, 2012, On(6, 4), "Spring bank holiday"),
            (2013, 2021, Nth(5, Monday, -1), "Spring bank holiday"), (2022, 2022, On(6, 2), "Spring bank holiday"),
            (2023, 0, Nth(5, Monday, -1), "Spring bank holiday"), (0, 0, Nth(8, Monday, -1), "Summer bank holiday"),
            (0, 0, Substituted(12, 25), "Christmas Day"), (0, 0, Substituted(12, 26), "Boxing Day"),
            (0, 0, Once(2002, 6, 3), "Golden Jubilee"), (0, 0, Once(2011, 4, 29), "Royal Wedding"),
            (0, 0, Once(2012, 6, 5), "Diamond Jubilee"), (0, 0, Once(2022, 6, 3), "Platinum Jubilee"),
            (0, 0, Once(2022, 9, 19), "State Funeral of Queen Elizabeth II"), (0, 0, Once(2023, 5, 8), "Coronation of King Charles III"),
        ],
        "IE" => &[
            NEW_YEAR, (2023, 0, FirstFridayElseMonday(2), "St Brigid's Day"), (0, 0, On(3, 17), "St Patrick's Day"),
            (0, 0, Once(2022, 3, 18), "Day of Remembrance"), EASTER_MONDAY, (0, 0, Nth(5, Monday, 1), "May Day"),
            (0, 0, Nth(6, Monday, 1), "June bank holiday"), (0, 0, Nth(8, Monday, 1), "August bank holiday"),
            (0, 0, Nth(10, Monday, -1), "October bank holiday"), CHRISTMAS, ST_STEPHEN,
        ],
        "IN" => &[
            (0, 0, On(1, 26), "Republic Day"), (0, 0, On(8, 15), "Independence Day"), (0, 0, On(10, 2), "Gandhi Jayanti"),
        ],
        "IT" => &[
            NEW_YEAR, EPIPHANY, EASTER_SUNDAY, EASTER_MONDAY, (0, 0, On(4, 25), "Liberation Day"), LABOUR_DAY,
            (2001, 0, On(6, 2), "Republic Day"), ASSUMPTION, (2026, 0, On(10, 4), "St Francis"), ALL_SAINTS, IMMACULATE, CHRISTMAS,
            ST_STEPHEN,
        ],
        "NL" => &[
            NEW_YEAR, EASTER_SUNDAY, EASTER_MONDAY, (0, 2013, NotSunday(4, 30), "Queen's Day"), (2014, 0, NotSunday(4, 27), "King's Day"),
            (0, 0, On(5, 5), "Liberation Day"), ASCENSION, WHIT_SUNDAY, WHIT_MONDAY, CHRISTMAS, SECOND_CHRISTMAS,
        ],
        "NO" => &[
            NEW_YEAR, MAUNDY_THURSDAY, GOOD_FRIDAY, EASTER_SUNDAY, EASTER_MONDAY, LABOUR_DAY, (0, 0, On(5, 17), "Constitution Day"),
            ASCENSION, WHIT_SUNDAY, WHIT_MONDAY, CHRISTMAS, SECOND_CHRISTMAS,
        ],
        "PL" => &[
            NEW_YEAR, (2011, 0, On(1, 6), "Epiphany"), EASTER_SUNDAY, EASTER_MONDAY, LABOUR_DAY, (0, 0, On(5, 3), "Constitution Day"),
            WHIT_SUNDAY, CORPUS_CHRISTI, ASSUMPTION, ALL_SAINTS, (0, 0, On(11, 11), "Independence Day"),
            (0, 0, Once(2018, 11, 12), "Independence Day centenary"), (2025, 0, On(12, 24), "Christmas Eve"), CHRISTMAS, SECOND_CHRISTMAS,
        ],
        "PT" => &[
            NEW_YEAR, GOOD_FRIDAY, EASTER_SUNDAY, (0, 0, On(4, 25), "Freedom Day"), LABOUR_DAY,
            (0, 2012, Easter(60), "Corpus Christi"), (2016, 0, Easter(60), "Corpus Christi"), (0, 0, On(6, 10), "Portugal Day"), ASSUMPTION,
            (0, 2012, On(10, 5), "Republic Day"), (2016, 0, On(10, 5), "Republic Day"),
            (0, 2012, On(11, 1), "All Saints' Day"), (2016, 0, On(11, 1), "All Saints' Day"),
            (0, 2012, On(12, 1), "Restoration of Independence"), (2016, 0, On(12, 1), "Restoration of Independence"),
            IMMACULATE, CHRISTMAS,
        ],
        "SE" => &[
            NEW_YEAR, EPIPHANY, GOOD_FRIDAY, EASTER_SUNDAY, EASTER_MONDAY, LABOUR_DAY, ASCENSION, WHIT_SUNDAY,
            (0, 2004, Easter(50), "Whit Monday"), (2005, 0, On(6, 6), "National Day"), (0, 0, From(6, 20, Saturday), "Midsummer Day"),
            (0, 0, From(10, 31, Saturday), "All Saints' Day"), CHRISTMAS, SECOND_CHRISTMAS,
        ],
        "US" => &[
            (0, 0, Observed(1, 1), "New Year's Day"), (0, 0, Nth(1, Monday, 3), "Martin Luther King Jr. Day"),
            (0, 0, Nth(2, Monday, 3), "Washington's Birthday"), (0, 0, Nth(5, Monday, -1), "Memorial Day"),
            (2021, 0, Observed(6, 19), "Juneteenth"), (0, 0, Observed(7, 4), "Independence Day"), (0, 0, Nth(9, Monday, 1), "Labor Day"),
            (0, 0, Nth(10, Monday, 2), "Columbus Day"), (0, 0, Observed(11, 11), "Veterans Day"),
            (0, 0, Nth(11, Thursday, 4), "Thanksgiving Day"), (0, 0, Observed(12, 25), "Christmas Day"),
        ],
        _ => &[],
    }
}

/// The holidays that fall in a year.
pub(super) fn of(country: &str, year: i16) -> Vec<(Date, String)> {
    let mut all: Vec<(Date, String)> = Vec::new();
    // The first of January may be observed on the last day of the year before.
    for of in [year, year + 1] {
        for (from, to, when, name) in rules(country) {
            if of < *from || (*to != 0 && of > *to) {
                continue;
            }
            for (day, is_moved) in dates(*when, of, &all) {
                let suffix = match (when, is_moved) {
                    (Observed(..), true) => " (observed)",
                    (_, true) => " (substitute day)",
                    _ => "",
                };
                all.push((day, format!("{name}{suffix}")));
            }
        }
    }
    all.retain(|(day, _)| day.year() == year);
    all.sort();
    all
}

/// The days of a rule in a year, and whether each is a substitute for another day.
fn dates(when: When, year: i16, taken: &[(Date, String)]) -> Vec<(Date, bool)> {
    let plus = |day: Date, days: i32| day.saturating_add(days.days());
    match when {
        On(month, day) => vec![(date(year, month, day), false)],
        Once(only, month, day) => {
            if only == year {
                vec![(date(year, month, day), false)]
            } else {
                Vec::new()
            }
        }
        Easter(days) => vec![(plus(easter(year), days), false)],
        Nth(month, weekday, nth) => {
            date(year, month, 1).nth_weekday_of_month(nth, weekday).map(|day| (day, false)).into_iter().collect()
        }
        FirstFridayElseMonday(month) if date(year, month, 1).weekday() == Friday => vec![(date(year, month, 1), false)],
        FirstFridayElseMonday(month) => dates(Nth(month, Monday, 1), year, taken),
        From(month, day, weekday) => (0..7)
            .map(|days| plus(date(year, month, day), days))
            .find(|day| day.weekday() == weekday)
            .map(|day| (day, false))
            .into_iter()
            .collect(),
        NotSunday(month, day) => {
            let day = date(year, month, day);
            vec![(if day.weekday() == Weekday::Sunday { plus(day, -1) } else { day }, false)]
        }
        Substituted(month, day) => {
            let day = date(year, month, day);
            if !is_weekend(day) {
                return vec![(day, false)];
            }
            // Boxing Day is a holiday of its own, and comes later in the list.
            let is_boxing_day = |day: &Date| (day.month(), day.day()) == (12, 26);
            let is_free = |day: &Date| !is_weekend(*day) && !is_boxing_day(day) && taken.iter().all(|(held, _)| held != day);
            let moved = (1..7).map(|days| plus(day, days)).find(is_free);
            moved.map(|day| (day, true)).into_iter().collect()
        }
        Observed(month, day) => {
            let day = date(year, month, day);
            match day.weekday() {
                Saturday => vec![(day, false), (plus(day, -1), true)],
                Weekday::Sunday => vec![(day, false), (plus(day, 1), true)],
                _ => vec![(day, false)],
            }
        }
    }
}

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Saturday | Weekday::Sunday)
}

/// Easter Sunday of the Gregorian calendar (the anonymous algorithm of 1876).
fn easter(year: i16) -> Date {
    let year = i32::from(year);
    let (golden, century, of_century) = (year % 19, year / 100, year % 100);
    let (leaps, rest) = (century / 4, century % 4);
    let correction = (century + 8) / 25;
    let moon = (19 * golden + century - leaps - (century - correction + 1) / 3 + 15) % 30;
    let week = (32 + 2 * rest + 2 * (of_century / 4) - moon - of_century % 4) % 7;
    let shift = (golden + 11 * moon + 22 * week) / 451;
    let at = moon + week - 7 * shift + 114;
    let part = |value: i32| i8::try_from(value).unwrap_or(1);
    date(i16::try_from(year).unwrap_or(i16::MAX), part(at / 31), part(at % 31 + 1))
}

//! Tables whose rows follow from other tables or are generated.

use super::declare::columns;
use super::kind::{Date, Exact, Symbol, Text, Timestamp};
use crate::{Key, Rate};

columns! {
    /// One session; derived from `fact_event` and `fact_sales`.
    fact_session {
        /// Key of the session id, as in `fact_event`.
        session_key: Key,
        /// Id of the session, as stated.
        session_id: Option<Text>,
        /// Key of the person: from the last event that names a customer, or else from the last event; 0 is unknown.
        person_key: Key,
        /// Key of the customer in `dim_customer`; 0 is unknown.
        customer_key: Key,
        /// The shop's day of the first event, yyyymmdd.
        session_date_key: i32,
        /// Time of the first event.
        started_at: Timestamp,
        /// Time of the last event.
        ended_at: Timestamp,
        /// The first address of a page.
        entry_url: Option<Text>,
        /// The last address of a page.
        exit_url: Option<Text>,
        /// Number of events.
        events: i64,
        /// Whether a product was viewed.
        viewed: bool,
        /// Whether a product was added to the cart after one was viewed.
        added: bool,
        /// Whether a checkout was started after that.
        checkout: bool,
        /// Whether an order was completed after that.
        paid: bool,
        /// Whether an order was completed, with or without the earlier steps.
        converted: bool,
        /// Whether a product was added and no order was completed in the session within 24 hours.
        abandoned: bool,
        /// Net amount of its orders (negative for returns), in the shop's currency, exact; amounts without a rate are left out.
        revenue_reporting: Exact,
    }

    /// The rate of a currency to the shop's on a day; derived from `fact_fx_rate`.
    dim_fx_rate {
        /// The currency, ISO 4217.
        currency: Symbol,
        /// The shop's day, yyyymmdd.
        date_key: i32,
        /// Units of the shop's currency for one unit of this currency.
        rate: Rate,
        /// `own`: the shop's currency; `direct`: stated; `inverse`: of the opposite pair; `through`: by a common currency.
        derivation: Symbol,
        /// The common currency, ISO 4217.
        via: Option<Symbol>,
        /// The day of the stated rate, yyyymmdd: this day, or the last of the 7 days before that has one.
        rate_date_key: i32,
    }

    /// Generated: one day of the shop's calendar.
    dim_date {
        /// The day, yyyymmdd.
        date_key: i32,
        /// The day as a date.
        date: Date,
        /// Year of the calendar.
        year: i32,
        /// Quarter of the year, 1 to 4.
        quarter: i32,
        /// Month of the year, 1 to 12.
        month: i32,
        /// Day of the month, 1 to 31.
        day: i32,
        /// Year of the ISO 8601 week.
        iso_year: i32,
        /// ISO 8601 week, 1 to 53.
        iso_week: i32,
        /// Day of the week, 1 (Monday) to 7.
        weekday: i32,
        /// English name of the day of the week.
        weekday_name: Text,
        /// English name of the month.
        month_name: Text,
        /// First instant of the day in the shop's time zone.
        starts_at: Timestamp,
        /// Hours of the day: 24, or 23 or 25 where the clocks change.
        hours: i32,
        /// Public holiday in the shop's country.
        holiday: Option<Text>,
    }

    /// Generated: one minute of a day.
    dim_time {
        /// The minute, hhmm.
        time_key: i32,
        /// Hour, 0 to 23.
        hour: i32,
        /// Minute of the hour, 0 to 59.
        minute: i32,
        /// Quarter hour of the day, 0 to 95.
        quarter_hour: i32,
    }
}

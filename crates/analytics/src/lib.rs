//! Figures: rows of the star schema in, values out. No IO, no clock, no randomness.
//!
//! [`Figures`] folds in rows in any order and any batches and answers a [`Query`] at any time; the same rows give the same
//! answer. The command line, the HTTP API, the dashboard and the views of `kassa sql` all use it, so each figure has one
//! definition: its entry in [`catalogue`].

mod answer;
mod by_day;
pub mod calendar;
mod catalogue;
mod cells;
mod columns;
mod customers;
pub mod derived;
mod duties;
mod figures;
mod grouping;
mod kind;
mod live;
mod map;
mod measure;
mod names;
mod orders;
mod packed;
mod payments;
mod period;
mod persons;
mod query;
mod rates;
mod recent;
mod run;
mod sales;
mod sessions;
mod shared;
pub mod sql;
#[cfg(test)]
mod testing;
mod unit;
mod varint;
mod visits;

pub use answer::{Answer, Row, Unconverted, Unit};
pub use catalogue::{Figure, catalogue};
pub use columns::ApplyError;
pub use figures::{Figures, Kin, Times, Wanted};
pub use live::{CategorySales, CountrySales, FunnelStep, Live, LiveDay, LiveShop, OrdersByHour, ProductSales, Tile};
pub use query::{Basis, By, Query, QueryError};
pub use rates::{Derivation, RATE_DAYS, RateDay, Rates, Resolved};
pub use sessions::{Claim, Claims, Credits, SessionRow, SessionRows};

//! Checks the derived tables against their inputs: sessions and rates at the positions that they
//! state, and the shop's calendar.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use arrow::row::{RowConverter, SortField};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use kassa_analytics::calendar::YEARS;
use kassa_analytics::derived::{date_rows, rate_rows, time_rows};
use kassa_model::{Positions, Shop, Table, time};

use super::Prover;
use super::finding::{Kind, Site};
use crate::delta::{Add, LogError, Snapshot};
use crate::derived::calendar::stated_years;
use crate::derived::rates::{self, rates_before};
use crate::derived::sessions;
use crate::derived::source::{IDS, Source, Touched};
use crate::figures::positions;
use crate::read::{self, folder_of};

/// More events than most ids have.
const EVENTS: i64 = 50;

/// Rows in a comparable encoding.
struct Encoded(RowConverter);

impl Encoded {
    fn new(table: Table) -> Result<Self, LogError> {
        let schema = kassa_model::star::stored(&table.schema());
        let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
        RowConverter::new(fields).map(Self).map_err(LogError::corrupt)
    }

    fn rows(&self, rows: &RecordBatch) -> Result<Vec<Box<[u8]>>, LogError> {
        let encoded = self.0.convert_columns(read::plain(rows)?.columns()).map_err(LogError::corrupt)?;
        Ok(encoded.iter().map(|row| row.data().into()).collect())
    }
}

/// How many more copies of a row exist than expected; negative: fewer.
type Balance = HashMap<Box<[u8]>, (String, i64)>;

fn weigh(balance: &mut Balance, rows: Vec<Box<[u8]>>, name: impl Fn(usize) -> String, weight: i64) {
    for (row, encoded) in rows.into_iter().enumerate() {
        let (_, sum) = balance.entry(encoded).or_insert_with(|| (name(row), 0));
        *sum += weight;
    }
}

impl Prover<'_> {
    pub(super) fn follows(&mut self) -> Result<(), LogError> {
        self.dates()?;
        let minutes = time_rows().map_err(LogError::corrupt)?;
        self.held_against(Table::DimTime, &minutes, "the minute")?;
        self.rates()?;
        self.sessions()
    }

    /// The days of the years in the table, if it exists.
    fn dates(&mut self) -> Result<(), LogError> {
        let mut years: Option<RangeInclusive<i16>> = None;
        self.scan(Table::DimDate, &["year"], &mut |_, rows| {
            for year in rows.column(0).as_primitive::<Int32Type>().values() {
                let year = i16::try_from(*year).unwrap_or(0);
                let (first, last) = years.clone().map_or((year, year), RangeInclusive::into_inner);
                years = Some(first.min(year)..=last.max(year));
            }
            Ok(())
        })?;
        match years {
            // Dates cannot be in another millennium, so neither can the calendar.
            Some(years) if *years.start() >= 1890 && *years.end() <= 2209 => {
                let days = date_rows(self.subject.shop, years).map_err(LogError::corrupt)?;
                self.held_against(Table::DimDate, &days, "the day")
            }
            Some(years) => {
                self.find(Table::DimDate, Kind::Altered, format!("the calendar has no years {years:?}"));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Compares a table, whose first column identifies the row, with the expected rows, if it
    /// exists.
    fn held_against(&mut self, table: Table, wanted: &RecordBatch, what: &str) -> Result<(), LogError> {
        if !self.tables.contains_key(&table) {
            return Ok(());
        }
        let (encoded, mut balance) = (Encoded::new(table)?, Balance::new());
        let named = |rows: &RecordBatch| rows.column(0).as_primitive::<Int32Type>().clone();
        let keys = named(wanted);
        weigh(&mut balance, encoded.rows(wanted)?, |row| format!("{what} {}", keys.value(row)), -1);
        self.scan(table, &[], &mut |_, rows| {
            let keys = named(&rows);
            weigh(&mut balance, encoded.rows(&rows)?, |row| format!("{what} {}", keys.value(row)), 1);
            Ok(())
        })?;
        self.differences(table, balance, "the shop's calendar");
        Ok(())
    }

    fn differences(&mut self, table: Table, balance: Balance, source: &str) {
        let mut wrong: Vec<(String, i64)> = balance.into_values().filter(|(_, sum)| *sum != 0).collect();
        wrong.sort_unstable();
        for (name, sum) in wrong {
            if sum > 0 {
                self.find(table, Kind::Extra, format!("{name} is not as {source} has it"));
            } else {
                self.find(table, Kind::Missing, format!("{name} is not there as {source} has it"));
            }
        }
    }

    fn find(&mut self, table: Table, kind: Kind, detail: String) {
        self.findings.push(Site::Table(table).in_folder(kind, &folder_of(table), detail));
    }

    /// Whether neither the table's inputs nor the table itself has findings: their consequences are
    /// not reported again.
    fn is_sound(&self, tables: &[Table]) -> bool {
        !tables.iter().chain([&Table::Spans]).any(|table| self.findings.touch(*table))
    }

    /// The positions that a table states, none of which is beyond the accounted one; `None` if the
    /// current rules have not computed it yet.
    fn stated(&mut self, table: Table, is_of_today: fn(&Snapshot, &Shop) -> bool) -> Option<Positions> {
        let held = self.tables.get(&table).filter(|held| is_of_today(held, self.subject.shop))?;
        let at: Positions = positions(held);
        for (partition, next) in at.iter() {
            let part = self.parts.number(&partition.topic, partition.number);
            let accounted = self.parts[part].cut;
            if next > accounted {
                let detail = format!("the position {next} lies beyond what is accounted for, {accounted}");
                self.findings.push(Site::Table(table).at(Kind::Position, partition, accounted..next, detail));
            }
        }
        Some(at)
    }

    /// Compares the rates with those resolved from the source's rates before the stated positions.
    fn rates(&mut self) -> Result<(), LogError> {
        if !self.is_sound(&[Table::FactFxRate, Table::DimFxRate]) {
            return Ok(());
        }
        let Some(at) = self.stated(Table::DimFxRate, rates::is_of_today) else { return Ok(()) };
        let years = self.tables.get(&Table::DimFxRate).and_then(|table| stated_years(table)).unwrap_or(YEARS);
        let rates = rates_before(self.store, self.subject.shop, &at)?;
        let wanted = rate_rows(self.subject.shop, &rates, years).map_err(LogError::corrupt)?;
        let (encoded, mut balance) = (Encoded::new(Table::DimFxRate)?, Balance::new());
        let wanted = read::plain(&wanted)?;
        weigh(&mut balance, encoded.rows(&wanted)?, |row| rate(&wanted, row), -1);
        self.scan(Table::DimFxRate, &[], &mut |_, rows| {
            weigh(&mut balance, encoded.rows(&rows)?, |row| rate(&rows, row), 1);
            Ok(())
        })?;
        self.differences(Table::DimFxRate, balance, "the stated rates");
        Ok(())
    }

    /// Compares the sessions with those computed from the facts at the stated positions.
    fn sessions(&mut self) -> Result<(), LogError> {
        if !self.is_sound(&[Table::FactEvent, Table::FactSales, Table::FactFxRate, Table::FactSession]) {
            return Ok(());
        }
        let Some(at) = self.stated(Table::FactSession, sessions::is_of_today) else { return Ok(()) };
        let (store, shop, encoded) = (self.store, self.subject.shop, Encoded::new(Table::FactSession)?);
        let facts = |table| self.tables.get(&table).map(|snapshot| snapshot.as_ref().clone()).unwrap_or_default();
        let (events, sales) = (facts(Table::FactEvent), facts(Table::FactSales));
        let source = Source { store, shop, cut: &at, events, sales, rates: rates_before(store, shop, &at)? };
        let (touched, claims) = (Touched::All, source.claims()?);
        let credits = source.credits(&claims, &touched)?;
        let passes = passes(&source.events, self.tables.get(&Table::FactSession).map(AsRef::as_ref));
        for pass in 0..passes {
            let mut balance = Balance::new();
            source.pass(&touched, &credits, (pass, passes), &mut |rows| {
                weigh(&mut balance, encoded.rows(rows)?, |row| session(rows, row), -1);
                Ok(())
            })?;
            self.scan(Table::FactSession, &[], &mut |_, rows| {
                let keys = rows.column(0).as_primitive::<Int64Type>().clone();
                let of_pass: arrow_array::BooleanArray =
                    keys.values().iter().map(|key| Some(key.rem_euclid(passes) == pass)).collect();
                let rows = arrow_select::filter::filter_record_batch(&rows, &of_pass).map_err(LogError::corrupt)?;
                weigh(&mut balance, encoded.rows(&rows)?, |row| session(&rows, row), 1);
                Ok(())
            })?;
            self.differences(Table::FactSession, balance, "the events and the ledger");
        }
        Ok(())
    }
}

/// The identity of a rate in findings.
fn rate(rows: &RecordBatch, row: usize) -> String {
    format!(
        "the rate of {} on {}",
        rows.column(0).as_string::<i32>().value(row),
        rows.column(1).as_primitive::<Int32Type>().value(row)
    )
}

/// The number of passes, each of which reads all events. An id has at least one session, so the
/// table bounds the ids; a table that lacks most of its sessions does not enlarge a pass much.
fn passes(events: &Snapshot, sessions: Option<&Snapshot>) -> i64 {
    let rows = |held: &Snapshot| held.files.values().filter_map(Add::rows).sum::<i64>();
    let ids = sessions.map_or(0, rows).max(rows(events) / EVENTS);
    ids / i64::try_from(IDS).unwrap_or(i64::MAX) + 1
}

/// The identity of a session in findings.
fn session(rows: &RecordBatch, row: usize) -> String {
    let keys = rows.column(0).as_primitive::<Int64Type>();
    let ids = rows.column(1).as_string::<i32>();
    let starts = rows.column(5).as_primitive::<TimestampMicrosecondType>();
    let id = if ids.is_valid(row) { ids.value(row).to_owned() } else { keys.value(row).to_string() };
    format!("the session {id} of {}", time::format(starts.value(row)))
}

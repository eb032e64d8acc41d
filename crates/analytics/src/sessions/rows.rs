//! The rows of `fact_session`, from those of `fact_event`.

use arrow_array::{BooleanArray, Int64Array, RecordBatch};
use hashbrown::HashMap;
use kassa_model::star::fact_event;
use kassa_model::time::Calendar;
use kassa_model::{Shop, Table};

use super::{Session, Step};
use crate::columns::{ApplyError, Columns, Texts};
use crate::visits::{self, Visit};

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    pub session_key: i64,
    pub session_id: Option<String>,
    /// The person of the last event that names a customer, or else of the last event.
    pub person_key: i64,
    pub customer_key: i64,
    /// The shop's day on which it began, yyyymmdd.
    pub date_key: i32,
    /// µs UTC.
    pub started_at: i64,
    pub ended_at: i64,
    pub entry_url: Option<String>,
    pub exit_url: Option<String>,
    pub events: i64,
    /// Steps of the funnel reached in order of time, 0..=4.
    pub reached: usize,
    pub converted: bool,
    pub abandoned: bool,
    /// The orders that it reported, and when it reported each first.
    pub orders: Vec<(i64, i64)>,
}

/// The events that count for sessions.
pub(crate) struct Visible<'r> {
    sessions: &'r Int64Array,
    is_test: &'r BooleanArray,
    is_bot: &'r BooleanArray,
}

impl<'r> Visible<'r> {
    pub(crate) fn of(columns: &Columns<'r>) -> Result<Self, ApplyError> {
        let (sessions, is_test) = (columns.get(fact_event::session_key)?, columns.get(fact_event::is_test)?);
        Ok(Self { sessions, is_test, is_bot: columns.get(fact_event::is_bot)? })
    }

    /// The session id's key, if the event counts.
    pub(crate) fn session(&self, row: usize) -> Option<i64> {
        let key = self.sessions.value(row);
        (key != 0 && !self.is_test.value(row) && !self.is_bot.value(row)).then_some(key)
    }
}

/// A text and its time. Of texts with the same time the smaller is the earlier, so that the order of arrival does not matter.
type Page = Option<(i64, Box<str>)>;

/// Candidate identity of the session, ordered by priority; the maximum wins. (Names a customer, time, person, customer.)
type Person = (bool, i64, i64, i64);

#[derive(Debug)]
struct Told {
    session: Session,
    id: Option<Box<str>>,
    person: Person,
    entry: Page,
    exit: Page,
    events: i64,
    orders: Vec<(i64, i64)>,
}

fn earlier(page: &mut Page, at: i64, url: &str) {
    if page.as_ref().is_none_or(|(held, text)| (at, url) < (*held, &**text)) {
        *page = Some((at, url.into()));
    }
}

fn later(page: &mut Page, at: i64, url: &str) {
    if page.as_ref().is_none_or(|(held, text)| (at, url) > (*held, &**text)) {
        *page = Some((at, url.into()));
    }
}

impl Visit for Told {
    fn first_at(&self) -> i64 {
        self.session.first_at
    }

    fn last_at(&self) -> i64 {
        self.session.last_at
    }

    fn absorb(&mut self, other: Self) {
        self.session.absorb(other.session);
        self.person = self.person.max(other.person);
        if let Some((at, url)) = other.entry {
            earlier(&mut self.entry, at, &url);
        }
        if let Some((at, url)) = other.exit {
            later(&mut self.exit, at, &url);
        }
        self.events += other.events;
        other.orders.into_iter().for_each(|(order, at)| self.claim(order, at));
    }
}

impl Told {
    fn new(at: i64, id: Option<&str>) -> Self {
        let session = Session::new(at);
        let person = (false, i64::MIN, 0, 0);
        Self { session, id: id.map(Box::from), person, entry: None, exit: None, events: 0, orders: Vec::new() }
    }

    fn claim(&mut self, order: i64, at: i64) {
        match self.orders.iter_mut().find(|(held, _)| *held == order) {
            Some((_, held)) => *held = at.min(*held),
            None => self.orders.push((order, at)),
        }
    }

    fn row(self, session_key: i64, calendar: &mut Calendar) -> SessionRow {
        let outcome = self.session.outcome();
        let (_, _, person_key, customer_key) = self.person;
        let url = |page: Page| page.map(|(_, url)| String::from(url));
        SessionRow {
            session_key,
            session_id: self.id.map(String::from),
            person_key,
            customer_key,
            date_key: calendar.date_key(outcome.first_at),
            started_at: outcome.first_at,
            ended_at: self.session.last_at,
            entry_url: url(self.entry),
            exit_url: url(self.exit),
            events: self.events,
            reached: outcome.reached,
            converted: outcome.ordered_at.is_some(),
            abandoned: outcome.is_abandoned,
            orders: self.orders,
        }
    }
}

/// Builds sessions. Rows may come in any order and any batches.
#[derive(Debug)]
pub struct SessionRows {
    told: HashMap<i64, Vec<Told>>,
    calendar: Calendar,
}

/// The columns of an event that sessions use.
struct Cells<'r> {
    times: &'r arrow_array::TimestampMicrosecondArray,
    persons: &'r Int64Array,
    customers: &'r Int64Array,
    orders: &'r Int64Array,
    ids: Texts<'r>,
    urls: Texts<'r>,
}

impl SessionRows {
    pub const COLUMNS: &[&str] = &[
        "type",
        "occurred_at",
        "customer_key",
        "person_key",
        "session_key",
        "session_id",
        "url",
        "order_key",
        "is_test",
        "is_bot",
    ];

    pub fn new(shop: &Shop) -> Self {
        Self { told: HashMap::new(), calendar: shop.calendar() }
    }

    /// The keys of session ids of the events that count, with their rows.
    pub fn keys(rows: &RecordBatch, mut take: impl FnMut(usize, i64)) -> Result<(), ApplyError> {
        let visible = Visible::of(&Columns { table: Table::FactEvent, rows })?;
        (0..rows.num_rows()).filter_map(|row| Some((row, visible.session(row)?))).for_each(|(row, key)| take(row, key));
        Ok(())
    }

    /// Folds in rows of `fact_event` with the wanted session ids.
    pub fn apply(&mut self, rows: &RecordBatch, wanted: impl Fn(i64) -> bool) -> Result<(), ApplyError> {
        let columns = Columns { table: Table::FactEvent, rows };
        let visible = Visible::of(&columns)?;
        let steps: Result<Vec<Step>, ApplyError> =
            columns.get(fact_event::r#type)?.each(rows.num_rows(), |kind| Ok(Step::of(kind.unwrap_or_default())));
        let steps = steps?;
        let cells = Cells {
            times: columns.get(fact_event::occurred_at)?,
            persons: columns.get(fact_event::person_key)?,
            customers: columns.get(fact_event::customer_key)?,
            orders: columns.get(fact_event::order_key)?,
            ids: columns.get(fact_event::session_id)?,
            urls: columns.get(fact_event::url)?,
        };
        for (row, step) in steps.into_iter().enumerate() {
            if let Some(key) = visible.session(row).filter(|key| wanted(*key)) {
                self.event(key, step, &cells, row);
            }
        }
        Ok(())
    }

    fn event(&mut self, key: i64, step: Step, cells: &Cells<'_>, row: usize) {
        let at = cells.times.value(row);
        let visits = self.told.entry(key).or_default();
        let range = visits::around(visits, at);
        let told = visits::join(visits, range, || Told::new(at, cells.ids.get(row)));
        told.session.note(step, at);
        told.events += 1;
        let customer = cells.customers.value(row);
        told.person = told.person.max((customer != 0, at, cells.persons.value(row), customer));
        if let Some(url) = cells.urls.get(row) {
            earlier(&mut told.entry, at, url);
            later(&mut told.exit, at, url);
        }
        let order = cells.orders.value(row);
        if step == Step::Paid && order != 0 {
            told.claim(order, at);
        }
    }

    /// The sessions, ordered by their start.
    pub fn finish(mut self) -> Vec<SessionRow> {
        let mut rows = Vec::with_capacity(self.told.len());
        for (key, visits) in self.told {
            rows.extend(visits.into_iter().map(|told| told.row(key, &mut self.calendar)));
        }
        rows.sort_unstable_by_key(|row| (row.started_at, row.session_key));
        rows
    }
}

#[cfg(test)]
mod tests;

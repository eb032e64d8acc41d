//! Rows of behaviour events into state.

use kassa_model::star::fact_event;

use super::Figures;
use crate::columns::{ApplyError, Columns};
use crate::sessions::Step;

pub(super) const EVENT: &[&str] =
    &["type", "occurred_at", "customer_key", "person_key", "session_key", "is_test", "is_bot", "is_future"];

impl Figures {
    pub(super) fn apply_events(&mut self, columns: &Columns<'_>) -> Result<(), ApplyError> {
        let rows = columns.rows.num_rows();
        let steps: Result<_, ApplyError> =
            columns.get(fact_event::r#type)?.each(rows, |kind| Ok(Step::of(kind.unwrap_or_default())));
        let steps: Vec<Step> = steps?;
        let (occurred_at, customers) = (columns.get(fact_event::occurred_at)?, columns.get(fact_event::customer_key)?);
        let (persons, sessions) = (columns.get(fact_event::person_key)?, columns.get(fact_event::session_key)?);
        let (is_test, is_bot) = (columns.get(fact_event::is_test)?, columns.get(fact_event::is_bot)?);
        let is_future = columns.get(fact_event::is_future)?;
        for row in (0..rows).filter(|row| !is_test.value(*row)) {
            let at = occurred_at.value(row);
            let local = self.calendars[1].local(at);
            self.saw(at, local.date_key, is_future.value(row));
            if is_bot.value(row) {
                continue;
            }
            // The key that the ledger uses for the same customer.
            let person = if customers.value(row) == 0 { persons.value(row) } else { customers.value(row) };
            self.persons.see(person, local, &mut self.recent);
            self.sessions.add(sessions.value(row), steps[row], at, &mut self.recent);
        }
        Ok(())
    }
}

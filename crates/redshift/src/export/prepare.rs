//! Creates what is missing: schemas, tables, columns that are new in the model, and views.

use std::collections::HashSet;

use super::Exporter;
use crate::api::BATCH;
use crate::error::ExportError;
use crate::schema;
use crate::statements;

impl Exporter<'_> {
    pub(super) fn prepare(&self) -> Result<(), ExportError> {
        let token = self.token("catalogue", &self.run, 0);
        let rows = self.api.query("catalogue", &statements::catalogue(&self.target), &token)?;
        let mut columns = HashSet::new();
        let mut tables = HashSet::new();
        for row in &rows {
            if let [Some(schema), Some(table), Some(column)] = row.as_slice() {
                columns.insert((table.as_str(), column.as_str()));
                tables.insert((schema.as_str(), table.as_str()));
            }
        }
        let own = self.target.own_schema();
        let is_complete = schema::tables().all(|table| tables.contains(&(self.target.schema.as_str(), table.name())))
            && ["state", "positions"].iter().all(|name| tables.contains(&(own.as_str(), *name)));
        if !is_complete {
            for (nth, some) in schema::tables_made(&self.target.schema).chunks(BATCH).enumerate() {
                self.run("making the schema", some.to_vec(), &format!("{} {nth}", self.run))?;
            }
        }
        if tables.contains(&(own.as_str(), "state")) && !columns.contains(&("state", "rebuild")) {
            self.run("adding state.rebuild", vec![statements::add_rebuild(&self.target)], &self.run)?;
        }
        let here = schema::tables().filter(|table| tables.contains(&(self.target.schema.as_str(), table.name())));
        let mut is_altered = !schema::view_names().all(|view| tables.contains(&(self.target.schema.as_str(), view.as_str())));
        for table in here {
            for column in table.columns().filter(|column| !columns.contains(&(table.name(), column.name))) {
                // ALTER TABLE … ADD COLUMN has no IF NOT EXISTS: a second exporter fails, and finds
                // the column when it runs again.
                let name = format!("adding {}.{}", table.name(), column.name);
                self.run(&name, vec![statements::add_column(&self.target, table, column)], &self.run)?;
                is_altered = true;
            }
        }
        if is_altered {
            self.run("making the views", schema::views(&self.target.schema), &self.run)?;
        }
        if is_complete {
            return Ok(());
        }
        self.run("making the first state", statements::first_state(&self.target), &self.run)
    }
}

//! Change events of Debezium as JSON: what each contract makes of an inserted, changed, deleted or re-read row of a table.
//!
//! Facts are only ever added, so a change of a row that holds money becomes what it differs by, and a deletion what takes it back.
//! The rules, and why they are so: docs/decisions/0013-debezium.md.

mod change;
mod envelope;
mod money;
mod rules;

pub(crate) use envelope::Change;
pub(crate) use rules::Rules;

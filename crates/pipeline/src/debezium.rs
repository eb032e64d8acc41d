//! Change events of Debezium as JSON: the facts that each contract adds for an inserted, changed, deleted or snapshot row of a
//! table.
//!
//! Facts are only ever added, so an update of a row that holds money becomes the difference, and a deletion becomes the reversal.
//! The rules and their reasons: docs/decisions/0013-debezium.md.

mod change;
mod envelope;
mod money;
mod rules;

pub(crate) use envelope::Change;
pub(crate) use rules::Rules;

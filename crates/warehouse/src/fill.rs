//! Writes the rows of a plan in one transaction: facts, dimensions, current state, sums, dead
//! letters, the spans that account for them, and the log of commits.

use kassa_model::Table;
use postgres::Transaction;

use crate::plan::{FACTS, Plan};
use crate::statements::{Statements, copy_in};
use crate::{WarehouseError, commits, ods, sums};

/// Dimensions with a row per version, and dimensions with a row per member.
const DIMENSIONS: [Table; 11] = [
    Table::DimCustomer,
    Table::VaultCustomer,
    Table::DimProduct,
    Table::DimCategory,
    Table::DimAddress,
    Table::DimCity,
    Table::DimCountry,
    Table::DimChannel,
    Table::DimPromotion,
    Table::DimPaymentMethod,
    Table::DimCurrency,
];

/// Writes the rows of a plan in a transaction. Returns their number.
pub(crate) fn fill(
    transaction: &mut Transaction<'_>,
    statements: &mut Statements,
    plan: &Plan,
    now: i64,
) -> Result<u64, WarehouseError> {
    let mut rows = 0;
    for (table, _) in FACTS {
        rows += copy_in(transaction, &format!("dwh.{}", table.name()), plan.rows(table), None)
            .map_err(|error| error.at(table.name()))?;
    }
    for table in DIMENSIONS {
        let name = format!("dwh.{}", table.name());
        rows += statements
            .insert(transaction, &name, plan.rows(table), "ON CONFLICT DO NOTHING")
            .map_err(|error| error.at(table.name()))?;
    }
    ods::put(transaction, statements, plan).map_err(|error| error.at("ods"))?;
    sums::put(transaction, statements, plan).map_err(|error| error.at("sums"))?;
    rows +=
        copy_in(transaction, "kassa.dead_letters", plan.rows(Table::Rejected), None).map_err(|error| error.at("dead letters"))?;
    let spans = plan.spans.rows(now).map_err(WarehouseError::corrupt)?;
    copy_in(transaction, "kassa.spans", &[spans], None).map_err(|error| error.at("spans"))?;
    if !plan.is_empty() {
        commits::put(transaction, statements, plan).map_err(|error| error.at("commits"))?;
    }
    Ok(rows)
}

//! A rebuild of the warehouse: one transaction empties the tables and marks the warehouse, ordinary commits fill it again, and one transaction
//! removes the mark. While the mark is there, kassa reads and writes the warehouse only for the rebuild.

use kassa_model::Table;
use postgres::{Client, GenericClient, Transaction};

use crate::WarehouseError;
use crate::connect::connect;
use crate::examine::Examiner;
use crate::migrate::{GRANTS, migrate, own};
use crate::url::Target;

/// The mark is a view with the settings of the rebuild. It needs no migration, and comes and goes with a transaction.
const IS_MARKED: &str = "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'kassa' AND c.relname = 'rebuild')";

/// The tables besides the star that are filled with it. `kassa.shop` and `kassa.migrations` stay.
const BESIDE: [&str; 14] = [
    "dwh.agg_sales_daily",
    "dwh.agg_events_daily",
    "ods.customers",
    "ods.orders",
    "ods.order_revisions",
    "ods.order_details",
    "ods.payments",
    "kassa.positions",
    "kassa.spans",
    "kassa.dead_letters",
    "kassa.dropped",
    "kassa.derived",
    "kassa.commits",
    "kassa.claims",
];

const ERASED: &str = "INSERT INTO kassa.erased SELECT p.new_key FROM unnest($1::int8[], $2::int8[]) AS p (held, new_key)
    WHERE EXISTS (SELECT FROM dwh.dim_customer d WHERE d.customer_key = p.held AND NOT d.is_placeholder)
      AND NOT EXISTS (SELECT FROM dwh.vault_customer v WHERE v.customer_key = p.held) ON CONFLICT DO NOTHING";
/// Customers that are looked for at once.
const AT_ONCE: usize = 100_000;

const UNMARK: &str =
    "DROP TRIGGER IF EXISTS leave_out_erased ON dwh.vault_customer; DROP TRIGGER IF EXISTS empty_erased ON kassa.dead_letters;
    DROP FUNCTION IF EXISTS kassa.leave_out_erased(); DROP FUNCTION IF EXISTS kassa.empty_erased();
    DROP TABLE IF EXISTS kassa.erased, kassa.erased_letters; DROP VIEW IF EXISTS kassa.rebuild";

/// Refuses a warehouse whose rebuild is not complete, except to the rebuild itself.
pub(crate) fn refuse_unfinished(client: &mut Client, target: &Target) -> Result<(), WarehouseError> {
    if target.is_rebuilding || !is_marked(client)? {
        return Ok(());
    }
    Err(WarehouseError::Rebuilding(format!("a rebuild of the warehouse {} has not ended", target.place())))
}

fn is_marked(client: &mut impl GenericClient) -> Result<bool, WarehouseError> {
    Ok(client.query_one(IS_MARKED, &[])?.get(0))
}

/// Brings the schema up to date, and refuses a warehouse that cannot be rebuilt. `keeps_all`: no retention is configured.
pub fn prepare(target: &Target, keeps_all: bool) -> Result<(), WarehouseError> {
    let place = target.place();
    if !Examiner::connect(target)?.may_migrate()? {
        return Err(WarehouseError::Invalid(format!(
            "{} may not rebuild the warehouse {place}: a rebuild empties its tables, which only their owner may do. Run it as a login that \
             has the role kassa_migrate",
            target.user
        )));
    }
    migrate(target)?;
    let mut client = connect(target)?;
    own(&mut client)?;
    let was_dropped: bool = client.query_one("SELECT EXISTS (SELECT FROM kassa.dropped)", &[])?.get(0);
    if was_dropped && keeps_all && !is_marked(&mut client)? {
        return Err(WarehouseError::Invalid(format!(
            "facts of old days were dropped from the warehouse {place}, and a rebuild would bring them back. Set `warehouse.retention` first"
        )));
    }
    Ok(())
}

/// Whether a rebuild with these settings has emptied the warehouse and is not complete.
pub fn is_unfinished(target: &Target, settings: i64) -> Result<bool, WarehouseError> {
    let mut client = connect(target)?;
    own(&mut client)?;
    Ok(marked(&mut client)? == Some(settings))
}

/// The settings that the mark states; `None`: there is no mark.
fn marked(client: &mut impl GenericClient) -> Result<Option<i64>, WarehouseError> {
    if !is_marked(client)? {
        return Ok(None);
    }
    Ok(Some(client.query_one("SELECT settings FROM kassa.rebuild", &[])?.get(0)))
}

/// Empties the tables and marks the warehouse, in one transaction. `personal` are the customers whose personal data the lake has, each by a key
/// that the warehouse may hold and by the key in the new star: those that the warehouse knows without personal data were erased there, and stay
/// so.
///
/// A warehouse that has the mark of the same settings is left as it is: it is being filled.
pub fn begin(target: &Target, settings: i64, personal: &[(i64, i64)]) -> Result<(), WarehouseError> {
    let mut client = connect(target)?;
    client.batch_execute("SET statement_timeout = 0")?;
    own(&mut client)?;
    let mut transaction = client.transaction()?;
    transaction.batch_execute("SELECT pg_advisory_xact_lock(hashtext('kassa rebuild'))")?;
    if marked(&mut transaction)? == Some(settings) {
        return Ok(());
    }
    transaction.batch_execute(include_str!("../schema/rebuild.sql"))?;
    for keys in personal.chunks(AT_ONCE) {
        let (held, new): (Vec<i64>, Vec<i64>) = keys.iter().copied().unzip();
        transaction.execute(ERASED, &[&held, &new])?;
    }
    empty(&mut transaction)?;
    let mark = format!("DROP VIEW IF EXISTS kassa.rebuild; CREATE VIEW kassa.rebuild AS SELECT '{settings}'::int8 AS settings");
    transaction.batch_execute(&mark)?;
    transaction.batch_execute(GRANTS)?;
    transaction.commit()?;
    Ok(())
}

fn empty(transaction: &mut Transaction<'_>) -> Result<(), WarehouseError> {
    // Dead letters and spans have their own tables in `kassa`.
    let star = Table::ALL.into_iter().filter(|table| !matches!(table, Table::Rejected | Table::Spans));
    let tables = star.map(|table| format!("dwh.{}", table.name())).chain(BESIDE.map(str::to_owned));
    transaction.batch_execute(&format!("TRUNCATE {}", tables.collect::<Vec<_>>().join(", ")))?;
    Ok(())
}

/// Allows all processes to use the warehouse again: it is complete.
pub fn finish(target: &Target) -> Result<(), WarehouseError> {
    let mut client = connect(target)?;
    own(&mut client)?;
    let mut transaction = client.transaction()?;
    transaction.batch_execute(UNMARK)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests;

//! The schema: numbered migrations, each applied once, under a lock, and never changed afterwards; then the [`views`] that follow from the catalogue of figures.

use kassa_model::Newer;
use postgres::Client;
use postgres::error::SqlState;
use refinery::{Migration, Runner};

use crate::connect::connect;
use crate::url::Target;
use crate::{WarehouseError, declared, views};

const MIGRATIONS: [(&str, &str); 9] = [
    ("V1__kassa", include_str!("../schema/V1__kassa.sql")),
    ("V2__star", include_str!("../schema/V2__star.sql")),
    ("V3__ods", include_str!("../schema/V3__ods.sql")),
    ("V4__views", include_str!("../schema/V4__views.sql")),
    ("V5__partitions", include_str!("../schema/V5__partitions.sql")),
    ("V6__list_price", include_str!("../schema/V6__list_price.sql")),
    ("V7__money", include_str!("../schema/V7__money.sql")),
    ("V8__commits", include_str!("../schema/V8__commits.sql")),
    ("V9__figures", include_str!("../schema/V9__figures.sql")),
];

/// For an administrator to run once: the roles.
pub const ROLES: &str = include_str!("../schema/roles.sql");
/// The rights of the roles; part of every migration.
pub const GRANTS: &str = include_str!("../schema/grants.sql");

const KEEP_RIGHTS: &str = include_str!("../schema/keep_rights.sql");
const RESTORE_RIGHTS: &str = include_str!("../schema/restore_rights.sql");

/// Only one kassa migrates a database at a time: two that start together take turns.
const LOCK: &str = "SELECT pg_advisory_lock(hashtext('kassa migrations'))";
const UNLOCK: &str = "SELECT pg_advisory_unlock(hashtext('kassa migrations'))";

/// Brings the schema up to date: migrations, then missing declared columns, then generated views. Returns the names of what was
/// applied.
pub fn migrate(target: &Target) -> Result<Vec<String>, WarehouseError> {
    let mut client = connect(target)?;
    // Creating an index over years of facts takes long.
    client.batch_execute("SET statement_timeout = 0")?;
    own(&mut client)?;
    client.batch_execute(LOCK)?;
    let applied = refuse_newer(&mut client, target).and_then(|()| apply(&mut client));
    // Closing the connection releases the lock in any case.
    client.batch_execute(UNLOCK).ok();
    applied
}

/// Switches to the role kassa_migrate if it may create objects in this database, so that it owns them. (Roles belong to the whole
/// server: the role may have been created for another database, and have no rights in this one.)
pub(crate) fn own(client: &mut Client) -> Result<(), WarehouseError> {
    let is_member =
        "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'kassa_migrate' AND pg_has_role(current_user, oid, 'MEMBER')
        AND has_database_privilege(oid, current_database(), 'CREATE'))";
    if client.query_one(is_member, &[])?.get(0) {
        client.batch_execute("SET ROLE kassa_migrate")?;
    }
    Ok(())
}

fn apply(client: &mut Client) -> Result<Vec<String>, WarehouseError> {
    let has_schema: bool = client.query_one("SELECT to_regnamespace('kassa') IS NOT NULL", &[])?.get(0);
    if !has_schema {
        client.batch_execute("CREATE SCHEMA kassa")?;
    }
    let migrations = known()?;
    let mut runner = Runner::new(&migrations).set_abort_divergent(true).set_abort_missing(true);
    runner.set_migration_table_name("kassa.migrations");
    // Left by a migration that was killed.
    restore_rights(client)?;
    if is_behind(client, &migrations)? {
        client.batch_execute(KEEP_RIGHTS)?;
    }
    let migrated = runner.run(client).map_err(refused);
    let restored = restore_rights(client);
    let report = migrated?;
    restored?;
    let mut applied: Vec<String> = report.applied_migrations().iter().map(|migration| migration.name().to_owned()).collect();
    applied.extend(declared::add_columns(client)?);
    if views::replace(client)? {
        applied.push(views::NAME.to_owned());
    }
    client.batch_execute(GRANTS)?;
    Ok(applied)
}

fn has_table(client: &mut Client, name: &str) -> Result<bool, WarehouseError> {
    Ok(client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&name])?.get(0))
}

/// Whether the schema exists and some of the migrations are missing.
fn is_behind(client: &mut Client, migrations: &[Migration]) -> Result<bool, WarehouseError> {
    if !has_table(client, "kassa.migrations")? {
        return Ok(false);
    }
    let applied: i64 = client.query_one("SELECT count(*) FROM kassa.migrations", &[])?.get(0);
    Ok(usize::try_from(applied).unwrap_or(usize::MAX) < migrations.len())
}

/// A migration may be killed between its own transaction and this one: then the next migration begins with it.
fn restore_rights(client: &mut Client) -> Result<(), WarehouseError> {
    if has_table(client, "kassa.kept_rights")? {
        client.batch_execute(RESTORE_RIGHTS)?;
    }
    Ok(())
}

/// Whether there are migrations, and whether this login may read their list.
const MAY_READ: &str = "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'kassa' AND c.relname = 'migrations' AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))";
const BEYOND: &str = "SELECT version::int8, name FROM kassa.migrations WHERE version > $1::int8 ORDER BY version";

/// Refuses a schema that a newer kassa has migrated: it may have another meaning for what this program reads or writes.
pub(crate) fn refuse_newer(client: &mut Client, target: &Target) -> Result<(), WarehouseError> {
    if !client.query_one(MAY_READ, &[])?.get::<_, bool>(0) {
        return Ok(());
    }
    let newest = known()?.iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0);
    let rows = client.query(BEYOND, &[&newest])?;
    let names: Vec<String> = rows.iter().map(|row| format!("V{}__{}", row.get::<_, i64>(0), row.get::<_, String>(1))).collect();
    if names.is_empty() {
        return Ok(());
    }
    let place = format!("the warehouse {}", target.place());
    Err(Newer { place, found: format!("the migration {}", names.join(", ")), known: format!("migrations up to V{newest}") }
        .into())
}

/// The migrations of this kassa.
pub(crate) fn known() -> Result<Vec<Migration>, WarehouseError> {
    MIGRATIONS.iter().map(|(name, sql)| Migration::unapplied(name, sql)).collect::<Result<_, _>>().map_err(refused)
}

fn refused(error: refinery::Error) -> WarehouseError {
    let source = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<postgres::Error>());
    match source.map(crate::error::class) {
        Some(crate::error::Class::Passing) => WarehouseError::Unavailable(error.to_string()),
        _ => WarehouseError::Invalid(match source {
            Some(cause) if cause.code() == Some(&SqlState::DEPENDENT_OBJECTS_STILL_EXIST) => format!(
                "{}. Nothing was changed. Drop what depends on it, run `kassa migrate` again, and create it again",
                crate::error::words(cause)
            ),
            Some(cause) => crate::error::words(cause),
            None => format!("{error}. A migration that was changed after it was applied is not touched"),
        }),
    }
}

//! Examines a warehouse for an operator before kassa writes to it. Reads only.

use kassa_model::Positions;
use kassa_model::time::date_key;
use postgres::Client;

use crate::url::Target;
use crate::{WarehouseError, connect, declared, migrate, partitions, positions};

/// A read-only connection.
pub struct Examiner {
    client: Client,
}

impl std::fmt::Debug for Examiner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Examiner")
    }
}

/// The server's own description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// 150004 is 15.4.
    pub version: i32,
    /// µs UTC.
    pub time: i64,
    /// A standby, or a read-only session.
    pub is_read_only: bool,
}

/// The schema's state relative to this kassa.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    None,
    Current,
    /// The names of migrations that are not applied yet.
    Behind(Vec<String>),
    /// A newer kassa has migrated it: the names of its migrations.
    Newer(Vec<String>),
    /// Applied migrations that differ from this kassa's with the same number.
    Changed(Vec<String>),
    /// All migrations are applied, and still a table has another column than is declared: which, and how it differs.
    Altered(String),
}

/// A missing right of a login: `INSERT ON dwh.fact_sales`.
pub type Right = String;

const SERVER: &str = "SELECT current_setting('server_version_num')::int, (extract(epoch FROM clock_timestamp()) * 1000000)::int8,
    pg_is_in_recovery() OR current_setting('transaction_read_only')::bool";

const IS_MIGRATED: &str = "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'kassa' AND c.relname = 'migrations')";

/// Whether the login may migrate: it is a member of the schema's owner, or may create the schema. A
/// member of `kassa_migrate` works as that role.
const MAY_MIGRATE: &str = "SELECT coalesce(
    (SELECT pg_has_role(nspowner, 'MEMBER') FROM pg_namespace WHERE nspname = 'kassa'),
    has_database_privilege(current_database(), 'CREATE') OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'kassa_migrate'
      AND pg_has_role(oid, 'MEMBER') AND has_database_privilege(oid, current_database()::text, 'CREATE')))";

/// The rights from `grants.sql` that writing needs and the login lacks. Relations are looked up by
/// name, because a login without rights on a schema cannot resolve names in it.
const LACKING: &str = "
    WITH held AS (
      SELECT c.oid, n.oid AS space, n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname IN ('dwh', 'ods', 'kassa') AND c.relkind IN ('r', 'p') AND NOT c.relispartition),
    wanted AS (
      SELECT unnest(ARRAY['SELECT', 'INSERT']) AS what, held.* FROM held
      UNION ALL SELECT 'UPDATE', held.* FROM held WHERE name IN
        ('ods.customers', 'ods.orders', 'dwh.agg_sales_daily', 'dwh.agg_events_daily', 'kassa.positions', 'kassa.derived', 'kassa.commits',
         'kassa.shop')
      UNION ALL SELECT 'DELETE', held.* FROM held WHERE name IN
        ('dwh.fact_session', 'dwh.dim_fx_rate', 'dwh.dim_date', 'dwh.dim_time', 'kassa.derived', 'kassa.claims'))
    SELECT what || ' ON ' || name FROM wanted
    WHERE NOT (what = 'INSERT' AND name IN ('kassa.migrations', 'kassa.dropped'))
      AND NOT (has_schema_privilege(space, 'USAGE') AND has_table_privilege(oid, what))
    UNION ALL
    SELECT 'EXECUTE ON FUNCTION kassa.add_partition' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'kassa' AND p.proname = 'add_partition' AND NOT has_function_privilege(p.oid, 'EXECUTE')
    ORDER BY 1";

impl Examiner {
    pub fn connect(target: &Target) -> Result<Self, WarehouseError> {
        Ok(Self { client: connect(target)? })
    }

    pub fn server(&mut self) -> Result<Server, WarehouseError> {
        let row = self.client.query_one(SERVER, &[])?;
        Ok(Server { version: row.get(0), time: row.get(1), is_read_only: row.get(2) })
    }

    pub fn schema(&mut self) -> Result<Schema, WarehouseError> {
        if !self.client.query_one(IS_MIGRATED, &[])?.get::<_, bool>(0) {
            return Ok(Schema::None);
        }
        let rows = self.client.query("SELECT version::int8, name, checksum FROM kassa.migrations ORDER BY version", &[])?;
        let applied: Vec<(i64, String, String)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        let known = migrate::known()?;
        let of = |version: i64| known.iter().find(|known| i64::from(known.version()) == version);
        let named = |version: &i64, name: &str| format!("V{version}__{name}");
        let names = |wanted: &dyn Fn(&&(i64, String, String)) -> bool| -> Vec<String> {
            applied.iter().filter(wanted).map(|(version, name, _)| named(version, name)).collect()
        };
        let newer = names(&|(version, ..)| of(*version).is_none());
        let changed = names(&|(version, _, sum)| of(*version).is_some_and(|known| known.checksum().to_string() != *sum));
        let is_applied = |version: i64| applied.iter().any(|(held, ..)| *held == version);
        let missing = known.iter().filter(|known| !is_applied(known.version().into()));
        let mut missing: Vec<String> = missing.map(|known| named(&known.version().into(), known.name())).collect();
        if missing.is_empty() && newer.is_empty() {
            match declared::lacking(&mut self.client) {
                Ok(lacking) => missing.extend(lacking.iter().map(declared::named)),
                Err(WarehouseError::Invalid(words)) if changed.is_empty() => return Ok(Schema::Altered(words)),
                Err(WarehouseError::Invalid(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(match (changed.is_empty(), newer.is_empty(), missing.is_empty()) {
            (false, ..) => Schema::Changed(changed),
            (_, false, _) => Schema::Newer(newer),
            (.., false) => Schema::Behind(missing),
            _ => Schema::Current,
        })
    }

    /// Whether this login may create the schema, or alter the existing one.
    pub fn may_migrate(&mut self) -> Result<bool, WarehouseError> {
        Ok(self.client.query_one(MAY_MIGRATE, &[])?.get(0))
    }

    /// The rights that this login lacks for writing.
    pub fn lacking(&mut self) -> Result<Vec<Right>, WarehouseError> {
        Ok(self.client.query(LACKING, &[])?.iter().map(|row| row.get(0)).collect())
    }

    /// Whether every fact has a partition for tomorrow's rows (`now` in µs UTC): a running kassa
    /// creates them a week ahead.
    pub fn is_prepared(&mut self, now: i64) -> Result<bool, WarehouseError> {
        let day = partitions::today(now).tomorrow().map(date_key).unwrap_or(i32::MAX);
        let held = partitions::all(&mut self.client)?;
        Ok(crate::plan::FACTS.iter().all(|(table, _)| held.iter().any(|(of, _, days)| of == table && days.contains(&day))))
    }

    /// The warehouse's positions.
    pub fn positions(&mut self) -> Result<Positions, WarehouseError> {
        positions::read(&mut self.client)
    }
}

#[cfg(test)]
mod tests;

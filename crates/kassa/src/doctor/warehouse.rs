//! PostgreSQL: whether it answers and meets kassa's requirements, and the rights of the login.

use std::sync::Arc;
use std::time::Duration;

use kassa_config::Config;
use kassa_model::Positions;
use kassa_model::time::Clock;
use kassa_warehouse::examine::{Examiner, Schema};
use kassa_warehouse::{Target, WarehouseError};

use super::check::{Check, Store};
use super::clock;
use crate::failure;

const SYSTEM: &str = "warehouse";
const CONNECT: Duration = Duration::from_secs(5);
/// PostgreSQL 13.
const OLDEST: i32 = 130_000;

pub fn examine(config: &Config, clock: &Arc<dyn Clock>) -> Store {
    let target = match crate::warehouse::target(config) {
        Ok(Some(target)) => Target { connect_timeout: CONNECT, ..target },
        Ok(None) => return Store::default(),
        Err(error) => {
            let check = Check::wrong(SYSTEM, "URL", "warehouse.url", failure::chain(&error));
            return Store { checks: vec![check.fix("see docs/how-to/postgresql.md")], ..Store::default() };
        }
    };
    let place = format!("{} at {}", target.user, target.place());
    let mut examiner = match Examiner::connect(&target) {
        Ok(examiner) => examiner,
        Err(error) => return Store { checks: vec![refused(&place, &target, &error)], ..Store::default() },
    };
    let mut checks = server(&mut examiner, &place, clock.as_ref());
    let (schema, is_there) = schema(&mut examiner, &place);
    checks.push(schema);
    if !is_there {
        return Store { checks, sinks: vec![(SYSTEM, Positions::default())], ..Store::default() };
    }
    checks.push(rights(&mut examiner, &place, &target.user));
    let positions = examiner.positions();
    if positions.as_ref().is_ok_and(|positions| !positions.is_empty()) {
        checks.push(days_ahead(&mut examiner, &place, clock.now()));
    }
    // Without the right to read them, the check of the rights has reported it.
    let sinks = positions.into_iter().map(|positions| (SYSTEM, positions)).collect();
    Store { checks, sinks, ..Store::default() }
}

/// A failed connection: the error without its own advice, and the fix for this configuration.
fn refused(place: &str, target: &Target, error: &WarehouseError) -> Check {
    let said = error.to_string();
    let database = &target.database;
    let (host, port) = (&target.host, target.port);
    let fix = match error {
        WarehouseError::Unavailable(_) => {
            format!("check that PostgreSQL runs and listens at {host}:{port}; then the firewall, and `warehouse.url`")
        }
        _ if said.contains("[3D000]") => {
            format!("create it: createdb -h {host} -p {port} {database}; or name another in `warehouse.url`")
        }
        _ if said.contains("[28") || said.contains("password") => {
            format!(
                "correct `warehouse.password`, or the role's: ALTER ROLE {} PASSWORD '…'; and check pg_hba.conf on the server",
                target.user
            )
        }
        _ if said.contains("ertificate") || said.contains("TLS") => format!(
            "give the authority that signed the server's certificate as `?sslrootcert=FILE` in `warehouse.url`, and use the host name in \
             the certificate (now {host})"
        ),
        _ => "see docs/how-to/postgresql.md".to_owned(),
    };
    // PostgreSQL's message ends with its SQLSTATE.
    let found = said.split_once("]. ").map_or_else(|| said.clone(), |(said, _)| format!("{said}]"));
    Check::wrong(SYSTEM, "connection", place, found).why("facts and current state are written there").fix(fix)
}

/// A query that was refused.
fn unanswered(what: &str, place: &str, error: &WarehouseError) -> Check {
    Check::wrong(SYSTEM, what, place, error.to_string()).fix("grant the login the role kassa_ingest (docs/how-to/postgresql.md)")
}

fn server(examiner: &mut Examiner, place: &str, clock: &dyn Clock) -> Vec<Check> {
    let before = clock.now();
    let server = match examiner.server() {
        Ok(server) => server,
        Err(error) => return vec![unanswered("server", place, &error)],
    };
    let ours = server.time.clamp(before, clock.now());
    let mut checks = vec![version(server.version, place), clock::check(SYSTEM, place, ours, server.time)];
    if server.is_read_only {
        let check = Check::wrong(SYSTEM, "server", place, "not writable: it is a standby, or read-only");
        checks.push(
            check
                .why("facts are written there")
                .fix("name the primary in `warehouse.url`, or set default_transaction_read_only = off"),
        );
    }
    checks
}

pub fn version(version: i32, place: &str) -> Check {
    let shown = format!("PostgreSQL {}.{}", version / 10_000, version % 10_000);
    if version >= OLDEST {
        return Check::ok(SYSTEM, "version", place, shown);
    }
    Check::wrong(SYSTEM, "version", place, format!("{shown} is too old"))
        .why("only 13 and later attach partitions without blocking readers, and support the unique indexes")
        .fix("use PostgreSQL 13 or later")
}

/// Checks the schema. Also returns whether it exists.
fn schema(examiner: &mut Examiner, place: &str) -> (Check, bool) {
    let what = "schema";
    let schema = examiner.schema().and_then(|schema| Ok((schema, examiner.may_migrate()?)));
    let (schema, may_migrate) = match schema {
        Ok(found) => found,
        Err(error) => return (unanswered(what, place, &error), true),
    };
    let admin = "start kassa once with a login of the role kassa_migrate, or the database's owner (docs/how-to/postgresql.md)";
    let wrong = |found: String, why: &str, fix: &str| Check::wrong(SYSTEM, what, place, found).why(why).fix(fix);
    let check = match &schema {
        Schema::Current => Check::ok(SYSTEM, what, place, "up to date"),
        Schema::None if may_migrate => Check::ok(SYSTEM, what, place, "will be created at the first start"),
        Schema::None => {
            wrong("there is none, and this login may not create one".to_owned(), "the first start creates the tables", admin)
        }
        Schema::Behind(names) if may_migrate => {
            Check::warning(SYSTEM, what, place, format!("the next start migrates it: {}", names.join(", ")))
                .why("an index over years of facts takes a while")
                .fix("nothing; or start kassa at a quiet time")
        }
        Schema::Behind(names) => wrong(
            format!("behind by {}, and this login may not migrate it", names.join(", ")),
            "this kassa writes to tables or columns that do not exist",
            admin,
        ),
        Schema::Newer(names) => wrong(
            format!("a newer kassa has migrated it: {}", names.join(", ")),
            "this kassa may write rows that the newer one cannot read",
            "run the kassa that migrated it, or a later one",
        ),
        Schema::Altered(words) => wrong(
            words.clone(),
            "kassa writes every column as it is declared",
            "undo the change to the table: docs/reference/star.md lists the columns and their types",
        ),
        Schema::Changed(names) => wrong(
            format!("was migrated with other statements than this kassa's: {}", names.join(", ")),
            "kassa does not continue after a migration that was changed after it was applied",
            "run the kassa that migrated it, or restore the database",
        ),
    };
    (check, schema != Schema::None)
}

fn rights(examiner: &mut Examiner, place: &str, user: &str) -> Check {
    match examiner.lacking() {
        Ok(lacking) if lacking.is_empty() => Check::ok(SYSTEM, "rights", place, "sufficient for feeding"),
        Ok(lacking) => {
            let more = lacking.len().saturating_sub(3);
            let named = lacking.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let found = format!("the login lacks {named}{}", if more > 0 { format!(" and {more} more") } else { String::new() });
            Check::wrong(SYSTEM, "rights", place, found)
                .why("a commit is one transaction: without one of these rights nothing is written")
                .fix(format!("GRANT kassa_ingest TO {user}; if it has the role: run crates/warehouse/schema/grants.sql again"))
        }
        Err(error) => unanswered("rights", place, &error),
    }
}

fn days_ahead(examiner: &mut Examiner, place: &str, now: i64) -> Check {
    match examiner.is_prepared(now) {
        Ok(true) => Check::ok(SYSTEM, "partitions", place, "created in advance"),
        Ok(false) => Check::warning(SYSTEM, "partitions", place, "there are none for tomorrow")
            .why("a running kassa creates them a week in advance: none has fed this warehouse lately")
            .fix("start kassa; it creates the missing ones"),
        Err(error) => unanswered("partitions", place, &error),
    }
}

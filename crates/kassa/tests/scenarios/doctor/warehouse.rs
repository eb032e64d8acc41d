//! PostgreSQL.

use kassa_stack::postgres::{Options, Postgres};

use super::{Told, told, told_with};
use crate::harness::Shop;

/// Whoever has this name must say the password.
const ACCESS: &str = "host all locked 127.0.0.1/32 scram-sha-256";

fn shop(url: &str, more: &str) -> Shop {
    Shop::new(&format!("[streams.orders]\n[warehouse]\nurl = \"{url}\"\n{more}"))
}

fn asked(url: &str) -> Told {
    told(&shop(url, ""))
}

#[test]
fn who_is_not_let_in_and_what_is_not_there_is_told() {
    asked("postgres://kassa@127.0.0.1:1/shop").says(("wrong", "warehouse"), "could not reach the warehouse", "127.0.0.1:1");
    let server =
        Postgres::start_with(&Options { tls: true, access: vec![ACCESS.to_owned()], ..Options::default() }).expect("PostgreSQL");
    server.sql("postgres", "CREATE ROLE locked LOGIN PASSWORD 'right-secret'").expect("a role");
    let password = "password = \"env:PG_PASSWORD\"\n";
    let locked = shop(&server.url("locked", "postgres"), password);
    let wrong = told_with(&locked, &[("PG_PASSWORD", "wrong-secret")]);
    wrong.says(("wrong", "warehouse"), "password authentication failed", "ALTER ROLE locked PASSWORD");
    told_with(&locked, &[("PG_PASSWORD", "right-secret")]).says(("ok", "warehouse"), "PostgreSQL 1", "");
    asked(&server.url("locked", "postgres")).says(("wrong", "warehouse"), "password", "warehouse.password");
    asked(&server.url("postgres", "no_such")).says(("wrong", "warehouse"), "no_such", "createdb -h 127.0.0.1");
    let certificates = server.certificates().expect("certificates");
    let by = |host: &str, authority: &std::path::Path| {
        let url = server.url("postgres", "postgres").replace("127.0.0.1", host);
        asked(&format!("{url}?sslmode=verify-full&sslrootcert={}", authority.display()))
    };
    by("localhost", &certificates.authority).says(("ok", "warehouse"), "PostgreSQL 1", "");
    by("localhost", &certificates.stranger).says(("wrong", "warehouse"), "ertificate", "?sslrootcert=FILE");
    // The certificate is for the name alone.
    by("127.0.0.1", &certificates.authority).says(("wrong", "warehouse"), "ertificate", "now 127.0.0.1");
}

#[test]
fn a_schema_or_a_login_that_is_not_what_kassa_needs_is_told() {
    let server = Postgres::start().expect("PostgreSQL");
    let sql = |sql: &str| server.sql("kassa", sql).expect("done");
    server.sql("postgres", "CREATE DATABASE kassa").expect("a database");
    sql("CREATE ROLE feeder LOGIN");
    let (owner, feeder) = (server.url("postgres", "kassa"), server.url("feeder", "kassa"));
    asked(&owner).is_well("warehouse").says(("ok", "warehouse"), "is made at the first start", "");
    asked(&feeder).says(("wrong", "warehouse"), "there is none, and this login may not make one", "kassa_migrate");
    let owners = shop(&owner, "");
    owners.ok(&["run", "--until-caught-up"]);
    told(&owners).is_well("warehouse").says(("ok", "warehouse"), "as this machine's", "");
    asked(&feeder).says(("wrong", "warehouse"), "the login lacks", "GRANT kassa_ingest TO feeder");
    sql(
        "GRANT USAGE ON SCHEMA dwh, ods, kassa TO feeder; GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA dwh, ods, kassa TO feeder",
    );
    asked(&feeder).says(("wrong", "warehouse"), "DELETE ON dwh.dim_date", "grants.sql");
    sql("INSERT INTO kassa.positions VALUES ('orders', 0, 0, now())");
    sql("SELECT kassa.drop_partition(table_name, partition_name) FROM kassa.partitions");
    asked(&owner).says(("warning", "warehouse"), "there are none for tomorrow", "start kassa");
    sql("UPDATE kassa.migrations SET checksum = '1' WHERE version = 2");
    asked(&owner).says(("wrong", "warehouse"), "by other statements than this kassa has: V2__star", "restore the database");
    sql("INSERT INTO kassa.migrations SELECT 99, 'later', applied_on, '1' FROM kassa.migrations WHERE version = 1");
    sql("DELETE FROM kassa.migrations WHERE version = 2");
    asked(&owner).says(("wrong", "warehouse"), "a newer kassa has migrated it: V99__later", "a later one");
    sql("DELETE FROM kassa.migrations WHERE version = 99");
    asked(&owner).says(("warning", "warehouse"), "the next start migrates it: V2__star", "");
    asked(&feeder).says(("wrong", "warehouse"), "this login may not migrate it", "kassa_migrate");
    sql("ALTER DATABASE kassa SET default_transaction_read_only = on");
    asked(&owner).says(("wrong", "warehouse"), "may not be written to", "name the primary");
}

//! PostgreSQL.

use kassa_stack::postgres::{Options, Postgres};

use super::{Diagnosis, diagnose, diagnose_with};
use crate::harness::Shop;

/// This user must give a password.
const ACCESS: &str = "host all locked 127.0.0.1/32 scram-sha-256";

fn shop(url: &str, more: &str) -> Shop {
    Shop::new(&format!("[streams.orders]\n[warehouse]\nurl = \"{url}\"\n{more}"))
}

fn asked(url: &str) -> Diagnosis {
    diagnose(&shop(url, ""))
}

#[test]
fn refused_logins_and_missing_databases_are_reported() {
    asked("postgres://kassa@127.0.0.1:1/shop").reports(("wrong", "warehouse"), "could not reach the warehouse", "127.0.0.1:1");
    let server =
        Postgres::start_with(&Options { tls: true, access: vec![ACCESS.to_owned()], ..Options::default() }).expect("PostgreSQL");
    server.sql("postgres", "CREATE ROLE locked LOGIN PASSWORD 'right-secret'").expect("a role");
    let password = "password = \"env:PG_PASSWORD\"\n";
    let locked = shop(&server.url("locked", "postgres"), password);
    let wrong = diagnose_with(&locked, &[("PG_PASSWORD", "wrong-secret")]);
    wrong.reports(("wrong", "warehouse"), "password authentication failed", "ALTER ROLE locked PASSWORD");
    diagnose_with(&locked, &[("PG_PASSWORD", "right-secret")]).reports(("ok", "warehouse"), "PostgreSQL 1", "");
    asked(&server.url("locked", "postgres")).reports(("wrong", "warehouse"), "password", "warehouse.password");
    asked(&server.url("postgres", "no_such")).reports(("wrong", "warehouse"), "no_such", "createdb -h 127.0.0.1");
    let certificates = server.certificates().expect("certificates");
    let by = |host: &str, authority: &std::path::Path| {
        let url = server.url("postgres", "postgres").replace("127.0.0.1", host);
        asked(&format!("{url}?sslmode=verify-full&sslrootcert={}", authority.display()))
    };
    by("localhost", &certificates.authority).reports(("ok", "warehouse"), "PostgreSQL 1", "");
    by("localhost", &certificates.stranger).reports(("wrong", "warehouse"), "ertificate", "?sslrootcert=FILE");
    // The certificate is only for the name.
    by("127.0.0.1", &certificates.authority).reports(("wrong", "warehouse"), "ertificate", "now 127.0.0.1");
}

#[test]
fn an_unsuitable_schema_or_login_is_reported() {
    let server = Postgres::start().expect("PostgreSQL");
    let sql = |sql: &str| server.sql("kassa", sql).expect("done");
    server.sql("postgres", "CREATE DATABASE kassa").expect("a database");
    sql("CREATE ROLE feeder LOGIN");
    let (owner, feeder) = (server.url("postgres", "kassa"), server.url("feeder", "kassa"));
    asked(&owner).is_well("warehouse").reports(("ok", "warehouse"), "will be created at the first start", "");
    asked(&feeder).reports(("wrong", "warehouse"), "there is none, and this login may not create one", "kassa_migrate");
    let owners = shop(&owner, "");
    owners.ok(&["run", "--until-caught-up"]);
    diagnose(&owners).is_well("warehouse").reports(("ok", "warehouse"), "equal to this machine's", "");
    asked(&feeder).reports(("wrong", "warehouse"), "the login lacks", "GRANT kassa_ingest TO feeder");
    sql(
        "GRANT USAGE ON SCHEMA dwh, ods, kassa TO feeder; GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA dwh, ods, kassa TO feeder",
    );
    asked(&feeder).reports(("wrong", "warehouse"), "DELETE ON dwh.dim_date", "grants.sql");
    sql("INSERT INTO kassa.positions VALUES ('orders', 0, 0, now())");
    sql("SELECT kassa.drop_partition(table_name, partition_name) FROM kassa.partitions");
    asked(&owner).reports(("warning", "warehouse"), "there are none for tomorrow", "start kassa");
    sql("UPDATE kassa.migrations SET checksum = '1' WHERE version = 2");
    asked(&owner).reports(("wrong", "warehouse"), "with other statements than this kassa's: V2__star", "restore the database");
    sql("INSERT INTO kassa.migrations SELECT 99, 'later', applied_on, '1' FROM kassa.migrations WHERE version = 1");
    sql("DELETE FROM kassa.migrations WHERE version = 2");
    asked(&owner).reports(("wrong", "warehouse"), "a newer kassa has migrated it: V99__later", "a later one");
    sql("DELETE FROM kassa.migrations WHERE version = 99");
    asked(&owner).reports(("warning", "warehouse"), "the next start migrates it: V2__star", "");
    asked(&feeder).reports(("wrong", "warehouse"), "this login may not migrate it", "kassa_migrate");
    sql("ALTER DATABASE kassa SET default_transaction_read_only = on");
    asked(&owner).reports(("wrong", "warehouse"), "not writable", "name the primary");
}

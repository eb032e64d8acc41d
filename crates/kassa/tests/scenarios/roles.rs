//! A warehouse whose work is divided among roles: one login owns the schema, one ingests, one reads.

use std::process::Command;

use kassa_stack::postgres::Postgres;

use crate::harness::{KASSA, Shop};
use crate::others_read::STREAMS;

/// A server with the database `shop`, migrated by the login `owner`; the logins `feeder`, `analyst` and `eraser` have a role each.
pub(crate) fn divided(shop: &Shop) -> Postgres {
    let postgres = Postgres::start().expect("PostgreSQL");
    postgres.sql("postgres", "CREATE DATABASE shop").expect("a database");
    let roles = Command::new(KASSA).args(["migrate", "--roles"]).output().expect("started");
    postgres.sql("shop", std::str::from_utf8(&roles.stdout).expect("UTF-8")).expect("roles");
    for (login, role) in [("owner", "migrate"), ("feeder", "ingest"), ("analyst", "read"), ("eraser", "erase")] {
        postgres.sql("shop", &format!("CREATE ROLE {login} LOGIN IN ROLE kassa_{role}")).expect("a login");
    }
    let migrate = || {
        let output = shop.command(&["migrate"]).envs(as_user(&postgres, "owner")).output().expect("started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let (first, second) = (migrate(), migrate());
    assert!(first.contains("applied kassa, star, ods"), "{first}");
    assert!(second.contains("up to date"), "{second}");
    postgres
}

/// The environment that has kassa be a user of the warehouse.
pub(crate) fn as_user(postgres: &Postgres, user: &str) -> [(&'static str, String); 1] {
    [("KASSA__WAREHOUSE__URL", postgres.url(user, "shop"))]
}

#[test]
fn each_login_does_its_work_and_is_refused_all_else() {
    let shop = Shop::new("[shop]\nname = \"Divided\"\n");
    let files = shop.dir.path().join("files");
    let simulate = ["simulate", "--records", "8000", "--to", files.to_str().expect("UTF-8")];
    assert!(Command::new(KASSA).args(simulate).status().expect("started").success());
    let postgres = divided(&shop);
    let as_feeder = |args: &[&str]| {
        let output = shop.command(args).envs(as_user(&postgres, "feeder")).output().expect("started");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    for stream in STREAMS {
        // So few records may have no refund among them.
        let file = files.join(format!("{stream}.ndjson"));
        if file.is_file() {
            as_feeder(&["replay", "--stream", stream, file.to_str().expect("UTF-8")]);
        }
    }
    as_feeder(&["run", "--until-caught-up"]);
    as_feeder(&["prove"]);
    // The analyst's figures, by kassa and by plain SQL, are the lake's.
    let asked = ["figures", "net_sales", "--format", "csv", "--from", "warehouse"];
    let read = shop.command(&asked).envs(as_user(&postgres, "analyst")).output().expect("started");
    assert_eq!(String::from_utf8_lossy(&read.stdout), shop.ok(&asked[..4]), "{}", String::from_utf8_lossy(&read.stderr));
    let by_sql = "SELECT value FROM dwh.net_sales WHERE basis = 'movement' AND \"by\" = 'total'";
    assert_eq!(postgres.sql_as("analyst", "shop", by_sql).expect("a value").trim(), shop.figure("net_sales"));
    refused(&postgres);
}

/// The rights of each login, and the requests that are refused only because a right is missing.
fn refused(postgres: &Postgres) {
    let may = [
        ("analyst", "SELECT count(*) FROM dwh.sales_flat JOIN dwh.dim_date ON date_key = movement_date_key"),
        (
            "analyst",
            "SELECT count(*) FROM ods.orders JOIN ods.order_details USING (order_key) JOIN ods.payments USING (order_key)",
        ),
        ("analyst", "SELECT count(*) FROM dwh.events_flat, kassa.positions"),
    ];
    for (login, sql) in may {
        postgres.sql_as(login, "shop", sql).unwrap_or_else(|error| panic!("{login} is refused {sql}: {error}"));
    }
    let may_not = [
        ("analyst", "INSERT INTO dwh.dim_channel SELECT * FROM dwh.dim_channel"),
        ("analyst", "UPDATE dwh.fact_sales SET net_amount = 0"),
        ("analyst", "DELETE FROM ods.orders"),
        ("analyst", "TRUNCATE dwh.fact_event"),
        ("analyst", "DROP VIEW dwh.sales_flat"),
        ("analyst", "CREATE TABLE dwh.mine (n integer)"),
        ("analyst", "CREATE TABLE public.mine (n integer)"),
        ("analyst", "ALTER TABLE ods.orders ADD COLUMN n integer"),
        ("analyst", "SELECT * FROM dwh.vault_customer"),
        ("analyst", "SELECT value FROM dwh.rejected"),
        ("analyst", "SELECT kassa.retire_partition('fact_sales', 'x')"),
        ("feeder", "DELETE FROM dwh.fact_sales"),
        ("feeder", "UPDATE ods.order_details SET quantity = 0"),
        ("feeder", "SELECT kassa.drop_partition('fact_sales', 'x')"),
        ("feeder", "CREATE TABLE dwh.mine (n integer)"),
        ("eraser", "SELECT * FROM dwh.fact_sales"),
    ];
    for (login, sql) in may_not {
        let error = postgres.sql_as(login, "shop", sql).expect_err(sql).to_string();
        assert!(error.contains("permission denied") || error.contains("must be owner"), "{login}: {sql}: {error}");
    }
}

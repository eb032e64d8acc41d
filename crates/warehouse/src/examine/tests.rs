use kassa_stack::postgres::{Options, Postgres};

use super::*;
use crate::testing::{NOW, Warehouse};

fn examiner(warehouse: &Warehouse, user: &str) -> Examiner {
    Examiner::connect(&warehouse.target(user)).unwrap()
}

#[test]
fn the_role_that_ingests_lacks_nothing_and_each_right_that_goes_is_named() {
    let server = Postgres::start_with(&Options::default()).unwrap();
    server.sql("postgres", "CREATE DATABASE shop").unwrap();
    server.sql("shop", crate::ROLES).unwrap();
    server.sql("shop", "CREATE ROLE feeder LOGIN IN ROLE kassa_ingest; CREATE ROLE nobody LOGIN").unwrap();
    let warehouse = Warehouse { server };
    assert_eq!(examiner(&warehouse, "postgres").schema().unwrap(), Schema::None);
    crate::migrate(&warehouse.target("postgres")).unwrap();
    assert_eq!(examiner(&warehouse, "feeder").lacking().unwrap(), Vec::<String>::new());
    assert_eq!(examiner(&warehouse, "feeder").schema().unwrap(), Schema::Current);
    assert!(examiner(&warehouse, "nobody").lacking().unwrap().contains(&"SELECT ON kassa.positions".to_owned()));
    for (right, name) in [
        ("INSERT ON dwh.fact_sales", "INSERT ON dwh.fact_sales"),
        ("UPDATE ON ods.orders", "UPDATE ON ods.orders"),
        ("DELETE ON kassa.derived", "DELETE ON kassa.derived"),
        ("EXECUTE ON FUNCTION kassa.add_partition(text, integer, integer)", "EXECUTE ON FUNCTION kassa.add_partition"),
    ] {
        warehouse.sql(&format!("REVOKE {right} FROM kassa_ingest"));
        assert_eq!(examiner(&warehouse, "feeder").lacking().unwrap(), [name]);
        warehouse.sql(&format!("GRANT {right} TO kassa_ingest"));
    }
}

#[test]
fn a_schema_that_is_behind_newer_or_changed_is_told_apart() {
    let warehouse = Warehouse::new();
    let mut examiner = examiner(&warehouse, "postgres");
    warehouse.sql("INSERT INTO kassa.migrations SELECT 99, 'later', applied_on, '1' FROM kassa.migrations WHERE version = 1");
    assert_eq!(examiner.schema().unwrap(), Schema::Newer(vec!["V99__later".to_owned()]));
    warehouse
        .sql("DELETE FROM kassa.migrations WHERE version = 99; UPDATE kassa.migrations SET checksum = '1' WHERE version = 2");
    assert_eq!(examiner.schema().unwrap(), Schema::Changed(vec!["V2__star".to_owned()]));
    warehouse.sql("DELETE FROM kassa.migrations WHERE version = 2");
    assert_eq!(examiner.schema().unwrap(), Schema::Behind(vec!["V2__star".to_owned()]));
    assert!(!examiner.is_prepared(NOW).unwrap(), "nobody has fed it yet");
    drop(warehouse.sink());
    assert!(examiner.is_prepared(NOW).unwrap());
    assert!(!examiner.is_prepared(NOW + 30 * kassa_model::time::DAY).unwrap());
    let server = examiner.server().unwrap();
    assert!(server.version >= 130_000 && !server.is_read_only, "{server:?}");
}

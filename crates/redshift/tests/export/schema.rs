//! Compares what an export creates with the documented schema.

use std::path::Path;

use kassa_redshift::schema::statements;

#[test]
fn the_schema_is_as_its_file_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.sql");
    let head = "-- Made from the model's schema by `UPDATE_DOCS=1 cargo test -p kassa-redshift`: what `kassa job run redshift` creates where it is missing.\n";
    let made = format!("{head}\n{};\n", statements("dwh").join(";\n\n"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &made).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), made, "UPDATE_DOCS=1 writes it anew");
}

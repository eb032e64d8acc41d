use std::fs;
use std::path::Path;

use super::*;

#[test]
fn the_scripts_register_every_table_of_the_lake() {
    for (reader, file, scheme) in [(Reader::Athena, "athena.sql", "s3"), (Reader::Spark, "spark.sql", "s3a")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/sql").join(file);
        let script = format!(
            "-- Made from the declarations in crates/model/src/star/ by `UPDATE_DOCS=1 cargo test -p kassa-model`.\n-- Replace {scheme}://BUCKET/PREFIX by the URL of the lake.\n\n{}",
            reader.script("kassa", &format!("{scheme}://BUCKET/PREFIX"))
        );
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &script).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), script, "UPDATE_DOCS=1 writes {file}");
    }
}

#[test]
fn a_table_of_postgresql_quotes_its_columns_and_states_which_may_be_null() {
    let expected = "CREATE TABLE kassa.x (\n  \"time_key\" integer NOT NULL,\n  \"hour\" integer NOT NULL,\n  \"minute\" integer NOT NULL,\n  \"quarter_hour\" integer NOT NULL\n)";
    assert_eq!(postgres_table("kassa.x", Table::DimTime), expected);
    let rejected = postgres_table("r", Table::Rejected);
    for line in
        ["\"offset\" bigint NOT NULL", "\"key\" bytea,", "\"timestamp\" timestamp with time zone,", "\"reason\" text NOT NULL"]
    {
        assert!(rejected.contains(line), "{line} in {rejected}");
    }
}

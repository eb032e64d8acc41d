//! Redshift's SQL as PostgreSQL takes it: the few words that it has not.

/// The words that say how a table lies on Redshift's nodes end its definition.
const LAYOUT: [&str; 4] = ["DISTSTYLE ", "DISTKEY ", "COMPOUND SORTKEY ", "SORTKEY "];

pub(super) fn to_postgres(sql: &str) -> String {
    let mut text = sql.replace("GETDATE()", "clock_timestamp()");
    if text.starts_with("CREATE TABLE") {
        let end = LAYOUT.iter().filter_map(|word| text.find(word)).min();
        text.truncate(end.unwrap_or(text.len()));
    }
    text
}

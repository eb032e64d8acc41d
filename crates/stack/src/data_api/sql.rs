//! Converts Redshift's SQL to PostgreSQL's: removes the few keywords that PostgreSQL lacks.

/// These keywords define the layout on Redshift's nodes. They end a table's definition.
const LAYOUT: [&str; 4] = ["DISTSTYLE ", "DISTKEY ", "COMPOUND SORTKEY ", "SORTKEY "];

pub(super) fn to_postgres(sql: &str) -> String {
    let mut text = sql.replace("GETDATE()", "clock_timestamp()");
    if text.starts_with("CREATE TABLE") {
        let end = LAYOUT.iter().filter_map(|word| text.find(word)).min();
        text.truncate(end.unwrap_or(text.len()));
    }
    text
}

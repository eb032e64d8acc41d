//! The star schema in Redshift's dialect, generated from the declared tables.
//!
//! Redshift enforces no key and has no index: distribution and sort order make queries fast. Facts
//! that are joined are on the same node by their join key, small dimensions are on every node, and
//! facts are sorted by time.

use kassa_model::Table;
use kassa_model::star::Column;
use kassa_model::star::ddl::{postgres_type, quoted};
use kassa_model::star::kind::Type;

/// The distribution of a table over the nodes.
enum Spread {
    Key(&'static str),
    /// A copy on every node.
    All,
    /// Redshift decides.
    Auto,
}

/// The exported tables: all except the dead letters, whose bytes stay in the lake, and the vault,
/// because personal data should be in as few places as possible.
pub fn tables() -> impl Iterator<Item = Table> {
    Table::ALL.into_iter().filter(|table| !matches!(table, Table::Rejected | Table::VaultCustomer))
}

/// The columns that identify a row's record; `None` for a derived table, which is replaced as a
/// whole.
pub(crate) fn origin(table: Table) -> Option<[&'static str; 3]> {
    match table {
        Table::Spans => Some(["topic", "partition", "from_offset"]),
        table if table.has_lineage() => Some(["source_topic", "source_partition", "source_offset"]),
        _ => None,
    }
}

fn spread(table: Table) -> Spread {
    match table {
        Table::FactSales | Table::FactOrder | Table::FactPayment => Spread::Key("order_key"),
        Table::FactEvent | Table::FactSession => Spread::Key("session_key"),
        Table::FactInventory => Spread::Key("product_key"),
        Table::DimCategory | Table::DimCountry | Table::DimChannel | Table::DimPromotion => Spread::All,
        Table::DimPaymentMethod | Table::DimCurrency | Table::DimFxRate | Table::FactFxRate => Spread::All,
        Table::DimDate | Table::DimTime => Spread::All,
        _ => Spread::Auto,
    }
}

/// The columns that most queries filter by, in order of importance.
fn sorted_by(table: Table) -> &'static [&'static str] {
    match table {
        Table::FactSales => &["moved_at"],
        Table::FactOrder => &["placed_at"],
        Table::FactPayment | Table::FactEvent | Table::FactInventory => &["occurred_at"],
        Table::FactSession => &["started_at"],
        Table::FactFxRate => &["rate_date_key"],
        Table::DimCustomer => &["customer_key", "valid_from"],
        Table::DimProduct => &["product_key", "valid_from"],
        Table::DimAddress => &["address_key"],
        Table::DimCity => &["city_key"],
        Table::DimFxRate => &["currency", "date_key"],
        Table::DimDate => &["date_key"],
        Table::DimTime => &["time_key"],
        Table::Spans => &["topic", "partition", "from_offset"],
        _ => &[],
    }
}

/// The largest VARCHAR, in bytes.
pub(crate) const LONGEST: u32 = 65_535;

/// JSON columns, which only the size of the record limits.
pub(crate) fn is_unbounded(name: &str) -> bool {
    ["extra", "coupons", "attribution"].contains(&name)
}

/// The bytes of a text column. The contracts limit ids to 128, words and names to 1 Ki, URLs and
/// the like to 8 Ki; a category path joins five names.
fn width(name: &str) -> u32 {
    match name {
        name if is_unbounded(name) => LONGEST,
        "url" | "referrer" | "entry_url" | "exit_url" | "search_query" | "cancel_reason" | "path" => 16_384,
        name if name.ends_with("_id") => 1_024,
        _ => 4_096,
    }
}

fn type_of(column: &Column) -> String {
    match column.kind {
        Type::I32 => "INTEGER".to_owned(),
        Type::Key | Type::I64 => "BIGINT".to_owned(),
        Type::Bool => "BOOLEAN".to_owned(),
        Type::Date => "DATE".to_owned(),
        Type::Timestamp => "TIMESTAMPTZ".to_owned(),
        Type::Bytes => format!("VARBYTE({LONGEST})"),
        Type::Text | Type::Symbol => format!("VARCHAR({})", width(column.name)),
        kind => postgres_type(kind).replace("numeric", "DECIMAL"),
    }
}

/// A column of a target table; one that is added to rows is null in them.
pub(crate) fn column(column: &Column, is_added: bool) -> String {
    let rule = if column.is_nullable || is_added { "" } else { " NOT NULL" };
    format!("{} {}{rule}", quoted(column.name), type_of(column))
}

/// The columns of a target table, one per line.
fn columns(table: Table) -> String {
    table.columns().map(|each| format!("  {}", column(each, false))).collect::<Vec<_>>().join(",\n")
}

/// A target table.
pub(crate) fn create(schema: &str, table: Table) -> String {
    let spread = match spread(table) {
        Spread::Key(key) => format!("\nDISTSTYLE KEY DISTKEY ({})", quoted(key)),
        Spread::All => "\nDISTSTYLE ALL".to_owned(),
        Spread::Auto => "\nDISTSTYLE AUTO".to_owned(),
    };
    let sorted = sorted_by(table).iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let sorted = if sorted.is_empty() { String::new() } else { format!("\nCOMPOUND SORTKEY ({sorted})") };
    format!("CREATE TABLE IF NOT EXISTS {}.{} (\n{}\n){spread}{sorted}", quoted(schema), quoted(table.name()), columns(table))
}

/// The columns of a staging table: those of the files, all optional. COPY of Parquet accepts no
/// time with a zone.
pub(crate) fn staged_columns(table: Table) -> String {
    let columns = table.columns().map(|column| {
        let kind = type_of(column).replace("TIMESTAMPTZ", "TIMESTAMP");
        format!("{} {kind}", quoted(column.name))
    });
    columns.collect::<Vec<_>>().join(", ")
}

/// The tables with the export's own state.
fn own_tables(own: &str) -> [String; 2] {
    let own = quoted(own);
    [
        format!(
            "CREATE TABLE IF NOT EXISTS {own}.\"state\" (\n  \"generation\" BIGINT NOT NULL,\n  \"load_id\" VARCHAR(64) NOT NULL,\n  \
             \"lake\" VARCHAR(4096) NOT NULL,\n  \"loaded_at\" TIMESTAMPTZ NOT NULL,\n  \"rebuild\" BIGINT\n)\nDISTSTYLE ALL"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {own}.\"positions\" (\n  \"topic\" VARCHAR(4096) NOT NULL,\n  \"partition\" BIGINT NOT NULL,\n  \
             \"next_offset\" BIGINT NOT NULL\n)\nDISTSTYLE ALL"
        ),
    ]
}

/// Facts whose amounts are converted to the shop's currency: the table, the column of the day whose
/// rate applies, the amounts.
const REPORTING: [(Table, &str, &[&str]); 3] = [
    (Table::FactSales, "movement_date_key", &["gross_amount", "discount_amount", "tax_amount", "shipping_amount", "net_amount"]),
    (Table::FactOrder, "order_date_key", &["duty"]),
    (Table::FactPayment, "payment_date_key", &["amount"]),
];

/// The names of the converting views.
pub(crate) fn view_names() -> impl Iterator<Item = String> {
    REPORTING.iter().map(|(table, ..)| format!("{}_reporting", table.name()))
}

/// The converting views, with the same names as in the lake's SQL. DECIMAL(18,6) times
/// DECIMAL(18,9) is exact.
pub(crate) fn views(schema: &str) -> Vec<String> {
    let schema = quoted(schema);
    let view = |(table, day, amounts): (Table, &str, &[&str])| {
        let name = format!("{schema}.{}", quoted(&format!("{}_reporting", table.name())));
        let own = table.columns().map(|column| format!("f.{}", quoted(column.name)));
        let converted = amounts
            .iter()
            .map(|amount| format!("f.{} * r.\"rate\" AS {}", quoted(amount), quoted(&format!("{amount}_reporting"))));
        let columns = own.chain(converted).chain(["r.\"rate\" AS \"fx_rate\"".to_owned()]).collect::<Vec<_>>().join(", ");
        let select = format!(
            "SELECT {columns}\nFROM {schema}.{} f\nLEFT JOIN {schema}.\"dim_fx_rate\" r ON r.\"currency\" = f.\"currency\" AND r.\"date_key\" = f.{}",
            quoted(table.name()),
            quoted(day)
        );
        [format!("DROP VIEW IF EXISTS {name}"), format!("CREATE VIEW {name} AS\n{select}")]
    };
    REPORTING.into_iter().flat_map(view).collect()
}

/// Schemas and tables, in order of creation.
pub(crate) fn tables_made(schema: &str) -> Vec<String> {
    let own = format!("{schema}_kassa");
    let schemas = [schema, &own].map(|name| format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(name)));
    schemas.into_iter().chain(own_tables(&own)).chain(tables().map(|table| create(schema, table))).collect()
}

/// All objects that an export needs, in order of creation.
pub fn statements(schema: &str) -> Vec<String> {
    tables_made(schema).into_iter().chain(views(schema)).collect()
}

#[cfg(test)]
mod tests;

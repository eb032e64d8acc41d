//! The star schema in Redshift's dialect, made from the model's Arrow schemas.
//!
//! Redshift enforces no key and has no index: rows are found by how they are distributed and sorted. Facts that are joined with each
//! other lie together by the key they are joined by, small dimensions lie on every node, and facts are sorted by their time.

use arrow_schema::{DataType, Field};
use kassa_model::Table;

/// How a table lies on the nodes.
enum Spread {
    Key(&'static str),
    /// A copy on every node.
    All,
    /// As Redshift finds best.
    Auto,
}

/// The tables that are exported: all but the dead letters, whose bytes stay in the lake, and the vault, as personal data lies in as few places
/// as can be.
pub fn tables() -> impl Iterator<Item = Table> {
    Table::ALL.into_iter().filter(|table| !matches!(table, Table::Rejected | Table::VaultCustomer))
}

/// The columns by which a row says of which record it came; none where a table follows from others and is replaced as a whole.
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

/// The columns that most questions bound, in the order in which they do.
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

/// The most that a VARCHAR holds, in bytes.
pub(crate) const LONGEST: u32 = 65_535;

/// Columns of JSON, which nothing bounds but the record's own size.
pub(crate) fn is_unbounded(name: &str) -> bool {
    ["extra", "coupons", "attribution"].contains(&name)
}

/// Bytes of a text. The contracts bound ids to 128, words and names to 1 Ki, URLs and the like to 8 Ki; a path of categories joins five names.
fn width(name: &str) -> u32 {
    match name {
        name if is_unbounded(name) => LONGEST,
        "url" | "referrer" | "entry_url" | "exit_url" | "search_query" | "cancel_reason" | "path" => 16_384,
        name if name.ends_with("_id") => 1_024,
        _ => 4_096,
    }
}

/// A column's type; none where Redshift has no like of it.
fn type_of(field: &Field) -> Option<String> {
    Some(match field.data_type() {
        DataType::Int32 => "INTEGER".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision},{scale})"),
        DataType::Timestamp(..) => "TIMESTAMPTZ".to_owned(),
        DataType::Utf8 | DataType::Dictionary(..) => format!("VARCHAR({})", width(field.name())),
        _ => return None,
    })
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A column of a target table.
pub(crate) fn column(field: &Field) -> String {
    let rule = if field.is_nullable() { "" } else { " NOT NULL" };
    format!("{} {}{rule}", quoted(field.name()), type_of(field).unwrap_or_default())
}

/// The columns of a target table, each on a line of its own.
fn columns(table: Table) -> String {
    table.schema().fields().iter().map(|field| format!("  {}", column(field))).collect::<Vec<_>>().join(",\n")
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

/// The columns of a staging table: as the files have them, all of them optional. COPY of Parquet takes no time with a zone.
pub(crate) fn staged_columns(table: Table) -> String {
    let schema = table.schema();
    let columns = schema.fields().iter().map(|field| {
        let kind = type_of(field).unwrap_or_default().replace("TIMESTAMPTZ", "TIMESTAMP");
        format!("{} {kind}", quoted(field.name()))
    });
    columns.collect::<Vec<_>>().join(", ")
}

/// The tables in which an export keeps its own account.
fn own_tables(own: &str) -> [String; 2] {
    let own = quoted(own);
    [
        format!(
            "CREATE TABLE IF NOT EXISTS {own}.\"state\" (\n  \"generation\" BIGINT NOT NULL,\n  \"load_id\" VARCHAR(64) NOT NULL,\n  \
             \"lake\" VARCHAR(4096) NOT NULL,\n  \"loaded_at\" TIMESTAMPTZ NOT NULL\n)\nDISTSTYLE ALL"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {own}.\"positions\" (\n  \"topic\" VARCHAR(4096) NOT NULL,\n  \"partition\" BIGINT NOT NULL,\n  \
             \"next_offset\" BIGINT NOT NULL\n)\nDISTSTYLE ALL"
        ),
    ]
}

/// Facts with amounts in the shop's currency: the table, the column of the day whose rate counts, the amounts.
const REPORTING: [(Table, &str, &[&str]); 3] = [
    (Table::FactSales, "movement_date_key", &["gross_amount", "discount_amount", "tax_amount", "shipping_amount", "net_amount"]),
    (Table::FactOrder, "order_date_key", &["duty"]),
    (Table::FactPayment, "payment_date_key", &["amount"]),
];

/// The names of the views that convert.
pub(crate) fn view_names() -> impl Iterator<Item = String> {
    REPORTING.iter().map(|(table, ..)| format!("{}_reporting", table.name()))
}

/// The views that convert, by the names that they have in the lake's SQL. DECIMAL(18,6) times DECIMAL(18,9) is exact.
pub(crate) fn views(schema: &str) -> Vec<String> {
    let schema = quoted(schema);
    let view = |(table, day, amounts): (Table, &str, &[&str])| {
        let name = format!("{schema}.{}", quoted(&format!("{}_reporting", table.name())));
        let fields = table.schema();
        let own = fields.fields().iter().map(|field| format!("f.{}", quoted(field.name())));
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

/// Schemas and tables, in the order in which they can be made.
pub(crate) fn tables_made(schema: &str) -> Vec<String> {
    let own = format!("{schema}_kassa");
    let schemas = [schema, &own].map(|name| format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(name)));
    schemas.into_iter().chain(own_tables(&own)).chain(tables().map(|table| create(schema, table))).collect()
}

/// All that an export needs to be there, in the order in which it can be made.
pub fn statements(schema: &str) -> Vec<String> {
    tables_made(schema).into_iter().chain(views(schema)).collect()
}

#[cfg(test)]
mod tests;

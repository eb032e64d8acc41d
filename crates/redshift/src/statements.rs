//! The statements of a load. None grows with the lake: manifests list the files, and a file
//! contains the positions.

use kassa_model::Table;
use kassa_model::star::Column;
use kassa_model::star::ddl::quoted;
use kassa_model::star::kind::Type;

use crate::schema;
use crate::target::Target;

/// The names of a load's staging tables and target tables.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    schema: String,
    own: String,
    /// `<generation>_<load>`
    suffix: String,
}

/// The prefix of staging tables.
const STAGE: &str = "stage_";

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Names {
    pub(crate) fn new(target: &Target, generation: i64, load: &str) -> Self {
        Self { schema: target.schema.clone(), own: target.own_schema(), suffix: format!("{generation}_{load}") }
    }

    fn staging(&self, what: &str) -> String {
        format!("{}.{}", quoted(&self.own), quoted(&format!("{STAGE}{what}_{}", self.suffix)))
    }

    fn table(&self, table: Table) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(table.name()))
    }

    fn own(&self, name: &str) -> String {
        format!("{}.{}", quoted(&self.own), quoted(name))
    }

    /// COPY of files with the same columns: the manifest's URL, and the columns.
    pub(crate) fn stage(&self, table: Table, files: &[(String, Vec<String>)], rows: i64, role: &str) -> Vec<String> {
        let staging = self.staging(table.name());
        let mut statements = vec![
            format!("DROP TABLE IF EXISTS {staging}"),
            format!("CREATE TABLE {staging} ({}) DISTSTYLE EVEN", schema::staged_columns(table)),
        ];
        statements.extend(files.iter().map(|(manifest, columns)| {
            let columns = columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
            // COPY matches by position: files that lack a column list their columns.
            let into = if columns == names(table) { staging.clone() } else { format!("{staging} ({columns})") };
            copy(&into, manifest, role, "PARQUET")
        }));
        statements.push(has_rows(&staging, rows));
        statements
    }

    pub(crate) fn stage_positions(&self, manifest: &str, rows: i64, role: &str) -> Vec<String> {
        let staging = self.staging("positions");
        vec![
            format!("DROP TABLE IF EXISTS {staging}"),
            format!(
                "CREATE TABLE {staging} (\"topic\" VARCHAR(4096), \"partition\" BIGINT, \"from_offset\" BIGINT, \"to_offset\" BIGINT) DISTSTYLE ALL"
            ),
            copy(&staging, manifest, role, "CSV"),
            has_rows(&staging, rows),
        ]
    }

    /// Begins to apply a load of a star on top of a generation. The last statement fails if another
    /// load was applied before.
    pub(crate) fn begin(&self, generation: i64, load: &str, rebuild: Option<i64>) -> Vec<String> {
        let (state, next) = (self.own("state"), generation + 1);
        let rebuild = rebuild.map_or_else(|| "NULL".to_owned(), |id| id.to_string());
        vec![
            format!("LOCK {state}"),
            format!(
                "UPDATE {state} SET \"generation\" = {next}, \"load_id\" = {load}, \"loaded_at\" = GETDATE(), \"rebuild\" = {rebuild} WHERE \"generation\" = {generation}",
                load = literal(load)
            ),
            format!(
                "SELECT 1 / COUNT(*) FROM {state} WHERE \"generation\" = {next} AND \"load_id\" = {load}",
                load = literal(load)
            ),
        ]
    }

    /// Adds staged rows before the new positions whose record is not in the table yet. The table
    /// has no record beyond the old positions. Only records before them are looked up: they come
    /// again in compacted files, or occasionally from a replayed dead letter.
    pub(crate) fn add(&self, table: Table, [topic, partition, offset]: [&str; 3]) -> String {
        let same = |a: &str, b: &str| {
            let each = [topic, partition, offset].map(|name| format!("{a}.{name} = {b}.{name}", name = quoted(name)));
            each.join(" AND ")
        };
        let [topic_, partition_, offset_] = [topic, partition, offset].map(quoted);
        let of = |alias: &str| [&topic_, &partition_, &offset_].map(|name| format!("{alias}.{name}")).join(", ");
        let within = |positions: &str, rows: &str| {
            format!("{positions}.\"topic\" = {rows}.{topic_} AND {positions}.\"partition\" = {rows}.{partition_}")
        };
        let (staging, positions, target) = (self.staging(table.name()), self.staging("positions"), self.table(table));
        format!(
            "INSERT INTO {target} ({names})\nSELECT {values}\nFROM {staging} s\nJOIN {positions} p ON {ps}\n\
             LEFT JOIN (\n  SELECT DISTINCT {t_of} FROM {target} t\n  JOIN (\n    \
             SELECT DISTINCT {r_of} FROM {staging} r JOIN {positions} q ON {qr} WHERE r.{offset_} < q.\"from_offset\"\n  \
             ) b ON {bt}\n) h ON {hs}\nWHERE s.{offset_} < p.\"to_offset\" AND h.{topic_} IS NULL",
            names = names(table),
            values = values(table),
            ps = within("p", "s"),
            qr = within("q", "r"),
            t_of = of("t"),
            r_of = of("r"),
            bt = same("b", "t"),
            hs = same("h", "s"),
        )
    }

    /// Replaces all rows of the table with the staged rows.
    pub(crate) fn replace(&self, table: Table) -> [String; 2] {
        let (staging, target) = (self.staging(table.name()), self.table(table));
        let insert = format!("INSERT INTO {target} ({})\nSELECT {}\nFROM {staging} s", names(table), values(table));
        [format!("DELETE FROM {target}"), insert]
    }

    /// Deletes all rows and positions.
    pub(crate) fn empty(&self) -> Vec<String> {
        let tables = schema::tables().map(|table| self.table(table));
        tables.chain([self.own("positions")]).map(|table| format!("DELETE FROM {table}")).collect()
    }

    pub(crate) fn move_positions(&self) -> [String; 2] {
        let positions = self.own("positions");
        let staged = self.staging("positions");
        let insert = format!(
            "INSERT INTO {positions} (\"topic\", \"partition\", \"next_offset\") SELECT \"topic\", \"partition\", \"to_offset\" FROM {staged}"
        );
        [format!("DELETE FROM {positions}"), insert]
    }
}

fn copy(into: &str, manifest: &str, role: &str, format: &str) -> String {
    let role = if role == "default" { "default".to_owned() } else { literal(role) };
    format!("COPY {into} FROM {} IAM_ROLE {role} FORMAT AS {format} MANIFEST", literal(manifest))
}

/// Fails if a table does not have exactly this number of rows.
fn has_rows(table: &str, rows: i64) -> String {
    format!("SELECT 1 / CASE WHEN COUNT(*) = {rows} THEN 1 ELSE 0 END FROM {table}")
}

fn names(table: Table) -> String {
    table.columns().map(|column| quoted(column.name)).collect::<Vec<_>>().join(", ")
}

/// The staged columns with the target's types: times are UTC, which staging does not state.
fn values(table: Table) -> String {
    let values = table.columns().map(|column| match column.kind {
        Type::Timestamp => format!("s.{} AT TIME ZONE 'UTC'", quoted(column.name)),
        _ => format!("s.{}", quoted(column.name)),
    });
    values.collect::<Vec<_>>().join(", ")
}

/// Generation, load, lake, rebuild, and a row for each partition, at one moment.
pub(crate) fn state(target: &Target) -> String {
    let own = quoted(&target.own_schema());
    format!(
        "SELECT s.\"generation\", s.\"load_id\", s.\"lake\", s.\"rebuild\", p.\"topic\", p.\"partition\", p.\"next_offset\" \
         FROM {own}.\"state\" s LEFT JOIN {own}.\"positions\" p ON 1 = 1"
    )
}

/// Inserts the one row of `state` if it is missing.
pub(crate) fn first_state(target: &Target) -> Vec<String> {
    let state = format!("{}.\"state\"", quoted(&target.own_schema()));
    vec![
        format!("LOCK {state}"),
        format!(
            "INSERT INTO {state} (\"generation\", \"load_id\", \"lake\", \"loaded_at\") \
             SELECT 0, '', {}, GETDATE() WHERE NOT EXISTS (SELECT 1 FROM {state})",
            literal(&target.lake)
        ),
    ]
}

/// Schema, table and column of everything that exists.
pub(crate) fn catalogue(target: &Target) -> String {
    format!(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns WHERE table_schema IN ({}, {})",
        literal(&target.schema),
        literal(&target.own_schema())
    )
}

/// Adds a column that is new in the model to an existing table, whose rows have no value for it.
pub(crate) fn add_column(target: &Target, table: Table, column: &Column) -> String {
    format!("ALTER TABLE {}.{} ADD COLUMN {}", quoted(&target.schema), quoted(table.name()), schema::column(column, true))
}

/// Adds the id of the rebuild to a state that an earlier version made.
pub(crate) fn add_rebuild(target: &Target) -> String {
    format!("ALTER TABLE {}.\"state\" ADD COLUMN \"rebuild\" BIGINT", quoted(&target.own_schema()))
}

/// The generation in a staging table's name: its load can apply only on top of that one.
pub(crate) fn generation_of(staging: &str) -> Option<i64> {
    let (rest, _load) = staging.strip_prefix(STAGE)?.rsplit_once('_')?;
    rest.rsplit_once('_')?.1.parse().ok()
}

pub(crate) fn drop_staging(target: &Target, name: &str) -> String {
    format!("DROP TABLE IF EXISTS {}.{}", quoted(&target.own_schema()), quoted(name))
}

#[cfg(test)]
mod tests;

//! SQL over the star schema, read-only: every table, current shapes of dimensions, the flat views and the figures.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{ParquetReadOptions, SQLOptions, SessionConfig, SessionContext};
use kassa_analytics::{Basis, Query};
use kassa_lake::delta::Snapshot;
use kassa_lake::read::folder_of;
use kassa_lake::{LogError, Store};
use kassa_model::{Shop, Table, star};

/// Why a query gave no rows.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Lake(#[from] LogError),
}

impl From<DataFusionError> for SqlError {
    fn from(error: DataFusionError) -> Self {
        Self::Refused(error.strip_backtrace())
    }
}

/// Memory that one query may use; beyond it, it spills to a temporary folder.
const MEMORY: usize = 256 * 1024 * 1024;

/// A session with the lake's tables and views as they are now. Of the figures, those that `sql` names.
pub async fn session(store: &dyn Store, shop: &Shop, sql: &str) -> Result<SessionContext, SqlError> {
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(MEMORY))).build_arc()?;
    let mut config = SessionConfig::new().with_information_schema(true).with_target_partitions(2);
    config.options_mut().execution.parquet.schema_force_view_types = false;
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let context = SessionContext::new_with_config_rt(config, runtime);
    for table in Table::ALL {
        register(&context, store, table).await?;
    }
    for (name, sql) in VIEWS {
        let frame = context.sql(sql).await?;
        context.register_table(*name, frame.into_view())?;
    }
    figure_views(&context, store, shop, sql)?;
    Ok(context)
}

/// Runs one query. Statements that would change anything are refused.
pub async fn run(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, SqlError> {
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let frame = context.sql_with_options(sql, options).await?;
    let schema = Arc::new(frame.schema().as_arrow().clone());
    let mut rows = frame.collect().await?;
    if rows.is_empty() {
        rows.push(RecordBatch::new_empty(schema));
    }
    Ok(rows)
}

async fn register(context: &SessionContext, store: &dyn Store, table: Table) -> Result<(), SqlError> {
    let folder = folder_of(table);
    let snapshot = Snapshot::load(store, &folder)?;
    let schema = star::stored(&table.schema());
    if snapshot.files.is_empty() {
        context.register_table(table.name(), Arc::new(MemTable::try_new(Arc::clone(&schema), vec![vec![]])?))?;
        return Ok(());
    }
    let paths: Vec<String> = snapshot
        .files
        .values()
        .map(|add| store.local_path(&format!("{folder}/{}", add.path)).to_string_lossy().into_owned())
        .collect();
    let frame = context.read_parquet(paths, ParquetReadOptions::default().schema(&schema)).await?;
    context.register_table(table.name(), frame.into_view())?;
    Ok(())
}

/// One view a figure: `SELECT value FROM net_sales WHERE basis = 'movement' AND by = 'day' AND key = '2011-12-08'`. Their rows are
/// computed where every other answer is.
fn figure_views(context: &SessionContext, store: &dyn Store, shop: &Shop, sql: &str) -> Result<(), SqlError> {
    let sql = sql.to_lowercase();
    let named: Vec<_> = kassa_analytics::catalogue().iter().filter(|figure| sql.contains(figure.name)).collect();
    if named.is_empty() {
        return Ok(());
    }
    let (figures, _) = kassa_lake::figures::figures(store, shop)?;
    let schema = Arc::new(Schema::new(
        ["basis", "by", "key", "label", "value"].map(|name| Field::new(name, DataType::Utf8, true)).to_vec(),
    ));
    for figure in named {
        let mut columns: [Vec<Option<String>>; 5] = Default::default();
        let bases: Vec<Option<&str>> = if figure.bases.is_empty() {
            vec![None]
        } else {
            figure.bases.iter().map(|basis: &Basis| Some(basis.name())).collect()
        };
        for basis in bases {
            for by in figure.groupings.iter().map(|by| by.name()) {
                let Ok(query) = Query::parse(figure.name, Some(by), None, None, basis) else { continue };
                let Ok(answer) = figures.answer(&query) else { continue };
                for row in answer.rows {
                    let cells = [basis.map(str::to_owned), Some(by.to_owned()), Some(row.key), Some(row.label), row.value];
                    columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
                }
            }
        }
        let arrays: Vec<ArrayRef> = columns.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef).collect();
        let rows = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(|error| SqlError::Refused(error.to_string()))?;
        context.register_table(figure.name, Arc::new(MemTable::try_new(Arc::clone(&schema), vec![vec![rows]])?))?;
    }
    Ok(())
}

/// Views over the star, in the order in which they build on each other.
const VIEWS: &[(&str, &str)] = &[
    ("dim_customer_current", include_str!("sql/dim_customer_current.sql")),
    ("dim_product_current", include_str!("sql/dim_product_current.sql")),
    ("dim_customer_history", include_str!("sql/dim_customer_history.sql")),
    ("dim_product_history", include_str!("sql/dim_product_history.sql")),
    ("fact_order_current", include_str!("sql/fact_order_current.sql")),
    ("sales_flat", include_str!("sql/sales_flat.sql")),
    ("events_flat", include_str!("sql/events_flat.sql")),
];

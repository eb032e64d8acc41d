//! Read-only SQL over the star schema: every table, the current rows of dimensions, the flat views
//! and the figures.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::datasource::MemTable;
use datafusion::datasource::file_format::options::ReadOptions;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream, execute_stream};
use datafusion::prelude::{ParquetReadOptions, SQLOptions, SessionConfig, SessionContext};
use futures::StreamExt;
use kassa_analytics::{Basis, Figure, Figures, Query, catalogue};
use kassa_lake::delta::{Add, Snapshot};
use kassa_lake::lease::Lease;
use kassa_lake::read::{folder_of, plain};
use kassa_lake::store::Shared;
use kassa_lake::{LogError, Store};
use kassa_model::{Cause, Shop, Table, star};

pub use self::error::SqlError;
pub use self::limits::{Pool, Room, STACK_BYTES};
use self::table::LakeTable;

mod error;
mod limits;
mod table;

/// Memory that one query may use; beyond it, it spills.
const MEMORY: usize = 256 * 1024 * 1024;

/// The tables, views and figures that one query names, as of now. Their files are not deleted while
/// this is held.
pub struct Session {
    context: SessionContext,
    _lease: Lease,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    /// Registers only the tables that `sql` names: a lake has many tables, and each costs reading its log.
    pub async fn open(store: &dyn Store, shop: &Shop, sql: &str) -> Result<Self, SqlError> {
        Self::open_within(&Pool::new(MEMORY), store, shop, sql).await
    }

    /// As `open`, with memory that other queries share.
    pub async fn open_within(pool: &Pool, store: &dyn Store, shop: &Shop, sql: &str) -> Result<Self, SqlError> {
        Self::open_in(&Room::of(pool, store), store, shop, sql).await
    }

    /// The same, with all its limits given.
    pub async fn open_in(room: &Room, store: &dyn Store, shop: &Shop, sql: &str) -> Result<Self, SqlError> {
        limits::check_text(sql)?;
        let lease = Lease::take(store).map_err(LogError::from)?;
        let context = empty(room)?;
        let shared = store.shared().map_err(LogError::from)?;
        context.register_object_store(&shared.url, Arc::clone(&shared.objects));
        let named = Named::by(&context, sql)?;
        for table in Table::ALL.into_iter().filter(|table| named.has(table.name())) {
            if table == Table::DimFxRate {
                register_rates(&context, store, shop)?;
            } else {
                register(&context, store, &shared, table)?;
            }
        }
        for (name, sql) in VIEWS.iter().filter(|(name, _)| named.has(name)) {
            let frame = context.sql(sql).await?;
            context.register_table(*name, frame.into_view())?;
        }
        figure_views(&context, store, shop, &named)?;
        Ok(Self { context, _lease: lease })
    }

    /// Runs one query. Statements that change anything are refused.
    pub async fn run(&self, sql: &str) -> Result<Vec<RecordBatch>, SqlError> {
        self.run_measured(sql).await.map(|(rows, _)| rows)
    }

    /// The same; also returns the number of scanned bytes of the tables' files.
    pub async fn run_measured(&self, sql: &str) -> Result<(Vec<RecordBatch>, u64), SqlError> {
        let mut stream = self.stream(sql).await?;
        let mut rows = Vec::new();
        while let Some(batch) = stream.next().await {
            rows.push(batch?);
        }
        if rows.is_empty() {
            rows.push(RecordBatch::new_empty(stream.schema()));
        }
        Ok((rows, stream.scanned()))
    }

    /// Begins one query, whose rows come as they are computed and are not held. Statements that change anything are refused.
    pub async fn stream(&self, sql: &str) -> Result<Rows, SqlError> {
        let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let frame = self.context.sql_with_options(sql, options).await?;
        let task = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await?;
        Ok(Rows { stream: execute_stream(Arc::clone(&plan), task)?, plan })
    }
}

/// The rows of a running query. It ends when this is dropped.
pub struct Rows {
    stream: SendableRecordBatchStream,
    plan: Arc<dyn ExecutionPlan>,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("schema", &self.schema()).finish_non_exhaustive()
    }
}

impl Rows {
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    pub async fn next(&mut self) -> Option<Result<RecordBatch, SqlError>> {
        Some(self.stream.next().await?.map_err(SqlError::from))
    }

    /// Bytes of the tables' files that were scanned so far.
    pub fn scanned(&self) -> u64 {
        scanned(self.plan.as_ref())
    }
}

/// The bytes that a plan and its inputs have scanned.
fn scanned(plan: &dyn ExecutionPlan) -> u64 {
    let own = plan.metrics().and_then(|metrics| metrics.sum_by_name("bytes_scanned"));
    let own = own.and_then(|bytes| u64::try_from(bytes.as_usize()).ok()).unwrap_or(0);
    own + plan.children().into_iter().map(|input| scanned(input.as_ref())).sum::<u64>()
}

fn empty(room: &Room) -> Result<SessionContext, SqlError> {
    let mut config = SessionConfig::new().with_information_schema(true).with_target_partitions(2);
    config.options_mut().execution.parquet.schema_force_view_types = false;
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    Ok(SessionContext::new_with_config_rt(config, room.runtime()?))
}

/// The tables and views that a query reads, directly and through views.
struct Named {
    names: HashSet<String>,
    /// A query about the catalogue itself reads all tables.
    all: bool,
}

impl Named {
    fn by(context: &SessionContext, sql: &str) -> Result<Self, SqlError> {
        let state = context.state();
        let references = |sql: &str| {
            let statement = state.sql_to_statement(sql, &state.config().options().sql_parser.dialect)?;
            limits::check_reads(&statement)?;
            Ok::<_, SqlError>(state.resolve_table_references(&statement)?)
        };
        let (mut named, mut texts) = (Self { names: HashSet::new(), all: false }, vec![sql]);
        while let Some(sql) = texts.pop() {
            for reference in references(sql)? {
                named.all |= reference.schema() == Some("information_schema");
                let name = reference.table().to_owned();
                texts.extend(VIEWS.iter().filter(|(view, _)| *view == name).map(|(_, sql)| *sql));
                named.names.insert(name);
            }
        }
        Ok(named)
    }

    fn has(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }
}

fn register(context: &SessionContext, store: &dyn Store, shared: &Shared, table: Table) -> Result<(), SqlError> {
    let folder = folder_of(table);
    let snapshot = Snapshot::load(store, &folder)?;
    let schema = star::stored(&table.schema());
    if snapshot.files.is_empty() {
        context.register_table(table.name(), Arc::new(MemTable::try_new(Arc::clone(&schema), vec![vec![]])?))?;
        return Ok(());
    }
    let url_of = |add: &Add| shared.url_of(&format!("{folder}/{}", add.path)).map_err(LogError::from);
    let file = |add| Ok::<_, SqlError>((ListingTableUrl::parse(url_of(add)?)?, add.bounds()));
    let files = snapshot.files.values().map(file).collect::<Result<Vec<_>, _>>()?;
    let state = context.state();
    let options = ParquetReadOptions::default().to_listing_options(state.config(), state.default_table_options());
    context.register_table(table.name(), Arc::new(LakeTable::new(schema, files, options)))?;
    Ok(())
}

/// Resolves the rates again, because the lake's table may be some commits behind the rates and
/// facts.
fn register_rates(context: &SessionContext, store: &dyn Store, shop: &Shop) -> Result<(), SqlError> {
    let rows = plain(&kassa_lake::derived::rates_now(store, shop)?)?;
    context.register_table(Table::DimFxRate.name(), Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?))?;
    Ok(())
}

/// One view per figure: `SELECT value FROM net_sales WHERE basis = 'movement' AND by = 'day' AND
/// key = '2011-12-08'`. The rows are computed by the same code as every other answer, and only for
/// a query that reads them.
fn figure_views(context: &SessionContext, store: &dyn Store, shop: &Shop, named: &Named) -> Result<(), SqlError> {
    let schema = Arc::new(Schema::new(
        ["basis", "by", "key", "label", "value"].map(|name| Field::new(name, DataType::Utf8, true)).to_vec(),
    ));
    let mut figures = None;
    for figure in catalogue().iter().filter(|figure| named.has(figure.name)) {
        let mut rows = Vec::new();
        if named.names.contains(figure.name) {
            let figures = match &mut figures {
                Some(figures) => figures,
                none => none.insert(kassa_lake::figures::figures(store, shop)?.0),
            };
            rows.push(figure_rows(figures, figure, &schema)?);
        }
        context.register_table(figure.name, Arc::new(MemTable::try_new(Arc::clone(&schema), vec![rows])?))?;
    }
    Ok(())
}

/// A figure on all its bases and in all its groupings.
fn figure_rows(figures: &Figures, figure: &Figure, schema: &Arc<Schema>) -> Result<RecordBatch, SqlError> {
    let mut columns: [Vec<Option<String>>; 5] = Default::default();
    let bases: Vec<Option<&str>> =
        if figure.bases.is_empty() { vec![None] } else { figure.bases.iter().map(|basis: &Basis| Some(basis.name())).collect() };
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
    RecordBatch::try_new(Arc::clone(schema), arrays).map_err(|error| SqlError::Refused(Cause::of(error)))
}

/// Views over the star; each may use earlier ones.
const VIEWS: &[(&str, &str)] = &[
    ("dim_customer_current", include_str!("sql/dim_customer_current.sql")),
    ("dim_product_current", include_str!("sql/dim_product_current.sql")),
    ("dim_customer_history", include_str!("sql/dim_customer_history.sql")),
    ("dim_product_history", include_str!("sql/dim_product_history.sql")),
    ("fact_sales_reporting", include_str!("sql/fact_sales_reporting.sql")),
    ("fact_order_reporting", include_str!("sql/fact_order_reporting.sql")),
    ("fact_payment_reporting", include_str!("sql/fact_payment_reporting.sql")),
    ("fact_order_current", include_str!("sql/fact_order_current.sql")),
    ("sales_flat", include_str!("sql/sales_flat.sql")),
    ("events_flat", include_str!("sql/events_flat.sql")),
];

#[cfg(test)]
mod tests;

//! Scans a table of the lake for a query: only files that may contain wanted rows, by the bounds in
//! the table's log. The statistics inside the files select row groups and pages.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int32Array, TimestampMicrosecondArray, UInt64Array};
use arrow_schema::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::Result;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_optimizer::pruning::{PruningPredicateBuilder, PruningStatistics};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use kassa_lake::delta::contents::{Bounds, Extent};

#[derive(Debug)]
pub(crate) struct LakeTable {
    schema: SchemaRef,
    files: Vec<(ListingTableUrl, Bounds)>,
    options: ListingOptions,
}

impl LakeTable {
    pub(crate) fn new(schema: SchemaRef, files: Vec<(ListingTableUrl, Bounds)>, options: ListingOptions) -> Self {
        Self { schema, files, options }
    }

    /// The files that may contain rows that match the filters.
    fn wanted(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<ListingTableUrl>> {
        let all = || self.files.iter().map(|(url, _)| url.clone());
        let Some(filter) = conjunction(filters.to_vec()) else { return Ok(all().collect()) };
        let filter = state.create_physical_expr(filter, &DFSchema::try_from(Arc::clone(&self.schema))?)?;
        // A filter without bounds prunes nothing.
        let Ok(predicate) = PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.schema)).try_build(filter) else {
            return Ok(all().collect());
        };
        let may_hold = predicate.prune(self)?;
        Ok(all().zip(may_hold).filter(|(_, may_hold)| *may_hold).map(|(url, _)| url).collect())
    }

    /// A bound of a column in each file, as values of its type.
    fn bounds(&self, column: &Column, of: fn(i64, i64) -> i64) -> Option<ArrayRef> {
        let bounds = self.files.iter().map(|(_, bounds)| match bounds.of(column.name()) {
            Extent::Within(least, most) => Some(of(least, most)),
            Extent::Empty | Extent::Unknown => None,
        });
        Some(match self.schema.field_with_name(column.name()).ok()?.data_type() {
            DataType::Int32 => Arc::new(bounds.map(|bound| i32::try_from(bound?).ok()).collect::<Int32Array>()),
            DataType::Timestamp(_, zone) => {
                Arc::new(bounds.collect::<TimestampMicrosecondArray>().with_timezone_opt(zone.clone()))
            }
            _ => return None,
        })
    }
}

impl PruningStatistics for LakeTable {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |least, _| least)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |_, most| most)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let nulls = self.files.iter().map(|(_, bounds)| u64::try_from(bounds.nulls(column.name())?).ok());
        Some(Arc::new(nulls.collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.files.iter().map(|(_, bounds)| u64::try_from(bounds.rows()?).ok());
        Some(Arc::new(rows.collect::<UInt64Array>()))
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.wanted(state, filters)?;
        if files.is_empty() {
            let schema = projection.map_or_else(|| Ok(self.schema()), |columns| Ok(Arc::new(self.schema.project(columns)?)));
            return schema.map(|schema| Arc::new(EmptyExec::new(schema)) as Arc<dyn ExecutionPlan>);
        }
        let config = ListingTableConfig::new_with_multi_paths(files).with_listing_options(self.options.clone());
        ListingTable::try_new(config.with_schema(self.schema()))?.scan(state, projection, filters, limit).await
    }

    /// The rows of a selected file are not filtered yet.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

//! The lake sink: rows of the star schema, dead letters, and last the spans that account for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::thread;

use arrow_array::RecordBatch;
use kassa_model::time::Clock;
use kassa_model::{Contract, Partition, Positions, Table};
use kassa_pipeline::{Batch, Sink, SinkError, Spans};
use parquet::file::properties::WriterProperties;

use crate::delta::table::NewFile;
use crate::delta::{DeltaTable, LogError, TableSpec};
use crate::encode::{self, ZSTD_LEVEL};
use crate::maintain::{Maintainer, Options};
use crate::read::folder_of;
use crate::store::Store;

/// One table: its committed positions, and the positions that batches without rows for it have
/// reached.
#[derive(Debug)]
struct TableState {
    table: DeltaTable,
    reached: Positions,
    properties: WriterProperties,
}

/// The star schema's tables, each with its own positions.
#[derive(Debug)]
pub struct StarSink {
    states: BTreeMap<Table, TableState>,
    contracts: HashMap<Arc<str>, Contract>,
    clock: Arc<dyn Clock>,
    maintainer: Option<Maintainer>,
    /// Whether a commit waits for a server instead of a disk.
    is_shared: bool,
}

/// The number of tables committed concurrently on a server: requests in progress, and files being
/// encoded.
const TABLES_AT_ONCE: usize = 8;

pub fn table_spec(table: Table) -> TableSpec {
    TableSpec {
        name: table.name().to_owned(),
        folder: folder_of(table),
        schema: table.schema(),
        partition_columns: Vec::new(),
        retired: table.retired(),
        is_derived: table.is_derived(),
    }
}

/// The tables whose positions records of a contract move: those it feeds, dead letters and spans.
pub fn tables_of(contract: Contract) -> impl Iterator<Item = Table> {
    Table::fed_by(contract).iter().copied().chain([Table::Rejected, Table::Spans])
}

impl StarSink {
    /// `contracts` are by topic.
    pub fn open(store: &Arc<dyn Store>, contracts: HashMap<Arc<str>, Contract>, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        let tables: BTreeSet<Table> = contracts.values().flat_map(|contract| tables_of(*contract)).collect();
        let mut states = BTreeMap::new();
        for table in tables {
            let opened = DeltaTable::open(Arc::clone(store), table_spec(table), Arc::clone(&clock))?;
            let reached = opened.positions();
            states.insert(
                table,
                TableState { reached, properties: encode::properties(&table.schema(), ZSTD_LEVEL), table: opened },
            );
        }
        Ok(Self { states, contracts, clock, maintainer: None, is_shared: store.is_shared() })
    }

    /// Enables maintenance after each commit. All files get the compression of merged files.
    #[must_use]
    pub fn maintained(mut self, options: Options) -> Self {
        for (table, state) in &mut self.states {
            state.properties = encode::properties(&table.schema(), options.zstd_level);
        }
        Self { maintainer: Some(Maintainer::new(options)), ..self }
    }

    /// Completes commits whose answer was lost, before anything else is committed.
    fn settle_commits(&mut self) -> Result<(), LogError> {
        for state in self.states.values_mut() {
            if state.table.complete()? {
                for (partition, next) in state.table.positions().iter() {
                    state.reached.advance(partition, next);
                }
            }
        }
        Ok(())
    }

    fn maintain(&mut self) {
        if let Some(maintainer) = &mut self.maintainer {
            let now = self.clock.now();
            self.states.values_mut().for_each(|state| maintainer.keep(&mut state.table, now));
        }
    }

    /// The accounted positions: every table is complete before them.
    pub fn accounted(&self) -> Positions {
        self.states.get(&Table::Spans).map(|state| state.table.positions()).unwrap_or_default()
    }

    fn contract(&self, topic: &str) -> Result<Contract, SinkError> {
        self.contracts.get(topic).copied().ok_or_else(|| SinkError::Invalid(format!("no stream reads the topic `{topic}`")))
    }

    /// Commits to tables that do not depend on each other: one after the other on a disk, several
    /// at once on a server.
    fn commit_tables(&mut self, wanted: impl Fn(Table) -> bool, batches: &[Arc<Batch>]) -> Result<(), SinkError> {
        let (contracts, now) = (&self.contracts, self.clock.now());
        let at_once = if self.is_shared { TABLES_AT_ONCE } else { 1 };
        let mut states: Vec<(Table, &mut TableState)> =
            self.states.iter_mut().filter(|(table, _)| wanted(**table)).map(|(table, state)| (*table, state)).collect();
        for some in states.chunks_mut(at_once) {
            if let [(table, state)] = some {
                state.commit(*table, batches, contracts, now)?;
                continue;
            }
            thread::scope(|scope| {
                let threads: Vec<_> = some
                    .iter_mut()
                    .map(|(table, state)| scope.spawn(move || state.commit(*table, batches, contracts, now)))
                    .collect();
                let ended = threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap_or_else(|_| Err(SinkError::Corrupt("a table's thread panicked".into()))));
                // All of them finish before the first failure is returned.
                ended.collect::<Vec<_>>().into_iter().collect::<Result<(), SinkError>>()
            })?;
        }
        Ok(())
    }
}

impl TableState {
    fn commit(
        &mut self,
        table: Table,
        batches: &[Arc<Batch>],
        contracts: &HashMap<Arc<str>, Contract>,
        now: i64,
    ) -> Result<(), SinkError> {
        let mut reached = self.reached.clone();
        let mut rows = Vec::new();
        let mut spans = Spans::default();
        for batch in batches {
            let partition = &batch.records().partition;
            let contract = contracts.get(&partition.topic);
            if !contract.is_some_and(|contract| tables_of(*contract).any(|fed| fed == table)) {
                continue;
            }
            let Some(slice) = batch.after(&reached)? else { continue };
            self.table.owns(partition)?;
            if table == Table::Spans {
                spans.add(slice.span());
            } else {
                rows.extend(slice.rows(table));
            }
            reached.advance(partition, slice.to());
        }
        if table == Table::Spans && !spans.is_empty() {
            rows.push(spans.rows(now).map_err(LogError::corrupt)?);
        }
        let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
        if count > 0 {
            self.append(rows, count, &reached)?;
        }
        self.reached = reached;
        Ok(())
    }

    fn append(&mut self, rows: Vec<RecordBatch>, count: usize, reached: &Positions) -> Result<(), SinkError> {
        let bytes = encode::parquet(&rows, &self.properties).map_err(LogError::corrupt)?;
        let file = NewFile { bytes, rows: count, partition_values: BTreeMap::new() };
        let moved = moved(&self.table, reached);
        Ok(self.table.append(vec![file], &moved)?)
    }
}

/// The positions beyond the table's committed ones.
fn moved(table: &DeltaTable, reached: &Positions) -> Vec<(Partition, i64)> {
    let committed = table.positions();
    let ahead = reached.iter().filter(|(partition, next)| committed.get(partition).is_none_or(|held| held < *next));
    ahead.map(|(partition, next)| (partition.clone(), next)).collect()
}

impl Sink for StarSink {
    fn name(&self) -> &'static str {
        "lake"
    }

    /// The lowest position of the tables that a partition's records feed: from there on, some table
    /// is incomplete.
    fn positions(&self) -> Positions {
        let mut lowest = Positions::default();
        let known: BTreeSet<Partition> = self
            .states
            .values()
            .flat_map(|state| state.table.positions().iter().map(|(p, _)| p.clone()).collect::<Vec<_>>())
            .collect();
        for partition in known {
            let Ok(contract) = self.contract(&partition.topic) else { continue };
            let held = tables_of(contract)
                .filter_map(|table| self.states.get(&table))
                .map(|state| state.table.positions().next(&partition));
            lowest.set(partition.clone(), held.min().unwrap_or(0));
        }
        lowest
    }

    fn commit(&mut self, batches: &[Arc<Batch>]) -> Result<(), SinkError> {
        self.settle_commits()?;
        for batch in batches {
            self.contract(&batch.records().partition.topic)?;
        }
        // `Spans` is the last table: its rows account for those of the others.
        self.commit_tables(|table| table != Table::Spans, batches)?;
        self.commit_tables(|table| table == Table::Spans, batches)?;
        self.maintain();
        Ok(())
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        self.settle_commits()?;
        for state in self.states.values_mut() {
            let moved = moved(&state.table, &state.reached);
            if !moved.is_empty() {
                state.table.append(Vec::new(), &moved)?;
            }
        }
        self.maintain();
        Ok(())
    }
}

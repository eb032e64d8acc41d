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

/// One table: what is committed, and how far it has been carried by batches that held no rows for it.
#[derive(Debug)]
struct Part {
    table: DeltaTable,
    reached: Positions,
    properties: WriterProperties,
}

/// The star schema's tables, each with positions of its own.
#[derive(Debug)]
pub struct StarSink {
    parts: BTreeMap<Table, Part>,
    contracts: HashMap<Arc<str>, Contract>,
    clock: Arc<dyn Clock>,
    maintainer: Option<Maintainer>,
    /// Whether a commit waits for a server, and not for a disk.
    is_shared: bool,
}

/// Tables that are committed to at once where a server is waited for: requests under way, and files that are encoded meanwhile.
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

/// The tables that records of a contract move on: those it feeds, dead letters and spans.
pub fn tables_of(contract: Contract) -> impl Iterator<Item = Table> {
    Table::fed_by(contract).iter().copied().chain([Table::Rejected, Table::Spans])
}

impl StarSink {
    /// `contracts` are those of the topics.
    pub fn open(store: &Arc<dyn Store>, contracts: HashMap<Arc<str>, Contract>, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        let tables: BTreeSet<Table> = contracts.values().flat_map(|contract| tables_of(*contract)).collect();
        let mut parts = BTreeMap::new();
        for table in tables {
            let opened = DeltaTable::open(Arc::clone(store), table_spec(table), Arc::clone(&clock))?;
            let reached = opened.positions();
            parts.insert(table, Part { reached, properties: encode::properties(&table.schema(), ZSTD_LEVEL), table: opened });
        }
        Ok(Self { parts, contracts, clock, maintainer: None, is_shared: store.is_shared() })
    }

    /// Has its tables maintained after each commit, and all files compressed as merged ones are.
    #[must_use]
    pub fn maintained(mut self, options: Options) -> Self {
        for (table, part) in &mut self.parts {
            part.properties = encode::properties(&table.schema(), options.zstd_level);
        }
        Self { maintainer: Some(Maintainer::new(options)), ..self }
    }

    /// Ends commits that were not answered: they count before anything is committed again.
    fn settle_commits(&mut self) -> Result<(), LogError> {
        for part in self.parts.values_mut() {
            if part.table.settle()? {
                for (partition, next) in part.table.positions().iter() {
                    part.reached.advance(partition, next);
                }
            }
        }
        Ok(())
    }

    fn maintain(&mut self) {
        if let Some(maintainer) = &mut self.maintainer {
            let now = self.clock.now();
            self.parts.values_mut().for_each(|part| maintainer.keep(&mut part.table, now));
        }
    }

    /// How far the spans account: what lies before is complete in every table.
    pub fn accounted(&self) -> Positions {
        self.parts.get(&Table::Spans).map(|part| part.table.positions()).unwrap_or_default()
    }

    fn contract(&self, topic: &str) -> Result<Contract, SinkError> {
        self.contracts.get(topic).copied().ok_or_else(|| SinkError::Invalid(format!("no stream reads the topic `{topic}`")))
    }

    /// Commits to tables of which none vouches for another: one after the other, or, where each takes a while to answer, some at once.
    fn commit_tables(&mut self, wanted: impl Fn(Table) -> bool, batches: &[Arc<Batch>]) -> Result<(), SinkError> {
        let (contracts, now) = (&self.contracts, self.clock.now());
        let at_once = if self.is_shared { TABLES_AT_ONCE } else { 1 };
        let mut parts: Vec<(Table, &mut Part)> =
            self.parts.iter_mut().filter(|(table, _)| wanted(**table)).map(|(table, part)| (*table, part)).collect();
        for some in parts.chunks_mut(at_once) {
            if let [(table, part)] = some {
                part.commit(*table, batches, contracts, now)?;
                continue;
            }
            thread::scope(|scope| {
                let threads: Vec<_> = some
                    .iter_mut()
                    .map(|(table, part)| scope.spawn(move || part.commit(*table, batches, contracts, now)))
                    .collect();
                let ended = threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap_or_else(|_| Err(SinkError::Corrupt("a table's thread panicked".into()))));
                // All of them end before the first failure is told.
                ended.collect::<Vec<_>>().into_iter().collect::<Result<(), SinkError>>()
            })?;
        }
        Ok(())
    }
}

impl Part {
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

/// The positions beyond what the table has committed.
fn moved(table: &DeltaTable, reached: &Positions) -> Vec<(Partition, i64)> {
    let committed = table.positions();
    let ahead = reached.iter().filter(|(partition, next)| committed.get(partition).is_none_or(|held| held < *next));
    ahead.map(|(partition, next)| (partition.clone(), next)).collect()
}

impl Sink for StarSink {
    fn name(&self) -> &'static str {
        "lake"
    }

    /// The lowest position of the tables that a partition's records feed: from there on something is missing somewhere.
    fn positions(&self) -> Positions {
        let mut lowest = Positions::default();
        let known: BTreeSet<Partition> = self
            .parts
            .values()
            .flat_map(|part| part.table.positions().iter().map(|(p, _)| p.clone()).collect::<Vec<_>>())
            .collect();
        for partition in known {
            let Ok(contract) = self.contract(&partition.topic) else { continue };
            let held = tables_of(contract)
                .filter_map(|table| self.parts.get(&table))
                .map(|part| part.table.positions().next(&partition));
            lowest.set(partition.clone(), held.min().unwrap_or(0));
        }
        lowest
    }

    fn commit(&mut self, batches: &[Arc<Batch>]) -> Result<(), SinkError> {
        self.settle_commits()?;
        for batch in batches {
            self.contract(&batch.records().partition.topic)?;
        }
        // `Spans` is the last table of all: its rows vouch for those of the others.
        self.commit_tables(|table| table != Table::Spans, batches)?;
        self.commit_tables(|table| table == Table::Spans, batches)?;
        self.maintain();
        Ok(())
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        self.settle_commits()?;
        for part in self.parts.values_mut() {
            let moved = moved(&part.table, &part.reached);
            if !moved.is_empty() {
                part.table.append(Vec::new(), &moved)?;
            }
        }
        self.maintain();
        Ok(())
    }
}

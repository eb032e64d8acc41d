//! The memory of a stage, and its completion from sinks that are ahead of it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use kassa_lake::{LogError, Store, Wanted, figures, letters, recover};
use kassa_model::{Contract, Partition, Positions, Table};
use kassa_pipeline::stage::Decided;
use kassa_pipeline::{SinkError, Stage};

/// The positions of a stage's memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The dedupe index contains every accepted record before these positions.
    pub index: Positions,
    /// Every member of a dimension whose row is before these positions is known. All sinks have those rows.
    pub members: Positions,
}

/// A stage, and the positions of its memory.
#[derive(Debug)]
pub struct Memory {
    pub stage: Stage,
    pub known: Known,
}

#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    #[error("could not read the lake")]
    Lake(#[from] LogError),
    #[error("could not read the warehouse")]
    Warehouse(#[from] SinkError),
}

/// Receives rows of a table.
pub type Take<'t> = &'t mut dyn FnMut(RecordBatch) -> Result<(), LogError>;

/// A sink beside the lake that holds the star schema: it may be ahead of the lake, or behind.
pub trait Held {
    /// The committed positions.
    fn positions(&self) -> Positions;

    /// Calls `take` with the named columns of the rows of a table at or beyond these positions.
    fn each_beyond(&mut self, table: Table, columns: &[&str], from: &Positions, take: Take<'_>) -> Result<(), MemoryError>;
}

/// The contracts of the topics.
pub type Contracts = HashMap<Arc<str>, Contract>;

/// Whether any of the positions lies beyond the other's.
pub fn is_ahead(positions: &Positions, of: &Positions) -> bool {
    positions.iter().any(|(partition, next)| next > of.next(partition))
}

impl Memory {
    /// A stage with an empty memory.
    pub fn none(stage: Stage) -> Self {
        Self { stage, known: Known::default() }
    }

    /// Starts to record additions, for checkpoints; no checkpoint contains any of the memory yet.
    pub fn record(&mut self) {
        self.stage.index.record(false);
        self.stage.memory.members.record(false);
    }

    /// Completes the memory with the rows that sinks have beyond it, so that records which are read again get the same decisions.
    /// `None`: the memory is ahead of a sink, because the sink has gone back, and cannot be used.
    pub fn complete(
        self,
        (store, contracts): (&dyn Store, &Contracts),
        beside: &mut [Box<dyn Held + '_>],
    ) -> Result<Option<Self>, MemoryError> {
        let Self { mut stage, mut known } = self;
        stage.keep_events();
        let accounted = figures::accounted(store)?;
        // What all of them hold.
        let held: Vec<Positions> = beside.iter().map(|sink| sink.positions()).collect();
        let least = |partition: &Partition, next: i64| held.iter().map(|held| held.next(partition)).fold(next, i64::min);
        let behind: Positions = accounted.iter().map(|(partition, next)| (partition.clone(), least(partition, next))).collect();
        if is_ahead(&known.index, &accounted) || is_ahead(&known.members, &behind) {
            return Ok(None);
        }
        // A member whose row is missing in one of them counts as new: the row is made again for that sink.
        let wanted = Wanted { from: &known.members, to: Some(&behind) };
        let keyring = *stage.keyring();
        recover::members(store, wanted, &keyring, &mut stage.memory.members)?;
        recover::dedupe(store, contracts, &known.index, (&keyring, &mut stage.index))?;
        stage.decided = Decided { positions: recover::decided(store, contracts)?, ..Decided::default() };
        for sink in beside {
            complete_by(sink.as_mut(), (contracts, &known.index), &accounted, &mut stage)?;
        }
        set_aside(store, &behind, &mut stage.decided)?;
        known = Known { index: accounted, members: behind };
        Ok(Some(Self { stage, known }))
    }
}

/// Completes a stage by what another sink holds beyond the lake.
fn complete_by(
    sink: &mut dyn Held,
    (contracts, known): (&Contracts, &Positions),
    lake: &Positions,
    stage: &mut Stage,
) -> Result<(), MemoryError> {
    let keyring = *stage.keyring();
    for table in recover::primary_tables(contracts) {
        let index = &mut stage.index;
        let columns = recover::identity_columns(table);
        sink.each_beyond(table, &columns, lake, &mut |rows| {
            recover::teach(&rows, table, (contracts, known), (&keyring, &mut *index))
        })?;
    }
    sink.positions().iter().for_each(|(partition, next)| stage.decided.positions.advance(partition, next));
    Ok(())
}

/// Collects the dead letters among the records that will be read again.
fn set_aside(store: &dyn Store, from: &Positions, decided: &mut Decided) -> Result<(), LogError> {
    if decided.positions.iter().all(|(partition, next)| from.next(partition) >= next) {
        return Ok(());
    }
    letters::each(store, &mut |letter| {
        let (topic, number, offset) = letter.position;
        let partition = Partition::new(topic, number);
        if (from.next(&partition)..decided.positions.next(&partition)).contains(&offset) {
            decided.letters.insert((partition, offset));
        }
        true
    })
}

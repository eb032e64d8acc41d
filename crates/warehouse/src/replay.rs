//! Replayed dead letters: adds their rows and marks them, in one transaction.

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use hashbrown::HashSet;
use kassa_model::star::lineage;
use kassa_model::star::read::Columns;
use kassa_model::{Partition, Table};

use crate::fill::fill;
use crate::plan::Plan;
use crate::sink::WarehouseSink;
use crate::{WarehouseError, commits, statements::Statements};

const MARK: &str = "UPDATE kassa.dead_letters l SET replayed_at = to_timestamp($4::int8 / 1000000.0)
    FROM unnest($1::text[], $2::int8[], $3::int8[]) AS m (topic, partition, \"offset\")
    WHERE l.topic = m.topic AND l.partition = m.partition AND l.\"offset\" = m.\"offset\" AND l.replayed_at IS NULL
    RETURNING l.topic, l.partition, l.\"offset\"";

impl WarehouseSink {
    /// Adds the rows of replayed letters and marks these. Idempotent. Returns the number of marked letters: a letter that was
    /// replayed before, or that the warehouse does not have, is skipped with its rows.
    pub fn replay(&mut self, rows: &[(Table, RecordBatch)], letters: &[(Partition, i64)]) -> Result<usize, WarehouseError> {
        let mut wait = self.patience.first_wait;
        for _ in 1..self.patience.tries {
            match self.replay_once(rows, letters) {
                Err(WarehouseError::Unavailable(why)) => tracing::warn!(why, "a replay into the warehouse is retried"),
                done => return done,
            }
            std::thread::sleep(wait);
            wait *= 2;
        }
        self.replay_once(rows, letters)
    }

    fn replay_once(&mut self, rows: &[(Table, RecordBatch)], letters: &[(Partition, i64)]) -> Result<usize, WarehouseError> {
        let now = self.clock.now();
        let done = self.connected().and_then(|(connection, partitions)| {
            partitions.prepare(&mut connection.client, &Plan::of_rows(rows.iter().cloned()), now)?;
            let mut transaction = connection.client.transaction()?;
            let marked = mark(&mut transaction, letters, now)?;
            let kept = rows.iter().map(|(table, rows)| Ok((*table, of_letters(Columns { table: *table, rows }, &marked)?)));
            let plan = Plan::of_rows(kept.collect::<Result<Vec<_>, WarehouseError>>()?);
            let mut statements = Statements::default();
            fill(&mut transaction, &mut statements, &plan, now)?;
            commits::put_replayed(&mut transaction, &mut statements, &plan, &marked)?;
            transaction.commit()?;
            Ok(marked.len())
        });
        if done.is_err() {
            self.disconnect();
        }
        done
    }
}

type Place = (String, i64, i64);

fn mark(
    transaction: &mut postgres::Transaction<'_>,
    letters: &[(Partition, i64)],
    now: i64,
) -> Result<HashSet<Place>, WarehouseError> {
    let topics: Vec<&str> = letters.iter().map(|(partition, _)| partition.topic.as_ref()).collect();
    let numbers: Vec<i64> = letters.iter().map(|(partition, _)| partition.number).collect();
    let offsets: Vec<i64> = letters.iter().map(|(_, offset)| *offset).collect();
    let marked = transaction.query(MARK, &[&topics, &numbers, &offsets, &now])?;
    Ok(marked.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

/// The rows that come from these letters.
fn of_letters(columns: Columns<'_>, letters: &HashSet<Place>) -> Result<RecordBatch, WarehouseError> {
    let (rows, topics) = (columns.rows, columns.get(lineage::source_topic)?);
    let (numbers, offsets) = (columns.get(lineage::source_partition)?, columns.get(lineage::source_offset)?);
    let keep: BooleanArray = (0..rows.num_rows())
        .map(|row| {
            let place = (topics.get(row).unwrap_or_default().to_owned(), numbers.value(row), offsets.value(row));
            Some(letters.contains(&place))
        })
        .collect();
    filter_record_batch(rows, &keep).map_err(WarehouseError::corrupt)
}

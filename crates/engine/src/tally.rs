//! Totals of spans and dead letters.

use std::collections::BTreeMap;
use std::collections::btree_map::Iter;

use std::sync::Arc;

use arrow_array::RecordBatch;
use kassa_lake::{LogError, Store, Wanted, beyond, letters};
use kassa_model::star::read::Columns;
use kassa_model::star::spans;
use kassa_model::time::Calendar;
use kassa_model::{Counts, Partition, Positions, Span, Table};
use serde::{Deserialize, Serialize};

/// The maximum size of an example on a page.
const EXAMPLE_BYTES: usize = 2_000;

/// The first dead letter of a reason.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct First {
    pub topic: String,
    pub partition: i64,
    pub offset: i64,
    pub field: String,
    pub detail: String,
    pub value: String,
}

/// The totals since the lake began.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tally {
    /// read, accepted, duplicates, dead letters
    counts: [i64; 4],
    /// By reason and stream.
    by_reason: BTreeMap<(String, String), (i64, First)>,
    /// Dead letters by the day (yyyymmdd) on which they were rejected: a wrong clock puts some on a later day than today's.
    by_day: BTreeMap<i32, i64>,
}

impl Tally {
    /// Adds rows of `spans` or of `rejected`.
    pub fn add(&mut self, table: Table, rows: &RecordBatch, calendar: &mut Calendar) -> Result<(), LogError> {
        match table {
            Table::Rejected => letters::of_rows(rows)?.iter().for_each(|letter| self.letter(letter, calendar)),
            _ => each_span(rows, &mut |span| self.count(span.counts))?,
        }
        Ok(())
    }

    pub fn count(&mut self, counts: Counts) {
        let Counts { read, accepted, duplicates, dead_letters } = self.counts().plus(counts);
        self.counts = [read, accepted, duplicates, dead_letters];
    }

    pub fn counts(&self) -> Counts {
        let [read, accepted, duplicates, dead_letters] = self.counts;
        Counts { read, accepted, duplicates, dead_letters }
    }

    pub fn letter(&mut self, letter: &letters::Letter, calendar: &mut Calendar) {
        *self.by_day.entry(calendar.date_key(letter.rejected_at)).or_default() += 1;
        let first = || First {
            topic: letter.position.0.to_string(),
            partition: letter.position.1,
            offset: letter.position.2,
            field: letter.field.clone(),
            detail: letter.detail.clone(),
            value: String::from_utf8_lossy(&letter.value[..letter.value.len().min(EXAMPLE_BYTES)]).into_owned(),
        };
        let key = (letter.reason.clone(), letter.stream.clone());
        self.by_reason.entry(key).or_insert_with(|| (0, first())).0 += 1;
    }

    /// Dead letters of a day.
    pub fn on(&self, day: i32) -> i64 {
        self.by_day.get(&day).copied().unwrap_or(0)
    }

    pub fn by_reason(&self) -> Iter<'_, (String, String), (i64, First)> {
        self.by_reason.iter()
    }
}

/// The totals that the lake accounts for, from those at earlier positions. Both must be positions that the lake accounted for at
/// some time, so that no span extends across them.
pub fn of_lake(
    store: &dyn Store,
    (mut tally, from): (Tally, &Positions),
    to: &Positions,
    calendar: &mut Calendar,
) -> Result<Tally, LogError> {
    let wanted = Wanted { from, to: Some(to) };
    beyond(store, Table::Spans, &[], wanted, &mut |rows| tally.add(Table::Spans, &rows, calendar))?;
    if from.is_empty() {
        // Letters that were replayed are not counted.
        letters::each(store, &mut |letter| {
            let (topic, number, offset) = &letter.position;
            if *offset < to.next(&Partition::new(Arc::clone(topic), *number)) {
                tally.letter(&letter, calendar);
            }
            true
        })?;
        return Ok(tally);
    }
    beyond(store, Table::Rejected, &[], wanted, &mut |rows| tally.add(Table::Rejected, &rows, calendar))?;
    Ok(tally)
}

/// Passes on the spans in rows of the table.
pub fn each_span(rows: &RecordBatch, take: &mut dyn FnMut(&Span)) -> Result<(), LogError> {
    let columns = Columns { table: Table::Spans, rows };
    let (topics, numbers) = (columns.get(spans::topic)?, columns.get(spans::partition)?);
    let (from, to, gap) = (columns.get(spans::from_offset)?, columns.get(spans::to_offset)?, columns.get(spans::gap)?);
    let (read, accepted) = (columns.get(spans::read)?, columns.get(spans::accepted)?);
    let (duplicates, dead_letters) = (columns.get(spans::duplicates)?, columns.get(spans::dead_letters)?);
    for row in 0..rows.num_rows() {
        take(&Span {
            partition: Partition::new(topics.value(row), numbers.value(row)),
            from: from.value(row),
            to: to.value(row),
            counts: Counts {
                read: read.value(row),
                accepted: accepted.value(row),
                duplicates: duplicates.value(row),
                dead_letters: dead_letters.value(row),
            },
            gap: gap.value(row),
        });
    }
    Ok(())
}

//! The rows of the figures' views.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use kassa_analytics::{Basis, Figure, Figures, Query, catalogue};

use crate::WarehouseError;

/// Every figure on all its bases, in all its groupings: what the views of `kassa sql` show.
pub(super) fn of(figures: &Figures) -> Result<RecordBatch, WarehouseError> {
    let mut columns: [Vec<Option<String>>; 6] = Default::default();
    for figure in catalogue() {
        for basis in bases(figure) {
            for by in figure.groupings.iter().map(|by| by.name()) {
                let Ok(query) = Query::parse(figure.name, Some(by), None, None, basis) else { continue };
                let Ok(answer) = figures.answer(&query) else { continue };
                for row in answer.rows {
                    let named = [Some(figure.name.to_owned()), basis.map(str::to_owned), Some(by.to_owned())];
                    let cells = named.into_iter().chain([Some(row.key), Some(row.label), row.value]);
                    columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
                }
            }
        }
    }
    let fields = ["figure", "basis", "by", "key", "label", "value"].map(|name| Field::new(name, DataType::Utf8, true));
    let arrays: Vec<ArrayRef> = columns.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields.to_vec())), arrays)
        .map_err(|error| WarehouseError::Corrupt(error.to_string()))
}

fn bases(figure: &Figure) -> Vec<Option<&'static str>> {
    if figure.bases.is_empty() { vec![None] } else { figure.bases.iter().map(|basis: &Basis| Some(basis.name())).collect() }
}

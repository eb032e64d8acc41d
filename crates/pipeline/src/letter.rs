//! The row of a dead letter.

use kassa_model::star::rejected;
use kassa_model::{Contract, Records};

/// Why a record is a dead letter, as the row states it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Refusal<'f> {
    /// The reason's code.
    pub reason: &'f str,
    pub field: &'f str,
    pub detail: &'f str,
}

/// A row of `rejected` for one of the records.
pub fn letter<'r>(
    records: &'r Records,
    index: usize,
    schema_id: Option<i32>,
    stream: &'r str,
    contract: Contract,
    refusal: Refusal<'r>,
) -> rejected::Row<'r> {
    rejected::Row {
        topic: records.partition.topic.as_ref(),
        partition: records.partition.number,
        offset: records.offsets[index],
        source_index: 0,
        timestamp: records.timestamps[index],
        key: records.key(index),
        headers: records.headers.get(index).map(AsRef::as_ref),
        schema_id,
        value: Some(records.value(index)).filter(|_| !records.is_tombstone(index)),
        stream,
        contract: contract.name(),
        reason: refusal.reason,
        field: Some(refusal.field),
        detail: Some(refusal.detail),
        rejected_at: records.ingested_at[index],
        replayed_at: None,
    }
}

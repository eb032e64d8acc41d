//! The fates of records: dead letters and spans.

use super::declare::columns;
use super::kind::{Bytes, Symbol, Text, Timestamp};

columns! {
    /// One dead letter: a record that was refused, with its bytes.
    rejected {
        /// Topic of the record.
        topic: Symbol,
        /// Partition of the topic.
        partition: i64,
        /// Offset in the partition.
        offset: i64,
        /// Always 0: a record is refused as a whole.
        source_index: i32,
        /// The source's own time of the record.
        timestamp: Option<Timestamp>,
        /// Key of the record, as bytes.
        key: Option<Bytes>,
        /// Headers: a JSON array of [name, value] pairs.
        headers: Option<Text>,
        /// Id of the record's schema in the schema registry.
        schema_id: Option<i32>,
        /// The original bytes; null for a record without a value.
        value: Option<Bytes>,
        /// Configured stream of the record.
        stream: Symbol,
        /// Contract of the stream.
        contract: Symbol,
        /// Why it was refused: the code of an error page.
        reason: Symbol,
        /// Path of the field that is at fault.
        field: Option<Text>,
        /// What is wrong with it.
        detail: Option<Text>,
        /// Time of the refusal: when kassa received the record.
        rejected_at: Timestamp,
        /// When it was replayed; null while it has not been.
        replayed_at: Option<Timestamp>,
    }

    /// What became of each range of offsets; written last, so that all rows of the range are already in their tables.
    spans {
        /// Topic of the range.
        topic: Symbol,
        /// Partition of the topic.
        partition: i64,
        /// First offset of the range.
        from_offset: i64,
        /// Offset after the range.
        to_offset: i64,
        /// Number of records read.
        read: i64,
        /// Number of records accepted.
        accepted: i64,
        /// Number of records that were duplicates.
        duplicates: i64,
        /// Number of records refused.
        dead_letters: i64,
        /// Number of offsets whose records the source itself has lost.
        gap: i64,
        /// When the range was committed.
        committed_at: Timestamp,
    }
}

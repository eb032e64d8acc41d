//! Columns that many tables have, and those of the archive.

use super::declare::columns;
use super::kind::{Bytes, Date, Symbol, Text, Timestamp};

columns! {
    /// Where a row comes from; every fact and dimension that is not derived has these columns, last.
    lineage {
        /// Topic (or file stream) of the record.
        source_topic: Symbol,
        /// Partition of the topic; a file is a partition.
        source_partition: i64,
        /// Offset of the record in its partition.
        source_offset: i64,
        /// Number of the row within its record, from 0: nested lines and new dimension members add rows.
        source_index: i32,
        /// Id of the record, as stated, or else formed from its business key.
        event_id: Text,
        /// System that sent the record.
        source: Option<Symbol>,
        /// Store of the record; empty if there is only one.
        store_id: Symbol,
        /// Hash of the decoded fields without the envelope: tells a repetition from a conflict.
        content_hash: i64,
        /// When kassa received the record.
        ingested_at: Timestamp,
    }

    /// One record of a topic as it was read, with its bytes; one table per topic.
    archive {
        /// Day of `ingested_at` in UTC; the table is partitioned by it.
        ingest_date: Date,
        /// Partition of the topic.
        partition: i64,
        /// Offset in the partition.
        offset: i64,
        /// The source's own time of the record.
        timestamp: Option<Timestamp>,
        /// When kassa received the record.
        ingested_at: Timestamp,
        /// Key of the record, as bytes.
        key: Option<Bytes>,
        /// Headers: a JSON array of [name, value] pairs.
        headers: Option<Symbol>,
        /// Id of the record's schema in the schema registry.
        schema_id: Option<i32>,
        /// The original bytes; null for a record without a value.
        value: Option<Bytes>,
    }
}

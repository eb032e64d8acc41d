//! The spans of a commit: those that follow on each other are one row.

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use kassa_model::{Span, Table};

use crate::rows::Rows;

#[derive(Debug, Clone, Default)]
pub struct Spans(Vec<Span>);

impl Spans {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn add(&mut self, span: Span) {
        match self.0.iter_mut().find(|last| last.partition == span.partition && last.to == span.from) {
            Some(last) => {
                last.to = span.to;
                last.counts = last.counts.plus(span.counts);
                last.gap += span.gap;
            }
            None => self.0.push(span),
        }
    }

    /// Rows of `spans`. `committed_at` is in µs UTC.
    pub fn rows(&self, committed_at: i64) -> Result<RecordBatch, ArrowError> {
        let mut rows = Rows::new(Table::Spans);
        for span in &self.0 {
            let _row = rows
                .row()
                .text(span.partition.topic.as_ref())
                .i64(span.partition.number)
                .i64(span.from)
                .i64(span.to)
                .i64(span.counts.read)
                .i64(span.counts.accepted)
                .i64(span.counts.duplicates)
                .i64(span.counts.dead_letters)
                .i64(span.gap)
                .i64(committed_at);
        }
        rows.finish()
    }
}

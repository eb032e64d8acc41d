//! The spans of a commit: adjacent ones are merged into one row.

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use kassa_model::Span;
use kassa_model::star::spans;

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
        let mut rows = spans::Builder::sized(self.0.len());
        for span in &self.0 {
            rows.push(&spans::Row {
                topic: span.partition.topic.as_ref(),
                partition: span.partition.number,
                from_offset: span.from,
                to_offset: span.to,
                read: span.counts.read,
                accepted: span.counts.accepted,
                duplicates: span.counts.duplicates,
                dead_letters: span.counts.dead_letters,
                gap: span.gap,
                committed_at,
            });
        }
        rows.finish()
    }
}

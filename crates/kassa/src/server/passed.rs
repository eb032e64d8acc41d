//! The processed records, as status pages show them.

use kassa_engine::tally::First;
use kassa_engine::tracker::{Passed, Tracker};
use kassa_model::Reason;
use kassa_server::{DeadLetterStatus, Example, ReasonStatus, SpanStatus};

/// The newest spans, the latest first.
pub fn spans(tracker: &Tracker) -> Vec<SpanStatus> {
    let status = |Passed { span, at }: Passed| SpanStatus {
        topic: span.partition.topic.to_string(),
        partition: span.partition.number,
        from: span.from,
        to: span.to,
        read: span.counts.read,
        accepted: span.counts.accepted,
        duplicates: span.counts.duplicates,
        dead_letters: span.counts.dead_letters,
        gap: span.gap,
        committed_at: at,
    };
    tracker.spans().into_iter().map(status).collect()
}

/// Dead letters by reason, the most frequent first.
pub fn dead_letters(tracker: &Tracker) -> DeadLetterStatus {
    let (tally, today) = (tracker.tally(), tracker.today());
    let status = |((reason, stream), (count, first)): (&(String, String), &(i64, First))| ReasonStatus {
        reason: reason.clone(),
        meaning: Reason::ALL.iter().find(|known| known.code() == reason).map_or("", |known| known.meaning()).to_owned(),
        stream: stream.clone(),
        count: *count,
        example: Some(Example {
            topic: first.topic.clone(),
            partition: first.partition,
            offset: first.offset,
            field: first.field.clone(),
            detail: first.detail.clone(),
            value: first.value.clone(),
        }),
    };
    let mut by_reason: Vec<ReasonStatus> = tally.by_reason().map(status).collect();
    by_reason.sort_by_key(|reason| -reason.count);
    DeadLetterStatus { total: Some(tally.counts().dead_letters), today: Some(tally.on(today)), by_reason }
}

//! Where Kafka's partitions begin and end, for observers.

use std::sync::{Mutex, PoisonError};

use kassa_kafka::Lag;

use crate::feed::{Mark, Marks};

#[derive(Debug, Default)]
struct Seen {
    marks: Vec<Mark>,
    trouble: Option<String>,
    /// Other programs in the group, in words.
    foreign: Option<String>,
}

/// The marks at the last update, at most a second old while Kafka is read.
#[derive(Debug, Default)]
pub struct KafkaMarks(Mutex<Seen>);

impl KafkaMarks {
    pub(super) fn show(&self, lag: &[Lag]) {
        let mark = |lag: &Lag| Mark { partition: lag.partition.clone(), start: lag.log_start, end: lag.stable_end };
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.marks = lag.iter().map(mark).collect();
        seen.marks.sort_by(|one, other| one.partition.cmp(&other.partition));
    }

    pub(super) fn well(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).trouble = None;
    }

    pub(super) fn unwell(&self, why: String) {
        tracing::warn!(why, "Kafka does not answer");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).trouble = Some(why);
    }
}

impl KafkaMarks {
    /// These members of the group are not kassa's.
    pub(super) fn foreign(&self, group: &str, members: &[String]) {
        let words = (!members.is_empty()).then(|| {
            let names = members.join(", ");
            format!(
                "another program reads as the group `{group}`: {names}. It takes partitions whose records are not read here: give kassa a \
                 group of its own (source.group)"
            )
        });
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(words) = words.as_ref().filter(|words| seen.foreign.as_ref() != Some(words)) {
            tracing::error!("{words}");
        }
        seen.foreign = words;
    }
}

impl Marks for KafkaMarks {
    fn marks(&self) -> Vec<Mark> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).marks.clone()
    }

    fn trouble(&self) -> Option<String> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.trouble.clone().or_else(|| seen.foreign.clone())
    }
}

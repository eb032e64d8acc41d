//! Other programs in the consumer group: the group gives them partitions, whose records nobody here reads.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use kassa_kafka::{Cluster, Connection, KafkaError};

use super::marks::KafkaMarks;

/// How often the group is asked for its members.
const LOOK: Duration = Duration::from_secs(3);
/// How long one question is repeated.
const PATIENCE: Duration = Duration::from_secs(5);

/// Watches the members of the group, on a thread and with a client of its own, so that a slow answer holds up no record. It ends once
/// this is dropped.
#[derive(Debug)]
pub(super) struct Members {
    _ends: Sender<()>,
}

impl Members {
    pub(super) fn watch(connection: &Connection, group: &str, marks: &Arc<KafkaMarks>) -> Result<Self, WatchError> {
        let cluster = Cluster::new(connection, group, PATIENCE)?;
        let (ends, ended) = channel();
        let (group, marks) = (group.to_owned(), Arc::clone(marks));
        let work = move || keep(&ended, LOOK, &group, &marks, || cluster.foreign_members(&group));
        thread::Builder::new().name("members".to_owned()).spawn(work)?;
        Ok(Self { _ends: ends })
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum WatchError {
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error("could not watch the group")]
    Thread(#[from] io::Error),
}

fn keep(
    ended: &Receiver<()>,
    look: Duration,
    group: &str,
    marks: &KafkaMarks,
    foreign: impl Fn() -> Result<Vec<String>, KafkaError>,
) {
    while matches!(ended.recv_timeout(look), Err(RecvTimeoutError::Timeout)) {
        match foreign() {
            Ok(foreign) => marks.foreign(group, &foreign),
            // Whether Kafka answers is shown by the reading itself.
            Err(error) => tracing::debug!(%error, "the members of the group are not known"),
        }
    }
    marks.foreign(group, &[]);
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::feed::Marks;

    #[test]
    fn another_program_in_the_group_is_told_until_it_has_gone() {
        let marks = KafkaMarks::default();
        let away = KafkaError::Unavailable { at: "localhost:9092".to_owned(), why: "connection refused".to_owned() };
        let answers = vec![Ok(vec![]), Err(away), Ok(vec!["console-consumer at 10.0.0.5".to_owned()]), Ok(vec![])];
        let (ends, ended) = channel();
        let (left, seen) = (Mutex::new((answers.into_iter(), Some(ends))), Mutex::new(Vec::new()));
        keep(&ended, Duration::ZERO, "kassa", &marks, || {
            seen.lock().unwrap().push(marks.trouble());
            let (answers, ends) = &mut *left.lock().unwrap();
            answers.next().unwrap_or_else(|| {
                drop(ends.take());
                Ok(vec![])
            })
        });
        let seen = seen.into_inner().unwrap();
        assert_eq!((seen.len(), &seen[..3], &seen[4]), (5, &[None, None, None][..], &None));
        let words = seen[3].as_deref().unwrap();
        assert!(words.contains("console-consumer at 10.0.0.5") && words.contains("source.group"), "{words}");
    }
}

//! Records of the collector on their way into Kafka: answered when the broker has them.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use kassa_kafka::{ErrorKind, KafkaError, Outgoing, Producer, ProducerOptions};
use kassa_server::{CollectError, Done};

use crate::wiring;

/// The maximum number of waiting requests; beyond it the collector answers 429.
const REQUESTS: usize = 256;
/// The number of requests whose records are sent at once.
const THREADS: usize = 8;
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// When to try again while Kafka does not answer.
const AWAY: Duration = Duration::from_secs(5);

struct Request {
    topic: String,
    records: Vec<Bytes>,
    done: Done,
}

/// Threads that each send a request's records and wait for the broker.
pub struct Produced {
    requests: SyncSender<Request>,
    route: Arc<Route>,
}

/// The way to Kafka, once it is there.
#[derive(Default)]
struct Route {
    producer: OnceLock<Producer>,
    /// Why it is not there.
    why: Mutex<String>,
}

impl Produced {
    /// Connects on a thread of its own: until Kafka answers, requests are refused.
    pub fn start(kafka: &kassa_config::Kafka) -> anyhow::Result<Self> {
        let options = ProducerOptions::new(wiring::kafka(kafka));
        let route = Arc::<Route>::default();
        route.waits("the connection to Kafka is being made".to_owned());
        let connecting = Arc::clone(&route);
        let connect = move || connecting.connect(|| Producer::connect(&options), || thread::sleep(RETRY_AFTER));
        thread::Builder::new().name("producer".to_owned()).spawn(connect)?;
        let (requests, receiver) = sync_channel(REQUESTS);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..THREADS {
            let (route, receiver) = (Arc::clone(&route), Arc::clone(&receiver));
            thread::Builder::new().name("produce".to_owned()).spawn(move || work(&route, &receiver))?;
        }
        Ok(Self { requests, route })
    }

    pub fn send(&self, topic: &str, records: Vec<Bytes>, done: Done) -> Result<(), CollectError> {
        if self.route.producer.get().is_none() {
            return Err(self.route.away());
        }
        self.requests.try_send(Request { topic: topic.to_owned(), records, done }).map_err(|refused| match refused {
            TrySendError::Full(_) => CollectError::Full { retry_after: RETRY_AFTER },
            TrySendError::Disconnected(_) => CollectError::Failed("the producer has stopped".to_owned()),
        })
    }
}

impl Route {
    fn waits(&self, why: String) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn away(&self) -> CollectError {
        CollectError::Away { why: self.why.lock().unwrap_or_else(PoisonError::into_inner).clone(), retry_after: AWAY }
    }

    /// Tries until Kafka answers. What it refuses, it refuses the pipeline too, which then ends the program with that error.
    fn connect<P>(&self, mut connect: P, pause: impl Fn())
    where
        P: FnMut() -> Result<Producer, KafkaError>,
    {
        loop {
            match connect() {
                Ok(producer) => {
                    self.producer.get_or_init(|| producer);
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "the collector could not reach Kafka");
                    self.waits(error.to_string());
                    if error.kind() != ErrorKind::Unavailable {
                        return;
                    }
                    pause();
                }
            }
        }
    }
}

fn work(route: &Route, receiver: &Mutex<Receiver<Request>>) {
    loop {
        // The thread with the lock waits for a request; the others wait for the lock.
        let request = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Request { topic, records, done }) = request else { return };
        let Some(producer) = route.producer.get() else {
            done(Err(route.away()));
            continue;
        };
        let outgoing: Vec<Outgoing<'_>> = records
            .iter()
            .map(|record| Outgoing {
                topic: &topic,
                key: None,
                value: Some(record),
                headers: &[],
                timestamp_ms: None,
                partition: None,
            })
            .collect();
        let failed = producer.produce_and_wait(&outgoing).into_iter().find_map(Result::err);
        done(failed.map_or(Ok(()), |error| Err(CollectError::Failed(error.to_string()))));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn unavailable() -> KafkaError {
        KafkaError::Unavailable { at: "localhost:9092".to_owned(), why: "connection refused".to_owned() }
    }

    #[test]
    fn kafka_that_is_away_is_tried_again_and_requests_are_refused_with_the_reason() {
        let (route, tries, pauses) = (Route::default(), Cell::new(0), Cell::new(0));
        let connect = || {
            tries.set(tries.get() + 1);
            let refused = KafkaError::Credentials { at: String::new(), identity: "User:kassa".to_owned(), why: String::new() };
            Err(if tries.get() < 4 { unavailable() } else { refused })
        };
        route.connect(connect, || {
            let CollectError::Away { why, retry_after } = route.away() else { panic!("it is away") };
            assert!(why.contains("connection refused") && retry_after == AWAY, "{why}");
            pauses.set(pauses.get() + 1);
        });
        assert_eq!((tries.get(), pauses.get()), (4, 3), "a refusal ends the tries");
        assert!(matches!(route.away(), CollectError::Away { why, .. } if why.contains("User:kassa")));
    }
}

//! The source of a running pipeline: the collector's log, or Kafka.

mod kafka;
mod log;

pub use kassa_engine::feed::{Feed, Mark, Marks, Next, Reached};

pub use self::kafka::{KafkaFeed, KafkaMarks, TopicIds, grown, kafka_feed, known_topics, refused};
pub use self::log::{LogFeed, LogMarks, open_log, partition};

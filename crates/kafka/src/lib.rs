//! Kafka: the source, the producers and the schema registry.

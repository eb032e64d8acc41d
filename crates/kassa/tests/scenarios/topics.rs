//! A stream with several topics, and with a topic pattern, including new topics.

use kassa_kafka::{Admin, Connection, Outgoing, Producer, ProducerOptions};
use kassa_stack::{Kafka, KafkaOptions};
use std::time::Duration;

use crate::harness::Shop;
use crate::proof_of_kafka::event;

#[test]
fn all_topics_of_a_stream_are_read_including_a_new_one() {
    let kafka = Kafka::start(&KafkaOptions::default()).expect("Kafka");
    let connection = Connection { brokers: kafka.plaintext(), ..Connection::default() };
    let admin = Admin::connect(&connection).expect("an administrator");
    let producer = Producer::connect(&ProducerOptions::new(connection)).expect("a producer");
    let produce = |topic: &str, id: &str| {
        let value = event(id);
        producer.send(&Outgoing { topic, value: Some(value.as_bytes()), ..Outgoing::default() }).expect("sent");
        producer.flush(Duration::from_secs(60)).expect("delivered");
    };
    for topic in ["web", "shop", "visits-one", "other"] {
        admin.create_topic(topic, 2, 1, &[]).expect("a topic");
        produce(topic, topic);
    }
    let shop = Shop::new(&format!(
        "[source]\nurl = \"kafka://{}\"\nproperties = \"client.rack=a\"\n[streams.events]\ntopic = \"web, shop, visits-*\"\n",
        kafka.plaintext()
    ));
    let server = shop.serve();
    let read = |wanted: i64| {
        server.until(|pipeline| pipeline["records"]["accepted"].to_string().trim_matches('"').parse() == Ok(wanted));
    };
    read(3);
    admin.create_topic("visits-two", 1, 1, &[]).expect("a topic");
    produce("visits-two", "visits-two");
    read(4);
    server.stop();
    // The topics of the pattern are known without Kafka.
    shop.ok(&["prove"]);
    drop(kafka);
    shop.ok(&["prove", "--without-kafka"]);
    let rows = shop.json(&["sql", "SELECT source_topic AS topic FROM fact_event ORDER BY 1"]);
    let topics: Vec<&str> = rows.as_array().expect("rows").iter().filter_map(|row| row["topic"].as_str()).collect();
    assert_eq!(topics, ["shop", "visits-one", "visits-two", "web"]);
}

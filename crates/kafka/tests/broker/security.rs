use std::time::{Duration, Instant};

use kassa_kafka::{
    Admin, Cluster, Connection, ErrorKind, KafkaError, KafkaSource, Mechanism, Outgoing, Producer, ProducerOptions, Sasl,
    Security, SourceOptions, Subscription, Tls,
};
use kassa_model::{Positions, Secret};

use crate::support::{LONG, Reader, broker, new_topic, plaintext, unique};

fn trusting() -> Tls {
    Tls { ca: Some(broker().ca()), ..Tls::default() }
}

fn sasl(mechanism: Mechanism, user: &str, password: &str) -> Sasl {
    Sasl { mechanism, user: user.into(), password: Secret::new("env:PASSWORD", password) }
}

fn listener(brokers: String, security: Security) -> Connection {
    Connection { brokers, security, ..Connection::default() }
}

fn alice(mechanism: Mechanism) -> Sasl {
    sasl(mechanism, "alice", "alice-secret")
}

fn connect_error(connection: &Connection, topic: &str) -> KafkaError {
    let mut options = SourceOptions::new(connection.clone(), unique("group"), vec![Subscription::parse(topic)]);
    options.patience = Duration::from_secs(8);
    let error = KafkaSource::connect(&options).unwrap_err();
    assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("secret"), "{error:?}");
    error
}

#[test]
fn every_listener_is_written_and_read() {
    let (certificate, key) = broker().client_certificate();
    let mutual = Tls { certificate: Some(certificate), key: Some(key), ..trusting() };
    let mut listeners = vec![
        plaintext(),
        listener(broker().tls(), Security::Tls(trusting())),
        listener(broker().mutual_tls(), Security::Tls(mutual)),
    ];
    for mechanism in Mechanism::ALL {
        listeners.push(listener(broker().sasl_plaintext(), Security::SaslPlaintext(alice(mechanism))));
        listeners.push(listener(broker().sasl_tls(), Security::SaslTls(alice(mechanism), trusting())));
    }
    let topic = new_topic("listeners", 1);
    for (count, connection) in listeners.iter().enumerate() {
        let producer = Producer::connect(&ProducerOptions::new(connection.clone())).unwrap();
        producer.send(&Outgoing { topic: &topic, value: Some(b"1"), ..Outgoing::default() }).unwrap();
        producer.flush(LONG).unwrap();
        let options = SourceOptions::new(connection.clone(), unique("group"), vec![Subscription::parse(&topic)]);
        let mut reader = Reader::new(KafkaSource::connect(&options).unwrap(), Positions::default());
        reader.read(count + 1);
    }
    assert_eq!(listeners.len(), 9);
}

#[test]
fn a_wrong_password_is_reported_immediately_by_every_mechanism() {
    let topic = new_topic("passwords", 1);
    for mechanism in Mechanism::ALL {
        let started = Instant::now();
        let wrong = listener(broker().sasl_tls(), Security::SaslTls(sasl(mechanism, "alice", "wrong-secret"), trusting()));
        let error = connect_error(&wrong, &topic);
        assert!(matches!(error, KafkaError::Credentials { .. }), "{error:?}");
        assert!(error.to_string().contains("User:alice") && error.to_string().contains(mechanism.name()), "{error}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
        let of_producer = Producer::connect(&ProducerOptions::new(wrong)).unwrap_err();
        assert!(matches!(of_producer, KafkaError::Credentials { .. }), "{of_producer:?}");
    }
}

#[test]
fn untrusted_tls_is_refused_with_the_reason() {
    let topic = new_topic("tls", 1);
    let error = connect_error(&listener(broker().tls(), Security::Tls(Tls::default())), &topic);
    assert!(matches!(&error, KafkaError::Tls { trusted, .. } if trusted == "the system's authorities"), "{error:?}");
    assert!(error.hint().unwrap().contains("give the right authority"), "{error:?}");

    let error = connect_error(&listener(broker().mutual_tls(), Security::Tls(trusting())), &topic);
    assert!(matches!(&error, KafkaError::Tls { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("client certificate"), "{error:?} {:?}", error.hint());

    let other_host = broker().tls().replace("localhost", "127.0.0.2");
    assert_ne!(connect_error(&listener(other_host, Security::Tls(trusting())), &topic).kind(), ErrorKind::Fenced);

    let error = connect_error(&listener(broker().tls(), Security::Plaintext), &topic);
    assert!(matches!(&error, KafkaError::Unavailable { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("right listener"), "{error:?}");
}

#[test]
fn a_missing_right_to_read_or_write_is_reported() {
    let topic = new_topic("denied", 1);
    let mallory =
        listener(broker().sasl_plaintext(), Security::SaslPlaintext(sasl(Mechanism::ScramSha256, "mallory", "mallory-secret")));
    let error = connect_error(&mallory, &topic);
    assert!(matches!(&error, KafkaError::Denied { identity, .. } if identity.contains("mallory")), "{error:?}");
    let producer = Producer::connect(&ProducerOptions::new(mallory)).unwrap();
    let outcomes = producer.produce_and_wait(&[Outgoing { topic: &topic, value: Some(b"x"), ..Outgoing::default() }]);
    assert!(matches!(&outcomes[..], [Err(KafkaError::Denied { .. })]), "{outcomes:?}");
}

#[test]
fn missing_topics_and_brokers_have_different_errors() {
    let error = connect_error(&plaintext(), "no-such-topic");
    assert!(matches!(&error, KafkaError::UnknownTopic { topic, .. } if topic == "no-such-topic"), "{error:?}");
    let nobody = Connection { brokers: "127.0.0.1:1".into(), ..Connection::default() };
    let error = connect_error(&nobody, "x");
    assert!(matches!(&error, KafkaError::Unavailable { .. }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let bad = Connection { properties: [("fetch.max.bites".to_owned(), "1".to_owned())].into(), ..plaintext() };
    assert!(matches!(connect_error(&bad, "x"), KafkaError::Invalid { .. }));
    assert!(matches!(Admin::connect(&nobody), Err(KafkaError::Unavailable { .. })));
}

#[test]
fn topics_are_listed_with_their_ids() {
    let topic = new_topic("listed", 3);
    let cluster = Cluster::new(&plaintext(), "g", LONG).unwrap();
    let first = cluster.topic(&topic).unwrap();
    assert_eq!((first.partitions.len(), cluster.topics().unwrap().iter().filter(|of| *of.name == *topic).count()), (3, 1));
    assert!(cluster.topic(&topic).unwrap().id.is_some_and(|id| id.len() == 22), "{first:?}");
}

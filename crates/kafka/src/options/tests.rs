use super::*;

#[test]
fn urls_name_brokers_and_nothing_else() {
    let brokers = |url| Connection::from_url(url).map(|connection| connection.brokers);
    assert_eq!(brokers("kafka://a").unwrap(), "a:9092");
    assert_eq!(brokers("kafka://a:1,b-2.shop:2/").unwrap(), "a:1,b-2.shop:2");
    for url in
        ["kafka://", "kafka://:9092", "kafka://a:x", "kafka://a:0", "kafka://a,,b", "kafka://a/topic", "http://a", "kafka://a b"]
    {
        assert!(matches!(brokers(url), Err(KafkaError::Invalid { .. })), "{url}");
    }
    assert!(!brokers("http://bob:hunter2@a").unwrap_err().to_string().contains("hunter2"));
    let error = brokers("kafka://bob:hunter2@a").unwrap_err().to_string();
    assert!(error.contains("their own keys") && !error.contains("hunter2"), "{error}");
}

#[test]
fn properties_that_guarantees_depend_on_cannot_be_overridden() {
    assert!(OURS.is_sorted(), "binary search needs the order");
    for name in OURS {
        let properties = BTreeMap::from([((*name).to_owned(), "x".to_owned())]);
        let connection = Connection { brokers: "a:1".into(), properties, ..Connection::default() };
        assert!(connection.client_config().unwrap_err().to_string().contains(name));
    }
}

#[test]
fn secrets_are_not_printed() {
    let sasl = Sasl { mechanism: Mechanism::Plain, user: "bob".into(), password: Secret::new("env:PASSWORD", "hunter2") };
    let properties = BTreeMap::from([("ssl.key.password".to_owned(), "hunter3".to_owned())]);
    let connection = Connection { brokers: "a:1".into(), security: Security::SaslPlaintext(sasl), properties };
    let printed = format!("{connection:?} {} {}", connection.at(), connection.identity());
    assert!(printed.contains("bob") && !printed.contains("hunter"), "{printed}");
    // librdkafka refuses a property that it does not have, and repeats its value.
    let properties = BTreeMap::from([("no.such.secret".to_owned(), "hunter4".to_owned())]);
    let connection = Connection { brokers: "127.0.0.1:1".into(), properties, ..Connection::default() };
    let error = crate::Producer::connect(&crate::ProducerOptions::new(connection)).map(drop).unwrap_err().to_string();
    assert!(error.contains("no.such.secret") && !error.contains("hunter"), "{error}");
}

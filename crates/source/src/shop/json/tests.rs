use super::*;

fn written(drift: Drift, write: impl FnOnce(&mut Json<'_>)) -> String {
    let mut out = Vec::new();
    let mut json = Json::open(&mut out, 0xabc, drift);
    write(&mut json);
    json.close();
    String::from_utf8(out).unwrap()
}

#[test]
fn values_are_written_in_the_contracts_form() {
    let text = written(Drift::None, |json| {
        json.amount("a", -12_500_000, 2).amount("y", 900_000_000, 0).quantity("q", 1_500).date("d", 20_260_131);
        json.object("o", |json| {
            json.text("x", "Köln").flag("f", true);
        });
        json.objects("l", &[1, 2], |json, n| {
            json.integer("n", *n);
        });
        json.id("i", &["HP", "-"], 42, "-c").array_of_texts("t", &["a", "b"]);
    });
    let whole = r#"{"event_id":"00000000002nw","a":-12.50,"y":900,"q":1.5,"d":"2026-01-31","o":{"x":"Köln","f":true},"l":[{"n":1},{"n":2}],"i":"HP-000042-c","t":["a","b"]}"#;
    assert_eq!(text, whole);
}

#[test]
fn times_parse_to_the_same_instant() {
    for micros in [0, 951_782_399_999_000, 1_774_746_000_123_000, 4_102_444_800_000_000] {
        let text = written(Drift::None, |json| {
            json.time("t", micros);
        });
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let zone = kassa_model::Shop::new("", "UTC", kassa_model::Currency::parse("GBP").unwrap()).unwrap().zone;
        assert_eq!(kassa_model::time::parse(value["t"].as_str().unwrap(), &zone), Ok(micros));
    }
}

#[test]
fn drifted_records_contain_the_same_facts() {
    let write = |json: &mut Json<'_>| {
        json.amount("a", 990_000, 2).time("t", 1_774_746_000_123_000);
    };
    assert!(written(Drift::TextNumbers, write).contains(r#""a":"0.99""#));
    assert!(written(Drift::EpochMillis, write).contains(r#""t":1774746000123"#));
    let value: serde_json::Value = serde_json::from_str(&written(Drift::NewFields, write)).unwrap();
    assert_eq!(value["experiment"]["arm"], "b");
}

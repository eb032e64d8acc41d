//! For any input: no panic, one fate per record, and the collector's verdict is the pipeline's.

use proptest::prelude::*;

use super::*;

fn contract() -> impl Strategy<Value = Contract> {
    proptest::sample::select(Contract::ALL.to_vec())
}

/// Any JSON value, as text.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,20})?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        proptest::sample::select(vec![
            "\"GBP\"",
            "\"2026-01-12T09:00:00Z\"",
            "\"sale\"",
            "\"return\"",
            "\"\"",
            "\"GB\"",
            "\"A > B\"",
            "\"\\ud83d\""
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(", "))),
            proptest::collection::vec((name(), inner), 0..5).prop_map(|fields| object(&fields)),
        ]
    })
}

/// A field's name, often one that a contract has.
fn name() -> impl Strategy<Value = String> {
    let mut known: Vec<&str> = kassa_model::contract::ENVELOPE.iter().map(|field| field.name).collect();
    known.extend(Contract::ALL.iter().flat_map(|contract| contract.fields()).map(|field| field.name));
    known.extend(kassa_model::contract::ADDRESS);
    prop_oneof![8 => proptest::sample::select(known).prop_map(str::to_owned), 1 => any::<String>()]
}

fn object(fields: &[(String, String)]) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}:{value}", serde_json::to_string(name).unwrap())).collect();
    format!("{{{}}}", fields.join(","))
}

/// Checks the laws on any records, read twice.
fn check(contract: Contract, format: Format, headers: &Headers, values: &[&[u8]]) -> Result<(), TestCaseError> {
    let mut stage = stage_in("Europe/London", contract, format, None);
    let told: Vec<_> = values.iter().map(|value| stage.verdict("t", value).unwrap()).collect();
    let first = Done::with_headers(&mut stage, 0, values, headers.clone());
    prop_assert_eq!(first.fates().len(), values.len());
    prop_assert_eq!(first.letters().len(), first.fates().iter().filter(|fate| **fate == Fate::DeadLetter).count());
    let letters: BTreeMap<i64, (String, String)> =
        first.letters().into_iter().map(|(at, reason, field)| (at, (reason, field))).collect();
    if format == Format::Json {
        for (at, told) in (0..).zip(&told) {
            let found = letters.get(&at).filter(|(reason, _)| reason != "conflict" || told.is_some());
            let told = told.as_ref().map(|letter| (letter.reason.code().to_owned(), letter.field.to_string()));
            prop_assert_eq!(told.as_ref(), found);
        }
    }
    for (table, _) in first.batch.tables().iter().filter(|(table, _)| *table != Table::Rejected) {
        for row in first.rows(*table) {
            let at = row["source_offset"].parse::<usize>().unwrap();
            prop_assert_eq!(first.fates()[at], Fate::Accepted);
            if let Some(extra) = row.get("extra").filter(|extra| *extra != "∅") {
                prop_assert!(serde_json::from_str::<BTreeMap<String, &serde_json::value::RawValue>>(extra).is_ok(), "{}", extra);
            }
        }
    }
    let again = Done::with_headers(&mut stage, 0, values, headers.clone());
    prop_assert_eq!(again.fates(), first.fates());
    prop_assert_eq!(again.rows(Table::primary(contract)), first.rows(Table::primary(contract)));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_have_one_fate_each(contract in contract(), values in proptest::collection::vec(any::<Vec<u8>>(), 0..12)) {
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        check(contract, Format::Json, &Headers::None, &values)?;
    }

    #[test]
    fn records_that_are_nearly_right_have_one_fate_each(
        contract in contract(),
        bends in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let text = minimal(contract).as_bytes();
        let mut values = vec![text.to_vec()];
        for (at, byte) in bends {
            let mut bent = text.to_vec();
            bent[at.index(text.len())] = byte;
            values.push(bent);
            values.push(text[..at.index(text.len())].to_vec());
        }
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        check(contract, Format::Json, &Headers::None, &values)?;
    }

    #[test]
    fn any_json_in_any_field_has_one_fate_each(
        contract in contract(),
        records in proptest::collection::vec(proptest::collection::vec((name(), json()), 0..6), 1..8),
    ) {
        let base: BTreeMap<String, Box<serde_json::value::RawValue>> = serde_json::from_str(minimal(contract)).unwrap();
        let text = |fields: &Vec<(String, String)>| {
            let rest = base.iter().filter(|(name, _)| !fields.iter().any(|(given, _)| given == *name));
            let mut all: Vec<(String, String)> = rest.map(|(name, value)| (name.clone(), value.get().to_owned())).collect();
            all.extend(fields.iter().cloned());
            object(&all)
        };
        let values: Vec<String> = records.iter().map(text).collect();
        let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
        check(contract, Format::Json, &Headers::None, &values)?;
    }

    #[test]
    fn any_lines_of_an_order_have_one_fate_each(
        lines in proptest::collection::vec(proptest::collection::vec((name(), json()), 0..4), 0..5),
        repeats in proptest::collection::vec(0..3_u32, 1..4),
    ) {
        let lines: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(at, fields)| object(&[fields.as_slice(), &[("line_id".to_owned(), (at / 2).to_string()), ("amount".to_owned(), "1".to_owned()), ("quantity".to_owned(), "1".to_owned())]].concat()))
            .collect();
        for contract in [Contract::Order, Contract::Refund] {
            let text = |revision: &u32| with(contract, "lines", &format!("[{}]", lines.join(","))).replacen('{', &format!("{{\"revision\":{revision},"), 1);
            let values: Vec<String> = repeats.iter().map(text).collect();
            let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
            check(contract, Format::Json, &Headers::None, &values)?;
        }
    }

    #[test]
    fn any_csv_has_one_fate_a_row(
        contract in contract(),
        header in "[a-z_,\";]{0,40}",
        rows in proptest::collection::vec("[a-z0-9,\"\n\r\\. ;\u{feff}é]{0,40}", 0..10),
    ) {
        let header = serde_json::to_string(&format!("order_id,occurred_at,{header}")).unwrap();
        let headers = Headers::Shared(format!(r#"[["csv_header",{header}]]"#).into());
        let rows: Vec<&[u8]> = rows.iter().map(String::as_bytes).collect();
        check(contract, Format::Csv, &headers, &rows)?;
    }
}

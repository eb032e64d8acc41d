use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::BinaryArray;
use arrow_array::cast::AsArray;
use kassa_model::{Headers, Partition, Records, Table, time};
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_pipeline::ports::{SchemaText, Schemas, SchemasError};
use kassa_pipeline::{Batch, Format, Stage, Stream};

use super::*;
use crate::shop::tests::options;
use crate::shop::{Faults, Options, STREAMS, Shop};

/// Schemas by id, as assigned by a registry.
#[derive(Debug, Clone, Default)]
struct Registry {
    texts: Vec<(String, String)>,
}

impl Registry {
    fn register(&mut self, stream: &str, text: &str) -> Result<u32, ()> {
        self.texts.push((stream.to_owned(), text.to_owned()));
        Ok(u32::try_from(self.texts.len()).unwrap())
    }
}

impl Schemas for Registry {
    fn schema(&mut self, id: i32) -> Result<Option<SchemaText>, SchemasError> {
        let held = usize::try_from(id - 1).ok().and_then(|at| self.texts.get(at));
        Ok(held.map(|(_, text)| SchemaText { text: text.as_str().into(), references: Vec::new() }))
    }
}

fn faulty(seed: u64) -> Shop {
    let faults = Faults { malformed_ppm: 60_000, drifted_ppm: 60_000, ..Faults::default() };
    Shop::new(Options { faults, ..options(seed, 40_000) }).unwrap()
}

/// A stream's records in one form, and their expected fates.
#[derive(Default)]
struct Made {
    values: Vec<Vec<u8>>,
    fates: Vec<Fate>,
}

/// The same records in JSON and in Avro, by contract.
fn both(seed: u64, records: usize) -> (Registry, BTreeMap<Contract, [Made; 2]>) {
    let (mut shop, mut registry) = (faulty(seed), Registry::default());
    let mut avro = Avro::new(seed, |stream, text| registry.register(stream, text)).unwrap();
    let mut made: BTreeMap<Contract, [Made; 2]> = BTreeMap::new();
    let (mut json, mut frame) = (Vec::new(), Vec::new());
    for _ in 0..records {
        json.clear();
        frame.clear();
        let emitted = shop.next(&mut json);
        avro.encode(&emitted, &json, &mut frame).unwrap();
        let of_contract = made.entry(emitted.contract).or_default();
        for (made, value) in of_contract.iter_mut().zip([&json, &frame]) {
            made.values.push(value.clone());
            made.fates.push(emitted.fate);
        }
    }
    (registry, made)
}

fn stage(format: Format, registry: &Registry) -> Stage {
    let index = Index::new(&IndexOptions { memory_bytes: 64 << 20, dir: None, event_window_us: 7 * time::DAY }).unwrap();
    let streams = STREAMS.map(|(name, contract)| (Arc::from(name), Stream::new(name, contract, format, None, 1 << 20)));
    Stage::new(&options(1, 1).shop, kassa_model::key::Keyring::keyed([7; 16]), index, streams)
        .with_schemas(Box::new(registry.clone()))
}

fn through(stage: &mut Stage, contract: Contract, values: &[Vec<u8>]) -> Batch {
    let next = i64::try_from(values.len()).unwrap();
    let records = Records {
        partition: Partition::new(stream_of(contract), 0),
        offsets: (0..next).collect(),
        ingested_at: vec![options(1, 1).start + 30 * time::DAY; values.len()],
        timestamps: vec![None; values.len()],
        keys: None,
        headers: Headers::None,
        values: BinaryArray::from(values.iter().map(Vec::as_slice).collect::<Vec<_>>()),
        next,
    };
    stage.run(records, 0).unwrap()
}

/// Rates come first, so that amounts in other currencies find them.
fn in_order(made: &BTreeMap<Contract, [Made; 2]>) -> Vec<Contract> {
    let mut contracts: Vec<Contract> = made.keys().copied().collect();
    contracts.sort_by_key(|contract| (*contract != Contract::FxRate, !contract.is_reference()));
    contracts
}

#[test]
fn avro_gives_the_same_rows_and_fates_as_json() {
    let (registry, made) = both(1, 60_000);
    let (mut by_json, mut by_avro) = (stage(Format::Json, &registry), stage(Format::Avro, &registry));
    let mut reasons = BTreeSet::new();
    for contract in in_order(&made) {
        let [json, avro] = &made[&contract];
        let [json, of_avro] = [through(&mut by_json, contract, &json.values), through(&mut by_avro, contract, &avro.values)];
        let wrong = (0..avro.fates.len()).find(|at| of_avro.fates()[*at] != avro.fates[*at]);
        assert_eq!(wrong.map(|at| (of_avro.fates()[at], avro.fates[at], &avro.values[at])), None, "{contract:?}");
        let rows = |batch: &Batch| -> HashMap<Table, _> {
            batch.tables().iter().filter(|(table, _)| *table != Table::Rejected).cloned().collect()
        };
        let [json, of_rows] = [rows(&json), rows(&of_avro)];
        assert!(!json.is_empty() && json == of_rows, "{contract:?}: {:?} {:?}", json.keys(), of_rows.keys());
        let rejected = of_avro.tables().iter().find(|(table, _)| *table == Table::Rejected);
        if let Some((_, rows)) = rejected {
            let named = rows.column_by_name("reason").unwrap();
            let named = arrow_cast::cast(named, &arrow_schema::DataType::Utf8).unwrap();
            reasons.extend(named.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
    }
    let all = ["not_avro", "unknown_schema", "not_utf8", "control_character", "text_too_long", "missing_field", "bad_timestamp"];
    let values = ["out_of_range", "too_precise", "unknown_currency", "unknown_country", "negative_quantity"];
    let expected: BTreeSet<String> = all.into_iter().chain(values).map(str::to_owned).collect();
    assert!(reasons.is_superset(&expected), "{reasons:?}");
}

#[test]
fn another_implementation_reads_accepted_records_and_all_versions_occur() {
    let (registry, made) = both(2, 30_000);
    let parsed: Vec<apache_avro::Schema> =
        registry.texts.iter().map(|(_, text)| apache_avro::Schema::parse_str(text).unwrap()).collect();
    let mut versions = HashMap::new();
    for [_, avro] in made.values() {
        for (frame, _) in avro.values.iter().zip(&avro.fates).filter(|(_, fate)| **fate == Fate::Accepted) {
            let id = u32::from_be_bytes(frame[1..5].try_into().unwrap());
            let mut datum = &frame[5..];
            let schema = &parsed[id as usize - 1];
            let reader = apache_avro::reader::datum::GenericDatumReader::builder(schema).build().unwrap();
            reader.read_value(&mut datum).unwrap();
            assert!(datum.is_empty(), "{} bytes are left", datum.len());
            *versions.entry((id - 1) % 4).or_insert(0) += 1;
        }
    }
    assert_eq!(versions.len(), 4, "{versions:?}");
    assert!(versions.values().all(|count| *count > 300), "{versions:?}");
}

#[test]
fn a_seed_gives_the_same_frames_and_duplicates_repeat_them() {
    let frames = |seed| both(seed, 20_000).1.into_values().flat_map(|[_, avro]| avro.values).collect::<Vec<_>>();
    assert_eq!(frames(3), frames(3));
    let (_, made) = both(3, 20_000);
    for [_, avro] in made.values() {
        let mut seen = std::collections::HashSet::new();
        for (frame, fate) in avro.values.iter().zip(&avro.fates) {
            assert!(*fate != Fate::Duplicate || seen.contains(frame));
            seen.insert(frame);
        }
    }
}

#[test]
fn other_json_is_refused() {
    let mut registry = Registry::default();
    let mut avro = Avro::new(1, |stream, text| registry.register(stream, text)).unwrap();
    let emitted = Emitted { stream: "orders", contract: Contract::Order, event_time: 0, fate: Fate::Accepted };
    for json in [
        "",
        "{",
        "[]",
        r#"{"order_id":}"#,
        r#"{"order_id":"a" }"#,
        r#"{"nobody":1}"#,
        r#"{"revision":"1\"}"#,
        r#"{"total":1.2.3}"#,
    ] {
        assert!(avro.encode(&emitted, json.as_bytes(), &mut Vec::new()).is_err(), "{json}");
    }
}

#[test]
fn numbers_have_avros_shortest_form() {
    for (units, expected) in [
        (0, &[2, 0][..]),
        (127, &[2, 127]),
        (128, &[4, 0, 128]),
        (-1, &[2, 255]),
        (-128, &[2, 128]),
        (-129, &[4, 255, 127]),
        (32_768, &[6, 0, 128, 0]),
    ] {
        let mut out = Vec::new();
        write::decimal(units, &mut out);
        assert_eq!(out, expected, "{units}");
    }
    for (value, expected) in
        [(0, &[0][..]), (-1, &[1]), (63, &[126]), (64, &[128, 1]), (i64::MIN, &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1])]
    {
        let mut out = Vec::new();
        write::long(value, &mut out);
        assert_eq!(out, expected, "{value}");
    }
}

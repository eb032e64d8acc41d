//! Law 9 for rates: whether they are read first, in between or last, every figure is the same by every grouping.

use std::sync::Arc;

use arrow_array::BinaryArray;
use kassa_analytics::{Answer, Basis, Figures, Live, Query, catalogue};
use kassa_model::{Contract, Currency, Headers, Partition, Records, Shop, time};
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_pipeline::{Format, Stage, Stream};
use kassa_sim::Rng;
use kassa_source::shop::{Faults, Options, STREAMS, Shop as SyntheticShop};
use serde_json::Value;

const RECORDS: usize = 12_000;
const BATCH: usize = 300;
const INGESTED_AT: i64 = 1_767_614_400_000_000;

fn shop() -> Shop {
    Shop::new("Rates", "Europe/London", Currency::parse("GBP").unwrap()).unwrap()
}

/// The place of a contract's stream among all.
fn place(contract: Contract) -> usize {
    STREAMS.iter().position(|(_, of)| *of == contract).unwrap()
}

/// The records of two weeks, by stream.
fn made() -> Vec<Vec<Vec<u8>>> {
    let start = time::parse("2026-03-20T00:00:00Z", &shop().zone).unwrap();
    let options = Options { seed: 5, start, records_per_day: 900, shop: shop(), faults: Faults::default() };
    let mut synthetic = SyntheticShop::new(options).unwrap();
    let mut streams = vec![Vec::new(); STREAMS.len()];
    for _ in 0..RECORDS {
        let mut record = Vec::new();
        let emitted = synthetic.next(&mut record);
        let stream = &mut streams[place(emitted.contract)];
        if emitted.contract == Contract::FxRate {
            stream.extend(varied(&record));
        } else {
            stream.push(record);
        }
    }
    streams
}

/// Rates of every kind: dollars are stated the other way round, kronor in euros, yen every third day, rupees on the first day only, and euros
/// twice, of which the second is right.
fn varied(record: &[u8]) -> Vec<Vec<u8>> {
    let mut rate: Value = serde_json::from_slice(record).unwrap();
    let day = rate["day"].as_str().unwrap()[8..].parse::<i64>().unwrap();
    match rate["base"].as_str().unwrap() {
        "USD" => (rate["base"], rate["quote"]) = ("GBP".into(), "USD".into()),
        "SEK" => rate["quote"] = "EUR".into(),
        "JPY" if day % 3 != 2 => return Vec::new(),
        "INR" if day > 20 => return Vec::new(),
        "EUR" => {
            let mut wrong = rate.clone();
            wrong["rate"] = "7.7".into();
            wrong["event_id"] = format!("{}-wrong", rate["event_id"].as_str().unwrap()).into();
            wrong["occurred_at"] = "2026-01-01T00:00:00Z".into();
            return [rate, wrong].map(|rate| rate.to_string().into_bytes()).into();
        }
        _ => {}
    }
    vec![rate.to_string().into_bytes()]
}

/// The batches as (stream, number of the batch in it), in the order in which they are read.
type Order = Vec<(usize, usize)>;

fn batches(streams: &[Vec<Vec<u8>>]) -> Order {
    let of = |(stream, records): (usize, &Vec<Vec<u8>>)| (0..records.len().div_ceil(BATCH)).map(move |batch| (stream, batch));
    streams.iter().enumerate().flat_map(of).collect()
}

/// Rates at a place among the others, these one stream after the other.
fn rates_at(all: &Order, share: usize) -> Order {
    let is_rate = |(stream, _): &&(usize, usize)| *stream == place(Contract::FxRate);
    let mut others: Order = all.iter().filter(|batch| !is_rate(batch)).copied().collect();
    let at = others.len() * share / 4;
    others.splice(at..at, all.iter().filter(is_rate).copied());
    others
}

/// Any order in which no stream's batches overtake each other.
fn shuffled(all: &Order, rng: &mut Rng) -> Order {
    let mut left = all.clone();
    let mut order = Order::new();
    while !left.is_empty() {
        let (stream, _) = left[rng.below(left.len())];
        let first = left.iter().position(|(of, _)| *of == stream).unwrap();
        order.push(left.remove(first));
    }
    order
}

fn fold(streams: &[Vec<Vec<u8>>], order: &Order) -> Figures {
    let index = Index::new(&IndexOptions { memory_bytes: 16 << 20, dir: None, event_window_us: i64::MAX }).unwrap();
    let stream = |(topic, contract): (&'static str, Contract)| {
        (Arc::<str>::from(topic), Stream::new(topic, contract, Format::Json, None, 1 << 20))
    };
    let mut stage = Stage::new(&shop(), kassa_model::key::Keyring::keyed([7; 16]), index, STREAMS.map(stream));
    let mut figures = Figures::new(&shop());
    for (stream, batch) in order {
        let from = batch * BATCH;
        let records = &streams[*stream][from..(from + BATCH).min(streams[*stream].len())];
        let (first, end) = (i64::try_from(from).unwrap(), i64::try_from(from + records.len()).unwrap());
        let records = Records {
            partition: Partition::new(STREAMS[*stream].0, 0),
            offsets: (first..end).collect(),
            ingested_at: vec![INGESTED_AT; records.len()],
            timestamps: vec![None; records.len()],
            keys: None,
            headers: Headers::None,
            values: BinaryArray::from_iter_values(records),
            next: end,
        };
        for (table, rows) in stage.run(records, first).unwrap().tables() {
            figures.apply(*table, rows).unwrap();
        }
    }
    figures
}

/// Every figure on every basis by every grouping, and the page of today.
fn everything(figures: &Figures) -> (Vec<Answer>, [Live; 2]) {
    let mut answers = Vec::new();
    for figure in catalogue() {
        for by in figure.groupings {
            for basis in Basis::ALL {
                let query = Query::parse(figure.name, Some(by.name()), None, None, Some(basis.name())).unwrap();
                answers.push(figures.answer(&query).unwrap());
            }
        }
    }
    (answers, Basis::ALL.map(|basis| figures.live(basis)))
}

#[test]
fn figures_do_not_depend_on_when_rates_are_read() {
    let streams = made();
    let all = batches(&streams);
    let first = everything(&fold(&streams, &rates_at(&all, 0)));
    let net = &first.0[0];
    assert!(net.figure == "net_sales" && net.rows[0].value.as_deref().unwrap_or_default().len() > 6, "{net:?}");
    assert!(net.unconverted.iter().any(|left| left.currency == "INR"), "rupees that no rate is known of: {:?}", net.unconverted);
    assert!(net.unconverted.iter().all(|left| left.currency == "INR"), "{:?}", net.unconverted);
    let mut rng = Rng(7);
    let orders = (1..=4).map(|share| rates_at(&all, share)).chain((0..4).map(|_| shuffled(&all, &mut rng)).collect::<Vec<_>>());
    for (nth, order) in orders.enumerate() {
        let (answers, live) = everything(&fold(&streams, &order));
        for (found, expected) in answers.iter().zip(&first.0) {
            assert_eq!(found, expected, "order {nth}");
        }
        assert_eq!(live, first.1, "order {nth}");
    }
}

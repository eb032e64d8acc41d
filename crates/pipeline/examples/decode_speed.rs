//! Measures the cost of an order line as JSON and as Avro, decoded alone and through the whole stage, on one core:
//! `cargo run -p kassa-pipeline --release --example decode_speed [RECORDS]`. It checks that both formats give the same sums.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;

use apache_avro::reader::datum::GenericDatumReader;
use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use arrow_array::{Array, BinaryArray};
use kassa_model::{Contract, Counts, Currency, Headers, Partition, Records, Shop, Table};
use kassa_pipeline::decode::avro::{self, Plan, Schema};
use kassa_pipeline::decode::{self, Layout, Leads, Payload};
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_pipeline::{Format, SchemaText, Schemas, SchemasError, Stage, Stream};

const SCHEMA: &str = r#"{"type":"record","name":"OrderLine","fields":[
    {"name":"event_id","type":"string"},{"name":"occurred_at","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"source","type":"string"},{"name":"channel","type":"string"},{"name":"customer_id","type":["null","string"]},
    {"name":"order_id","type":"string"},{"name":"line_id","type":"string"},{"name":"product_id","type":"string"},
    {"name":"name","type":["null","string"]},{"name":"quantity","type":"int"},
    {"name":"unit_price","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
    {"name":"discount","type":["null",{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}]},
    {"name":"currency","type":"string"}]}"#;

#[derive(Debug)]
struct OneSchema;

impl Schemas for OneSchema {
    fn schema(&mut self, _id: i32) -> Result<Option<SchemaText>, SchemasError> {
        Ok(Some(SchemaText { text: SCHEMA.into(), references: Vec::new() }))
    }
}

/// CPU time of this thread, which other processes on the machine do not affect.
struct Stopwatch(f64);

impl Stopwatch {
    fn start() -> Result<Self, Box<dyn Error>> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
        let nanos: f64 = text.split_whitespace().next().ok_or("no time")?.parse()?;
        Ok(Self(nanos / 1e9))
    }

    fn seconds(&self) -> Result<f64, Box<dyn Error>> {
        Ok(Self::start()?.0 - self.0)
    }
}

fn long(out: &mut Vec<u8>, value: i64) {
    let mut bits = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while bits >= 0x80 {
        out.push(u8::try_from(bits & 0x7F).unwrap_or(0) | 0x80);
        bits >>= 7;
    }
    out.push(u8::try_from(bits).unwrap_or(0));
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    long(out, i64::try_from(bytes.len()).unwrap_or(0));
    out.extend_from_slice(bytes);
}

/// The n-th order line, as JSON and as Avro.
fn line(id: i64) -> (String, Vec<u8>) {
    let mixed = id.wrapping_mul(6_364_136_223_846_793_005).rotate_left(17).unsigned_abs();
    let (quantity, cents, discount, product) = (mixed % 9 + 1, mixed / 9 % 9_900 + 100, mixed / 100_000 % 100, mixed / 7 % 5_000);
    let (day, second) = (mixed / 31 % 28, mixed / 1_000 % 60);
    let [event, customer, order] = [format!("e{id:012}"), format!("c{:07}", mixed % 200_000), format!("o{:09}", id / 3)];
    let (line, product) = ((id % 3).to_string(), format!("p{product:05}"));
    let name = format!("Product number {product} of the shop, in its usual pack");
    let json = format!(
        "{{\"event_id\":\"{event}\",\"occurred_at\":\"2026-03-{:02}T09:30:{second:02}Z\",\"source\":\"bench\",\"channel\":\"web\",\
         \"customer_id\":\"{customer}\",\"order_id\":\"{order}\",\"line_id\":\"{line}\",\"product_id\":\"{product}\",\"name\":\"{name}\",\
         \"quantity\":{quantity},\"unit_price\":\"{}.{:02}\",\"discount\":\"0.{discount:02}\",\"currency\":\"GBP\"}}",
        day + 1,
        cents / 100,
        cents % 100
    );
    let mut datum = vec![0, 0, 0, 0, 1];
    bytes(&mut datum, event.as_bytes());
    // 2026-03-01T09:30:00Z.
    long(&mut datum, 1_772_357_400_000 + i64::try_from(day * 86_400 + second).unwrap_or(0) * 1_000);
    [b"bench".as_slice(), b"web"].iter().for_each(|text| bytes(&mut datum, text));
    long(&mut datum, 1);
    [&customer, &order, &line, &product].iter().for_each(|text| bytes(&mut datum, text.as_bytes()));
    long(&mut datum, 1);
    bytes(&mut datum, name.as_bytes());
    long(&mut datum, i64::try_from(quantity).unwrap_or(0));
    bytes(&mut datum, &u32::try_from(cents).unwrap_or(0).to_be_bytes()[1..]);
    long(&mut datum, 1);
    bytes(&mut datum, &[u8::try_from(discount).unwrap_or(0)]);
    bytes(&mut datum, b"GBP");
    (json, datum)
}

fn records(first: i64, values: BinaryArray) -> Records {
    let next = first + i64::try_from(values.len()).unwrap_or(0);
    Records {
        partition: Partition::new("t", 0),
        offsets: (first..next).collect(),
        ingested_at: vec![1_772_400_000_000_000; values.len()],
        timestamps: vec![None; values.len()],
        keys: None,
        headers: Headers::None,
        values,
        next,
    }
}

/// Seconds through the stage, and the sum of net amounts.
fn staged(format: Format, batches: &[Records]) -> Result<(f64, i128, Counts), Box<dyn Error>> {
    let shop = Shop::new("bench", "Europe/London", Currency::parse("GBP").ok_or("no such currency")?).ok_or("no such zone")?;
    let index = Index::new(&IndexOptions { memory_bytes: 256 << 20, dir: None, event_window_us: 0 })?;
    let stream = Stream::new("t", Contract::OrderLine, format, None, 1 << 20);
    let mut stage = Stage::new(&shop, kassa_model::key::Keyring::keyed([7; 16]), index, [(Arc::from("t"), stream)])
        .with_schemas(Box::new(OneSchema));
    let (mut net, mut counts, mut seconds) = (0, Counts::default(), 0.0);
    for records in batches {
        let from = records.offsets[0];
        let (records, began) = (records.clone(), Stopwatch::start()?);
        let batch = stage.run(records, from)?;
        seconds += began.seconds()?;
        counts = counts.plus(batch.span().counts);
        let sales = batch.tables().iter().find(|(table, _)| *table == Table::FactSales);
        let column = sales.and_then(|(_, rows)| rows.column_by_name("net_amount")).ok_or("no sales")?;
        net += column.as_primitive::<Decimal128Type>().values().iter().sum::<i128>();
    }
    Ok((seconds, net, counts))
}

fn main() -> Result<(), Box<dyn Error>> {
    let count: i64 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let (mut json, mut framed, mut sizes) = (Vec::new(), Vec::new(), [0_usize; 2]);
    for first in (0..count).step_by(8_192) {
        let lines: Vec<(String, Vec<u8>)> = (first..count.min(first + 8_192)).map(line).collect();
        sizes[0] += lines.iter().map(|(json, _)| json.len()).sum::<usize>();
        sizes[1] += lines.iter().map(|(_, datum)| datum.len()).sum::<usize>();
        json.push(records(first, lines.iter().map(|(json, _)| Some(json.as_bytes())).collect()));
        framed.push(records(first, lines.iter().map(|(_, datum)| Some(datum.as_slice())).collect()));
    }
    let per = |seconds: f64| format!("{:6.0} ns, {:9.0}/s", seconds * 1e9 / count as f64, count as f64 / seconds);
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{count} order lines: {} B as JSON, {} B as Avro",
        sizes[0] / json.len() / 8_192,
        sizes[1] / json.len() / 8_192
    )?;

    let layout = Layout::new(Contract::OrderLine);
    let plan = Plan::new(Schema::parse(&SchemaText { text: SCHEMA.into(), references: Vec::new() })?, &layout)?;
    for _ in 0..3 {
        let (began, mut payload, mut leads) = (Stopwatch::start()?, Payload::new(&layout), Leads::default());
        for batch in &json {
            for index in 0..batch.len() {
                decode::json(&layout, batch.value(index), &mut payload, &mut leads).map_err(|letter| letter.detail)?;
            }
        }
        writeln!(out, "decode JSON        {}", per(began.seconds()?))?;
        let (began, mut payload) = (Stopwatch::start()?, Payload::new(&layout));
        for batch in &framed {
            for index in 0..batch.len() {
                let (_, datum) = avro::frame(batch.value(index)).map_err(|letter| letter.detail)?;
                plan.read(&layout, datum, &mut payload).map_err(|letter| letter.detail)?;
            }
        }
        writeln!(out, "decode Avro        {}", per(began.seconds()?))?;
        let (json_seconds, json_net, json_counts) = staged(Format::Json, &json)?;
        let (avro_seconds, avro_net, avro_counts) = staged(Format::Avro, &framed)?;
        if (json_net, json_counts) != (avro_net, avro_counts) || avro_counts.accepted != count {
            return Err(format!("the outputs differ: {json_net} {json_counts:?}, {avro_net} {avro_counts:?}").into());
        }
        writeln!(out, "whole stage, JSON  {}", per(json_seconds))?;
        writeln!(out, "whole stage, Avro  {}", per(avro_seconds))?;
    }
    let schema = apache_avro::Schema::parse_str(SCHEMA)?;
    let (reader, began) = (GenericDatumReader::builder(&schema).build()?, Stopwatch::start()?);
    for index in 0..framed[0].len() {
        reader.read_value(&mut &framed[0].value(index)[5..])?;
    }
    let seconds = began.seconds()?;
    writeln!(out, "apache-avro        {:6.0} ns", seconds * 1e9 / framed[0].len() as f64)?;
    Ok(())
}

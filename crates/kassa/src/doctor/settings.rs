//! Settings that are valid on their own but contradict each other.

use kassa_config::{Config, Format, Source};

use super::Check;

const SYSTEM: &str = "settings";

pub fn checks(config: &Config) -> Vec<Check> {
    let place = config.file.as_ref().map_or_else(|| "the defaults".to_owned(), |file| file.display().to_string());
    let fights = [records_that_are_taken_and_set_aside, avro_without_a_registry, files_alone_over_kafka];
    let mut checks: Vec<Check> = fights.iter().flat_map(|fight| fight(config, &place)).collect();
    if checks.is_empty() {
        let found = format!("{} streams, no contradictions", config.streams.len());
        checks.push(Check::ok(SYSTEM, "configuration", &place, found));
    }
    checks
}

/// The collector answers 202 for a record that its stream then makes a dead letter because of its
/// size.
fn records_that_are_taken_and_set_aside(config: &Config, place: &str) -> Vec<Check> {
    let taken = config.collector.max_record_bytes;
    let smaller = config.streams.iter().filter(|stream| stream.max_record_bytes < taken);
    let told = smaller.map(|stream| {
        let found =
            format!("`streams.{}.max_record` is {}, but `collector.max_record` is {taken}", stream.name, stream.max_record_bytes);
        Check::warning(SYSTEM, "record sizes", place, found)
            .why("the collector accepts a record between the two, but the stream makes it a dead letter (`too_large`)")
            .fix("give both the same limit")
    });
    told.collect()
}

fn avro_without_a_registry(config: &Config, place: &str) -> Vec<Check> {
    let avro = config.streams.iter().filter(|stream| stream.format == Format::Avro).map(|stream| stream.name.as_str());
    let avro: Vec<&str> = avro.collect();
    if avro.is_empty() || config.registry.is_some() {
        return Vec::new();
    }
    let found = format!("the streams {} are Avro, but there is no registry", avro.join(", "));
    let check = Check::wrong(SYSTEM, "registry", place, found)
        .why("only schemas stored beside the archive are available: a record with another schema is a dead letter")
        .fix("give its URL as `url` in [registry]");
    vec![check]
}

/// Formats that are supported only in files.
fn files_alone_over_kafka(config: &Config, place: &str) -> Vec<Check> {
    let is_kafka = matches!(config.source, Source::Kafka(_));
    let parquet = config.streams.iter().filter(|stream| is_kafka && stream.format == Format::Parquet);
    let told = parquet.map(|stream| {
        let found = format!("the stream {} is Parquet, but its records come from Kafka", stream.name);
        Check::warning(SYSTEM, "format", place, found)
            .why("`kassa replay` reads Parquet from files; records from Kafka are read as JSON")
            .fix(format!("set `streams.{}.format` to the format of the topic's records", stream.name))
    });
    told.collect()
}

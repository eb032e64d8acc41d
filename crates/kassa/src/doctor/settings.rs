//! Settings that are right each by itself, and fight.

use kassa_config::{Config, Format, Source};

use super::Check;

const SYSTEM: &str = "settings";

pub fn checks(config: &Config) -> Vec<Check> {
    let place = config.file.as_ref().map_or_else(|| "the defaults".to_owned(), |file| file.display().to_string());
    let fights = [records_that_are_taken_and_set_aside, avro_without_a_registry, files_alone_over_kafka];
    let mut checks: Vec<Check> = fights.iter().flat_map(|fight| fight(config, &place)).collect();
    if checks.is_empty() {
        let found = format!("{} streams, no two settings that fight", config.streams.len());
        checks.push(Check::ok(SYSTEM, "configuration", &place, found));
    }
    checks
}

/// The collector answers 202 for a record that its stream then sets aside as too large.
fn records_that_are_taken_and_set_aside(config: &Config, place: &str) -> Vec<Check> {
    let taken = config.collector.max_record_bytes;
    let smaller = config.streams.iter().filter(|stream| stream.max_record_bytes < taken);
    let told = smaller.map(|stream| {
        let found =
            format!("`streams.{}.max_record` is {}, and `collector.max_record` {taken}", stream.name, stream.max_record_bytes);
        Check::warning(SYSTEM, "record sizes", place, found)
            .why("the collector takes a record between the two, and the stream makes a dead letter of it (`too_large`)")
            .mend("give both the same bound")
    });
    told.collect()
}

fn avro_without_a_registry(config: &Config, place: &str) -> Vec<Check> {
    let avro = config.streams.iter().filter(|stream| stream.format == Format::Avro).map(|stream| stream.name.as_str());
    let avro: Vec<&str> = avro.collect();
    if avro.is_empty() || config.registry.is_some() {
        return Vec::new();
    }
    let found = format!("the streams {} are Avro, and there is no registry", avro.join(", "));
    let check = Check::wrong(SYSTEM, "registry", place, found)
        .why("only schemas that were kept beside the archive are known: a record of any other is a dead letter")
        .mend("give its URL as `url` in [registry]");
    vec![check]
}

/// Formats that come in files alone.
fn files_alone_over_kafka(config: &Config, place: &str) -> Vec<Check> {
    let is_kafka = matches!(config.source, Source::Kafka(_));
    let parquet = config.streams.iter().filter(|stream| is_kafka && stream.format == Format::Parquet);
    let told = parquet.map(|stream| {
        let found = format!("the stream {} is Parquet, and its records come from Kafka", stream.name);
        Check::warning(SYSTEM, "format", place, found)
            .why("Parquet is read from files by `kassa replay`; over Kafka its records are taken for JSON")
            .mend(format!("give `streams.{}.format` as the topic's records are written", stream.name))
    });
    told.collect()
}

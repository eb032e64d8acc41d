//! Raw values → [`Config`]: one pass over all keys, and the checks across keys.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use kassa_model::country::code_of;
use kassa_model::nearest::{list, nearest};
use kassa_model::{Code, Contract, Currency, Format, Shop};

use crate::bucket;
use crate::config::{
    Archive, Collector, Config, Lake, LakePlace, Limits, Live, Log, Lookup, Mapping, Proof, Server, Source, Stream,
    default_stream,
};
use crate::mistake::Mistake;
use crate::origin::{Origin, Place};
use crate::reader::{Reader, absolute, quoted};
use crate::redshift;
use crate::servers;
use crate::text_file::{fault, read_bounded};
use crate::value::Value;

/// The configuration; `None` only together with a mistake. An empty value replaces a wrong one, so
/// that the rest is checked too.
pub(crate) fn build(reader: &mut Reader, file: Option<PathBuf>) -> Option<Config> {
    let data_dir = data_dir(reader);
    let shop = shop(reader);
    let (source, log_folder) = servers::source(reader);
    let (streams, patterns) = streams(reader, &source);
    let lookups = lookups(reader);
    let registry = servers::registry(reader);
    let log = log(reader, &data_dir, &log_folder);
    let collector = collector(reader);
    let lake = lake(reader, &data_dir);
    if let LakePlace::Folder(folder) = &lake.place {
        apart(reader, &data_dir, &log.dir, folder);
    }
    let warehouse = servers::warehouse(reader);
    let redshift = redshift::redshift(reader, &lake.place);
    let archive = Archive { zstd_level: reader.level("archive.zstd_level") };
    let proof = Proof { delay: reader.duration("proof.delay"), interval: reader.duration("proof.interval") };
    let live = Live { push_interval: reader.duration("live.push_interval") };
    let listen =
        reader.value("server.listen").and_then(|value| if let Value::Address(address) = value { Some(address) } else { None });
    let server = Server {
        listen: listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))),
        stop_within: reader.duration("server.stop_within"),
    };
    let limits = Limits {
        memory_bytes: reader.number("limits.memory"),
        query_memory_bytes: reader.number("limits.query_memory"),
        query_time: reader.duration("limits.query_time"),
    };
    Some(Config {
        file,
        data_dir,
        shop: shop?,
        streams,
        patterns,
        lookups,
        source,
        registry,
        log,
        collector,
        lake,
        warehouse,
        redshift,
        archive,
        proof,
        live,
        server,
        limits,
    })
}

fn data_dir(reader: &mut Reader) -> PathBuf {
    let dir = reader.path("data_dir").unwrap_or_default();
    if dir.exists() && !dir.is_dir() {
        reader.report(
            "data_dir",
            Code::NotAFolder,
            format!("`data_dir` is not a folder: {}", dir.display()),
            &["name another folder, or move the file away"],
        );
    }
    dir
}

fn shop(reader: &mut Reader) -> Option<Shop> {
    let (name, zone) = (reader.text("shop.name"), reader.text("shop.time_zone"));
    let currency =
        reader.value("shop.currency").and_then(|value| if let Value::Currency(currency) = value { Some(currency) } else { None });
    let country = reader.text("shop.country").and_then(|code| code_of(&code));
    let currency = currency.or_else(|| Currency::parse("GBP"))?;
    Some(Shop::new(&name.unwrap_or_default(), &zone.unwrap_or_else(|| "UTC".to_owned()), currency)?.in_country(country))
}

/// One stream per topic, and the streams with a pattern.
fn streams(reader: &mut Reader, source: &Source) -> (Vec<Stream>, Vec<Stream>) {
    let members = reader.members("streams");
    let named: Vec<Stream> = members.into_iter().map(|(name, origin)| stream(reader, name, origin)).collect();
    let of_topics = named.into_iter().flat_map(|stream| {
        let topics: Vec<String> = stream.topic.split(',').map(|topic| topic.trim().to_owned()).collect();
        topics.into_iter().map(move |topic| Stream { topic, ..stream.clone() })
    });
    let (patterns, streams): (Vec<Stream>, Vec<Stream>) = of_topics.partition(|stream| stream.topic.contains('*'));
    if let (Some(stream), Source::Log) = (patterns.first(), source) {
        let key = format!("streams.{}.topic", stream.name);
        let what =
            format!("`{key}` is a pattern, \"{}\", but the collector's log has only the topics that streams name", stream.topic);
        reader.report(&key, Code::NoEffect, what, &["name the topics, or read Kafka: `url = \"kafka://HOST:9092\"` in [source]"]);
    }
    let mut readers: BTreeMap<&str, &str> = BTreeMap::new();
    for stream in &streams {
        if let Some(first) = readers.insert(&stream.topic, &stream.name) {
            let what = format!("the streams `{first}` and `{}` read the same topic: \"{}\"", stream.name, stream.topic);
            reader.report_at(
                reader.origin(&format!("streams.{}.topic", stream.name), &stream.origin),
                Code::SharedTopic,
                what,
                &["each record belongs to one stream, otherwise it would be counted twice: give one of them another `topic`"],
            );
        }
    }
    (streams, patterns)
}

fn stream(reader: &mut Reader, name: String, origin: Origin) -> Stream {
    let key = |word: &str| format!("streams.{name}.{word}");
    let topic = reader.text_or(&key("topic"), &name);
    let given_format = reader.text(&key("format"));
    let format = given_format.as_deref().and_then(Format::from_name).unwrap_or(Format::Json);
    let contract = contract(reader, &name, &origin);
    // Without a contract, a mapping cannot be checked.
    let mapping = mapping(reader, &name).filter(|_| contract.is_some());
    let contract = contract.unwrap_or(Contract::Event);
    let (encoding, delimiter) = (reader.encoding(&key("encoding")), reader.byte(&key("delimiter")));
    let columns = columns(reader, &name, delimiter);
    for word in ["encoding", "delimiter", "columns"] {
        if given_format.is_some() && format != Format::Csv && reader.given(&key(word)).is_some() {
            let what = format!("`{}` has no effect: the stream's format is not csv", key(word));
            reader.report(&key(word), Code::NoEffect, what, &["remove it, or write `format = \"csv\"`"]);
        }
    }
    let (dedupe_window, max_record_bytes) = (reader.duration(&key("dedupe_window")), reader.number(&key("max_record")));
    Stream { topic, format, contract, mapping, encoding, delimiter, columns, dedupe_window, max_record_bytes, origin, name }
}

/// The column names of CSV records without a header.
fn columns(reader: &mut Reader, name: &str, delimiter: u8) -> Vec<String> {
    let key = format!("streams.{name}.columns");
    let Some(line) = reader.text(&key) else { return Vec::new() };
    let names: Vec<String> = line.split(char::from(delimiter)).map(|name| name.trim().to_owned()).collect();
    let fault = if names.iter().any(String::is_empty) {
        "a column has no name".to_owned()
    } else if line.contains('"') {
        "names have no quotes here".to_owned()
    } else if let Some((_, twice)) = names.iter().enumerate().find(|(nth, name)| names[..*nth].contains(name)) {
        format!("`{twice}` occurs twice")
    } else {
        return names;
    };
    let help = "write the names like a header line, separated by the stream's `delimiter`";
    reader.report(&key, Code::BadName, format!("`{key}` is not a header: {fault}"), &[help]);
    Vec::new()
}

fn contract(reader: &mut Reader, name: &str, origin: &Origin) -> Option<Contract> {
    let key = format!("streams.{name}.contract");
    if reader.given(&key).is_some() {
        return reader.text(&key).as_deref().and_then(Contract::from_name);
    }
    let own = Contract::ALL.into_iter().find(|contract| name == contract.name() || name == default_stream(*contract));
    if let Some(contract) = own {
        reader.note(&key, quoted(contract.name()), Origin::Default);
        return own;
    }
    let names = || Contract::ALL.iter().map(|contract| contract.name());
    let mistake = Mistake::new(Code::NoContract, format!("the stream `{name}` has no contract"), origin.clone());
    let likely = nearest(name, names()).unwrap_or("order_line");
    reader.mistakes.push(
        mistake
            .help(format!("a contract is the type of its records: {}", list(names())))
            .help(format!("write for example `contract = \"{likely}\"` in [streams.{name}]")),
    );
    None
}

fn mapping(reader: &mut Reader, name: &str) -> Option<Mapping> {
    let (inline, file) = (format!("streams.{name}.map"), format!("streams.{name}.map_file"));
    if reader.given(&inline).is_some() && reader.given(&file).is_some() {
        let what = format!("the stream `{name}` has both `map` and `map_file`");
        reader.report(&file, Code::TwoMappings, what, &["kassa cannot know which one you mean: keep one"]);
        return None;
    }
    if let Some(given) = reader.given(&inline).cloned() {
        let origin = given.text_at.map_or(given.origin, Origin::File);
        return reader.text(&inline).map(|sql| Mapping { sql, origin });
    }
    let path = reader.path(&file)?;
    let read = read_bounded(&path).map_err(|error| error.to_string());
    let fault = match read.map(String::from_utf8) {
        Ok(Ok(sql)) if !sql.trim().is_empty() => {
            return Some(Mapping { sql, origin: Origin::File(Place { file: path, line: 1, column: 1 }) });
        }
        Ok(Ok(_)) => "the file is empty".to_owned(),
        Ok(Err(_)) => "the file is not UTF-8".to_owned(),
        Err(error) => error,
    };
    reader.unreadable(&file, &path, &fault);
    None
}

fn lookups(reader: &mut Reader) -> Vec<Lookup> {
    let members = reader.members("lookups");
    members.into_iter().map(|(name, origin)| lookup(reader, name, origin)).collect()
}

fn lookup(reader: &mut Reader, name: String, origin: Origin) -> Lookup {
    let path = |word: &str| format!("lookups.{name}.{word}");
    for word in ["file", "key"] {
        if reader.given(&path(word)).is_none() {
            let what = format!("the lookup `{name}` has no `{word}`");
            let help = "a lookup needs `file = \"orders.csv\"` and `key = \"order_id\"`, the key column";
            reader.report_at(origin.clone(), Code::MissingKey, what, &[help]);
        }
    }
    let file = reader.path(&path("file")).unwrap_or_default();
    // A named pipe is not opened: that would wait for a writer.
    let fault = match fs::metadata(&file) {
        Ok(about) => fault(&about).map(str::to_owned).or_else(|| File::open(&file).err().map(|error| error.to_string())),
        Err(error) => Some(error.to_string()),
    };
    if let (Some(fault), false) = (fault, file.as_os_str().is_empty()) {
        reader.unreadable(&path("file"), &file, &fault);
    }
    let key = reader.text(&path("key")).unwrap_or_default();
    let (encoding, delimiter) = (reader.encoding(&path("encoding")), reader.byte(&path("delimiter")));
    let [file_origin, key_origin] = ["file", "key"].map(|word| reader.origin(&path(word), &origin));
    Lookup { file, key, encoding, delimiter, file_origin, key_origin, name }
}

fn log(reader: &mut Reader, data_dir: &Path, folder: &str) -> Log {
    let dir = if folder.is_empty() { PathBuf::new() } else { absolute(data_dir, folder) };
    let (segment_bytes, capacity_bytes) = (reader.number("log.segment_bytes"), reader.number("log.capacity"));
    if capacity_bytes > 0 && capacity_bytes / 2 < segment_bytes {
        reader.contradiction(
            "log.capacity",
            "log.segment_bytes",
            "the log's capacity is less than two segments",
            ["only closed segments can be deleted, so the log would stay full"],
        );
    }
    let retention = reader.duration("log.retention");
    Log { dir, segment_bytes, retention, capacity_bytes }
}

fn collector(reader: &mut Reader) -> Collector {
    let (max_body_bytes, max_record_bytes) = (reader.number("collector.max_body"), reader.number("collector.max_record"));
    if max_body_bytes > 0 && max_record_bytes > max_body_bytes {
        reader.contradiction(
            "collector.max_record",
            "collector.max_body",
            "a record may be larger than the body that contains it",
            ["nobody could post such a record: raise max_body or lower max_record"],
        );
    }
    Collector { max_body_bytes, max_record_bytes, max_records: reader.number("collector.max_records") }
}

fn lake(reader: &mut Reader, data_dir: &Path) -> Lake {
    Lake {
        place: bucket::place(reader, data_dir),
        commit_interval: reader.duration("lake.commit_interval"),
        commit_rows: reader.number("lake.commit_rows"),
        compact_after_files: reader.number("lake.compact_after_files"),
        checkpoint_interval: reader.number("lake.checkpoint_interval"),
        log_retention: reader.duration("lake.log_retention"),
        zstd_level: reader.level("lake.zstd_level"),
    }
}

/// Lake, log and data folder must not contain each other: each deletes unknown files in its own
/// folder.
fn apart(reader: &mut Reader, data_dir: &Path, log: &Path, lake: &Path) {
    if [data_dir, log, lake].iter().any(|dir| dir.as_os_str().is_empty()) {
        return;
    }
    let help = ["each deletes files in its own folder: use two separate folders"];
    for (key, dir) in [("source.url", log), ("lake.url", lake)] {
        if data_dir.starts_with(dir) {
            let what = format!("`{key}` is the data folder itself or above it: {}", dir.display());
            reader.report(key, Code::FoldersOverlap, what, &["name a folder below it, such as `lake` or `log`"]);
            return;
        }
    }
    if log.starts_with(lake) || lake.starts_with(log) {
        let what = format!("the lake ({}) and the log ({}) contain each other", lake.display(), log.display());
        let key = if reader.given("lake.url").is_some() { "lake.url" } else { "source.url" };
        reader.report(key, Code::FoldersOverlap, what, &help);
    }
}

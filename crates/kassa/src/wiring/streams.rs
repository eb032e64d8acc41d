//! The streams with their mappings and reference tables.

use std::sync::Arc;

use kassa_config::{Config, Encoding, Mapping as Sql, Mistake, Mistakes};
use kassa_mapping::{Lookups, Mapping, MappingError, TableError, TableFile};
use kassa_model::Code;
use kassa_pipeline::csv::Dialect;
use kassa_pipeline::{Mapper, Stream};

/// The streams by topic, their mappings compiled; or all mistakes in mappings and reference tables.
pub fn streams(config: &Config) -> Result<Vec<(Arc<str>, Stream)>, Mistakes> {
    let mut mistakes = Mistakes(Vec::new());
    let (lookups, unread) = lookups(config, &mut mistakes);
    let mut streams = Vec::new();
    for stream in &config.streams {
        let mut mapper = None;
        if let Some(mapping) = &stream.mapping {
            // A mapping that uses an unreadable table cannot be checked.
            if unread.iter().any(|name| mapping.sql.contains(&format!("'{name}'"))) {
                continue;
            }
            match Mapping::compile(&mapping.sql, stream.contract, &lookups) {
                Ok(compiled) => mapper = Some(Box::new(compiled) as Box<dyn Mapper>),
                Err(errors) => mistakes.0.extend(errors.into_iter().map(|error| bad_mapping(&stream.name, mapping, error))),
            }
        }
        let mut built = Stream::new(&stream.name, stream.contract, stream.format, mapper, stream.max_record_bytes);
        if !stream.columns.is_empty() {
            built = built.with_columns(Dialect {
                header: stream.columns.clone(),
                delimiter: stream.delimiter,
                windows_1252: stream.encoding == Encoding::Windows1252,
            });
        }
        streams.push((Arc::from(stream.topic.as_str()), built));
    }
    mistakes.sort();
    if mistakes.0.is_empty() { Ok(streams) } else { Err(mistakes) }
}

fn bad_mapping(stream: &str, mapping: &Sql, error: MappingError) -> Mistake {
    let what = format!("the mapping of stream `{stream}`: {}", error.message);
    let mistake = Mistake::new(Code::BadMapping, what, mapping.origin_at(error.line, error.column));
    match error.hint {
        Some(hint) => mistake.help(hint),
        None => mistake,
    }
}

/// The reference tables of the mappings, and the names of those that cannot be used.
fn lookups<'c>(config: &'c Config, mistakes: &mut Mistakes) -> (Lookups, Vec<&'c str>) {
    let (mut lookups, mut unread) = (Lookups::default(), Vec::new());
    for lookup in &config.lookups {
        let encoding = match lookup.encoding {
            Encoding::Utf8 => kassa_mapping::Encoding::Utf8,
            Encoding::Windows1252 => kassa_mapping::Encoding::Windows1252,
        };
        let file = TableFile { path: &lookup.file, key: &lookup.key, encoding, delimiter: lookup.delimiter };
        if let Err(error) = lookups.load(&lookup.name, file) {
            let origin = if matches!(error, TableError::NoKey(..)) { &lookup.key_origin } else { &lookup.file_origin };
            let what = format!("the lookup `{}` cannot be used: {error}", lookup.name);
            mistakes
                .0
                .push(Mistake::new(Code::BadLookup, what, origin.clone()).help(format!("the file is {}", lookup.file.display())));
            unread.push(lookup.name.as_str());
        }
    }
    (lookups, unread)
}

//! What users send: bodies, settings, mappings, parameters and texts.

use std::fs;

use kassa_analytics::{Figures, Query};
use kassa_config::{Config, LoadOptions};
use kassa_mapping::{Lookups, Mapping};
use kassa_model::printable;
use kassa_server::Limits;

use crate::records;

/// The first byte says whether the sender declares lines.
pub(crate) fn body(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let limits = Limits { max_body_bytes: 1 << 20, max_record_bytes: 1 << 10, max_records: 1_000, memory_bytes: 64 << 20 };
    let Some(ranges) = kassa_server::records_of_body(body, first % 2 == 1, &limits) else { return };
    assert!(!ranges.is_empty() && ranges.len() <= limits.max_records, "{} records", ranges.len());
    let mut end = 0;
    for range in ranges {
        assert!(end <= range.start && range.start < range.end && range.end <= body.len(), "{range:?} of {}", body.len());
        assert!(range.len() <= limits.max_record_bytes, "a record of {} bytes", range.len());
        end = range.end;
    }
}

/// A configuration file.
pub(crate) fn config(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("kassa.toml"), data).expect("written");
    let options = LoadOptions { working_dir: dir.path().to_owned(), ..LoadOptions::default() };
    let (config, _, mistakes) = Config::draft(&options);
    assert_eq!(Config::load(&options).is_ok(), mistakes.0.is_empty(), "{mistakes}");
    assert!(config.is_some() || !mistakes.0.is_empty(), "no configuration and no mistake");
    assert!(mistakes.to_string().contains("mistake"), "mistakes are printed");
}

/// SQL up to the first zero, then a record for the mapping.
pub(crate) fn mapping(data: &[u8]) {
    let Some((contract, rest)) = records::contract(data) else { return };
    let mut parts = rest.splitn(2, |byte| *byte == 0);
    let Ok(sql) = std::str::from_utf8(parts.next().unwrap_or_default()) else { return };
    match Mapping::compile(sql, contract, &Lookups::default()) {
        Ok(mapping) => {
            let record = parts.next().unwrap_or(br#"{"a":"1","b":"2026-01-12T09:00:00Z","c":null}"#);
            records::mapped(contract, Box::new(mapping), &[record, b"{}", b"not json"]);
        }
        Err(errors) => assert!(!errors.is_empty(), "a refusal without a reason"),
    }
}

/// Name, grouping, first day, last day and basis, one a line.
pub(crate) fn figures(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.lines();
    let name = lines.next().unwrap_or_default();
    let [by, from, to, basis] = [(); 4].map(|()| lines.next());
    match Query::parse(name, by, from, to, basis) {
        Ok(query) => {
            let figures = Figures::asked(&records::shop(), &query);
            figures.answer(&query).map(drop).unwrap_or_default();
        }
        Err(error) => assert!(!error.to_string().is_empty(), "a refusal without a reason"),
    }
}

/// A text as it is shown.
pub(crate) fn printable(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let hidden = |shown: &str| {
        let kept = |at: char| matches!(at, '\n' | '\t' | '\u{200c}' | '\u{200d}');
        shown.chars().find(|at| printable::is_hidden(*at) && !kept(*at))
    };
    let line = printable::printable(&text);
    assert!(hidden(&line).is_none() && !line.contains(['\n', '\t']), "{line:?}");
    assert_eq!(hidden(&printable::printable_lines(&text)), None);
    let written = serde_json::to_string(&text).expect("a text");
    let json = printable::json(&written);
    assert_eq!(hidden(&json), None);
    assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), text);
}

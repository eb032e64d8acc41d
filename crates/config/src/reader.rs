//! Reads values from the layers, and records every mistake and origin.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use kassa_model::{Code, Secret};

use crate::config::Encoding;
use crate::given::{Given, Layer, Raw};
use crate::keys;
use crate::kind::Kind;
use crate::mistake::Mistake;
use crate::origin::{Entry, Origin, Origins};
use crate::text_file::{not_a_text, read_bounded};
use crate::value::{LakeUrl, SourceUrl, Value};

/// Reads values from the layers by key, and records every mistake and origin.
#[derive(Debug)]
pub(crate) struct Reader {
    /// Highest priority first: flags, environment, file.
    layers: [Layer; 3],
    config_dir: PathBuf,
    working_dir: PathBuf,
    env: Vec<(OsString, OsString)>,
    pub(crate) mistakes: Vec<Mistake>,
    origins: Origins,
}

impl Reader {
    pub(crate) fn new(
        layers: [Layer; 3],
        (config_dir, working_dir): (PathBuf, PathBuf),
        env: Vec<(OsString, OsString)>,
        mistakes: Vec<Mistake>,
    ) -> Self {
        Self { layers, config_dir, working_dir, env, mistakes, origins: Origins::default() }
    }

    pub(crate) fn into_parts(self) -> (Vec<Mistake>, Origins) {
        (self.mistakes, self.origins)
    }

    pub(crate) fn members(&self, word: &str) -> Vec<(String, Origin)> {
        self.layers[2].names(word).map(|(name, origin)| (name.to_owned(), origin.clone())).collect()
    }

    /// The user's value for the key; not its default.
    pub(crate) fn given(&self, path: &str) -> Option<&Given> {
        self.layers.iter().find_map(|layer| layer.values.get(path))
    }

    /// Whether the user's value differs from the default: a file with all defaults changes nothing.
    pub(crate) fn is_changed(&self, path: &str) -> bool {
        let default = keys::find(path).and_then(|key| key.default);
        self.given(path).is_some_and(|given| match &given.raw {
            Raw::Text(text) | Raw::Integer(text) => Some(text.as_str()) != default,
            Raw::Boolean(given) => default != Some(if *given { "true" } else { "false" }),
            Raw::Other(_) => true,
        })
    }

    pub(crate) fn origin(&self, path: &str, otherwise: &Origin) -> Origin {
        self.given(path).map_or_else(|| otherwise.clone(), |given| given.origin.clone())
    }

    pub(crate) fn note(&mut self, path: &str, value: String, origin: Origin) {
        self.origins.0.insert(path.to_owned(), Entry { value, origin });
    }

    pub(crate) fn report(&mut self, path: &str, code: Code, what: String, help: &[&str]) {
        self.report_at(self.origin(path, &Origin::Default), code, what, help);
        if code == Code::BadSecret {
            // The value may be the secret itself.
            self.origins.0.remove(path);
        }
    }

    pub(crate) fn report_at(&mut self, origin: Origin, code: Code, what: String, help: &[&str]) {
        self.mistakes.push(help.iter().fold(Mistake::new(code, what, origin), |mistake, line| mistake.help(*line)));
    }

    pub(crate) fn unreadable(&mut self, path: &str, file: &Path, fault: &str) {
        let what = format!("`{path}` cannot be read: {fault}");
        let looked = format!("looked for {}", file.display());
        self.report(
            path,
            Code::NamedFileUnreadable,
            what,
            &[&looked, "a relative path starts at the configuration file's folder"],
        );
    }

    /// The mistake is at the key that the user gave.
    pub(crate) fn contradiction(&mut self, first: &str, second: &str, what: &str, help: [&str; 1]) {
        let key = if self.given(first).is_some() { first } else { second };
        self.report(key, Code::Contradiction, format!("`{first}` and `{second}` contradict each other: {what}"), &help);
    }

    /// The key's effective value. `None`: it has none, or a wrong one with a recorded mistake.
    pub(crate) fn value(&mut self, path: &str) -> Option<Value> {
        let key = keys::find(path)?;
        let default =
            || key.default.map(|text| Given { raw: Raw::Text(text.to_owned()), origin: Origin::Default, text_at: None });
        let given = self.given(path).cloned().or_else(default)?;
        match key.kind.parse(path, &given) {
            Ok(value) => {
                let shown = self.shown(key.kind, &given, &value);
                self.note(path, shown, given.origin);
                Some(value)
            }
            Err(mistake) => {
                self.mistakes.push(mistake);
                None
            }
        }
    }

    /// The value as TOML, with absolute folders and files.
    pub(crate) fn shown(&self, kind: Kind, given: &Given, value: &Value) -> String {
        match (kind, value, &given.raw) {
            (Kind::Folder | Kind::File, Value::Text(text), _) => quoted(&self.resolve(text, &given.origin).to_string_lossy()),
            (Kind::Count { .. }, Value::Number(number), _) => number.to_string(),
            (_, Value::Bool(boolean), _) => boolean.to_string(),
            (_, _, Raw::Boolean(boolean)) => boolean.to_string(),
            (_, _, Raw::Text(text)) => quoted(text),
            (_, _, Raw::Integer(digits)) => digits.clone(),
            (_, _, Raw::Other(what)) => (*what).to_owned(),
        }
    }

    /// A path in the file starts at the file's folder; a path in a flag or variable at the working
    /// folder.
    pub(crate) fn resolve(&self, text: &str, origin: &Origin) -> PathBuf {
        let base = match origin {
            Origin::Default | Origin::File(_) => &self.config_dir,
            Origin::Env(_) | Origin::Flag(_) => &self.working_dir,
        };
        absolute(base, text)
    }

    pub(crate) fn path(&mut self, path: &str) -> Option<PathBuf> {
        let origin = self.origin(path, &Origin::Default);
        self.text(path).map(|text| self.resolve(&text, &origin))
    }

    /// The same for a file that a client of a server reads whole.
    pub(crate) fn text_file(&mut self, path: &str) -> Option<PathBuf> {
        let file = self.path(path)?;
        if let Some(fault) = not_a_text(&file) {
            self.unreadable(path, &file, fault);
        }
        Some(file)
    }

    pub(crate) fn text(&mut self, path: &str) -> Option<String> {
        match self.value(path)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn text_or(&mut self, path: &str, default: &str) -> String {
        if self.given(path).is_none() {
            self.note(path, quoted(default), Origin::Default);
            return default.to_owned();
        }
        // Only together with a mistake. The path differs from every topic.
        self.text(path).unwrap_or_else(|| path.to_owned())
    }

    pub(crate) fn number<T: TryFrom<u64> + Default>(&mut self, path: &str) -> T {
        match self.value(path) {
            Some(Value::Number(number)) => T::try_from(number).unwrap_or_default(),
            _ => T::default(),
        }
    }

    pub(crate) fn level(&mut self, path: &str) -> i32 {
        self.number(path)
    }

    pub(crate) fn duration(&mut self, path: &str) -> Duration {
        match self.value(path) {
            Some(Value::Duration(duration)) => duration,
            _ => Duration::ZERO,
        }
    }

    pub(crate) fn switch(&mut self, path: &str) -> bool {
        matches!(self.value(path), Some(Value::Bool(true)))
    }

    pub(crate) fn source_url(&mut self, path: &str) -> Option<SourceUrl> {
        match self.value(path)? {
            Value::Source(url) => Some(url),
            _ => None,
        }
    }

    pub(crate) fn lake_url(&mut self, path: &str) -> Option<LakeUrl> {
        match self.value(path)? {
            Value::Lake(url) => Some(url),
            _ => None,
        }
    }

    /// The secret that a key refers to. `None`: none is given, or it cannot be read, with a
    /// recorded mistake.
    pub(crate) fn secret(&mut self, path: &str) -> Option<Secret> {
        let reference = self.text(path)?;
        self.referred(path, reference)
    }

    /// The secret of a reference in a key's value.
    pub(crate) fn referred(&mut self, path: &str, reference: String) -> Option<Secret> {
        let (value, found) = match reference.split_once(':') {
            Some(("env", name)) => {
                let held = self.env.iter().find(|(held, _)| held == name);
                (held.and_then(|(_, value)| value.to_str()).map(str::to_owned), format!("the environment variable {name}"))
            }
            Some((_, file)) => {
                let file = self.resolve(file, &self.origin(path, &Origin::Default));
                let text = read_bounded(&file).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                (text.map(|text| text.trim_end_matches(['\n', '\r']).to_owned()), format!("the file {}", file.display()))
            }
            None => (None, reference.clone()),
        };
        match value.filter(|value| !value.is_empty()) {
            Some(value) => Some(Secret::new(reference, value)),
            None => {
                let what = format!("`{path}` refers to a missing secret: {found} is missing, empty or not text");
                self.report(path, Code::BadSecret, what, &["set it for the process that runs kassa, or name another secret"]);
                None
            }
        }
    }

    pub(crate) fn byte(&mut self, path: &str) -> u8 {
        match self.value(path) {
            Some(Value::Byte(byte)) => byte,
            _ => b',',
        }
    }

    pub(crate) fn encoding(&mut self, path: &str) -> Encoding {
        match self.text(path).as_deref() {
            Some("windows-1252") => Encoding::Windows1252,
            _ => Encoding::Utf8,
        }
    }
}

pub(crate) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Joins, and resolves `.` and `..` without disk access, because the folder may not exist yet.
pub(crate) fn absolute(base: &Path, path: &str) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in base.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean
}

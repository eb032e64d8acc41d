//! The environment and the flags: keys and text values.

use std::ffi::{OsStr, OsString};

use kassa_model::Code;
use kassa_model::nearest::{hint, nearest};

use crate::file::unknown_key;
use crate::given::{Given, Layer, Raw};
use crate::keys;
use crate::mistake::Mistake;
use crate::options::Override;
use crate::origin::Origin;

const PREFIX: &str = "KASSA__";

/// The variables `KASSA__SECTION__KEY`. `file` lists the existing streams and lookups.
pub(crate) fn environment(variables: &[(OsString, OsString)], file: &Layer, mistakes: &mut Vec<Mistake>) -> Layer {
    let mut layer = Layer::default();
    for (name, value) in variables {
        let Some(name) = kassa_variable(name) else { continue };
        let path = name[PREFIX.len()..].to_lowercase().replace("__", ".");
        let origin = Origin::Env(name.clone());
        if !exists(&path, file) {
            mistakes.push(unknown_variable(&name, file));
        } else if let Some(value) = value.to_str() {
            layer.values.insert(path, Given { raw: Raw::Text(value.to_owned()), origin, text_at: None });
        } else {
            mistakes.push(Mistake::new(Code::WrongType, format!("the value of {name} is not UTF-8"), origin));
        }
    }
    layer
}

/// The variable's name if it has kassa's prefix.
fn kassa_variable(name: &OsStr) -> Option<String> {
    let name = name.to_string_lossy();
    name.starts_with(PREFIX).then(|| name.into_owned())
}

fn unknown_variable(name: &str, file: &Layer) -> Mistake {
    let known: Vec<String> = paths(file).map(|path| format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))).collect();
    let help = match nearest(name, known.iter().map(String::as_str)) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => {
            "a variable is KASSA__SECTION__KEY, for example KASSA__SERVER__LISTEN; `kassa config show` lists all keys".to_owned()
        }
    };
    Mistake::new(Code::UnknownVariable, format!("unknown variable {name}"), Origin::Env(name.to_owned())).help(help)
}

/// The flags, by the dotted key that each sets.
pub(crate) fn flags(overrides: &[Override], file: &Layer, mistakes: &mut Vec<Mistake>) -> Layer {
    let mut layer = Layer::default();
    for Override { key, value, flag } in overrides {
        let origin = Origin::Flag(flag.clone());
        if exists(key, file) {
            layer.values.insert(key.clone(), Given { raw: Raw::Text(value.clone()), origin, text_at: None });
        } else {
            mistakes.push(unknown_path(key, file, origin));
        }
    }
    layer
}

fn unknown_path(key: &str, file: &Layer, origin: Origin) -> Mistake {
    let (section, word) = key.rsplit_once('.').unwrap_or(("", key));
    if keys::of_section(section).next().is_some() {
        return unknown_key(word, section, section, origin);
    }
    let known: Vec<String> = paths(file).collect();
    let mistake = Mistake::new(Code::UnknownKey, format!("unknown key `{key}`"), origin);
    match nearest(key, known.iter().map(String::as_str)) {
        Some(candidate) => mistake.help(format!("did you mean `{candidate}`?")),
        None => mistake.help(hint(section, keys::section_words().collect::<Vec<_>>())),
    }
}

/// Whether the path is a key, and the file (or the default) has its stream or lookup.
fn exists(path: &str, file: &Layer) -> bool {
    let member = path.rsplit_once('.').map_or("", |(section, _)| section);
    let word = member.split('.').next().unwrap_or_default();
    keys::find(path).is_some() && (!keys::is_named(word) || file.members.contains_key(member))
}

/// Every key that can be set, with the names of existing streams and lookups.
fn paths(file: &Layer) -> impl Iterator<Item = String> {
    keys::KEYS.iter().flat_map(move |key| match key.path.split_once(".*.") {
        None => vec![key.path.to_owned()],
        Some((word, last)) => file.names(word).map(|(name, _)| format!("{word}.{name}.{last}")).collect(),
    })
}

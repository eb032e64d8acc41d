//! Reads the file, overlays environment and flags, and builds the configuration.

use std::path::{Path, PathBuf};

use kassa_model::{Code, Contract};

use crate::build::build;
use crate::config::{Config, default_stream};
use crate::file;
use crate::given::Layer;
use crate::mistake::{Mistake, Mistakes};
use crate::options::LoadOptions;
use crate::origin::{Origin, Origins, Place};
use crate::overlay;
use crate::reader::Reader;
use crate::text_file::read_bounded;

impl Config {
    /// The effective configuration and the origin of each value, or all mistakes.
    pub fn load(options: &LoadOptions) -> Result<(Config, Origins), Mistakes> {
        match Self::draft(options) {
            (Some(config), origins, mistakes) if mistakes.0.is_empty() => Ok((config, origins)),
            (_, _, mistakes) => Err(mistakes),
        }
    }

    /// The configuration with an empty value instead of each wrong one, for callers that look for
    /// more mistakes. `None` if it cannot be read. The mistakes are sorted and may be empty.
    pub fn draft(options: &LoadOptions) -> (Option<Config>, Origins, Mistakes) {
        let mut mistakes = Vec::new();
        let path = options.path.clone().or_else(|| {
            let default = PathBuf::from("kassa.toml");
            options.working_dir.join(&default).exists().then_some(default)
        });
        let full = path.as_ref().map(|path| options.working_dir.join(path));
        let mut layer = match (&path, &full) {
            (Some(path), Some(full)) => read_file(path, full, &mut mistakes),
            _ => Layer::default(),
        };
        let broken = mistakes.iter().filter(|mistake| unreadable(mistake.code)).filter_map(line).min();
        if layer.names("streams").next().is_none() {
            let own = Contract::ALL.iter().map(|contract| (format!("streams.{}", default_stream(*contract)), Origin::Default));
            layer.members.extend(own);
        }
        let env = overlay::environment(&options.env, &layer, &mut mistakes);
        let flags = overlay::flags(&options.overrides, &layer, &mut mistakes);
        let config_dir = full.as_deref().and_then(Path::parent).unwrap_or(&options.working_dir).to_owned();
        let mut reader =
            Reader::new([flags, env, layer], (config_dir, options.working_dir.clone()), options.env.clone(), mistakes);
        let config = build(&mut reader, full);
        let (mut mistakes, origins) = reader.into_parts();
        if let Some(line) = broken {
            mistakes.retain(|mistake| is_certain(mistake, line));
        }
        let mut mistakes = Mistakes(mistakes);
        mistakes.sort();
        (config.filter(|_| broken.is_none()), origins, mistakes)
    }
}

fn unreadable(code: Code) -> bool {
    matches!(code, Code::ConfigUnreadable | Code::NotToml)
}

fn line(mistake: &Mistake) -> Option<usize> {
    match &mistake.origin {
        Origin::File(place) => Some(place.line),
        _ => None,
    }
}

/// After a syntax error nothing is certain, not even that a key is missing. So only mistakes before
/// it are reported.
fn is_certain(mistake: &Mistake, broken: usize) -> bool {
    let sees_one_key = !matches!(
        mistake.code,
        Code::NoContract | Code::MissingKey | Code::SharedTopic | Code::NoEffect | Code::Contradiction | Code::FoldersOverlap
    );
    let names_a_member = match &mistake.origin {
        Origin::Env(name) => name.starts_with("KASSA__STREAMS__") || name.starts_with("KASSA__LOOKUPS__"),
        Origin::Flag(_) | Origin::Default => false,
        Origin::File(place) => place.line >= broken,
    };
    unreadable(mistake.code) || sees_one_key && !names_a_member
}

fn read_file(path: &Path, full: &Path, mistakes: &mut Vec<Mistake>) -> Layer {
    match read_bounded(full) {
        Ok(bytes) => file::read(path, &bytes, mistakes),
        Err(error) => {
            let origin = Origin::File(Place { file: path.to_owned(), line: 1, column: 1 });
            let mistake = Mistake::new(Code::ConfigUnreadable, format!("cannot read the configuration: {error}"), origin);
            mistakes.push(mistake.help("`-c FILE` names the file; without it, kassa reads ./kassa.toml if it exists"));
            Layer::default()
        }
    }
}

#[cfg(test)]
mod tests;

//! Reads the file, lays environment and flags over it, and builds the configuration.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use kassa_model::{Code, Contract};

use crate::build::build;
use crate::config::Config;
use crate::file;
use crate::given::Layer;
use crate::mistake::{Mistake, Mistakes};
use crate::origin::{Origin, Origins, Place};
use crate::overlay;
use crate::reader::Reader;

/// What the binary hands in: nothing is taken from the process itself.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// `-c FILE`. `None`: `kassa.toml` in the working folder where there is one, else the defaults alone.
    pub path: Option<PathBuf>,
    /// Absolute. Relative paths of `path`, of the environment and of flags start here.
    pub working_dir: PathBuf,
    /// All variables; those that do not begin with `KASSA__` are passed over.
    pub env: Vec<(OsString, OsString)>,
    pub overrides: Vec<Override>,
}

/// A flag that sets a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// `server.listen`
    pub key: String,
    pub value: String,
    /// As the user knows it: `--listen`.
    pub flag: String,
}

impl Config {
    /// The configuration in force and where each value came from, or all that is wrong with it.
    pub fn load(options: &LoadOptions) -> Result<(Config, Origins), Mistakes> {
        match Self::draft(options) {
            (Some(config), origins, mistakes) if mistakes.0.is_empty() => Ok((config, origins)),
            (_, _, mistakes) => Err(mistakes),
        }
    }

    /// The configuration as far as it can be told, with an empty value wherever one is wrong: for whoever looks for more mistakes in it.
    /// None where it cannot be read. The mistakes are in order, and may be none here.
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
            let own = Contract::ALL.iter().map(|contract| (format!("streams.{}", plural(*contract)), Origin::Default));
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

/// Behind a syntax error nothing can be told, nor whether a key is missing: only what was read before it is reported with it.
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
            mistakes.push(mistake.help("`-c FILE` names the file; without it kassa reads ./kassa.toml where there is one"));
            Layer::default()
        }
    }
}

/// The whole of a file of text, at most 4 MiB.
pub(crate) fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    const BYTES_MAX: u64 = 4 << 20;
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 4 MiB"));
    }
    Ok(bytes)
}

/// The name of the stream that a contract has of its own.
pub(crate) fn plural(contract: Contract) -> String {
    match contract {
        Contract::Inventory => contract.name().to_owned(),
        _ => format!("{}s", contract.name()),
    }
}

#[cfg(test)]
mod tests;

//! Loads the configuration for a command's flags.

use kassa_config::{Config, LakePlace, LoadOptions, Mistake, Mistakes, Origins, Override, Stream};
use kassa_model::Code;

use crate::cli::Place;
use crate::failure::Failure;
use crate::{feed, wiring};

/// The effective configuration, or all its mistakes.
pub fn load(place: &Place, more: Vec<Override>) -> anyhow::Result<(Config, Origins)> {
    let (config, origins) = Config::load(&options(place, more)?)?;
    Ok((with_known_topics(config)?, origins))
}

/// The same, with the topics that matched patterns when Kafka was last read.
pub fn with_known_topics(config: Config) -> anyhow::Result<Config> {
    if config.patterns.is_empty() {
        return Ok(config);
    }
    let topics = feed::known_topics(wiring::store(&config)?.0.as_ref())?;
    Ok(config.with_topics(topics.iter().map(String::as_str)))
}

fn options(place: &Place, more: Vec<Override>) -> anyhow::Result<LoadOptions> {
    let working_dir = std::env::current_dir()?;
    let mut overrides = more;
    if let Some(dir) = &place.data_dir {
        let value = working_dir.join(dir).to_string_lossy().into_owned();
        overrides.push(Override { key: "data_dir".to_owned(), value, flag: "--data-dir".to_owned() });
    }
    Ok(LoadOptions { path: place.config.clone(), working_dir, env: std::env::vars_os().collect(), overrides })
}

/// All mistakes in the configuration, and in its mappings and reference tables as far as it could
/// be read; with the names of its streams.
pub fn examine(place: &Place) -> anyhow::Result<(Vec<String>, Mistakes)> {
    let (config, _, mut mistakes) = Config::draft(&options(place, Vec::new())?);
    let Some(config) = config else { return Ok((Vec::new(), mistakes)) };
    if let Err(more) = wiring::streams(&config) {
        // Each wrong value is reported once.
        let is_new = |mistake: &Mistake| mistakes.0.iter().all(|known| known.origin != mistake.origin);
        let more: Vec<Mistake> = more.0.into_iter().filter(is_new).collect();
        mistakes.0.extend(more);
        mistakes.sort();
    }
    Ok((config.streams.into_iter().map(|stream| stream.name).collect(), mistakes))
}

/// The configuration of a command that reads existing data. It prints a note if there is no lake:
/// the folder may be wrong.
pub fn reading(place: &Place) -> anyhow::Result<Config> {
    let config = config(place)?;
    note_missing_lake(&config);
    Ok(config)
}

pub fn note_missing_lake(config: &Config) {
    if let LakePlace::Folder(dir) = &config.lake.place
        && !dir.is_dir()
    {
        say!("note: there is no lake yet at {}", dir.display());
    }
}

/// Only the configuration.
pub fn config(place: &Place) -> anyhow::Result<Config> {
    load(place, Vec::new()).map(|(config, _)| config)
}

/// The stream with a name from the user.
pub fn stream<'c>(config: &'c Config, name: &str) -> anyhow::Result<&'c Stream> {
    config.streams.iter().find(|stream| stream.name == name).ok_or_else(|| {
        let names: Vec<&str> = config.streams.iter().map(|stream| stream.name.as_str()).collect();
        let failure = Failure::new(Code::UnknownStream, format!("the configuration has no stream `{name}`"));
        let nearest = kassa_model::nearest::nearest(name, names.iter().copied());
        let hint =
            nearest.map_or_else(|| format!("streams: {}", names.join(", ")), |nearest| format!("did you mean `{nearest}`?"));
        failure.hint(hint).into()
    })
}

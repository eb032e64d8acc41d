//! Loads the configuration that a command's flags name.

use kassa_config::{Config, LoadOptions, Origins, Override};

use crate::cli::Place;

/// The configuration in force, or all its mistakes.
pub fn load(place: &Place, more: Vec<Override>) -> anyhow::Result<(Config, Origins)> {
    let working_dir = std::env::current_dir()?;
    let mut overrides = more;
    if let Some(dir) = &place.data_dir {
        let value = working_dir.join(dir).to_string_lossy().into_owned();
        overrides.push(Override { key: "data_dir".to_owned(), value, flag: "--data-dir".to_owned() });
    }
    let options = LoadOptions { path: place.config.clone(), working_dir, env: std::env::vars_os().collect(), overrides };
    Ok(Config::load(&options)?)
}

/// The configuration alone.
pub fn config(place: &Place) -> anyhow::Result<Config> {
    load(place, Vec::new()).map(|(config, _)| config)
}

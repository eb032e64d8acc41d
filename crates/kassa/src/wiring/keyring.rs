//! The keyring of a configuration's lake: made from the lake's secret, or, for a lake without one, from a secret of this data folder, which
//! only the state below the folder depends on.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use kassa_config::Config;
use kassa_lake::{format, key};
use kassa_model::key::{Keyring, Secret};

use super::{Durable, Lake};

impl Lake {
    /// Prepares a lake for the first commit of the sinks that are fed: its format and, if it is new, its secret.
    pub fn begin(&self, config: &Config, fed: Durable) -> anyhow::Result<()> {
        let store = self.store.as_ref();
        if fed.archive || fed.lake {
            self.may_write()?;
        }
        if !(fed.archive || fed.lake || fed.warehouse) {
            return Ok(());
        }
        let secret = key::state(store, random).context("could not open the lake")?;
        if fed.archive || fed.lake {
            format::state(store).context("could not open the lake")?;
        }
        let own = path(config);
        match secret {
            Some(_) => Ok(()),
            None => keep(&own).with_context(|| format!("could not write {}", own.display())),
        }
    }

    /// What makes the keys of the lake's rows.
    pub fn keyring(&self, config: &Config) -> anyhow::Result<Keyring> {
        if let Some(secret) = key::read(self.store.as_ref()).context("could not read the lake's key")? {
            return Ok(Keyring::keyed(secret));
        }
        // A command that keeps no state needs no secret that lasts.
        let own = path(config);
        let secret = held(&own).and_then(|held| held.map_or_else(random, Ok));
        Ok(Keyring::unkeyed(secret.with_context(|| format!("could not read {}", own.display()))?))
    }
}

fn path(config: &Config) -> PathBuf {
    config.data_dir.join("state/key")
}

/// From the operating system.
fn random() -> io::Result<Secret> {
    let mut secret = Secret::default();
    getrandom::fill(&mut secret).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(secret)
}

/// A damaged file counts as none: the state that depends on it is rebuilt.
fn held(path: &Path) -> io::Result<Option<Secret>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(key::parse(&text)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the folder's secret unless there is one. The caller has the folder's lock.
fn keep(path: &Path) -> io::Result<()> {
    if held(path)?.is_some() {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension("draft");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(key::text(random()?).as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kassa_config::LoadOptions;
    use kassa_lake::{Folder, Store};

    use super::*;

    const ALL: Durable = Durable::ALL;

    fn opened(dir: &Path) -> (Config, Lake) {
        let file = dir.join("kassa.toml");
        fs::write(&file, "[streams.orders]\n").unwrap();
        let options = LoadOptions { path: Some(file), working_dir: dir.to_owned(), env: Vec::new(), overrides: Vec::new() };
        let config = Config::load(&options).unwrap().0;
        let lake = Lake::open(&config).unwrap();
        (config, lake)
    }

    #[test]
    fn all_commands_on_a_new_lake_have_the_keys_of_its_secret() {
        let dir = tempfile::TempDir::new().unwrap();
        let (config, lake) = opened(dir.path());
        lake.begin(&config, ALL).unwrap();
        let keyring = lake.keyring(&config).unwrap();
        assert_eq!(keyring, Keyring::keyed(key::held(lake.store.as_ref()).unwrap().unwrap()));
        lake.begin(&config, ALL).unwrap();
        assert_eq!(opened(dir.path()).1.keyring(&config).unwrap(), keyring);
        assert!(!path(&config).exists());
    }

    #[test]
    fn lakes_have_secrets_of_their_own() {
        let keyrings = [(); 2].map(|()| {
            let dir = tempfile::TempDir::new().unwrap();
            let (config, lake) = opened(dir.path());
            lake.begin(&config, ALL).unwrap();
            lake.keyring(&config).unwrap()
        });
        assert_ne!(keyrings[0].key("customer", &["", "c"]), keyrings[1].key("customer", &["", "c"]));
    }

    #[test]
    fn an_old_lake_keeps_its_keys_and_its_state_has_a_secret() {
        let dir = tempfile::TempDir::new().unwrap();
        let (config, mut lake) = opened(dir.path());
        let old: Arc<dyn Store> = Arc::new(Folder::new(dir.path().join("old")));
        old.put("topics/orders/_delta_log/00000000000000000000.json", b"{}").unwrap();
        lake.store = old;
        lake.begin(&config, ALL).unwrap();
        let keyring = lake.keyring(&config).unwrap();
        assert_eq!(key::held(lake.store.as_ref()).unwrap(), None);
        let unkeyed = Keyring::unkeyed([0; 16]);
        assert_eq!(keyring.key("customer", &["", "C-1000"]), unkeyed.key("customer", &["", "C-1000"]));
        assert_ne!(keyring.id("order", &["", "O-1000"]), unkeyed.id("order", &["", "O-1000"]));
        lake.begin(&config, ALL).unwrap();
        assert_eq!(lake.keyring(&config).unwrap(), keyring, "a start goes on with the state of the last one");
        fs::write(path(&config), "torn").unwrap();
        lake.begin(&config, ALL).unwrap();
        assert_ne!(lake.keyring(&config).unwrap(), keyring);
    }
}
